"""Reading shards at one pace of log time: nothing is lost, nothing reordered, nobody runs ahead, nobody waits for ever."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from hypothesis import given
from hypothesis import strategies as st

from connectors.sources.aligned import PATIENCE_SECONDS, TURN_NS, Aligned
from connectors.sources.holding import HELD_MAX
from engine.errors import Unreachable
from engine.ports import Assigned, Place, Polled, Revoked
from engine.records import Record, Shard

A, B = Shard("t", 0), Shard("t", 1)


class StepClock:
    def __init__(self) -> None:
        self.seconds = 0.0

    def now_ns(self) -> int:
        return 0

    def monotonic_seconds(self) -> float:
        return self.seconds


class Scripted:
    """A source that gives what each poll of the script says; `ends` are the shards' log ends."""

    def __init__(self, script: Sequence[dict[Shard, Sequence[int]]], ends: dict[Shard, int]) -> None:
        self.script = list(script)
        self.ends = ends
        self.given = dict.fromkeys(ends, 0)
        self.paused: set[Shard] = set()
        self.events: list[Assigned | Revoked] = [Assigned(shard, None, "", 0, end, 1) for shard, end in ends.items()]

    def poll(self, timeout_seconds: float) -> Polled:
        records = {}
        for shard, times in (self.script.pop(0) if self.script else {}).items():
            records[shard] = [record(shard, self.given[shard] + n, ts) for n, ts in enumerate(times)]
            self.given[shard] += len(times)
        events, self.events = self.events, []
        return Polled(records, events, not self.script)

    def lag(self, shard: Shard) -> int:
        return self.ends[shard] - self.given[shard]

    def pause(self, shard: Shard) -> None:
        self.paused.add(shard)

    def resume(self, shard: Shard) -> None:
        self.paused.discard(shard)

    def seek(self, shard: Shard, offset: int) -> None: ...

    def commit(self, places: Mapping[Shard, Place]) -> Mapping[Shard, Unreachable]:
        return {}

    def close(self) -> None: ...


def record(shard: Shard, offset: int, ts: int) -> Record:
    return Record(shard.topic, shard.partition, offset, ts, None, b"")


def times(polled: Polled) -> dict[Shard, list[int]]:
    return {shard: [r.ts_ns for r in records] for shard, records in polled.records.items()}


def test_of_several_shards_no_poll_lets_more_log_time_go_than_a_turn() -> None:
    """Even when all there is, is here: hours of one shard in one piece would make the others look silent."""
    hours = [n * TURN_NS // 2 for n in range(20)]
    source = Aligned(Scripted([{A: hours, B: hours}], {A: 20, B: 20}), StepClock())
    given: dict[Shard, list[int]] = {A: [], B: []}
    for _ in range(10):
        for shard, seen in times(source.poll(0.0)).items():
            assert seen[-1] - seen[0] <= TURN_NS
            given[shard] += seen
        assert abs(given[A][-1] - given[B][-1]) <= TURN_NS
    assert given == {A: hours, B: hours}


def test_a_shard_that_is_ahead_waits_for_one_that_has_more() -> None:
    aligned = Aligned(Scripted([{A: [1, 2, 9]}, {B: [1, 2, 3]}, {B: [8, 9, 10]}], {A: 3, B: 6}), StepClock())
    assert times(aligned.poll(1)) == {}
    assert times(aligned.poll(1)) == {A: [1, 2], B: [1, 2, 3]}
    assert times(aligned.poll(1)) == {A: [9], B: [8, 9, 10]}


def test_a_shard_with_nothing_more_holds_nobody_back() -> None:
    aligned = Aligned(Scripted([{A: [5, 6]}], {A: 2, B: 0}), StepClock())
    assert times(aligned.poll(1)) == {A: [5, 6]}


def test_one_that_does_not_give_what_it_has_is_waited_for_only_so_long() -> None:
    clock = StepClock()
    aligned = Aligned(Scripted([{A: [5, 6]}, {}, {}], {A: 2, B: 4}), clock)
    assert times(aligned.poll(1)) == {}
    clock.seconds = PATIENCE_SECONDS + 0.1
    assert times(aligned.poll(1)) == {A: [5, 6]}


def test_while_one_is_waited_for_the_others_go_on_by_a_turn_at_a_time() -> None:
    """A slow broker must not let the others run hours ahead: the next stage would take its shard for silent."""
    clock = StepClock()
    hours = [n * TURN_NS // 2 for n in range(1, 201)]
    aligned = Aligned(Scripted([{A: hours}, *[{}] * 5], {A: 200, B: 4}), clock)
    assert times(aligned.poll(1)) == {}
    for turn in range(3):
        clock.seconds += PATIENCE_SECONDS
        assert times(aligned.poll(1)) == {A: hours[3 * turn : 3 * turn + 3]}
        assert times(aligned.poll(1)) == {}


def test_what_is_held_is_bounded_by_pausing_the_shard() -> None:
    source = Scripted([{A: range(10, 11 + HELD_MAX)}, {B: [10**6]}], {A: 10**6, B: 2})
    aligned = Aligned(source, StepClock())
    aligned.poll(1)
    assert source.paused == {A}
    aligned.poll(1)
    assert source.paused == set()


def test_a_revoked_shard_leaves_nothing_behind() -> None:
    source = Scripted([{A: [5]}, {B: [1]}], {A: 1, B: 2})
    aligned = Aligned(source, StepClock())
    aligned.poll(1)
    source.events = [Revoked(A, lost=True)]
    assert times(aligned.poll(1)) == {B: [1]}


def test_a_shard_that_the_reader_paused_gives_nothing() -> None:
    aligned = Aligned(Scripted([{}, {A: [5]}, {}], {A: 1}), StepClock())
    aligned.poll(1)
    aligned.pause(A)
    assert times(aligned.poll(1)) == {}
    aligned.resume(A)
    assert times(aligned.poll(1)) == {A: [5]}


@given(
    st.lists(st.tuples(st.sampled_from([A, B]), st.lists(st.integers(0, 50), min_size=1, max_size=8)), min_size=1, max_size=12)
)
def test_every_record_is_given_once_in_the_order_of_its_shard(script: list[tuple[Shard, list[int]]]) -> None:
    ends = {shard: sum(len(ts) for s, ts in script if s == shard) for shard in (A, B)}
    clock = StepClock()
    aligned = Aligned(Scripted([{shard: ts} for shard, ts in script], ends), clock)
    seen: dict[Shard, list[int]] = {A: [], B: []}
    for _ in range(len(script) + 40):
        polled = aligned.poll(1)
        clock.seconds += 0.2
        for shard, records in polled.records.items():
            seen[shard].extend(r.offset for r in records)
        if polled.ended:
            break
    assert seen == {shard: list(range(end)) for shard, end in ends.items()}
