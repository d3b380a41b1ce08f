"""Kafka's nouns: shards, stamps, records, our topics and what goes to them."""

from __future__ import annotations

from typing import NamedTuple

from engine.enums import Word


class Shard(NamedTuple):
    """One Kafka topic-partition, and with it all the state that its log produces."""

    topic: str
    partition: int

    def __str__(self) -> str:
        return f"{self.topic}-{self.partition}"


class Stamp(NamedTuple):
    """Where an output came from: the `seq`-th output that record `offset` of `topic`-`partition` caused.

    The next stage keeps the highest stamp per source and drops what is not above it: a crash repeats nothing.
    """

    topic: str
    partition: int
    offset: int
    seq: int


class Record(NamedTuple):
    """One Kafka message as it arrived. `ts_ns` is the *log's* time (CreateTime or LogAppendTime), not the event's."""

    topic: str
    partition: int
    offset: int
    ts_ns: int
    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes], ...] = ()


class Topic(Word):
    """Our own topics by role; the configuration maps each to a physical name (default `foreshock.<role>`)."""

    ALERTS = "alerts"  # detect → correlate; key = correlation domain
    INCIDENTS = "incidents"  # correlate → deliver, respond; key = incident id, compacted, always full state
    ACTIONS = "actions"  # respond: the intent log; key = target
    CONTROL = "control"  # people → every stage: silences, acknowledgements, feedback, approvals, topology
    DEAD_LETTERS = "dead-letters"  # original key, value and headers plus the reason in headers
    AUDIT = "audit"  # who or what decided; append only


class Output(NamedTuple):
    """One message a stage wants on one of our topics. `partition` None lets the key decide; ALL_PARTITIONS repeats it on each."""

    topic: str  # a `Topic`, or the name behind our prefix of one that a source has for itself
    key: bytes
    value: bytes | None
    ts_ns: int
    headers: tuple[tuple[str, bytes], ...] = ()
    partition: int | None = None


ALL_PARTITIONS = -1
