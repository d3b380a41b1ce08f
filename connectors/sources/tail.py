"""Reading topics as anybody may: every partition from its beginning, with no group and no commits."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping, Sequence

from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaException, TopicPartition

from connectors.kafka_client import LOG, PASSING, consumer_settings, unreachable
from connectors.sources.messages import record_of
from engine.config.tree import Kafka
from engine.records import Record, Shard

_ANSWER_SECONDS = 15.0
_POLL_SECONDS = 0.2
_BATCH = 500


def follow(kafka: Kafka, topics: Sequence[str], stop: threading.Event) -> Iterator[Record]:
    """Every record there is and every one that comes, until `stop` is set. Raises Unreachable."""
    consumer = _consumer(kafka)
    try:
        consumer.assign(_partitions(consumer, topics))
        while not stop.is_set():
            yield from _batch(consumer)
    finally:
        consumer.close()


class Progress:
    """How far a consumer group has come, seen from outside of it."""

    def __init__(self, kafka: Kafka, group: str, topics: Sequence[str]) -> None:
        self._consumer = Consumer(consumer_settings(kafka, group), logger=LOG)
        self._places = [TopicPartition(p.topic, p.partition) for p in _partitions(self._consumer, topics)]

    def ends(self) -> dict[Shard, int]:
        """Where each partition ends now. Raises Unreachable."""
        try:
            marks = [(p, self._consumer.get_watermark_offsets(p, timeout=_ANSWER_SECONDS)) for p in self._places]
        except KafkaException as error:
            raise unreachable("asking for the ends of a log", error) from error
        return {Shard(p.topic, p.partition): high for p, (_, high) in marks}

    def missing(self, ends: Mapping[Shard, int]) -> int:
        """Records before those ends that the group has not committed. Raises Unreachable."""
        try:
            done = self._consumer.committed(self._places, timeout=_ANSWER_SECONDS)
        except KafkaException as error:
            raise unreachable("asking how far a group has come", error) from error
        return sum(max(0, ends[Shard(p.topic, p.partition)] - max(p.offset, 0)) for p in done)

    def close(self) -> None:
        """Leave nothing open."""
        self._consumer.close()


def read_all(kafka: Kafka, topic: str) -> list[Record]:
    """What a topic holds now, partition by partition in offset order. Raises Unreachable."""
    consumer = _consumer(kafka)
    try:
        return sorted(_until_end(consumer, _partitions(consumer, [topic])), key=lambda r: (r.partition, r.offset))
    except KafkaException as error:
        raise unreachable(f"reading {topic}", error) from error
    finally:
        consumer.close()


def _until_end(consumer: Consumer, places: Sequence[TopicPartition]) -> Iterator[Record]:
    """Every record up to the ends as they are now."""
    marks = {p.partition: consumer.get_watermark_offsets(p, timeout=_ANSWER_SECONDS) for p in places}
    ends = {partition: high for partition, (low, high) in marks.items() if high > low}
    consumer.assign([p for p in places if p.partition in ends])
    while ends:
        for record in _batch(consumer):
            end = ends.get(record.partition, 0)
            if record.offset < end:
                yield record
            if record.offset + 1 >= end:
                ends.pop(record.partition, None)


def _consumer(kafka: Kafka) -> Consumer:
    return Consumer(consumer_settings(kafka, "foreshock-tail"), logger=LOG)


def _partitions(consumer: Consumer, topics: Sequence[str]) -> list[TopicPartition]:
    try:
        known = {topic: consumer.list_topics(topic, timeout=_ANSWER_SECONDS).topics[topic] for topic in topics}
    except KafkaException as error:
        raise unreachable(f"asking for the partitions of {', '.join(topics)}", error) from error
    return [
        TopicPartition(topic, number, OFFSET_BEGINNING) for topic, about in known.items() for number in sorted(about.partitions)
    ]


def _batch(consumer: Consumer) -> Iterator[Record]:
    first = consumer.poll(_POLL_SECONDS)
    messages = [first, *consumer.consume(_BATCH - 1, 0)] if first is not None else []
    for message in messages:
        error = message.error()
        if error is None:
            yield record_of(message)
        elif error.code() not in PASSING:
            raise unreachable(f"reading {message.topic()}", error)
