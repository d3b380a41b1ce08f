"""Numbers within a log line that measure something: `took 5321 ms`, `rows=12`, `87 % used`. Ids, ports and dates measure nothing.

A number counts when a unit follows it, at once or after a blank, or when `name=` or `name:` stands before it and the name is not that of an id.
The first four of a line are read, each with what tells it from the others of its template: its name, else its unit, and which of those alike it is.
`naive_line_numbers` says the same in plain Python.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from detectors.kernel import device, kernel
from detectors.tokens import PRIME, SEED, hash_table, raw_hash

NUMBERS_MAX: Final = 4
"""Of one line."""
LINE_BYTES_MAX: Final = 1024
"""Bytes of a line that are looked at."""
DIGITS_MAX: Final = 15
"""A number of more digits is an id."""
UNITS: Final = (
    b"ns us ms s sec secs second seconds millis milliseconds microseconds min mins minute minutes hours "
    b"kb mb gb kib mib gib bytes rows items records messages events requests retries attempts tries times connections entries "
    b"lines files tasks jobs percent threads objects partitions segments keys"
)
NO_MEASURE: Final = (
    b"id ids pid tid uid gid port code status line version offset seq sequence epoch timestamp time date index partition shard "
    b"key hash digest token nonce session request trace span transaction order invoice user customer account tenant host node block"
)
"""A name that is one of these, or ends in one after `_`, `.` or `-`, names no quantity."""
PERCENT: Final = np.uint64(raw_hash(b"%"))
NOTHING: Final = np.uint64(0)
_UNITS: Final = hash_table(UNITS)
_NO_MEASURE: Final = hash_table(NO_MEASURE)
OTHER, LETTER, DIGIT, MARK = range(4)
WORD_BYTES_MAX: Final = 24


def _classes() -> NDArray[np.uint8]:
    table = np.full(256, OTHER, np.uint8)
    for code in (*range(ord("a"), ord("z") + 1), *range(ord("A"), ord("Z") + 1), *range(0x80, 0x100)):
        table[code] = LETTER
    table[list(b"0123456789")] = DIGIT
    table[list(b"_.-")] = MARK
    return table


CLASS: Final = _classes()


@device
def _holds(table: NDArray[np.uint64], h: Any) -> Any:
    last = np.uint64(table.size - 1)
    place = h & last
    while table[place] != np.uint64(0) and table[place] != h:
        place = (place + np.uint64(1)) & last
    return table[place] != np.uint64(0)


@device
def _lower(c: Any) -> Any:
    return np.uint64(c | 32) if 65 <= c <= 90 else np.uint64(c)


@device
def _unit(buffer: NDArray[np.uint8], i: int, stop: int) -> Any:
    """The hash of the unit that stands at `i`, or after one blank; NOTHING when none does."""
    if i < stop and buffer[i] == ord(" "):
        i += 1
    if i < stop and buffer[i] == ord("%"):
        return PERCENT
    h, first = SEED, i
    while i < stop and CLASS[buffer[i]] == LETTER:
        h = (h ^ _lower(buffer[i])) * PRIME
        i += 1
    if i == first or (i < stop and (CLASS[buffer[i]] == DIGIT or buffer[i] == ord("="))):  # the name of the next number
        return NOTHING
    return h if _holds(_UNITS, h) else NOTHING


@device
def _name(buffer: NDArray[np.uint8], begin: int, i: int) -> Any:
    """The hash of the name of a quantity that stands, with `=` or `:`, right before `i`; NOTHING when none does."""
    i -= 1
    if i > begin and buffer[i] == ord(" "):
        i -= 1
    if i > begin and buffer[i] == ord('"'):
        i -= 1
    if i < begin or (buffer[i] != ord("=") and buffer[i] != ord(":")):
        return NOTHING
    end = i
    if end > begin and buffer[end - 1] == ord('"'):
        end -= 1
    first = end
    while first > begin and end - first < WORD_BYTES_MAX and CLASS[buffer[first - 1]] == LETTER:
        first -= 1
    if first == end:
        return NOTHING
    h = SEED
    for k in range(first, end):
        h = (h ^ _lower(buffer[k])) * PRIME
    return NOTHING if _holds(_NO_MEASURE, h) else h


@device
def _number(buffer: NDArray[np.uint8], i: int, stop: int) -> tuple[Any, Any, Any]:
    """(where the number at `i` ends, its value, how many digits it has): digits, and perhaps a point and digits."""
    value, digits, below = 0.0, 0, 1.0
    while i < stop and CLASS[buffer[i]] == DIGIT:
        value = 10.0 * value + (buffer[i] - 48)
        digits += 1
        i += 1
    if i + 1 < stop and buffer[i] == ord(".") and CLASS[buffer[i + 1]] == DIGIT:
        i += 1
        while i < stop and CLASS[buffer[i]] == DIGIT:
            value = 10.0 * value + (buffer[i] - 48)
            below *= 10.0
            digits += 1
            i += 1
    return i, value / below if digits <= DIGITS_MAX else 0.0, digits


@kernel
def read_numbers(
    buffer: NDArray[np.uint8], offset: NDArray[np.int64], value: NDArray[np.float64], what: NDArray[np.uint64]
) -> None:
    """Write the first numbers of each line `buffer[offset[r]:offset[r + 1]]` to `value[r]`; NaN where there are fewer.

    `what[r]` tells the numbers of a line apart wherever they stand: a line of its kind may have one more or one less.
    """
    for r in range(value.shape[0]):
        begin, stop = offset[r], min(offset[r + 1], offset[r] + LINE_BYTES_MAX)
        i, found = begin, 0
        for k in range(NUMBERS_MAX):
            value[r, k] = np.nan
            what[r, k] = NOTHING
        while i < stop and found < NUMBERS_MAX:
            if CLASS[buffer[i]] == OTHER:
                i += 1
                continue
            if CLASS[buffer[i]] != DIGIT:  # a word: digits in it belong to it
                while i < stop and CLASS[buffer[i]] != OTHER:
                    i += 1
                continue
            first = i
            i, number, digits = _number(buffer, i, stop)
            known = _meaning(buffer, begin, first, i, stop) if digits <= DIGITS_MAX else NOTHING
            if known != NOTHING:
                value[r, found] = number
                what[r, found] = _apart(what[r], found, known)
                found += 1
            while i < stop and CLASS[buffer[i]] != OTHER:
                i += 1


@device
def _meaning(buffer: NDArray[np.uint8], begin: int, first: int, end: int, stop: int) -> Any:
    """The hash of the name, else of the unit, of the number from `first` to `end`; NOTHING when it measures nothing.

    Digits after a leading zero are an id's, unless a unit follows.
    """
    unit, name = _unit(buffer, end, stop), NOTHING
    if unit != NOTHING or (_stands_alone(buffer, end, stop) and not _is_padded(buffer, first, end)):
        name = _name(buffer, begin, first)
    return unit if name == NOTHING else name


@device
def _apart(what: NDArray[np.uint64], found: int, known: Any) -> Any:
    """`known`, or where a number before it in the line has that already, the next that is free."""
    k = 0
    while k < found:
        if what[k] == known:
            known = known * PRIME + np.uint64(1)
            k = 0
        else:
            k += 1
    return known


@device
def _is_padded(buffer: NDArray[np.uint8], first: int, end: int) -> Any:
    return end > first + 1 and buffer[first] == ord("0") and CLASS[buffer[first + 1]] == DIGIT


@device
def _stands_alone(buffer: NDArray[np.uint8], i: int, stop: int) -> Any:
    """Whether a number ends with what ends a value: not an address, a time or a path."""
    return i >= stop or (CLASS[buffer[i]] == OTHER and buffer[i] != ord(":") and buffer[i] != ord("/"))
