"""What stands in a document for its series, as written, and which series that is: for short ways that look it up in compiled loops."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from detectors.pairs import MISSED
from engine.words import Words

HEADS_EACH: Final = 2
"""Heads that are kept for each series that a shard may have: some are of series that are refused."""
WORDS_EACH: Final = 2
"""Words for each head."""
HEAD_BYTES_EACH: Final = 128
"""Bytes for each head: all of them may have labels of their own."""
REFUSED: Final = -3
"""In place of a series: what a document with this head says can never be used."""
_HEADS_FIRST: Final = 4_096


class Heads:
    """The known heads of one catalog and the series that they are of; begins anew when it is full."""

    def __init__(self, series_max: int) -> None:
        """`series_max` series may be live."""
        self._heads_max = HEADS_EACH * series_max
        self._begin()

    def _begin(self) -> None:
        self.words = Words()
        self.known = Words()
        self.code = np.zeros(0, np.int32)
        """By head: the word of its series or REFUSED, MISSED beyond those that are known."""
        self.next = np.zeros(0, np.int32)
        """By head: which followed it last time, for who asks; MISSED for none."""

    def renew(self) -> None:
        """Begin anew when there are too many words: those of documents that are never read the short way are among them."""
        if len(self.words) > WORDS_EACH * self._heads_max:
            self._begin()

    def add(self, taught: Sequence[tuple[bytes, bytes]]) -> int:
        """Remember heads (name and labels as they stand in a document) and the keys of their series; how many were new."""
        taught = taught[: self._heads_max]
        before, head = self._take([head for head, _ in taught])
        self.code[head] = self.words.codes([key for _, key in taught])
        return len(self.known) - before

    def refuse(self, heads: Sequence[bytes]) -> None:
        """Remember heads that no document can be used with."""
        _, head = self._take(heads[: self._heads_max])
        self.code[head] = REFUSED

    def _take(self, heads: Sequence[bytes]) -> tuple[int, NDArray[np.int64]]:
        """(how many were known, the place of each), with room for all of them."""
        size = sum(map(len, heads))
        if len(self.known) + len(heads) > self._heads_max or self.known.bytes_used + size > HEAD_BYTES_EACH * self._heads_max:
            self._begin()
        before = len(self.known)
        head = self.known.codes(heads)
        if len(self.known) > len(self.code):
            room = max(2 * len(self.code), len(self.known), _HEADS_FIRST)
            self.code, self.next = _longer(self.code, room), _longer(self.next, room)
        return before, head


def _longer(column: NDArray[np.int32], size: int) -> NDArray[np.int32]:
    longer = np.full(size, MISSED, np.int32)
    longer[: len(column)] = column
    return longer
