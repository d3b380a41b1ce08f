"""Surprise against the recent level, at three ages: the previous sample, hours and days.

Each age keeps a level and the usual distance from it (mean absolute deviation). Both forget by time, alpha = dt / (tau + dt),
so a series sampled each second and one sampled each minute remember equally long. A deviation teaches at most four usual ones (Huber,
1964), so a spike leaves the model as it was; a lasting shift widens the scale geometrically and is learned after all.

The scale is floored by the series' own resolution: a part of its usual non-zero change. A counter of rare events so
learns that one event is nothing; the first departure from a constant is left to `flat`.
"""

from __future__ import annotations

from typing import Annotated, Final, NamedTuple

import numpy as np
from annotated_types import Gt, Le
from numpy.typing import NDArray

from detectors import tails
from detectors.ahead import ask_for
from detectors.contract import Row
from detectors.kernel import device, kernel
from detectors.portable import FREEDOM, log10, tail_decades

AGES: Final = 3
CLIP: Final = 6.0
"""Decades that one age may give in full, …"""
CLIP_ODDS: Final = 100.0
"""… which are reached at 1 + z * z / FREEDOM of this: the tail is its third power."""
FAR: Final = 1e150
STATE: Final = np.dtype(
    [
        ("level", np.float64, AGES),
        ("scale", np.float64, AGES),  # mean absolute deviation, without the floor
        ("quantum", np.float64),  # usual size of a change that is one
    ],
    align=True,
)


class Params(NamedTuple):
    """Times in seconds."""

    hours: Annotated[float, Gt(0)] = 5400.0
    """The middle age, at least."""
    steps: Annotated[float, Gt(0)] = 4.0
    """And the steps it is long at least: an hour is one sample of an hourly series."""
    days: Annotated[float, Gt(0)] = 172_800.0
    """The old age."""
    scale_seconds: Annotated[float, Gt(0)] = 259_200.0
    """How long deviations are remembered, at least; an old age remembers them four times as long as its level."""
    scale_steps: Annotated[float, Gt(0)] = 300.0
    """And the steps it is at least: fewer would let one anomaly make the next one usual."""
    bound: Annotated[float, Gt(1), Le(20)] = 4.0
    """How many usual deviations one sample may teach."""


@device
def age_of(age: int, step: float, params: Params) -> float:
    """The time constant of a level."""
    if age == 0:
        return 0.0  # the previous sample
    return max(params.hours, params.steps * step) if age == 1 else params.days


@device
def floor_of(row: Row, age: int) -> float:
    """The least deviation that can count as one."""
    floor: float = 0.1 * row.quantum + 1e-9 * abs(row.level[age]) + 1e-12
    return floor


@device
def rarity_of(row: Row, value: float) -> float:
    """One over the product of the three ages' tail probabilities, to the power of a third of the tail's; < 0: minus their decades, clipped.

    A product needs one logarithm in place of three. It is of no use where an age must be clipped, which is rare.
    """
    product = 1.0
    most = 0.0
    for age in range(AGES):
        z = apart(row, age, value)
        odds = 1.0 + z * z / FREEDOM
        product *= odds
        most = max(most, odds)
    if most < CLIP_ODDS:
        return product
    decades = 0.0
    for age in range(AGES):
        decades += tails.soft_clip(tail_decades(apart(row, age, value)), CLIP) / AGES
    return -decades


@device
def apart(row: Row, age: int, value: float) -> float:
    """The distance from one age's level in its usual ones."""
    z: float = abs(value - row.level[age]) / (1.25 * row.scale[age] + floor_of(row, age))
    return min(z, FAR)


@device
def learn_quantum(row: Row, change: float) -> None:
    if change <= 0.0:
        return
    if row.quantum > 0.0:
        row.quantum += 0.02 * (min(change, 10.0 * row.quantum) - row.quantum)
    else:
        row.quantum = change


@device
def learn_first(row: Row, value: float) -> None:
    for age in range(AGES):
        row.level[age] = value


@device
def learn(row: Row, sample: Row, params: Params) -> None:
    value, dt, seen = sample.value - sample.seasonal, sample.dt, sample.seen
    if seen == 0.0:
        learn_first(row, value)
        return
    # The first change sets the floor that its own lesson is bounded by.
    learn_quantum(row, abs(value - row.level[0]))
    for age in range(AGES):
        deviation = value - row.level[age]
        if seen > 10.0:
            limit = params.bound * (1.25 * row.scale[age] + floor_of(row, age))
            deviation = min(max(deviation, -limit), limit)
        tau = age_of(age, sample.step, params)
        memory = max(params.scale_seconds, 4.0 * tau, params.scale_steps * sample.step)
        row.scale[age] += max(min(dt / (memory + dt), 0.2), 1.0 / seen) * (abs(deviation) - row.scale[age])
        if row.scale[age] < 1e-30:
            row.scale[age] = 0.0
        if age == 0:
            row.level[0] = value
        else:
            row.level[age] += max(dt / (tau + dt), 1.0 / (seen + 1.0)) * deviation


@kernel
def score_level(state: NDArray[np.void], feed: NDArray[np.void], params: Params, verdict: NDArray[np.void]) -> None:
    """See contract.py. Its decades are the sum of the three ages', each clipped softly, divided by three."""
    for i in range(feed.shape[0]):
        sample = feed[i]
        if sample.read < 0:
            continue
        ask_for(state[sample.next])
        row = state[sample.read]
        out = verdict[i]
        out.expected = np.nan
        out.scale = np.nan
        out.direction = 0
        out.since = 0.0
        value = sample.value - sample.seasonal
        if sample.seen > 0.0:
            out.expected = row.level[1] + sample.seasonal
            out.scale = 1.25 * row.scale[1] + floor_of(row, 1)
            out.direction = int(sample.value > out.expected) - int(sample.value < out.expected)
        out.decades = rarity_of(row, value) if sample.seen > 10.0 else 1.0
        if sample.write == sample.read:
            learn(row, sample, params)
            continue
        row.level[0] = value  # the present; the model stays
        if sample.write >= 0:
            learn(state[sample.write], sample, params)
    for i in range(feed.shape[0]):  # logarithms of their own, so that the processor works on several at a time
        if feed[i].read >= 0:
            rarity = verdict[i].decades
            verdict[i].decades = log10(rarity) if rarity > 0.0 else -rarity


def adopted(row: np.void, before: np.void, value: float) -> None:
    """Every age begins at the new level; noise is taken to have grown with it, as it mostly does, but at most threefold."""
    growth = abs(value) / max(abs(float(before["level"][1])), 1e-12)
    row["level"][:] = value
    row["scale"][:] = before["scale"] * min(max(growth, 1.0), 3.0)
