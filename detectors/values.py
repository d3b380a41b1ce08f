"""From what a producer sends to the value that is scored: cumulative counters and deltas become rates a second.

Also learned here, for each series: the usual distance of its samples and the usual size of its values.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from detectors.kernel import kernel

STATE: Final = np.dtype(
    [
        ("first_ns", np.int64),
        ("last_ns", np.int64),  # event time of the newest sample
        ("raw", np.float64),  # as it came
        ("step", np.float64),  # usual seconds between samples; 0 unknown
        ("size_of", np.float64),  # decayed average of the absolute value
        ("seen", np.int32),  # 0 none, 1 one sample, 2 more
        ("valued", np.int32),  # whether size_of is known
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


@kernel
def read_values(
    state: NDArray[np.void],
    kind: NDArray[np.int8],
    slot: NDArray[np.int64],
    ts_ns: NDArray[np.int64],
    raw: NDArray[np.float64],
    out: tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64], NDArray[np.int8]],
) -> None:
    """For each sample of the series in `slot` (all >= 0), in order, write into `out`: value, step in seconds, usual size, verdict.

    `kind` is by slot. The value is NaN when there is none yet: the first sample of a rate, and the first after a reset (how
    long a counter ran since it started again is not known; a second reset in a row is taken as counted from zero).
    Samples not above their series' newest time are LATE, or REPEATED when nothing differs; they change nothing.
    """
    value, step, size_of, verdict = out
    for i in range(slot.shape[0]):
        row = state[slot[i]]
        x = raw[i]
        value[i] = np.nan
        step[i] = row.step
        size_of[i] = row.size_of
        verdict[i] = READ
        if row.seen > 0 and ts_ns[i] <= row.last_ns:
            verdict[i] = REPEATED if ts_ns[i] == row.last_ns and x == row.raw else LATE
            continue
        dt = 0.0
        if row.seen > 0:
            dt = (ts_ns[i] - row.last_ns) * 1e-9
            if row.step > 0.0:
                row.step += 0.1 * (min(dt, 3.0 * row.step) - row.step)
            else:
                row.step = dt
        else:
            row.first_ns = ts_ns[i]
        v = np.nan
        if kind[slot[i]] == COUNTER:
            if row.seen > 0:
                grown = x - row.raw
                if grown >= 0.0:
                    v = grown / dt
                    row.reset = 0
                else:
                    if row.reset == 1:
                        v = x / dt
                    row.reset = 1
        elif kind[slot[i]] == DELTA:
            if row.seen > 0:
                v = x / dt
        else:
            v = x
        row.raw = x
        row.last_ns = ts_ns[i]
        row.seen = min(row.seen + 1, 2)
        step[i] = row.step
        if not abs(v) < VALUE_MAX:
            continue
        value[i] = v
        if row.valued == 0:
            row.valued = 1
            row.size_of = abs(v)
        else:
            row.size_of += dt / (SIZE_SECONDS + dt) * (abs(v) - row.size_of)
