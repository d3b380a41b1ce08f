"""What users complain about, as replays: each story is named by the complaint that it must not give."""

from __future__ import annotations

import numpy as np
import pytest
from stories import Story, hours, noise, within

from engine.detect.gates import Gate
from engine.records import AlertState, AnomalyKind

FIRING, RESOLVED, UNKNOWN = AlertState.FIRING, AlertState.RESOLVED, AlertState.UNKNOWN


def steady(days: float, step: float = 60.0, seed: int = 1):
    """Times and values of a series that scatters by 3 about 100."""
    at = hours(days, step)
    return at, 100.0 + noise(at, 3.0, seed)


def test_i_was_paged_for_a_change_of_five_percent():
    at = hours(3)
    value = 100.0 + noise(at, 0.5)
    value[within(at, 49, 2)] += 5.0
    story = Story(at, value)
    assert story.told == [], story.summary()
    assert story.gated(Gate.IMMATERIAL) > 0, "what is kept from people is counted"


def test_the_day_itself_is_an_alarm_each_day():
    """A wave of a day, three times as high at noon as at night, is nothing new: not even on the first day."""
    at = hours(14, 600.0)
    story = Story(at, 200.0 + 100.0 * np.sin((at % 24 - 8) / 24 * 2 * np.pi) + noise(at, 8.0))
    assert story.told == [], story.summary()


def test_office_hours_are_an_alarm_each_morning():
    at = hours(14, 300.0)
    story = Story(at, 100.0 + 300.0 * ((at % 24 >= 8) & (at % 24 < 18)) + noise(at, 6.0))
    assert story.says(since=50.0) == [], story.summary()


@pytest.mark.parametrize("shift", [1.0, -1.0], ids=["spring", "autumn"])
def test_i_was_paged_in_the_night_the_clocks_changed(shift):
    """The same wave, an hour earlier or later by UTC from the eleventh day on."""
    at = hours(14, 600.0)
    local = np.where(at >= 10 * 24 + 1, at + shift, at)
    story = Story(at, 200.0 + 100.0 * np.sin((local % 24 - 8) / 24 * 2 * np.pi) + noise(at, 8.0))
    assert story.told == [], story.summary()


def test_the_second_identical_outage_was_missed():
    """Outages of an hour: each is told at once, and the repeats score three quarters of the first at least."""
    at, value = steady(6)
    starts = [53.0, 77.0, 106.0, 130.0]
    for start in starts:
        value[within(at, start, 1.0)] = 0.0
    story = Story(at, value)
    assert len(story.says(state=FIRING)) == len(starts), story.summary()
    peaks = []
    for start in starts:
        assert story.says(start, start + 0.2, state=FIRING), story.summary()
        ended = story.says(start + 1.0, start + 1.3, state=RESOLVED, reason="recovered")
        assert len(ended) == 1, story.summary()
        peaks.append(ended[0].peak_score)
    assert min(peaks) >= 0.7 * peaks[0], peaks


def test_a_new_level_is_told_again_and_again():
    """Once when it comes, once when it is adopted six hours later, and never again."""
    at, value = steady(5)
    value[at >= 48] += 100.0
    story = Story(at, value)
    assert len(story.told) == 2, story.summary()
    assert story.says(48.0, 48.1, state=FIRING)
    assert story.says(53.9, 54.2, state=RESOLVED, reason="adopted")


def test_after_a_new_level_it_was_deaf():
    """An outage a day after the step is told within minutes, against the new level."""
    at, value = steady(4)
    value[at >= 48] += 100.0
    value[within(at, 78.0, 1.0)] = 0.0
    story = Story(at, value)
    (told,) = story.says(54.5, state=FIRING)
    assert story.says(78.0, 78.2, state=FIRING) == [told], story.summary()
    assert told.expected == pytest.approx(200.0, abs=15.0)


def test_a_constant_that_moves_stands_at_its_highest_score_for_ever():
    """A limit that was 7 for three days and is 9 from then on: told, adopted once, forgotten."""
    at = hours(5)
    story = Story(at, np.where(at < 72, 7.0, 9.0))
    assert len(story.told) == 2, story.summary()
    assert story.says(72.0, 72.1, state=FIRING)
    assert story.says(77.9, 78.2, state=RESOLVED, reason="adopted")


def test_a_flat_line_is_an_anomaly():
    at = hours(3)
    story = Story(at, np.full(len(at), 7.0))
    assert story.told == [], story.summary()
    assert story.anomalies(AnomalyKind.FLAT) == 0


def test_a_stuck_sensor_was_not_noticed():
    at, value = steady(2.1)
    value[at >= 48] = 100.0
    story = Story(at, value)
    assert story.anomalies(AnomalyKind.FLAT) > 0
    (told,) = story.told
    assert told.kind is AnomalyKind.FLAT
    assert told.onset_ts_ns <= told.ts_ns - 600 * 10**9, "dated back to where it stopped moving"


def test_the_alert_was_resolved_because_its_data_stopped():
    at, value = steady(3)
    value[within(at, 49.0, 0.2)] = 300.0
    value[within(at, 49.2, 2.0)] = np.nan
    story = Story(at, value)
    assert [alert.state for alert in story.told] == [FIRING, UNKNOWN, RESOLVED], story.summary()
    assert story.says(49.2, 50.0, state=UNKNOWN, reason="silent")
    assert story.says(51.2, 51.5, state=RESOLVED, reason="recovered")


def test_the_disk_was_full_before_anybody_was_told():
    """From 35 to 95 per cent in two hours: told before a third of it is gone."""
    at = hours(3)
    value = 35.0 + noise(at, 1.0) + np.clip((at - 48) / 2.0, 0.0, 1.0) * 60.0
    story = Story(at, value, "disk.percent")
    assert story.says(48.0, 48.7, state=FIRING), story.summary()


def test_each_restart_of_a_process_is_an_alarm():
    """Its total begins again at nothing, twice, and each time three minutes are missing: that is what a restart looks like."""
    at = hours(3, 30.0)
    total = np.cumsum(np.random.default_rng(3).poisson(600, len(at)).astype(np.float64))
    for start in (40.0, 60.0):
        total[at >= start] -= total[at >= start][0]
        total[within(at, start, 0.05)] = np.nan
    story = Story(at, total, "requests_total")
    assert story.told == [], story.summary()


def test_a_scrape_that_was_missed_is_an_alarm():
    at, value = steady(3)
    for start in (40.0, 60.0):
        value[within(at, start, 0.05)] = np.nan
    story = Story(at, value)
    assert story.told == [], story.summary()
