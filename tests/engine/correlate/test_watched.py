"""How many series all sources watch: kept as they promise, and always the sum."""

from __future__ import annotations

from random import Random

import msgspec
import pytest

from engine.correlate import reorder
from engine.correlate.reorder import Reorder
from engine.records import Stamp, Watermark


def promise(room: Reorder, source: str, ts_ns: int, active: int) -> None:
    room.promise(Watermark(source=source, ts_ns=ts_ns, stamp=Stamp(source, 0, ts_ns, 0), active=active))


@pytest.mark.parametrize("seed", range(20))
def test_what_is_watched_is_the_sum_over_sources_at_any_time_and_after_any_restart(seed):
    chance = Random(seed)
    room = Reorder(10**12)
    told: dict[str, list[tuple[int, int]]] = {}
    now = 0
    for _ in range(300):
        source = f"s{chance.randrange(8)}"
        before = told.setdefault(source, [])
        ts_ns = (before[-1][0] if before else 0) + chance.randrange(1, 40)
        before.append((ts_ns, chance.randrange(4)))
        promise(room, source, *before[-1])
        now += chance.randrange(6)
        expected = sum(next((n for since_ns, n in reversed(steps) if since_ns <= now), 0) for steps in told.values())
        assert room.watched(now) == expected
        if chance.random() < 0.1:
            room = msgspec.convert(msgspec.to_builtins(room), Reorder)


def test_what_is_known_of_times_ahead_is_bounded_and_the_present_stays(monkeypatch):
    monkeypatch.setattr(reorder, "_AHEAD_MAX", 4)
    room = Reorder(10**12)
    for minute in range(1, 20):
        promise(room, "a", minute, 100 + minute)
    assert len(room.sources["a"].watched) == len(room.changes) == 4
    assert [room.watched(minute) for minute in (1, 3, 4, 30)] == [101, 103, 119, 119]


def test_a_source_that_makes_way_is_counted_no_more(monkeypatch):
    monkeypatch.setattr(reorder, "SOURCES_MAX", 2)
    room = Reorder(10**12)
    for name, active in (("a", 10), ("b", 200)):
        promise(room, name, 1, active)
    assert room.watched(1) == 210
    promise(room, "c", 2, 3_000)
    assert room.watched(2) == 3_200
