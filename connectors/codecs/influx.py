"""Influx line protocol, as Telegraf writes it: each number or boolean among a line's fields is a sample.

A metric is called `measurement.field`, or just `field` under the measurement `prometheus`; tags are its labels. Strings
are no metrics. Lines without a time take the record's. Comments are passed over, a bad line costs only itself.

Two ways to read a line, of equal result (property tests hold them to it). Lines of known series are read where they lie by one compiled pass over the bytes
of a batch (`influx_points`). All others go through line-protocol-parser, which knows every escape: correct, and some fifty times slower. Lines that are
written in a way in which no producer writes go there each time: of one record only some are read.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
from line_protocol_parser import LineFormatError, parse_line
from numpy.typing import NDArray

from connectors.codecs.columns import VALUE_MAX, ColumnsBuilder
from connectors.codecs.influx_points import LineReader, Scanned
from connectors.codecs.influx_scan import ODD_LINES_MAX, Lines, Points
from connectors.codecs.known_parts import KNOWN, UNKNOWN
from engine.config.tree import Source
from engine.errors import DecodeError, Reject
from engine.ports import Catalog
from engine.records import Coded, Decoded, Record, Run
from engine.times import EARLIEST_NS, LATEST_NS

RECORDS_MAX: Final = 1_024
"""Records that are read at once: their bytes stay in the processor's cache from one step to the next."""
NEW_FIRST: Final = 64
"""New lines of a batch that are read before their series are known; with each further portion twice as many."""
KEYS_MAX: Final = 10_000
"""Series that are remembered by what the library says of them; when full, all are forgotten."""
TAUGHT_MAX: Final = 1_024
"""Lines that the short way learns from at once."""
TOO_ODD: Final = f"more than {ODD_LINES_MAX} bad or odd lines: the rest was not read"
_SCALES: Final = {"s": 1_000_000_000, "ms": 1_000_000, "us": 1_000, "ns": 1, "auto_iso": 1}


class InfluxCodec:
    """Stateless but for what is known of the series of one catalog."""

    def __init__(self, source: Source, *, short: bool = True) -> None:
        self._line_bytes_max = source.line_bytes_max
        self._scale = _SCALES[source.mapping.time_unit]
        self._short = short
        self._points = LineReader(self._scale, short=short)
        self._catalog: Catalog | None = None
        self._keys: dict[tuple[str, tuple[tuple[str, str], ...]], bytes] = {}

    def decode(self, records: Sequence[Record], catalog: Catalog) -> Decoded:
        """As `ports.Codec`."""
        if catalog is not self._catalog:
            self._points = LineReader(self._scale, short=self._short)
            self._catalog = catalog
            self._keys.clear()
        out = ColumnsBuilder(self._line_bytes_max, beyond=Reject.UNLIMITED)
        if records:
            run = Run.of(records)
            self._points.renew()
            begin, most = 0, NEW_FIRST
            while begin < len(run):
                rows = slice(begin, min(begin + RECORDS_MAX, len(run)))
                ts_ns = run.ts_ns[rows]
                scanned, taken, learned = _first_part(self._points.read(run.payloads[rows], ts_ns), len(ts_ns), most)
                self._decode_some(begin, ts_ns[:taken], scanned, catalog, out)
                begin, most = begin + taken, 2 * most if learned else most
        return out.build()

    def _decode_some(self, begin: int, ts_ns: NDArray[np.int64], scanned: Scanned, catalog: Catalog, out: ColumnsBuilder) -> None:
        """Put what was read of the records from `begin` on, and read the other lines."""
        joined, _, points, is_cut = scanned
        words = self._points.words  # learning may begin new ones
        row, value = points.row + begin, points.value
        for place in np.flatnonzero(np.isnan(value)).tolist():
            value[place] = float(joined[points.digits[place] : points.digits_end[place]])
        is_told = is_cut.copy()
        self._read_others(begin, ts_ns, scanned, catalog, is_told, out)
        for at in np.flatnonzero(is_cut).tolist():
            out.reject(at + begin, Reject.TOO_MANY_FIELDS, TOO_ODD)
        is_told[points.row] = True
        usable = np.abs(value) < VALUE_MAX
        places = np.maximum.accumulate(points.digits)
        for place in np.flatnonzero(~usable).tolist():  # the columns say what is wrong with them
            key = words.word(int(points.code[place]))
            out.sample(int(row[place]), key, int(points.ts_ns[place]), float(value[place]), int(places[place]))
        keys = Coded(words, points.code[usable])
        out.bulk(row[usable], keys, points.ts_ns[usable], value[usable], places[usable])
        for at in np.flatnonzero(~is_told).tolist():
            out.reject(at + begin, Reject.EMPTY, "no line with a number in it")

    def _read_others(
        self,
        begin: int,
        ts_ns: NDArray[np.int64],
        scanned: Scanned,
        catalog: Catalog,
        is_told: NDArray[np.bool_],
        out: ColumnsBuilder,
    ) -> None:
        """Read the lines that are not known; writes of which records anything came."""
        lines = scanned.lines
        taught: list[tuple[bytes, list[bytes]]] = []
        columns = (column[lines.verdict != KNOWN].tolist() for column in lines)
        for row, start, end, verdict in zip(*columns, strict=True):
            line = scanned.joined[start:end]
            bad, samples = len(out.rejected), len(out.sample_keys)
            self._read(line, row + begin, int(ts_ns[row]), start, out, catalog)
            keys = out.sample_keys[samples:]
            is_good = len(out.rejected) == bad
            is_told[row] |= bool(keys) or not is_good
            if verdict == UNKNOWN and is_good:
                taught.append((line, keys))
            if len(taught) >= TAUGHT_MAX:
                self._points.learn(taught)
                taught = []
        self._points.learn(taught)

    def _read(self, line: bytes, row: int, record_ts_ns: int, place: int, out: ColumnsBuilder, catalog: Catalog) -> None:
        try:
            parsed = parse_line(line.decode())  # never bytes: 2.0.1 ends the process on a quoted string that is not UTF-8
        except (LineFormatError, ValueError) as error:
            out.reject(row, Reject.MALFORMED, f"not line protocol: {type(error).__name__}")
            return
        if parsed is None:  # a comment
            return
        measurement, tags = parsed["measurement"], parsed["tags"]
        time = parsed["time"]
        ts_ns = record_ts_ns if time is None else time * self._scale
        if not EARLIEST_NS <= ts_ns <= LATEST_NS:
            out.reject(row, Reject.BAD_TIME, "beyond 64 bits of nanoseconds")
            return
        for field, value in reversed(parsed["fields"].items()):  # the library gives them last first
            if isinstance(value, str):
                continue
            name = field if measurement == "prometheus" else f"{measurement}.{field}"
            try:
                key = self._key(name, tags, catalog)
            except DecodeError as error:
                out.reject(row, error.reason, error.detail)
                continue
            out.sample(row, key, ts_ns, value, place)

    def _key(self, name: str, tags: dict[str, str], catalog: Catalog) -> bytes:
        """The series of a number. Raises DecodeError(BAD_LABELS)."""
        said = name, tuple(tags.items())
        key = self._keys.get(said)
        if key is None:
            if len(self._keys) >= KEYS_MAX:
                self._keys.clear()
            key = self._keys[said] = catalog.metric(name, tags)
        return key


def _first_part(scanned: Scanned, records: int, most: int) -> tuple[Scanned, int, bool]:
    """What was read of the first records, with about so many new lines at most, and how many records that are; whether there were more."""
    joined, lines, points, is_cut = scanned
    new = np.flatnonzero(lines.verdict == UNKNOWN)
    if len(new) <= most:
        return scanned, records, False
    until = int(lines.row[new[most]]) + 1
    lines = Lines._make(column[: np.searchsorted(lines.row, until)] for column in lines)
    points = Points._make(column[: np.searchsorted(points.row, until)] for column in points)
    return Scanned(joined, lines, points, is_cut[:until]), until, True
