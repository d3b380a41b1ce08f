"""How many events there were, and how many of them were bad: increments of chosen series, summed in buckets of event time.

A series has roles: with each its increments are added to the sums of one group, times the weight that the role gives them. What was good is
counted by `total` with (1, 1) and `good` with (-1, 0): so the two may come from different logs, and what is bad is known when both are added.

An increment is what a counter grew by; one that fell began again at zero, so all it says is new. The first value of a counter says nothing,
unless its group was there long before it: then it began just now, as the first error of a kind does, and a small value is all new.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from detectors.contract import Row
from detectors.kernel import device, kernel

ROLES_MAX: Final = 16
"""Roles of one series."""
OPEN: Final = 16
"""Buckets that are open at the same time; what lies beyond is counted in the nearest."""
FIRST_MAX: Final = 100.0
"""The greatest first value of a counter that may be all new."""
STATE: Final = np.dtype(
    [
        ("last_ns", np.int64),  # of the newest sample
        ("last", np.float64),  # and what it said
        ("group", np.int64, ROLES_MAX),
        ("role", np.int32, ROLES_MAX),
        ("roles", np.int32),
        ("is_counter", np.int8),
        ("is_young", np.int8),  # it began when its group was there already
        ("seen", np.int8),
    ],
    align=True,
)
ROLE: Final = np.dtype(
    [
        ("bad", np.float64),  # weight of an increment among what is bad
        ("total", np.float64),  # and among everything
        ("at_most", np.float64),  # the greatest good value, where `is_level`
        ("is_level", np.int8),  # each sample is one event, bad when it is beyond `at_most`
    ],
    align=True,
)
SUM: Final = np.dtype([("bad", np.float64), ("total", np.float64), ("filled", np.int8)], align=True)


@device
def _increment(row: Row, ts_ns: int, raw: float) -> float:
    """What is new since the sample before; NaN when that is not known."""
    grown = raw
    if row.is_counter == 1:
        if row.seen == 0:
            grown = raw if row.is_young == 1 and 0.0 <= raw <= FIRST_MAX else np.nan
        elif raw >= row.last:
            grown = raw - row.last
    row.last = raw
    row.last_ns = ts_ns
    row.seen = 1
    return grown


@kernel
def take(
    state: NDArray[np.void],
    roles: NDArray[np.void],
    place: NDArray[np.int64],
    ts_ns: NDArray[np.int64],
    raw: NDArray[np.float64],
    bucket_ns: int,
    first: NDArray[np.int64],
    sums: NDArray[np.void],
) -> None:
    """Samples of the series in `place` (all >= 0), in order. `first[0]` is the first open bucket, 0 before there was any.

    `sums` has a row for each group, and in it bucket b at b modulo OPEN. A bucket ends with its last nanosecond's next: a sample that is
    taken at the end of a minute speaks of it. Samples not above their series' newest time change nothing.
    """
    for i in range(place.shape[0]):
        row = state[place[i]]
        if row.seen == 1 and ts_ns[i] <= row.last_ns:
            continue
        grown = _increment(row, ts_ns[i], raw[i])
        bucket = (ts_ns[i] - 1) // bucket_ns
        if first[0] == 0:
            first[0] = bucket
        bucket = min(max(bucket, first[0]), first[0] + OPEN - 1) % OPEN
        for k in range(row.roles):
            role = roles[row.role[k]]
            cell = sums[row.group[k], bucket]
            if role.is_level == 1:
                cell.total += 1.0
                cell.bad += 1.0 if raw[i] > role.at_most else 0.0
                cell.filled = 1
            elif not np.isnan(grown):
                cell.total += role.total * grown
                cell.bad += role.bad * grown
                cell.filled = 1
