"""The short way for Influx's lines: numbers of known series by `influx_scan`, all other lines by the general reader.

What the general reader reads teaches the short way which series the fields of a line are of. When the table is full it begins anew. This way
changes what decoding costs and nothing of what comes out.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from connectors.codecs import influx_scan
from connectors.codecs.influx_scan import FIELD_BYTES_MIN, FIELDS_MAX, LEARN, LINE_BYTES_MIN, STATE, Lines, Points
from connectors.codecs.known_parts import ODD, KnownParts
from detectors.parts import PADDING
from engine.words import Words

_PADDING: Final = bytes(PADDING)


class Scanned(NamedTuple):
    """What was read of some records."""

    joined: bytes
    lines: Lines
    points: Points
    is_cut: NDArray[np.bool_]  # by record: it has too many odd lines, and was not read to its end


class LineReader:
    """Reads records of one catalog, whose lines count time in units of `scale` nanoseconds."""

    def __init__(self, scale: int, *, short: bool) -> None:
        """Nothing is ever known unless `short`."""
        self._scale = scale
        self._short = short
        self._known = KnownParts()

    @property
    def words(self) -> Words:
        """What the codes of points stand for."""
        return self._known.words

    def renew(self) -> None:
        """Before a batch."""
        self._known.renew()

    def read(self, values: Sequence[bytes], ts_ns: NDArray[np.int64]) -> Scanned:
        """The lines of records, and the numbers of those that are known."""
        return self._scan(values, ts_ns, learn=False)

    def learn(self, taught: Sequence[tuple[bytes, Sequence[bytes]]]) -> None:
        """Remember which series the fields of new lines are of, given with the keys of each; nothing of one that has not as many."""
        lines = [line for line, _ in taught]
        counts = np.array([len(keys) for _, keys in taught], np.int64)
        if not (taught and self._short) or not self._known.make_room(2 * int(counts.sum()) + len(taught), sum(map(len, lines))):
            return
        _, found, points, _ = self._scan(lines, np.zeros(len(lines), np.int64), learn=True)
        verdict = np.full(len(lines), ODD, np.int8)
        verdict[found.row] = found.verdict
        fits = (verdict != ODD) & (np.bincount(points.row, minlength=len(taught)) == counts)
        keys = [key for fit, (_, keys) in zip(fits.tolist(), taught, strict=True) if fit for key in keys]
        self._known.name(points.node[fits[points.row]].tolist(), keys)

    def _scan(self, values: Sequence[bytes], ts_ns: NDArray[np.int64], *, learn: bool) -> Scanned:
        joined = b"".join([*values, _PADDING])
        n = len(joined) // FIELD_BYTES_MIN + 1
        numbers = np.empty(n, np.int64), np.empty(n, np.int64), np.empty(n, np.int64)
        points = Points(np.empty(n, np.int32), *numbers, np.empty(n), np.empty(n, np.int64), np.empty(n, np.int64))
        n = len(joined) // LINE_BYTES_MIN + len(values)
        lines = Lines(np.empty(n, np.int32), np.empty(n, np.int64), np.empty(n, np.int64), np.empty(n, np.int8))
        state = np.zeros(STATE, np.int64)
        state[LEARN] = learn
        ends = np.cumsum(np.fromiter(map(len, values), np.int64, len(values)))
        scratch = state, np.empty(FIELDS_MAX, np.int64)
        is_cut = np.zeros(len(values), np.bool_)
        buffer = np.frombuffer(joined, np.uint8)
        influx_scan.scan(buffer, ends, ts_ns, self._scale, b'"' in joined, (self._known.table, points), lines, scratch, is_cut)
        found = Points._make(column[: int(state[0])] for column in points)
        return Scanned(joined, Lines._make(column[: int(state[1])] for column in lines), found, is_cut)
