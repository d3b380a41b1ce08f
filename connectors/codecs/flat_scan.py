"""Reads flat JSON documents of known series where they lie: one compiled pass over the bytes of a batch.

A document is `{` with four members in any order, white space anywhere: a name (a string), labels (an object), a time (a whole number)
and a value (a number). Its *head*, the bytes of name and labels as written, is looked up in a table of heads that the general reader
has read before, byte by byte and not by hash alone. Every other document is left to the general reader: one with a new head, a
backslash, a member missing, twice or of another name, a number that is not exact in one operation.

Nothing here calls a function of another file: numba's cache looks at a kernel's own file only.
"""

from __future__ import annotations

from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from detectors.kernel import device, kernel

HEADS_MAX: Final = 200_000
HEAD_BYTES_MAX: Final = 4_096
ARENA_MAX: Final = 64 << 20
PROBES_MAX: Final = 32
"""Places looked at for one head: made to collide, heads are read the general way."""
PADDING: Final = 8
"""Bytes that must follow a buffer, so that eight may be read at any place of it."""
MISSED: Final = -1
_DIGITS_MAX: Final = 18
_EXACT_MAX: Final = 2**53
_POWER_MAX: Final = 22
_SEED: Final = 0x9E3779B97F4A7C15
_MIX: Final = 0xD6E8FEB86659FD93
_VALUE_MAX: Final = 1e15


class Heads(NamedTuple):
    """Known heads, by open addressing. Arrays of one length, a power of two; `code` is MISSED where the place is free."""

    hashed: NDArray[np.uint64]
    code: NDArray[np.int64]
    start: NDArray[np.int64]  # of its bytes in the arena
    name_size: NDArray[np.int64]
    size: NDArray[np.int64]  # of name and labels together
    arena: NDArray[np.uint8]


class Names(NamedTuple):
    """The members' names without quotes: name, labels, time, value. `end` is where each ends in `text`."""

    text: NDArray[np.uint8]
    end: NDArray[np.int64]


class Points(NamedTuple):
    """What is read of each document; `code` is MISSED where the general reader has to."""

    code: NDArray[np.int64]
    time: NDArray[np.int64]  # as it is written
    value: NDArray[np.float64]
    digits: NDArray[np.int64]  # where the number begins when it takes more than one operation to be exact: `value` is NaN; else 0
    digits_end: NDArray[np.int64]


@device
def _eight(buffer: NDArray[np.uint8], at: int) -> Any:
    """Eight bytes as a number, the first one lowest."""
    k = np.uint64(at)
    return (
        np.uint64(buffer[k])
        | np.uint64(buffer[k + np.uint64(1)]) << np.uint64(8)
        | np.uint64(buffer[k + np.uint64(2)]) << np.uint64(16)
        | np.uint64(buffer[k + np.uint64(3)]) << np.uint64(24)
        | np.uint64(buffer[k + np.uint64(4)]) << np.uint64(32)
        | np.uint64(buffer[k + np.uint64(5)]) << np.uint64(40)
        | np.uint64(buffer[k + np.uint64(6)]) << np.uint64(48)
        | np.uint64(buffer[k + np.uint64(7)]) << np.uint64(56)
    )


@device
def _last(buffer: NDArray[np.uint8], at: int, size: int) -> Any:
    """The last `size` < 8 bytes of something, as a number."""
    return _eight(buffer, at) & ((np.uint64(1) << np.uint64(8 * size)) - np.uint64(1))


@device
def hash_bytes(buffer: NDArray[np.uint8], start: int, end: int, seed: Any) -> Any:
    """A number of 64 bits for the bytes from `start` to `end`. Not secret: whoever finds an equal one compares the bytes."""
    hashed = seed ^ np.uint64(end - start)
    at = start
    while at + 8 <= end:
        hashed = (hashed ^ _eight(buffer, at)) * np.uint64(_MIX)
        hashed ^= hashed >> np.uint64(32)
        at += 8
    if at < end:
        hashed = (hashed ^ _last(buffer, at, end - at)) * np.uint64(_MIX)
        hashed ^= hashed >> np.uint64(32)
    return hashed


@device
def _equal(a: NDArray[np.uint8], at: int, b: NDArray[np.uint8], by: int, size: int) -> bool:
    k = 0
    while k + 8 <= size:
        if _eight(a, at + k) != _eight(b, by + k):
            return False
        k += 8
    return k == size or _last(a, at + k, size - k) == _last(b, by + k, size - k)


@device
def _blank(buffer: NDArray[np.uint8], at: int, end: int) -> int:
    """The next place from `at` on that is no white space."""
    while at < end and (buffer[at] == 32 or 9 <= buffer[at] <= 10 or buffer[at] == 13):
        at += 1
    return at


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
def _whole(buffer: NDArray[np.uint8], at: int, end: int) -> tuple[int, int]:
    """(the place after it, a whole number); MISSED for none, a leading zero or more than 18 digits."""
    negative = at < end and buffer[at] == 45
    if negative:
        at += 1
    begin = at
    number: Any = 0
    while at < end and 48 <= buffer[at] <= 57 and at - begin <= _DIGITS_MAX:
        number = number * 10 + np.int64(buffer[at] - 48)
        at += 1
    if at == begin or at - begin > _DIGITS_MAX or (buffer[begin] == 48 and at - begin > 1):
        return MISSED, 0
    return at, -number if negative else number


@device
def _number(buffer: NDArray[np.uint8], at: int, end: int) -> tuple[int, float]:
    """(the place after it, a number); MISSED for none, NaN for one that one multiplication or division does not give exactly."""
    negative = at < end and buffer[at] == 45
    if negative:
        at += 1
    begin, power = at, 0
    mantissa: Any = 0
    while at < end and 48 <= buffer[at] <= 57:
        mantissa = mantissa * 10 + np.int64(buffer[at] - 48)
        at += 1
    digits = at - begin
    if digits == 0 or (buffer[begin] == 48 and digits > 1):
        return MISSED, 0.0
    if at < end and buffer[at] == 46:
        at += 1
        begin = at
        while at < end and 48 <= buffer[at] <= 57:
            mantissa = mantissa * 10 + np.int64(buffer[at] - 48)
            at += 1
        if at == begin:
            return MISSED, 0.0
        power = begin - at
        digits += at - begin
    if at < end and (buffer[at] == 101 or buffer[at] == 69):
        at += 1
        down = at < end and buffer[at] == 45
        if at < end and (buffer[at] == 45 or buffer[at] == 43):
            at += 1
        begin = at
        exponent: Any = 0
        while at < end and 48 <= buffer[at] <= 57:
            exponent = min(exponent * 10 + np.int64(buffer[at] - 48), 1_000_000)
            at += 1
        if at == begin:
            return MISSED, 0.0
        power += -exponent if down else exponent
    if negative and mantissa == 0:  # whether there is a negative zero is for the general reader to say
        return MISSED, 0.0
    if digits > _DIGITS_MAX or mantissa > _EXACT_MAX or power < -_POWER_MAX or power > _POWER_MAX:
        return at, np.nan
    scale = 1.0
    for _ in range(abs(power)):
        scale *= 10.0  # exact up to 10^22
    value = np.float64(mantissa) / scale if power < 0 else np.float64(mantissa) * scale
    return at, -value if negative else value


@device
def _find(heads: Heads, buffer: NDArray[np.uint8], name: int, name_size: int, labels: int, labels_size: int) -> int:
    """The code of a head; MISSED for one that is not known."""
    size = name_size + labels_size
    if size > HEAD_BYTES_MAX:
        return MISSED
    hashed = hash_bytes(buffer, labels, labels + labels_size, hash_bytes(buffer, name, name + name_size, np.uint64(_SEED)))
    mask = np.uint64(heads.hashed.shape[0] - 1)
    for probe in range(PROBES_MAX):
        at = np.int64((hashed + np.uint64(probe)) & mask)
        if heads.code[at] == MISSED:
            return MISSED
        if heads.hashed[at] == hashed and heads.size[at] == size and heads.name_size[at] == name_size:
            start = heads.start[at]
            same = _equal(buffer, name, heads.arena, start, name_size)
            if same and _equal(buffer, labels, heads.arena, start + name_size, labels_size):
                code: int = heads.code[at]
                return code
    return MISSED


@device
def _member(buffer: NDArray[np.uint8], at: int, size: int, names: Names) -> int:
    """Which of the four members has this name; MISSED for another."""
    begin = 0
    for k in range(4):
        if names.end[k] - begin == size and _equal(buffer, at, names.text, begin, size):
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
    at = _blank(buffer, at, end)
    stop = _string(buffer, at + 1, end) if at < end and buffer[at] == 34 else MISSED
    if stop < 0:
        return MISSED, end
    member = _member(buffer, at + 1, stop - at - 1, names)
    at = _blank(buffer, stop + 1, end)
    if at >= end or buffer[at] != 58:
        return MISSED, end
    at = _blank(buffer, at + 1, end)
    return member if at < end else MISSED, at


@device
def _document(buffer: NDArray[np.uint8], at: int, end: int, names: Names, heads: Heads) -> tuple[int, int, float, int, int]:
    """(code, time, value, where the value begins and ends) of the document from `at` to `end`; the code is MISSED for an unusual one."""
    missed = (MISSED, 0, 0.0, 0, 0)
    at = _blank(buffer, at, end)
    seen = name = name_end = labels = labels_end = time_at = time_end = value_at = value_end = 0
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
        if member == 0:
            name, name_end = at + 1, after - 1
        elif member == 1:
            labels, labels_end = at, after
        elif member == 2:
            time_at, time_end = at, after
        else:
            value_at, value_end = at, after
        at = _blank(buffer, after, end)
        byte = buffer[at] if at < end else 0
        if byte not in (44, 125):
            return missed
    time_stop, time = _whole(buffer, time_at, time_end)
    value_stop, value = _number(buffer, value_at, value_end)
    whole = seen == 15 and time_stop == time_end and value_stop == value_end and _blank(buffer, at + 1, end) == end
    if not whole or abs(value) >= _VALUE_MAX:
        return missed
    return _find(heads, buffer, name, name_end - name, labels, labels_end - labels), time, value, value_at, value_end


@kernel
def scan(buffer: NDArray[np.uint8], end: NDArray[np.int64], names: Names, heads: Heads, latest: int, points: Points) -> None:
    """Read the documents that end at `end` in `buffer`, one after the other; PADDING bytes follow the last.

    Times beyond `latest` in either direction are left to the general reader.
    """
    begin = 0
    for i in range(end.shape[0]):
        code, time, value, digits, digits_end = _document(buffer, begin, end[i], names, heads)
        points.code[i] = code if -latest <= time <= latest else MISSED
        points.time[i] = time
        points.value[i] = value
        points.digits[i] = digits
        points.digits_end[i] = digits_end
        begin = end[i]


@kernel
def find(heads: Heads, head: NDArray[np.uint8], name_size: int, size: int) -> int:
    """The code of the head that is the first `size` bytes, of which the first `name_size` are the name; MISSED when it is not known."""
    return _find(heads, head, 0, name_size, name_size, size - name_size)


@kernel
def put(heads: Heads, name_size: int, size: int, start: int, code: int) -> bool:
    """Add the head whose bytes were written into the arena at `start`. False: too many others have places like its own."""
    middle, end = start + name_size, start + size
    hashed = hash_bytes(heads.arena, middle, end, hash_bytes(heads.arena, start, middle, np.uint64(_SEED)))
    mask = np.uint64(heads.hashed.shape[0] - 1)
    for probe in range(PROBES_MAX):
        at = np.int64((hashed + np.uint64(probe)) & mask)
        if heads.code[at] == MISSED:
            heads.hashed[at] = hashed
            heads.start[at] = start
            heads.name_size[at] = name_size
            heads.size[at] = size
            heads.code[at] = code
            return True
    return False
