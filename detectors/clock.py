"""The clock of each series: what samples may be used, how far apart they are, which row learns from them.

This is the first kernel of every batch. It turns (slot, time, value) into the rows that detectors are fed.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from detectors.ahead import ask_for
from detectors.contract import VALUE_MAX, VALUE_MIN
from detectors.kernel import device, kernel

STATE: Final = np.dtype(
    [
        ("last_ns", np.int64),  # event time of the newest sample
        ("first_ns", np.int64),  # and of the first
        ("step", np.float64),  # usual seconds between samples; 0 unknown
        ("seen", np.int32),  # samples so far, held at SEEN_MAX
        ("shadow", np.int32),  # 0: learns itself; k > 0: row k - 1 learns in its place; -1: nothing learns
        ("epoch", np.int32),  # how often the model was adopted anew, held at EPOCH_MAX
        ("calm", np.int32),  # ordinary samples since the last surprising one
        ("heat", np.float32),  # the sum of surprises, averaged over the last few samples
        ("whole_heat", np.float32),  # the same with what of it is usual at its minute of the day
    ],
    align=True,
)
SPAN: Final = np.dtype([("start_ns", np.int64), ("offset_ns", np.int64)], align=True)
"""A time zone is rows of it, ascending: from `start_ns` (UTC) on its clocks show UTC plus `offset_ns`. The first has no beginning."""
UTC: Final = np.array([(-(2**63), 0)], SPAN)
SEEN_MAX: Final = 2_000_000_000
EPOCH_MAX: Final = 32_767


@device
def span_of(zone: NDArray[np.void], ts_ns: int, near: int) -> int:
    """The row of the zone in which a time lies. `near` is looked at first: the samples of a batch are hardly ever apart."""
    last = zone.shape[0] - 1
    if zone[near].start_ns <= ts_ns and (near == last or ts_ns < zone[near + 1].start_ns):
        return near
    low = 0
    high = last
    while low < high:
        middle = (low + high + 1) // 2
        if zone[middle].start_ns <= ts_ns:
            low = middle
        else:
            high = middle - 1
    return low


@kernel
def read_clock(
    clock: NDArray[np.void],
    rows: NDArray[np.int64],
    ts_ns: NDArray[np.int64],
    value: NDArray[np.float64],
    zone: NDArray[np.void],
    feed: NDArray[np.void],
) -> None:
    """Fill `feed` for the series in `rows` and move their clocks. What is late, repeated, not finite or huge gets read = -1."""
    span = 0
    for i in range(rows.shape[0]):
        out = feed[i]
        row = clock[rows[i]]
        ask_for(clock[out.next])
        x = value[i]
        out.read = -1
        out.write = -1
        span = span_of(zone, ts_ns[i], span)
        out.ts_ns = ts_ns[i]
        out.civil_ns = ts_ns[i] + zone[span].offset_ns
        out.value = x
        out.seasonal = 0.0
        usable = abs(x) < VALUE_MAX  # false for NaN too
        if not usable or (row.seen > 0 and ts_ns[i] <= row.last_ns):
            continue
        if abs(x) < VALUE_MIN:
            out.value = 0.0
        dt = 0.0
        if row.seen == 0:
            row.first_ns = ts_ns[i]
        else:
            dt = (ts_ns[i] - row.last_ns) * 1e-9
            if row.step > 0.0:
                row.step += 0.1 * (min(dt, 3.0 * row.step) - row.step)
            else:
                row.step = dt
        out.read = rows[i]
        out.write = rows[i] if row.shadow == 0 else row.shadow - 1 if row.shadow > 0 else -1
        out.dt = dt
        out.step = row.step
        out.seen = float(row.seen)
        row.last_ns = ts_ns[i]
        row.seen = min(row.seen + 1, SEEN_MAX)
