"""Surprise at the speed of change: leaks, filling disks, slow decay, long before the level itself is unusual.

The slope is the distance between two averages of different age divided by the difference of their ages: a straight ramp gives
exactly its slope, noise is averaged away. It is judged against the usual size of the series' own slopes, and counts the more
the longer it keeps its sign: a leak does, noise and daily waves that were seen before do not.
"""

from __future__ import annotations

import math
from typing import Annotated, Final, NamedTuple

import numpy as np
from annotated_types import Gt
from numpy.typing import NDArray

from detectors.ahead import ask_for
from detectors.contract import Row
from detectors.kernel import device, kernel
from detectors.portable import tail_decades

STATE: Final = np.dtype(
    [
        ("fast", np.float64),  # the younger average
        ("slow", np.float64),  # the older one
        ("run", np.float64),  # seconds for which the slope has kept its sign; negative while it falls
        ("scale", np.float64),  # mean absolute distance of the two averages
    ],
    align=True,
)


class Params(NamedTuple):
    """Times in seconds."""

    fast_seconds: Annotated[float, Gt(0)] = 900.0
    slow_seconds: Annotated[float, Gt(0)] = 7200.0
    scale_seconds: Annotated[float, Gt(0)] = 432_000.0


@device
def steepness_of(row: Row, params: Params) -> float:
    """The present slope in usual ones, the more the longer it lasts. The floor is a part in a million of the level: rounding is no trend."""
    distance = abs(row.fast - row.slow)
    z: float = distance / (1.25 * row.scale + 1e-6 * abs(row.slow) + 1e-12)
    lasted = min(abs(row.run) / params.slow_seconds, 8.0)
    return z * math.sqrt(0.5 + lasted)


@device
def observe(row: Row, sample: Row, params: Params) -> None:
    """Move the averages and the run: the present, not the model."""
    dt = sample.dt
    value = sample.value - sample.seasonal
    if sample.seen == 0.0:
        row.fast = value
        row.slow = value
        return
    row.fast += max(dt / (params.fast_seconds + dt), 1.0 / (sample.seen + 1.0)) * (value - row.fast)
    row.slow += max(dt / (params.slow_seconds + dt), 1.0 / (sample.seen + 1.0)) * (value - row.slow)
    rises = row.fast > row.slow
    if rises == (row.run > 0.0):
        row.run += dt if rises else -dt
    else:
        row.run = dt if rises else -dt


@device
def learn(row: Row, sample: Row, params: Params) -> None:
    if sample.seen == 0.0:
        return
    dt = sample.dt
    distance = abs(row.fast - row.slow)
    if sample.seen > 30.0:
        distance = min(distance, 5.0 * row.scale + 1e-6 * abs(row.slow) + 1e-12)
    row.scale += max(min(dt / (params.scale_seconds + dt), 0.2), 1.0 / sample.seen) * (distance - row.scale)
    if row.scale < 1e-30:
        row.scale = 0.0


@kernel
def score_rate(state: NDArray[np.void], feed: NDArray[np.void], params: Params, verdict: NDArray[np.void]) -> None:
    """See contract.py. The sample moves the averages first: the slope that it leaves is scored, then learned."""
    for i in range(feed.shape[0]):
        sample = feed[i]
        if sample.read < 0:
            continue
        ask_for(state[sample.next])
        row = state[sample.read]
        out = verdict[i]
        observe(row, sample, params)
        out.expected = np.nan
        out.scale = np.nan
        out.decades = steepness_of(row, params) if sample.seen > 30.0 else 0.0
        out.since = abs(row.run)
        out.direction = 1 if row.run > 0.0 else (-1 if row.run < 0.0 else 0)
        if sample.write == sample.read:
            learn(row, sample, params)
        elif sample.write >= 0:
            observe(state[sample.write], sample, params)
            learn(state[sample.write], sample, params)
    for i in range(feed.shape[0]):  # logarithms of their own, so that the processor works on several at a time
        if feed[i].read >= 0:
            verdict[i].decades = tail_decades(verdict[i].decades)


def adopted(row: np.void, before: np.void, value: float) -> None:
    """No slope leads to the new level any more."""
    row["fast"] = value
    row["slow"] = value
    row["run"] = 0.0
    row["scale"] = before["scale"]
