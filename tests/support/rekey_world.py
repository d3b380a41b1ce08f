"""A producer without keys on several partitions, and the stages of the daemon over it, on any broker."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator

import orjson

from connectors.kafka_client import topic_name
from connectors.publishers.kafka import KafkaPublisher
from connectors.sources.tail import Progress, read_all
from engine.config import Config
from engine.config.tree import Format, Kafka, Mapping, Source
from engine.errors import Unreachable
from engine.process import Process
from engine.records import GOES_ON, Alert, Record, Topic, decode_alerts_message
from engine.wiring.daemon import build_process, build_telemetry

START = 1_772_409_600
MINUTES = 180
PARTITIONS = 3
SERVICES = ("cart", "checkout", "search", "payment", "catalog")
PATIENCE_SECONDS = 120.0
MAPPING = Mapping(records=".", time="ts", time_unit="s", name="=latency", values="value", labels="labels")
SOURCE = Source(name="shop", topics=["shop"], format=Format.JSON, mapping=MAPPING, rekey=2)


def batches(topic: str) -> Iterator[Record]:
    """Each minute one message with the points of all services, on whichever partition; one of them jumps in the end."""
    chance = random.Random(7)
    offsets = [0] * PARTITIONS
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
        partition = chance.randrange(PARTITIONS)
        yield Record(topic, partition, offsets[partition], at * 10**9, None, orjson.dumps(points))
        offsets[partition] += 1


def produce(kafka: Kafka, topic: str) -> None:
    publisher = KafkaPublisher(kafka)
    for record in batches(topic):
        publisher.send_record(record)
    publisher.flush(10)
    publisher.close()


def through(config: Config, *stages: str, while_it_runs: Callable[[], None] = lambda: None) -> None:
    """Run stages until each has read all that there is."""
    process = build_process(config, stages, build_telemetry(config))
    process.start()
    while_it_runs()
    reads = {"rekey": config.sources[0].topics, "detect": [carried_topic(config)]}
    for stage in stages:
        caught_up(process, config.kafka, f"{config.kafka.group_prefix}-{stage}", reads[stage])
    assert process.stop() == 0


def caught_up(process: Process, kafka: Kafka, group: str, topics: list[str]) -> None:
    progress = Progress(kafka, group, topics)
    end = time.monotonic() + PATIENCE_SECONDS
    while has_more(progress):
        process.check()
        assert time.monotonic() < end, "it does not catch up"
        time.sleep(0.05)
    progress.close()


def has_more(progress: Progress) -> bool:
    """Whether the group has records before it; a broker that does not know yet who answers for the group does not say."""
    try:
        return progress.missing(progress.ends()) > 0
    except Unreachable:
        return True


def carried_topic(config: Config) -> str:
    """The topic of our own."""
    return topic_name(config.kafka, f"rekeyed.{config.sources[0].name}")


def alerts(config: Config) -> list[Alert]:
    told = (
        decode_alerts_message(record.value or b"") for record in read_all(config.kafka, topic_name(config.kafka, Topic.ALERTS))
    )
    return [message for message in told if isinstance(message, Alert) and message.reason not in GOES_ON]


def judged_whole(config: Config) -> None:
    """Each series is judged whole although it wanders, and what a crash repeats changes nothing."""
    produce(config.kafka, config.sources[0].topics[0])
    through(config, "rekey", "detect")
    told = alerts(config)
    assert {(alert.entity, alert.state) for alert in told} == {("payment", "firing")}
    carried = len(read_all(config.kafka, carried_topic(config)))
    assert MINUTES < carried <= 2 * MINUTES

    again = config.model_copy(
        update={"kafka": config.kafka.model_copy(update={"group_prefix": f"{config.kafka.group_prefix}-crashed"})}
    )
    through(again, "rekey")  # as after a crash before any commit: everything once more
    assert len(read_all(config.kafka, carried_topic(config))) == 2 * carried
    through(config, "detect")
    assert alerts(config) == told
