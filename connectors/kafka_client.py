"""What every Kafka client of ours has in common: its settings, its words for failure, the names of our topics.

Settings are librdkafka's own. Ours are defaults: whatever the user writes under `kafka.client` wins.
"""

# ruff: noqa: SLF001 - librdkafka's public names for its own errors begin with an underscore

from __future__ import annotations

import logging
import time
from collections.abc import Mapping
from typing import Any, Final

from confluent_kafka import KafkaError, KafkaException
from pydantic import SecretStr

from engine.config.tree import Kafka
from engine.errors import Unreachable

REPEAT_SECONDS: Final = 30.0
"""librdkafka says the same of a broker that is away at every try, many times a second: it is heard once in this long."""


class _Quietly(logging.Filter):
    """Lets each kind of message (its first word, such as FAIL) through at most once in `REPEAT_SECONDS`."""

    def __init__(self) -> None:
        super().__init__()
        self._until: dict[str, float] = {}  # librdkafka has some forty kinds

    def filter(self, record: logging.LogRecord) -> bool:
        text = record.getMessage()
        kind, now = text.partition(" ")[0], time.monotonic()
        if "enable.gapless.guarantee is experimental" in text or now < self._until.get(kind, 0.0):
            return False
        self._until[kind] = now + REPEAT_SECONDS
        return True


LOG: Final = logging.getLogger("librdkafka")
"""librdkafka's own words go where the program's log goes, not to standard error."""
LOG.addFilter(_Quietly())

CONSUMER: Final[Mapping[str, str | int | bool]] = {
    "enable.auto.commit": False,
    "enable.auto.offset.store": False,
    "auto.offset.reset": "error",  # a silent jump to the end is the classic way to lose data: we choose, and say so
    "partition.assignment.strategy": "cooperative-sticky",
    "session.timeout.ms": 8000,
    "heartbeat.interval.ms": 2000,
    "max.poll.interval.ms": 60000,
    "check.crcs": True,
    "allow.auto.create.topics": False,
    "isolation.level": "read_committed",
    "queued.max.messages.kbytes": 16384,
    "queued.min.messages": 40000,  # all partitions lie in one queue of ours: with fewer it runs empty while they wait
    "fetch.queue.backoff.ms": 5,
    "fetch.wait.max.ms": 50,
    "fetch.max.bytes": 8_388_608,
    "receive.message.max.bytes": 16_777_216,  # bounds what a compressed batch can become
    "topic.metadata.refresh.interval.ms": 10000,  # how soon a new topic of a pattern, or a new partition, is seen
}

PRODUCER: Final[Mapping[str, str | int | bool]] = {
    "enable.idempotence": True,
    "acks": "all",
    "compression.type": "zstd",
    "linger.ms": 5,
    "partitioner": "murmur2_random",  # the Java client's choice of partition for a key
    # Never give up on a message, and never deliver a later one in place of an earlier one: the reader's high-water mark
    # would take the earlier one, once it comes, for a repeat. A full buffer stops the reading instead.
    "message.timeout.ms": 0,
    "enable.gapless.guarantee": True,
    "queue.buffering.max.kbytes": 65536,
    "message.max.bytes": 8_388_608,
    "delivery.report.only.error": True,
}

_COMMON: Final[Mapping[str, str | int | bool]] = {
    "client.id": "foreshock",
    "socket.timeout.ms": 10000,
    "reconnect.backoff.max.ms": 2000,
    "log.connection.close": False,
}

_CONSUMER_ONLY = (
    "auto.offset.",
    "check.crcs",
    "enable.auto.",
    "fetch.",
    "group.",
    "heartbeat.",
    "isolation.",
    "max.poll.",
    "partition.assignment.",
    "queued.",
    "session.",
)
_PRODUCER_ONLY = (
    "acks",
    "batch.",
    "compression.",
    "delivery.",
    "enable.gapless.",
    "enable.idempotence",
    "linger.",
    "message.send.",
    "message.timeout.",
    "partitioner",
    "queue.buffering.",
    "sticky.",
    "transaction",
)
_CLASSIC_GROUP_ONLY = ("partition.assignment.strategy", "session.timeout.ms", "heartbeat.interval.ms")

PASSING: Final = frozenset(
    {
        KafkaError._ALL_BROKERS_DOWN,
        KafkaError._TRANSPORT,
        KafkaError._TIMED_OUT,
        KafkaError._RESOLVE,
        KafkaError._WAIT_COORD,
        KafkaError._PARTITION_EOF,
        KafkaError._MAX_POLL_EXCEEDED,  # followed by the loss of every shard, which says all there is to say
        KafkaError.REQUEST_TIMED_OUT,
        KafkaError.LEADER_NOT_AVAILABLE,
        KafkaError.NOT_LEADER_FOR_PARTITION,
        KafkaError.COORDINATOR_LOAD_IN_PROGRESS,
        KafkaError.COORDINATOR_NOT_AVAILABLE,
        KafkaError.NOT_COORDINATOR,
    }
)
"""Errors that librdkafka mends by itself."""
OFFSET_GONE: Final = frozenset({KafkaError._AUTO_OFFSET_RESET, KafkaError.OFFSET_OUT_OF_RANGE})
"""The log has been taken away under a reader, by retention or by an operator."""
NOT_TAKEN_UP: Final = KafkaError._STATE
"""The client has not yet taken up a partition that it was just given."""

_HINTS: Final[Mapping[int, str]] = {
    KafkaError._ALL_BROKERS_DOWN: "Check kafka.bootstrap and the network.",
    KafkaError._TRANSPORT: "Check kafka.bootstrap and the network.",
    KafkaError._RESOLVE: "The broker's name does not resolve: check kafka.bootstrap.",
    KafkaError._AUTHENTICATION: "Check the SASL or TLS settings under kafka.client.",
    KafkaError.TOPIC_AUTHORIZATION_FAILED: "Grant Read on the inputs, and Read and Write on our own topics.",
    KafkaError.GROUP_AUTHORIZATION_FAILED: "Grant Read on the consumer group (kafka.group_prefix).",
    KafkaError.CLUSTER_AUTHORIZATION_FAILED: "Grant IdempotentWrite on the cluster (brokers before 2.8).",
    KafkaError.UNKNOWN_TOPIC_OR_PART: "Create the topic first; Foreshock creates no topics while it runs.",
    KafkaError._UNKNOWN_TOPIC: "Create the topic first; Foreshock creates no topics while it runs.",
}


def consumer_settings(kafka: Kafka, group: str) -> dict[str, Any]:
    """Everything a consumer of `group` is built with."""
    settings = _merged(kafka, CONSUMER, leave_out=_PRODUCER_ONLY)
    settings["group.id"] = group
    if settings.get("group.protocol") == "consumer":  # KIP-848: the broker owns these three
        for name in _CLASSIC_GROUP_ONLY:
            settings.pop(name, None)
    return settings


def producer_settings(kafka: Kafka) -> dict[str, Any]:
    """Everything a producer is built with."""
    return _merged(kafka, PRODUCER, leave_out=_CONSUMER_ONLY)


def admin_settings(kafka: Kafka) -> dict[str, Any]:
    """Everything an admin client is built with."""
    return _merged(kafka, {}, leave_out=(*_CONSUMER_ONLY, *_PRODUCER_ONLY))


def _merged(kafka: Kafka, ours: Mapping[str, Any], leave_out: tuple[str, ...]) -> dict[str, Any]:
    users = {name: _plain(value) for name, value in kafka.client.items() if not name.startswith(leave_out)}
    return {**_COMMON, **ours, "bootstrap.servers": kafka.bootstrap, **users}


def _plain(value: str | int | bool | SecretStr) -> str | int | bool:
    return value.get_secret_value() if isinstance(value, SecretStr) else value


def cause(error: KafkaException | KafkaError) -> KafkaError:
    """The error inside an exception of the client."""
    if isinstance(error, KafkaError):
        return error
    inner = error.args[0] if error.args else None
    return inner if isinstance(inner, KafkaError) else KafkaError(KafkaError._FAIL, str(error))


def unreachable(doing: str, error: KafkaException | KafkaError) -> Unreachable:
    """Our error for one of Kafka's, with what a person can do about it."""
    inner = cause(error)
    return Unreachable(f"{doing}: {inner.str()} ({inner.name()})", _HINTS.get(inner.code(), ""))


def topic_name(kafka: Kafka, topic: str) -> str:
    """The physical name of one of our topics: a `Topic`, or what is said behind the prefix."""
    return f"{kafka.topic_prefix}{topic}"
