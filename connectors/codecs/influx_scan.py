"""Reads numbers of known series in lines of Influx's protocol where they lie: one compiled pass over the bytes of a batch.

A record of plain lines (measurement and tags, numbers, a time or none, nothing quoted and nothing escaped) is read line by line. What stands before
the first blank is looked up as it stands, and the name of each field below it, in a table of what was read before. Every other record is left to
the general reader as a whole.

Of other files only functions of `detectors` are called, whose sources name the folder of numba's cache (detectors/kernel.py).
"""

from __future__ import annotations

from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from connectors.codecs.known_parts import KNOWN, ODD, UNKNOWN
from detectors.decimals import number, whole
from detectors.kernel import device, kernel
from detectors.parts import MISSED, Parts, find

FIELD_BYTES_MIN: Final = 4
"""A name, a sign, a digit, and what is between two of them."""
FIELDS_MAX: Final = 64
"""Of one line."""
_ROOT: Final = -1
_VALUE_BELOW: Final = 1e15
_TIME_DIGITS_MAX: Final = 19
_COUNT, _IS_UNKNOWN, _LEARN, _ROW = range(4)


class Points(NamedTuple):
    """What is read of each number. Arrays of one length."""

    row: NDArray[np.int32]
    node: NDArray[np.int64]
    code: NDArray[np.int64]
    ts_ns: NDArray[np.int64]
    value: NDArray[np.float64]  # NaN where it is to be read from its digits
    digits: NDArray[np.int64]
    digits_end: NDArray[np.int64]


@device
def _line_end(buffer: NDArray[np.uint8], at: int, end: int) -> int:
    while at < end and buffer[at] != 10:
        at += 1
    return at


@device
def _value(buffer: NDArray[np.uint8], at: int, end: int) -> tuple[int, int, float]:
    """(where a number's digits end, where the field ends, the number); MISSED for what is none."""
    stop, counted = whole(buffer, at, end)
    if stop >= 0 and stop < end and (buffer[stop] == 105 or buffer[stop] == 117):
        if buffer[at] == 45 and (buffer[stop] == 117 or counted == 0):  # no such number, or one whose sign would be lost
            return MISSED, MISSED, 0.0
        return stop, stop + 1, np.float64(counted)
    stop, measured = number(buffer, at, end)
    return stop, stop, measured


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
) -> int:
    """Put one field; where it ends, MISSED when it is not plain. Its time is put later."""
    parts, points = tables
    begin = at
    while at < end and buffer[at] != 61:
        if buffer[at] == 44 or buffer[at] == 32:
            return MISSED
        at += 1
    n = state[_COUNT]
    if at == begin or at >= end or n >= points.row.shape[0]:
        return MISSED
    node = find(parts, buffer, begin, at, head, state[_LEARN]) if head >= 0 else MISSED
    digits, stop, value = _value(buffer, at + 1, end)
    if digits < 0 or abs(value) >= _VALUE_BELOW:
        return MISSED
    code = parts.code[node] if node >= 0 else MISSED
    if code < 0:
        state[_IS_UNKNOWN] = 1
    points.row[n], points.node[n], points.code[n], points.value[n] = state[_ROW], node, code, value
    points.digits[n], points.digits_end[n] = at + 1, digits
    state[_COUNT] = n + 1
    return stop


@device
def _is_first(points: Points, first: int, n: int) -> bool:
    """Whether the last of the numbers from `first` to `n` is of another field than all before it, or of none that is known."""
    node = points.node[n - 1]
    is_first = True
    for k in range(first, n - 1):
        is_first &= node < 0 or points.node[k] != node
    return is_first


@device
def _line(
    buffer: NDArray[np.uint8], at: int, end: int, time: tuple[int, int], tables: tuple[Parts, Points], state: NDArray[np.int64]
) -> bool:
    """Read one line; `time` is the nanoseconds of its unit, and the time of the record. False for one that is not plain."""
    begin = at
    while at < end and buffer[at] != 32:
        at += 1
    if at == begin or at >= end or buffer[begin] == 35:
        return False
    head = find(tables[0], buffer, begin, at, _ROOT, state[_LEARN])
    first = state[_COUNT]
    for _ in range(FIELDS_MAX):
        at = _field(buffer, at + 1, end, head, tables, state)
        if at < 0 or not _is_first(tables[1], first, state[_COUNT]):
            return False
        if at == end or buffer[at] != 44:
            break
    if at < end and buffer[at] == 32 and at + 1 < end:
        at += 1
    elif at < end:
        return False
    ts_ns = _time(buffer, at, end, time[0], time[1])
    if ts_ns < 0:
        return False
    for k in range(first, state[_COUNT]):
        tables[1].ts_ns[k] = ts_ns
    return True


@device
def _record(
    buffer: NDArray[np.uint8], at: int, end: int, time: tuple[int, int], tables: tuple[Parts, Points], state: NDArray[np.int64]
) -> bool:
    """Read all lines of a record. False when one of them is not plain."""
    while at < end:
        stop = _line_end(buffer, at, end)
        last: Any = stop
        while last > at and (buffer[last - 1] == 13 or (stop == end and buffer[last - 1] == 32)):
            last -= 1
        if last > at and not _line(buffer, at, last, time, tables, state):
            return False
        at = stop + 1
    return True


@kernel
def scan(
    buffer: NDArray[np.uint8],
    ends: NDArray[np.int64],
    ts_ns: NDArray[np.int64],
    scale: int,
    tables: tuple[Parts, Points],
    state: NDArray[np.int64],
    verdict: NDArray[np.int8],
) -> None:
    """Read all records of a batch, which end at `ends` and are followed by PADDING bytes; write a verdict for each that is not ODD already.

    ODD is to stand there for records with a quote or a backslash. `ts_ns` are the times of the records, `scale` the nanoseconds of the unit of
    lines. KNOWN: its numbers are in the columns, with the codes of their series. UNKNOWN: plain, but with heads or fields that are new; ODD: for the
    general reader. Neither leaves numbers, but in learning (state[2]), where all are kept. state[0] is how many there are.
    """
    start = 0
    state[_COUNT] = 0
    for i in range(ends.shape[0]):
        before = state[_COUNT]
        state[_IS_UNKNOWN], state[_ROW] = 0, i
        plain = verdict[i] != ODD and _record(buffer, start, ends[i], (scale, ts_ns[i]), tables, state)
        start = ends[i]
        if not plain or state[_COUNT] == before:
            verdict[i] = ODD
            state[_COUNT] = before
        else:
            verdict[i] = UNKNOWN if state[_IS_UNKNOWN] else KNOWN
            if state[_IS_UNKNOWN] and not state[_LEARN]:
                state[_COUNT] = before
