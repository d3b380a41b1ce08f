"""Laws of counts of several buckets together."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from detectors import pooled
from detectors.kernel import as_state
from detectors.naive_pooled import NaivePool
from detectors.pooled import POOL, SHARED_DECADES

NEEDED = 4.6


class Pool:
    """One series; a bucket is (value, expected)."""

    def __init__(self) -> None:
        self.rows = as_state(np.zeros(1, pooled.STATE))
        self.bucket = 0

    def take(self, value: float, expected: float, *, weight: float = 1.0, score: float = 0.0, learns: bool = True):
        """The verdict on the next bucket, and the score."""
        verdict, scores = as_state(np.zeros(1, pooled.VERDICT)), np.array([score])
        samples = np.array([value]), np.array([expected]), np.array([weight])
        pooled.pool(self.rows, np.zeros(1, np.int64), self.bucket, samples, NEEDED, np.array([learns]), scores, verdict)
        self.bucket += 1
        return verdict[0], float(scores[0])

    def run(self, values: list[float], expected: float):
        return [self.take(value, expected) for value in values][-1]


def poisson(rate: float, count: int, seed: int) -> list[float]:
    return np.random.default_rng(seed).poisson(rate, count).astype(float).tolist()


@settings(max_examples=40, deadline=None)
@given(
    st.lists(
        st.tuples(st.integers(0, 40), st.floats(-0.5, 30.0) | st.just(math.nan), st.integers(1, 12), st.booleans()), max_size=60
    )
)
def test_as_the_oracle_says(buckets):
    pool, naive = Pool(), NaivePool()
    for value, expected, passed, learns in buckets:
        pool.bucket += passed - 1
        verdict, _ = pool.take(value, expected, learns=learns)
        assert verdict["decades"] == pytest.approx(
            naive.observe(pool.bucket - 1, value, expected, 1.0, learns=learns), abs=0.31, rel=0.02
        )
        assert verdict["awaited"] == pytest.approx(naive.awaited)


@pytest.mark.parametrize(("rate", "now"), [(10.0, 2.0), (2.0, 7.0), (0.3, 2.0)])
def test_what_is_too_little_for_a_minute_is_told_within_ten(rate, now):
    pool = Pool()
    pool.run(poisson(rate, 2000, 1), rate)
    verdict, score = pool.run(poisson(now, POOL, 2), rate)
    assert verdict["told"]
    assert 1.0 <= score < 3.0
    assert (verdict["deviation"] > 0) == (now > rate)
    assert verdict["value"] == pytest.approx(now, rel=0.5)
    assert not verdict["lower"] <= verdict["value"] <= verdict["upper"]


def test_a_burst_of_one_minute_is_not_told():
    pool = Pool()
    pool.run(poisson(0.5, 1000, 3), 0.5)
    verdict, score = pool.take(40.0, 0.5)
    assert (int(verdict["told"]), score) == (0, 0.0)


def test_a_restart_of_two_minutes_is_not_told():
    pool = Pool()
    pool.run(poisson(30.0, 1000, 3), 30.0)
    assert not any(pool.take(value, 30.0)[0]["told"] for value in [0.0, 0.0, *poisson(30.0, 12, 4)])
    assert pool.run([0.0] * 6, 30.0)[0]["told"]


def test_what_is_over_is_not_told_any_more():
    pool = Pool()
    pool.run(poisson(2.0, 1000, 4), 2.0)
    assert pool.run([12.0] * 6, 2.0)[0]["told"]
    assert not pool.run([2.0] * 3, 2.0)[0]["told"]


def test_chance_alone_is_told_of_less_often_than_the_budget_says():
    told = 0
    for seed in range(12):
        pool = Pool()
        told += sum(int(pool.take(value, 1.0 + seed % 4)[0]["told"]) for value in poisson(1.0 + seed % 4, 4000, seed))
    assert told <= 48_000 * 10.0 ** -(NEEDED + SHARED_DECADES) * 10.0 + 1.0


def test_what_scatters_by_more_than_chance_must_go_further():
    """Whole batches of lines at a time."""
    calm, wild = Pool(), Pool()
    calm.run(poisson(4.0, 3000, 5), 4.0)
    wild.run([8.0 * value for value in poisson(0.5, 3000, 5)], 4.0)
    now = [8.0, 9.0, 8.0, 7.0, 8.0, 9.0, 7.0, 8.0]
    assert calm.run(now, 4.0)[0]["decades"] > 2.0 * wild.run(now, 4.0)[0]["decades"]


def test_while_an_alert_is_open_nothing_is_learned_of_the_scatter():
    pool = Pool()
    for value in poisson(20.0, 100, 6):
        pool.take(value, 2.0, learns=False)
    assert float(pool.rows["excess"][0]) == 0.0


def test_no_opinion_stays_none():
    pool = Pool()
    pool.run([0.0] * 9, 30.0)
    assert math.isnan(pool.take(0.0, 30.0, score=math.nan)[1])
    assert pool.take(0.0, math.nan, score=0.5)[1] == 0.5


def test_a_share_counts_as_the_lines_that_it_stands_for():
    share, lines = Pool(), Pool()
    for k in range(12):
        severe = 2.0 if k < 8 else 9.0
        a, _ = share.take(severe / 30.0, 2.0 / 30.0, weight=30.0)
        b, _ = lines.take(severe, 2.0)
    assert a["decades"] == pytest.approx(float(b["decades"]), rel=1e-4)
    assert a["value"] * 30.0 == pytest.approx(float(b["value"]), rel=1e-4)


def test_lines_that_stay_away_are_counted_by_what_was_due():
    pool = Pool()
    pool.run([5.0, 0.0, 0.0, 0.0], 5.0)
    assert float(pool.rows["awaited"][0]) == 15.0
    assert pool.take(1.0, 5.0)[0]["awaited"] == 0.0
