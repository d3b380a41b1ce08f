"""Reads lines of `path value time` of known paths where they lie: one compiled pass over the bytes of a batch.

A line is read so when it is plain: a path that was met before, a number that is exact in one operation and has no exponent, a
time in whole seconds or none. Every other line is for the general reader.

Of other files only functions of `detectors` are called, whose sources name the folder of numba's cache (detectors/kernel.py).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from connectors.codecs.columns import BAD_LINES_MAX
from connectors.codecs.heads import REFUSED, Heads
from detectors.decimals import MISSED, number, whole
from detectors.kernel import device, kernel
from detectors.pairs import PADDING, Pairs, find
from engine.times import LATEST_NS

ODD_LINES_MAX: Final = 128
"""Lines of one record that are bad, or written in a way in which no producer writes; after so many the rest of it is not read."""
NEW: Final = -2
_LINE_BYTES_MIN: Final = 2
_EXPONENT_DIGITS_MAX: Final = 3
_VALUE_MAX: Final = 1e15
_SECOND_NS: Final = 1_000_000_000
_SECONDS_MAX: Final = LATEST_NS // _SECOND_NS
_PADDING: Final = bytes(PADDING)


class Points(NamedTuple):
    """What is read, in the order of the log. All of one length."""

    row: NDArray[np.int32]
    code: NDArray[np.int64]
    ts_ns: NDArray[np.int64]
    value: NDArray[np.float64]
    place: NDArray[np.int64]  # where the line begins


class Lines(NamedTuple):
    """The lines that are not plain, in the order of the log. All of one length."""

    row: NDArray[np.int32]
    begin: NDArray[np.int64]
    end: NDArray[np.int64]


@device
def _blank(buffer: NDArray[np.uint8], at: int, end: int) -> int:
    """The next place from `at` on that is no white space, or the end of the line."""
    while at < end and (buffer[at] == 32 or buffer[at] == 9 or 11 <= buffer[at] <= 13):
        at += 1
    return at


@device
def _word(buffer: NDArray[np.uint8], at: int, end: int) -> tuple[int, int, int]:
    """(where the word that begins at `at` ends, its first brace or that end, 1 when there is an e in it)."""
    brace, has_e = MISSED, 0
    while at < end and buffer[at] != 32 and not 9 <= buffer[at] <= 13:
        if buffer[at] == 123 and brace < 0:
            brace = at
        has_e |= 1 if buffer[at] == 101 or buffer[at] == 69 else 0
        at += 1
    return at, brace if brace >= 0 else at, has_e


@device
def _is_short(buffer: NDArray[np.uint8], at: int, end: int) -> bool:
    """Whether a number's exponent has no more than three digits."""
    while buffer[at] != 101 and buffer[at] != 69:
        at += 1
    signs = 1 if buffer[at + 1] in (43, 45) else 0
    return end - at - 1 - signs <= _EXPONENT_DIGITS_MAX


@device
def _line(
    buffer: NDArray[np.uint8], at: int, end: int, known: Pairs, code: NDArray[np.int32], record_ns: int
) -> tuple[int, int, int, float]:
    """(place after it, code, time, value) of the line that begins with a word at `at`; the code is NEW for a plain one that is not known, or whose
    number is not exact, REFUSED for a plain one of a path that is, and MISSED for one that is not plain, which does not depend on what is known.
    """
    stop, brace, _ = _word(buffer, at, end)
    head: Any = find(known, buffer, (at, brace), (brace, stop), 0)
    at = _blank(buffer, stop, end)
    stop, _, has_e = _word(buffer, at, end)
    after, value = number(buffer, at, stop)
    if after != stop or (has_e and not _is_short(buffer, at, stop)):
        return stop, MISSED, 0, 0.0
    at = _blank(buffer, stop, end)
    ts_ns: Any = record_ns
    if at < end and buffer[at] != 10:
        stop, _, _ = _word(buffer, at, end)
        after, seconds = whole(buffer, at, stop)
        if after != stop or abs(seconds) >= _SECONDS_MAX:
            return stop, MISSED, 0, 0.0
        ts_ns = record_ns if seconds == -1 else seconds * _SECOND_NS
        at = _blank(buffer, stop, end)
    if at < end and buffer[at] != 10:
        return at, MISSED, 0, 0.0
    if head >= 0 and code[head] == REFUSED:
        return at, REFUSED, ts_ns, value
    is_known = head >= 0 and abs(value) < _VALUE_MAX  # False for NaN
    found: Any = np.int64(code[head]) if is_known else MISSED
    return at, found if found >= 0 else NEW, ts_ns, value


@kernel
def scan(
    buffer: NDArray[np.uint8],
    end: NDArray[np.int64],
    record_ns: NDArray[np.int64],
    heads: tuple[Pairs, NDArray[np.int32]],
    points: Points,
    others: Lines,
    is_cut: NDArray[np.bool_],
) -> tuple[int, int]:
    """Read the records that end at `end` in `buffer`, PADDING bytes after the last; how many points there are, and how many other lines.

    `is_cut` becomes true for records with more than ODD_LINES_MAX odd lines: from the first that is too many on they are not read. Nor is what comes
    behind more than BAD_LINES_MAX lines of refused paths: the general reader goes no further.
    """
    known, code = heads
    at, n, m = 0, 0, 0
    for i in range(end.shape[0]):
        odd = refused = 0
        while True:
            at = _blank(buffer, at, end[i])
            if at >= end[i]:
                break
            if buffer[at] == 10:
                at += 1
                continue
            begin = at
            at, points.code[n], points.ts_ns[n], points.value[n] = _line(buffer, at, end[i], known, code, record_ns[i])
            points.row[n], points.place[n] = i, begin
            if points.code[n] >= 0:
                n += 1
                continue
            odd += points.code[n] == MISSED
            if odd > ODD_LINES_MAX:
                is_cut[i] = True
                break
            while at < end[i] and buffer[at] != 10:
                at += 1
            others.row[m], others.begin[m], others.end[m] = i, begin, at
            m += 1
            refused += points.code[n] == REFUSED
            if refused > BAD_LINES_MAX:
                break
        at = end[i]
    return n, m


class Found(NamedTuple):
    """What was read of some records."""

    joined: bytes
    points: Points
    others: Lines
    is_cut: NDArray[np.bool_]  # by record


def read(payloads: Sequence[bytes], record_ns: NDArray[np.int64], heads: Heads) -> Found:
    """All records in one, the points of the lines that are known, and where the other ones lie."""
    joined = b"".join((*payloads, _PADDING))
    ends = np.cumsum(np.fromiter(map(len, payloads), np.int64, len(payloads)))
    most = len(joined) // _LINE_BYTES_MIN + len(payloads)
    numbers = np.empty(most, np.int64), np.empty(most, np.int64), np.empty(most)
    points = Points(np.empty(most, np.int32), *numbers, np.empty(most, np.int64))
    others = Lines(np.empty(most, np.int32), np.empty(most, np.int64), np.empty(most, np.int64))
    is_cut = np.zeros(len(payloads), np.bool_)
    tables = heads.known.table, heads.code
    n, m = scan(np.frombuffer(joined, np.uint8), ends, record_ns, tables, points, others, is_cut)
    return Found(joined, Points._make(column[:n] for column in points), Lines._make(column[:m] for column in others), is_cut)
