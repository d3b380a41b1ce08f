"""When an alarm starts: what is new to the series itself, told once.

A score says how surprising a sample is, against one scale for all series. A person wants fewer things: what this series does
each day is no news, however surprising each single time. Four witnesses with long memories look at the value for that:

    jump     the change from the sample before, in usual changes; counts half, for the others see it too
    record   how far beyond everything seen, as a part of the range; counts double
    shape    the distance of the last 24 samples to all shapes known (shapes.py)
    density  how rare the last four samples are together (density.py)

Each becomes decades under a tail of its own that learns what the series often does, and the sum of the four, each
held at three, is the news. An alarm starts where the news is greater than that of any alarm within the last hundred samples that were
some news at all. So that a fault's second half is not ranked below its first, nothing of this touches the score.

After: peaks over threshold (Pickands 1975; Siffer et al., KDD 2017, "SPOT") with the moments of the excesses in place of a stored sample.
"""

from __future__ import annotations

import math
from typing import Annotated, Final, NamedTuple

import numpy as np
from annotated_types import Gt
from numpy.typing import NDArray

from detectors import density, shapes
from detectors.contract import VALUE_MAX, Row
from detectors.kernel import device, kernel
from detectors.portable import ln, log10

WITNESSES: Final = 4
LARGEST: Final = 4
"""The threshold is the fourth largest of the first samples: their 98 % quantile."""
TAIL: Final = np.dtype(
    [
        ("largest", np.float64, LARGEST),  # of the first samples, descending
        ("above", np.float64),  # samples above the threshold
        ("taught", np.float64),  # excesses learned: those that were no alarm
        ("average", np.float64),  # of the excesses
        ("square", np.float64),  # their sum of squared distances from it
    ],
    align=True,
)
STATE: Final = np.dtype(
    [
        ("seen", np.int64),
        ("last", np.float64),  # the sample before
        ("change", np.float64),  # mean squared change
        ("lowest", np.float64),
        ("highest", np.float64),
        ("newest", np.float64),  # the news of the last alarm
        ("since", np.int64),  # samples with any news since then
        ("tails", TAIL, WITNESSES),
        ("shapes", shapes.STATE),
        ("density", density.STATE),
    ],
    align=True,
)
WARM: Final = 150
"""Samples before anything is news."""
CLIP: Final = 3.0
"""Decades that one witness may give in full."""
BEYOND: Final = 1e-3
"""What counts of all the others, so that the greater of two clear news is the greater."""
ALARMING: Final = 8.0
"""Decades from which an excess teaches the tail no more."""
BOUND: Final = 25.0
"""How many usual squared changes one may teach."""
SHAPE_MAX: Final = 0.45
"""The tail's shape is held within this: beyond it the moments of so few excesses mean nothing."""


class Params(NamedTuple):
    """When an alarm starts."""

    news: Annotated[float, Gt(0)] = 5.0
    """Decades of news that make an alarm's score 1.0; chosen on NAB's development files."""
    quiet_samples: Annotated[int, Gt(0)] = 100
    """For so many samples only greater news start another; a sample that is no news at all does not count."""


@device
def jumped(row: Row, value: float) -> float:
    """Learn a change; its size in usual ones, 0 for the first twenty."""
    change = value - row.last
    row.last = value
    if row.seen == 0:
        return 0.0
    size = abs(change) / (math.sqrt(row.change) + 1e-9 + 1e-6 * abs(value)) if row.seen > 20 else 0.0
    square = change * change
    if row.seen > 50 and row.change > 0.0:
        square = min(square, BOUND * row.change)
    row.change += max(0.005, 1.0 / row.seen) * (square - row.change)
    return size


@device
def recorded(row: Row, value: float) -> float:
    """Widen the range; how far the value was beyond it, as a part of it."""
    if row.seen == 0:
        row.lowest, row.highest = value, value
        return 0.0
    span = row.highest - row.lowest
    beyond = max(value - row.highest, row.lowest - value, 0.0)
    row.lowest = min(row.lowest, value)
    row.highest = max(row.highest, value)
    return beyond / span if row.seen > 20 and span > 0.0 else 0.0


@device
def collect(tail: Row, z: float) -> None:
    """Keep the largest of the first samples, the next of which is the threshold."""
    for k in range(LARGEST):
        if z > tail.largest[k]:
            for j in range(LARGEST - 1, k, -1):
                tail.largest[j] = tail.largest[j - 1]
            tail.largest[k] = z
            return


@device
def begin(tail: Row) -> None:
    for k in range(LARGEST - 1):
        if tail.largest[k] > tail.largest[LARGEST - 1]:
            tail.above += 1.0
            teach(tail, tail.largest[k] - tail.largest[LARGEST - 1])


@device
def teach(tail: Row, excess: float) -> None:
    tail.taught += 1.0
    off = excess - tail.average
    tail.average += off / tail.taught
    tail.square += off * (excess - tail.average)


@device
def beyond_decades(tail: Row, excess: float) -> float:
    """-log10 of the probability that an excess is so large: a generalised Pareto tail by its two moments."""
    mean = float(tail.average) if tail.taught > 0.0 else 1.0
    if mean <= 0.0:
        return 300.0
    variance = float(tail.square) / max(float(tail.taught) - 1.0, 1.0)
    if variance <= 1e-18:
        return min(excess / mean * 0.4342944819032518, 300.0)
    shape = min(max(0.5 * (1.0 - mean * mean / variance), -SHAPE_MAX), SHAPE_MAX)
    scale = mean * (1.0 - shape)
    if abs(shape) < 1e-6:
        return min(excess / scale * 0.4342944819032518, 300.0)
    inside = 1.0 + shape * excess / scale
    return min(ln(inside) / shape * 0.4342944819032518, 300.0) if inside > 0.0 else 300.0


@device
def decades_of(tail: Row, z: float, seen: int) -> float:
    """Decades of one witness under its own tail, which learns it then. Zero while the tail collects."""
    if seen < WARM:
        collect(tail, z)
        if seen == WARM - 1:
            begin(tail)
        return 0.0
    threshold = tail.largest[LARGEST - 1]
    known = log10(seen / max(tail.above, 1.0))
    excess = z - threshold
    if excess <= 0.0:
        return z / threshold * known if threshold > 0.0 else 0.0
    decades = known + beyond_decades(tail, excess)
    tail.above += 1.0
    if decades < ALARMING:
        teach(tail, excess)
    return decades


@device
def held(decades: float) -> float:
    return min(decades, CLIP) + BEYOND * decades


@device
def news_of(row: Row, value: float) -> float:
    """The news in a sample, in decades; learns it."""
    jump = jumped(row, value)
    record = recorded(row, value)
    shape = shapes.newness(row.shapes, max(row.highest - row.lowest, 1e-9), value)
    if row.seen < WARM:
        shape = 0.0
    rare = density.rarity(row.density, value)
    news = 0.5 * held(decades_of(row.tails[0], jump, row.seen))
    news += 2.0 * held(decades_of(row.tails[1], record, row.seen))
    news += held(decades_of(row.tails[2], shape, row.seen))
    news += held(decades_of(row.tails[3], rare, row.seen))
    row.seen += 1
    return news


@device
def starts(row: Row, news: float, params: Params) -> bool:
    """Whether news is greater than what was told of late, and is told."""
    row.since += 1
    if news <= row.newest and row.since <= params.quiet_samples:
        return False
    row.newest = news
    row.since = 0
    return True


@kernel
def alarms(state: NDArray[np.void], value: NDArray[np.float64], params: Params, out: NDArray[np.float64]) -> None:
    """Write the alarm's score where one may start (1.0: it does), else 0. `value` (n,) are one series' samples, in order.

    A value that is not finite or huge starts nothing and teaches nothing. Bytes that are all zero are an empty `state`.
    """
    row = state[0]
    for i in range(value.shape[0]):
        out[i] = 0.0
        if not abs(value[i]) < VALUE_MAX:
            continue
        news = news_of(row, value[i])
        if news > 0.0 and starts(row, news, params):
            out[i] = news / params.news


@kernel
def worst(score: NDArray[np.float64], params: Params, out: NDArray[np.float64]) -> None:
    """The same where there is no one value to look at, an entity's: what is told is the score, where it is greater than any of late."""
    newest = -1.0
    since = 0
    for i in range(score.shape[0]):
        out[i] = 0.0
        since += 1
        if score[i] >= 0.0 and (score[i] > newest or since > params.quiet_samples):
            out[i] = score[i]
            newest = score[i]
            since = 0
