"""Log time: where a log is in time, from the times of its records alone, and robust against a few that were forged.

Log time is the third largest of the last 64 record times, held monotone: one or two stamps from the future move nothing. Only when
all 64 say that it was wrong by more than `back_ns` does it step back, so that a burst of forged stamps does no lasting harm.

`pace` tells from log time at which records something is due, so that timers fire at the same record however a log is cut.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from detectors.contract import Row
from detectors.kernel import device, kernel

RING: Final = 64
RANK: Final = 3
STATE: Final = np.dtype(
    [
        ("ring", np.int64, RING),  # ns, the last record times
        ("filled", np.int64),  # records so far, held at RING
        ("place", np.int64),  # where the next one goes
        ("time_ns", np.int64),  # log time
        ("newest_ns", np.int64),  # largest time in the ring
        ("step_ns", np.float64),  # usual distance from one newest record to the next
    ],
    align=True,
)
PACE: Final = np.dtype(
    [
        ("tick", np.int64),  # number of the last tick
        ("marked_ns", np.int64),  # log time at the last mark
        ("unmarked", np.int64),  # records since
        ("started", np.int64),
    ],
    align=True,
)
TICK: Final = 1
MARK: Final = 2
UNKNOWN_NS: Final = -(2**62)
"""Before all times."""
_JUMP_NS: Final = 86_400_000_000_000
_JUMP_STEPS: Final = 8.0
_BEFORE: Final[Any] = np.int64(-(2**63))


@device
def _with(first: int, second: int, third: int, ts_ns: int) -> tuple[int, int, int]:
    """The three largest when one more has come."""
    if ts_ns > first:
        return ts_ns, first, second
    if ts_ns > second:
        return first, ts_ns, second
    return first, second, max(third, ts_ns)


@device
def _largest(row: Row) -> tuple[int, int, int]:
    """The three largest times in the ring; what is not there is before all times."""
    first = second = third = _BEFORE
    for k in range(row.filled):
        first, second, third = _with(first, second, third, row.ring[k])
    return first, second, third


@kernel
def read_times(
    state: NDArray[np.void], ts_ns: NDArray[np.int64], back_ns: int, time_ns: NDArray[np.int64], ahead: NDArray[np.bool_]
) -> None:
    """Write for each record the log time with it, and whether its own time is too far `ahead` to be believed.

    Too far is a day, or eight usual steps of a log whose records are days apart. `state` has one row.
    """
    row = state[0]
    first, second, third = _largest(row)
    known = row.filled >= RANK
    for i in range(ts_ns.shape[0]):
        jump = max(_JUMP_NS * 1.0, _JUMP_STEPS * row.step_ns)
        ahead[i] = row.filled >= RANK and ts_ns[i] > row.time_ns and (ts_ns[i] - row.time_ns) * 1.0 > jump
        if row.filled > 0 and ts_ns[i] > row.newest_ns and not ahead[i]:
            moved = (ts_ns[i] - row.newest_ns) * 1.0
            if row.step_ns > 0.0:
                row.step_ns += 0.1 * (min(moved, 3.0 * row.step_ns) - row.step_ns)
            else:
                row.step_ns = moved
        leaving = row.ring[row.place] if row.filled == RING else _BEFORE
        row.ring[row.place] = ts_ns[i]
        row.place = (row.place + 1) % RING
        row.filled = min(row.filled + 1, RING)
        if known and leaving < third:
            first, second, third = _with(first, second, third, ts_ns[i])
        elif not known or leaving != ts_ns[i]:  # one of the three has left and another time has come, or there were fewer
            first, second, third = _largest(row)
            known = row.filled >= RANK
        row.newest_ns = first
        ranked = third if row.filled >= RANK else (second if row.filled == 2 else first)
        if row.filled == 1 or ranked > row.time_ns or (row.filled == RING and row.newest_ns < row.time_ns - back_ns):
            row.time_ns = ranked
        time_ns[i] = row.time_ns


@kernel
def pace(
    state: NDArray[np.void], time_ns: NDArray[np.int64], tick_ns: int, mark_ns: int, mark_records: int, due: NDArray[np.int8]
) -> None:
    """Write for each record TICK when log time has crossed a multiple of `tick_ns`, and MARK when a watermark is due."""
    row = state[0]
    tick, begins_ns, ends_ns = 0, 0, 0  # of the time that was looked at last: a division takes longer than all the rest
    for i in range(time_ns.shape[0]):
        now = time_ns[i]
        if not begins_ns <= now < ends_ns:
            tick = now // tick_ns
            begins_ns = tick * tick_ns
            ends_ns = begins_ns + tick_ns
        due[i] = 0
        if row.started == 0:
            row.started = 1
            row.tick = tick
            row.marked_ns = now
        row.unmarked += 1
        if tick > row.tick:
            due[i] = TICK
        row.tick = tick
        if now - row.marked_ns >= mark_ns or row.marked_ns - now >= mark_ns or row.unmarked >= mark_records:
            due[i] |= MARK
            row.marked_ns = now
            row.unmarked = 0


@kernel
def promise(
    reached_ns: NDArray[np.int64],
    due: NDArray[np.int8],
    lateness_ns: tuple[int, int, int],
    before_ns: tuple[int, int],
    watermark_ns: NDArray[np.int64],
    told_ns: NDArray[np.int64],
) -> int:
    """Write for each record the watermark with it, and the one that was told before it; returns the one told last.

    `reached_ns` is the event time with each record, `UNKNOWN_NS` before the first. `lateness_ns` are (of the first records, of the others, which is the
    first of these); `before_ns` the watermark and what was told of it before the batch.
    """
    early, late, first = lateness_ns
    watermark, told = before_ns
    for i in range(reached_ns.shape[0]):
        if reached_ns[i] > UNKNOWN_NS:
            watermark = max(watermark, reached_ns[i] - (early if i < first else late))
        watermark_ns[i] = watermark
        told_ns[i] = told
        if due[i] & MARK:
            told = max(told, watermark)
    return told
