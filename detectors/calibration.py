"""From the surprises of several detectors to one score whose 1.0 meets the false-alarm budget.

Each detector's decades are clipped softly at six and summed with its weight: one detector alone cannot shout, several that agree
can, and because the sum still grows beyond the clip there are never ties. What is usual of it at this minute of the day is taken
away (`usual`). What the last few samples said is added in squares: faults last, noise does not. What is owed to a restless hour is taken
away too (`restless`). Detectors look at the same samples, so their decades do not add up to a probability: what the sum exceeds once
in a hundred samples is learned, which takes their dependence as it is. That alone is learned, and slowly: a tail for each detector, or
one of the sum that follows its series, is taught by the faults, and ranks their second half below the first. For the same reason
samples far beyond it teach less: else a series that has a fault every other day asks for a third more than a quiet one. To its
entity a metric that bursts again and again is no news, so the joint score takes it by a threshold that all taught alike.

A budget of one false alert in `budget_seconds` asks for so many decades of one sample, and a dense series for more than a sparse one
(`budget`). The score is the sum's decades divided by these (docs/decisions/0005 says what one quantile for all costs).
"""

from __future__ import annotations

import math
from typing import Annotated, Any, Final, NamedTuple

import numpy as np
from annotated_types import Gt
from numpy.typing import NDArray

from detectors import budget, restless, tails, usual
from detectors.contract import Row
from detectors.kernel import inlined as device
from detectors.kernel import kernel
from detectors.naming import first_kind, lasting_kind, leaning
from detectors.portable import tail_distance

STATE: Final = np.dtype(
    [
        ("threshold", np.float64),  # what the sum exceeds once in a hundred samples
        ("bursting", np.float64),  # the same, taught by bursts as much as by noise
        ("above", np.int16),  # samples above it in the present excursion
        ("below", np.int16),  # and below it since
        ("lean", np.float32),  # -1 … 1: on which side of what was expected the samples of the present excursion were
        ("onset_ns", np.int64),  # start of the present excursion; 0: there is none
    ],
    align=True,
)
TABLE: Final = np.dtype(
    [
        ("weight", np.float64),
        ("voice", np.float64),  # what its decades count for when the excursion gets its name
        ("alone", np.float64),  # the share of its decades that needs nobody's agreement
        ("kinds", np.int64, 3),  # index of the kind for direction -1, 0, +1
        ("lasting", np.int64, 3),
    ],
    align=True,
)
RESULT: Final = np.dtype(
    [
        ("score", np.float64),  # 1.0 = boundary; NaN = no opinion
        ("usual", np.float64),  # how much higher it would be, were it not for what is usual at this minute and hour of the day
        (
            "among",
            np.float64,
        ),  # the score that its entity takes: with what is usual, by the threshold `bursting`; NaN with the score
        ("expected", np.float64),
        ("scale", np.float64),  # a usual deviation from it; NaN with it
        ("edge", np.float64),  # nominal decades of a deviation with which the score would reach 1.0: see `bands`
        ("deviation", np.float64),  # (value - expected) / scale; 0 when nothing is expected
        ("kind", np.int64),
        ("onset_ns", np.int64),
    ],
    align=True,
)
CLIP: Final = 6.0
EXCEEDED: Final = 0.01
"""The share of samples above the learned threshold, …"""
EXCEEDED_DECADES: Final = 2.0
"""… and the same in decades."""
PRIOR_THRESHOLD: Final = 6.0
"""The threshold before a series has taught its own."""
EXCESS: Final = 2.0
"""The mean of what goes beyond, the same for every series: one that is learned is taught by the faults themselves."""
TEACHES: Final = 5
"""So many samples of an excursion teach the threshold: a fault must not make itself usual, …"""
RESUMES: Final = 50
"""… unless it goes on for so many: then it is how the series is."""
FAR: Final = 1.5
"""A sample beyond so many thresholds …"""
FAR_SHARE: Final = 0.2
"""… teaches so much of a lesson: a whole excursion as much as one sample of noise."""
NOTED: Final = 0.25
"""The share of the threshold from which a surprise is one to be usual: less is noise, and to subtract noise is to add some."""
HEATING: Final = 0.4
"""How much one sample moves the average of the last few."""
HEAT_SHARE: Final = 1.8
"""That average's weight beside the sample's own sum."""
HEAT_STEPS: Final = 10.0
"""A pause of so many steps makes it begin anew."""
SURPRISING: Final = 2.0
"""Decades from which a sample belongs to an excursion."""
CALM_SAMPLES: Final = 5
"""So many ordinary samples in a row end an excursion."""
LASTING_STEPS: Final = 10.0
"""An excursion of so many steps is no spike any more."""


class Params(NamedTuple):
    """Times in seconds."""

    budget_seconds: Annotated[float, Gt(0)] = 2_592_000.0
    warm_up_seconds: float = 3600.0
    samples_min: float = 30.0
    tail_seconds: Annotated[float, Gt(0)] = 2_592_000.0


@device
def learn(row: Row, sample: Row, y: float, params: Params) -> None:
    if sample.seen == 0.0:
        row.threshold = PRIOR_THRESHOLD
        row.bursting = PRIOR_THRESHOLD
        return
    if sample.seen <= params.samples_min:
        return
    row.below = 0 if y > row.threshold else min(row.below + 1, CALM_SAMPLES)
    if y > row.threshold:
        row.above = min(row.above + 1, RESUMES)
    elif row.below >= CALM_SAMPLES:
        row.above = 0
    pace = EXCESS * tails.tail_alpha(sample.dt, params.tail_seconds, sample.seen)
    goes_on = TEACHES < row.above < RESUMES
    if not goes_on or y <= row.bursting:
        row.bursting = tails.learned_quantile(row.bursting, y, EXCEEDED, pace)
    if not goes_on or y <= row.threshold:
        pace *= FAR_SHARE if y > FAR * row.threshold else 1.0
        row.threshold = tails.learned_quantile(row.threshold, y, EXCEEDED, pace)


@device
def date_back(row: Row, time: Row, sample: Row, decades: float, since: float) -> int:
    """Keep the excursion's beginning, and give the onset that people are told."""
    if decades >= SURPRISING:
        time.calm = 0
        if row.onset_ns == 0:
            row.onset_ns = sample.ts_ns
    else:
        time.calm = min(time.calm + 1, CALM_SAMPLES)
        if time.calm >= CALM_SAMPLES:
            row.onset_ns = 0
    if row.onset_ns == 0:
        return int(sample.ts_ns)
    own = sample.ts_ns - int(min(since, 86_400.0) * 1e9)
    return int(max(min(row.onset_ns, own), time.first_ns))


@device
def no_opinion(out: Row, sample: Row) -> None:
    out.score = np.nan
    out.usual = 0.0
    out.among = np.nan
    out.expected = np.nan
    out.scale = np.nan
    out.edge = np.nan
    out.deviation = 0.0
    out.kind = 0
    out.onset_ns = sample.ts_ns


@device
def sums_of(out: Row) -> tuple[float, float, float, float, float, float, int, float]:
    """Of one sample: sum, the same with what is usual, thresholds before it taught, what was taken away, most alone, whose, decades needed."""
    return out.score, out.usual, out.scale, out.among, out.deviation, out.expected, out.kind, out.edge


@device
def combine(verdicts: NDArray[np.void], table: NDArray[np.void], factors: NDArray[np.float64]) -> tuple[float, float, int]:
    """The sum of the clipped surprises of one sample, the most that one detector says alone, and after which it is named."""
    y = 0.0
    alone = 0.0
    top = 0
    most = -1.0
    for d in range(verdicts.shape[0]):
        factors[d] = verdicts[d].decades
        clipped = tails.soft_clip(verdicts[d].decades, CLIP)
        voice = table[d].voice * clipped
        y += table[d].weight * clipped
        alone = max(alone, table[d].alone * verdicts[d].decades)
        if voice > most:
            most = voice
            top = d
    return y, alone, top


@device
def take_usual(row: Row, usuals: NDArray[np.uint32], sample: Row, y: float, minute: int) -> float:
    """What of the sum is usual at this minute of the day; the minute learns, but not from the whole of a long fault."""
    if sample.step >= usual.STEP_MAX:
        return 0.0
    minute = usual.shared_by(minute, sample.step)
    known = min(usual.usual_at(usuals[sample.read], minute), y)
    if sample.write >= 0 and not TEACHES < row.above < RESUMES:
        noted = y if y >= NOTED * row.threshold else 0.0
        usual.remember(usuals[sample.write], minute, sample.civil_ns, sample.step, noted)
    return known


@device
def take_unrest(row: Row, habits: restless.Habits, sample: Row, first_ns: int, y: float, known: float) -> tuple[float, float]:
    """The sum less what is owed to this hour of the day, and what a great one owes to it. Noise teaches the hour, surprises do not.

    A minute at which a surprise is usual owes its hour nothing: that was taken already.
    """
    if sample.step >= usual.STEP_MAX:
        return y, 0.0
    hours, unrest = habits.hours[sample.read], habits.unrest[sample.read]
    shift = restless.shift_of(hours, unrest, sample, first_ns, row.threshold) if sample.seen > 0.0 else 0.0
    if known > 0.0:
        shift = min(shift, 0.0)
    if sample.write == sample.read and sample.seen > 0.0 and y <= row.threshold:
        habits.unrest[sample.read] = restless.learn_hour(hours, unrest, sample, first_ns, y)
    return restless.lowered(y, shift, row.threshold) if shift != 0.0 else y, shift


@device
def warmed(heat: float, sample: Row, y: float) -> tuple[float, float]:
    """The sum and the last few samples' average as the two legs of a right angle: a lone surprise keeps its height, a lasting one grows.

    Gives the new average too. What was before a pause of several steps is no part of the last few samples.
    """
    before = heat if sample.dt <= HEAT_STEPS * sample.step else 0.0
    now = before + HEATING * (y - before)
    return math.sqrt(y * y + HEAT_SHARE * HEAT_SHARE * now * now), now


@device
def expectation(out: Row, verdicts: NDArray[np.void], table: NDArray[np.void]) -> int:
    """Take over one detector's expectation; returns its place, -1 when there is none.

    Those of no weight only explain, and each knows what those before it explain: the last of them is asked, without them the first of all.
    """
    by = -1
    for d in range(verdicts.shape[0]):
        if verdicts[d].scale > 0.0 and (by < 0 or table[d].weight == 0.0):
            out.expected = verdicts[d].expected
            by = d
    return by


@device
def is_warm(time: Row, sample: Row, params: Params) -> bool:
    return bool(sample.seen >= params.samples_min and (sample.ts_ns - time.first_ns) * 1e-9 >= params.warm_up_seconds)


@device
def sum_up(
    rows: NDArray[np.void],
    habits: restless.Habits,
    feed: NDArray[np.void],
    verdicts: NDArray[np.void],
    table: NDArray[np.void],
    params: Params,
    factors: NDArray[np.float64],
    result: NDArray[np.void],
) -> None:
    """What needs the state in the order of the samples: sums, what of them is usual, the threshold. The sums are left in `result`."""
    start_ns, minute = usual.near(0)
    for i in range(feed.shape[0]):
        sample = feed[i]
        out = result[i]
        if sample.read < 0:
            continue
        row = rows[sample.read].calibration
        time = rows[sample.read].clock
        y, alone, top = combine(verdicts[i], table, factors[i])
        if not 0 <= sample.civil_ns - start_ns < usual.MINUTE_NS:
            start_ns, minute = usual.near(sample.civil_ns)
        known = take_usual(row, habits.usuals, sample, y, minute) if habits.usuals.shape[0] > 0 else 0.0
        whole, heat = warmed(float(time.whole_heat), sample, y)
        time.whole_heat = np.float32(heat)
        y, heat = warmed(float(time.heat), sample, y - known)
        time.heat = np.float32(heat)
        if habits.usuals.shape[0] > 0:
            y, shift = take_unrest(row, habits, sample, time.first_ns, y, known)
            known += shift
        out.score = y
        out.usual = whole
        out.scale = row.threshold
        out.among = row.bursting
        out.deviation = known
        out.expected = alone
        out.kind = top
        if sample.write == sample.read:  # a shadow learns the series, not how surprising its model finds it
            learn(row, sample, y, params)


@device
def judge(
    rows: NDArray[np.void],
    feed: NDArray[np.void],
    verdicts: NDArray[np.void],
    table: NDArray[np.void],
    params: Params,
    factors: NDArray[np.float64],
    result: NDArray[np.void],
) -> None:
    """From the sums in `result` to scores, onsets and kinds."""
    total = 0.0
    for d in range(table.shape[0]):
        total += table[d].weight
    for i in range(feed.shape[0]):
        sample = feed[i]
        out = result[i]
        y, whole, threshold, bursting, known, alone, top, needed = sums_of(out)
        no_opinion(out, sample)
        if sample.read < 0:
            factors[i, :] = 0.0
            continue
        if sample.seen == 0.0:
            continue
        row = rows[sample.read].calibration
        time = rows[sample.read].clock
        decades = max(tails.quantile_surprise(threshold, EXCEEDED_DECADES, EXCESS, y), alone)
        out.onset_ns = date_back(row, time, sample, decades, verdicts[i, top].since)
        lasts = (sample.ts_ns - out.onset_ns) * 1e-9 >= LASTING_STEPS * sample.step
        toward = verdicts[i, top].direction + 1
        if is_warm(time, sample, params):
            out.score = decades / needed
            out.usual = max(tails.quantile_surprise(threshold, EXCEEDED_DECADES, EXCESS, whole) - decades, 0.0) / needed
            out.among = max(tails.quantile_surprise(bursting, EXCEEDED_DECADES, EXCESS, max(y, whole)), alone) / needed
        by = expectation(out, verdicts[i], table)
        off = sample.value - out.expected if by >= 0 else 0.0
        lean = leaning(row, off)
        if lasts:
            out.kind = lasting_kind(table, top, by, sample, off, toward, lean)
        else:
            out.kind = first_kind(table, top, by, sample, off, toward)
        if by >= 0:
            out.scale = verdicts[i, by].scale
            out.edge = (tails.quantile_boundary(threshold, EXCEEDED_DECADES, EXCESS, needed) + known) / max(total, 1e-9)
            out.deviation = off / out.scale


@kernel
def calibrate(
    rows: NDArray[np.void],
    habits: restless.Habits,
    feed: NDArray[np.void],
    verdicts: NDArray[np.void],
    table: NDArray[np.void],
    params: Params,
    factors: NDArray[np.float64],
    result: NDArray[np.void],
) -> None:
    """Write `factors` (n, D) and `result` (n) from `verdicts` (n, D). `rows` has the fields `clock` and `calibration`;
    `habits` are what is usual by the time of day.

    Rows that are skipped give NaN, zero factors and their own time as onset.
    """
    budget.needs(feed, params.budget_seconds, result)
    sum_up(rows, habits, feed, verdicts, table, params, factors, result)
    judge(rows, feed, verdicts, table, params, factors, result)


@kernel
def bands(
    expected: NDArray[np.float64], scale: NDArray[np.float64], edge: NDArray[np.float64], band: NDArray[np.float64]
) -> None:
    """Write (n, 2): expected minus and plus the deviation with which the score would about reach 1.0; NaN where nothing is expected.

    Only for what is shown to somebody: this deviation would be a twentieth of the cost of all scores.
    """
    for i in range(expected.shape[0]):
        width = scale[i] * tail_distance(edge[i]) if scale[i] > 0.0 else np.nan
        band[i, 0] = expected[i] - width
        band[i, 1] = expected[i] + width


def table_of(kinds: list[tuple[float, float, float, tuple[int, int, int], tuple[int, int, int]]]) -> NDArray[Any]:
    """The detectors' weights, voices and kinds, one row each, in the order of the verdicts."""
    return np.array(kinds, TABLE)
