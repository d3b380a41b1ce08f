"""An hour's noise is held against that hour: less is said of it when it is restless, more when it is calm, and nothing of either on the first day."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from detectors import restless
from detectors.contract import FEED
from detectors.estimator import SeriesDetector
from detectors.kernel import as_state

DAY_NS = 86_400 * 10**9
START_NS = 20_000 * DAY_NS
BUSY = range(8, 20)


def sample(ts_ns: int, dt: float) -> NDArray[np.void]:
    feed = np.zeros(1, FEED)
    feed["ts_ns"] = feed["civil_ns"] = ts_ns
    feed["dt"] = dt
    return as_state(feed)


def learned(step: float, days: int, seed: int = 5) -> tuple[NDArray[np.int16], float]:
    """Heights after some days of exponential sums, whose mean is 1.4 in busy hours and 0.7 in the others."""
    rng = np.random.default_rng(seed)
    hours, unrest = np.zeros(restless.HOURS, np.int16), 0.0
    for i in range(round(days * 86_400 / step)):
        ts_ns = START_NS + round(i * step * 1e9)
        mean = 1.4 if restless.hour_of(ts_ns) in BUSY else 0.7
        unrest = restless.learn_hour(hours, unrest, sample(ts_ns, step)[0], START_NS, float(rng.exponential(mean)))
    return hours, unrest


@pytest.mark.parametrize("step", [20.0, 60.0, 300.0])
def test_an_hour_knows_the_height_that_a_tenth_exceeds(step: float) -> None:
    """However dense the samples are."""
    hours, unrest = learned(step, 10)
    heights = restless.START + restless.UNIT * hours.astype(float)
    busy = np.isin(np.arange(restless.HOURS), BUSY)
    assert heights[busy].mean() == pytest.approx(1.4 * np.log(10.0), rel=0.15)
    assert heights[~busy].mean() == pytest.approx(0.7 * np.log(10.0), rel=0.15)
    assert heights[~busy].mean() < restless.START + unrest < heights[busy].mean()


def test_of_the_samples_within_a_minute_the_first_one_teaches() -> None:
    hours = np.zeros(restless.HOURS, np.int16)
    first = restless.learn_hour(hours, 0.0, sample(START_NS + 30 * 60 * 10**9, 10.0)[0], START_NS, 9.0)
    after = hours.copy()
    assert first > 0.0 < after[0]
    assert restless.learn_hour(hours, first, sample(START_NS + (30 * 60 + 10) * 10**9, 10.0)[0], START_NS, 9.0) == first
    assert (hours == after).all()


def test_heights_stay_within_their_bits() -> None:
    hours, unrest = np.zeros(restless.HOURS, np.int16), 0.0
    for surprise in (1e9, 0.0):
        for i in range(5000):
            ts_ns = START_NS + i * DAY_NS
            unrest = restless.learn_hour(hours, unrest, sample(ts_ns, 86_400.0)[0], START_NS, surprise)
        assert abs(int(hours[0])) <= restless.UNITS_MAX
    assert restless.START + restless.UNIT * hours[0] == pytest.approx(restless.LOWEST)
    assert restless.START + unrest == pytest.approx(restless.LOWEST)


def test_an_hour_moves_a_sum_by_half_the_threshold_at_most_and_not_on_the_first_day() -> None:
    hours = np.zeros(restless.HOURS, np.int16)
    hours[:2] = 32_000, -8_192
    busy, calm = (sample(START_NS + 9 * DAY_NS + hour * 3600 * 10**9, 60.0)[0] for hour in (0, 1))
    assert restless.shift_of(hours, 0.0, busy, START_NS, 6.0) == 3.0
    assert -3.0 <= restless.shift_of(hours, 0.0, calm, START_NS, 6.0) < -2.0
    assert restless.shift_of(hours, 0.0, sample(START_NS + DAY_NS, 60.0)[0], START_NS, 6.0) == 0.0
    sums = np.linspace(0.0, 30.0, 301)
    for shift in (3.0, -3.0):
        moved = np.array([restless.lowered(float(y), shift, 6.0) for y in sums])
        assert moved[0] == 0.0
        assert (np.diff(moved) > 0.0).all(), "what surprises more never says less"
        assert moved[-1] == 30.0 - shift


def test_the_same_deviation_is_news_in_a_calm_hour_and_none_in_a_restless_one() -> None:
    """Noise is five times as wide by day, about a level that stays."""
    model, rng = SeriesDetector(), np.random.default_rng(8)
    step, days = 300, 14
    for i in range(days * 86_400 // step):
        wide = 5.0 if i * step // 3600 % 24 in BUSY else 1.0
        model.learn_one(float(rng.normal(100.0, wide)), float(i * step))
    midnight = days * 86_400.0
    state = model.to_bytes()
    by_hour = {}
    for hour in (3, 14):
        model.from_bytes(state)
        for i in range(hour * 12):
            wide = 5.0 if i * step // 3600 % 24 in BUSY else 1.0
            model.learn_one(float(rng.normal(100.0, wide)), midnight + i * step)
        by_hour[hour] = model.explain_one(124.0, midnight + hour * 3600.0)
    assert by_hour[3].score > 1.2 * by_hour[14].score
    assert by_hour[14].usual > by_hour[3].usual == 0.0, "how much an hour takes away is told"
