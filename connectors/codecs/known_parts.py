"""The table of what a short way knows of one catalog: it grows by doubling, and begins anew when it is full."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from detectors import parts
from engine.words import Words

KNOWN: Final = 0
UNKNOWN: Final = 1
ODD: Final = 2
"""Verdicts of a scan on a record: all of it is known; it is plain, but has parts that are new; it is for the general reader."""
NODES_MAX: Final = 400_000
ARENA_MAX: Final = 64 << 20
WORDS_MAX: Final = NODES_MAX
"""Words: those of samples that were read the long way, beside others in one batch, are among them."""
_NODES_FIRST: Final = 4_096
_ARENA_FIRST: Final = 1 << 18


class KnownParts:
    """Parts of messages by their bytes (`table`), and the words that their codes stand for."""

    def __init__(self) -> None:
        self._begin()
        parts.copy(self.table, parts.table(_NODES_FIRST, _ARENA_FIRST))  # compiled before the first record comes

    def _begin(self) -> None:
        self.words = Words()
        self.table = parts.table(_NODES_FIRST, _ARENA_FIRST)

    def renew(self) -> None:
        """Begin anew when there are too many words."""
        if len(self.words) > WORDS_MAX:
            self._begin()

    def make_room(self, nodes: int, size: int) -> bool:
        """Room for so many more parts, of so many bytes together; False when that is more than is ever kept."""
        size += parts.PADDING
        used = self.table.used
        if int(used[0]) + nodes > NODES_MAX or int(used[1]) + size > ARENA_MAX:
            self._begin()
            used = self.table.used
        if nodes > NODES_MAX or size > ARENA_MAX:
            return False
        nodes, size = nodes + int(used[0]), size + int(used[1])
        capacity, arena_bytes = len(self.table.code), len(self.table.arena)
        if nodes <= capacity and size <= arena_bytes:
            return True
        while capacity < nodes:
            capacity *= 2
        while arena_bytes < size:
            arena_bytes *= 2
        grown = parts.table(capacity, arena_bytes)
        parts.copy(self.table, grown)
        self.table = grown
        return True

    def name(self, nodes: list[int], keys: list[bytes]) -> None:
        """Say what nodes stand for; those that were MISSED for nothing."""
        named = [(node, key) for node, key in zip(nodes, keys, strict=True) if node >= 0]
        if not named:
            return
        self.table.code[[node for node, _ in named]] = self.words.codes([key for _, key in named])


def left(verdict: NDArray[np.int8], first: int = 0) -> list[tuple[int, bool]]:
    """The records that are not known, by their places after `first`, and whether each is only new."""
    places = np.flatnonzero(verdict != KNOWN)
    return list(zip((places + first).tolist(), (verdict[places] == UNKNOWN).tolist(), strict=True))
