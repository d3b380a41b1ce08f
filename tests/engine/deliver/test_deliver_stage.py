"""The deliver stage around the outbox: catching up, deadlines, offsets, results."""

from __future__ import annotations

import msgspec
import pytest

from engine.config.tree import Deliver
from engine.deliver.stage import DeliverMachine
from engine.errors import Permanent, Retry, StateError
from engine.metrics import Metric
from engine.ports import Resettles, Settles, Snapshot, StepStats
from engine.records import Incident, IncidentState, Record, Shard, Stamp, encode

SHARD = Shard("foreshock.incidents", 0)


class SteppingClock:
    """Time that moves when it is told to."""

    def __init__(self) -> None:
        self.seconds = 100.0

    def now_ns(self) -> int:
        return int(self.seconds * 1e9)

    def monotonic_seconds(self) -> float:
        return self.seconds


class RecordingSink:
    """A receiver whose answers are written down beforehand; then it takes everything. Each delivery takes `cost` seconds."""

    name = "recording"

    def __init__(self, clock: SteppingClock, answers: list[Exception | None] | None = None, cost: float = 0.0) -> None:
        self.clock, self.answers, self.cost = clock, list(answers or []), cost
        self.took: list[tuple[str, int]] = []
        self.attempts: list[int] = []

    def deliver(self, incident: Incident, attempt: int) -> None:
        self.clock.seconds += self.cost
        self.attempts.append(attempt)
        answer = self.answers.pop(0) if self.answers else None
        if answer is not None:
            raise answer
        self.took.append((incident.id, incident.revision))

    def close(self) -> None:
        pass


def record(offset: int, name: str = "a", revision: int = 1, state: IncidentState = IncidentState.OPEN) -> Record:
    message = Incident(
        id=name,
        revision=revision,
        state=state,
        domain="default",
        tenant="default",
        title="t",
        severity=17,
        started_ts_ns=0,
        opened_ts_ns=0,
        ts_ns=offset,
        stamp=Stamp("foreshock.alerts", 0, offset, 0),
    )
    return Record(SHARD.topic, 0, offset, offset, name.encode(), encode(message))


def rig(answers: list[Exception | None] | None = None, cost: float = 0.0, *, warm: bool = True, **config: object):
    clock = SteppingClock()
    sink = RecordingSink(clock, answers, cost)
    machine = DeliverMachine(SHARD, sink=sink, config=Deliver(**config), clock=clock)
    if warm:
        machine.settle(1.0)
        clock.seconds += 1.0
        machine.settle(1.0)
    return clock, sink, machine


def results(stats: StepStats) -> dict[str, float]:
    return {labels[1]: amount for (metric, labels), amount in stats.counts.items() if metric is Metric.DELIVERIES}


def test_it_is_a_machine_that_settles():
    _, _, machine = rig()
    assert isinstance(machine, Settles)
    assert isinstance(machine, Resettles)


def test_after_a_start_nothing_is_told_until_the_log_was_quiet_for_a_second():
    """An old revision read again must not be told after a newer one that a former life has told."""
    clock, sink, machine = rig(warm=False)
    machine.settle(1.0)
    for offset in range(4):
        clock.seconds += 0.5
        machine.step([record(offset, revision=offset + 1)])
        machine.settle(1.0)
    assert sink.took == []
    clock.seconds += 1.0
    machine.settle(1.0)
    assert sink.took == [("a", 4)]


def test_a_log_that_is_never_quiet_delays_the_first_message_by_a_bounded_time():
    clock, sink, machine = rig(warm=False)
    for offset in range(12):
        machine.step([record(offset, revision=offset + 1)])
        machine.settle(1.0)
        clock.seconds += 0.5
    assert sink.took


def test_the_offset_is_held_before_the_oldest_change_that_was_not_told():
    clock, _, machine = rig([Retry("down")])
    machine.step([record(7, "a"), record(8, "b")])
    machine.settle(1.0)
    assert machine.next_offset() == 7
    clock.seconds += 10.0
    machine.settle(1.0)
    assert machine.next_offset() is None


def test_no_delivery_starts_after_the_deadline():
    _, sink, machine = rig(cost=3.0)
    machine.step([record(n, name) for n, name in enumerate("abcdef")])
    machine.settle(5.0)
    assert len(sink.took) == 2


def test_attempts_are_counted_over_retries():
    clock, sink, machine = rig([Retry("one"), Retry("two")])
    machine.step([record(0)])
    for _ in range(3):
        machine.settle(1.0)
        clock.seconds += 10.0
    assert sink.attempts == [1, 2, 3]


@pytest.mark.parametrize(
    ("answer", "result"),
    [
        (None, "delivered"),
        (Retry("503"), "retry"),
        (Permanent("400"), "permanent"),
        (Permanent("410", disable=True), "disabled"),
    ],
)
def test_each_answer_is_counted_by_its_name(answer, result):
    _, _, machine = rig([answer])
    machine.step([record(0)])
    assert results(machine.settle(1.0)) == {result: 1}


def test_a_message_that_is_refused_for_good_does_not_hold_the_offset_or_the_others():
    _, sink, machine = rig([Permanent("400")])
    machine.step([record(0, "a"), record(1, "b")])
    machine.settle(1.0)
    assert sink.took == [("b", 1)]
    assert machine.next_offset() is None


def test_an_outage_ends_with_one_message_for_each_incident_at_its_latest_revision():
    clock, sink, machine = rig([Retry("down")] * 12, breaker_failures=3)
    for offset in range(40):
        machine.step([record(offset, "ab"[offset % 2], revision=offset + 1)])
        machine.settle(1.0)
        clock.seconds += 5.0
    machine.step([record(40, "a", 41, IncidentState.RESOLVED)])
    for _ in range(100):
        machine.settle(1.0)
        clock.seconds += 60.0
    assert sorted(sink.took) == [("a", 41), ("b", 40)]


def test_unreadable_records_and_approvals_are_passed_over():
    _, sink, machine = rig()
    broken = [Record(SHARD.topic, 0, n, 0, b"k", v) for n, v in enumerate([b"{", b"\xff", b"{}", None, b'{"type":"control"}'])]
    stats = machine.step([*broken, record(9)]).stats
    rejected = {k: v for k, v in stats.counts.items() if k[0] is Metric.RECORDS_REJECTED}
    assert {labels[1]: n for (_, labels), n in rejected.items()} == {"malformed": 2, "wrong_type": 1}
    machine.settle(1.0)
    assert sink.took == [("a", 1)]


def test_a_restart_from_a_snapshot_tells_what_was_owed_and_not_what_was_told():
    _, _, before = rig([None, Retry("down")])
    before.step([record(0, "a"), record(1, "b")])
    before.settle(1.0)
    saved = before.snapshot()
    clock, sink, after = rig(warm=False)
    after.restore(Snapshot(msgspec.json.decode(msgspec.json.encode(saved.meta)), saved.columns))
    after.step([record(0, "a"), record(1, "b")])
    after.assume_settled(1)
    for _ in range(3):
        after.settle(1.0)
        clock.seconds += 1.0
    assert sink.took == [("b", 1)]


def test_a_foreign_snapshot_is_refused():
    _, _, machine = rig()
    with pytest.raises(StateError):
        machine.restore(Snapshot({"owed": "everything"}, {}))


def test_an_empty_snapshot_is_an_empty_outbox():
    _, _, machine = rig()
    machine.step([record(0)])
    machine.restore(Snapshot({}, {}))
    assert machine.next_offset() is None
