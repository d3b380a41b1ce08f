"""Runs of bytes that were met before, below each other, in one table: what is looked up is compared byte by byte, not by hash alone.

A part is known by its bytes and by the part that it belongs to: `find` gives its node, a number. Formats whose messages say the same of a series
again and again (its labels, a resource) read what they know so, where it lies. Lengths are stated as protobuf states them.

Nothing here allocates: who learns makes room first. Whatever a stranger's bytes say, a look-up ends after PROBES_MAX places.
"""

from __future__ import annotations

from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from detectors.kernel import device, kernel
from detectors.octets import eight, equal, last

PART_BYTES_MAX: Final = 65_536
PROBES_MAX: Final = 32
"""Places looked at for one part: made to collide, they are as good as unknown."""
PADDING: Final = 8
"""Bytes that must follow a buffer, so that eight may be read at any place of it."""
MISSED: Final = -1
LENGTH_BYTES: Final = 5
LONG_BYTES: Final = 9
"""Bytes of a length, and of a number below 2^63, at most: negative ones take ten."""
_SEED: Final = 0x9E3779B97F4A7C15
_MIX: Final = 0xD6E8FEB86659FD93


class Parts(NamedTuple):
    """Known parts by open addressing: arrays of one length, a power of two; `node` is MISSED where the place is free."""

    hashed: NDArray[np.uint64]
    node: NDArray[np.int64]
    parent: NDArray[np.int64]
    start: NDArray[np.int64]  # of its bytes in the arena
    size: NDArray[np.int64]
    arena: NDArray[np.uint8]
    code: NDArray[np.int64]  # by node: what it stands for, MISSED while nothing is said
    used: NDArray[np.int64]  # nodes, bytes of the arena


def table(capacity: int, arena_bytes: int) -> Parts:
    """An empty table for so many nodes, a power of two, at most half full."""
    places = 2 * capacity
    numbers = np.zeros(places, np.int64), np.zeros(places, np.int64), np.zeros(places, np.int64)
    node, code = np.full(places, MISSED, np.int64), np.full(capacity, MISSED, np.int64)
    return Parts(np.zeros(places, np.uint64), node, *numbers, np.zeros(arena_bytes, np.uint8), code, np.zeros(2, np.int64))


@kernel
def copy(old: Parts, new: Parts) -> None:
    """Put all of one table into an empty one that is as large at least."""
    for k in range(old.used[1]):
        new.arena[k] = old.arena[k]
    for node in range(old.used[0]):
        new.code[node] = old.code[node]
    new.used[0], new.used[1] = old.used[0], old.used[1]
    mask = new.node.shape[0] - 1
    for place in range(old.node.shape[0]):
        if old.node[place] >= 0:
            at: Any = np.int64(old.hashed[place] & np.uint64(mask))
            while new.node[at] >= 0:
                at = (at + 1) & mask
            new.hashed[at], new.node[at], new.parent[at] = old.hashed[place], old.node[place], old.parent[place]
            new.start[at], new.size[at] = old.start[place], old.size[place]


@device
def _hash(buffer: NDArray[np.uint8], start: int, end: int, parent: int) -> Any:
    """A number of 64 bits for a part below its parent. Not secret: whoever finds an equal one compares the bytes."""
    hashed = (np.uint64(_SEED) ^ np.uint64(parent + 1)) * np.uint64(_MIX) ^ np.uint64(end - start)
    at = start
    while at + 8 <= end:
        hashed = (hashed ^ eight(buffer, np.uint64(at))) * np.uint64(_MIX)
        hashed ^= hashed >> np.uint64(32)
        at += 8
    if at < end:
        hashed = (hashed ^ last(buffer, at, end - at)) * np.uint64(_MIX)
        hashed ^= hashed >> np.uint64(32)
    hashed *= np.uint64(_MIX)  # once more: of the last byte read only the highest bits know otherwise, and places are the lowest
    return hashed ^ hashed >> np.uint64(32)


@device
def find(parts: Parts, buffer: NDArray[np.uint8], start: int, end: int, parent: int, learn: int) -> int:
    """The node of a part; MISSED when it is new, or, where it is to be learned, when there is no room for it."""
    if parent < -1 or end - start > PART_BYTES_MAX:
        return MISSED
    hashed = _hash(buffer, start, end, parent)
    mask = parts.node.shape[0] - 1
    place: Any = np.int64(hashed & np.uint64(mask))
    for _ in range(PROBES_MAX):
        node: int = parts.node[place]
        if node == MISSED:
            return _put(parts, place, hashed, buffer, start, end, parent) if learn else MISSED
        if (
            parts.hashed[place] == hashed
            and parts.parent[place] == parent
            and parts.size[place] == end - start
            and equal(buffer, start, parts.arena, parts.start[place], end - start)
        ):
            return node
        place = (place + 1) & mask
    return MISSED


@kernel
def add(parts: Parts, buffer: NDArray[np.uint8], size: int) -> int:
    """The node of a part that belongs to none and fills a buffer but for its PADDING; MISSED when there is no room for it."""
    return find(parts, buffer, 0, size, MISSED, 1)


@device
def _put(parts: Parts, place: int, hashed: Any, buffer: NDArray[np.uint8], start: int, end: int, parent: int) -> int:
    node, first, size = parts.used[0], parts.used[1], end - start
    if node >= parts.code.shape[0] or first + size + PADDING > parts.arena.shape[0]:
        return MISSED
    for k in range(size):
        parts.arena[first + k] = buffer[start + k]
    parts.hashed[place], parts.node[place], parts.parent[place] = hashed, node, parent
    parts.start[place], parts.size[place] = first, size
    parts.code[node] = MISSED
    parts.used[0], parts.used[1] = node + 1, first + size
    return int(node)


@device
def varint(buffer: NDArray[np.uint8], at: int, end: int, longest: int) -> tuple[int, int]:
    """A number of at most `longest` bytes and where it ends; the place is MISSED when it is torn or longer."""
    value: Any = 0
    for k in range(longest):
        if at >= end:
            return 0, MISSED
        byte: Any = np.int64(buffer[at])
        at += 1
        value |= (byte & 127) << (7 * k)
        if byte < 128:
            return value, at
    return 0, MISSED


@device
def within(buffer: NDArray[np.uint8], at: int, end: int) -> tuple[int, int]:
    """Where the part whose length stands at `at` begins and ends; MISSED twice when it would end beyond `end`."""
    size, start = varint(buffer, at, end, LENGTH_BYTES)
    if start < 0 or size > end - start:
        return MISSED, MISSED
    return start, start + size
