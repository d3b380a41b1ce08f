"""`foreshock doctor` on a real Apache Kafka: compressed batches, aborted transactions, and no trace of it afterwards."""

from __future__ import annotations

from pathlib import Path

import orjson
import pytest
from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient
from kafka_server import KafkaServer

from engine.cli.app import main

pytestmark = pytest.mark.kafka
TS_MS = 1_795_218_876_000


def test_a_topic_is_recognised_and_left_as_it_was(
    kafka_server: KafkaServer, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    kafka_server.create_topic("doctor-cpu", 4)
    producer = Producer(
        {"bootstrap.servers": kafka_server.bootstrap, "transactional.id": "doctor-test", "compression.type": "lz4"}
    )
    producer.init_transactions(30)
    for commit in (True, False, True):
        producer.begin_transaction()
        for n in range(200):
            body = b"cpu,host=h%d usage=%d %d" % (n % 8, n % 7, (TS_MS + n * 1000) * 1_000_000)
            value = body if commit else b"never committed"
            producer.produce("doctor-cpu", value, key=b"h%d" % (n % 8), timestamp=TS_MS + n * 1000)
        (producer.commit_transaction if commit else producer.abort_transaction)(30)
    out = tmp_path / "c.yaml"
    arguments = [
        "--bootstrap",
        kafka_server.bootstrap,
        "--topic",
        "doctor-cpu",
        "--seconds",
        "20",
        "--out",
        str(out),
        "--output",
        "json",
    ]
    assert main(["doctor", *arguments]) == 0
    (topic,) = orjson.loads(capsys.readouterr().out)["topics"]
    assert topic["findings"] == []
    assert topic["records"] == 400
    assert [(kind["like"], kind["share"]) for kind in topic["kinds"]] == [("telegraf-influx", 1.0)]
    assert main(["check", str(out)]) == 0
    groups = AdminClient({"bootstrap.servers": kafka_server.bootstrap}).list_consumer_groups().result(30).valid
    assert [group.group_id for group in groups if "doctor" in group.group_id] == []
