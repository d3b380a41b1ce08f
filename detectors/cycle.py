"""What a period of its own explains: a job every seven hours, that no clock and no calendar knows of. Found, proved, then taken away.

A ring keeps the last 1,024 means over five minutes (over a step of the series where that is longer) of what the season leaves, less a slow
centre. As each closes, the autocorrelation at one lag more is worked out; the smallest lag that is nearly as good as the best of a sweep,
refined by a parabola, is the candidate. It is believed after three periods in a row in which the median of the ring one, two and three
periods ago was nearer to what came than the centre was, and than the same at a wrong phase was: else whatever is rare would
be predicted well. Each period then moves the length a little to where the errors are least (Gauss and Newton), and three in
a row that do not pay end the belief. Trust comes and goes within 72 bins.

What lies between the predictions for the bins before and after is expected where these are far apart: an edge may come a bin early or late. So is
what lies between the prediction and a nearer vote: who was told of one missed cycle is not told of the next two.

In quarantine the ring goes on, it is what was seen; the centre, the period, the trust and the sizes of errors are the model, and stay. What is
not believed yet is no model: a period whose cycles are alerts is looked for all the same.

After: the autocorrelation of what is left of a seasonal model (Box and Jenkins 1970); median of seasonal lags as a robust seasonal naive forecast.
"""

from __future__ import annotations

from typing import Annotated, Final, NamedTuple

import numpy as np
from annotated_types import Ge, Gt, Le
from numpy.typing import NDArray

from detectors import ring
from detectors.contract import Row
from detectors.kernel import device, kernel
from detectors.portable import tail_decades
from detectors.ring import BINS, VOTES, autocorrelation, bin_of, empty, keep, middle, pass_over, past, shrink, tiny_as_zero

LAG_MIN: Final = 6
STEPS_KNOWN: Final = 8.0
"""Samples after which the distance between them is known well enough to choose a bin."""
BINS_KNOWN: Final = 36
CLIP: Final = 40.0
"""Usual deviations that one bin may be: a job of one bin in forty is that far from the centre."""
BOUND: Final = 4.0
"""And as many may move the centre, or one error the size of errors."""
WRONG_PHASE: Final = 0.381966
"""Of a period: what is predicted there is as good for all that does not come back (the golden section is no fraction of a harmonic)."""
STATE: Final = np.dtype(
    [
        ("centre", np.float64),  # what the ring is relative to: a slow average of value - seasonal
        ("total", np.float64),  # of the open bin, relative to the centre
        ("bin_ns", np.int64),  # 0: nothing has begun
        ("open_bin", np.int64),  # event time in bins
        ("period", np.float64),  # in bins; 0: none is believed or on trial
        ("unit", np.float64),  # of the ring, a power of two; 0: all of it is 0
        ("count", np.int32),  # samples of the open bin
        ("bins", np.int32),  # heard, held at BINS
        ("lag", np.int32),  # the next of the sweep; 0: it begins anew
        ("judged", np.int32),  # bins of the present trial period
        ("proven", np.int16),  # trial periods in a row that paid
        ("failed", np.int16),  # believed periods in a row that did not
        ("spread", np.float32),  # mean distance from the centre
        ("before", np.float32),  # autocorrelation one lag ago
        ("earlier", np.float32),  # and two
        ("lowest", np.float32),  # of the sweep so far
        ("best", np.float32),  # autocorrelation of the sweep's candidate
        ("best_lag", np.float32),
        ("error", np.float32),  # sum of the trial's errors with the prediction,
        ("plain_error", np.float32),  # with the centre,
        ("wrong_error", np.float32),  # and with the prediction at a wrong phase
        ("pull", np.float32),  # sum of errors by slopes
        ("power", np.float32),  # sum of squared slopes
        ("scale", np.float32),  # mean error of samples
        ("trust", np.float32),  # 0 … 1
        ("ring", np.int16, BINS),  # distance from the centre in units; 0 was not heard, or has nothing to say
    ],
    align=True,
)


class Params(NamedTuple):
    """Autocorrelations and shares of errors; lengths of time in bins."""

    centre_bins: Annotated[float, Gt(1)] = 288.0
    found: Annotated[float, Gt(0), Le(1)] = 0.3
    """The least autocorrelation of a candidate."""
    rise: Annotated[float, Gt(0), Le(1)] = 0.2
    """By how much it is above the lowest at any smaller lag."""
    better: Annotated[float, Gt(0), Le(1)] = 0.1
    """And above that of any smaller candidate: no multiples."""
    pays: Annotated[float, Gt(0), Le(1)] = 0.7
    """The share of the errors without it that a period on trial may leave, …"""
    keeps: Annotated[float, Gt(0), Le(1)] = 0.9
    """… and one that is believed."""
    proofs: Annotated[float, Ge(1)] = 3.0
    """Periods in a row that make a belief, or end it."""
    trial_bins: Annotated[float, Ge(1)] = 36.0
    """A trial of a shorter period is so long."""
    trust_bins: Annotated[float, Gt(1)] = 72.0
    """How long it takes to believe, or to stop."""
    pace: Annotated[float, Gt(0), Le(1)] = 0.25
    """How much of its own error a period moves after each trial, …"""
    settled_pace: Annotated[float, Gt(0), Le(1)] = 0.05
    """… and one that is believed: cycles that come early or late must not move it to and fro."""
    edge: Annotated[float, Gt(0)] = 3.0
    """Usual errors that predictions for neighbouring bins are apart where an edge is."""


@device
def held(x: float, limit: float) -> float:
    return min(max(x, -limit), limit)


@device
def floor_of(row: Row) -> float:
    return 0.05 * float(np.float64(row.spread)) + 1e-9 * abs(float(row.centre)) + 1e-12


@device
def size_of(row: Row) -> float:
    """A usual error of a sample."""
    return 1.25 * np.float64(row.scale) + floor_of(row)


@device
def predicted(row: Row, place: int, ahead: float) -> float:
    """What the last three periods say of the time `ahead` bins after the middle of a bin; 0: nothing."""
    period = row.period
    return middle(
        past(row, place, period - ahead), past(row, place, 2.0 * period - ahead), past(row, place, 3.0 * period - ahead)
    )


@device
def nearer(row: Row, place: int, ahead: float, shape: float, toward: float) -> float:
    """The least (`toward` -1) or greatest (+1) vote that is nearer to the centre than what is predicted, or the prediction."""
    most = shape
    for k in range(1, VOTES + 1):
        vote = past(row, place, k * row.period - ahead)
        if vote != 0.0 and abs(vote) < abs(shape) and toward * vote > toward * most:
            most = vote
    return most


@device
def place_of(row: Row, ts_ns: int) -> tuple[int, float]:
    """The bin of a time, and how far it is behind that bin's middle, in bins."""
    place = ts_ns // row.bin_ns
    return place, (ts_ns - place * row.bin_ns) / row.bin_ns - 0.5


@device
def range_of(row: Row, ts_ns: int) -> tuple[float, float, float]:
    """What is predicted for a time, and from where to where it may be: all relative to the centre, three times 0 for no prediction."""
    if row.period <= 0.0:
        return 0.0, 0.0, 0.0
    place, ahead = place_of(row, ts_ns)
    shape = predicted(row, place, ahead)
    if shape == 0.0:
        return 0.0, 0.0, 0.0
    soon = predicted(row, place, ahead + 1.0)
    late = predicted(row, place, ahead - 1.0)
    low = min(shape, soon, late, nearer(row, place, ahead, shape, -1.0))
    high = max(shape, soon, late, nearer(row, place, ahead, shape, 1.0))
    return shape, low, high


@device
def explained(row: Row, x: float, shape: float, low: float, high: float, params: Params) -> float:
    """What of a distance from the centre the cycle explains: any part between two predictions that are far apart."""
    return min(max(x, low), high) if high - low > params.edge * size_of(row) else shape


@device
def begin_trial(row: Row) -> None:
    row.judged = 0
    row.error = 0.0
    row.plain_error = 0.0
    row.wrong_error = 0.0
    row.pull = 0.0
    row.power = 0.0


@device
def settle(row: Row) -> None:
    """The end of a sweep: its candidate goes on trial, unless another has paid already."""
    lag = np.float64(row.best_lag)
    if lag <= 0.0 or row.trust > 0.0 or row.proven > 0 or abs(lag - row.period) < 0.05 * lag:
        return
    row.period = lag
    row.scale = row.spread
    begin_trial(row)


@device
def search(row: Row, params: Params) -> None:
    """One lag more of the sweep. A peak is known one lag later."""
    if row.lag < LAG_MIN:
        row.lag = LAG_MIN
        row.before = 2.0
        row.earlier = 2.0
        row.lowest = 2.0
        row.best = 0.0
        row.best_lag = 0.0
    if row.lag > row.bins // VOTES:
        settle(row)
        shrink(row)
        row.lag = 0
        return
    now = autocorrelation(row, row.lag)
    before, earlier = np.float64(row.before), np.float64(row.earlier)
    least = max(params.found, np.float64(row.lowest) + params.rise, np.float64(row.best) + params.better)
    if before >= earlier and before > now and before > least:
        row.best = before
        row.best_lag = row.lag - 1 + 0.5 * (earlier - now) / (earlier - 2.0 * before + now)
    row.lowest = min(np.float64(row.lowest), before)
    row.earlier = before
    row.before = now
    row.lag += 1


@device
def reach_of(row: Row) -> float:
    """Over how many bins to each side a slope is taken, and how late a cycle may seem to come."""
    return max(float(row.period) / 16.0, 1.0)


@device
def conclude(row: Row, params: Params) -> None:
    """The end of a trial: the period moves to where its errors are least, and has paid or not."""
    if row.power > 0.0:
        late = held(-np.float64(row.pull) / np.float64(row.power), reach_of(row))
        pace = params.pace if row.trust <= 0.0 else params.settled_pace
        row.period = min(max(row.period + pace * late, float(LAG_MIN)), BINS / VOTES)
    bar = params.pays if row.proven < params.proofs else params.keeps
    paid = np.float64(row.error) < bar * min(np.float64(row.plain_error), np.float64(row.wrong_error))
    begin_trial(row)
    if paid:
        row.failed = 0
        row.proven = min(row.proven + 1, int(params.proofs))
        return
    row.failed += 1
    if row.proven < params.proofs or row.failed >= params.proofs:
        row.proven = 0
        row.failed = 0
        if row.trust <= 0.0:
            row.period = 0.0


@device
def judge(row: Row, x: float, params: Params) -> None:
    """How well the bin that closes was predicted."""
    if row.period <= 0.0:
        return
    place = row.open_bin
    shape = predicted(row, place, 0.0)
    wrong = predicted(row, place, WRONG_PHASE * row.period)
    if shape == 0.0 or wrong == 0.0:
        return
    reach = reach_of(row)
    slope = (predicted(row, place, reach) - predicted(row, place, -reach)) / (2.0 * reach)
    limit = BOUND * VOTES * np.float64(row.spread) + floor_of(row)
    row.error = np.float64(row.error) + held(abs(x - shape), limit)
    row.plain_error = np.float64(row.plain_error) + held(abs(x), limit)
    row.wrong_error = np.float64(row.wrong_error) + held(abs(x - wrong), limit)
    row.pull = tiny_as_zero(np.float64(row.pull) + held(x - shape, limit) * slope)
    row.power = tiny_as_zero(np.float64(row.power) + slope * slope)
    row.judged += 1
    if row.judged >= max(row.period, params.trial_bins):
        conclude(row, params)


@device
def trusted(row: Row, params: Params) -> None:
    if row.proven >= params.proofs:
        row.trust = min(np.float64(row.trust) + 1.0 / params.trust_bins, 1.0)
    elif row.trust > 0.0:
        row.trust = tiny_as_zero(max(np.float64(row.trust) - 1.0 / params.trust_bins, 0.0))
        if row.trust <= 0.0:
            row.period = 0.0
            row.proven = 0


@device
def close_bin(row: Row, params: Params, learns: bool) -> None:
    """Score what the open bin was, then keep it."""
    x = row.total / row.count
    spread = np.float64(row.spread)
    if learns:
        judge(row, x, params)
    if row.bins >= BINS_KNOWN:
        x = held(x, CLIP * spread + floor_of(row))
    keep(row, x)
    if not learns:
        return
    first = 1.0 / (row.bins + 1.0)
    bounded = held(x, BOUND * 1.25 * spread + floor_of(row)) if row.bins >= BINS_KNOWN else x
    row.centre += max(1.0 / params.centre_bins, first) * bounded
    row.spread = tiny_as_zero(spread + max(0.5 / params.centre_bins, first) * (abs(bounded) - spread))
    row.bins = min(row.bins + 1, BINS)
    trusted(row, params)
    if row.trust <= 0.0:
        search(row, params)


@device
def forget(row: Row, x: float, bin_ns: int, ts_ns: int) -> None:
    """Begin anew with bins of this length."""
    empty(row)
    row.centre = x
    row.bin_ns = bin_ns
    row.open_bin = ts_ns // bin_ns
    row.period = 0.0
    row.bins = 0
    row.lag = 0
    row.proven = 0
    row.failed = 0
    row.spread = 0.0
    row.scale = 0.0
    row.trust = 0.0
    row.total = 0.0
    row.count = 0
    begin_trial(row)


@device
def move(row: Row, x: float, sample: Row, params: Params, learns: bool) -> None:
    """Let a sample into the ring."""
    wanted = bin_of(sample.step)
    place = sample.ts_ns // max(row.bin_ns, 1)
    if 2 * wanted >= 3 * row.bin_ns or 4 * wanted <= row.bin_ns or place >= row.open_bin + BINS:
        if learns and sample.seen >= STEPS_KNOWN:
            forget(row, x, wanted, sample.ts_ns)
        elif row.bin_ns == 0 or place >= row.open_bin + BINS:
            return
        place = sample.ts_ns // max(row.bin_ns, 1)
    if place > row.open_bin:
        if row.count > 0:
            close_bin(row, params, learns)
        pass_over(row, row.open_bin + int(row.count > 0), place)
        row.open_bin = place
        row.total = 0.0
        row.count = 0
    row.total += x - row.centre
    row.count += 1


@device
def learn_scale(row: Row, x: float, sample: Row, params: Params) -> None:
    shape, low, high = range_of(row, sample.ts_ns)
    if shape == 0.0:
        return
    error = abs(x - row.centre - explained(row, x - row.centre, shape, low, high, params))
    if row.trust > 0.0:
        error = min(error, BOUND * size_of(row))
    seconds = VOTES * row.period * row.bin_ns * 1e-9
    scale = np.float64(row.scale)
    row.scale = tiny_as_zero(scale + min(sample.dt / (seconds + sample.dt), 0.2) * (error - scale))


@device
def take_in(row: Row, x: float, sample: Row, params: Params, learns: bool) -> None:
    if learns:
        learn_scale(row, x, sample, params)
    move(row, x, sample, params, learns)


@kernel
def score_cycle(state: NDArray[np.void], feed: NDArray[np.void], params: Params, verdict: NDArray[np.void]) -> None:
    """See contract.py. Adds to `feed.seasonal`, so it must run after the season and before all others. Expects nothing (NaN) until it believes."""
    for i in range(feed.shape[0]):
        sample = feed[i]
        if sample.read < 0:
            continue
        row = state[sample.read]
        out = verdict[i]
        out.decades = 0.0
        out.expected = np.nan
        out.scale = np.nan
        out.direction = 0
        out.since = 0.0
        x = sample.value - sample.seasonal
        if row.trust > 0.0:
            trust = np.float64(row.trust)
            apart = x - row.centre
            shape, low, high = range_of(row, sample.ts_ns)
            if shape != 0.0:
                out.expected = row.centre + sample.seasonal + trust * shape
                out.scale = size_of(row)
                beyond = max(low - apart, apart - high, 0.0)
                out.decades = trust * tail_decades(beyond / out.scale)
                out.direction = int(apart > high) - int(apart < low)
                sample.seasonal += trust * explained(row, apart, shape, low, high, params)
        take_in(row, x, sample, params, sample.write == sample.read or row.trust <= 0.0)
        if sample.write >= 0 and sample.write != sample.read:
            take_in(state[sample.write], x, sample, params, sample.write >= 0)


def adopted(row: np.void, before: np.void, value: float) -> None:
    """What came since the model was set aside is told by the difference between the two rings, and is seen from the new level."""
    ring.shift(row, before, value - float(before["centre"]))
    row["centre"] = value
    row["total"] = 0.0
    row["count"] = 0
    row["spread"] = before["spread"]
