"""Reads numbers of known series in lines of Influx's protocol where they lie: one compiled pass over the bytes of a batch.

Each line is read by itself. What stands before the first blank is looked up as it stands, and the name of each field below it, in a table of what
was read before; escaped blanks, commas and equals signs, strings, booleans and comments are no hindrance. A line with a new name, or that is odd (more than one
blank in a row, a quote where no string begins, a number of another form), is left to the general reader. Whether a line is odd does not depend on the table.

Of other files only functions of `detectors` are called, whose sources name the folder of numba's cache (detectors/kernel.py).
"""

from __future__ import annotations

from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from connectors.codecs.known_parts import KNOWN, ODD, UNKNOWN
from detectors.decimals import number
from detectors.kernel import device, kernel
from detectors.octets import ALL_BYTES, HIGH, eight, first_mark, is_utf8
from detectors.parts import MISSED, Parts, find

FIELD_BYTES_MIN: Final = 4
"""A name, a sign, a digit, and what is between two of them."""
LINE_BYTES_MIN: Final = 2
"""A byte and a newline."""
FIELDS_MAX: Final = 64
"""Of one line."""
ODD_LINES_MAX: Final = 64
"""Lines of one record that are bad, or written in a way in which no producer writes; after so many the rest of it is not read."""
_ROOT: Final = -1
_TIME_DIGITS_MAX: Final = 19
_NEWLINES: Final = ALL_BYTES * np.uint64(10)
_INTEGER_DIGITS_MAX: Final = 19
_NUMBER_BYTES_MAX: Final = 100
_EXPONENT_BYTES_MAX: Final = 3
"""The letter and two digits."""
_INT64_MAX: Final = np.uint64(2**63 - 1)
_COUNT, _LINES, LEARN, _ROW, _IS_UNKNOWN = range(5)
STATE: Final = 5


class Points(NamedTuple):
    """What is read of each number. Arrays of one length."""

    row: NDArray[np.int32]
    node: NDArray[np.int64]
    code: NDArray[np.int64]
    ts_ns: NDArray[np.int64]
    value: NDArray[np.float64]  # NaN where it is to be read from its digits
    digits: NDArray[np.int64]
    digits_end: NDArray[np.int64]


class Lines(NamedTuple):
    """All lines that are neither blank nor a comment, in order. Arrays of one length."""

    row: NDArray[np.int32]
    begin: NDArray[np.int64]
    end: NDArray[np.int64]
    verdict: NDArray[np.int8]  # KNOWN: its numbers are among the points


@device
def _is_white(byte: Any) -> bool:
    return bool(byte == 32 or 9 <= byte <= 13)


@device
def _line_end(buffer: NDArray[np.uint8], at: int, end: int, quoted: bool) -> int:
    """The newline that ends the line which begins at `at`, or `end`; where anything is `quoted`, one inside a string ends none."""
    if not quoted:
        while at < end:
            differs = eight(buffer, np.uint64(at)) ^ _NEWLINES
            marks = (differs - ALL_BYTES) & ~differs & HIGH
            if marks:
                found: Any = at + np.int64(first_mark(marks & (~marks + np.uint64(1))))
                return end if found > end else int(found)
            at += 8
        return end
    is_open = False
    while at < end and (is_open or buffer[at] != 10):
        byte = buffer[at]
        if byte == 34:
            is_open = not is_open
        elif byte == 92 and at + 1 < end and buffer[at + 1] in (34, 92):
            at += 1
        at += 1
    return min(at, end)


@device
def _integer(buffer: NDArray[np.uint8], at: int, end: int) -> tuple[int, float]:
    """(where its digits end, the number) of an integer of 64 bits and its sign; MISSED where it is none or is written in an odd way."""
    negative = buffer[at] == 45
    begin = at + 1 if negative else at
    at = begin
    value = np.uint64(0)
    while at < end and 48 <= buffer[at] <= 57 and at - begin < _INTEGER_DIGITS_MAX:
        value = value * np.uint64(10) + np.uint64(buffer[at] - 48)
        at += 1
    if at == begin or at >= end or (buffer[begin] == 48 and (negative or at - begin > 1)) or value > _INT64_MAX:
        return MISSED, 0.0
    if buffer[at] != 105 and (buffer[at] != 117 or negative):
        return MISSED, 0.0
    return at, -np.float64(value) if negative else np.float64(value)


@device
def _spells(buffer: NDArray[np.uint8], at: int, end: int, word: Any, size: int) -> bool:
    """Whether `size` letters from `at` on are those of `word`, the first one lowest."""
    if end - at < size:
        return False
    is_so = True
    for k in range(size):
        is_so &= np.uint64(buffer[at + k]) == (word >> np.uint64(8 * k)) & np.uint64(255)
    return is_so


@device
def _truth(buffer: NDArray[np.uint8], at: int, end: int) -> tuple[int, float]:
    """(where it ends, 1 or 0) of a boolean: t, T, true, True, TRUE, and so for false."""
    byte = buffer[at]
    value = 1.0 if byte in (116, 84) else 0.0
    rest = np.uint64(0x657572) if value else np.uint64(0x65736C61)
    capitals = np.uint64(0x455552) if value else np.uint64(0x45534C41)
    size = 3 if value else 4
    if _spells(buffer, at + 1, end, rest, size) or (byte in (84, 70) and _spells(buffer, at + 1, end, capitals, size)):
        return at + 1 + size, value
    return at + 1, value


@device
def _is_moderate(buffer: NDArray[np.uint8], at: int, end: int) -> bool:
    """Whether a number cannot be too large or too small for float64: the library takes none that is."""
    size = end - at
    while at < end and buffer[at] not in (101, 69):
        at += 1
    signs = 1 if at + 1 < end and buffer[at + 1] in (43, 45) else 0
    return size <= _NUMBER_BYTES_MAX and end - at - signs <= _EXPONENT_BYTES_MAX


@device
def _value(buffer: NDArray[np.uint8], at: int, end: int) -> tuple[int, int, float]:
    """(where a number's digits end, where the field ends, the number); MISSED for what is none."""
    if at >= end:
        return MISSED, MISSED, 0.0
    if buffer[at] in (116, 84, 102, 70):
        stop, value = _truth(buffer, at, end)
        return stop, stop, value
    stop, value = _integer(buffer, at, end)
    if stop >= 0:
        return stop, stop + 1, value
    stop, value = number(buffer, at, end)
    if stop >= 0 and np.isnan(value) and not _is_moderate(buffer, at, stop):
        return MISSED, MISSED, 0.0
    if stop < 0 and buffer[at] == 45:
        stop, value = number(buffer, at + 1, end)
        return (stop, stop, np.nan) if value == 0.0 else (MISSED, MISSED, 0.0)  # a zero keeps its sign
    return stop, stop, value


@device
def _string_end(buffer: NDArray[np.uint8], at: int, end: int) -> int:
    """The place behind the quote that ends a string whose first quote is before `at`; MISSED for none."""
    while at < end:
        byte = buffer[at]
        if byte == 34:
            return at + 1
        at += 2 if byte == 92 and at + 1 < end and buffer[at + 1] in (34, 92) else 1
    return MISSED


@device
def _name_end(buffer: NDArray[np.uint8], at: int, end: int) -> int:
    """The equals sign that ends a field's name; MISSED for none, or an odd name."""
    while at < end and buffer[at] != 61:
        byte = buffer[at]
        if byte < 33 or byte in (44, 34):
            return MISSED
        at += 2 if byte == 92 and at + 1 < end and buffer[at + 1] in (32, 44, 61) else 1
    return at if at < end else MISSED


@device
def _time(buffer: NDArray[np.uint8], at: int, end: int, scale: int, otherwise: int) -> int:
    """Nanoseconds of the time that fills the bytes up to `end`, `otherwise` where nothing stands; MISSED for all else."""
    if at == end:
        return otherwise
    if end - at > _TIME_DIGITS_MAX:
        return MISSED
    value = np.uint64(0)
    for k in range(at, end):
        if buffer[k] < 48 or buffer[k] > 57:
            return MISSED
        value = value * np.uint64(10) + np.uint64(buffer[k] - 48)
    if value >= np.uint64(9_223_372_036_854_775_807 // scale):
        return MISSED
    return int(np.int64(value)) * scale


@device
def _field(
    buffer: NDArray[np.uint8], at: int, end: int, head: int, tables: tuple[Parts, Points], state: NDArray[np.int64]
) -> tuple[int, int]:
    """(where one field ends, its node) after putting its number, whose time is put later; MISSED for an odd one, and for a node that is not known."""
    parts, points = tables
    begin = at
    at = _name_end(buffer, at, end)
    if at <= begin:
        return MISSED, MISSED
    if at + 1 < end and buffer[at + 1] == 34:
        stop = _string_end(buffer, at + 2, end)
        if stop < 0 or not is_utf8(buffer, begin, stop, 1):
            return MISSED, MISSED
        return stop, find(parts, buffer, begin, at, head, 0) if head >= 0 else MISSED
    digits, stop, value = _value(buffer, at + 1, end)
    n = state[_COUNT]
    if digits < 0 or n >= points.row.shape[0]:
        return MISSED, MISSED
    node = find(parts, buffer, begin, at, head, state[LEARN]) if head >= 0 else MISSED
    code = parts.code[node] if node >= 0 else MISSED
    if code < 0:
        state[_IS_UNKNOWN] = 1
    points.row[n], points.node[n], points.code[n], points.value[n] = state[_ROW], node, code, value
    points.digits[n], points.digits_end[n] = at + 1, digits
    state[_COUNT] = n + 1
    return stop, node


@device
def _is_new(seen: NDArray[np.int64], fields: int, node: int) -> bool:
    """Whether none of the line's fields so far has this node."""
    is_new = True
    for k in range(fields):
        is_new &= seen[k] != node
    return is_new


@device
def _repeat(points: Points, first: int, n: int, node: int) -> None:
    """Put a line's number to its end: of fields with one name the library gives the first value, in the place of the last."""
    for k in range(first, n):
        if points.node[k] == node:
            code, value, digits, digits_end = points.code[k], points.value[k], points.digits[k], points.digits_end[k]
            for j in range(k, n - 1):
                points.node[j], points.code[j], points.value[j] = points.node[j + 1], points.code[j + 1], points.value[j + 1]
                points.digits[j], points.digits_end[j] = points.digits[j + 1], points.digits_end[j + 1]
            points.node[n - 1], points.code[n - 1], points.value[n - 1] = node, code, value
            points.digits[n - 1], points.digits_end[n - 1] = digits, digits_end
            return


@device
def _head_end(buffer: NDArray[np.uint8], at: int, end: int) -> int:
    """The blank that ends measurement and tags; MISSED for none, or an odd head."""
    begin = at
    while at < end and buffer[at] != 32:
        byte = buffer[at]
        if byte == 34:
            return MISSED
        at += 2 if byte == 92 and at + 1 < end and buffer[at + 1] == 32 else 1
    return at if begin < at < end else MISSED


@device
def _line(
    buffer: NDArray[np.uint8],
    at: int,
    end: int,
    time: tuple[int, int],
    tables: tuple[Parts, Points],
    scratch: tuple[NDArray[np.int64], NDArray[np.int64]],
) -> int:
    """Read one line; `time` is the nanoseconds of its unit, and the time of the record. The verdict on it."""
    state, seen = scratch
    begin, first = at, state[_COUNT]
    at = _head_end(buffer, at, end)
    if at < 0 or buffer[begin] == 35:
        return ODD
    head = find(tables[0], buffer, begin, at, _ROOT, state[LEARN])
    state[_IS_UNKNOWN] = head < 0
    for k in range(FIELDS_MAX):
        before = state[_COUNT]
        at, seen[k] = _field(buffer, at + 1, end, head, tables, state)
        if at < 0:
            return ODD
        if seen[k] >= 0 and not _is_new(seen, k, seen[k]):
            state[_COUNT] = before
            _repeat(tables[1], first, before, seen[k])
        if at == end or buffer[at] != 44:
            break
    if at < end and buffer[at] == 32 and at + 1 < end:
        at += 1
    elif at < end:
        return ODD
    ts_ns = _time(buffer, at, end, time[0], time[1])
    if ts_ns < 0:
        return ODD
    for k in range(first, state[_COUNT]):
        tables[1].ts_ns[k] = ts_ns
    return UNKNOWN if state[_IS_UNKNOWN] else KNOWN


@kernel
def scan(
    buffer: NDArray[np.uint8],
    ends: NDArray[np.int64],
    ts_ns: NDArray[np.int64],
    scale: int,
    quoted: bool,
    tables: tuple[Parts, Points],
    lines: Lines,
    scratch: tuple[NDArray[np.int64], NDArray[np.int64]],
    is_cut: NDArray[np.bool_],
) -> None:
    """Read all lines of all records of a batch, which end at `ends` and are followed by PADDING bytes.

    `quoted`: there are quotes. `ts_ns` are the times of the records, `scale` the nanoseconds of the unit of lines. KNOWN: a line's numbers are in the columns,
    with the codes of their series. UNKNOWN: only its head or a field is new; ODD: it is odd. Neither leaves numbers, but what is new in learning.
    `scratch` is the state (STATE: numbers, lines, whether to learn) and FIELDS_MAX places. `is_cut` becomes true for records that have more than ODD_LINES_MAX
    odd lines: from the first of these that is too many on they are not read.
    """
    state = scratch[0]
    at = 0
    state[_COUNT], state[_LINES] = 0, 0
    for i in range(ends.shape[0]):
        end: Any = ends[i]
        while end > at and _is_white(buffer[end - 1]):
            end -= 1
        state[_ROW], odd = i, 0
        while at < end:
            stop = _line_end(buffer, at, end, quoted)
            last: Any = stop
            while last > at and buffer[last - 1] == 13:
                last -= 1
            begin: Any = at
            while begin < last and _is_white(buffer[begin]):
                begin += 1
            if begin < last and not (buffer[at] == 35 and is_utf8(buffer, at, last, 1)):
                n, before = state[_LINES], state[_COUNT]
                verdict = _line(buffer, at, last, (scale, ts_ns[i]), tables, scratch)
                odd += verdict == ODD
                if odd > ODD_LINES_MAX:
                    is_cut[i] = True
                    state[_COUNT] = before
                    break
                if verdict == ODD or (verdict == UNKNOWN and not state[LEARN]):
                    state[_COUNT] = before
                lines.row[n], lines.begin[n], lines.end[n], lines.verdict[n] = i, at, last, verdict
                state[_LINES] = n + 1
            at = stop + 1
        at = ends[i]
