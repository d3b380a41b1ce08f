"""Laws of a source whose messages need schemas: nothing passes before its schema is known, nothing is lost, the others go on."""

from __future__ import annotations

import pytest

from connectors.sources import holding
from connectors.sources.schooled import Schooled
from engine.ports import Assigned, Place, Polled, Revoked
from engine.records import Record, Run, Shard

A, B = Shard("t", 0), Shard("t", 1)


class Log:
    """A source that gives what it is told to, as the real one would: nothing of a shard that is paused."""

    def __init__(self):
        self.rounds = []
        self.paused = set()
        self.seeks = []
        self.committed = []

    def poll(self, timeout_seconds):
        if not self.rounds:
            return Polled({}, [])
        given = self.rounds.pop(0)
        return given if isinstance(given, Polled) else Polled({shard: Run.of(records) for shard, records in given.items()}, [])

    def seek(self, shard, offset):
        self.seeks.append((shard, offset))

    def commit(self, places):
        self.committed.append(dict(places))
        return {}

    def pause(self, shard):
        self.paused.add(shard)

    def resume(self, shard):
        self.paused.discard(shard)

    def lag(self, shard):
        return 0

    def close(self):
        pass


class Registry:
    """Answers only what is `open`."""

    failure = "away"

    def __init__(self):
        self.open = set()
        self.asked = []

    def learn(self, schema):
        self.asked.append(schema)
        return schema in self.open


def records(shard, needs, first=0):
    return [Record(*shard, first + n, n + 1, None, need) for n, need in enumerate(needs)]


@pytest.fixture
def world():
    log, registry, told = Log(), Registry(), []

    def need_of(record):
        return (registry, record.value.decode()) if record.value != b"-" else None

    return log, registry, Schooled(log, need_of, told.append), told


def offsets(polled):
    return {shard: [record.offset for record in found] for shard, found in polled.records.items()}


def test_what_needs_nothing_or_what_is_known_passes_as_it_came(world):
    log, registry, source, _ = world
    registry.open.add("x")
    log.rounds.append({A: records(A, [b"-", b"x", b"-"])})
    polled = source.poll(0)
    assert isinstance(polled.records[A], Run)
    assert offsets(polled) == {A: [0, 1, 2]}


def test_a_shard_waits_from_its_first_unknown_schema_on_and_the_others_go_on(world):
    log, registry, source, told = world
    log.rounds += [
        {A: records(A, [b"-", b"x", b"-"]), B: records(B, [b"-"])},
        {A: records(A, [b"-"], 3), B: records(B, [b"-"], 1)},
    ]
    assert offsets(source.poll(0)) == {A: [0], B: [0]}
    assert offsets(source.poll(0)) == {B: [1]}
    assert source.lag(A) == 3
    registry.open.add("x")
    assert offsets(source.poll(0)) == {A: [1, 2, 3]}
    assert source.lag(A) == 0
    assert told == ["away"]  # once


def test_several_unknown_schemas_are_waited_for_one_after_the_other(world):
    log, registry, source, _ = world
    log.rounds.append({A: records(A, [b"x", b"-", b"y", b"-"])})
    assert offsets(source.poll(0)) == {}
    registry.open.add("x")
    assert offsets(source.poll(0)) == {A: [0, 1]}
    registry.open.add("y")
    assert offsets(source.poll(0)) == {A: [2, 3]}


def test_what_waits_is_bounded_and_reading_goes_on_when_it_is_through(world, monkeypatch):
    monkeypatch.setattr(holding, "HELD_MAX", 2)
    log, registry, source, _ = world
    log.rounds.append({A: records(A, [b"x", b"-", b"-"])})
    source.poll(0)
    assert log.paused == {A}
    registry.open.add("x")
    assert offsets(source.poll(0)) == {A: [0, 1, 2]}
    assert log.paused == set()


def test_while_the_reader_has_paused_a_shard_nothing_of_it_passes(world):
    log, registry, source, _ = world
    log.rounds.append({A: records(A, [b"x", b"-"])})
    source.poll(0)
    source.pause(A)
    registry.open.add("x")
    assert offsets(source.poll(0)) == {}
    log.rounds.append({A: records(A, [b"-"], 2)})
    assert offsets(source.poll(0)) == {}
    source.resume(A)
    assert offsets(source.poll(0)) == {A: [0, 1, 2]}


def test_a_resume_does_not_undo_our_own_pause(world, monkeypatch):
    monkeypatch.setattr(holding, "HELD_MAX", 1)
    log, _, source, _ = world
    log.rounds.append({A: records(A, [b"x", b"-"])})
    source.poll(0)
    source.pause(A)
    source.resume(A)
    assert log.paused == {A}


@pytest.mark.parametrize("event", [Revoked(A, lost=True), Assigned(A, 0, "", 0, 9, 2)])
def test_nothing_that_waits_survives_into_another_assignment(world, event):
    log, registry, source, _ = world
    log.rounds += [{A: records(A, [b"x", b"-"])}, Polled({}, [event])]
    source.poll(0)
    source.poll(0)
    registry.open.add("x")
    assert offsets(source.poll(0)) == {}


def test_a_seek_forgets_what_waits(world):
    log, registry, source, _ = world
    log.rounds += [{A: records(A, [b"x", b"-"])}]
    source.poll(0)
    source.seek(A, 0)
    registry.open.add("x")
    log.rounds += [{A: records(A, [b"x", b"-"])}]
    assert offsets(source.poll(0)) == {A: [0, 1]}
    assert log.seeks == [(A, 0)]


def test_a_commit_is_handed_on(world):
    log, _, source, _ = world
    assert source.commit({A: Place(3, "m")}) == {}
    assert log.committed == [{A: Place(3, "m")}]


def test_a_log_has_not_ended_while_something_waits(world):
    log, registry, source, _ = world
    log.rounds += [Polled({A: Run.of(records(A, [b"x"]))}, [], ended=True), Polled({}, [], ended=True)]
    assert not source.poll(0).ended
    registry.open.add("x")
    assert source.poll(0).ended
