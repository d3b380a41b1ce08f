"""A column of keys as numbers into a list of words: what is looked up is then looked up once for each word."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import compress
from typing import overload

import numpy as np
from numpy.typing import NDArray


class Words:
    """Distinct words, numbered as they came. It only grows; who wants to forget begins another."""

    __slots__ = ("_codes", "all")

    def __init__(self) -> None:
        self.all: list[bytes] = []
        self._codes: dict[bytes, int] = {}

    def __len__(self) -> int:
        return len(self.all)

    def code(self, word: bytes) -> int:
        """The number of a word, a new one for a new word."""
        code = self._codes.setdefault(word, len(self.all))
        if code == len(self.all):
            self.all.append(word)
        return code

    def find(self, word: bytes) -> int:
        """The number of a word, -1 when it has none."""
        return self._codes.get(word, -1)


class Coded(Sequence[bytes]):
    """Keys of a batch: `words.all[codes[i]]` is the i-th."""

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
        return Coded(self.words, self.codes[at]) if isinstance(at, slice) else self.words.all[self.codes[at]]

    def __iter__(self) -> Iterator[bytes]:
        return map(self.words.all.__getitem__, self.codes.tolist())

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Sequence) and list(self) == list(other)

    __hash__ = None  # type: ignore[assignment]


def only(keys: Sequence[bytes], mask: NDArray[np.bool_]) -> Sequence[bytes]:
    """Those where the mask is true."""
    return Coded(keys.words, keys.codes[mask]) if isinstance(keys, Coded) else list(compress(keys, mask))
