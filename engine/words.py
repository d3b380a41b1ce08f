"""Keys of series as numbers: what is looked up is then looked up once for each word, and a million of them take no objects."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from secrets import randbits
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from detectors import pairs
from detectors.kernel import bound

Numbers = NDArray[np.int64]
MISSED: Final = pairs.MISSED
_PADDING: Final = bytes(pairs.PADDING)
_FIRST: Final = 64
_ARENA_FIRST: Final = 1 << 12
_SECRET: Final = (randbits(64), randbits(64))
"""Of this process, nobody's to know. What words are numbered by does not depend on it."""
_NONE: Final = np.zeros(0, np.int64)


class Words:
    """Distinct words, numbered as they came, some twenty bytes each beside their text (`detectors.pairs`). It only grows; who wants to
    forget begins another.
    """

    __slots__ = ("_copy", "_number", "_pairs", "_translate")

    def __init__(self) -> None:
        self._pairs = table = _table(_FIRST, _FIRST, _ARENA_FIRST)
        self._number = bound(pairs.number_texts, table, table.arena, _NONE, 0, _NONE)
        self._translate = bound(pairs.translate, table, _NONE, table, 0, _NONE)
        self._copy = bound(pairs.copy, table, table)

    def __len__(self) -> int:
        return self._pairs.used.item(1)

    @property
    def table(self) -> pairs.Pairs:
        """For compiled loops that look words up by themselves; good until the next new word."""
        return self._pairs

    @property
    def bytes_used(self) -> int:
        """Bytes of all pieces."""
        return int(self._pairs.start[self._pairs.used[0]])

    def code(self, word: bytes) -> int:
        """The number of a word, a new one for a new word."""
        self._make_room(1, len(word))
        return self._one(word, learn=1)

    def codes(self, words: Sequence[bytes]) -> Numbers:
        """The numbers of many words, new ones for new words."""
        found = self.find_all(words)
        new = np.flatnonzero(found == MISSED)
        if len(new):
            fresh = [words[at] for at in new.tolist()]
            joined, end = _joined(fresh)
            self._make_room(len(fresh), len(joined))
            learned = np.empty(len(fresh), np.int64)
            self._number(self._pairs, joined, end, 1, learned)
            found[new] = learned
        return found

    def find(self, word: bytes) -> int:
        """The number of a word, MISSED when it has none."""
        return self._one(word, learn=0)

    def _one(self, word: bytes, learn: int) -> int:
        found = np.empty(1, np.int64)
        self._number(self._pairs, np.frombuffer(word + _PADDING, np.uint8), np.array([len(word)]), learn, found)
        return int(found[0])

    def find_all(self, words: Sequence[bytes]) -> Numbers:
        """The numbers of many words, MISSED for those that have none."""
        joined, end = _joined(words)
        found = np.empty(len(words), np.int64)
        self._number(self._pairs, joined, end, 0, found)
        return found

    def translated(self, words: Words, codes: Numbers) -> Numbers:
        """The numbers here of what has these numbers among other words; MISSED for those that have none."""
        found = np.empty(len(codes), np.int64)
        self._translate(words._pairs, codes, self._pairs, 0, found)  # of its own kind
        return found

    def take(self, words: Words, codes: Numbers) -> Numbers:
        """As `translated`, with new numbers for new words."""
        table = words._pairs  # of its own kind
        size = int(table.start[table.used[0]])
        self._make_room(len(codes), size)
        found = np.empty(len(codes), np.int64)
        self._translate(table, codes, self._pairs, 1, found)
        return found

    def word(self, code: int) -> bytes:
        """The word of a number."""
        table = self._pairs
        first, second = table.first.item(code), table.second.item(code)
        place = table.start.item
        return table.arena[place(first) : place(first + 1)].tobytes() + table.arena[place(second) : place(second + 1)].tobytes()

    def words(self, codes: Numbers) -> list[bytes]:
        """The words of many numbers; equal ones are one object."""
        known: dict[int, bytes] = {}
        found = []
        for code in codes.tolist():
            word = known.get(code)
            if word is None:
                word = known[code] = self.word(code)
            found.append(word)
        return found

    def saved(self) -> dict[str, NDArray[np.generic]]:
        """Copies of the columns that `restore` makes the same words of."""
        table = self._pairs
        pieces, texts = table.used.tolist()
        size = int(table.start[pieces])
        return {
            "start": table.start[: pieces + 1].copy(),
            "arena": table.arena[:size].copy(),
            "first": table.first[:texts].copy(),
            "second": table.second[:texts].copy(),
        }

    def restore(self, columns: Mapping[str, NDArray[Any]]) -> None:
        """Become the words that were saved; only when just made. Raises ValueError when they are torn."""
        start, arena, first, second = (columns[name] for name in ("start", "arena", "first", "second"))
        pieces, texts = len(start) - 1, len(first)
        whole = pieces >= 0 and start[0] == 0 and (np.diff(start) >= 0).all() and start[-1] == len(arena) and len(second) == texts
        if not whole or any(len(part) and not (part.min() >= 0 and part.max() < pieces) for part in (first, second)):
            raise ValueError("words are torn")
        self._make_room(max(texts, (pieces + 1) // 2), len(arena))
        table = self._pairs
        flat = pairs.table(1, 1, 1, _SECRET)._replace(
            start=start.astype(np.int64),
            arena=np.concatenate((arena.astype(np.uint8), np.zeros(pairs.PADDING, np.uint8))),
            first=first.astype(np.int32),
            second=second.astype(np.int32),
            used=np.array([pieces, texts], np.int64),
        )
        self._copy(flat, table)

    def _make_room(self, words: int, size: int) -> None:
        """Room for so many more words, of so many bytes together."""
        table = self._pairs
        pieces, texts = table.used.tolist()
        used = table.start.item(pieces)
        wanted = pieces + 2 * words, texts + words, used + size + pairs.PADDING
        room = len(table.start) - 1, len(table.first), len(table.arena)
        if all(want <= have for want, have in zip(wanted, room, strict=True)):
            return
        grown = _table(*(have if want <= have else 1 << (want - 1).bit_length() for want, have in zip(wanted, room, strict=True)))
        self._copy(table, grown)
        self._pairs = grown


def _table(pieces: int, texts: int, arena_bytes: int) -> pairs.Pairs:
    return pairs.table(pieces, texts, arena_bytes, _SECRET)


def _joined(words: Sequence[bytes]) -> tuple[NDArray[np.uint8], Numbers]:
    sizes = np.fromiter(map(len, words), np.int64, len(words))
    return np.frombuffer(b"".join((*words, _PADDING)), np.uint8), np.cumsum(sizes)
