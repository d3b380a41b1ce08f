"""What a replay keeps of what the stages said, and the source that ends."""

from __future__ import annotations

from itertools import chain, permutations

import msgspec
import orjson
import pytest
from log_world import World, WorldSource, numbers
from small_stages import STAGES, a_log

from engine.errors import UsageError
from engine.metrics import Metric
from engine.ports import Place, StepStats
from engine.records import (
    Action,
    ActionState,
    Change,
    Incident,
    IncidentState,
    Record,
    Shard,
    Stamp,
    Topic,
    Watermark,
    encode,
)
from engine.replay import Bounded, Results, through_memory

ONE, TWO = Shard("in", 0), Shard("in", 1)


def a_record(value: bytes | None, *headers: tuple[str, bytes], key: bytes | None = b"k") -> Record:
    return Record("foreshock.any", 0, 0, 0, key, value, headers)


def a_change(shard: Shard, offset: int, seq: int = 0) -> bytes:
    change = Change(
        id=f"{shard}/{offset}/{seq}",
        ts_ns=1,
        name="deploy",
        entity="cart",
        domain="default",
        tenant="default",
        is_change=True,
        severity=9,
        text="",
        attributes={},
        stamp=Stamp(*shard, offset, seq),
    )
    return encode(change)


def an_incident(name: str, revision: int, state: IncidentState) -> Incident:
    stamp = Stamp("foreshock.alerts", 0, revision, 0)
    times = {"started_ts_ns": 1, "opened_ts_ns": 1, "ts_ns": revision}
    return Incident(id=name, revision=revision, state=state, domain="d", tenant="t", title="", severity=13, stamp=stamp, **times)


def an_action(name: str, revision: int) -> Action:
    words = dict.fromkeys(("mode", "rule", "action", "target", "incident_id", "domain", "plan", "plan_hash", "reason"), "x")
    stamp = Stamp("foreshock.incidents", 0, revision, 0)
    return Action(
        id=name,
        revision=revision,
        state=ActionState.PROPOSED,
        parameters={},
        incident_revision=1,
        ts_ns=1,
        stamp=stamp,
        **words,
    )


# ------------------------------------------------------------------------------------------------ results
def test_of_an_incident_and_an_action_the_latest_message_is_kept_in_the_order_of_the_first() -> None:
    results = Results()
    opened, other = an_incident("a", 1, IncidentState.OPEN), an_incident("b", 1, IncidentState.OPEN)
    closed = an_incident("a", 2, IncidentState.CLOSED)
    for incident in (opened, other, closed):
        results.tap(Topic.INCIDENTS, a_record(encode(incident)))
    for action in (an_action("x", 1), an_action("x", 2)):
        results.tap(Topic.ACTIONS, a_record(encode(action)))
    assert results.files()["incidents.jsonl"] == [encode(closed), encode(other)]
    assert results.files()["actions.jsonl"] == [encode(an_action("x", 2))]


def test_how_partitions_interleave_does_not_show() -> None:
    """Messages come out in the order of what caused them, whatever order they were read in."""
    said = [a_change(ONE, 3), a_change(ONE, 3, 1), a_change(ONE, 20), a_change(TWO, 1)]
    for order in permutations(said):
        results = Results()
        for value in order:
            results.tap(Topic.ALERTS, a_record(value))
        assert results.files()["changes.jsonl"] == said
        assert results.files()["alerts.jsonl"] == []


def test_watermarks_are_not_for_people() -> None:
    results = Results()
    mark = Watermark(source="in-0", ts_ns=1, stamp=Stamp(*ONE, 1, 0))
    results.tap(Topic.ALERTS, a_record(encode(mark)))
    assert not any(results.files().values())


def test_a_dead_letter_says_why_and_keeps_bytes_that_are_no_text() -> None:
    results = Results()
    headers = (("foreshock.error.code", b"malformed"), ("traced", b"\xff1"))
    results.tap(Topic.DEAD_LETTERS, a_record(b'{"cut', *headers, key=None))
    results.tap(Topic.DEAD_LETTERS, a_record(b"\xff\x00"))
    first, second = (orjson.loads(line) for line in results.files()["dead-letters.jsonl"])
    assert first == {
        "reason": "malformed",
        "key": "",
        "value": '{"cut',
        "headers": {"foreshock.error.code": "malformed", "traced": "\N{REPLACEMENT CHARACTER}1"},
    }
    assert second["value"] == "\N{REPLACEMENT CHARACTER}\0"


@pytest.mark.parametrize("topic", [Topic.ALERTS, Topic.INCIDENTS, Topic.ACTIONS])
def test_a_tombstone_leaves_what_is_known(topic: Topic) -> None:
    results = Results()
    results.tap(topic, a_record(None))
    assert not any(results.files().values())


def test_a_record_without_a_value_that_nobody_could_read_is_a_dead_letter_too() -> None:
    """A tombstone on an input topic: its dead letter has no value either."""
    results = Results()
    results.tap(Topic.DEAD_LETTERS, a_record(None, ("foreshock.error.code", b"empty")))
    assert [orjson.loads(line)["reason"] for line in results.files()["dead-letters.jsonl"]] == ["empty"]


def test_counters_add_up_over_steps_by_their_labels() -> None:
    results = Results()
    for amount in (1, 2):
        stats = StepStats()
        stats.count(Metric.DUPLICATES_DROPPED, amount, "correlate")
        stats.count(Metric.COMMITS, amount, "detect", "ok")
        results.observe(stats)
    assert results.statistics() == {
        "counters": {f"{Metric.COMMITS}|detect|ok": 3, f"{Metric.DUPLICATES_DROPPED}|correlate": 3},
    }


def test_lines_of_every_file_are_counted() -> None:
    results = Results()
    results.tap(Topic.ALERTS, a_record(a_change(ONE, 1)))
    assert {name: results.count(name) for name in results.files()} == {
        "alerts.jsonl": 0, "changes.jsonl": 1, "incidents.jsonl": 0, "actions.jsonl": 0, "dead-letters.jsonl": 0,
    }  # fmt: skip


def test_through_memory_counts_the_records_of_every_log() -> None:
    logs = {ONE: a_log(ONE, range(3)), TWO: a_log(TWO, range(2))}
    assert through_memory({"detect": STAGES["detect"]}, logs, "p.").records == 5


# ------------------------------------------------------------------------------------------------ a source that ends
def bounded(ends: dict[Shard, int], records: int = 20) -> Bounded:
    world = World({shard: numbers(shard, range(records)) for shard in (ONE, TWO)})
    return Bounded(WorldSource(world), ends)


def test_it_has_ended_when_every_shard_has_given_its_last_record_and_not_before() -> None:
    source = bounded({ONE: 20, TWO: 10})
    source.poll(0)
    source.seek(TWO, 0)
    assert [source.poll(0).ended for _ in range(3)] == [False, False, False]
    source.seek(ONE, 0)
    polled = [source.poll(0) for _ in range(3)]
    assert [round_.ended for round_ in polled] == [False, False, True]
    assert [r.offset for r in chain.from_iterable(round_.records[ONE] for round_ in polled)] == list(range(20))


def test_a_shard_without_records_is_not_waited_for() -> None:
    assert bounded({ONE: 0, TWO: 0}).poll(0).ended
    source = bounded({ONE: 1, TWO: 0}, records=1)
    assert not source.poll(0).ended
    source.seek(ONE, 0)
    assert source.poll(0).ended


def test_a_shard_nobody_asked_for_neither_ends_nor_delays_it() -> None:
    source = bounded({ONE: 7})
    source.poll(0)
    source.seek(TWO, 0)
    assert not source.poll(0).ended
    source.seek(ONE, 0)
    assert source.poll(0).ended


def test_a_log_that_lost_its_first_records_is_refused() -> None:
    """A part of a log gives other alerts than the whole."""
    world = World({ONE: numbers(ONE, range(20))})
    world.forget_before(ONE, 3)
    with pytest.raises(UsageError, match="dropped the first 3 records of in-0"):
        Bounded(WorldSource(world), {ONE: 20}).poll(0)


def test_it_is_its_source_in_all_else() -> None:
    world = World({ONE: numbers(ONE, range(20))})
    source = Bounded(inner := WorldSource(world), {ONE: 20})
    source.poll(0)
    source.seek(ONE, 5)
    assert source.lag(ONE) == 15
    source.pause(ONE)
    assert source.poll(0).records == {}
    source.resume(ONE)
    assert source.poll(0).records[ONE][0].offset == 5
    source.commit({ONE: Place(12, "note")})
    assert world.commits[ONE] == (12, "note")
    source.close()
    assert inner.next == {}


def test_messages_are_written_as_they_were_published() -> None:
    """Not decoded and encoded again: byte for byte."""
    results = Results()
    value = a_change(ONE, 1)
    results.tap(Topic.ALERTS, a_record(value))
    assert results.files()["changes.jsonl"] == [value]
    assert msgspec.json.decode(value)["type"] == "change"
