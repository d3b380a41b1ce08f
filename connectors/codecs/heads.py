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
        """By head: the word of its series, MISSED beyond those that are known."""
        self.next = np.zeros(0, np.int32)
        """By head: which followed it last time, for who asks; MISSED for none."""

    def renew(self) -> None:
        """Begin anew when there are too many words: those of documents that are never read the short way are among them."""
        if len(self.words) > WORDS_EACH * self._heads_max:
            self._begin()

    def add(self, taught: Sequence[tuple[bytes, bytes]]) -> int:
        """Remember heads (name and labels as they stand in a document) and the keys of their series; how many were new."""
        taught = taught[: self._heads_max]
        size = sum(len(head) for head, _ in taught)
        if len(self.known) + len(taught) > self._heads_max or self.known.bytes_used + size > HEAD_BYTES_EACH * self._heads_max:
            self._begin()
        before = len(self.known)
        head = self.known.codes([head for head, _ in taught])
        if len(self.known) > len(self.code):
            room = max(2 * len(self.code), len(self.known), _HEADS_FIRST)
            self.code, self.next = _longer(self.code, room), _longer(self.next, room)
        self.code[head] = self.words.codes([key for _, key in taught])
        return len(self.known) - before


def _longer(column: NDArray[np.int32], size: int) -> NDArray[np.int32]:
    longer = np.full(size, MISSED, np.int32)
    longer[: len(column)] = column
    return longer
