"""The shape of a line: a hash, eight bytes a step, that decides what `tokens.tokenise` makes of the line.

Lines that differ only in what a number is, or a chain of numbers, have one shape, and what they are masked to need not be worked out again: `tokens` looks
at each byte with care, and most lines of a log are of a shape that was seen a moment ago. Two lines of one shape have the same masked line and the same
small digits; two lines of different shapes may have them too. That is all that is promised, and a test holds the two together.

    text up to a digit                               as it is
    a value, and values joined to it                 a mark, with what else of it may matter: how it begins and how it is joined
    another word with one digit, with several        as it is; its letters, each run of digits as one
"""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from detectors.kernel import device
from detectors.octets import EIGHT, HIGH, THREE, digit_marks, eight, first_mark
from detectors.tokens import (
    CLASS,
    DIGIT,
    HEX,
    HOST_BYTES,
    I64,
    JOINS,
    LETTER,
    LINE_BYTES_MAX,
    ONE,
    SEED,
    U64,
    ZERO,
    Flag,
    fold,
    word_at,
)

SPARE_BYTES: Final = 8
"""Bytes that a buffer must have after the end of a line for its shape to be looked at."""
NO_SHAPE: Final = ZERO
TOP: Final = np.uint64(56)
STOP: Final = np.uint64(0x80)
LONG_MARK: Final = np.uint64(0x100)  # added to the hash of a word with several digits
VALUE_MARK: Final = np.uint64(0x200)
FORGOTTEN: Final = -1
DOT: Final = 46

MEMO_SETS: Final = (256, 2048, 8192)
"""Sizes of a memo, each for as many shapes as it has sets and more: a young one touches a few pages of memory."""
_WAYS: Final = 2  # shapes that share a set; it forgets the one that was used before the other
_ENTRY: Final = (
    4  # shape, hash of the masked line, hash of its small digits, nothing: two of them make a line of the processor's cache
)
_SET_BITS: Final = np.uint64(3)


class Memo(NamedTuple):
    """What lines of the last shapes are masked to. Nothing depends on what is in it, so that it is no part of any snapshot."""

    entry: NDArray[np.uint64]  # _WAYS * _ENTRY for each set
    kept: NDArray[np.int64]  # one number: shapes ever kept in it


def make_memo(sets: int = MEMO_SETS[0]) -> Memo:
    """An empty one."""
    return Memo(np.zeros(sets * _WAYS * _ENTRY, np.uint64), np.zeros(1, np.int64))


def fitting(memo: Memo) -> Memo:
    """The memo, or an empty one that is larger when more shapes came than it has room for."""
    sets = memo.entry.size // (_WAYS * _ENTRY)
    larger = [size for size in MEMO_SETS if size > sets]
    return make_memo(larger[0]) if larger and memo.kept[0] > sets else memo


@device
def _place(shape: U64, memo: Memo) -> I64:
    return np.int64(((shape >> ONE) << _SET_BITS) & np.uint64(memo.entry.size - 1))


@device
def recalled(shape: U64, memo: Memo) -> I64:
    """Where the memo has the hash of the masked line of a shape, and after it that of its small digits; FORGOTTEN when it does not know."""
    entry, at = memo.entry, _place(shape, memo)
    if shape == NO_SHAPE:
        return FORGOTTEN
    if entry[at] == shape:
        return at + 1
    if entry[at + _ENTRY] != shape:
        return FORGOTTEN
    for k in range(at, at + _ENTRY):
        entry[k], entry[k + _ENTRY] = entry[k + _ENTRY], entry[k]
    return at + 1


@device
def keep(shape: U64, line: U64, small: U64, memo: Memo) -> None:
    """Remember what a shape that the memo does not know is masked to."""
    entry, at = memo.entry, _place(shape, memo)
    for k in range(at, at + _ENTRY):
        entry[k + _ENTRY] = entry[k]
    entry[at], entry[at + 1], entry[at + 2] = shape, line, small
    memo.kept[0] += 1


@device
def _text(buffer: NDArray[np.uint8], i: U64, end: U64, h: U64) -> tuple[U64, U64]:
    """Take in what comes before the next digit, or before `end`: (where that is, hash)."""
    while True:
        word = eight(buffer, i)
        marks = digit_marks(word)
        if end - i < EIGHT:
            marks |= STOP << ((end - i) << THREE)
        if marks != ZERO:
            break
        h = fold(h, word)
        i += EIGHT
    count = first_mark(marks)
    rest = word & ((ONE << (count << THREE)) - ONE)
    return i + count, fold(h, rest | (count + ONE) << TOP)


@device
def _digits(buffer: NDArray[np.uint8], i: U64, end: U64) -> U64:
    """Where a run of digits ends."""
    while i < end:
        marks = digit_marks(eight(buffer, i)) ^ HIGH
        if marks != ZERO:
            i += first_mark(marks)
            break
        i += EIGHT
    return min(i, end)


@device
def _is_letter(buffer: NDArray[np.uint8], i: U64) -> Flag:
    return HEX <= CLASS[buffer[i]] <= LETTER


@device
def _chain(buffer: NDArray[np.uint8], i: U64, end: U64) -> tuple[U64, U64]:
    """The values that are joined to one that ends at `i`: (where they end, what of their joints may matter: how many dots up to two, the last joint, whether one is no host's)."""
    dots, last, odd = ZERO, ZERO, ZERO
    while i + ONE < end and JOINS[buffer[i]]:
        at = i + ONE
        kind = CLASS[buffer[at]]
        if kind not in (DIGIT, HEX):
            break
        stop = _digits(buffer, at, end)
        if kind == HEX or (stop < end and _is_letter(buffer, stop)):
            stop, _, _, _, _, _, is_value = word_at(buffer, at, end, SEED, True)
            if not is_value:
                break
        last = np.uint64(buffer[i])
        dots += ONE if last == DOT and dots < 2 else ZERO
        if not HOST_BYTES[buffer[i]]:
            odd = ONE
        i = stop
    return i, dots | odd << THREE | last << EIGHT


@device
def shape_of(buffer: NDArray[np.uint8], begin: int, finish_at: int) -> U64:
    """The shape of the line `buffer[begin:finish_at]`; NO_SHAPE when it is too long or too near the end of the buffer to have one."""
    if finish_at - begin > LINE_BYTES_MAX or finish_at + SPARE_BYTES > buffer.size:
        return NO_SHAPE
    i, end, h = np.uint64(begin), np.uint64(finish_at), SEED
    while True:
        text, before = i, h
        i, h = _text(buffer, i, end, h)
        if i >= end:
            return h | ONE
        at, first = i, i
        while at > text and _is_letter(buffer, at - ONE):
            at -= ONE
        stop, is_value = _digits(buffer, i, end), True
        if at < i or (stop < end and _is_letter(buffer, stop)):
            stop, spelled, _, digits, _, _, is_value = word_at(buffer, at, end, SEED, False)
            if is_value:
                if at < i:
                    _, h = _text(buffer, text, at, before)
            else:
                h = fold(h, spelled)
                h = fold(h, np.uint64(buffer[first]) if digits == 1 else LONG_MARK)
        i = stop
        if is_value:
            i, joints = _chain(buffer, stop, end)
            h = fold(h, VALUE_MARK | np.uint64(at < first) << np.uint64(10) | joints << np.uint64(16))
