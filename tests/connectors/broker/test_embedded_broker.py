"""The embedded broker keeps every law of the real one that the engine needs, and its own."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from kafka_laws import KafkaLaws, Member, feed, kafka_on, until

from connectors.broker.embedded import CLIENT, EmbeddedBroker
from connectors.publishers.kafka import KafkaPublisher
from connectors.sources.kafka import KafkaSource
from engine.config.tree import Kafka
from engine.errors import Unreachable, UsageError
from engine.records import Output, Shard, Topic
from engine.runner import RunnerOptions


class LocalBroker(EmbeddedBroker):
    """With the client settings that suit it; sessions are short, because a rebalance takes it as long as one."""

    client = {**CLIENT, "session.timeout.ms": 2000, "heartbeat.interval.ms": 200}


@pytest.fixture
def broker() -> Iterator[LocalBroker]:
    with LocalBroker() as running:
        yield running


class TestOnTheEmbeddedBroker(KafkaLaws):
    pass


def test_topics_have_the_partitions_that_were_asked_for(broker: LocalBroker) -> None:
    broker.create_topic("four", 4)
    with pytest.raises(UsageError, match="four"):
        broker.create_topic("four", 4)


def test_a_closed_broker_says_so() -> None:
    broker = EmbeddedBroker()
    broker.close()
    broker.close()
    with pytest.raises(UsageError, match="closed"):
        broker.create_topic("a", 1)


def test_as_a_process_it_prints_its_address_and_lives_until_stdin_closes() -> None:
    command = [sys.executable, "-m", "connectors.broker.embedded", "--topics", "a:2,b"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        address = process.stdout.readline().strip()
        kafka = Kafka(bootstrap=address, client=LocalBroker.client)
        source = KafkaSource(["a", "b"], group="g", kafka=kafka)
        source.close()
        process.stdin.close()
        assert process.wait(timeout=30) == 0


def test_a_broker_that_is_away_stops_the_engine_where_it_is_and_it_goes_on(broker: LocalBroker, tmp_path: Path) -> None:
    kafka = kafka_on(broker)
    feed(kafka, 100)
    member = Member(kafka, tmp_path)
    member.run_until(committed=50)
    broker.set_reachable(reachable=False)
    member.runner.step_once()
    broker.set_reachable(reachable=True)
    feed(kafka, 200, start=100)
    member.run_until(committed=400)
    member.stop()
    assert "foreshock_determinism_violations_total" not in member.counts


def test_with_its_broker_away_the_engine_still_comes_to_an_end(broker: LocalBroker, tmp_path: Path) -> None:
    kafka = kafka_on(broker)
    feed(kafka, 100)
    member = Member(
        kafka, tmp_path, RunnerOptions("tally", "earliest", poll_seconds=0.05, commit_interval_s=0.0, drain_seconds=1.0)
    )
    member.run_until(committed=100)
    broker.set_reachable(reachable=False)
    stop = threading.Event()
    stop.set()
    assert member.runner.run(stop) == 0
    broker.set_reachable(reachable=True)


def test_a_log_cut_away_under_a_reader_begins_anew_and_is_told(broker: LocalBroker, tmp_path: Path) -> None:
    kafka = kafka_on(broker)
    feed(kafka, 100)
    first = Member(kafka, tmp_path)
    first.run_until(committed=200)
    first.stop()
    feed(kafka, 300, start=100)
    topic = f"{kafka.topic_prefix}in"
    broker.delete_records(topic, 0, 200)
    second = Member(kafka, tmp_path)
    second.run_until(committed=600)
    second.stop()
    began = {str(event["shard"]): (event["how"], event["position"]) for event in second.told.all("shard_began")}
    assert began == {f"{topic}-0": ("gap", 200), f"{topic}-1": ("restored", 100)}


def test_flush_says_that_a_broker_is_away_and_loses_nothing(broker: LocalBroker) -> None:
    kafka = kafka_on(broker)
    publisher = KafkaPublisher(kafka)
    publisher.publish([Output(Topic.ALERTS, b"k", b"1", 10**18)])
    publisher.flush(30)
    broker.set_reachable(reachable=False)
    publisher.publish([Output(Topic.ALERTS, b"k", b"2", 10**18)])
    with pytest.raises(Unreachable, match="1 outputs are not acknowledged"):
        publisher.flush(0.2)
    broker.set_reachable(reachable=True)
    publisher.flush(30)
    publisher.close()
    source = KafkaSource([f"{kafka.topic_prefix}alerts"], group="g", kafka=kafka)
    seen: list[int] = []
    until(lambda: bool(seen), lambda: seen.extend(event.high for event in source.poll(0.1).events))
    source.close()
    assert seen == [2]


def test_nobody_home_is_said_with_a_hint(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("connectors.sources.kafka.START_SECONDS", 0.5)
    with pytest.raises(Unreachable) as caught:
        KafkaSource(["a"], group="g", kafka=Kafka(bootstrap="127.0.0.1:1"))
    assert caught.value.exit_code == 4
    assert "kafka.bootstrap" in caught.value.hint


def test_the_lag_of_a_shard_that_is_not_ours_is_nothing(broker: LocalBroker) -> None:
    kafka = kafka_on(broker)
    source = KafkaSource([f"{kafka.topic_prefix}in"], group="g", kafka=kafka)
    assert source.lag(Shard("elsewhere", 0)) == 0
    source.close()
