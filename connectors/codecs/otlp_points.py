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
from connectors.codecs.columns import VALUE_MAX, ColumnsBuilder
from connectors.codecs.otlp_scan import KNOWN, POINT_BYTES_MIN, UNKNOWN, Parts, Points
from engine.records import Coded, Record, Run, Words

NODES_MAX: Final = 400_000
ARENA_MAX: Final = 64 << 20
_NODES_FIRST: Final = 4_096
_ARENA_FIRST: Final = 1 << 18
_PADDING: Final = bytes(otlp_scan.PADDING)


class PointReader:
    """Known parts of one catalog, in tables that grow by doubling."""

    def __init__(self) -> None:
        self._begin()

    def _begin(self) -> None:
        self.words = Words()
        self._parts = _table(_NODES_FIRST, np.zeros(_ARENA_FIRST, np.uint8))

    def take(self, records: Sequence[Record], out: ColumnsBuilder) -> list[tuple[int, bool]]:
        """Put the points of all records that are known; returns the rows of the others, and whether each can be learned."""
        values = [value or b"" for value in Run.of(records).values] if records else []
        if not values:
            return []
        points, verdict = self._scan(values, learn=False)
        number = np.where(points.is_int, points.bits.view(np.int64).astype(np.float64), points.bits.view(np.float64))
        good = np.abs(number) < VALUE_MAX  # False for NaN too
        if not good.all():
            verdict[points.row[~good]] = otlp_scan.ODD
            keep = verdict[points.row] == KNOWN
            points, number = _only(points, keep), number[keep]
        out.bulk(points.row, Coded(self.words, points.code), points.ts_ns, number)
        left = np.flatnonzero(verdict != KNOWN)
        return list(zip(left.tolist(), (verdict[left] == UNKNOWN).tolist(), strict=True))

    def learn(self, value: bytes, keys: Sequence[bytes]) -> None:
        """Remember which series the points of a plain record are of; nothing when they are not as many as the keys."""
        self._make_room(len(value), len(keys))
        points, verdict = self._scan([value], learn=True)
        if verdict[0] == otlp_scan.ODD or len(points.row) != len(keys):
            return
        for node, key in zip(points.node.tolist(), keys, strict=True):
            if node >= 0:
                self._parts.code[node] = self.words.code(key)

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
        otlp_scan.scan(np.frombuffer(joined, np.uint8), ends, (self._parts, points), state, verdict)
        return _only(points, slice(int(state[0]))), verdict

    def _make_room(self, size: int, points: int) -> None:
        """Room for all parts that a record of that many bytes can have."""
        parts = self._parts
        nodes, arena = int(parts.used[0]) + 5 * points + 1, int(parts.used[1]) + size + len(_PADDING)
        if nodes > NODES_MAX or arena > ARENA_MAX:
            self._begin()
            parts, nodes, arena = self._parts, 5 * points + 1, size + len(_PADDING)
        if nodes <= len(parts.code) and arena <= len(parts.arena):
            return
        capacity, room = len(parts.code), len(parts.arena)
        while capacity < nodes:
            capacity *= 2
        while room < arena:
            room *= 2
        grown = _table(capacity, np.zeros(room, np.uint8))
        grown.arena[: len(parts.arena)] = parts.arena
        grown.code[: len(parts.code)] = parts.code
        grown.used[:] = parts.used
        mask = len(grown.node) - 1
        for place in np.flatnonzero(parts.node >= 0).tolist():
            at = int(parts.hashed[place]) & mask
            while grown.node[at] >= 0:
                at = (at + 1) & mask
            for column, old in zip(grown[:5], parts[:5], strict=True):
                column[at] = old[place]
        self._parts = grown


def _only(points: Points, which: slice | NDArray[np.bool_]) -> Points:
    return Points._make(column[which] for column in points)


def _table(capacity: int, arena: NDArray[np.uint8]) -> Parts:
    """An empty table for so many nodes, at most half full."""
    places = 2 * capacity
    return Parts(
        np.zeros(places, np.uint64),
        np.full(places, otlp_scan.MISSED, np.int64),
        np.zeros(places, np.int64),
        np.zeros(places, np.int64),
        np.zeros(places, np.int64),
        arena,
        np.full(capacity, otlp_scan.MISSED, np.int64),
        np.zeros(2, np.int64),
    )
