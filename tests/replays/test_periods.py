"""What comes back by no clock: a job every seven hours, in the tier that looks for such."""

from __future__ import annotations

import pytest
from stories import Floats, Story, hours, noise, within

from engine.config.tree import Detect
from engine.records import AlertState, AnomalyKind

FIRING = AlertState.FIRING
DAY = 24.0
PERIOD = 7.0
MISSED = 75
"""The cycle, on day 22."""
WHEN = MISSED * PERIOD + 3.0


def jobs(missed: range) -> tuple[Floats, Floats]:
    """A processor at 40, half as high again for an hour every seven hours, but for some of them."""
    at = hours(25, 300.0)
    value = 40.0 + noise(at, 2.0)
    for cycle in range(86):
        if cycle not in missed:
            value[within(at, cycle * PERIOD + 3.0, 1.0)] += 20.0
    return at, value


@pytest.mark.parametrize("missed", [range(MISSED, MISSED + 1), range(MISSED, 100)], ids=["once", "for ever"])
def test_the_job_that_runs_every_seven_hours_did_not_run_and_nobody_was_told(missed):
    """Told once, as what it is, whether it comes back or not; in the three weeks before nobody is told but of the first two days."""
    story = Story(*jobs(missed), "cpu.load", Detect(tier="full"))
    assert story.says(since=2 * DAY, until=WHEN) == [], story.summary()
    (told,) = story.says(since=WHEN, state=FIRING)
    assert told.kind is AnomalyKind.SEASONAL_MISS, story.summary()
    assert told.ts_ns <= story.says(since=WHEN)[-1].ts_ns


def test_in_the_standard_tier_it_is_not_told():
    story = Story(*jobs(range(MISSED, MISSED + 1)), "cpu.load")
    assert story.says(since=2 * DAY) == [], story.summary()
