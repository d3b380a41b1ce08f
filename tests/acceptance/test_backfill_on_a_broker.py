"""The daemon's first start on a topic that already holds a day: it learns it in silence, and judges from the next record on."""

from __future__ import annotations

import random
import time
from collections.abc import Iterator
from pathlib import Path

import orjson
import pytest

from connectors.broker.embedded import CLIENT, EmbeddedBroker
from connectors.publishers.kafka import KafkaPublisher
from connectors.sources.tail import Progress, read_all
from connectors.topics import own_topics
from engine.config import Config
from engine.config.tree import Format, Kafka, Mapping, Source, State
from engine.records import GOES_ON, Alert, AlertState, Record, Topic, decode_alerts_message
from engine.wiring.daemon import build_process, build_telemetry

START = 1_772_409_600
PAST, AFTER = 1500, 30
"""Minutes."""
PATIENCE_SECONDS = 60.0
MAPPING = Mapping(time="ts", time_unit="s", name="=latency", values="value", labels="labels")
SOURCE = Source(name="shop", topics=["shop"], format=Format.JSON, mapping=MAPPING)


def minutes(first: int, count: int, fault: range) -> Iterator[Record]:
    chance = random.Random(first)
    for minute in range(first, first + count):
        value = chance.gauss(20.0, 1.0) * (4.0 if minute in fault else 1.0)
        at = START + 60 * minute
        body = {"ts": at, "value": round(value, 6), "labels": {"service": "cart"}}
        yield Record("shop", 0, minute, at * 10**9, b"cart", orjson.dumps(body))


@pytest.fixture(name="kafka")
def _kafka() -> Iterator[Kafka]:
    with EmbeddedBroker() as broker:
        kafka = Kafka(bootstrap=broker.bootstrap, client=dict(CLIENT), commit_interval=0.1)
        broker.create_topic("shop")
        for plan in own_topics(kafka):
            broker.create_topic(plan.name, plan.partitions)
        yield kafka


def produce(kafka: Kafka, records: Iterator[Record]) -> None:
    publisher = KafkaPublisher(kafka)
    for record in records:
        publisher.send_record(record)
    publisher.flush(10)
    publisher.close()


def detect(kafka: Kafka, folder: Path) -> list[Alert]:
    """Start the daemon on what is there, let half an hour with a fault follow, and read what it told."""
    produce(kafka, minutes(0, PAST, fault=range(900, 930)))
    config = Config(kafka=kafka, sources=[SOURCE], state=State(path=str(folder)))
    process = build_process(config, ["detect"], build_telemetry(config))
    progress = Progress(kafka, f"{kafka.group_prefix}-detect", ["shop"])
    process.start()
    caught_up(process, progress)
    produce(kafka, minutes(PAST, AFTER, fault=range(PAST + 10, PAST + AFTER)))
    caught_up(process, progress)
    progress.close()
    assert process.stop() == 0
    told = (decode_alerts_message(record.value or b"") for record in read_all(kafka, f"{kafka.topic_prefix}{Topic.ALERTS}"))
    return [message for message in told if isinstance(message, Alert) and message.reason not in GOES_ON]


def caught_up(process, progress) -> None:
    end = time.monotonic() + PATIENCE_SECONDS
    while progress.missing(progress.ends()):
        process.check()
        assert time.monotonic() < end, "it does not catch up"
        time.sleep(0.05)


def test_a_day_of_the_past_is_learned_in_silence_and_a_fault_right_after_it_is_told(kafka: Kafka, tmp_path: Path) -> None:
    told = detect(kafka.model_copy(update={"backfill": 7 * 86_400.0}), tmp_path)
    assert [alert.state for alert in told] == [AlertState.FIRING]
    assert told[0].ts_ns >= (START + 60 * (PAST + 10)) * 10**9, "the fault of the past is nobody's news"


def test_without_it_the_first_hour_is_spent_learning(kafka: Kafka, tmp_path: Path) -> None:
    assert detect(kafka, tmp_path) == []
