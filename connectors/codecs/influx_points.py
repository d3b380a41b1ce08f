"""The short way for Influx's lines: numbers of known series by `influx_scan`, all else by the general reader.

What the general reader reads teaches the short way which series the fields of a plain record are of. When the table is full it begins anew. This way
changes what decoding costs and nothing of what comes out.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from connectors.codecs import influx_scan
from connectors.codecs.columns import VALUE_MAX, ColumnsBuilder
from connectors.codecs.influx_scan import FIELD_BYTES_MIN, Points
from connectors.codecs.known_parts import KNOWN, ODD, KnownParts, left
from detectors.parts import PADDING
from engine.records import Coded, Run

RECORDS_MAX: Final = 1_024
"""Records that are read at once: their bytes stay in the processor's cache from one step to the next."""
_PADDING: Final = bytes(PADDING)


class LineReader:
    """Reads records of one catalog, whose lines count time in units of `scale` nanoseconds."""

    def __init__(self, scale: int) -> None:
        self._scale = scale
        self._known = KnownParts()

    def take(self, run: Run, out: ColumnsBuilder) -> Iterator[tuple[int, bool]]:
        """Put the numbers of all records that are known; the rows of the others, and whether each can be learned."""
        self._known.renew()
        for begin in range(0, len(run), RECORDS_MAX):
            rows = slice(begin, min(begin + RECORDS_MAX, len(run)))
            joined, points, verdict = self._scan(run.payloads[rows], run.ts_ns[rows], learn=False)
            for place in np.flatnonzero(np.isnan(points.value)).tolist():
                points.value[place] = value = float(joined[points.digits[place] : points.digits_end[place]])
                if not abs(value) < VALUE_MAX:
                    verdict[points.row[place]] = ODD
            keep = verdict[points.row] == KNOWN
            keys = Coded(self._known.words, points.code[keep])
            out.bulk((points.row[keep] + begin).astype(np.int32), keys, points.ts_ns[keep], points.value[keep])
            yield from left(verdict, begin)

    def learn(self, taught: Sequence[tuple[bytes, Sequence[bytes]]]) -> None:
        """Remember which series the fields of plain records are of, given with the keys of each; nothing of one that has not as many."""
        values = [value for value, _ in taught]
        counts = np.array([len(keys) for _, keys in taught], np.int64)
        if not taught or not self._known.make_room(2 * int(counts.sum()) + len(taught), sum(map(len, values))):
            return
        _, points, verdict = self._scan(values, np.zeros(len(values), np.int64), learn=True)
        fits = (verdict != ODD) & (np.bincount(points.row, minlength=len(taught)) == counts)
        keys = [key for fit, (_, keys) in zip(fits.tolist(), taught, strict=True) if fit for key in keys]
        self._known.name(points.node[fits[points.row]].tolist(), keys)

    def _scan(self, values: Sequence[bytes], ts_ns: NDArray[np.int64], *, learn: bool) -> tuple[bytes, Points, NDArray[np.int8]]:
        joined = b"".join([*values, _PADDING])
        verdict = np.zeros(len(values), np.int8)
        if b'"' in joined or b"\\" in joined:
            verdict[[b'"' in value or b"\\" in value for value in values]] = ODD
        n = len(joined) // FIELD_BYTES_MIN + 1
        numbers = np.empty(n, np.int64), np.empty(n, np.int64), np.empty(n, np.int64)
        points = Points(np.empty(n, np.int32), *numbers, np.empty(n), np.empty(n, np.int64), np.empty(n, np.int64))
        state = np.array([0, 0, learn, 0], np.int64)
        ends = np.cumsum(np.fromiter(map(len, values), np.int64, len(values)))
        buffer = np.frombuffer(joined, np.uint8)
        influx_scan.scan(buffer, ends, ts_ns, self._scale, (self._known.table, points), state, verdict)
        return joined, Points._make(column[: int(state[0])] for column in points), verdict
