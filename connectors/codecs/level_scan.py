"""The level that a line itself names near its beginning, as `severity.in_text` finds it, for many lines in one compiled pass.

Of other files only functions of `detectors` are called, whose sources name the folder of numba's cache (detectors/kernel.py).
"""

from __future__ import annotations

from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from detectors.kernel import device, kernel
from detectors.octets import ONE, eight
from engine import severity

BY_HAND: Final = -1
_LETTERS: Final = 8
"""Of a word that is one number of 64 bits; `level=` before a longer one is left to the pattern."""
_LEVEL, _LVL, _SEVERITY = (np.uint64(int.from_bytes(word, "little")) for word in (b"level", b"lvl", b"severity"))
_SMALL: Final = np.uint64(0x2020202020202020)


class Words(NamedTuple):
    """Words of at most eight letters as numbers, the first letter lowest, and their levels."""

    capitals: NDArray[np.uint64]  # those that are looked for by themselves
    capitals_level: NDArray[np.int8]
    small: NDArray[np.uint64]  # those that follow on `level=`, in small letters
    small_level: NDArray[np.int8]


def _numbers(words: list[str]) -> NDArray[np.uint64]:
    return np.array([int.from_bytes(word.encode(), "little") for word in words], np.uint64)


def _words() -> Words:
    capitals = list(severity.CAPITALS)
    small = [word for word in severity.WORDS if len(word) <= _LETTERS]
    levels = [np.array([severity.WORDS[word.lower()] for word in words], np.int8) for words in (capitals, small)]
    return Words(_numbers(capitals), levels[0], _numbers(small), levels[1])


WORDS: Final = _words()


@device
def _is_letter(byte: int) -> bool:
    return 65 <= byte <= 90 or 97 <= byte <= 122


@device
def _is_digit(byte: int) -> bool:
    return 48 <= byte <= 57


@device
def _run_end(buffer: NDArray[np.uint8], at: int, end: int) -> int:
    """Where the letters, digits and underscores end that begin at `at`."""
    while at < end and (_is_letter(buffer[at]) or _is_digit(buffer[at]) or buffer[at] == 95):
        at += 1
    return at


@device
def _as_number(buffer: NDArray[np.uint8], at: int, size: int) -> Any:
    """A word of at most eight bytes."""
    word = eight(buffer, np.uint64(at))
    return word if size == _LETTERS else word & ((ONE << np.uint64(8 * size)) - ONE)


@device
def _listed(words: NDArray[np.uint64], levels: NDArray[np.int8], word: Any) -> int:
    for k in range(words.shape[0]):
        if words[k] == word:
            return int(levels[k])
    return 0


@device
def _said(buffer: NDArray[np.uint8], at: int, end: int, words: Words) -> int:
    """The level of the word behind `level=`, 0 for a word that is none; MISSED - 1 for what is no word, BY_HAND for a long one."""
    if at < end and buffer[at] == 34:
        at += 1
    stop = _run_end(buffer, at, end)
    if stop == at or stop - at > 13:
        return BY_HAND - 1
    for k in range(at, stop):
        if not _is_letter(buffer[k]):
            return BY_HAND - 1
    if stop - at > _LETTERS:
        return BY_HAND
    small = (ONE << np.uint64(8 * (stop - at))) - ONE if stop - at < _LETTERS else ~np.uint64(0)
    return _listed(words.small, words.small_level, _as_number(buffer, at, stop - at) | (_SMALL & small))


@device
def _klog(buffer: NDArray[np.uint8], at: int, stop: int, end: int, words: Words) -> int:
    """The level of a line that begins as klog's do: E1120 and a blank. 0 for another."""
    if stop - at != 5 or stop >= end or buffer[stop] != 32 or buffer[at] not in (73, 87, 69, 70):
        return 0
    for k in range(at + 1, stop):
        if not _is_digit(buffer[k]):
            return 0
    return _listed(words.small, words.small_level, np.uint64(buffer[at]) | np.uint64(32))


@device
def _level(buffer: NDArray[np.uint8], start: int, end: int, words: Words) -> int:
    """The level that the first word names that is one; BY_HAND where that is not worked out here."""
    at: Any = start
    while at < end:
        stop = _run_end(buffer, at, end)
        size = stop - at
        if 3 <= size <= _LETTERS:
            word = _as_number(buffer, at, size)
            level = _listed(words.capitals, words.capitals_level, word) if buffer[at] <= 90 else 0
            if level == 0 and at == start:
                level = _klog(buffer, at, stop, end, words)
            if level > 0:
                return level
            if stop < end and buffer[stop] == 61 and word in (_LEVEL, _LVL, _SEVERITY):
                said = _said(buffer, stop + 1, end, words)
                if said >= BY_HAND:
                    return said
        at = stop if size else at + 1
    return 0


@kernel
def levels(
    buffer: NDArray[np.uint8],
    start: NDArray[np.int64],
    end: NDArray[np.int64],
    look_at: int,
    words: Words,
    found: NDArray[np.int8],
) -> None:
    """Put the level that each text names in its first `look_at` bytes. Eight bytes must follow behind the last text."""
    for i in range(start.shape[0]):
        found[i] = _level(buffer, start[i], min(end[i], start[i] + look_at), words)
