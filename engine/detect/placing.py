"""Which partition of a topic of our own a series belongs on, for producers that do not key by series.

What belongs together goes together: all series of one entity, and without an entity those of the same labels, so that the buckets of a
histogram, which differ in `le` only, and the metrics that are looked at together meet in one shard.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator, Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from engine.records import Decoded, Record, Series

KEPT_MAX: Final = 200_000
"""Keys whose place is remembered; when full, all are forgotten."""
_WITHIN: Final = frozenset({"le", "quantile"})


class Places:
    """The partition of a series by its key, equal on every machine."""

    def __init__(self, partitions: int, describe: Callable[[bytes], Series]) -> None:
        self._partitions = partitions
        self._describe = describe
        self._known: dict[bytes, int] = {}

    def of(self, key: bytes) -> int:
        """Of a key that the catalog has handed out."""
        place = self._known.get(key)
        if place is None:
            if len(self._known) >= KEPT_MAX:
                self._known.clear()
            place = self._known[key] = zlib.crc32(_together(self._describe(key))) % self._partitions
        return place

    def of_all(self, keys: Sequence[bytes]) -> NDArray[np.int64]:
        """Of many."""
        return np.fromiter(map(self.of, keys), np.int64, len(keys))

    def of_nothing(self, record: Record) -> int:
        """Of a record that names no series: it is on one partition, so that it is counted once."""
        return zlib.crc32(b"%d/%d" % (record.partition, record.offset)) % self._partitions


def _together(series: Series) -> bytes:
    if series.entity:
        return series.entity.encode()
    labels = [f"{name}={value}" for name, value in series.labels if name not in _WITHIN]
    return "\0".join(labels).encode() or series.name.encode()


def rare_parts(decoded: Decoded) -> Iterator[tuple[int, bytes]]:
    """Row and key of what is no sample and no line."""
    for event in decoded.events:
        yield event.row, event.key
    for point in decoded.distributions:
        yield point.row, point.key
    for span in decoded.spans:
        yield span.row, span.stream
