"""One pass over the bytes of a log line: tokens, with everything that is obviously a value masked.

Tokens are separated by white space. Inside a token a *word* is a maximal run of letters, digits and bytes >= 0x80; all
else is punctuation. When a word ends it is judged:

    digits only                                          a value
    hexadecimal digits with a digit, 4 bytes or more     a value      (cafe1, 7f3a)
    0x and hexadecimal digits                            a value
    two runs of digits or more, 6 bytes or more          a value      (ids, base 36)
    any other word with digits                           letters stay, each run of digits is a value   (blk_12, eth0)
    hexadecimal digits joined by punctuation to a value  a value      (the rest of a UUID)

Values joined by one of `.:-,/_` are one value (addresses, times, versions), and a sign before a value belongs to it. Each
value is written `<*>`. A token's hash is the hash of that masked spelling, so lines that differ in values only have equal
hashes. Adjacent equal masked tokens count as one: lists of any length look alike.

`naive_templates.mask` says the same in plain Python, and the tests hold the two together.
"""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from detectors.kernel import device, kernel

TOKENS_MAX: Final = 128
"""Tokens of a line that are looked at; what follows does not matter."""
LINE_BYTES_MAX: Final = 65_536
"""Bytes of a line that are looked at."""
VALUES_MAX: Final = 1_024
"""Masked spans of a line that are remembered for its text; values beyond are hashed as values and shown as they are."""
MASK: Final = b"<*>"

SPACE, DIGIT, HEX, LETTER, PUNCTUATION = range(5)


def _classes() -> NDArray[np.uint8]:
    table = np.full(256, PUNCTUATION, np.uint8)
    table[0x80:] = LETTER
    for members, kind in ((b" \t\r\n\x0b\x0c", SPACE), (b"0123456789", DIGIT)):
        table[list(members)] = kind
    for code in (*range(ord("A"), ord("Z") + 1), *range(ord("a"), ord("z") + 1)):
        table[code] = HEX if chr(code) in "abcdefABCDEF" else LETTER
    return table


CLASS: Final = _classes()
JOINS: Final = np.zeros(256, np.bool_)
JOINS[list(b".:-,/_")] = True

# 64-bit FNV-1a over the bytes, then two rounds of a multiplicative mix. The constants are FNV's and the golden ratio.
SEED: Final = np.uint64(0xCBF29CE484222325)
PRIME: Final = np.uint64(0x100000001B3)
GOLDEN: Final = np.uint64(0x9E3779B97F4A7C15)
VALUE_BYTE: Final = np.uint64(0x1F3)  # stands for a whole value; no byte has this code
ZERO, ONE, FOUR, SIX = np.uint64(0), np.uint64(1), np.uint64(4), np.uint64(6)
HALF: Final = np.uint64(32)
SHIFT: Final = np.uint64(29)

MASKED: Final = 1  # flag: the token holds a value
PATH: Final = 2  # flag: letters and a slash
DOTTED: Final = 4  # flag: two dots or more between words: host names, packages
ODD: Final = 8  # flag: an at sign or a backslash
LETTERS: Final = 16  # flag: two letters or more outside values


class Tokens(NamedTuple):
    """Room for the tokens of one line, reused from line to line. `start` and `end` are byte offsets into the buffer."""

    hash: NDArray[np.uint64]  # TOKENS_MAX, of the masked spelling
    key: NDArray[np.uint64]  # TOKENS_MAX, hash of what stands before the first `=`, 0 none
    flags: NDArray[np.uint8]  # TOKENS_MAX
    start: NDArray[np.int64]  # TOKENS_MAX
    end: NDArray[np.int64]  # TOKENS_MAX
    repeats: NDArray[np.int32]  # TOKENS_MAX, equal neighbours that this token stands for
    value: NDArray[np.int64]  # 2 * VALUES_MAX, start and end of each masked span


def tokens_room() -> Tokens:
    """Empty room for one line."""
    counts = (np.uint64, np.uint64, np.uint8, np.int64, np.int64, np.int32)
    columns = [np.zeros(TOKENS_MAX, dtype) for dtype in counts]
    return Tokens(*columns, np.zeros(2 * VALUES_MAX, np.int64))  # type: ignore[arg-type]


@device
def finish(h: np.uint64) -> np.uint64:
    """Spread the bits of an FNV hash."""
    h = (h ^ (h >> HALF)) * GOLDEN
    return h ^ (h >> SHIFT)


@device
def fold(h: np.uint64, part: np.uint64) -> np.uint64:
    """Take one more hash into a running hash; order matters."""
    h = (h ^ part) * GOLDEN
    return h ^ (h >> SHIFT)


@device
def _letters(
    buffer: NDArray[np.uint8], i: np.uint64, end: np.uint64, h: np.uint64
) -> tuple[np.uint64, np.uint64, np.uint64, np.int64]:
    """Letters from `i`: (where they end, hash, how many letters, how many of them not hexadecimal)."""
    first, others = i, 0
    while i < end:
        c = buffer[i]
        kind = CLASS[c]
        if kind != HEX and kind != LETTER:
            break
        h = (h ^ np.uint64(c)) * PRIME
        others += kind == LETTER
        i += ONE
    return i, h, i - first, others


@device
def _mixed(
    buffer: NDArray[np.uint8], i: np.uint64, end: np.uint64, h: np.uint64
) -> tuple[np.uint64, np.uint64, np.uint64, np.int64, np.int64, bool]:
    """The rest of a word from its first digit, each run of digits hashed as one value.

    (where it ends, hash, how many letters, how many of them not hexadecimal, runs of digits, whether a digit is last)
    """
    letters, others, runs, digit = ZERO, 0, 0, False
    while i < end:
        c = buffer[i]
        kind = CLASS[c]
        if kind == DIGIT:
            if not digit:
                runs += 1
                h = (h ^ VALUE_BYTE) * PRIME
            digit = True
        elif kind == HEX or kind == LETTER:
            h = (h ^ np.uint64(c)) * PRIME
            letters += ONE
            others += kind == LETTER
            digit = False
        else:
            break
        i += ONE
    return i, h, letters, others, runs, digit


@device
def _cut_digits(buffer: NDArray[np.uint8], i: np.uint64, end: np.uint64, value: NDArray[np.int64], values: int) -> int:
    """Remember each run of digits in a word whose letters stay; the new number of masked spans."""
    while i < end:
        first = i
        while i < end and CLASS[buffer[i]] == DIGIT:
            i += ONE
        if i > first:
            if values < VALUES_MAX:
                value[2 * values] = first
                value[2 * values + 1] = i
            values += 1
        else:
            i += ONE
    return values


@device
def _is_value(length: np.uint64, letters: np.uint64, others: int, runs: int, prefixed: bool) -> bool:
    """Whether a word that holds a digit is a value as a whole."""
    if letters == ZERO:
        return True
    if others == 0:
        return length >= FOUR
    return (others == 1 and prefixed) or (runs >= 2 and length >= SIX)


@device
def _token(
    buffer: NDArray[np.uint8], i: np.uint64, end: np.uint64, values: int, tokens: Tokens
) -> tuple[np.uint64, np.uint64, np.uint64, int, int]:
    """One token from `i`: (where it ends, raw hash, key, flags, masked spans of the line so far)."""
    first, h, before_join, before_sign, key = i, SEED, SEED, SEED, ZERO
    after_value, joined, signed, after_word, after_dot = False, False, False, False, False
    sign_at, dots, letters_kept, slash, odd, masked = i, 0, ZERO, False, False, False
    while i < end:
        c = buffer[i]
        kind = CLASS[c]
        if kind == SPACE:
            break
        if kind == PUNCTUATION:
            slash |= c == 47
            odd |= c == 64 or c == 92
            if c == 61 and key == ZERO and i > first:
                key = h | ONE
            after_dot = c == 46 and after_word
            joined = after_value and JOINS[c]
            if joined:
                before_join = h
            signed = (c == 43 or c == 45) and not after_word and not joined
            if signed:
                before_sign, sign_at = h, i
            h = (h ^ np.uint64(c)) * PRIME
            after_value, after_word = False, False
            i += ONE
            continue
        dots += after_dot
        after_dot = False
        at = i
        i, spelled, letters, others = _letters(buffer, i, end, h)
        runs, digit_last = 0, False
        if i < end and CLASS[buffer[i]] == DIGIT:
            i, spelled, more, more_others, runs, digit_last = _mixed(buffer, i, end, spelled)
            letters, others = letters + more, others + more_others
            prefixed = i - at > ONE and buffer[at] == 48 and (buffer[at + ONE] | 32) == 120
            is_value = _is_value(i - at, letters, others, runs, prefixed)
        else:
            is_value = False
        is_value |= joined and others == 0
        masked |= is_value or runs > 0
        if not is_value:
            if runs:
                values = _cut_digits(buffer, at, i, tokens.value, values)
            h, letters_kept, after_value = spelled, letters_kept + letters, digit_last
        elif joined:
            h, after_value = before_join, True
            if values <= VALUES_MAX:
                tokens.value[2 * values - 1] = i
        else:
            if signed:
                h, at = before_sign, sign_at
            h = (h ^ VALUE_BYTE) * PRIME
            if values < VALUES_MAX:
                tokens.value[2 * values] = at
                tokens.value[2 * values + 1] = i
            values, after_value = values + 1, True
        joined, signed, after_word = False, False, True
    flags = MASKED * masked | PATH * (slash and letters_kept > ZERO) | DOTTED * (dots >= 2) | ODD * odd
    flags |= LETTERS * (letters_kept > ONE)
    return i, h, key, flags, values


@kernel
def tokenise(buffer: NDArray[np.uint8], begin: int, finish_at: int, tokens: Tokens) -> tuple[int, np.uint64, int]:
    """Cut `buffer[begin:finish_at]` into `tokens`: (how many, hash of the masked line, masked spans).

    Unsigned places spare the compiler the care for negative indices; each byte is read once, those of mixed words twice.
    """
    i, end = np.uint64(begin), np.uint64(min(finish_at, begin + LINE_BYTES_MAX))
    count, values, line, previous = 0, 0, ZERO, ZERO
    while True:
        while i < end and CLASS[buffer[i]] == SPACE:
            i += ONE
        if i >= end:
            break
        start = i
        i, h, key, flags, values = _token(buffer, i, end, values, tokens)
        h = finish(h) | ONE
        if flags & MASKED and h == previous:
            tokens.repeats[count - 1] += 1
            tokens.end[count - 1] = i
            continue
        if count == TOKENS_MAX:
            break
        previous = h
        tokens.hash[count] = h
        tokens.key[count] = key
        tokens.flags[count] = flags
        tokens.start[count] = start
        tokens.end[count] = i
        tokens.repeats[count] = 1
        line = fold(line, h)
        count += 1
    return count, line, values
