"""Reads lines of `path value time` of known paths where they lie: one compiled pass over the bytes of a batch.

A record is read so when each of its lines is plain: a path that was met before, a number that is exact in one operation and has no exponent, a
time in whole seconds or none. Every other record is for the general reader, and so is one that has nothing but blanks.

Of other files only functions of `detectors` are called, whose sources name the folder of numba's cache (detectors/kernel.py).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from connectors.codecs.heads import Heads
from detectors.decimals import MISSED, number, whole
from detectors.kernel import device, kernel
from detectors.pairs import PADDING, Pairs, find
from engine.times import LATEST_NS

KNOWN: Final = 0
ODD: Final = 1
BLANK: Final = 2
"""Verdicts on a record: it is read, it is for the general reader, there is no line in it."""
_LINE_BYTES_MIN: Final = 4
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
def _line(
    buffer: NDArray[np.uint8], at: int, end: int, known: Pairs, code: NDArray[np.int32], record_ns: int
) -> tuple[int, int, int, float]:
    """(place after it, code, time, value) of the line that begins with a word at `at`; the code is MISSED for one that is not plain."""
    stop, brace, _ = _word(buffer, at, end)
    head: Any = find(known, buffer, (at, brace), (brace, stop), 0)
    at = _blank(buffer, stop, end)
    stop, _, has_e = _word(buffer, at, end)
    after, value = number(buffer, at, stop)
    if head < 0 or has_e or after != stop or not abs(value) < _VALUE_MAX:
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
    is_over = at >= end or buffer[at] == 10
    found: Any = np.int64(code[head]) if is_over else MISSED
    return at, found, ts_ns, value


@kernel
def scan(
    buffer: NDArray[np.uint8],
    end: NDArray[np.int64],
    record_ns: NDArray[np.int64],
    heads: tuple[Pairs, NDArray[np.int32]],
    points: Points,
    verdict: NDArray[np.int8],
) -> int:
    """Read the records that end at `end` in `buffer`, PADDING bytes after the last; how many points there are."""
    known, code = heads
    at, n = 0, 0
    for i in range(end.shape[0]):
        first = n
        verdict[i] = BLANK
        while True:
            at = _blank(buffer, at, end[i])
            if at >= end[i]:
                break
            if buffer[at] == 10:
                at += 1
                continue
            at, points.code[n], points.ts_ns[n], points.value[n] = _line(buffer, at, end[i], known, code, record_ns[i])
            verdict[i] = KNOWN
            points.row[n] = i
            if points.code[n] < 0:
                verdict[i] = ODD
                n = first
                break
            n += 1
        at = end[i]
    return n


def read(payloads: Sequence[bytes], record_ns: NDArray[np.int64], heads: Heads) -> tuple[Points, NDArray[np.int8]]:
    """The points of all records that are known, and a verdict on each record."""
    joined = b"".join((*payloads, _PADDING))
    ends = np.cumsum(np.fromiter(map(len, payloads), np.int64, len(payloads)))
    most = len(joined) // _LINE_BYTES_MIN + len(payloads)
    points = Points(np.empty(most, np.int32), np.empty(most, np.int64), np.empty(most, np.int64), np.empty(most))
    verdict = np.empty(len(payloads), np.int8)
    n = scan(np.frombuffer(joined, np.uint8), ends, record_ns, (heads.known.table, heads.code), points, verdict)
    return Points._make(column[:n] for column in points), verdict
