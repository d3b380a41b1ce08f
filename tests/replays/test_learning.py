"""What an incident teaches, and what it must not: stuck values, outages, levels that were adopted."""

from __future__ import annotations

import pytest
from stories import Story, hours, noise, within

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
    assert len(story.says(until=55.0)) == 2, story.summary()
    assert story.says(53.9, 54.1, state=RESOLVED, reason="adopted")


def test_a_switched_off_service_is_told_for_ever():
    at, value = steady(5)
    value[at >= 48] = 0.0
    story = Story(at, value)
    assert len(story.told) == 2, story.summary()


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
