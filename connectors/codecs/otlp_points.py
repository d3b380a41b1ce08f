"""The short way for OTLP/protobuf metrics: points of known series by `otlp_scan`, all else by the library.

What the library reads teaches the short way: a plain record whose points all became samples says which series each of its points
is of. When the table is full it begins anew. This way changes what decoding costs and nothing of what comes out.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from connectors.codecs import otlp_scan
from connectors.codecs.columns import NOT_FINITE, VALUE_MAX, ColumnsBuilder
from connectors.codecs.known_parts import KNOWN, ODD, KnownParts, left
from connectors.codecs.otlp_scan import POINT_BYTES_MIN, Points
from detectors.parts import PADDING
from engine.errors import Reject
from engine.records import Coded, Record, Run

_PADDING: Final = bytes(PADDING)
_PARTS_MAX: Final = 5
"""Of one point: its resource, scope, metric before and after the points, attributes."""


class PointReader:
    """Reads records of one catalog."""

    def __init__(self) -> None:
        self._known = KnownParts()

    def take(self, records: Sequence[Record], out: ColumnsBuilder) -> list[tuple[int, bool]]:
        """Put the points of all records that are known; returns the rows of the others, and whether each can be learned."""
        values = [value or b"" for value in Run.of(records).values] if records else []
        if not values:
            return []
        self._known.renew()
        points, verdict = self._scan(values, learn=False)
        number = np.where(points.is_int, points.bits.view(np.int64).astype(np.float64), points.bits.view(np.float64))
        good = np.abs(number) < VALUE_MAX  # False for NaN too
        if not good.all():
            verdict[points.row[np.isnan(number)]] = ODD
            keep = verdict[points.row] == KNOWN
            for at in np.flatnonzero(keep & ~good).tolist():
                name = self._known.words.word(int(points.code[at])).decode()
                out.reject(int(points.row[at]), Reject.UNLIMITED, f"{name}: {NOT_FINITE}")
            keep &= good
            points, number = _only(points, keep), number[keep]
        out.bulk(points.row, Coded(self._known.words, points.code), points.ts_ns, number)
        return left(verdict)

    def learn(self, value: bytes, keys: Sequence[bytes]) -> None:
        """Remember which series the points of a plain record are of; nothing when they are not as many as the keys."""
        if not self._known.make_room(_PARTS_MAX * len(keys) + 1, len(value)):
            return
        points, verdict = self._scan([value], learn=True)
        if verdict[0] != ODD and len(points.row) == len(keys):
            self._known.name(points.node.tolist(), list(keys))

    def _scan(self, values: Sequence[bytes], *, learn: bool) -> tuple[Points, NDArray[np.int8]]:
        joined = b"".join([*values, _PADDING])
        n = len(joined) // POINT_BYTES_MIN + 1
        points = Points(
            np.empty(n, np.int32),
            np.empty(n, np.int64),
            np.empty(n, np.int64),
            np.empty(n, np.int64),
            np.empty(n, np.uint64),
            np.empty(n, np.bool_),
        )
        state = np.array([0, 0, learn, 0], np.int64)
        verdict = np.empty(len(values), np.int8)
        ends = np.cumsum(np.fromiter(map(len, values), np.int64, len(values)))
        otlp_scan.scan(np.frombuffer(joined, np.uint8), ends, (self._known.table, points), state, verdict)
        return _only(points, slice(int(state[0]))), verdict


def _only(points: Points, which: slice | NDArray[np.bool_]) -> Points:
    return Points._make(column[which] for column in points)
