"""Where a series has been: how often a value like this was seen at all, in this quarter of the day, and in this hour.

A table of 24 hours (UTC) by 32 bins counts every sample. The bins are even in z / (|z| + 2) of the distance z from the mean of all
samples, in their deviations, so that there is one for any value; a bin's neighbours count half. An hour that was never looked at has
seen nothing and says nothing: a series of some minutes, or one sample a day, is judged by what there is.
"""

from __future__ import annotations

import math
from typing import Final

import numpy as np

from detectors.contract import Row
from detectors.kernel import device
from detectors.portable import ln

HOURS: Final = 24
QUARTER: Final = 6
"""Hours in a quarter of the day. From 2 to 8 there is no difference."""
BINS: Final = 32
HOUR_NS: Final = 3_600_000_000_000
STATE: Final = np.dtype(
    [
        ("count", np.float64, (HOURS, BINS)),
        ("total", np.float64, HOURS),
        ("seen", np.float64),
        ("centre", np.float64),
        ("square", np.float64),  # sum of squared distances from it
    ],
    align=True,
)


@device
def bin_of(row: Row, value: float) -> int:
    """The bin of a value, which takes part in the mean and the deviation already."""
    row.seen += 1.0
    off = value - row.centre
    row.centre += off / row.seen
    row.square += off * (value - row.centre)
    spread = math.sqrt(row.square / row.seen)
    z = (value - row.centre) / spread if spread > 0.0 else 0.0
    return int((z / (abs(z) + 2.0) + 1.0) * (0.5 * BINS))


@device
def rareness(row: Row, first: int, hours: int, place: int) -> float:
    """-ln of the share of a bin among the samples of some hours; 0 when there are none."""
    near, total = 1.0, 1.0
    for hour in range(first, first + hours):
        total += 4.0 * row.total[hour]
        near += 2.0 * row.count[hour, place]
        if place > 0:
            near += row.count[hour, place - 1]
        if place < BINS - 1:
            near += row.count[hour, place + 1]
    return max(ln(total / near), 0.0)


@device
def remember(row: Row, hour: int, place: int) -> None:
    row.count[hour, place] += 1.0
    row.total[hour] += 1.0
