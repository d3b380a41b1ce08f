"""The laws of every sink: what the deliver stage may count on. A new sink gets them by a line in RIGS."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple, get_args

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from receivers import MemoryTopic, Receiver, incident

from connectors.sinks import SINKS, build_sink
from engine.config import tree
from engine.errors import Permanent, Retry, Unreachable, UsageError
from engine.ports import Sink
from engine.records import Evidence, Hint, IncidentState


class Rig(NamedTuple):
    """A sink with its receiver. `told` is the `<id>.<revision>` of everything it has got; `break_it` makes the next delivery fail."""

    sink: Sink
    told: Callable[[], list[str]]
    break_it: Callable[[], object]


class Blocking(io.StringIO):
    """A stream that may be full."""

    full = False

    def write(self, text: str) -> int:
        if self.full:
            self.full = False
            raise BlockingIOError
        return super().write(text)


def console(_folder: Path) -> Iterator[Rig]:
    stream = Blocking()
    sink = build_sink(tree.ConsoleSink(type="console"), console=stream, kafka=None)

    def told() -> list[str]:
        heads = [line for line in stream.getvalue().splitlines() if line and not line.startswith(" ")]
        return [f"0123456789abcdef0123456789abcdef.{line.rpartition('.')[2].rstrip(']')}" for line in heads]

    yield Rig(sink, told, lambda: setattr(stream, "full", True))


def jsonl(folder: Path) -> Iterator[Rig]:
    path = folder / "new" / "incidents.jsonl"
    sink = build_sink(tree.JsonLinesSink(type="jsonl", path=str(path)), console=io.StringIO(), kafka=None)

    def told() -> list[str]:
        lines = path.read_bytes().splitlines() if path.is_file() else []
        rows = [msgspec.json.decode(line) for line in lines]
        return [f"{row['id']}.{row['revision']}" for row in rows]

    def break_it() -> None:
        sink.close()
        if path.exists():
            path.rename(path.with_suffix(".old"))
        path.mkdir(parents=True)

    yield Rig(sink, told, break_it)


def kafka(_folder: Path) -> Iterator[Rig]:
    topic = MemoryTopic()
    sink = build_sink(tree.KafkaSink(type="kafka", topic="out"), console=io.StringIO(), kafka=lambda: topic)
    told = lambda: [dict(headers)["ce_id"].decode() for _, _, _, headers in topic.messages]  # noqa: E731 - one expression
    yield Rig(sink, told, lambda: topic.faults.append(Unreachable("no broker")))


def webhook(_folder: Path) -> Iterator[Rig]:
    receiver = Receiver()
    about = tree.WebhookSink(type="webhook", url=receiver.url, allow_private=True, timeout=5.0)
    sink = build_sink(about, console=io.StringIO(), kafka=None)
    yield Rig(sink, lambda: [r.headers["webhook-id"] for r in receiver.requests], lambda: receiver.answers.append(503))
    receiver.close()


RIGS = {"console": console, "jsonl": jsonl, "kafka": kafka, "webhook": webhook}


@pytest.fixture(params=sorted(RIGS))
def rig(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Rig]:
    for one in RIGS[request.param](tmp_path):
        yield one
        one.sink.close()


def test_every_sink_that_a_configuration_may_name_exists_and_is_tried_here():
    named = {get_args(block.model_fields["type"].annotation)[0] for block in get_args(get_args(tree.AnySink)[0])}
    assert set(SINKS) == set(RIGS) == named


def test_what_is_delivered_has_arrived_when_deliver_returns(rig):
    rig.sink.deliver(incident(), 1)
    assert rig.told() == ["0123456789abcdef0123456789abcdef.3"]


def test_order_is_kept_and_a_repeat_carries_the_same_key(rig):
    for attempt, revision in ((1, 1), (2, 1), (1, 2)):
        rig.sink.deliver(incident(revision=revision), attempt)
    assert [key.rpartition(".")[2] for key in rig.told()] == ["1", "1", "2"]


def test_a_passing_fault_is_a_retry(rig):
    rig.break_it()
    with pytest.raises(Retry):
        rig.sink.deliver(incident(), 1)


@pytest.mark.parametrize("state", list(IncidentState))
def test_every_state_of_an_incident_can_be_told(rig, state):
    rig.sink.deliver(incident(state=state), 1)
    assert len(rig.told()) == 1


def test_an_incident_with_nothing_in_it_can_be_told(rig):
    rig.sink.deliver(incident(hints=[], changes=[], members=[], entities=[], title="", ts_ns=0, started_ts_ns=-(2**63)), 1)
    assert len(rig.told()) == 1


def test_closing_twice_is_allowed(rig):
    rig.sink.deliver(incident(), 1)
    rig.sink.close()
    rig.sink.close()


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(text=st.text(st.characters(exclude_categories=["Cs"]), max_size=300), number=st.floats() | st.just(1e308))
def test_hostile_text_and_numbers_arrive(rig, text, number):
    hints = [Hint(entity=text, metric=text, probability=number, evidence=[Evidence(kind=text, text=text, weight=number)])]
    before = len(rig.told())
    one = msgspec.structs.replace(incident(title=text, entities=[text], domain=text, reason=text), hints=hints)
    rig.sink.deliver(one, 1)
    assert len(rig.told()) == before + 1


def test_a_kafka_sink_without_a_broker_is_a_usage_error():
    with pytest.raises(UsageError):
        build_sink(tree.KafkaSink(type="kafka", topic="out"), console=io.StringIO(), kafka=None)


def test_a_producer_that_refuses_for_good_is_replaced_for_the_next_incident():
    topic, connections = MemoryTopic(), []

    def connect() -> MemoryTopic:
        connections.append(topic)
        return topic

    sink = build_sink(tree.KafkaSink(type="kafka", topic="out"), console=io.StringIO(), kafka=connect)
    topic.faults.append(Permanent("too large"))
    with pytest.raises(Permanent):
        sink.deliver(incident(), 1)
    sink.deliver(incident(revision=4), 1)
    assert (len(connections), topic.closed) == (2, 1)
