"""Influx line protocol, as Telegraf writes it: each number or boolean among a line's fields is a sample.

A metric is called `measurement.field`, or just `field` under the measurement `prometheus`; tags are its labels. Strings
are no metrics. Lines without a time take the record's. Comments are passed over, a bad line costs only itself.

Three ways to read a line, of equal result (property tests hold them to it). Records of plain lines of known series, with no backslash and no quote, are
read where they lie by one compiled pass over the bytes of a batch (`influx_points`). Plain lines in other records are cut at their spaces, and everything
before the first space is looked up as it stands: it names the series. All other lines go through line-protocol-parser, which knows every escape: correct,
and four times slower than the second way.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from line_protocol_parser import LineFormatError, parse_line

from connectors.codecs.columns import BAD_LINES_MAX, TOO_BAD, ColumnsBuilder
from connectors.codecs.influx_points import LineReader
from engine.config.tree import Source
from engine.errors import DecodeError, Reject
from engine.ports import Catalog
from engine.records import Decoded, Record, Run
from engine.times import EARLIEST_NS, LATEST_NS

HEADS_MAX = 200_000
"""Series heads remembered; when full, all are forgotten (a working set larger than this is read the slow way)."""
TAUGHT_MAX = 64
"""Records that the short way learns from at once."""
_FIELD = re.compile(
    rb"([^,=]+)=(-?\d{1,18}(?=i)|\d{1,18}(?=u)|-?\d{1,18}(?:\.\d{0,20})?(?:[eE][+-]?\d{1,2})?(?=,|$))[iu]?(?=,|$)"
)
_TIME = re.compile(rb"-?\d{1,19}")
_SCALES = {"s": 1_000_000_000, "ms": 1_000_000, "us": 1_000, "ns": 1, "auto_iso": 1}
_Keys = dict[bytes, bytes]


class InfluxCodec:
    """Stateless but for a cache: head of a line (measurement and tags as written) → field → series key."""

    def __init__(self, source: Source, *, short: bool = True) -> None:
        self._line_bytes_max = source.line_bytes_max
        self._scale = _SCALES[source.mapping.time_unit]
        self._heads: dict[bytes, _Keys] = {}
        self._short = short
        self._points = LineReader(self._scale)
        self._catalog: Catalog | None = None

    def decode(self, records: Sequence[Record], catalog: Catalog) -> Decoded:
        """As `ports.Codec`."""
        if catalog is not self._catalog:
            self._heads.clear()
            self._points = LineReader(self._scale)
            self._catalog = catalog
        out = ColumnsBuilder(self._line_bytes_max, beyond=Reject.UNLIMITED)
        everything = ((row, False) for row in range(len(records)))
        left = list(self._points.take(Run.of(records), out)) if self._short and records else everything
        taught: list[tuple[bytes, list[bytes]]] = []
        for row, is_plain in left:
            marks, samples = out.marks(), len(out.sample_keys)
            self._decode_one(row, records[row], catalog, out)
            keys = out.sample_keys[samples:]
            if is_plain and out.marks() == marks + len(keys):
                taught.append((records[row].value or b"", keys))
            if len(taught) >= TAUGHT_MAX:
                self._points.learn(taught)
                taught = []
        self._points.learn(taught)
        return out.build()

    def _decode_one(self, row: int, record: Record, catalog: Catalog, out: ColumnsBuilder) -> None:
        before, bad = out.marks(), len(out.rejected)
        for line in _lines(record.value or b""):
            if len(out.rejected) - bad >= BAD_LINES_MAX:
                out.reject(row, Reject.TOO_MANY_FIELDS, TOO_BAD)
                return
            if not self._plain(line, row, record.ts_ns, out):
                self._escaped(line, row, record.ts_ns, out, catalog)
        if out.marks() == before:
            out.reject(row, Reject.EMPTY, "no line with a number in it")

    def _plain(self, line: bytes, row: int, record_ts_ns: int, out: ColumnsBuilder) -> bool:
        """Read a line of a known series with numbers only; False, and nothing read, when it is not as simple as that."""
        parts = line.split(b" ")
        keys = self._heads.get(parts[0])
        if keys is None or not 2 <= len(parts) <= 3:
            return False
        fields = _FIELD.findall(parts[1])
        if not len(fields) == parts[1].count(b"=") == parts[1].count(b",") + 1:
            return False
        ts_ns = record_ts_ns
        if len(parts) == 3:
            if not _TIME.fullmatch(parts[2]):
                return False
            ts_ns = int(parts[2]) * self._scale
        try:
            found = {keys[name]: float(number) for name, number in fields}
        except KeyError:
            return False
        if len(found) != len(fields) or not EARLIEST_NS < ts_ns < LATEST_NS:
            return False
        out.sample_rows.extend([row] * len(found))
        out.sample_keys.extend(found)
        out.sample_times.extend([ts_ns] * len(found))
        out.sample_values.extend(found.values())
        return True

    def _escaped(self, line: bytes, row: int, record_ts_ns: int, out: ColumnsBuilder, catalog: Catalog) -> None:
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
                key = catalog.metric(name, tags)
            except DecodeError as error:
                out.reject(row, error.reason, error.detail)
                continue
            out.sample(row, key, ts_ns, value)
            self._remember(line, field, key)

    def _remember(self, line: bytes, field: str, key: bytes) -> None:
        if b"\\" in line or b'"' in line or line[:1] in b" #":
            return
        if len(self._heads) >= HEADS_MAX:
            self._heads.clear()
        self._heads.setdefault(line.split(b" ", 1)[0], {})[field.encode()] = key


def _lines(value: bytes) -> list[bytes]:
    """The lines of a record; a newline inside a quoted string ends none."""
    value = value.rstrip()
    if b"\n" not in value:
        return [value] if value else []
    if b'"' not in value:
        return [line.rstrip(b"\r") for line in value.split(b"\n") if line.strip()]
    lines: list[bytes] = []
    held: list[bytes] = []  # the parts of a line so far; no escape goes beyond the end of one
    is_open = False
    for part in value.split(b"\n"):
        held.append(part)
        is_open ^= part.replace(b"\\\\", b"").replace(b'\\"', b"").count(b'"') % 2 == 1
        if not is_open:
            lines.append(b"\n".join(held).rstrip(b"\r"))
            held = []
    return [line for line in (*lines, b"\n".join(held)) if line.strip()]
