"""Laws of alarms: what is news starts one, once."""

from __future__ import annotations

import numpy as np
from metric_corpus import every
from numpy.typing import NDArray

from detectors import alarm
from detectors.kernel import as_state

NAMES = ("level", "rate", "reach", "projection", "season")


def starts(score: NDArray[np.float64], factors: NDArray[np.float64], ts_ns: NDArray[np.int64] | None = None) -> list[float]:
    out = np.empty(len(score))
    state = as_state(alarm.state_of(NAMES[: factors.shape[1]]))
    times = every(60.0, len(score)) if ts_ns is None else ts_ns
    alarm.alarms(state, times, score, factors, alarm.Params(quiet_seconds=3600.0), out)
    return out.tolist()


def usual(rows: int) -> NDArray[np.float64]:
    return np.random.default_rng(1).exponential(0.43, (rows, 5))


def test_without_detectors_an_alarm_starts_once_and_again_only_when_it_is_worse_or_long_ago() -> None:
    score = np.array([np.nan, 0.2, 1.5, 1.4, 1.6, 0.1, 0.3])
    ts_ns = every(60.0, 7)
    ts_ns[-1] += 7200 * 10**9
    assert starts(score, np.empty((7, 0)), ts_ns) == [0.0, 0.2, 1.5, 0.0, 1.6, 0.0, 0.3]


def test_news_to_several_detectors_start_an_alarm_and_it_carries_the_score() -> None:
    factors, score = usual(1000), np.full(1000, 0.5)
    factors[900] = 6.0
    score[900] = 1.3
    out = starts(score, factors)
    assert out[900] == 1.3
    assert sum(value > 0.0 for value in out[500:]) <= 4


def test_what_comes_again_and_again_is_news_no_more() -> None:
    factors, score = usual(6000), np.full(6000, 1.3)
    factors[100::12] = 6.0
    out = starts(score, factors)
    assert out[100] == 1.3
    assert sum(out[3000:]) == 0.0


def test_a_very_high_score_starts_an_alarm_alone() -> None:
    score = np.full(100, 0.1)
    score[50:60] = 2.5
    assert [i for i, value in enumerate(starts(score, np.zeros((100, 5)))) if value > 0.0] == [50]


def test_before_there_is_a_history_nothing_is_news() -> None:
    assert sum(starts(np.full(20, 1.3), np.full((20, 5), 6.0))) == 0.0
