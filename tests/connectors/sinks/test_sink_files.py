"""The JSON lines file and the Kafka topic, byte for byte."""

from __future__ import annotations

import time
from pathlib import Path

import msgspec
from cloudevents.core.bindings.kafka import KafkaMessage, from_binary
from cloudevents.core.formats.json import JSONFormat
from confluent_kafka import Consumer
from receivers import incident

from connectors.broker.embedded import EmbeddedBroker
from connectors.publishers.kafka import KafkaPublisher
from connectors.sinks.jsonl import JsonLinesSink
from connectors.sinks.kafka import KafkaSink
from engine.config import tree
from engine.records import decode_incident, encode


def jsonl(path: Path) -> JsonLinesSink:
    return JsonLinesSink(tree.JsonLinesSink(type="jsonl", path=str(path)))


def test_a_line_is_the_incident_as_it_is_on_the_topic(tmp_path):
    sink = jsonl(tmp_path / "out.jsonl")
    sink.deliver(incident(), 1)
    sink.close()
    assert (tmp_path / "out.jsonl").read_bytes() == encode(incident()) + b"\n"


def test_what_is_in_the_file_stays(tmp_path):
    path = tmp_path / "out.jsonl"
    for revision in (1, 2):
        sink = jsonl(path)
        sink.deliver(incident(revision=revision), 1)
        sink.close()
    assert [decode_incident(line).revision for line in path.read_bytes().splitlines()] == [1, 2]


def test_a_torn_line_spoils_only_itself(tmp_path):
    path = tmp_path / "out.jsonl"
    path.write_bytes(encode(incident(revision=1))[:40])
    sink = jsonl(path)
    sink.deliver(incident(revision=2), 1)
    sink.close()
    torn, whole = path.read_bytes().splitlines()
    assert len(torn) == 40
    assert decode_incident(whole).revision == 2


def test_a_rotated_file_is_left_alone_after_close(tmp_path):
    path = tmp_path / "out.jsonl"
    sink = jsonl(path)
    sink.deliver(incident(revision=1), 1)
    path.rename(tmp_path / "old.jsonl")
    sink.close()
    sink.deliver(incident(revision=2), 1)
    sink.close()
    assert decode_incident(path.read_bytes()).revision == 2


def test_on_kafka_it_is_a_binary_cloud_event_that_the_reference_library_reads():
    broker = EmbeddedBroker()
    try:
        broker.create_topic("out", 1)
        kafka = tree.Kafka(bootstrap=broker.bootstrap)
        sink = KafkaSink(tree.KafkaSink(type="kafka", topic="out"), lambda: KafkaPublisher(kafka))
        sink.deliver(incident(), 1)
        sink.close()
        message = _first(broker.bootstrap)
    finally:
        broker.close()
    assert message.key() == incident().id.encode()
    headers = dict(message.headers())
    event = from_binary(KafkaMessage(headers=headers, key=message.key(), value=message.value()), JSONFormat())
    assert event.get_id() == f"{incident().id}.3"
    assert event.get_type() == "io.foreshock.incident.open"
    assert event.get_data() == msgspec.json.decode(encode(incident()))


def _first(bootstrap: str):
    consumer = Consumer({"bootstrap.servers": bootstrap, "group.id": "reader", "auto.offset.reset": "earliest"})
    consumer.subscribe(["out"])
    end = time.monotonic() + 20.0
    try:
        while time.monotonic() < end:
            message = consumer.poll(0.5)
            if message is not None and message.error() is None:
                return message
    finally:
        consumer.close()
    raise AssertionError("nothing arrived")
