"""A producer without keys on several partitions, through the daemon's own stages: each series is judged whole, and repeats change nothing."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import orjson
import pytest

from connectors.broker.embedded import CLIENT, EmbeddedBroker
from connectors.publishers.kafka import KafkaPublisher
from connectors.sources.tail import Progress, read_all
from connectors.topics import own_topics, rekeyed_topics
from engine.config import Config
from engine.config.tree import Detect, Format, Kafka, Mapping, Source, State
from engine.process import Process
from engine.records import Alert, Record, Topic, decode_alerts_message
from engine.wiring.daemon import build_process, build_telemetry

START = 1_772_409_600
MINUTES = 180
SERVICES = ("cart", "checkout", "search", "payment", "catalog")
PATIENCE_SECONDS = 120.0
MAPPING = Mapping(records=".", time="ts", time_unit="s", name="=latency", values="value", labels="labels")
SOURCE = Source(name="shop", topics=["shop"], format=Format.JSON, mapping=MAPPING, rekey=2)


def batches() -> Iterator[Record]:
    """Each minute one message with the points of all services, on whichever partition; one of them jumps in the end."""
    chance = random.Random(7)
    offsets = [0, 0, 0]
    for minute in range(MINUTES):
        at = START + 60 * minute
        points = [
            {
                "ts": at,
                "value": round(chance.gauss(20.0, 1.0) * (5.0 if service == "payment" and minute >= MINUTES - 20 else 1.0), 6),
                "labels": {"service": service},
            }
            for service in SERVICES
        ]
        partition = chance.randrange(3)
        yield Record("shop", partition, offsets[partition], at * 10**9, None, orjson.dumps(points))
        offsets[partition] += 1


@pytest.fixture(name="config")
def _config(tmp_path: Path) -> Iterator[Config]:
    with EmbeddedBroker() as broker:
        kafka = Kafka(bootstrap=broker.bootstrap, client=dict(CLIENT), commit_interval=0.1, start="earliest")
        broker.create_topic("shop", 3)
        for plan in (*own_topics(kafka), *rekeyed_topics(kafka, [SOURCE])):
            broker.create_topic(plan.name, plan.partitions)
        yield Config(kafka=kafka, sources=[SOURCE], state=State(path=str(tmp_path)), detect=Detect(warm_up=3600.0))


def produce(kafka: Kafka) -> None:
    publisher = KafkaPublisher(kafka)
    for record in batches():
        publisher.send_record(record)
    publisher.flush(10)
    publisher.close()


def through(config: Config, *stages: str, while_it_runs: Callable[[], None] = lambda: None) -> None:
    """Run stages until each has read all that there is."""
    process = build_process(config, stages, build_telemetry(config))
    process.start()
    while_it_runs()
    reads = {"rekey": ["shop"], "detect": ["foreshock.rekeyed.shop"]}
    for stage in stages:
        caught_up(process, config.kafka, f"{config.kafka.group_prefix}-{stage}", reads[stage])
    assert process.stop() == 0


def caught_up(process: Process, kafka: Kafka, group: str, topics: list[str]) -> None:
    progress = Progress(kafka, group, topics)
    end = time.monotonic() + PATIENCE_SECONDS
    while progress.missing(progress.ends()):
        process.check()
        assert time.monotonic() < end, "it does not catch up"
        time.sleep(0.05)
    progress.close()


def alerts(config: Config) -> list[Alert]:
    told = (decode_alerts_message(record.value or b"") for record in read_all(config.kafka, f"foreshock.{Topic.ALERTS}"))
    return [message for message in told if isinstance(message, Alert) and message.reason != "lease"]


def test_a_series_that_wanders_is_judged_whole_and_repeats_change_nothing(config: Config) -> None:
    produce(config.kafka)
    through(config, "rekey", "detect")
    told = alerts(config)
    assert {(alert.entity, alert.state) for alert in told} == {("payment", "firing")}
    carried = len(read_all(config.kafka, "foreshock.rekeyed.shop"))
    assert MINUTES < carried <= 2 * MINUTES

    again = config.model_copy(update={"kafka": config.kafka.model_copy(update={"group_prefix": "crashed"})})
    through(again, "rekey")  # as after a crash before any commit: everything once more
    assert len(read_all(config.kafka, "foreshock.rekeyed.shop")) == 2 * carried
    through(config, "detect")
    assert alerts(config) == told
