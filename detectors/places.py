"""Where a series has been: how often a value like this was seen at all, in this quarter of the day, and in this hour.

A table of hours (UTC) by 32 bins counts every sample. The bins are even in z / (|z| + 2) of the distance z from the mean of all
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
QUARTERS: Final = HOURS
"""The row of the first quarter of the day, after those of the hours. Parts of 2 to 8 hours do as well."""
QUARTER: Final = 6
"""Hours in it."""
EVER: Final = 28
"""The row that counts all samples."""
BINS: Final = 32
HOUR_NS: Final = 3_600_000_000_000
STATE: Final = np.dtype(
    [
        ("count", np.float64, (EVER + 1, BINS)),
        ("total", np.float64, EVER + 1),
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
    return min(int((z / (abs(z) + 2.0) + 1.0) * (0.5 * BINS)), BINS - 1)


@device
def rareness(row: Row, part: int, place: int) -> float:
    """-ln of the share of a bin among the samples of one part of the day, or of all; 0 when there are none."""
    near = 2.0 * row.count[part, place]
    if place > 0:
        near += row.count[part, place - 1]
    if place < BINS - 1:
        near += row.count[part, place + 1]
    return ln((4.0 * row.total[part] + 1.0) / (near + 1.0))


@device
def remember(row: Row, hour: int, place: int) -> None:
    for part in (hour, QUARTERS + hour // QUARTER, EVER):
        row.count[part, place] += 1.0
        row.total[part] += 1.0
