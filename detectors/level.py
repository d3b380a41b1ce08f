"""Surprise against the recent level, at three ages: the previous sample, hours and days.

Each age keeps a level and the usual distance from it (mean absolute deviation). Both forget by time, alpha = dt / (tau + dt),
so a series sampled each second and one sampled each minute remember equally long. A deviation teaches at most four usual ones (Huber,
1964), so a spike leaves the model as it was; a lasting shift widens the scale geometrically and is learned after all.

Noise is often lopsided: latencies have a long tail above, rates of success one below. By how much the distances that one deviation from the
middle age in ten exceeds must be shifted, until as many go beyond on either side, is learned (`tilt`). Were the noise a normal one bent by an
exponential (Tukey's g, 1977), that would tell g; on the longer side z counts as about ln(1 + g z) / g. The shorter side counts as it is.

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
from detectors.blocks import BLOCK, alike, repeat, room
from detectors.contract import Row
from detectors.kernel import inlined, kernel
from detectors.portable import FREEDOM, log10

AGES: Final = 3
_PACES: Final = AGES * BLOCK
"""Columns of a block, one for each age."""
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
        ("tilt", np.float64),  # how much longer noise is above than below the middle age, in usual deviations; negative: below
    ],
    align=True,
)
BEYOND: Final = 1.28
"""Usual deviations that one sample of normal noise in ten exceeds, on each side."""
BENT: Final = 2.0 / (BEYOND * BEYOND)
"""From a tilt to g."""
TILT_MAX: Final = 0.8
TILT_PACE: Final = 2.5
"""About one over the density of normal noise there, on both sides together."""


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


@inlined
def age_of(age: int, step: float, params: Params) -> float:
    """The time constant of a level."""
    if age == 0:
        return 0.0  # the previous sample
    return max(params.hours, params.steps * step) if age == 1 else params.days


@inlined
def floor_of(row: Row, age: int) -> float:
    """The least deviation that can count as one."""
    floor: float = 0.1 * row.quantum + 1e-9 * abs(row.level[age]) + 1e-12
    return floor


@inlined
def clipped(odds: NDArray[np.float64], i: int) -> float:
    """The mean of the three ages' decades where one must be clipped, which is rare."""
    decades = 0.0
    for age in range(AGES):
        decades += tails.soft_clip(0.5 * FREEDOM * log10(odds[age * BLOCK + i]), CLIP) / AGES
    return decades


@inlined
def learn_quantum(row: Row, change: float) -> None:
    if change <= 0.0:
        return
    if row.quantum > 0.0:
        row.quantum += 0.02 * (min(change, 10.0 * row.quantum) - row.quantum)
    else:
        row.quantum = change


@inlined
def learn_tilt(row: Row, deviation: float, size: float, pace: float) -> None:
    """Towards the side on which more samples are beyond (Robbins and Monro 1951)."""
    above = 1.0 if deviation > (BEYOND + row.tilt) * size else 0.0
    below = 1.0 if -deviation > (BEYOND - row.tilt) * size else 0.0
    tilt = row.tilt + TILT_PACE * pace * (above - below)
    row.tilt = min(max(tilt, -TILT_MAX), TILT_MAX)


@inlined
def learn_first(row: Row, value: float) -> None:
    for age in range(AGES):
        row.level[age] = value


@inlined
def memory_of(age: int, step: float, params: Params) -> float:
    """The time constant of a scale."""
    return max(params.scale_seconds, 4.0 * age_of(age, step, params), params.scale_steps * step)


@inlined
def paces_of(
    feed: NDArray[np.void], params: Params, spare: NDArray[np.float64], teach: NDArray[np.float64], move: NDArray[np.float64]
) -> None:
    """How much each sample of a block moves a scale (`teach`) and a level (`move`), by age: of its time alone, so for several at once."""
    n = feed.shape[0]
    for i in range(n):
        spare[i] = feed[i].dt
        move[i] = feed[i].step
        teach[i] = feed[i].seen
    same = alike(n, spare, move, teach)
    for i in range(1 if same else n):
        dt, step, seen = spare[i], move[i], teach[i]
        least = 1.0 / seen
        teach[i] = max(min(dt / (memory_of(0, step, params) + dt), 0.2), least)
        teach[BLOCK + i] = max(min(dt / (memory_of(1, step, params) + dt), 0.2), least)
        teach[2 * BLOCK + i] = max(min(dt / (memory_of(2, step, params) + dt), 0.2), least)
        least = 1.0 / (seen + 1.0)
        move[BLOCK + i] = max(dt / (age_of(1, step, params) + dt), least)
        move[2 * BLOCK + i] = max(dt / (age_of(2, step, params) + dt), least)
    if same:
        for age in range(AGES):
            repeat(n, teach[age * BLOCK : (age + 1) * BLOCK])
            repeat(n, move[age * BLOCK : (age + 1) * BLOCK])


@inlined
def learn(row: Row, sample: Row, i: int, params: Params, teach: NDArray[np.float64], move: NDArray[np.float64]) -> None:
    """Learn sample `i` of a block."""
    value, seen = sample.value - sample.seasonal, sample.seen
    if seen == 0.0:
        learn_first(row, value)
        return
    # The first change sets the floor that its own lesson is bounded by.
    learn_quantum(row, abs(value - row.level[0]))
    for age in range(AGES):
        deviation = value - row.level[age]
        size = 1.25 * row.scale[age] + floor_of(row, age)
        if age == 1 and seen > 10.0:
            learn_tilt(row, deviation, size, teach[BLOCK + i])
        if seen > 10.0:
            limit = params.bound * size
            deviation = min(max(deviation, -limit), limit)
        scale = row.scale[age] + teach[age * BLOCK + i] * (abs(deviation) - row.scale[age])
        row.scale[age] = scale if scale >= 1e-30 else 0.0
        row.level[age] = value if age == 0 else row.level[age] + move[age * BLOCK + i] * deviation


@inlined
def weigh(
    state: NDArray[np.void],
    feed: NDArray[np.void],
    params: Params,
    verdict: NDArray[np.void],
    apart: NDArray[np.float64],
    size: NDArray[np.float64],
    tilt: NDArray[np.float64],
    paces: tuple[NDArray[np.float64], NDArray[np.float64]],
) -> None:
    """Expectations of a block; how far its samples are from each age's level, above or below, what is usual there, and the tilt. Learn them."""
    teach, move = paces
    for i in range(feed.shape[0]):
        sample = feed[i]
        for age in range(AGES):
            apart[age * BLOCK + i] = 0.0
            size[age * BLOCK + i] = 1.0
        tilt[i] = 0.0
        if sample.read < 0:
            continue
        ask_for(state[sample.next])
        row = state[sample.read]
        out = verdict[i]
        out.expected = np.nan
        out.scale = np.nan
        out.direction = 0
        value = sample.value - sample.seasonal
        if sample.seen > 0.0:
            out.expected = row.level[1] + sample.seasonal
            out.scale = 1.25 * row.scale[1] + floor_of(row, 1)
            out.direction = int(sample.value > out.expected) - int(sample.value < out.expected)
        if sample.seen > 10.0:
            tilt[i] = row.tilt
            for age in range(AGES):
                apart[age * BLOCK + i] = value - row.level[age]
                size[age * BLOCK + i] = 1.25 * row.scale[age] + floor_of(row, age)
        if sample.write != sample.read:
            row.level[0] = value  # the present; the model stays
        if sample.write >= 0:
            learn(state[sample.write], sample, i, params, teach, move)


@inlined
def bent(z: float, g: float) -> float:
    """A deviation of z on its own side, where that is the longer one: about ln(1 + g z) / g (Pade), and growing without bound."""
    x = max(g * z, 0.0)
    return z * ((6.0 + x) / (6.0 + 4.0 * x))


@inlined
def odds_of(
    apart: NDArray[np.float64],
    size: NDArray[np.float64],
    tilt: NDArray[np.float64],
    n: int,
    decades: NDArray[np.float64],
    most: NDArray[np.float64],
) -> None:
    """Put 1 + z * z / FREEDOM of each age into `apart`, the largest of the three into `most`, and their decades by three into `decades`.

    A tail is their third power, and a product needs one logarithm in place of three. It is of no use where an age must be clipped.
    A step from the previous sample is bent on no side: what goes up comes down.
    """
    for i in range(n):
        g = BENT * tilt[i]
        product = 1.0
        largest = 0.0
        for age in range(AGES):
            z = min(max(apart[age * BLOCK + i] / size[age * BLOCK + i], -FAR), FAR)
            if age > 0:
                z = bent(z, g)
            odds = 1.0 + z * z / FREEDOM
            apart[age * BLOCK + i] = odds
            product *= odds
            largest = max(largest, odds)
        most[i] = largest
        decades[i] = log10(min(product, CLIP_ODDS * CLIP_ODDS * CLIP_ODDS))


@kernel
def score_level(state: NDArray[np.void], feed: NDArray[np.void], params: Params, verdict: NDArray[np.void]) -> None:
    """See contract.py. Its decades are the sum of the three ages', each clipped softly, divided by three."""
    apart, size = room(_PACES, np.float64), room(_PACES, np.float64)
    tilt = room(BLOCK, np.float64)
    teach, move = room(_PACES, np.float64), room(_PACES, np.float64)
    for start in range(0, feed.shape[0], BLOCK):
        some, out = feed[start : start + BLOCK], verdict[start : start + BLOCK]
        n = some.shape[0]
        paces_of(some, params, apart, teach, move)
        weigh(state, some, params, out, apart, size, tilt, (teach, move))
        odds_of(apart, size, tilt, n, move, teach)
        for i in range(n):
            if some[i].read >= 0:
                out[i].decades = move[i] if teach[i] < CLIP_ODDS else clipped(apart, i)
                out[i].since = 0.0


def adopted(row: np.void, before: np.void, value: float) -> None:
    """Every age begins at the new level; noise is taken to have grown with it, as it mostly does, but at most threefold."""
    growth = abs(value) / max(abs(float(before["level"][1])), 1e-12)
    row["level"][:] = value
    row["scale"][:] = before["scale"] * min(max(growth, 1.0), 3.0)
    row["tilt"] = before["tilt"]
