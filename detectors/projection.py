"""Surprise at the shape of the last few samples: histograms of random projections (LODA).

The last four samples, in units of the series' own spread, are projected onto eight sparse random directions; each direction keeps a
histogram, and the mean of -log10 of the densities there is how unfamiliar the shape is. That mean is judged against its own
usual size, so neither a restless nor a rigid series is at a disadvantage.

After: Pevny 2016, "Loda: lightweight on-line detector of anomalies". His histograms adapt their bins; ours have fourteen fixed ones
over z / (|z| + 2), so that the state is small, bounded and needs no search, and the tails still have bins of their own.
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
from detectors.kernel import device, inlined, kernel
from detectors.portable import log10, tail_decades

LAGS: Final = 4
CUTS: Final = 8
BINS: Final = 14
_BEFORE: Final = (LAGS - 1) * BLOCK
"""Columns of a block, one for each sample before, …"""
_PLACES: Final = CUTS * BLOCK
"""… and one for each direction."""
STATE: Final = np.dtype(
    [
        ("counts", np.uint16, CUTS * BINS),  # of each direction and bin
        ("total", np.int64),  # of one direction
        ("usual", np.float32),  # usual unfamiliarity
        ("unrest", np.float32),  # and how far it usually is from that
        ("recent", np.float64, LAGS),  # the last samples, newest first
        ("centre", np.float64),
        ("spread", np.float64),  # mean absolute distance from the centre
    ],
    align=True,
)
SEEN_MIN: Final = 60.0
COUNTED_FROM: Final = 20.0
FAR: Final = 1e6
"""Distances are held within this, so that a product of densities stays a number."""
TOTAL_MAX: Final = 60_000.0
"""Counts are 16 bits wide."""


def _directions() -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Two lags and two weights for each cut, from splitmix64 of a fixed seed: integers only, so equal everywhere."""
    lags = np.zeros((CUTS, 2), np.int64)
    weights = np.zeros((CUTS, 2), np.float64)
    state = 0x1234_5678_9ABC_DEF0
    mask = (1 << 64) - 1
    for cut in range(CUTS):
        lags[cut] = (0, 1 + cut % (LAGS - 1))  # the newest sample takes part in each
        for j in range(2):
            state = (state + 0x9E3779B97F4A7C15) & mask
            z = ((state ^ (state >> 30)) * 0xBF58476D1CE4E5B9) & mask
            z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & mask
            weights[cut, j] = ((z ^ (z >> 31)) >> 11) / (1 << 52) - 1.0
        weights[cut] /= np.sqrt(weights[cut, 0] * weights[cut, 0] + weights[cut, 1] * weights[cut, 1])
    return lags, weights


LAG, WEIGHT = _directions()


class Params(NamedTuple):
    """Times in seconds."""

    memory_seconds: Annotated[float, Gt(0)] = 1_209_600.0
    spread_seconds: Annotated[float, Gt(0)] = 604_800.0
    usual_seconds: Annotated[float, Gt(0)] = 2_592_000.0


@inlined
def scaled(distance: float, unit: float) -> float:
    return min(max(distance / unit, -FAR), FAR)


@inlined
def stand(row: Row, value: float, i: int, first: NDArray[np.float64], before: NDArray[np.float64]) -> None:
    """Write where a value and the samples before it are, from the centre, in units of the spread."""
    unit = 1.25 * row.spread + 1e-9 * abs(row.centre) + 1e-12
    first[i] = scaled(value - row.centre, unit)
    for lag in range(LAGS - 1):
        before[lag * BLOCK + i] = scaled(row.recent[lag] - row.centre, unit)


@inlined
def look_up(
    first: NDArray[np.float64],
    before: NDArray[np.float64],
    place: NDArray[np.int32],
    narrow: NDArray[np.float64],
    start: int,
    end: int,
) -> None:
    """Write in which bin of each direction the samples `start` … `end` - 1 of a block are, and one over that bin's width."""
    for cut in range(CUTS):
        lag = cut % (LAGS - 1) * BLOCK  # the cuts take turns at the samples before
        for i in range(start, end):
            z = WEIGHT[cut, 0] * first[i] + WEIGHT[cut, 1] * before[lag + i]
            near = 1.0 / (abs(z) + 2.0)
            place[cut * BLOCK + i] = np.int32(
                (z * near + 1.0) * (0.5 * BINS)
            )  # z * near stays between -1 and 1: FAR sees to that
            narrow[cut * BLOCK + i] = 4.0 * near * near


@inlined
def familiarity(row: Row, i: int, place: NDArray[np.int32], narrow: NDArray[np.float64], counted: bool) -> float:
    """The product of the densities at a sample and those before it; the bins count it after they were read if so wished.

    The density is a bin's count over its width; a bin without a count stands at half of one. One pass for both: cuts share no bin.
    """
    density = 1.0
    for cut in range(CUTS):
        at = cut * BINS + place[cut * BLOCK + i]
        count = row.counts[at]
        density *= (float(count) + 0.5) * narrow[cut * BLOCK + i]
        if counted:
            row.counts[at] = count + 1
    return density


@inlined
def unfamiliarity(total: float, density: float) -> float:
    """The mean of -log10 of the densities, whose counts are of `total` samples, from their product."""
    return log10(total + 0.5 * BINS) - log10(density) / CUTS


@inlined
def apart(row: Row, strange: float) -> float:
    """How far beyond its usual size the unfamiliarity is, in usual distances."""
    return max(strange - float(row.usual), 0.0) / (1.25 * float(row.unrest) + 0.02)


@inlined
def observe(row: Row, value: float) -> None:
    for lag in range(LAGS - 1, 0, -1):
        row.recent[lag] = row.recent[lag - 1]
    row.recent[0] = value


@inlined
def learn_spread(row: Row, value: float, dt: float, seen: float, params: Params) -> None:
    deviation = value - row.centre
    limit = 6.0 * row.spread
    if seen > SEEN_MIN and row.spread > 0.0:
        deviation = min(max(deviation, -limit), limit)
    alpha = max(min(dt / (params.spread_seconds + dt), 0.2), 1.0 / (seen + 1.0))
    row.centre += alpha * deviation
    row.spread += alpha * (abs(deviation) - row.spread)
    if row.spread < 1e-30:
        row.spread = 0.0


@inlined
def samples_of(step: float, params: Params) -> float:
    """How many samples the counts remember."""
    return max(params.memory_seconds / max(step, 1e-3), 1000.0)


@inlined
def is_counted(seen: float, every: int) -> bool:
    """Not in the first samples, when the spread is not about right; of a fast series one sample in so many (`every`) is enough."""
    return seen > COUNTED_FROM and (every <= 1 or int(seen) % every == 0)


@inlined
def learn_usual(row: Row, sample: Row, strange: float, params: Params) -> None:
    alpha = max(1.0 / (sample.seen + 40.0), min(sample.dt / (params.usual_seconds + sample.dt), 0.05))
    if sample.seen > SEEN_MIN:
        strange = min(strange, float(row.usual) + 6.0 * float(row.unrest) + 0.05)
    row.usual = float(row.usual) + alpha * (strange - float(row.usual))
    row.unrest = float(row.unrest) + alpha * (abs(strange - float(row.usual)) - float(row.unrest))


@inlined
def learn_total(row: Row, samples: float) -> None:
    """One sample more in the counts; all are halved when they stand for enough."""
    row.total += 1
    if row.total < min(samples, TOTAL_MAX):
        return
    row.total = 0
    for k in range(CUTS * BINS):
        row.counts[k] //= 2
    for k in range(BINS):
        row.total += row.counts[k]


@inlined
def learn_shape(row: Row, sample: Row, value: float, params: Params) -> None:
    """Everything but the counts and the usual unfamiliarity."""
    if sample.seen == 0.0:
        row.centre = value
        for lag in range(LAGS):
            row.recent[lag] = value
        return
    learn_spread(row, value, sample.dt, sample.seen, params)
    observe(row, value)


@inlined
def place_all(
    state: NDArray[np.void],
    feed: NDArray[np.void],
    params: Params,
    verdict: NDArray[np.void],
    first: NDArray[np.float64],
    before: NDArray[np.float64],
) -> None:
    """Where the samples of a block stand; learn the shape."""
    for i in range(feed.shape[0]):
        sample = feed[i]
        first[i] = 0.0
        for lag in range(LAGS - 1):
            before[lag * BLOCK + i] = 0.0
        if sample.read < 0:
            continue
        ask_for(state[sample.next])
        row = state[sample.read]
        value = sample.value - sample.seasonal
        verdict[i].direction = int(value > row.centre) - int(value < row.centre) if sample.seen > 0.0 else 0
        stand(row, value, i, first, before)
        if sample.write == sample.read:
            learn_shape(row, sample, value, params)
        else:
            observe(row, value)


@device
def learn_aside(
    row: Row,
    sample: Row,
    i: int,
    params: Params,
    columns: tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.int32], NDArray[np.float64]],
) -> None:
    """The shadow of a quarantined series learns; nobody is told what it thinks."""
    first, before, place, narrow = columns
    samples = samples_of(sample.step, params)
    counted = is_counted(sample.seen, math.ceil(samples / TOTAL_MAX))
    value = sample.value - sample.seasonal
    if sample.seen > COUNTED_FROM:
        stand(row, value, i, first, before)
        look_up(first, before, place, narrow, i, i + 1)
        total = float(row.total)
        learn_usual(row, sample, unfamiliarity(total, familiarity(row, i, place, narrow, counted)), params)
    if counted:
        learn_total(row, samples)
    learn_shape(row, sample, value, params)


@inlined
def count_all(
    state: NDArray[np.void],
    feed: NDArray[np.void],
    params: Params,
    columns: tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.int32], NDArray[np.float64]],
    density: NDArray[np.float64],
    total: NDArray[np.float64],
) -> None:
    """The product of densities of each sample of a block, and of how many samples it is; the bins count it."""
    step, samples, every = -1.0, 0.0, 1
    for i in range(feed.shape[0]):
        sample = feed[i]
        density[i] = 1.0
        total[i] = 0.0
        if sample.read < 0:
            continue
        row = state[sample.read]
        total[i] = float(row.total)
        learns = sample.write == sample.read
        if sample.step != step:  # mostly those of a block are sampled alike
            step = sample.step
            samples = samples_of(step, params)
            every = math.ceil(samples / TOTAL_MAX)
        counted = learns and is_counted(sample.seen, every)
        if sample.seen > COUNTED_FROM:
            density[i] = familiarity(row, i, columns[2], columns[3], counted)
        if counted:
            learn_total(row, samples)
        if not learns and sample.write >= 0:
            learn_aside(state[sample.write], sample, i, params, columns)


@inlined
def judge(
    state: NDArray[np.void], feed: NDArray[np.void], params: Params, strange: NDArray[np.float64], far: NDArray[np.float64]
) -> None:
    """From how unfamiliar the samples of a block are to how far beyond the usual that is, which is learned then."""
    for i in range(feed.shape[0]):
        sample = feed[i]
        far[i] = 0.0
        if sample.read < 0:
            continue
        row = state[sample.read]
        if sample.seen > SEEN_MIN:
            far[i] = apart(row, strange[i])
        if sample.write == sample.read and sample.seen > COUNTED_FROM:
            learn_usual(row, sample, strange[i], params)


@kernel
def score_projection(state: NDArray[np.void], feed: NDArray[np.void], params: Params, verdict: NDArray[np.void]) -> None:
    """See contract.py. In blocks: what all samples have alike done to them is done in loops of its own, to several at a time."""
    first, before = room(BLOCK, np.float64), room(_BEFORE, np.float64)
    place, narrow = room(_PLACES, np.int32), room(_PLACES, np.float64)
    one, other = room(BLOCK, np.float64), room(BLOCK, np.float64)
    for start in range(0, feed.shape[0], BLOCK):
        some, out = feed[start : start + BLOCK], verdict[start : start + BLOCK]
        n = some.shape[0]
        place_all(state, some, params, out, first, before)
        look_up(first, before, place, narrow, 0, n)
        count_all(state, some, params, (first, before, place, narrow), one, other)
        for i in range(n):
            one[i] = unfamiliarity(other[i], one[i])
        judge(state, some, params, one, other)
        for i in range(n):
            one[i] = tail_decades(other[i])
        for i in range(n):
            if some[i].read >= 0:
                out[i].decades = one[i]
                out[i].expected = np.nan
                out[i].scale = np.nan
                out[i].since = 0.0
