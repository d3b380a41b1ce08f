"""Reads flat JSON documents of known series where they lie: one compiled pass over the bytes of a batch.

A document is `{` with four members in any order, white space anywhere: a name (a string), labels (an object), a time (a whole number)
and a value (a number). Its *head*, the bytes of name and labels as written, is looked up in a table of heads that the general reader
has read before, byte by byte and not by hash alone. Every other document is left to the general reader: one with a new head, a
backslash, a member missing, twice or of another name, a number that is not exact in one operation.

Producers write their series in the same order again and again, and every document in the same way. So each document is first held against
the one that followed last time, piece by piece; only where it differs is it taken apart.

Of other files only functions of `detectors` are called, whose sources name the folder of numba's cache (detectors/kernel.py).
"""

from __future__ import annotations

from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from detectors.decimals import MISSED, number, whole
from detectors.kernel import device, kernel
from detectors.octets import blank, equal
from detectors.pairs import Pairs, find

HEAD_BYTES_MAX: Final = 4_096
FORM_MAX: Final = 512
"""Bytes of a form, beyond which none is kept."""
_VALUE_MAX: Final = 1e15


class Heads(NamedTuple):
    """Known heads: their name and labels as the two pieces of a text, and by its number what follows from it."""

    known: Pairs
    code: NDArray[np.int32]  # of the series that it is of
    next: NDArray[np.int32]  # the head that followed it last time; MISSED: none


class Names(NamedTuple):
    """The members' names without quotes: name, labels, time, value. `end` is where each ends in `text`."""

    text: NDArray[np.uint8]
    end: NDArray[np.int64]


class Form(NamedTuple):
    """How the last document was written: what stood before, between and after its members' values, and the order of these."""

    text: NDArray[np.uint8]  # FORM_MAX + PADDING
    end: NDArray[np.int64]  # 5, where each piece ends in `text`; the last is 0 when no form is known
    order: NDArray[np.int64]  # 4, members
    begins: NDArray[np.int64]  # 4, scratch: where each member's value begins in the document at hand
    ends: NDArray[np.int64]  # 4, scratch: and where it ends


class Points(NamedTuple):
    """What is read of each document; `code` is MISSED where the general reader has to."""

    code: NDArray[np.int64]
    time: NDArray[np.int64]  # as it is written
    value: NDArray[np.float64]
    digits: NDArray[np.int64]  # where the number begins when it takes more than one operation to be exact: `value` is NaN; else 0
    digits_end: NDArray[np.int64]


@device
def _string(buffer: NDArray[np.uint8], at: int, end: int) -> int:
    """The place of the quote that ends a string which begins at `at`; MISSED for none, or one with a backslash or a control character."""
    while at < end:
        byte = buffer[at]
        if byte == 34:
            return at
        if byte == 92 or byte < 32:
            return MISSED
        at += 1
    return MISSED


@device
def _object(buffer: NDArray[np.uint8], at: int, end: int) -> int:
    """The place after the object that begins at `at`; MISSED for none. What is in it is not looked at: it is compared as it stands."""
    depth = 0
    while at < end:
        byte = buffer[at]
        if byte == 34:
            at = _string(buffer, at + 1, end)
            if at < 0:
                return MISSED
        elif byte == 123:
            depth += 1
        elif byte == 125:
            depth -= 1
            if depth == 0:
                return at + 1
        elif byte == 92:
            return MISSED
        at += 1
    return MISSED


@device
def _member(buffer: NDArray[np.uint8], at: int, size: int, names: Names) -> int:
    """Which of the four members has this name; MISSED for another."""
    begin = 0
    for k in range(4):
        if names.end[k] - begin == size and equal(buffer, at, names.text, begin, size):
            return k
        begin = names.end[k]
    return MISSED


@device
def _skip(buffer: NDArray[np.uint8], at: int, end: int, member: int) -> int:
    """The place after the value that begins at `at`, if it is of the kind that the member has; else MISSED."""
    if member == 0:
        stop = _string(buffer, at + 1, end) if buffer[at] == 34 else MISSED
        return stop + 1 if stop >= 0 else MISSED
    if member == 1:
        return _object(buffer, at, end) if buffer[at] == 123 else MISSED
    while at < end and buffer[at] > 32 and buffer[at] != 44 and buffer[at] != 125:
        at += 1
    return at


@device
def _opening(buffer: NDArray[np.uint8], at: int, end: int, names: Names) -> tuple[int, int]:
    """(which member begins at `at`, where its value begins); MISSED for one that is none of the four."""
    at = blank(buffer, at, end)
    stop = _string(buffer, at + 1, end) if at < end and buffer[at] == 34 else MISSED
    if stop < 0:
        return MISSED, end
    member = _member(buffer, at + 1, stop - at - 1, names)
    at = blank(buffer, stop + 1, end)
    if at >= end or buffer[at] != 58:
        return MISSED, end
    at = blank(buffer, at + 1, end)
    return member if at < end else MISSED, at


@device
def _document(
    buffer: NDArray[np.uint8], at: int, end: int, names: Names, heads: Heads, form: Form
) -> tuple[int, int, float, int, int]:
    """(head, time, value, where the value begins and ends) of the document from `at` to `end`; the head is MISSED for an unusual one."""
    missed = (MISSED, 0, 0.0, 0, 0)
    at = blank(buffer, at, end)
    begins, ends = form.begins, form.ends
    seen = 0
    byte = buffer[at] if at < end else 0
    if byte != 123:
        return missed
    while byte != 125:
        member, at = _opening(buffer, at + 1, end, names)
        if member < 0 or seen >> member & 1:
            return missed
        seen |= 1 << member
        after = _skip(buffer, at, end, member)
        if after < 0:
            return missed
        quote = 1 if member == 0 else 0
        begins[member], ends[member] = at + quote, after - quote
        at = blank(buffer, after, end)
        byte = buffer[at] if at < end else 0
        if byte not in (44, 125):
            return missed
    if seen != 15 or blank(buffer, at + 1, end) != end:
        return missed
    time_stop, time = whole(buffer, begins[2], ends[2])
    value_stop, value = number(buffer, begins[3], ends[3])
    if time_stop != ends[2] or value_stop != ends[3] or abs(value) >= _VALUE_MAX:
        return missed
    if ends[0] - begins[0] + ends[1] - begins[1] > HEAD_BYTES_MAX:
        return missed
    head = find(heads.known, buffer, (begins[0], ends[0]), (begins[1], ends[1]), 0)
    return head, time, value, begins[3], ends[3]


@device
def _keep(buffer: NDArray[np.uint8], begin: int, end: int, form: Form) -> None:
    """Remember how the document was written that `_document` has just taken apart."""
    form.end[4] = 0
    at, size, left = begin, 0, 15
    for piece in range(5):
        stop, member = end, MISSED
        for k in range(4):
            if left >> k & 1 and form.begins[k] <= stop:
                stop, member = form.begins[k], k
        left &= ~(1 << member) if member >= 0 else left
        if size + stop - at > FORM_MAX:
            return
        for k in range(at, stop):
            form.text[size] = buffer[k]
            size += 1
        if piece < 4:
            form.end[piece], form.order[piece] = size, member
            at = form.ends[member]
    form.end[4] = size


@device
def _guessed(
    buffer: NDArray[np.uint8], at: int, end: int, heads: Heads, form: Form, head: int
) -> tuple[int, int, float, int, int]:
    """As `_document`, for one that is written as `form` says and has this head; MISSED for any other."""
    missed = (MISSED, 0, 0.0, 0, 0)
    known = heads.known
    time: Any = 0
    value = 0.0
    from_, begin, value_at, value_end = 0, at, 0, 0
    for piece in range(5):
        stop = form.end[piece]
        if end - begin < stop - from_ or not equal(buffer, begin, form.text, from_, stop - from_):
            return missed
        begin += stop - from_
        from_ = stop
        if piece == 4:
            break
        member = form.order[piece]
        if member == 2:
            begin, time = whole(buffer, begin, end)
        elif member == 3:
            value_at = begin
            begin, value = number(buffer, begin, end)
            value_end = begin
        else:
            part = known.first[head] if member == 0 else known.second[head]
            length = known.start[part + 1] - known.start[part]
            if end - begin < length or not equal(buffer, begin, known.arena, known.start[part], length):
                return missed
            begin += length
        if begin < 0:
            return missed
    return missed if begin != end or abs(value) >= _VALUE_MAX else (head, time, value, value_at, value_end)


@kernel
def scan(
    buffer: NDArray[np.uint8],
    end: NDArray[np.int64],
    names: Names,
    heads: Heads,
    form: Form,
    latest: int,
    most: int,
    points: Points,
) -> tuple[int, int]:
    """Read the documents that end at `end` in `buffer`, one after the other; PADDING bytes follow the last.

    It ends before the first that is one unusual document too many (`most`). Returns how many were read, and how many of them are unusual.
    Times beyond `latest` in either direction are left to the general reader.
    """
    begin, before, is_after_odd, unusual = 0, MISSED, False, 0
    heads_known = heads.known.used[1]
    for i in range(end.shape[0]):
        guess: Any = np.int64(heads.next[before]) if form.end[4] > 0 and before >= 0 else MISSED
        head, time, value, digits, digits_end = MISSED, 0, 0.0, 0, 0
        for _ in range(
            1 + is_after_odd
        ):  # an unusual document may be one more, or have taken the place of the one that was expected
            if head < 0 and 0 <= guess < heads_known:
                head, time, value, digits, digits_end = _guessed(buffer, begin, end[i], heads, form, guess)
                guess = np.int64(heads.next[guess])
        if head < 0:
            head, time, value, digits, digits_end = _document(buffer, begin, end[i], names, heads, form)
            if head >= 0:
                _keep(buffer, begin, end[i], form)
                if before >= 0 and not (is_after_odd and heads.next[before] >= 0):
                    heads.next[before] = head
        is_after_odd = head < 0
        before = head if head >= 0 else before
        points.code[i] = np.int64(heads.code[head]) if head >= 0 and -latest <= time <= latest else MISSED
        points.time[i] = time
        points.value[i] = value
        points.digits[i] = digits
        points.digits_end[i] = digits_end
        if points.code[i] < 0 or np.isnan(value):
            if unusual == most:
                return i, unusual
            unusual += 1
        begin = end[i]
    return end.shape[0], unusual
