"""Reading topics from outside: everything there is, in order, and how far a group has come."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from confluent_kafka import Consumer, TopicPartition

from connectors.broker.embedded import CLIENT, EmbeddedBroker
from connectors.kafka_client import consumer_settings
from connectors.publishers.kafka import KafkaPublisher
from connectors.sources.tail import Progress, read_all
from engine.config.tree import Kafka
from engine.records import Record, Shard


@pytest.fixture(name="kafka")
def _kafka() -> Iterator[Kafka]:
    with EmbeddedBroker() as broker:
        broker.create_topic("t", 2)
        broker.create_topic("empty", 1)
        kafka = Kafka(bootstrap=broker.bootstrap, client=dict(CLIENT))
        publisher = KafkaPublisher(kafka)
        for n in range(6):
            publisher.send_record(Record("t", n % 2, n // 2, (n + 1) * 1_000_000, b"k", b"%d" % n))
        publisher.flush(10)
        publisher.close()
        yield kafka


def test_a_topic_is_read_whole_partition_by_partition(kafka: Kafka) -> None:
    found = [(r.partition, r.offset, r.value, r.ts_ns) for r in read_all(kafka, "t")]
    assert found == [(p, o, b"%d" % (2 * o + p), (2 * o + p + 1) * 1_000_000) for p in range(2) for o in range(3)]


def test_an_empty_topic_gives_nothing(kafka: Kafka) -> None:
    assert read_all(kafka, "empty") == []


def test_progress_counts_what_a_group_has_not_committed(kafka: Kafka) -> None:
    progress = Progress(kafka, "readers", ["t"])
    ends = progress.ends()
    assert ends == {Shard("t", 0): 3, Shard("t", 1): 3}
    assert progress.missing(ends) == 6
    reader = Consumer(consumer_settings(kafka, "readers"))
    reader.commit(offsets=[TopicPartition("t", 0, 3), TopicPartition("t", 1, 1)], asynchronous=False)
    assert progress.missing(ends) == 2
    reader.close()
    progress.close()
