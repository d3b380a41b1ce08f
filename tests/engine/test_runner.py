"""The commit protocol: whatever dies whenever, a reader with high-water marks sees what an uninterrupted run gives."""

from __future__ import annotations

import threading
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from log_world import (
    Crash,
    Failpoint,
    StillClock,
    TallyMachine,
    Told,
    World,
    WorldPublisher,
    WorldSource,
    WorldStore,
    nowhere,
    numbers,
    once,
)

from engine.metrics import Metric
from engine.ports import Revoked, StepResult, StepStats
from engine.records import Output, Record, Shard
from engine.runner import Runner, RunnerOptions
from engine.shard.commit import read_mark

FIRST, SECOND = Shard("numbers", 0), Shard("numbers", 1)
OPTIONS = RunnerOptions(kernel_id="tally-1", start="earliest", commit_interval_s=1.0, snapshot_interval_s=4.0)
POINTS = ["publishing", "before_flush", "after_flush", "before_commit", "after_commit", "torn_snapshot"]


def a_world(records: int = 120) -> World:
    return World({
        FIRST: numbers(FIRST, ((7 * n) % 23 for n in range(records))),
        SECOND: numbers(SECOND, ((5 * n) % 19 for n in range(records // 2))),
    })  # fmt: skip


class Life:
    """One process: a runner with everything that dies with it."""

    def __init__(
        self, world: World, *, cut=(), failpoint: Failpoint = nowhere, options=OPTIONS, machine=TallyMachine, store=True
    ):
        self.counts: dict[Metric, float] = {}
        self.told = Told()
        self.source = WorldSource(world, cut, failpoint)
        self.publisher = WorldPublisher(world, failpoint)
        self.store = WorldStore(world, failpoint) if store else None
        self.clock = StillClock()
        self.runner = Runner(
            "detect",
            self.source,
            self.publisher,
            self.store,
            machine,
            options,
            observe=self._observe,
            log=self.told,
            clock=self.clock,
        )

    def _observe(self, stats: StepStats) -> None:
        for (metric, _labels), amount in stats.counts.items():
            self.counts[metric] = self.counts.get(metric, 0) + amount

    def round(self) -> None:
        """One round, and no snapshot is left being written: so that a test is the same each time."""
        self.runner.step_once()
        if self.runner._saver is not None:
            self.runner._saver.wait(self.clock.now + 60)

    def to_the_end(self) -> None:
        while not self.source.done():
            self.round()
        self.runner.drain()
        self.runner._close()


def uninterrupted(records: int = 120) -> dict[str, list[bytes]]:
    world = a_world(records)
    Life(world).to_the_end()
    return by_source(world.out)


def by_source(outputs: list[Output]) -> dict[str, list[bytes]]:
    """Order matters within a source only."""
    found: dict[str, list[bytes]] = {}
    for body in once(outputs):
        found.setdefault(body.split(b"]")[0].rsplit(b",", 2)[0].decode(), []).append(body)
    return found


def crash_at(point: str, nth: int) -> Failpoint:
    left = [nth]

    def failpoint(here: str) -> None:
        left[0] -= here == point
        if here == point and left[0] == 0:
            raise Crash(point)

    return failpoint


@pytest.mark.parametrize("point", POINTS)
@pytest.mark.parametrize("nth", [1, 2, 3, 7])
def test_a_crash_at_any_step_of_the_protocol_costs_nothing_and_creates_nothing(point: str, nth: int) -> None:
    world = a_world()
    dying = Life(world, failpoint=crash_at(point, nth))
    try:
        dying.to_the_end()
    except Crash:
        dying.publisher.arrive(nth)  # what was on its way may still arrive
    after = Life(world, cut=[3, 1, 4])
    after.to_the_end()
    assert by_source(world.out) == uninterrupted()
    assert Metric.DETERMINISM_VIOLATIONS not in after.counts


@settings(max_examples=60, deadline=None)
@given(
    deaths=st.lists(st.tuples(st.sampled_from(POINTS), st.integers(1, 9), st.integers(0, 5)), max_size=4),
    cut=st.lists(st.integers(0, 40), max_size=12),
)
def test_any_number_of_crashes_and_any_cut_into_batches(deaths: list[tuple[str, int, int]], cut: list[int]) -> None:
    world = a_world(90)
    for point, nth, arriving in deaths:
        life = Life(world, cut=cut, failpoint=crash_at(point, nth))
        try:
            life.to_the_end()
        except Crash:
            life.publisher.arrive(arriving)
    last = Life(world, cut=reversed(cut))
    last.to_the_end()
    assert by_source(world.out) == uninterrupted(90)
    assert Metric.DETERMINISM_VIOLATIONS not in last.counts
    assert {shard: offset for shard, (offset, _) in world.commits.items()} == {FIRST: 90, SECOND: 45}


def test_a_clean_stop_repeats_nothing_at_all() -> None:
    world = a_world()
    first = Life(world)
    for _ in range(5):
        first.round()
    first.runner.drain()
    first.runner._close()
    Life(world).to_the_end()
    assert len(world.out) == len(once(world.out))


def test_outputs_are_acknowledged_before_their_input_is_committed() -> None:
    world = a_world()
    life = Life(world, failpoint=crash_at("before_commit", 1))
    with pytest.raises(Crash):
        life.to_the_end()
    assert world.commits == {}
    assert life.publisher.waiting == []


def test_a_publisher_that_does_not_acknowledge_stops_the_reading_and_nothing_is_lost() -> None:
    world = a_world()
    life = Life(world)
    life.publisher.reachable = False
    for _ in range(20):
        life.round()
    assert world.commits == {}
    assert life.source.paused == {FIRST, SECOND}
    assert life.runner.health.ready()[0] is False
    life.publisher.reachable = True
    life.to_the_end()
    assert by_source(world.out) == uninterrupted()
    assert life.runner.health.commits_failed == 0


def test_commits_that_fail_for_ever_while_records_flow_end_the_process_with_code_4() -> None:
    world = a_world(4000)
    life = Life(world, options=replace(OPTIONS, commits_failed_max=6))
    life.source.committable = False
    assert life.runner.run(threading.Event()) == 4
    assert life.runner.health.ready() == (False, life.runner.health.ready()[1])
    assert life.told.all("runner_failed")


class BrokenMachine(TallyMachine):
    def step(self, records) -> StepResult:
        raise ZeroDivisionError("a defect")


def test_a_defect_ends_the_process_with_its_reason_and_commits_nothing() -> None:
    world = a_world()
    life = Life(world, machine=BrokenMachine)
    assert life.runner.run(threading.Event()) == 1
    assert {offset for offset, _ in world.commits.values()} == {0}
    assert "ZeroDivisionError" in life.runner.health.live(0.0)[1]


def test_a_stop_ends_the_loop_with_code_0_and_everything_committed() -> None:
    world = a_world()
    life = Life(world)
    for _ in range(3):
        life.round()
    stop = threading.Event()
    stop.set()
    assert life.runner.run(stop) == 0
    assert world.commits[FIRST][0] == 14  # the first round assigns, two bring seven records each
    assert world.snapshots[FIRST][14]


def test_a_commit_says_which_snapshot_and_which_outputs() -> None:
    world = a_world()
    Life(world).to_the_end()
    mark = read_mark(world.commits[FIRST][1])
    assert mark is not None
    assert mark.kernel_id == "tally-1"
    assert mark.chain is not None
    assert mark.chain.outputs == sum(b'"numbers",0,' in (output.value or b"") for output in world.out)


class ForgetfulMachine(TallyMachine):
    """Not deterministic: another life decides otherwise."""

    bias = 0.0

    def _output(self, record: Record, seq: int, total: float) -> Output:
        return super()._output(record, seq, total + self.bias)


def test_a_replay_that_differs_is_counted_told_and_survived() -> None:
    world = a_world()
    life = Life(world, machine=ForgetfulMachine, options=replace(OPTIONS, snapshot_interval_s=1e9))
    for _ in range(9):
        life.round()
    assert world.commits[FIRST][0] > 0
    world.snapshots.clear()

    class Another(ForgetfulMachine):
        bias = 1.0

    second = Life(world, machine=Another)
    second.to_the_end()
    assert second.counts[Metric.DETERMINISM_VIOLATIONS] == 2
    assert len(second.told.all("replay_differed")) == 2


def test_a_lost_shard_is_dropped_without_a_commit_and_a_regained_one_goes_on_from_the_last() -> None:
    world = a_world()
    life = Life(world)
    for _ in range(6):
        life.round()
    committed = world.commits[FIRST]
    life.source.next.pop(FIRST)
    life.source.events.append(Revoked(FIRST, lost=True))
    life.round()
    assert world.commits[FIRST] == committed
    assert life.runner.health.shards_assigned == 1
    life.source.assign(FIRST, 9)
    life.to_the_end()
    assert by_source(world.out) == uninterrupted()


def test_another_kernel_does_not_take_the_snapshot_and_learns_again_in_silence() -> None:
    world = a_world()
    life = Life(world)
    for _ in range(12):
        life.round()
    life.runner.drain()
    said = len(world.out)
    second = Life(world, options=replace(OPTIONS, kernel_id="tally-2"))
    second.round()
    assert [began["how"] for began in second.told.all("shard_began")] == ["rebuilt", "rebuilt"]
    second.to_the_end()
    assert len(world.out) > said
    assert by_source(world.out) == uninterrupted()


def test_a_snapshot_that_the_log_no_longer_reaches_is_kept_and_the_gap_is_told() -> None:
    world = a_world()
    life = Life(world)
    for _ in range(6):
        life.round()
    life.runner.drain()
    world.forget_before(FIRST, 80)
    second = Life(world)
    second.to_the_end()
    assert [(b["how"], b["position"]) for b in second.told.all("shard_began")] == [("gap", 80), ("restored", 35)]


def test_a_stage_without_snapshots_goes_on_at_its_commit() -> None:
    world = a_world()
    first = Life(world, store=False)
    for _ in range(6):
        first.round()
    first.runner.drain()
    offset = world.commits[FIRST][0]
    second = Life(world, store=False)
    second.round()
    assert second.told.all("shard_began")[0]["position"] == offset


def test_a_start_at_the_end_is_committed_at_once_so_that_a_crash_skips_nothing() -> None:
    world = a_world()
    life = Life(world, options=replace(OPTIONS, start="latest"))
    for _ in range(4):
        life.round()
    assert world.commits[FIRST][0] == 120


class Notice(TallyMachine):
    """A machine with effects: they lag behind by a given number of records."""

    behind = 10

    def __init__(self, shard: Shard) -> None:
        super().__init__(shard)
        self.assumed: list[int] = []
        self.position = 0

    def step(self, records) -> StepResult:
        self.position = records[-1].offset + 1
        return super().step(records)

    def settle(self, deadline_seconds: float) -> StepStats:
        return StepStats()

    def next_offset(self) -> int | None:
        return max(0, self.position - self.behind)

    def assume_settled(self, offset: int) -> None:
        self.assumed.append(offset)


def test_effects_that_are_pending_hold_the_commit_back_and_the_next_life_is_told_what_was_settled() -> None:
    world = a_world()
    life = Life(world, machine=Notice)
    for _ in range(8):
        life.round()
    life.runner.drain()
    offset, metadata = world.commits[FIRST]
    assert offset == life.runner._tenures[FIRST].position - 10
    assert read_mark(metadata).chain is None
    second = Life(world, machine=Notice)
    for _ in range(30):
        second.round()
    assert second.runner._tenures[FIRST].machine.assumed == [offset]
