"""What an incident teaches, and what it must not: stuck values, outages, levels that were adopted."""

from __future__ import annotations

import numpy as np
import pytest
from detect_world import START
from stories import Story, hour_of, hours, noise, within

from engine.detect.gates import Gate
from engine.records import AlertState, AnomalyKind

FIRING, RESOLVED, UNKNOWN = AlertState.FIRING, AlertState.RESOLVED, AlertState.UNKNOWN


def steady(days: float, step: float = 60.0, seed: int = 1):
    """Times and values of a series that scatters by 3 about 100."""
    at = hours(days, step)
    return at, 100.0 + noise(at, 3.0, seed)


# ------------------------------------------------------------------------------------------------ stuck values
def test_a_stuck_sensor_is_an_alarm_every_six_hours():
    """Told when it is noticed and when it is adopted, and never again for the three days that it stays stuck."""
    at, value = steady(5)
    value[at >= 48] = 100.0
    story = Story(at, value)
    assert [(a.state, a.kind) for a in story.told] == [(FIRING, AnomalyKind.FLAT), (RESOLVED, AnomalyKind.FLAT)], story.summary()
    assert story.says(48.0, 48.6, state=FIRING)


def test_the_sensor_was_stuck_a_second_time_and_nobody_was_told():
    """Twenty hours of one value taught nothing: the next time is told as soon, give or take the samples that came between."""
    at, value = steady(6)
    value[within(at, 48.0, 20.0)] = 100.0
    value[within(at, 120.0, 12.0)] = 100.0
    story = Story(at, value)
    fired = story.says(state=FIRING)
    assert len(fired) == 2, story.summary()
    assert story.says(120.0, 121.0, state=FIRING, kind=AnomalyKind.FLAT), story.summary()


# ------------------------------------------------------------------------------------------------ outages
def test_an_outage_that_became_normal_is_told_again_as_a_flat_line():
    """Seven hours at nothing: told once, adopted after six, and quiet from then on."""
    at, value = steady(4)
    value[within(at, 48.0, 7.0)] = 0.0
    story = Story(at, value)
    assert len(story.told) == 2, story.summary()
    assert story.says(53.9, 54.1, state=RESOLVED, reason="adopted")
    assert story.gated(Gate.RETURNED) > 0, "the recovery is surprising after the adoption, and no news"


def test_an_outage_of_a_series_with_a_day_is_told_again_after_its_adoption():
    """A daily wave at nothing for nine hours: told, adopted after six, and quiet until the wave is back."""
    at = hours(8, 300.0)
    value = 200.0 + 100.0 * np.sin((at % 24 - 8) / 24 * 2 * np.pi) + noise(at, 6.0)
    value[within(at, 102.0, 9.0)] = 0.0
    story = Story(at, value)
    assert len(story.says(until=111.0)) == 2, story.summary()


def test_after_an_outage_that_was_adopted_the_next_one_is_usual():
    """It ends after seven hours: from then on the model is the one from before it, and the next outage is told at once."""
    at, value = steady(4)
    value[within(at, 48.0, 7.0)] = 0.0
    value[within(at, 70.0, 1.0)] = 0.0
    story = Story(at, value)
    (told,) = story.says(54.5, state=FIRING)
    assert 70.0 <= hour_of(told) < 70.05, story.summary()
    assert told.expected == pytest.approx(100.0, abs=10.0)


def test_a_level_that_goes_on_to_another_one_is_news():
    """Adopted at twice the usual, then half of what was usual: that is no return."""
    at, value = steady(4)
    value[at >= 48] += 100.0
    value[at >= 60] -= 150.0
    story = Story(at, value)
    assert story.says(60.0, 60.1, state=FIRING), story.summary()


def test_a_switched_off_service_is_told_for_ever():
    at, value = steady(5)
    value[at >= 48] = 0.0
    story = Story(at, value)
    assert len(story.told) == 2, story.summary()


def test_it_was_stuck_again_on_the_same_day_and_nobody_was_told():
    """Stuck at nothing until that is adopted, back, then stuck where it usually is: that is no return."""
    at, value = steady(4)
    value[within(at, 48.0, 8.0)] = 0.0
    value[within(at, 60.0, 6.0)] = 100.0
    story = Story(at, value)
    assert story.says(60.0, 61.5, state=FIRING, kind=AnomalyKind.FLAT), story.summary()


@pytest.mark.parametrize("length", [2.0, 3.5, 5.0])
def test_after_an_outage_the_recovery_is_the_alarm_and_the_next_outage_is_not(length):
    """Three outages of some hours: each is told within a minute, ends as recovered, and nothing else is told."""
    at, value = steady(6)
    starts = (50.0, 80.0, 110.0)
    for start in starts:
        value[within(at, start, length)] = 0.0
    story = Story(at, value)
    assert len(story.told) == 2 * len(starts), story.summary()
    for start in starts:
        assert story.says(start, start + 0.05, state=FIRING), story.summary()
        assert story.says(start + length, start + length + 0.2, state=RESOLVED, reason="recovered"), story.summary()


# ------------------------------------------------------------------------------------------------ onsets
@pytest.mark.parametrize("height", [100.0, 400.0])
def test_the_second_spike_is_dated_to_the_first(height):
    """Two spikes of one sample, ten minutes apart: two alerts, each with its own beginning, and no ordinary sample is told."""
    at, value = steady(3)
    for start in (50.0, 50.0 + 1 / 6):
        value[within(at, start, 1 / 60)] += height
    story = Story(at, value)
    onsets = [alert.onset_ts_ns for alert in story.says(state=FIRING)]
    assert [round((ns / 1e9 - START) / 60.0) for ns in onsets] == [3000, 3010], story.summary()
    assert len(story.told) == 4, story.summary()


@pytest.mark.parametrize("lasting", [1.5, 3.0, 6.0])
def test_a_slow_ramp_is_dated_to_when_it_was_noticed(lasting):
    """A ramp of some hours by fifty usual deviations: its onset lies between its foot and the fourth of them."""
    at, value = steady(3)
    value += np.clip((at - 50.0) / lasting, 0.0, 1.0) * 150.0
    story = Story(at, value)
    (told,) = story.says(state=FIRING)
    onset = (told.onset_ts_ns / 1e9 - START) / 3600.0
    assert 49.9 <= onset <= 50.0 + lasting * 4.0 / 50.0, (onset, story.summary())


@pytest.mark.parametrize("seed", range(6))
def test_a_jump_is_dated_to_something_that_had_nothing_to_do_with_it(seed):
    """Whatever the noise did before: the onset of a jump is the jump."""
    at, value = steady(2.2, seed=seed)
    value[at >= 50] += 60.0
    story = Story(at, value)
    (told,) = story.says(state=FIRING)
    assert told.onset_ts_ns == round((START + 50 * 3600) * 1e9), story.summary()


# ------------------------------------------------------------------------------------------------ single samples and restarts
@pytest.mark.parametrize("height", [50.0, 100.0, 400.0])
def test_after_one_odd_sample_the_ordinary_ones_are_told(height):
    at, value = steady(3)
    value[within(at, 50.0, 1 / 60)] += height
    story = Story(at, value)
    assert [alert.state for alert in story.told] == [FIRING, RESOLVED], story.summary()
    assert {alert.value for alert in story.told} == {value[within(at, 50.0, 1 / 60)][0]}, "nothing but the spike was an anomaly"


def restarted(factors):
    """Latency about 20 each half minute; twice three minutes are missing, then caches are cold for as many samples."""
    at = hours(3, 30.0)
    value = 20.0 + noise(at, 1.0)
    for start in (40.0, 60.0):
        value[within(at, start, 0.05)] = np.nan
        value[within(at, start + 0.05, len(factors) / 120.0)] *= factors
    return at, value


def test_each_restart_with_its_cold_caches_is_an_alarm():
    story = Story(*restarted([6.0, 4.0, 2.5]))
    assert story.told == [], story.summary()
    assert story.gated(Gate.RESTARTED) > 0


def test_a_pod_that_comes_back_broken_is_not_told():
    """What is still wrong two minutes after the restart is told then."""
    story = Story(*restarted([6.0] * 40))
    for start in (40.05, 60.05):
        assert story.says(start + 0.02, start + 0.06, state=FIRING), story.summary()


def test_the_burst_after_a_restart_is_an_alarm():
    """A counter begins at nothing after three minutes, and what had queued up comes at six times the usual pace for a minute."""
    at = hours(3, 30.0)
    grown = np.random.default_rng(3).poisson(600, len(at)).astype(np.float64)
    for start in (40.0, 60.0):
        grown[within(at, start + 0.05, 1 / 60)] *= 6.0
    total = np.cumsum(grown)
    for start in (40.0, 60.0):
        total[at >= start] -= total[at >= start][0]
        total[within(at, start, 0.05)] = np.nan
    story = Story(at, total, "requests_total")
    assert story.told == [], story.summary()


# ------------------------------------------------------------------------------------------------ silence
def test_a_fault_was_resolved_by_nothing_but_silence():
    """Twenty hours without data are twenty hours unknown; the first healthy samples resolve it."""
    at, value = steady(4)
    value[within(at, 49.0, 0.2)] = 300.0
    value[within(at, 49.2, 20.0)] = np.nan
    story = Story(at, value)
    assert [alert.state for alert in story.told] == [FIRING, UNKNOWN, RESOLVED], story.summary()
    assert story.says(69.2, 69.4, state=RESOLVED, reason="recovered")
    leases = story.repeated(49.6, 69.2)
    assert leases
    assert {alert.state for alert in leases} == {UNKNOWN}, "it is told again as what it is: unknown"


def test_a_fault_that_outlived_the_silence_began_anew():
    """When data come back and are as bad as before it is the same alert that fires on."""
    at, value = steady(4)
    value[within(at, 49.0, 0.2)] = 300.0
    value[within(at, 49.2, 3.0)] = np.nan
    value[within(at, 52.2, 1.0)] = 300.0
    story = Story(at, value)
    assert [alert.state for alert in story.told] == [FIRING, UNKNOWN, FIRING, RESOLVED], story.summary()
    assert len({alert.id for alert in story.told}) == 1
    assert story.says(52.2, 52.3, state=FIRING, reason="returned")
