"""The broker-less path: what is fed, relayed and finished reaches every stage once and in order."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from small_stages import STAGES, Judge, a_log

from engine.offline import BATCH_RECORDS, TURN_NS, Pipeline, batches, in_time_order, run, turns
from engine.ports import MachineFactory, StepStats
from engine.records import Record, Shard, Topic

ONE, TWO = Shard("in", 0), Shard("in", 1)
TIMES = st.lists(st.integers(0, 20), max_size=12)


class Watched:
    """A pipeline, with all that it told."""

    def __init__(self, stages: Mapping[str, MachineFactory] = STAGES) -> None:
        self.told: list[tuple[Topic, Record]] = []
        self.stats: list[StepStats] = []
        self.pipeline = Pipeline(
            stages, tap=lambda topic, record: self.told.append((topic, record)), observe=self.stats.append, topic_prefix="p."
        )

    def values(self, topic: Topic) -> list[bytes | None]:
        return [record.value for told, record in self.told if told is topic]


# ------------------------------------------------------------------------------------------------ logs in time order
@given(logs=st.lists(TIMES, max_size=4))
def test_merging_loses_nothing_and_keeps_the_order_of_each_log(logs: list[list[int]]) -> None:
    shards = [a_log(Shard("in", partition), times) for partition, times in enumerate(logs)]
    merged = list(in_time_order(shards))
    for partition, log in enumerate(shards):
        assert [record for record in merged if record.partition == partition] == log


@given(logs=st.lists(TIMES.map(sorted), max_size=4))
def test_merging_logs_in_order_gives_one_in_order(logs: list[list[int]]) -> None:
    merged = [record.ts_ns for record in in_time_order(a_log(Shard("in", n), times) for n, times in enumerate(logs))]
    assert merged == sorted(merged)


@given(count=st.integers(0, 40), size=st.integers(1, 15))
def test_batches_are_the_stream_in_pieces_of_which_only_the_last_may_be_short(count: int, size: int) -> None:
    log = a_log(ONE, range(count))
    pieces = list(batches(log, size))
    assert [record for piece in pieces for record in piece] == log
    assert all(len(piece) == size for piece in pieces[:-1])
    assert all(0 < len(piece) <= size for piece in pieces)


@given(times=TIMES.map(sorted), span=st.integers(0, 10), size=st.integers(1, 5))
def test_turns_are_the_stream_in_pieces_of_bounded_length_and_time(times: list[int], span: int, size: int) -> None:
    log = a_log(ONE, times)
    pieces = list(turns(log, span, size))
    assert [record for piece in pieces for record in piece] == log
    assert all(0 < len(piece) <= size and piece[-1].ts_ns - piece[0].ts_ns <= span for piece in pieces)


def test_of_several_shards_none_runs_far_ahead_of_the_others() -> None:
    """By a turn, and the step to the next: correlation would take the others for silent."""
    watched = Watched()
    minutes = [60_000_000_000 * n for n in range(100)]
    run(watched.pipeline, [a_log(ONE, minutes), a_log(TWO, minutes)])
    reached = {b"in0": 0, b"in1": 0}
    for topic, record in watched.told:
        if topic is Topic.ALERTS and record.value and b":" in record.value:
            reached[record.value.removeprefix(b"detect(")[:3]] = record.ts_ns
            assert abs(reached[b"in0"] - reached[b"in1"]) <= 2 * TURN_NS


# ------------------------------------------------------------------------------------------------ the flow
def test_what_a_stage_says_is_handed_on_at_once() -> None:
    watched = Watched()
    watched.pipeline.feed(a_log(ONE, [5]))
    assert [(topic, record.value) for topic, record in watched.told] == [
        (Topic.ALERTS, b"detect(in0:0)"),
        (Topic.INCIDENTS, b"correlate(detect(in0:0))"),
        (Topic.ACTIONS, b"respond(correlate(detect(in0:0)))"),
    ]


def test_every_shard_has_a_machine_of_its_own_and_the_stages_behind_have_one() -> None:
    watched = Watched()
    run(watched.pipeline, [a_log(ONE, [1, 2, 3]), a_log(TWO, [1, 2])])
    ends = [value for value in watched.values(Topic.ALERTS) if value and b"in all" in value]
    assert ends == [b"detect(3 in all)", b"detect(2 in all)"]
    assert watched.values(Topic.INCIDENTS)[-1] == b"correlate(7 in all)"


def test_the_end_goes_down_the_flow_in_order() -> None:
    """What detect holds back to the last reaches correlate before correlate is told that the log has ended."""
    watched = Watched()
    run(watched.pipeline, [a_log(ONE, [1])])
    assert watched.values(Topic.INCIDENTS) == [
        b"correlate(detect(in0:0))",
        b"correlate(detect(1 in all))",
        b"correlate(2 in all)",
    ]
    assert watched.values(Topic.ACTIONS)[-2:] == [b"respond(correlate(2 in all))", b"respond(3 in all)"]


@given(cuts=st.lists(st.integers(0, 30), max_size=5))
def test_how_a_log_is_cut_changes_nothing(cuts: list[int]) -> None:
    log = a_log(ONE, range(30))
    whole, cut = Watched(), Watched()
    whole.pipeline.feed(log)
    for start, end in pairwise([0, *sorted(cuts), 30]):
        cut.pipeline.feed(log[start:end])
    for watched in (whole, cut):
        watched.pipeline.finish()
    for topic in Topic:
        assert cut.values(topic) == whole.values(topic)


@given(cuts=st.lists(st.integers(0, 24), max_size=5))
def test_with_several_shards_what_each_says_does_not_depend_on_the_cut(cuts: list[int]) -> None:
    log = list(in_time_order([a_log(ONE, range(12)), a_log(TWO, range(12))]))
    watched = Watched()
    for start, end in pairwise([0, *sorted(cuts), len(log)]):
        watched.pipeline.feed(log[start:end])
    for partition in (0, 1):
        mine = [value for value in watched.values(Topic.ALERTS) if value and b"in%d:" % partition in value]
        assert mine == [b"detect(in%d:%d)" % (partition, offset) for offset in range(12)]


def test_topics_are_logs_with_their_own_offsets_and_the_prefix_in_their_names() -> None:
    watched = Watched()
    run(watched.pipeline, [a_log(ONE, [3, 4])])
    for topic in (Topic.ALERTS, Topic.INCIDENTS, Topic.ACTIONS):
        records = [record for told, record in watched.told if told is topic]
        assert [record.offset for record in records] == list(range(len(records)))
        assert {(record.topic, record.partition) for record in records} == {(f"p.{topic}", 0)}


def test_topics_that_nobody_reads_are_told_of_too() -> None:
    watched = Watched({"detect": Judge})
    log = [Record(*ONE, n, n, None, b"%d" % n) for n in range(4)]
    run(watched.pipeline, [log])
    assert watched.values(Topic.DEAD_LETTERS) == [b"0", b"2"]
    assert watched.values(Topic.AUDIT) == [b"judged"] * 4


@pytest.mark.parametrize(("stages", "topics"), [(("detect",), 1), (("detect", "correlate"), 2), (tuple(STAGES), 3)])
def test_a_stage_that_is_left_out_ends_the_flow_there(stages: tuple[str, ...], topics: int) -> None:
    watched = Watched({stage: STAGES[stage] for stage in stages})
    run(watched.pipeline, [a_log(ONE, [1, 2])])
    assert len({topic for topic, _ in watched.told}) == topics


def test_what_was_detected_elsewhere_has_the_same_consequences() -> None:
    here, there = Watched(), Watched()
    run(here.pipeline, [a_log(ONE, range(2 * BATCH_RECORDS))])
    there.pipeline.relay(Topic.ALERTS, [record for topic, record in here.told if topic is Topic.ALERTS])
    there.pipeline.finish()
    for topic in (Topic.ALERTS, Topic.INCIDENTS, Topic.ACTIONS):
        assert there.values(topic) == here.values(topic)


def test_every_step_is_counted_once() -> None:
    watched = Watched()
    count = run(watched.pipeline, [a_log(ONE, range(700)), a_log(TWO, range(100))])
    assert count == 800
    assert _counted(watched.stats, "detect") == 800
    assert _counted(watched.stats, "correlate") == 800 + 2  # and what each shard said at its end


def test_no_record_at_all_is_a_run_too() -> None:
    watched = Watched()
    assert run(watched.pipeline, []) == 0
    assert watched.values(Topic.INCIDENTS) == [b"correlate(0 in all)"]


def _counted(stats: Sequence[StepStats], stage: str) -> float:
    return sum(amount for step in stats for (_, labels), amount in step.counts.items() if labels == (stage,))
