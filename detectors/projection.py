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
from detectors.contract import Row
from detectors.kernel import device, kernel
from detectors.portable import log10, tail_decades

LAGS: Final = 4
CUTS: Final = 8
BINS: Final = 14
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


@device
def scaled(distance: float, unit: float) -> float:
    return min(max(distance / unit, -FAR), FAR)


@device
def familiarity(row: Row, value: float, counted: bool) -> float:
    """The product of the densities at a value and the samples before it; the bins count it after they were read if so wished.

    The density is a bin's count over its width; a bin without a count stands at half of one. One pass for both: cuts share no
    bin, and the place of a projection costs more than all the rest.
    """
    unit = 1.25 * row.spread + 1e-9 * abs(row.centre) + 1e-12
    first = scaled(value - row.centre, unit)
    one = scaled(row.recent[0] - row.centre, unit)
    two = scaled(row.recent[1] - row.centre, unit)
    three = scaled(row.recent[2] - row.centre, unit)
    density = 1.0
    for cut in range(CUTS):
        z = WEIGHT[cut, 0] * first + WEIGHT[cut, 1] * one
        one, two, three = two, three, one  # the cuts take turns at the samples before
        near = 1.0 / (abs(z) + 2.0)
        place = cut * BINS + int((z * near + 1.0) * (0.5 * BINS))  # z * near stays between -1 and 1: FAR sees to that
        count = row.counts[place]
        density *= (float(count) + 0.5) * (4.0 * near * near)
        if counted:
            row.counts[place] = count + 1
    return density


@device
def unfamiliarity(total: float, density: float) -> float:
    """The mean of -log10 of the densities, whose counts are of `total` samples, from their product."""
    return log10(total + 0.5 * BINS) - log10(density) / CUTS


@device
def apart(row: Row, strange: float) -> float:
    """How far beyond its usual size the unfamiliarity is, in usual distances."""
    return max(strange - float(row.usual), 0.0) / (1.25 * float(row.unrest) + 0.02)


@device
def observe(row: Row, value: float) -> None:
    for lag in range(LAGS - 1, 0, -1):
        row.recent[lag] = row.recent[lag - 1]
    row.recent[0] = value


@device
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


@device
def samples_of(sample: Row, params: Params) -> float:
    """How many samples the counts remember."""
    return max(params.memory_seconds / max(float(sample.step), 1e-3), 1000.0)


@device
def is_counted(sample: Row, params: Params) -> bool:
    """Not in the first samples, when the spread is not about right; of a fast series one sample in several is enough."""
    if sample.seen <= COUNTED_FROM:
        return False
    share = samples_of(sample, params) / TOTAL_MAX
    return share <= 1.0 or int(sample.seen) % math.ceil(share) == 0


@device
def learn_usual(row: Row, sample: Row, strange: float, params: Params) -> None:
    alpha = max(1.0 / (sample.seen + 40.0), min(sample.dt / (params.usual_seconds + sample.dt), 0.05))
    if sample.seen > SEEN_MIN:
        strange = min(strange, float(row.usual) + 6.0 * float(row.unrest) + 0.05)
    row.usual = float(row.usual) + alpha * (strange - float(row.usual))
    row.unrest = float(row.unrest) + alpha * (abs(strange - float(row.usual)) - float(row.unrest))


@device
def learn_total(row: Row, sample: Row, params: Params) -> None:
    """One sample more in the counts; all are halved when they stand for enough."""
    row.total += 1
    if row.total < min(samples_of(sample, params), TOTAL_MAX):
        return
    row.total = 0
    for k in range(CUTS * BINS):
        row.counts[k] //= 2
    for k in range(BINS):
        row.total += row.counts[k]


@device
def learn_shape(row: Row, sample: Row, counted: bool, params: Params) -> None:
    """Everything but the usual unfamiliarity."""
    value = sample.value - sample.seasonal
    if sample.seen == 0.0:
        row.centre = value
        for lag in range(LAGS):
            row.recent[lag] = value
        return
    if counted:
        learn_total(row, sample, params)
    learn_spread(row, value, sample.dt, sample.seen, params)
    observe(row, value)


@device
def learn_aside(row: Row, sample: Row, counted: bool, params: Params) -> None:
    """The shadow of a quarantined series learns; nobody is told what it thinks."""
    if sample.seen > COUNTED_FROM:
        total = float(row.total)
        strange = unfamiliarity(total, familiarity(row, sample.value - sample.seasonal, counted))
        learn_usual(row, sample, strange, params)
    learn_shape(row, sample, counted, params)


@device
def look_up(state: NDArray[np.void], feed: NDArray[np.void], params: Params, verdict: NDArray[np.void]) -> None:
    """Put the product of densities into `decades` and the number of samples that they are of into `since`; learn the shape."""
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
        out.decades = 1.0
        out.since = float(row.total)
        value = sample.value - sample.seasonal
        if sample.seen > 0.0:
            out.direction = int(value > row.centre) - int(value < row.centre)
        learns = sample.write == sample.read
        counted = is_counted(sample, params)
        if sample.seen > COUNTED_FROM:
            out.decades = familiarity(row, value, learns and counted)
        if learns:
            learn_shape(row, sample, counted, params)
            continue
        observe(row, value)
        if sample.write >= 0:
            learn_aside(state[sample.write], sample, counted, params)


@kernel
def score_projection(state: NDArray[np.void], feed: NDArray[np.void], params: Params, verdict: NDArray[np.void]) -> None:
    """See contract.py. Logarithms have loops of their own, so that the processor works on several at a time."""
    look_up(state, feed, params, verdict)
    for i in range(feed.shape[0]):
        if feed[i].read >= 0:
            out = verdict[i]
            out.decades = unfamiliarity(out.since, out.decades)
            out.since = 0.0
    for i in range(feed.shape[0]):
        sample = feed[i]
        if sample.read >= 0:
            row = state[sample.read]
            strange = verdict[i].decades
            verdict[i].decades = apart(row, strange) if sample.seen > SEEN_MIN else 0.0
            if sample.write == sample.read and sample.seen > COUNTED_FROM:
                learn_usual(row, sample, strange, params)
    for i in range(feed.shape[0]):
        if feed[i].read >= 0:
            verdict[i].decades = tail_decades(verdict[i].decades)
