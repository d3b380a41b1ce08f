"""Laws of a first start that learns the past: in silence up to its end, once, and whoever takes over begins where it began."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import replace

import pytest
from log_world import StillClock, TallyMachine, Told, World, WorldPublisher, WorldSource, WorldStore, numbers

from engine.metrics import Metric
from engine.ports import StepStats
from engine.records import Output, Record, Shard
from engine.runner import Runner, RunnerOptions

SHARD = Shard("numbers", 0)
PAST = 100
OPTIONS = RunnerOptions(
    kernel_id="tally-1", start="latest", commit_interval_s=0.1, snapshot_interval_s=0.5, backfill_seconds=60.0
)


class Searchable(WorldSource):
    """Its clock stands at the end of the past: a record a second, so 60 s of it are 60 records."""

    def offset_at(self, shard: Shard, ts_ns: int) -> int | None:
        newer = (record.offset for record in self.world.logs[shard] if record.ts_ns >= PAST * 10**9 + ts_ns)
        return next(newer, None)


class Life:
    """One process on the world."""

    def __init__(self, world: World, options: RunnerOptions = OPTIONS, source: type[WorldSource] = Searchable) -> None:
        self.told = Told()
        self.counts: dict[Metric, float] = {}
        self.source = source(world)
        store, publisher = WorldStore(world), WorldPublisher(world)
        clock = StillClock(step_seconds=0.0)
        factory = TallyMachine
        parts = (self.source, publisher, store, factory, options)
        self.runner = Runner("detect", *parts, observe=self._observe, log=self.told, clock=clock)

    def _observe(self, stats: StepStats) -> None:
        for (metric, _labels), amount in stats.counts.items():
            self.counts[metric] = self.counts.get(metric, 0) + amount

    def to_the_end(self) -> None:
        while not self.source.done():
            self.round()

    def round(self) -> None:
        self.runner._commit_at = 0.0
        self.runner.step_once()

    def stop(self) -> None:
        end = threading.Event()
        end.set()
        assert self.runner.run(end) == 0

    @property
    def began(self) -> dict[str, object]:
        (event,) = self.told.all("shard_began")
        return event


def a_world() -> World:
    return World({SHARD: numbers(SHARD, ((7 * n) % 23 for n in range(PAST)))})


def goes_on(world: World, records: int = 50) -> None:
    """The log grows."""
    more = [Record(*SHARD, PAST + n, (PAST + n + 1) * 10**9, None, b"%d" % (5 * n % 19)) for n in range(records)]
    world.logs[SHARD] += more


def heard(world: World, since: int) -> Iterator[Output]:
    """What an uninterrupted machine that began at `since` would have said of everything after the past."""
    outputs = TallyMachine(SHARD).step(world.logs[SHARD][since:]).outputs
    return (output for output in outputs if output.ts_ns > PAST * 10**9)


def test_the_past_is_learned_in_silence_and_what_follows_is_told() -> None:
    world = a_world()
    life = Life(world)
    life.to_the_end()
    assert (life.began["how"], life.began["position"], life.began["replay_until"]) == ("backfilled", 39, PAST)
    assert world.out == []
    assert life.counts[Metric.REPLAYED] == PAST - 39
    goes_on(world)
    life.to_the_end()
    assert world.out == list(heard(world, 39))
    assert world.out
    assert world.commits[SHARD][0] == PAST + 50


def test_nothing_is_committed_or_saved_before_the_past_is_learned_so_that_a_new_life_begins_it_again() -> None:
    world = a_world()
    first = Life(world)
    for _ in range(4):
        first.round()
    assert 39 < first.source.next[SHARD] < PAST
    first.stop()
    assert (world.commits, world.snapshots) == ({}, {})
    goes_on(world)
    second = Life(world)
    second.to_the_end()
    assert second.began["how"] == "backfilled"
    assert second.began["replay_until"] == PAST + 50, "all of it is past by now"
    assert world.out == []


def test_a_second_start_goes_on_where_the_first_one_ended() -> None:
    world = a_world()
    first = Life(world)
    first.to_the_end()
    first.stop()
    goes_on(world)
    second = Life(world)
    second.to_the_end()
    assert second.began["how"] == "restored"
    assert world.out == list(heard(world, 39))


@pytest.mark.parametrize(
    ("options", "source", "how", "position"),
    [
        (replace(OPTIONS, backfill_seconds=0.0), Searchable, "cold_latest", PAST),
        (replace(OPTIONS, backfill_seconds=1e6), Searchable, "backfilled", 0),
        (OPTIONS, WorldSource, "backfilled", 0),
    ],
    ids=["not asked for", "more than there is", "a log that cannot be searched by time"],
)
def test_where_the_past_begins(options, source, how, position) -> None:
    life = Life(a_world(), options, source)
    life.to_the_end()
    assert (life.began["how"], life.began["position"]) == (how, position)


def test_the_past_begins_where_retention_has_left_it() -> None:
    world = a_world()
    world.forget_before(SHARD, 70)
    life = Life(world)
    life.to_the_end()
    assert life.began["position"] == 70


def test_an_empty_log_has_no_past() -> None:
    world = World({SHARD: []})
    life = Life(world)
    life.round()
    assert life.began["how"] == "cold_latest"
