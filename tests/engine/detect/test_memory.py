"""Laws of habits and of the other things that are remembered of past episodes."""

from __future__ import annotations

import msgspec
import pytest

from engine.detect import memory
from engine.detect.memory import Excursion, Memories, Past

MINUTE_NS = 60_000_000_000
HOUR_NS = 60 * MINUTE_NS
DAY_NS = 24 * HOUR_NS
KEY = b"cpu"


def at(day: int, hour: float, minutes: float = 20.0, reach: float = 40.0, direction: int = 1) -> Excursion:
    begin_ns = day * DAY_NS + round(hour * HOUR_NS)
    return Excursion(begin_ns, begin_ns + round(minutes * MINUTE_NS), direction, reach, 60.0)


def after(*seen: Excursion) -> Memories:
    memories = Memories()
    for excursion in seen:
        memories.learn(KEY, excursion, excursion.end_ns)
    return memories


def test_three_days_of_a_week_make_a_habit_and_two_do_not():
    assert not after(at(0, 6), at(1, 6)).recurs(KEY, at(2, 6))
    assert after(at(0, 6), at(1, 6), at(2, 6)).recurs(KEY, at(3, 6))
    assert after(at(0, 6), at(2, 6), at(4, 6)).recurs(KEY, at(7, 6))
    assert not after(at(0, 6), at(1, 6), at(2, 6)).recurs(KEY, at(9, 6)), "forgotten after a week without"


def test_three_weeks_in_a_row_make_a_habit():
    assert after(at(0, 3), at(7, 3), at(14, 3)).recurs(KEY, at(21, 3))
    assert not after(at(0, 3), at(7, 3), at(14, 3)).recurs(KEY, at(22, 3))
    assert not after(at(0, 3), at(14, 3)).recurs(KEY, at(21, 3))


def test_three_parts_of_one_excursion_are_one_day():
    parts = after(at(0, 6.0, 3), at(0, 6.1, 3), at(0, 6.2, 3))
    assert not parts.recurs(KEY, at(1, 6))


@pytest.mark.parametrize(
    ("now", "known"),
    [
        (at(3, 6.0), True),
        (at(3, 6.3), True),
        (at(3, 5.7), True),
        (at(3, 13.0), False),  # another hour
        (at(3, 6.0, reach=55.0), True),
        (at(3, 6.0, reach=70.0), False),  # further
        (at(3, 6.0, minutes=50.0), True),
        (at(3, 6.0, minutes=70.0), False),  # longer
        (at(3, 6.0, direction=-1), False),  # downwards
    ],
)
def test_a_habit_is_at_its_hour_as_far_as_long_and_as_it_was(now, known):
    assert after(at(0, 6), at(1, 6), at(2, 6)).recurs(KEY, now) is known


def test_midnight_is_an_hour_like_any_other():
    nightly = after(at(1, 0.1), at(1, 23.95), at(2, 23.9))
    assert nightly.recurs(KEY, at(4, 0.0))


def test_a_habit_that_shrinks_is_forgotten_at_its_old_size():
    big = [at(day, 6, reach=400.0) for day in range(3)]
    small = [at(day, 6, reach=10.0) for day in range(3, 30)]
    assert after(*big).recurs(KEY, at(3, 6, reach=400.0))
    assert not after(*big, *small).recurs(KEY, at(30, 6, reach=400.0))


def test_the_level_before_an_adoption_is_known_for_a_day():
    memories = Memories()
    memories.adopt(KEY, 200.0, (90.0, 110.0), 5 * DAY_NS)
    assert memories.is_back(KEY, 100.0, 5 * DAY_NS + HOUR_NS)
    assert not memories.is_back(KEY, 120.0, 5 * DAY_NS + HOUR_NS)
    assert not memories.is_back(KEY, 100.0, 6 * DAY_NS + HOUR_NS)
    for level, band in ((200.0, (None, None)), (100.0, (90.0, 110.0))):
        memories.adopt(KEY, level, band, 6 * DAY_NS)
        assert not memories.is_back(KEY, 100.0, 6 * DAY_NS + HOUR_NS), "nothing was expected, or it never left"


def test_an_onset_lies_never_within_the_episode_before():
    memories = after(at(0, 6))
    ended_ns = at(0, 6).end_ns
    assert memories.onset(KEY, ended_ns - HOUR_NS, ended_ns + HOUR_NS) == ended_ns + HOUR_NS
    assert memories.onset(KEY, ended_ns + MINUTE_NS, ended_ns + HOUR_NS) == ended_ns + MINUTE_NS
    assert memories.onset(b"other", ended_ns - HOUR_NS, ended_ns) == ended_ns - HOUR_NS


def test_pasts_and_habits_are_bounded_and_the_oldest_go_first(monkeypatch):
    monkeypatch.setattr(memory, "PASTS_MAX", 10)
    memories = Memories()
    for number in range(25):
        memories.learn(b"%d" % number, at(number, 6), 0)
        memories.learn(b"kept", at(number, 7), 0)
    assert len(memories) == 10
    assert b"kept" in dict(memories.saved())
    assert memories.take_dropped() == 16
    assert memories.take_dropped() == 0
    for number in range(100):
        memories.learn(KEY, at(0, number), 0)
    assert len(dict(memories.saved())[KEY].habits) <= memory.HABITS_MAX


def test_what_is_saved_is_what_goes_on():
    memories = after(at(0, 6), at(1, 6), at(2, 6))
    memories.adopt(b"other", 5.0, (1.0, 2.0), DAY_NS)
    saved = msgspec.json.encode(memories.saved())
    restored = Memories()
    restored.restore(msgspec.json.decode(saved, type=list[tuple[bytes, Past]]))
    assert restored.saved() == memories.saved()
    assert restored.recurs(KEY, at(3, 6))
    restored.forget(KEY)
    assert not restored.recurs(KEY, at(3, 6))


def test_what_is_never_counted_but_then_is_known_by_two_days():
    now = at(2, 6)
    alone = Excursion(now.begin_ns, now.end_ns, now.direction, now.reach, now.step_seconds, is_alone=True)
    assert after(at(0, 6), at(1, 6)).recurs(KEY, alone)
    assert not after(at(1, 6)).recurs(KEY, alone)
