"""What is wrong with flat JSON documents (`json_flat`), found in one compiled pass: broken ones cost less than good ones.

An exception for each costs several times what a good message does, and among a producer's messages there may be many. Of a text that this says is
broken, orjson says the same, at the same character; of a document that it refuses, the general reader gives the same reason. Of what is
rare (escapes of half a pair, a number that is just about too large, more than 60 levels) it says nothing, and these have to.

Of other files only functions of `detectors` are called, whose sources name the folder of numba's cache (detectors/kernel.py).
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from detectors.decimals import whole
from detectors.kernel import device, kernel
from detectors.octets import blank, equal, is_utf8

UNKNOWN: Final = -1
WHOLE, BROKEN, INFINITE = range(3)
"""Of a text; INFINITE: a number beyond float64 comes before anything that breaks the grammar."""
EMPTY, NO_OBJECT, NO_TIME, TIME_TYPE, NO_NAME_TYPE, NO_NUMBER, VALUE_TYPE, NAMELESS = range(3, 11)
"""Of a document of flat JSON: no bytes, no object, no time, a time of another type, no name that is a text, no number, one of another type, an empty name."""
MEMBERS_MAX: Final = 16
"""Members of the outermost object that are written down; in an object of more, and after an escape in a name, nothing is known of members."""
KEY, KEY_END, VALUE, VALUE_END = range(4)
"""Columns of a member: its name without quotes, its value from the first byte to behind the last."""

_FIRST, _NEXT, _AFTER = range(3)
"""What may come: a value or the end of what is empty, a value after a comma, a comma or the end."""
_WRONG: Final = -2
_DEPTH_MAX: Final = 60
_HUGE: Final = 308
"""A power of ten that some numbers of float64 have and some have not."""
_EXPONENT_MAX: Final = 100_000


@device
def _escape(buffer: NDArray[np.uint8], at: int, end: int) -> int:
    """The place behind the escape whose backslash is at `at`; UNKNOWN for one that is cut off or half of a pair, _WRONG for no such one."""
    if end - at < 6:
        return UNKNOWN
    kind = buffer[at + 1]
    if kind != 117:
        is_known = kind in (34, 92, 47, 98, 102, 110, 114, 116)
        return at + 2 if is_known else _WRONG
    for k in range(at + 2, at + 6):
        byte = buffer[k]
        if not (48 <= byte <= 57 or 65 <= byte <= 70 or 97 <= byte <= 102):
            return UNKNOWN
    is_half = (buffer[at + 2] | 32) == 100 and buffer[at + 3] > 55
    return UNKNOWN if is_half else at + 6


@device
def _string(buffer: NDArray[np.uint8], at: int, end: int) -> tuple[int, int]:
    """(verdict, place behind the quote that ends it or of what is wrong) of a string whose first quote is before `at`."""
    while at < end:
        byte = buffer[at]
        if byte == 34:
            return WHOLE, at + 1
        if byte < 32:
            return BROKEN, at
        if byte == 92:
            after = _escape(buffer, at, end)
            if after < 0:
                return (UNKNOWN if after == UNKNOWN else BROKEN), at
            at = after
            continue
        at += 1
    return BROKEN, end


@device
def _digits(buffer: NDArray[np.uint8], at: int, end: int) -> int:
    """The place behind the digits from `at` on."""
    while at < end and 48 <= buffer[at] <= 57:
        at += 1
    return at


@device
def _number(buffer: NDArray[np.uint8], begin: int, end: int) -> tuple[int, int]:
    """(verdict, place behind it or of what is wrong) of a number that begins at `begin` with a digit or a minus."""
    first = begin + 1 if buffer[begin] == 45 else begin
    at = _digits(buffer, first, end)
    if at == first:
        return BROKEN, at
    if buffer[first] == 48 and at - first > 1:
        return BROKEN, first
    power = at - first - 1  # of ten, of the first digit that is not zero
    is_zero = buffer[first] == 48
    if at < end and buffer[at] == 46:
        dot, at = at, _digits(buffer, at + 1, end)
        if at == dot + 1:
            return BROKEN, at
        for k in range(dot + 1, at):
            if is_zero and buffer[k] != 48:
                is_zero, power = False, dot - k
    if at < end and (buffer[at] == 101 or buffer[at] == 69):
        at += 1
        is_down = at < end and buffer[at] == 45
        if at < end and (buffer[at] == 45 or buffer[at] == 43):
            at += 1
        begin_exponent, at = at, _digits(buffer, at, end)
        if at == begin_exponent:
            return BROKEN, at
        exponent: Any = 0
        for k in range(begin_exponent, at):
            exponent = min(exponent * 10 + np.int64(buffer[k] - 48), _EXPONENT_MAX)
        if exponent == _EXPONENT_MAX:
            return UNKNOWN, at
        power += -exponent if is_down else exponent
    if is_zero or power < _HUGE:
        return WHOLE, at
    return (UNKNOWN if power == _HUGE else INFINITE), begin


@device
def _literal(buffer: NDArray[np.uint8], begin: int, end: int) -> tuple[int, int]:
    """(verdict, place) of true, false or null."""
    byte = buffer[begin]
    size = 5 if byte == 102 else 4
    word = (np.uint64(0x65736C6166) if byte == 102 else np.uint64(0x65757274)) if byte != 110 else np.uint64(0x6C6C756E)
    for k in range(size):
        if begin + k >= end:
            return BROKEN, end
        if np.uint64(buffer[begin + k]) != (word >> np.uint64(8 * k)) & np.uint64(255):
            return BROKEN, begin
    return WHOLE, begin + size


@device
def _scalar(buffer: NDArray[np.uint8], at: int, end: int) -> tuple[int, int]:
    """(verdict, place) of a value that is no object and no array."""
    byte = buffer[at] if at < end else 0
    if byte == 34:
        return _string(buffer, at + 1, end)
    if byte == 45 or 48 <= byte <= 57:
        return _number(buffer, at, end)
    if byte in (116, 102, 110):
        return _literal(buffer, at, end)
    return (UNKNOWN if byte in (123, 91) else BROKEN), at  # too deep


@device
def _key(buffer: NDArray[np.uint8], at: int, end: int) -> tuple[int, int, int]:
    """(verdict, place, end of the name): the place of the value that follows a name which should begin at `at`, or of what is wrong."""
    if at >= end or buffer[at] != 34:
        return BROKEN, at, at
    verdict, at = _string(buffer, at + 1, end)
    if verdict != WHOLE:
        return verdict, at, at
    key_end = at - 1
    at = blank(buffer, at, end)
    if at >= end or buffer[at] != 58:
        return BROKEN, at, key_end
    at = blank(buffer, at + 1, end)
    return (WHOLE if at < end else BROKEN), at, key_end


@device
def _note(buffer: NDArray[np.uint8], key: int, key_end: int, value: int, members: NDArray[np.int64], known: int) -> int:
    """Write a member down: how many there are then; UNKNOWN from the first that cannot be."""
    if known < 0 or known == members.shape[0]:
        return UNKNOWN
    for k in range(key, key_end):
        if buffer[k] == 92:
            return UNKNOWN
    members[known, KEY], members[known, KEY_END], members[known, VALUE] = key, key_end, value
    return known + 1


@device
def grammar(buffer: NDArray[np.uint8], at: int, end: int, members: NDArray[np.int64], known: int) -> tuple[int, int, int]:
    """(verdict, place, members) of a text: the place of what is wrong with a broken one.

    `members` (MEMBERS_MAX, 4) takes those of an outermost object; their number is UNKNOWN where there is none, as `known` says, or are too many.
    """
    depth, state, comma = 0, _FIRST, at
    objects: Any = np.int64(0)  # a bit for each level
    while depth > 0 or state != _AFTER:
        at = blank(buffer, at, end)
        byte = buffer[at] if at < end else 0
        in_object = depth > 0 and (objects >> (depth - 1)) & 1 == 1
        if depth > 0 and byte == (125 if in_object else 93):
            if state == _NEXT:
                return BROKEN, comma, known
            depth, at, state = depth - 1, at + 1, _AFTER
        elif state == _AFTER:
            if byte != 44:
                return BROKEN, at, known
            comma, at, state = at, at + 1, _NEXT
            continue
        else:
            if in_object:
                key = at + 1
                verdict, at, key_end = _key(buffer, at, end)
                if verdict != WHOLE:
                    return verdict, at, known
                if depth == 1:
                    known = _note(buffer, key, key_end, at, members, known)
                byte = buffer[at]
            if byte in (123, 91) and depth < _DEPTH_MAX:
                bit = np.int64(1) << depth
                objects = objects | bit if byte == 123 else objects & ~bit
                depth, at, state = depth + 1, at + 1, _FIRST
                continue
            verdict, at = _scalar(buffer, at, end)
            if verdict != WHOLE:
                return verdict, at, known
            state = _AFTER
        if depth == 1 and known > 0:
            members[known - 1, VALUE_END] = at
    at = blank(buffer, at, end)
    return (WHOLE if at == end else BROKEN), at, known


@device
def judged(buffer: NDArray[np.uint8], begin: int, end: int, members: NDArray[np.int64]) -> tuple[int, int, int]:
    """As `grammar`, after a look at the bytes: a broken text's place is the number of characters before it."""
    if not is_utf8(buffer, begin, end, 0):
        return BROKEN, 0, UNKNOWN
    first = blank(buffer, begin, end)
    if first == end:
        return BROKEN, 0, UNKNOWN
    verdict, at, known = grammar(buffer, first, end, members, 0 if buffer[first] == 123 else UNKNOWN)
    if verdict == WHOLE:
        return verdict, at, known
    characters = 0
    for k in range(begin, at):
        characters += buffer[k] & 0xC0 != 0x80
    return verdict, characters, known


@kernel
def check(
    buffer: NDArray[np.uint8],
    begin: NDArray[np.int64],
    end: NDArray[np.int64],
    members: NDArray[np.int64],
    verdict: NDArray[np.int8],
    place: NDArray[np.int64],
) -> None:
    """The verdict on each text, and the character at which a broken one is wrong; `members` (MEMBERS_MAX, 4) is scratch."""
    for i in range(begin.shape[0]):
        verdict[i], place[i], _ = judged(buffer, begin[i], end[i], members)


@device
def _of_four(
    buffer: NDArray[np.uint8],
    known: int,
    members: NDArray[np.int64],
    names: NDArray[np.uint8],
    names_end: NDArray[np.int64],
    found: NDArray[np.int64],
) -> bool:
    """Write to `found` (4) where name, labels, time and value are among `members`, UNKNOWN for none; False when one of them is there twice."""
    found[:] = UNKNOWN
    for m in range(known):
        size, begin = members[m, KEY_END] - members[m, KEY], 0
        for k in range(4):
            if names_end[k] - begin == size and equal(buffer, members[m, KEY], names, begin, size):
                if found[k] >= 0:
                    return False
                found[k] = m
            begin = names_end[k]
    return True


@device
def _time_fault(buffer: NDArray[np.uint8], member: NDArray[np.int64], latest: int) -> int:
    """WHOLE for a whole number that is a time, UNKNOWN for what may be one."""
    begin = member[VALUE]
    byte = buffer[begin]
    if byte == 34:
        byte = buffer[begin + 1]
        return UNKNOWN if byte in (45, 92) or 48 <= byte <= 57 else TIME_TYPE
    if byte == 110:
        return NO_TIME
    if byte in (116, 102, 91, 123):
        return TIME_TYPE
    stop, time = whole(buffer, begin, member[VALUE_END])
    return WHOLE if stop == member[VALUE_END] and -latest <= time <= latest else UNKNOWN


@device
def _document_fault(
    buffer: NDArray[np.uint8], members: NDArray[np.int64], found: NDArray[np.int64], latest: int, reads_text: bool
) -> int:
    """What is wrong with an object, in the order in which the general reader looks."""
    name, _, time, value = found
    fault = _time_fault(buffer, members[time], latest) if time >= 0 else NO_TIME
    if fault != WHOLE:
        return fault
    if name < 0 or buffer[members[name, VALUE]] != 34:
        return NO_NAME_TYPE
    byte = buffer[members[value, VALUE]] if value >= 0 else np.uint8(110)
    if byte == 110:
        return NO_NUMBER
    if byte == 34 and reads_text:
        return UNKNOWN
    if byte in (34, 91, 123):
        return VALUE_TYPE
    return NAMELESS if members[name, VALUE_END] - members[name, VALUE] == 2 else UNKNOWN


@kernel
def find_faults(
    buffer: NDArray[np.uint8],
    end: NDArray[np.int64],
    rows: NDArray[np.int64],
    names: NDArray[np.uint8],
    names_end: NDArray[np.int64],
    latest: int,
    reads_text: bool,
    scratch: NDArray[np.int64],
    fault: NDArray[np.int8],
    place: NDArray[np.int64],
) -> None:
    """What is wrong with the documents `rows`, and with broken ones where; UNKNOWN and WHOLE for those that the general reader has to read.

    `end` is where each document ends, the first begins at 0; PADDING bytes follow the last. `names` are name, labels, time and value, ended by
    `names_end`; times are within `latest`; `reads_text`: a value may be a text. `scratch` is (MEMBERS_MAX + 1, 4).
    """
    members, found = scratch[:MEMBERS_MAX], scratch[MEMBERS_MAX]
    for i in range(rows.shape[0]):
        row = rows[i]
        stop = end[row]
        begin: Any = end[row - 1] if row else np.int64(0)
        place[i] = 0
        if begin == stop:
            fault[i] = EMPTY
            continue
        verdict, place[i], known = judged(buffer, begin, stop, members)
        if verdict == WHOLE and buffer[blank(buffer, begin, stop)] != 123:
            verdict = NO_OBJECT
        elif verdict == WHOLE and known >= 0 and _of_four(buffer, known, members, names, names_end, found):
            verdict = _document_fault(buffer, members, found, latest, reads_text)
        fault[i] = verdict
