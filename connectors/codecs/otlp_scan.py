"""Reads the points of known series in OTLP/protobuf metrics where they lie: one compiled pass over the bytes of a batch.

A record that is as encoders write it (fields in their order, gauges and sums only, plain points with a time and a number) is walked by
the lengths that it states, each checked against the end of what it lies in. The bytes of a resource, of a scope, of a metric's head and
of a point's attributes are looked up below each other in a table of what the library has read before, byte by byte and not by hash
alone: so whatever these bytes say, and whether they are valid at all, is known. Every other record is left to the library as a whole:
one with a histogram, an exemplar, a point without a value or whose series has ended, a field that is unknown, out of order or torn.

Of other files only functions of `detectors` are called, whose sources name the folder of numba's cache (detectors/kernel.py).
"""

from __future__ import annotations

from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from connectors.codecs.known_parts import KNOWN, ODD, UNKNOWN
from detectors.kernel import device, kernel
from detectors.octets import eight
from detectors.parts import LENGTH_BYTES, LONG_BYTES, MISSED, Parts, find, varint, within

POINT_BYTES_MIN: Final = 20
"""A tag and a length, a time, a number."""
PARTS_FREE: Final = 1_000
PART_BYTES_MIN: Final = 16
"""A resource, a scope or a record with one number or one line takes as much; an empty one takes two bytes, and to look at it as long as at any other."""
_PART, _SECOND, _THIRD, _GAUGE, _SUM = 0x0A, 0x12, 0x1A, 0x2A, 0x3A
"""Tags of fields 1, 2, 3, 5 and 7 that have a length; the number says what it is within each message."""
_START, _TIME, _DOUBLE, _INT, _ATTRIBUTE, _FLAGS = 0x11, 0x19, 0x21, 0x31, 0x3A, 0x40
_COUNT, _IS_UNKNOWN, _LEARN, _ROW = range(4)


class Points(NamedTuple):
    """What is read of each point. Arrays of one length."""

    row: NDArray[np.int32]
    node: NDArray[np.int64]
    code: NDArray[np.int64]
    ts_ns: NDArray[np.int64]
    bits: NDArray[np.uint64]
    is_int: NDArray[np.bool_]


@device
def _address(buffer: NDArray[np.uint8], at: int, end: int) -> int:
    """The end of what follows, which is nothing or the address of a schema in plain letters; MISSED for all else."""
    if at == end:
        return end
    if buffer[at] != _THIRD:
        return MISSED
    start, stop = within(buffer, at + 1, end)
    if start < 0 or stop != end:
        return MISSED
    for k in range(start, stop):
        if buffer[k] >= 128:
            return MISSED
    return end


@device
def _point(
    buffer: NDArray[np.uint8], at: int, end: int, parent: int, tables: tuple[Parts, Points], state: NDArray[np.int64]
) -> bool:
    """Read one point of a gauge or sum. False for one that is not plain."""
    first, last = 0, MISSED
    number: Any = 0
    time, bits = np.uint64(0), np.uint64(0)
    while at < end:
        tag: Any = np.int64(buffer[at])
        at += 1
        if tag == _ATTRIBUTE:
            if last != MISSED and at - 1 != last:
                return False
            first = at - 1 if last == MISSED else first
            _, at = within(buffer, at, end)
            last = at
        elif tag in (_START, _TIME, _DOUBLE, _INT):
            if end - at < 8:
                return False
            if tag == _TIME:
                time = eight(buffer, np.uint64(at))
            elif tag != _START:
                bits, number = eight(buffer, np.uint64(at)), tag
            at += 8
        elif tag == _FLAGS:
            flags, at = varint(buffer, at, end, LENGTH_BYTES)
            if flags & 1:
                return False
        else:
            return False
        if at < 0:
            return False
    if number == 0 or time == np.uint64(0) or time >> np.uint64(63):
        return False
    return _keep(buffer, (first, max(last, first)), parent, (np.int64(time), bits, number == _INT), tables, state)


@device
def _keep(
    buffer: NDArray[np.uint8],
    run: tuple[int, int],
    parent: int,
    read: tuple[Any, Any, bool],
    tables: tuple[Parts, Points],
    state: NDArray[np.int64],
) -> bool:
    """Put a point that was read into the columns."""
    parts, points = tables
    n = state[_COUNT]
    if n >= points.row.shape[0]:
        return False
    node = find(parts, buffer, run[0], run[1], parent, state[_LEARN]) if parent >= 0 else MISSED
    code = parts.code[node] if node >= 0 else MISSED
    if code < 0:
        state[_IS_UNKNOWN] = 1
    points.row[n], points.node[n], points.code[n] = state[_ROW], node, code
    points.ts_ns[n], points.bits[n], points.is_int[n] = read
    state[_COUNT] = n + 1
    return True


@device
def _metric(
    buffer: NDArray[np.uint8], at: int, end: int, parent: int, tables: tuple[Parts, Points], state: NDArray[np.int64]
) -> bool:
    """Read one metric. Its head are the bytes before its points: name, description, unit. False for one that is not plain."""
    start = at
    while at < end and (buffer[at] == _PART or buffer[at] == _SECOND or buffer[at] == _THIRD):
        _, at = within(buffer, at + 1, end)
        if at < 0:
            return False
    if at >= end or (buffer[at] != _GAUGE and buffer[at] != _SUM):
        return False
    is_sum = buffer[at] == _SUM
    node = find(tables[0], buffer, start, at + 1, parent, state[_LEARN]) if parent >= 0 else MISSED
    at, stop = within(buffer, at + 1, end)
    if at < 0 or stop != end:
        return False
    tail = at
    while tail < end and buffer[tail] == _PART:
        _, tail = within(buffer, tail + 1, end)
        if tail < 0:
            return False
    if not _is_tail(buffer, tail, end, is_sum):
        return False
    node = find(tables[0], buffer, tail, end, node, state[_LEARN]) if node >= 0 else MISSED
    while at < tail:
        first, stop = within(buffer, at + 1, tail)
        if not _point(buffer, first, stop, node, tables, state):
            return False
        at = stop
    return True


@device
def _is_tail(buffer: NDArray[np.uint8], at: int, end: int, is_sum: bool) -> bool:
    """Whether only a temporality, and whether a sum only grows, stand after its points; nothing after those of a gauge."""
    if at < end and is_sum and buffer[at] == 0x10:
        if end - at < 2 or buffer[at + 1] > 2:
            return False
        at += 2
    if at < end and is_sum and buffer[at] == 0x18:
        if end - at < 2 or buffer[at + 1] > 1:
            return False
        at += 2
    return at == end


@device
def _scope(
    buffer: NDArray[np.uint8], at: int, end: int, parent: int, tables: tuple[Parts, Points], state: NDArray[np.int64]
) -> bool:
    """Read what one library measured. False when anything is not plain."""
    first = stop = at
    if at < end and buffer[at] == _PART:
        first, stop = within(buffer, at + 1, end)
        if stop < 0:
            return False
    node = find(tables[0], buffer, first, stop, parent, state[_LEARN]) if parent >= 0 else MISSED
    at = stop
    while at < end and buffer[at] == _SECOND:
        first, at = within(buffer, at + 1, end)
        if at < 0 or not _metric(buffer, first, at, node, tables, state):
            return False
    return _address(buffer, at, end) == end


@device
def _resource(buffer: NDArray[np.uint8], at: int, end: int, tables: tuple[Parts, Points], state: NDArray[np.int64]) -> bool:
    """Read what one resource measured. False when anything is not plain."""
    first = stop = at
    if at < end and buffer[at] == _PART:
        first, stop = within(buffer, at + 1, end)
        if stop < 0:
            return False
    node = find(tables[0], buffer, first, stop, -1, state[_LEARN])
    at = stop
    while at < end and buffer[at] == _SECOND:
        first, at = within(buffer, at + 1, end)
        if at < 0 or not _scope(buffer, first, at, node, tables, state):
            return False
    return _address(buffer, at, end) == end


@device
def _after(buffer: NDArray[np.uint8], at: int, end: int) -> int:
    """The place after the field that begins at `at`; MISSED for one that is torn, or has a number above 15."""
    tag = buffer[at]
    if tag & 7 == 2:
        return within(buffer, at + 1, end)[1] if tag < 128 else MISSED
    if tag & 7 == 0:
        return varint(buffer, at + 1, end, LONG_BYTES + 1)[1] if tag < 128 else MISSED
    after = at + (9 if tag & 7 == 1 else 5)
    return after if tag < 128 and tag & 7 in (1, 5) and after <= end else MISSED


@device
def _points_of(buffer: NDArray[np.uint8], at: int, end: int) -> int:
    """How many points a metric has, of whatever kind."""
    points = 0
    while 0 <= at < end:
        after = _after(buffer, at, end)
        if after >= 0 and buffer[at] in (_GAUGE, _SUM, 0x4A, 0x52, 0x5A):
            point, _ = within(buffer, at + 1, end)
            while 0 <= point < after:
                points += buffer[point] == _PART
                point = _after(buffer, point, after)
        at = after
    return points


@device
def _items_of(buffer: NDArray[np.uint8], at: int, end: int, has_points: bool) -> int:
    """How many metrics, lines or spans a scope has, or how many points where these are more."""
    items, points = 0, 0
    while 0 <= at < end:
        after = _after(buffer, at, end)
        if after >= 0 and buffer[at] == _SECOND:
            items += 1
            if has_points:
                item, _ = within(buffer, at + 1, end)
                points += _points_of(buffer, item, after)
        at = after
    return max(items, points)


@device
def _most_parts(buffer: NDArray[np.uint8], at: int, end: int, has_points: bool) -> int:
    """The most parts that a message has on one level: resources, scopes, what they measured or logged, and points of metrics."""
    resources, scopes, items = 0, 0, 0
    while 0 <= at < end:
        after = _after(buffer, at, end)
        if after >= 0 and buffer[at] == _PART:
            resources += 1
            scope, _ = within(buffer, at + 1, end)
            while 0 <= scope < after:
                scope_end = _after(buffer, scope, after)
                if scope_end >= 0 and buffer[scope] == _SECOND:
                    scopes += 1
                    item, _ = within(buffer, scope + 1, after)
                    items += _items_of(buffer, item, scope_end, has_points)
                scope = scope_end
        at = after
    return max(resources, scopes, items)


@kernel
def most_parts(buffer: NDArray[np.uint8], size: int, has_points: bool) -> int:
    """The most parts that a message of that size has on one level; PADDING bytes follow it. `has_points`: it is of metrics."""
    return _most_parts(buffer, 0, size, has_points)


@device
def _is_hollow(buffer: NDArray[np.uint8], at: int, end: int) -> bool:
    """Whether most parts of a message cannot say anything."""
    if end - at <= 2 * PARTS_FREE:
        return False
    parts = _most_parts(buffer, at, end, True)
    return parts > PARTS_FREE and parts * PART_BYTES_MIN > end - at


@kernel
def scan(
    buffer: NDArray[np.uint8],
    ends: NDArray[np.int64],
    tables: tuple[Parts, Points],
    state: NDArray[np.int64],
    verdict: NDArray[np.int8],
) -> None:
    """Read all records of a batch, which end at `ends` and are followed by PADDING bytes; write a verdict for each.

    KNOWN: its points are in the columns, with the codes of their series. UNKNOWN: plain, but with parts that are new; ODD: for the
    library. Neither leaves points, but in learning (state[2]), where new parts are put into the table and all plain points are kept.
    state[0] is the number of points.
    """
    start = 0
    state[_COUNT] = 0
    for i in range(ends.shape[0]):
        before, at, plain = state[_COUNT], start, not _is_hollow(buffer, start, ends[i])
        state[_IS_UNKNOWN], state[_ROW] = 0, i
        while plain and at < ends[i]:
            first, stop = within(buffer, at + 1, ends[i])
            plain = buffer[at] == _PART and stop >= 0 and _resource(buffer, first, stop, tables, state)
            at = stop
        start = ends[i]
        if not plain or state[_COUNT] == before:
            verdict[i] = ODD
            state[_COUNT] = before
        else:
            verdict[i] = UNKNOWN if state[_IS_UNKNOWN] else KNOWN
            if state[_IS_UNKNOWN] and not state[_LEARN]:
                state[_COUNT] = before
