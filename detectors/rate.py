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
from detectors.blocks import BLOCK, room
from detectors.contract import Row
from detectors.kernel import inlined, kernel
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


@inlined
def paces_of(
    feed: NDArray[np.void], params: Params, fast: NDArray[np.float64], slow: NDArray[np.float64], scale: NDArray[np.float64]
) -> None:
    """How much each sample of a block moves the two averages and the scale: of its time alone, so for several at once."""
    n = feed.shape[0]
    for i in range(n):
        fast[i] = feed[i].dt
        slow[i] = feed[i].seen
    for i in range(n):
        dt, seen = fast[i], slow[i]
        least = 1.0 / (seen + 1.0)
        fast[i] = max(dt / (params.fast_seconds + dt), least)
        slow[i] = max(dt / (params.slow_seconds + dt), least)
        scale[i] = max(min(dt / (params.scale_seconds + dt), 0.2), 1.0 / seen)


@inlined
def observe(row: Row, sample: Row, fast: float, slow: float) -> None:
    """Move the averages and the run: the present, not the model."""
    dt = sample.dt
    value = sample.value - sample.seasonal
    if sample.seen == 0.0:
        row.fast = value
        row.slow = value
        return
    row.fast += fast * (value - row.fast)
    row.slow += slow * (value - row.slow)
    rises = row.fast > row.slow
    goes_on = row.run if rises == (row.run > 0.0) else 0.0
    row.run = goes_on + (dt if rises else -dt)


@inlined
def learn(row: Row, seen: float, pace: float) -> None:
    if seen == 0.0:
        return
    distance = abs(row.fast - row.slow)
    if seen > 30.0:
        distance = min(distance, 5.0 * row.scale + 1e-6 * abs(row.slow) + 1e-12)
    scale = row.scale + pace * (distance - row.scale)
    row.scale = scale if scale >= 1e-30 else 0.0


@inlined
def follow(
    state: NDArray[np.void],
    feed: NDArray[np.void],
    verdict: NDArray[np.void],
    fast: NDArray[np.float64],
    slow: NDArray[np.float64],
    scale: NDArray[np.float64],
) -> None:
    """Move what a block's samples move; put their slope into `fast`, what is a usual one into `slow` and how long it lasts into `scale`."""
    for i in range(feed.shape[0]):
        sample = feed[i]
        pace = scale[i]
        distance, size, run = 0.0, 1.0, 0.0
        if sample.read >= 0:
            ask_for(state[sample.next])
            row = state[sample.read]
            out = verdict[i]
            observe(row, sample, fast[i], slow[i])
            run = row.run
            out.since = abs(run)
            out.direction = int(run > 0.0) - int(run < 0.0)
            if sample.seen > 30.0:
                distance = abs(row.fast - row.slow)
            size = 1.25 * row.scale + 1e-6 * abs(row.slow) + 1e-12
            if sample.write >= 0 and sample.write != sample.read:
                observe(state[sample.write], sample, fast[i], slow[i])
            if sample.write >= 0:
                learn(state[sample.write], sample.seen, pace)
        fast[i], slow[i], scale[i] = distance, size, run


@kernel
def score_rate(state: NDArray[np.void], feed: NDArray[np.void], params: Params, verdict: NDArray[np.void]) -> None:
    """See contract.py. The sample moves the averages first: the slope that it leaves is scored, then learned.

    A slope counts in usual ones, the more the longer it lasts. The floor is a part in a million of the level: rounding is no trend.
    """
    fast, slow, scale = room(BLOCK, np.float64), room(BLOCK, np.float64), room(BLOCK, np.float64)
    for start in range(0, feed.shape[0], BLOCK):
        some, out = feed[start : start + BLOCK], verdict[start : start + BLOCK]
        n = some.shape[0]
        paces_of(some, params, fast, slow, scale)
        follow(state, some, out, fast, slow, scale)
        for i in range(n):
            lasted = min(abs(scale[i]) / params.slow_seconds, 8.0)
            fast[i] = tail_decades(fast[i] / slow[i] * math.sqrt(0.5 + lasted))
        for i in range(n):
            if some[i].read >= 0:
                out[i].decades = fast[i]
                out[i].expected = np.nan
                out[i].scale = np.nan


def adopted(row: np.void, before: np.void, value: float) -> None:
    """No slope leads to the new level any more."""
    row["fast"] = value
    row["slow"] = value
    row["run"] = 0.0
    row["scale"] = before["scale"]
