"""Laws of lines that come regularly, and of those that only seem to."""

from __future__ import annotations

import numpy as np

from engine.detect.pulses import Pulse

MINUTE_NS = 60_000_000_000
DAY = 1440


def beaten(buckets: list[int]) -> Pulse:
    pulse = Pulse()
    for bucket in buckets:
        pulse.beat(bucket, MINUTE_NS)
    return pulse


def test_a_line_each_minute_is_due_within_minutes_though_it_rests_at_night():
    days = [bucket for bucket in range(1, 3 * DAY) if bucket % DAY > 480]
    assert beaten(days).due(MINUTE_NS) == 1.25 * 482
    assert beaten(list(range(1, 2 * DAY))).due(MINUTE_NS) == 3.5


def test_lines_by_chance_are_waited_for_twice_as_long_as_ever():
    """Two lines a minute: in most minutes there is one, so that for twelve minutes it may seem to be a clock."""
    false, days = 0, 0
    for seed in range(20):
        counts = np.random.default_rng(seed).poisson(1.5, 4 * DAY)
        pulse = Pulse()
        for bucket, count in enumerate(counts.tolist(), start=1):
            if count:
                pulse.beat(bucket, MINUTE_NS)
            elif pulse.lateness(bucket, MINUTE_NS):
                pulse.told = True
                false += 1
        days += 3
    assert false <= days / 30


def test_a_line_that_stays_away_is_told_once():
    pulse = beaten(list(range(30, 2 * DAY, 30)))
    late = [bucket for bucket in range(2 * DAY - 30, 2 * DAY + 200) if pulse.lateness(bucket, MINUTE_NS)]
    assert late[0] == pulse.last + 47
    pulse.told = True
    assert not pulse.lateness(2 * DAY + 300, MINUTE_NS)
