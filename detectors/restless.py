"""How restless each hour of the day is: noise that comes with the traffic is no news at noon, and less of it is news at night.

A profile knows where a series is at each hour, not how far it strays. Rates stray by their roots, latencies by a share, failures
by how many requests there are; under one scale for all hours the busy ones raise the false alarms and the calm ones miss what happens.
So of the sum of surprises the height that one sample in ten exceeds is learned for each hour of the day and for all of it. By how
much an hour's is above that of the day, its sums are lowered, and raised where it is below: `STEEP` times as much, for a deviation that is
twice as usual moves the far end of a tail by more than its middle, but at most by half the threshold. Little sums move in proportion, so
what is no surprise at all stays none.

One sample in ten says nothing of faults, which are rarer, and noise is known by it in days. What is beyond the threshold teaches nothing: a
job of each day is no noise. Sixteen bits an hour: the height moves by whole steps, nine up or one down, at most once a minute.
"""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from detectors.contract import Row
from detectors.kernel import inlined as device

HOURS: Final = 24
HOUR_NS: Final = 3_600_000_000_000
MINUTE_NS: Final = 60_000_000_000
DAY_SECONDS: Final = 86_400.0
START: Final = 1.5
"""The height, in decades of the sum, that a series has before it taught its own; what is kept is the distance from it."""
UNIT: Final = 2.0**-13
"""A whole step."""
UNITS_MAX: Final = 32_000
LOWEST: Final = 0.5
"""No height is lower: where nothing ever surprises, small differences mean nothing."""
UP: Final = 9
"""Steps up of a sample that is above, for one down of a sample that is not: a tenth are."""
EXCEEDED: Final = 0.1
SPREAD: Final = 0.6
"""How fast the heights move: about the mean of what goes beyond them."""
MEMORY_DAYS: Final = 14.0
YOUNG_DAYS: Final = 2.0
"""The memory of a new series, …"""
YOUNG: Final = 0.5
"""… which grows by half its life."""
SPENT_MAX: Final = 3600.0
STEEP: Final = 2.5
MOST: Final = 0.5
"""The share of the threshold by which sums are moved at most."""
FULLY: Final = 1.5
"""Of sums of so many thresholds all of it is taken away, of lesser ones a part in proportion."""
UNPROVEN_DAYS: Final = 1.0
"""A day must have passed, …"""
PROVING_DAYS: Final = 3.0
"""… and so many more until all of it counts."""


class Habits(NamedTuple):
    """What is usual of all series by the time of day, a row each; of no rows in a tier without a season."""

    usuals: NDArray[np.uint32]  # (rows, usual.WORDS): levels of surprise by the minute
    hours: NDArray[np.int16]  # (rows, HOURS): distances of heights from START, in units
    unrest: NDArray[np.float64]  # (rows,): the same for the whole day, in decades


@device
def hour_of(civil_ns: int) -> int:
    return int(civil_ns // HOUR_NS % HOURS)


@device
def shift_of(hours: NDArray[np.int16], unrest: float, sample: Row, first_ns: int, threshold: float) -> float:
    """How much of a great sum is owed to this hour of the day; negative where the hour is a calm one."""
    days = (sample.ts_ns - first_ns) * (1e-9 / DAY_SECONDS)
    if days <= UNPROVEN_DAYS:
        return 0.0
    trust = min((days - UNPROVEN_DAYS) / PROVING_DAYS, 1.0)
    shift: float = trust * STEEP * (UNIT * hours[hour_of(sample.civil_ns)] - unrest)
    most = MOST * threshold
    return min(max(shift, -most), most)


@device
def lowered(y: float, shift: float, threshold: float) -> float:
    """A sum less what is owed to its hour."""
    return y - shift * min(y / (FULLY * threshold), 1.0)


@device
def learn_hour(hours: NDArray[np.int16], unrest: float, sample: Row, first_ns: int, y: float) -> float:
    """Move the hour's height by a sum; gives that of the day, moved. Of the samples within a minute the first one teaches."""
    if sample.civil_ns % MINUTE_NS >= sample.dt * 1e9:
        return unrest
    days = (sample.ts_ns - first_ns) * (1e-9 / DAY_SECONDS)
    memory = DAY_SECONDS * min(MEMORY_DAYS, YOUNG_DAYS + YOUNG * days)
    spent = min(max(sample.dt, 60.0), SPENT_MAX)
    pace = SPREAD * spent / (memory + spent)
    hour = hour_of(sample.civil_ns)
    height = int(hours[hour])
    steps = int(SPREAD * HOURS * spent / (memory + HOURS * spent) / UNIT + 0.5)
    height += UP * steps if y > START + UNIT * height else -steps
    hours[hour] = min(max(height, int((LOWEST - START) / UNIT)), UNITS_MAX)
    above = 1.0 if y > START + unrest else 0.0
    moved: float = unrest + pace / EXCEEDED * (above - EXCEEDED)
    return min(max(moved, LOWEST - START), UNIT * UNITS_MAX)
