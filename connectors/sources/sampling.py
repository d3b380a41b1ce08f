"""The newest records of topics, for a look: read-only, with no group, no commits, and bounds on records, bytes and time.

A partition whose log cannot be read at some place is left there and named; the others go on.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

from confluent_kafka import Consumer, KafkaException, Message, TopicPartition

from connectors.kafka_client import LOG, PASSING, consumer_settings, unreachable
from connectors.sources.messages import record_of
from engine.config.tree import Kafka
from engine.ports import Clock
from engine.records import Record

GROUP: Final = "foreshock-doctor"
"""Clients need a name for a group; this one never joins and never commits."""
_ANSWER_SECONDS: Final = 15.0
_POLL_SECONDS: Final = 0.2
_BATCH: Final = 200
_OURS: Final[Mapping[str, str | bool]] = {"auto.offset.reset": "earliest", "enable.partition.eof": False}


class Bounds(NamedTuple):
    """The most that is taken of a topic."""

    records: int
    bytes: int
    seconds: float
    partitions: int


class Taken(NamedTuple):
    """What was taken of a topic: records by partition and offset, how many each partition holds, what could not be read."""

    records: list[Record]
    partitions: dict[int, int]
    damaged: list[str]
    cut: bool


class Sampler:
    """Looks at topics of one broker. Raises Unreachable when it does not answer."""

    def __init__(self, kafka: Kafka, bounds: Bounds, clock: Clock) -> None:
        self._consumer = Consumer(consumer_settings(kafka, GROUP) | dict(_OURS), logger=LOG)
        self._bounds = bounds
        self._clock = clock

    def topics(self) -> list[str]:
        """All topics that the broker shows, but for its own."""
        try:
            known = self._consumer.list_topics(timeout=_ANSWER_SECONDS).topics
        except KafkaException as error:
            raise unreachable("asking for topics", error) from error
        return sorted(name for name in known if not name.startswith("__"))

    def take(self, topic: str) -> Taken:
        """The newest records of one topic, as many of each of its partitions."""
        try:
            places = self._places(topic)
            marks = {place.partition: self._consumer.get_watermark_offsets(place, timeout=_ANSWER_SECONDS) for place in places}
        except KafkaException as error:
            raise unreachable(f"asking for the ends of {topic}", error) from error
        held = {partition: high - low for partition, (low, high) in marks.items()}
        filled = [partition for partition, count in sorted(held.items()) if count]
        chosen = _spread(filled, self._bounds.partitions)
        each = max(1, self._bounds.records // max(1, len(chosen)))
        ends = {partition: marks[partition][1] for partition in chosen}
        starts = [TopicPartition(topic, p, max(marks[p][0], ends[p] - each)) for p in chosen]
        records, damaged, cut = self._read(starts, ends)
        return Taken(sorted(records, key=lambda r: (r.partition, r.offset)), held, damaged, cut)

    def close(self) -> None:
        """Leave nothing open."""
        self._consumer.close()

    def _places(self, topic: str) -> list[TopicPartition]:
        about = self._consumer.list_topics(topic, timeout=_ANSWER_SECONDS).topics[topic]
        if about.error is not None:
            raise unreachable(f"asking for the partitions of {topic}", about.error)
        return [TopicPartition(topic, number) for number in sorted(about.partitions)]

    def _read(self, starts: Sequence[TopicPartition], ends: Mapping[int, int]) -> tuple[list[Record], list[str], bool]:
        """Up to the ends as they were, or a bound. Partitions that are done are left."""
        look = _Look(dict(ends), self._bounds.bytes)
        until = self._clock.monotonic_seconds() + self._bounds.seconds
        self._consumer.assign(list(starts))
        while look.ends and look.left > 0 and self._clock.monotonic_seconds() < until:
            for message in self._messages():
                look.take(message)
            self._drop_finished(starts[0].topic, look.ends)
        self._consumer.unassign()
        return look.records, list(look.damaged.values()), bool(look.ends)

    def _messages(self) -> list[Message]:
        first = self._consumer.poll(_POLL_SECONDS)
        return [first, *self._consumer.consume(_BATCH - 1, 0)] if first is not None else []

    def _drop_finished(self, topic: str, open_ends: dict[int, int]) -> None:
        """By position, because the last offset of a log may be a marker that no reader is given."""
        places = [TopicPartition(topic, partition) for partition in open_ends]
        for place in self._consumer.position(places):
            if place.offset >= open_ends[place.partition]:
                open_ends.pop(place.partition)


class _Look:
    """What has been taken of one topic so far, and up to which offsets more is wanted."""

    def __init__(self, ends: dict[int, int], bytes_max: int) -> None:
        self.records: list[Record] = []
        self.damaged: dict[int, str] = {}
        self.ends = ends
        self.left = bytes_max

    def take(self, message: Message) -> None:
        """A record, if it is wanted, or the end of a partition that cannot be read any further."""
        partition = int(message.partition() or 0)
        fault = _fault(message)
        if fault:
            self.damaged.setdefault(partition, fault)
            self.ends.pop(partition, None)
        elif message.error() is None and int(message.offset() or 0) < self.ends.get(partition, 0) and self.left > 0:
            record = record_of(message)
            self.records.append(record)
            self.left -= len(record.value or b"")


def _spread(partitions: Sequence[int], most: int) -> list[int]:
    """At most so many, evenly spread."""
    step = max(1, -(-len(partitions) // most))
    return list(partitions[::step])


def _fault(message: Message) -> str:
    """One sentence for an error that ends the reading of a partition; "" for a record and for what passes."""
    error = message.error()
    if error is None or error.code() in PASSING:
        return ""
    return f"partition {message.partition()} offset {message.offset()}: {error.str()} ({error.name()})"
