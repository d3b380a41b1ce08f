"""Outputs to our own topics on Kafka: one idempotent producer, delivery counted by the batch, never by the message.

The producer never gives up on a message and never overtakes one (`kafka_client.PRODUCER` says why). What its buffer does
not take is kept here, in order, and pushed on by the next `publish` or `flush`; the caller stops reading meanwhile.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Any, Final, NamedTuple

from confluent_kafka import KafkaError, KafkaException, Producer

from connectors.kafka_client import LOG, cause, producer_settings, topic_name, unreachable
from engine.config.tree import Kafka
from engine.errors import Permanent, Unreachable
from engine.records import ALL_PARTITIONS, Output, Record, Topic

FULL_SECONDS: Final = 1.0
"""How long `publish` waits for room in the producer's buffer before it says that there is none."""
FEED_SECONDS: Final = 60.0
METADATA_SECONDS: Final = 5.0
PARTITIONS_FOR_SECONDS: Final = 60.0
"""How long a known number of partitions is believed."""
VALUE_BYTES_MAX: Final = 900_000
"""Brokers take batches of up to 1 MiB by default. A dead letter's value is cut to this; anything else as large is refused."""
CUT_HEADER: Final = ("foreshock-value-cut", b"true")


class _Message(NamedTuple):
    """What the producer is given."""

    topic: str
    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes], ...]
    partition: int
    ts_ms: int


class KafkaPublisher:
    """Implements `ports.Publisher`. One for each process is enough; it is not to be shared between threads."""

    def __init__(self, kafka: Kafka) -> None:
        self._kafka = kafka
        self._pending: deque[_Message] = deque()
        self._partitions: dict[str, tuple[int, float]] = {}
        self._names: dict[str, str] = {}  # of our own topics
        self._failure: KafkaError | None = None
        self._producer = Producer({**producer_settings(kafka), "on_delivery": self._on_failure}, logger=LOG)

    def publish(self, outputs: Sequence[Output]) -> None:
        """See `ports.Publisher`."""
        deadline = time.monotonic() + FULL_SECONDS
        self._producer.poll(0)
        waiting = iter(outputs)
        for output in () if self._pending else waiting:
            if not self._take(output, deadline):
                break
        for output in waiting:
            self._pending.extend(self._messages(output))
        if self._pending and not self._push(deadline):
            raise Unreachable(f"{len(self._pending)} outputs wait: the producer's buffer is full", "Is Kafka reachable?")

    def _take(self, output: Output, deadline: float) -> bool:
        """Hand an output on at once where it fits; True when nothing of it waits."""
        topic, key, value, ts_ns, headers, partition = output
        if value is not None and len(value) > VALUE_BYTES_MAX:
            self._pending.extend(self._messages(output))
            return self._push(deadline)
        try:
            name = self._names[topic]
        except KeyError:
            name = self._names[topic] = topic_name(self._kafka, topic)
        ts_ms = max(1, ts_ns // 1_000_000)
        partitions = (
            range(self._partition_count(name)) if partition == ALL_PARTITIONS else (-1 if partition is None else partition,)
        )
        for place, number in enumerate(partitions):
            try:
                self._producer.produce(name, value=value, key=key, headers=[*headers], partition=number, timestamp=ts_ms)
            except BufferError:
                self._pending.extend(islice(self._messages(output), place, None))
                return False
            except KafkaException as error:
                raise Permanent(f"{name} does not take an output: {cause(error).str()}") from error
        return True

    def send(self, topic: str, key: bytes | None, value: bytes | None, headers: Sequence[tuple[str, bytes]] = ()) -> None:
        """One message to any topic, by its physical name, at the present time. Raises Unreachable, and has not kept it, when full."""
        self._send(_Message(topic, key, value, tuple(headers), -1, 0), FULL_SECONDS)

    def send_record(self, record: Record) -> None:
        """A record to its own topic and partition, with its time (feeding files in): waits for room. Raises as `send`."""
        ts_ms = max(1, record.ts_ns // 1_000_000)
        self._send(_Message(record.topic, record.key, record.value, record.headers, record.partition, ts_ms), FEED_SECONDS)

    def _send(self, message: _Message, seconds: float) -> None:
        self._pending.append(message)
        if not self._push(time.monotonic() + seconds):
            self._pending.pop()  # the last one: the pushing goes in order
            raise Unreachable(f"{message.topic} does not take more: the producer's buffer is full", "Is Kafka reachable?")

    def flush(self, deadline_seconds: float) -> None:
        """See `ports.Publisher`."""
        deadline = time.monotonic() + deadline_seconds
        self._push(deadline)
        left = self._producer.flush(max(0.0, deadline - time.monotonic())) + len(self._pending)
        if self._failure is not None:
            raise Permanent(f"an output can never be delivered: {self._failure.str()} ({self._failure.name()})")
        if left:
            raise Unreachable(f"{left} outputs are not acknowledged after {deadline_seconds:.0f} s", "Is Kafka reachable?")

    def close(self) -> None:
        """Drop what is not acknowledged: it was not committed either, and will be made again."""
        self._pending.clear()
        self._producer.purge()
        self._producer.close()

    # ------------------------------------------------------------------------------------------- inside
    def _push(self, deadline: float) -> bool:
        """Hand pending messages to the producer, in order, until none is left or the deadline has passed."""
        self._producer.poll(0)
        while self._pending:
            message = self._pending[0]
            try:
                self._produce(message)
            except BufferError:
                if time.monotonic() >= deadline:
                    return False
                self._producer.poll(0.05)
            except KafkaException as error:
                raise Permanent(f"{message.topic} does not take an output: {cause(error).str()}") from error
            else:
                self._pending.popleft()
        return True

    def _produce(self, message: _Message) -> None:
        self._producer.produce(
            message.topic,
            value=message.value,
            key=message.key,
            headers=list(message.headers),
            partition=message.partition,
            timestamp=message.ts_ms,
        )

    def _messages(self, output: Output) -> Iterator[_Message]:
        """An output as messages: one, or one for each partition of its topic."""
        topic = topic_name(self._kafka, output.topic)
        value, headers = _cut(output)
        ts_ms = max(1, output.ts_ns // 1_000_000)  # 0 would mean now, and now differs at each replay
        if output.partition == ALL_PARTITIONS:
            for partition in range(self._partition_count(topic)):
                yield _Message(topic, output.key, value, headers, partition, ts_ms)
        else:
            yield _Message(topic, output.key, value, headers, -1 if output.partition is None else output.partition, ts_ms)

    def _partition_count(self, topic: str) -> int:
        count, until = self._partitions.get(topic, (0, 0.0))
        if count and time.monotonic() < until:
            return count
        try:
            known = self._producer.list_topics(topic, timeout=METADATA_SECONDS).topics[topic]
        except KafkaException as error:
            if count:  # an unreachable broker is no reason to forget what we knew
                return count
            raise unreachable(f"asking for the partitions of {topic}", error) from error
        if known.error is not None:
            raise Permanent(f"topic {topic}: {known.error.str()}")
        self._partitions[topic] = (len(known.partitions), time.monotonic() + PARTITIONS_FOR_SECONDS)
        return len(known.partitions)

    def _on_failure(self, error: KafkaError | None, _message: Any) -> None:
        """Called for failed deliveries only (`delivery.report.only.error`)."""
        if error is not None:
            self._failure = error


def _cut(output: Output) -> tuple[bytes | None, tuple[tuple[str, bytes], ...]]:
    """Value and headers in a size that the broker takes."""
    value = output.value
    if value is None or len(value) <= VALUE_BYTES_MAX:
        return value, output.headers
    if output.topic is not Topic.DEAD_LETTERS:
        raise Permanent(f"an output of {len(value)} bytes for {output.topic}: at most {VALUE_BYTES_MAX} fit")
    return value[:VALUE_BYTES_MAX], (*output.headers, CUT_HEADER)
