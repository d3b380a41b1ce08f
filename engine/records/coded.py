"""A column of keys as numbers of words: what is looked up is then looked up once for each word."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import compress
from typing import TYPE_CHECKING, overload

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from engine.words import Words  # its loops are compiled; whoever only reads records need not load a compiler


class Coded(Sequence[bytes]):
    """Keys of a batch: the i-th is the word of number codes[i]."""

    __slots__ = ("codes", "words")

    def __init__(self, words: Words, codes: NDArray[np.int64]) -> None:
        self.words = words
        self.codes = codes

    def __len__(self) -> int:
        return len(self.codes)

    @overload
    def __getitem__(self, at: int) -> bytes: ...

    @overload
    def __getitem__(self, at: slice) -> Coded: ...

    def __getitem__(self, at: int | slice) -> bytes | Coded:
        return Coded(self.words, self.codes[at]) if isinstance(at, slice) else self.words.word(int(self.codes[at]))

    def __iter__(self) -> Iterator[bytes]:
        return iter(self.words.words(self.codes))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Sequence) and list(self) == list(other)

    __hash__ = None  # type: ignore[assignment]


def only(keys: Sequence[bytes], mask: NDArray[np.bool_]) -> Sequence[bytes]:
    """Those where the mask is true."""
    return Coded(keys.words, keys.codes[mask]) if isinstance(keys, Coded) else list(compress(keys, mask))
