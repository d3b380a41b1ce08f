"""From what a producer sends to the value that is scored: cumulative counters and deltas become rates a second.

Also learned here, for each series: the usual distance of its samples and the usual size of its values.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from detectors.contract import Row
from detectors.kernel import device, kernel

STATE: Final = np.dtype(
    [
        ("first_ns", np.int64),
        ("last_ns", np.int64),  # event time of the newest sample
        ("raw", np.float64),  # as it came
        ("step", np.float64),  # usual seconds between samples; 0 unknown
        ("size_of", np.float64),  # decayed average of the absolute value
        ("seen", np.int32),  # 0 none, 1 one sample, 2 more
        ("valued", np.int32),  # whether size_of is known
        ("resumed_ns", np.int64),  # when it was heard again after a pause, or its counter began anew; 0: never
        ("reset", np.int32),  # whether the last sample of a counter was below the one before it
    ],
    align=True,
)
GAUGE: Final = 0
COUNTER: Final = 1
DELTA: Final = 2
READ: Final = 0
LATE: Final = 1
REPEATED: Final = 2
VALUE_MAX: Final = 1e15
SIZE_SECONDS: Final = 86_400.0
PAUSE_STEPS: Final = 2.5
"""A distance of more usual ones than this is a pause."""


@device
def _elapsed(row: Row, ts_ns: int) -> float:
    """Seconds since the newest sample, from which the usual step is learned; 0 for the first."""
    if row.seen == 0:
        row.first_ns = ts_ns
        return 0.0
    dt: float = (ts_ns - row.last_ns) * 1e-9
    if row.seen > 1 and dt > PAUSE_STEPS * row.step:
        row.resumed_ns = ts_ns
    if row.step > 0.0:
        row.step += 0.1 * (min(dt, 3.0 * row.step) - row.step)
    else:
        row.step = dt
    return dt


@device
def _value(row: Row, kind: int, raw: float, ts_ns: int, dt: float) -> float:
    """What is scored of a sample; NaN when that is not known."""
    if kind == GAUGE:
        return raw
    if row.seen == 0:
        return np.nan
    if kind == DELTA:
        return raw / dt
    if raw >= row.raw:
        grown: float = raw - row.raw
        row.reset = 0
        return grown / dt
    again = row.reset
    row.reset = 1
    row.resumed_ns = ts_ns
    return raw / dt if again == 1 else np.nan


@device
def _learn_size(row: Row, size: float, dt: float) -> None:
    if row.valued == 0:
        row.valued = 1
        row.size_of = size
    else:
        row.size_of += dt / (SIZE_SECONDS + dt) * (size - row.size_of)


@kernel
def read_values(
    state: NDArray[np.void],
    kind: NDArray[np.int8],
    slot: NDArray[np.int64],
    ts_ns: NDArray[np.int64],
    raw: NDArray[np.float64],
    out: tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64], NDArray[np.float64], NDArray[np.int8]],
) -> int:
    """For each sample of the series in `slot` (all >= 0), in order, write into `out`: value, step in seconds, usual size,
    seconds since it resumed (infinite: it never paused), verdict.

    `kind` is by slot. The value is NaN when there is none yet: the first sample of a rate, and the first after a reset (how
    long a counter ran since it started again is not known; a second reset in a row is taken as counted from zero).
    Samples not above their series' newest time are LATE, or REPEATED when nothing differs; they change nothing. Returns how many
    have no value.
    """
    value, step, size_of, resumed, verdict = out
    without: int = slot.shape[0]
    for i in range(slot.shape[0]):
        row = state[slot[i]]
        value[i] = np.nan
        step[i] = row.step
        size_of[i] = row.size_of
        resumed[i] = np.inf
        verdict[i] = READ
        if row.seen > 0 and ts_ns[i] <= row.last_ns:
            verdict[i] = REPEATED if ts_ns[i] == row.last_ns and raw[i] == row.raw else LATE
            continue
        dt = _elapsed(row, ts_ns[i])
        v = _value(row, kind[slot[i]], raw[i], ts_ns[i], dt)
        row.raw = raw[i]
        row.last_ns = ts_ns[i]
        row.seen = min(row.seen + 1, 2)
        step[i] = row.step
        if row.resumed_ns > 0:
            resumed[i] = (ts_ns[i] - row.resumed_ns) * 1e-9
        if abs(v) < VALUE_MAX:  # false for NaN too
            value[i] = v
            without -= 1
            _learn_size(row, abs(v), dt)
    return without
