"""What surprises at the same minute each day becomes usual within days, is forgotten within weeks, and is nobody else's."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from detectors import usual
from detectors.estimator import SeriesDetector

SECOND_NS = 1_000_000_000
DAY_NS = 86_400 * SECOND_NS
START_NS = 20_000 * DAY_NS
AT_NS = (6 * 60 + 7) * 60 * SECOND_NS


def words() -> NDArray[np.uint32]:
    return np.zeros(usual.WORDS, np.uint32)


def slot(civil_ns: int, step: float) -> int:
    return usual.shared_by(usual.near(civil_ns)[1], step)


def days(
    known: NDArray[np.uint32], surprises: list[float], *, at_ns: int = AT_NS, step: float = 60.0, first: int = 0
) -> list[float]:
    """One sample a day at the same time; what was usual before each."""
    before = []
    for day, surprise in enumerate(surprises, first):
        now = START_NS + day * DAY_NS + at_ns
        before.append(usual.usual_at(known, slot(now, step)))
        usual.remember(known, slot(now, step), now, step, surprise)
    return before


def test_a_daily_surprise_becomes_usual_and_fades_when_it_stays_away() -> None:
    known = words()
    told = days(known, [12.0] * 20)
    assert told[0] == 0.0
    assert told == sorted(told)
    assert told[5] >= 6.0
    assert told[-1] == 12.0
    fading = days(known, [0.0] * 40, first=20)
    assert fading[4] < 10.0
    assert fading[-1] == 0.0


def test_once_is_no_habit() -> None:
    known = words()
    days(known, [100.0])
    assert days(known, [0.0], first=1)[0] <= 2 * usual.LEVEL


def test_a_minute_teaches_its_own_slot_alone() -> None:
    known = words()
    days(known, [14.0] * 30)
    levels = [usual.usual_at(known, slot(START_NS + minute * 60 * SECOND_NS, 60.0)) for minute in range(usual.MINUTES)]
    assert [minute for minute, level in enumerate(levels) if level] == [6 * 60 + 7]


@pytest.mark.parametrize(("step", "minutes"), [(30.0, 1), (60.0, 1), (300.0, 5), (600.0, 5), (900.0, 15)])
def test_rare_samples_share_slots(step: float, minutes: int) -> None:
    """A sample that comes some minutes earlier or later each day still finds its slot."""
    known = words()
    days(known, [14.0] * 30, at_ns=6 * 3600 * SECOND_NS, step=step)
    level = [
        usual.usual_at(known, slot(START_NS + (360 + minute) * 60 * SECOND_NS, step)) for minute in (0, minutes - 1, minutes)
    ]
    assert level[0] == level[1] == 14.0
    assert level[2] == 0.0


def test_of_hourly_samples_nothing_is_usual() -> None:
    model = SeriesDetector()
    for hour in range(40 * 24):
        x = 100.0 + (hour * 7919 % 13) + 300.0 * (hour % 24 == 6)
        assert model.explain_one(x, hour * 3600.0).usual == 0.0
        model.learn_one(x, hour * 3600.0)


@pytest.mark.parametrize("surprise", [1.0, 3.0, 7.5, 11.0])
@pytest.mark.parametrize("step", [1.0, 15.0, 60.0])
def test_levels_are_right_on_average(surprise: float, step: float) -> None:
    """Whole levels, but as often one as the other that the mean lies between."""
    known = words()
    told = []
    for day in range(200):
        for second in np.arange(0.0, 60.0, step):
            now = START_NS + day * DAY_NS + AT_NS + int(second * SECOND_NS)
            told.append(usual.usual_at(known, slot(now, step)))
            usual.remember(known, slot(now, step), now, step, surprise)
    assert np.mean(told[len(told) // 4 :]) == pytest.approx(surprise, abs=0.6)


def test_chance_is_even_over_whatever_times_are_asked_for() -> None:
    for step in (1, 10, 60, 300, 86_400):
        found = [usual.chance(1_700_000_000 + n * step) for n in range(2000)]
        shares, _ = np.histogram(found, 10, (0.0, 1.0))
        assert shares.min() > 140
        assert shares.max() < 260


def test_no_level_runs_into_its_neighbour() -> None:
    rng = np.random.default_rng(1)
    known, naive = words(), dict.fromkeys(range(usual.MINUTES), 0)
    for _ in range(20_000):
        minute, day, surprise = int(rng.integers(0, 40)), int(rng.integers(0, 500)), float(rng.choice([0.0, 5.0, 50.0]))
        now = START_NS + day * DAY_NS + minute * 60 * SECOND_NS
        usual.remember(known, slot(now, 60.0), now, 60.0, surprise)
        moved = naive[minute] + int(np.floor(0.2 * (min(surprise / 2.0, 7.0) - naive[minute]) + usual.chance(now // SECOND_NS)))
        naive[minute] = min(max(moved, 0), 7)
        assert usual.usual_at(known, slot(now, 60.0)) == 2.0 * naive[minute]
    assert all(usual.usual_at(known, slot(START_NS + m * 60 * SECOND_NS, 60.0)) == 2.0 * level for m, level in naive.items())


def test_a_job_of_two_minutes_is_told_less_each_day_and_a_fault_at_another_time_is_not() -> None:
    model, rng = SeriesDetector(), np.random.default_rng(3)
    scores, wholes = np.zeros((14, 2)), np.zeros((14, 2))
    for day in range(14):
        for minute in range(1440):
            job = minute - 367
            x = float(rng.normal(100.0, 4.0)) + (float(rng.uniform(30.0, 90.0)) if job in (0, 1) else 0.0)
            opinion = model.explain_one(x, (day * 1440 + minute) * 60.0)
            model.learn_one(x, (day * 1440 + minute) * 60.0)
            if job in (0, 1):
                scores[day, job], wholes[day, job] = opinion.score, opinion.score + opinion.usual
    assert scores[0].max() > 1.0
    assert scores[-4:].mean() < 0.6 * wholes[-4:].mean()
    assert wholes[-4:].max() > 1.0
    fault = [model.score_learn_one(200.0, (14 * 1440 + 300 + n) * 60.0) for n in range(3)]
    assert max(fault) > 1.0
