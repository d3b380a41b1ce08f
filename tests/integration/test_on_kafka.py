"""The same laws on Apache Kafka, and what only a real broker can show."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest
from confluent_kafka import TopicPartition
from kafka_laws import RECORDS, KafkaLaws, Member, feed, kafka_on, taken, until
from kafka_server import KafkaServer

from connectors.sources.kafka import KafkaSource
from connectors.topics import create_topics, missing_topics, own_topics
from engine.config.tree import Kafka
from engine.errors import Unreachable
from engine.ports import Assigned, Place
from engine.records import Shard

pytestmark = pytest.mark.kafka


@pytest.fixture
def broker(kafka_server: KafkaServer) -> KafkaServer:
    return kafka_server


class TestOnApacheKafka(KafkaLaws):
    def test_a_process_killed_again_and_again_costs_nothing(
        self, kafka: Kafka, broker: KafkaServer, expected: dict[int, list[bytes]], tmp_path: Path
    ) -> None:
        """SIGKILL in the middle, three times: no goodbye to the group, no last commit."""
        feed(kafka, RECORDS)
        program = Path(__file__).parent / "tally_process.py"
        command = [sys.executable, str(program), broker.bootstrap, kafka.topic_prefix, str(tmp_path)]
        for rounds in (4, 9, 6):
            with subprocess.Popen([*command, str(rounds)], stdout=subprocess.PIPE, text=True) as process:
                said = process.stdout.readline()
                process.send_signal(signal.SIGKILL)
            assert said == "in the middle\n"
        last = Member(kafka, tmp_path)
        last.run_until(committed=2 * RECORDS)
        last.stop()
        assert "foreshock_determinism_violations_total" not in last.counts
        assert taken(kafka) == self.named(kafka, expected)

    def test_a_broker_that_is_killed_and_comes_back_costs_nothing(
        self, kafka: Kafka, broker: KafkaServer, expected: dict[int, list[bytes]], tmp_path: Path
    ) -> None:
        """The engine stays up, waits, and goes on where it was; nothing is repeated that a reader would take twice."""
        feed(kafka, 150)
        member = Member(kafka, tmp_path)
        member.run_until(committed=120)
        broker.stop(signal.SIGKILL)
        for _ in range(2):
            member.runner.step_once()
        broker.start()
        feed(kafka, RECORDS, start=150)
        member.run_until(committed=2 * RECORDS)
        member.stop()
        assert "foreshock_determinism_violations_total" not in member.counts
        assert taken(kafka) == self.named(kafka, expected)


def test_a_zombie_cannot_commit(broker: KafkaServer, tmp_path: Path) -> None:
    """A member that did not come round for too long has lost its shards: its commit would take the group back."""
    kafka = kafka_on(broker)
    hasty = {**kafka.client, "session.timeout.ms": 1500, "max.poll.interval.ms": 1500}
    feed(kafka, 100)
    zombie = Member(kafka.model_copy(update={"client": hasty}), tmp_path)
    zombie.run_until(committed=100)
    other = Member(kafka, tmp_path)
    other.run_until(committed=200)  # waits until the group has given the zombie up
    with pytest.raises(Unreachable, match="committing"):
        zombie.source.commit({Shard(f"{kafka.topic_prefix}in", 0): Place(1, "")})
    until(lambda: not zombie.runner._tenures, zombie.runner.step_once)
    assert any(left["lost"] for left in zombie.told.all("shard_left"))
    other.stop()
    zombie.die()
    assert "foreshock_determinism_violations_total" not in other.counts


def test_our_topics_are_made_once_with_their_settings(broker: KafkaServer) -> None:
    kafka = kafka_on(broker).model_copy(update={"topic_prefix": "made.", "partitions": {"alerts": 3}})
    plans = own_topics(kafka)
    assert len(missing_topics(kafka, plans)) == len(plans)
    assert sorted(create_topics(kafka, plans)) == sorted(plan.name for plan in plans)
    assert create_topics(kafka, plans) == []
    until(lambda: missing_topics(kafka, plans) == [], lambda: None)
    more = own_topics(kafka.model_copy(update={"partitions": {"alerts": 5}}))
    assert missing_topics(kafka, more) == ["topic made.alerts has 3 partitions, the configuration says 5"]


def test_a_new_topic_of_a_pattern_is_found(broker: KafkaServer, tmp_path: Path) -> None:
    kafka = kafka_on(broker)
    kafka = kafka.model_copy(update={"client": {**kafka.client, "topic.metadata.refresh.interval.ms": 500}})
    source = KafkaSource([f"^{kafka.topic_prefix}.*n$"], group=f"{kafka.topic_prefix}g", kafka=kafka)
    found: list[Shard] = []

    def step() -> None:
        found.extend(event.shard for event in source.poll(0.05).events if isinstance(event, Assigned))

    until(lambda: len(found) == 2, step)
    broker.create_topic(f"{kafka.topic_prefix}moon", 1)
    until(lambda: Shard(f"{kafka.topic_prefix}moon", 0) in found, step)
    source.close()


def test_a_partition_that_the_client_lost_is_sought_anew(broker: KafkaServer) -> None:
    """As after a resume that the client threw away: paused behind our back, with no error and no end."""
    kafka = kafka_on(broker)
    feed(kafka, RECORDS)
    source = KafkaSource([f"{kafka.topic_prefix}in"], group=f"{kafka.topic_prefix}g", kafka=kafka)
    offsets: dict[Shard, list[int]] = {}

    def step() -> None:
        polled = source.poll(0.05)
        for event in polled.events:
            assert isinstance(event, Assigned)
            source.seek(event.shard, 0)
            offsets[event.shard] = []
            source._consumer.pause([TopicPartition(*event.shard)])
        for shard, records in polled.records.items():
            offsets[shard] += [record.offset for record in records]

    until(lambda: sum(map(len, offsets.values())) == 2 * RECORDS, step)
    assert all(found == list(range(RECORDS)) for found in offsets.values())
    source.close()


def test_a_log_is_searched_by_time(broker: KafkaServer) -> None:
    """Record n is of second n + 1: what a first start learns of the past begins at the first that is no older."""
    kafka = kafka_on(broker)
    feed(kafka, 40)
    source = KafkaSource([f"{kafka.topic_prefix}in"], group=f"{kafka.topic_prefix}g", kafka=kafka)
    shard = Shard(f"{kafka.topic_prefix}in", 1)
    found: list[Shard] = []
    until(lambda: shard in found, lambda: found.extend(event.shard for event in source.poll(0.05).events))
    assert [source.offset_at(shard, seconds * 10**9) for seconds in (1, 20, 40)] == [0, 19, 39]
    assert source.offset_at(shard, 20 * 10**9 + 500_000_000) == 20
    assert source.offset_at(shard, 41 * 10**9) is None
    source.close()
