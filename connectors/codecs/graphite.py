"""Graphite's plaintext protocol: lines of `path value time`, the path with or without tags.

A series is called as its path. Tags (`disk.used;host=web-07 1 1795219543`) are its labels. Of a path without tags those parts are
labels that the source's `mapping.labels` names by their place: `{host: "0"}` takes the first part out of the name. A line without a
time, or with -1, takes the record's. A bad line costs only itself.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from math import isnan
from typing import Final

import numpy as np

from connectors.codecs import graphite_scan
from connectors.codecs.columns import BAD_LINES_MAX, TOO_BAD, ColumnsBuilder
from connectors.codecs.graphite_scan import Lines, Points
from connectors.codecs.heads import Heads
from engine.config.tree import Source
from engine.errors import DecodeError, Reject
from engine.ports import Catalog
from engine.records import Coded, Decoded, Record, Run
from engine.times import LATEST_NS

PATHS_MAX: Final = 20_000
"""Paths of lines that are read one by one; when full, all are forgotten."""
REFUSED_MAX: Final = 1_000
REFUSED_BYTES_MAX: Final = 256
"""So many bad paths, and none longer, are remembered as such: made-up ones push nothing out."""
PARTS_MAX: Final = 256
WORDS_MAX: Final = 3
"""A line has no more; what is behind them is one word more."""
PORTION: Final = 512
"""Lines of one record that are read before others are looked at: most of a record that is bad is never read."""
_NUMBER: Final = re.compile(
    rb"[+-]?(?:\d{1,19}(?:\.\d{0,40})?|\.\d{1,40})(?:[eE][+-]?\d{1,3})?|[+-]?(?:nan|inf|infinity)", re.IGNORECASE
)
_TIME: Final = re.compile(rb"-?\d{1,19}(?:\.\d{0,9})?")
_MILLISECOND_NS: Final = 1_000_000


class GraphiteCodec:
    """Stateless but for caches: path as written → series key. Plain lines of known paths are read in one compiled pass over a batch."""

    def __init__(self, source: Source) -> None:
        self._line_bytes_max = source.line_bytes_max
        given = source.mapping.labels
        self._places = (
            {int(place): label for label, place in given.items() if place.isdecimal()} if isinstance(given, dict) else {}
        )
        self._known: dict[bytes, bytes] = {}
        self._refused: dict[bytes, tuple[Reject, str]] = {}
        self._heads = Heads(1)
        self._taught: list[tuple[bytes, bytes]] = []
        self._learned_bad: list[bytes] = []
        self._catalog: Catalog | None = None

    def decode(self, records: Sequence[Record], catalog: Catalog) -> Decoded:
        """As `ports.Codec`."""
        if catalog is not self._catalog:
            self._known.clear()
            self._refused.clear()
            self._catalog, self._heads = catalog, Heads(catalog.series_max)
        out = ColumnsBuilder(self._line_bytes_max)
        if records:
            self._take(Run.of(records), catalog, out)
        if self._taught:
            self._heads.add(self._taught)
            self._taught = []
        if self._learned_bad:
            self._heads.refuse(self._learned_bad)
            self._learned_bad = []
        return out.build()

    def _take(self, run: Run, catalog: Catalog, out: ColumnsBuilder) -> None:
        """Put the points of all lines that are plain and of known paths, and read the others one by one."""
        self._heads.renew()
        words = self._heads.words
        joined, points, others, is_cut = graphite_scan.read(run.payloads, run.ts_ns, self._heads)
        is_blank = np.ones(len(run), np.bool_)
        is_blank[points.row] = is_blank[others.row] = False
        for row in np.flatnonzero(is_blank).tolist():
            out.reject(row, Reject.EMPTY, "no line in it")
        keep = np.ones(len(points.row), np.bool_)
        begins = np.flatnonzero(np.diff(others.row, prepend=-1))
        rows = others.row[begins]
        for row, first, last in zip(rows.tolist(), begins.tolist(), [*begins[1:].tolist(), len(others.row)], strict=False):
            known = slice(*np.searchsorted(points.row, (row, row + 1)).tolist())
            lines = Lines._make(column[first:last] for column in others)
            until = self._read_others(int(run.ts_ns[row]), joined, lines, out, catalog)
            keep[known] = points.place[known] < until
            if is_cut[row] or until < others.begin[last - 1] or not keep[known].all():
                out.reject(row, Reject.TOO_MANY_FIELDS, TOO_BAD)
        points = Points._make(column[keep] for column in points)
        out.bulk(points.row, Coded(words, points.code), points.ts_ns, points.value, points.place)

    def _read_others(self, record_ts_ns: int, joined: bytes, lines: Lines, out: ColumnsBuilder, catalog: Catalog) -> int:
        """Read lines of one record; returns the place of the one after which nothing more is to be read, or one behind all."""
        row: int = lines.row[0].item()
        bad = len(out.rejected)
        for first in range(0, len(lines.row), PORTION):
            portion = slice(first, first + PORTION)
            for place, end in zip(lines.begin[portion].tolist(), lines.end[portion].tolist(), strict=True):
                self._read(joined[place:end].split(None, WORDS_MAX), row, record_ts_ns, place, out, catalog)
                if len(out.rejected) - bad >= BAD_LINES_MAX:
                    until: int = place
                    return until
        return LATEST_NS

    def _read(self, words: list[bytes], row: int, record_ts_ns: int, place: int, out: ColumnsBuilder, catalog: Catalog) -> None:
        if not 2 <= len(words) <= WORDS_MAX or not _NUMBER.fullmatch(words[1]):
            out.reject(row, Reject.MALFORMED, "not a path, a value and a time")
            return
        value, path = float(words[1]), words[0]
        try:
            ts_ns = _time_of(words[2], record_ts_ns) if len(words) == WORDS_MAX else record_ts_ns
            key = self._known.get(path) or self._key_of(path, catalog)
        except DecodeError as error:
            out.reject(row, error.reason, error.detail)
            return
        if isnan(value):
            out.reject(row, Reject.STALE, "a NaN: nothing was read")
        else:
            out.sample(row, key, ts_ns, value, place)

    def _key_of(self, path: bytes, catalog: Catalog) -> bytes:
        """The key of a path that is not known. What is wrong with the first bad paths is remembered: they come again. Raises DecodeError."""
        if path in self._refused:
            raise DecodeError(*self._refused[path])
        try:
            key = self._new_key(path, catalog)
        except DecodeError as error:
            if len(self._refused) < REFUSED_MAX and len(path) <= REFUSED_BYTES_MAX:
                self._refused[path] = error.reason, error.detail
                self._learned_bad.append(path)
            raise
        if len(self._known) >= PATHS_MAX:
            self._known.clear()
        self._known[path] = key
        self._taught.append((path, key))
        return key

    def _new_key(self, path: bytes, catalog: Catalog) -> bytes:
        try:
            text, *tags = path.decode().split(";", PARTS_MAX)
        except UnicodeDecodeError as error:
            raise DecodeError(Reject.MALFORMED, "a path that is not UTF-8") from error
        labels: dict[str, str] = {}
        for tag in tags:
            name, equals, value = tag.partition("=")
            if not name or not equals:
                raise DecodeError(Reject.MALFORMED, "a tag without a name or a value")
            labels[name] = value
        if self._places and not tags:
            parts = text.split(".", PARTS_MAX)
            labels |= {label: parts[place] for place, label in self._places.items() if place < len(parts) and parts[place]}
            text = ".".join(part for place, part in enumerate(parts) if place not in self._places)
        if not text:
            raise DecodeError(Reject.MALFORMED, "no name is left of the path")
        return catalog.metric(text, labels)


def _time_of(word: bytes, record_ts_ns: int) -> int:
    """Seconds, with a fraction or without. Raises DecodeError."""
    if word == b"-1":
        return record_ts_ns
    if not _TIME.fullmatch(word):
        raise DecodeError(Reject.BAD_TIME, "not seconds since 1970")
    seconds = float(word)
    if not abs(seconds) * 1e9 < LATEST_NS:
        raise DecodeError(Reject.BAD_TIME, "beyond 64 bits of nanoseconds")
    return round(seconds * 1000.0) * _MILLISECOND_NS
