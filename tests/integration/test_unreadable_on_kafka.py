"""A batch that grows when it is unpacked (control S3), on Apache Kafka: its partition goes on behind it, and the others never wait."""

from __future__ import annotations

import pytest
from confluent_kafka import Producer
from kafka_laws import kafka_on, until
from kafka_server import KafkaServer

from connectors.sources.kafka import KafkaSource
from connectors.sources.unreadable import HEADER
from engine.ports import Assigned, Polled
from engine.records import Record

pytestmark = pytest.mark.kafka

ZEROES = bytes(4_000_000)
BOMB = 20
"""Records of zeroes in one batch: 80 MB in about 3 kB."""
HUGE = 1_000_000_000
SPARE_BYTES = 64 << 20


def _send(server: KafkaServer, topic: str, partition: int, values: list[bytes], codec: str = "none") -> list[int]:
    """The offsets of some records that are written as one batch."""
    settings = {"compression.type": codec, "message.max.bytes": HUGE, "batch.size": 2**31 - 1, "linger.ms": 500}
    producer = Producer({"bootstrap.servers": server.bootstrap, "queue.buffering.max.kbytes": 2**31 - 1, **settings})
    offsets: list[int] = []
    for value in values:
        producer.produce(topic, value, partition=partition, on_delivery=lambda _, message: offsets.append(message.offset()))
    producer.flush(60)
    return sorted(offsets)


def _resident_bytes() -> int:
    with open("/proc/self/statm") as file:  # noqa: PTH123
        return int(file.read().split()[1]) * 4096


def test_s3_a_batch_that_cannot_be_unpacked_is_passed_over_and_told_and_others_never_wait(kafka_server: KafkaServer) -> None:
    kafka = kafka_on(kafka_server)
    topic = f"{kafka.topic_prefix}in"
    before = _send(kafka_server, topic, 0, [b"before"] * 5)
    bombs = [_send(kafka_server, topic, 0, [ZEROES] * BOMB, "zstd")]
    between = _send(kafka_server, topic, 0, [b"between"])
    bombs.append(_send(kafka_server, topic, 0, [ZEROES] * BOMB, "zstd"))
    after = _send(kafka_server, topic, 0, [b"after"] * 5)
    others = _send(kafka_server, topic, 1, [b"other"] * 200)
    source = KafkaSource([topic], group="bombed", kafka=kafka)
    seen: dict[int, list[Record]] = {0: [], 1: []}
    others_at: list[int] = []
    resident = [_resident_bytes()]

    def step() -> Polled:
        polled = source.poll(0.1)
        for event in polled.events:
            if isinstance(event, Assigned):
                source.seek(event.shard, event.low)
        for shard, records in polled.records.items():
            seen[shard.partition] += records
        if len(seen[1]) == len(others) and not others_at:
            others_at.append(len(seen[0]))
        resident.append(_resident_bytes())
        return polled

    until(lambda: len(seen[0]) >= len(before) + len(after) + 3 and len(seen[1]) == len(others), step)
    source.close()
    assert [record.offset for record in seen[0] if record.value is not None] == [*before, *between, *after]
    told = [(record.offset, record.headers) for record in seen[0] if record.value is None]
    assert told == [(part[0], ((HEADER, b"%d-%d" % (part[0], part[-1])),)) for part in bombs]
    assert [record.offset for record in seen[1]] == others
    assert others_at[0] < len(seen[0])
    assert max(resident) - resident[0] < SPARE_BYTES
