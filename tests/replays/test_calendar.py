"""What repeats by the clock or the calendar is no news; the same at another time is."""

from __future__ import annotations

from datetime import UTC, datetime

import numpy as np
import pytest
from detect_world import SOURCE, START
from stories import Story, hours, noise, within

from engine.config.tree import Detect
from engine.detect.gates import Gate
from engine.records import AlertState
from engine.zones import spans

FIRING = AlertState.FIRING
DAY = 24.0
JOB = 1 / 3
"""Hours that the job takes."""
STEP = 120.0
"""Seconds between samples of jobs."""


def jobs(days: int, hour: float = 6.0, seed: int = 1, every: int = 1):
    """A processor at 40, doubled for twenty minutes at the same hour of each day (or of each `every`th)."""
    at = hours(days, STEP)
    value = 40.0 + noise(at, 2.0, seed)
    for day in range(0, days, every):
        value[within(at, day * DAY + hour, JOB)] *= 2.0
    return at, value


def civil_hours(at, zone="Europe/Berlin"):
    """Hours since the Monday with which stories begin, as the zone's clocks show them."""
    table = np.array(list(spans(zone)), np.int64)
    ts_ns = ((START + at * 3600.0) * 1e9).astype(np.int64)
    return at + table[np.searchsorted(table[:, 0], ts_ns, "right") - 1, 1] / 3.6e12


def since_start(*date):
    """Hours from the story's beginning to a date, UTC."""
    return (datetime(*date, tzinfo=UTC).timestamp() - START) / 3600.0


def days_told(story, **wanted):
    return sorted({int((alert.opened_ts_ns / 1e9 - START) // 86_400) for alert in story.says(state=FIRING, **wanted)})


# ------------------------------------------------------------------------------------------------ the 6 o'clock job
def test_the_job_at_six_pages_me_every_day():
    """Told on the first three days, then never again, and counted."""
    story = Story(*jobs(14), "cpu.load")
    assert len(days_told(story)) <= 3, story.summary()
    assert story.says(since=3.0 * DAY) == [], story.summary()
    assert story.gated(Gate.RECURRING) > 0, "what is kept from people is counted"


@pytest.mark.parametrize("seed", range(3))
def test_the_job_that_is_not_on_time_pages_me_every_day(seed):
    """Up to ten minutes early or late, between fifteen and twenty-five minutes long, between 1.7 and 2.3 times the load."""
    rng, at = np.random.default_rng(seed), hours(10, STEP)
    value = 40.0 + noise(at, 2.0, seed)
    for day in range(10):
        begin, length = day * DAY + 6.0 + rng.uniform(-10, 10) / 60, rng.uniform(15, 25) / 60
        value[within(at, begin, length)] *= rng.uniform(1.7, 2.3)
    story = Story(at, value, "cpu.load")
    assert days_told(story) == [0, 1, 2], story.summary()


def test_the_short_jobs_of_each_day_page_me():
    """Two minutes at each of four hours, of another size each day: too short for a gate, and no news after ten days. Later they are worth
    a factor below zero to what happens at the same minute.
    """
    at, rng = hours(21, 60.0), np.random.default_rng(4)
    value = 40.0 + noise(at, 2.0)
    for day in range(21):
        for hour in (1.0, 7.5, 13.25, 20.0):
            value[within(at, day * DAY + hour, 2 / 60)] += rng.uniform(20.0, 45.0)
    fault = within(at, 20 * DAY + 7.5, 0.5)
    value[fault] += 60.0
    story = Story(at, value, "cpu.load")
    assert story.says(10 * DAY, 20 * DAY, state=FIRING) == [], story.summary()
    told = story.says(20 * DAY + 7.5, 20 * DAY + 8.0, state=FIRING)
    assert told, story.summary()
    assert told[0].factors["usual"] < 0.0


def test_the_batch_around_midnight_pages_me_twice_a_day():
    """From eleven to two, at thrice the load."""
    at = hours(9, STEP)
    value = 40.0 + noise(at, 2.0)
    for day in range(8):
        value[within(at, day * DAY + 23.0, 3.0)] *= 3.0
    story = Story(at, value, "cpu.load")
    assert days_told(story) == [0, 1, 2], story.summary()
    assert len(story.says(state=FIRING)) == 3


def test_because_of_the_job_at_six_nothing_is_told_any_more():
    """After two weeks: the same load at another hour, twice the job's load at six, and a job that does not end, are told."""
    at, value = jobs(17)
    value[within(at, 14 * DAY + 13.0, JOB)] *= 2.0
    value[within(at, 15 * DAY + 6.0, JOB)] *= 2.0
    value[within(at, 16 * DAY + 6.0 + JOB, 3.0)] *= 2.0
    story = Story(at, value, "cpu.load")
    assert days_told(story)[-3:] == [14, 15, 16], story.summary()
    assert story.says(14 * DAY + 13.0, 14 * DAY + 13.1, state=FIRING)
    assert story.says(15 * DAY + 6.0, 15 * DAY + 6.3, state=FIRING)
    assert story.says(16 * DAY + 6.0 + JOB, 16 * DAY + 7.2, state=FIRING)


def test_the_job_of_working_days_pages_me_each_monday():
    """Monday to Friday at six: told thrice, also not after its weekends."""
    at = hours(21, STEP)
    value = 40.0 + noise(at, 2.0)
    for day in range(21):
        if day % 7 < 5:
            value[within(at, day * DAY + 6.0, JOB)] *= 2.0
    story = Story(at, value, "cpu.load")
    assert days_told(story) == [0, 1, 2], story.summary()


def test_the_job_of_sunday_night_pages_me_each_week():
    """Once a week: told on the first three Sundays, the fourth and the fifth are expected."""
    at = hours(35, STEP)
    value = 40.0 + noise(at, 2.0)
    for week in range(5):
        value[within(at, week * 7 * DAY + 6 * DAY + 3.0, 1.0)] *= 2.0
    story = Story(at, value, "cpu.load")
    assert days_told(story) == [6, 13, 20], story.summary()


def test_a_job_that_moves_with_the_clocks_pages_me_after_the_change():
    """At six in Berlin, before and after the last Sunday of March."""
    at = since_start(2026, 3, 20) + hours(14, STEP)
    clock = civil_hours(at) % DAY
    value = 40.0 + noise(at, 2.0)
    value[(clock >= 6.0) & (clock < 6.0 + JOB)] *= 2.0
    story = Story(at, value, "cpu.load", Detect(timezone="Europe/Berlin"))
    assert len(days_told(story)) == 3, story.summary()
    by_utc = Story(at, value, "cpu.load")
    assert len(days_told(by_utc)) == 6, by_utc.summary()


def test_outages_at_the_same_hour_of_two_days_were_taken_for_a_habit():
    at, value = hours(6), 100.0 + noise(hours(6), 3.0)
    starts = [2 * DAY + 6.0, 3 * DAY + 6.0]
    for start in starts:
        value[within(at, start, 0.5)] = 0.0
    story = Story(at, value)
    assert len(story.says(state=FIRING)) == len(starts), story.summary()


# ------------------------------------------------------------------------------------------------ the clocks change
def office(at, zone="Europe/Berlin"):
    """Requests by the clocks of a zone: 100 at night, 400 from eight to six."""
    clock = civil_hours(at, zone) % DAY
    return 100.0 + 300.0 * ((clock >= 8.0) & (clock < 18.0)) + noise(at, 6.0)


CHANGES = {"spring": (2026, 3, 29), "autumn": (2026, 10, 25)}


@pytest.mark.parametrize("sunday", CHANGES.values(), ids=list(CHANGES))
def test_i_was_paged_on_the_monday_after_the_clocks_changed(sunday):
    """Office hours in Berlin, two weeks before and one after the night: nobody is told from the third day on."""
    at = since_start(*sunday) - 14 * DAY + hours(21, 300.0)
    story = Story(at, office(at), "requests", Detect(timezone="Europe/Berlin"))
    assert story.says(since=at[0] + 50.0) == [], story.summary()


def test_by_utc_i_would_have_been():
    """The same series in spring to an engine that does not know the zone: work begins an hour before it is expected."""
    at = since_start(*CHANGES["spring"]) - 14 * DAY + hours(21, 300.0)
    story = Story(at, office(at), "requests")
    assert story.says(since=at[0] + 14 * DAY, state=FIRING), story.summary()


def test_each_source_lives_by_its_own_zone():
    """A source's zone stands before the general one."""
    at = since_start(*CHANGES["spring"]) - 14 * DAY + hours(21, 300.0)
    source = SOURCE.model_copy(update={"timezone": "Europe/Berlin"})
    story = Story(at, office(at), "requests", source=source)
    assert story.says(since=at[0] + 50.0) == [], story.summary()


# ------------------------------------------------------------------------------------------------ the week
def working_days(weeks=4):
    """Requests in four-week's time: 400 from eight to six on working days, 100 else."""
    at = hours(7 * weeks, 300.0)
    working = (at // DAY % 7 < 5) & (at % DAY >= 8.0) & (at % DAY < 18.0)
    return at, 100.0 + 300.0 * working + noise(at, 6.0)


def test_each_weekend_and_each_monday_morning_is_an_alarm():
    """From the third week on nobody is told."""
    story = Story(*working_days(), "requests")
    assert story.says(since=14 * DAY) == [], story.summary()


def test_a_monday_without_work_was_not_told():
    """The fourth Monday stays as low as a Sunday."""
    at, value = working_days()
    monday = within(at, 21 * DAY, DAY)
    value[monday] = 100.0 + noise(at[monday], 6.0, 2)
    story = Story(at, value, "requests")
    assert story.says(21 * DAY + 8.0, 21 * DAY + 10.0, state=FIRING), story.summary()
