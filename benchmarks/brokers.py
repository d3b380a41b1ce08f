"""The broker that benchmarks run on: a real Apache Kafka where Java and Maven are there, else the embedded one."""

from __future__ import annotations

import sys

from connectors.broker.embedded import EmbeddedBroker
from engine.records import Topic
from tests.integration.kafka_server import KafkaServer, NotHere

Broker = KafkaServer | EmbeddedBroker


def broker(*, embedded: bool) -> Broker:
    """With our own topics, of one partition each."""
    made = EmbeddedBroker() if embedded else _real() or EmbeddedBroker()
    for name in ("bench.alerts", *(f"foreshock.{topic}" for topic in Topic)):
        made.create_topic(name, 1)
    return made


def _real() -> KafkaServer | None:
    try:
        return KafkaServer()
    except NotHere as error:
        sys.stderr.write(f"{error}: on the embedded broker instead\n")
        return None
