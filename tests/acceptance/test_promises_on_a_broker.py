"""The daemon tells that a promise burns on the topic that its correlate stage reads: once, passed over by the stage itself, and not again after a restart."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from connectors.broker.embedded import CLIENT, EmbeddedBroker
from connectors.publishers.kafka import KafkaPublisher
from connectors.sources.tail import Progress, read_all
from connectors.topics import own_topics
from engine.config import Config
from engine.config.load import parse_config
from engine.config.tree import Kafka, State
from engine.records import Alert, AlertState, AnomalyKind, Record, Topic, decode_alerts_message, decode_incident
from engine.wiring.daemon import build_process, build_telemetry

START = 1_772_409_600
MINUTES, FAILS = 200, 170
PATIENCE_SECONDS = 60.0
CONFIG = b"""
sources:
  - {name: requests, topics: [requests], format: influx, counters: ["http_requests_total*"]}
slos:
  - name: payment-answers
    entity: payment
    objective: 0.999
    total: 'http_requests_total.value{service="payment"}'
    errors: 'http_requests_total.value{service="payment",code=~"5.."}'
"""


def counted() -> Iterator[Record]:
    """A fifth of the requests fails from `FAILS` on."""
    good = bad = 0
    for minute in range(MINUTES):
        failed = 200 if minute >= FAILS else 0
        good, bad = good + 1000 - failed, bad + failed
        lines = "\n".join(
            f"http_requests_total,service=payment,code={code} value={count} {START + 60 * minute}000000000"
            for code, count in (("200", good), ("503", bad))
        )
        yield Record("requests", 0, minute, (START + 60 * minute) * 10**9, b"payment", lines.encode())


@pytest.fixture(name="kafka")
def _kafka() -> Iterator[Kafka]:
    with EmbeddedBroker() as broker:
        kafka = Kafka(bootstrap=broker.bootstrap, client=dict(CLIENT), commit_interval=0.1, start="earliest")
        broker.create_topic("requests")
        for plan in own_topics(kafka):
            broker.create_topic(plan.name, plan.partitions)
        publisher = KafkaPublisher(kafka)
        for record in counted():
            publisher.send_record(record)
        publisher.flush(10)
        publisher.close()
        yield kafka


def run_until_caught_up(config: Config) -> None:
    """The stages detect and correlate, from their start until both have read all there is, what they wrote themselves too."""
    process = build_process(config, ["detect", "correlate"], build_telemetry(config))
    prefix = config.kafka.group_prefix
    read = {"detect": "requests", "correlate": f"{config.kafka.topic_prefix}{Topic.ALERTS}"}
    process.start()
    for stage, topic in read.items():
        progress = Progress(config.kafka, f"{prefix}-{stage}", [topic])
        end = time.monotonic() + PATIENCE_SECONDS
        while progress.missing(progress.ends()):
            process.check()
            assert time.monotonic() < end, f"{stage} does not catch up"
            time.sleep(0.05)
        progress.close()
    assert process.stop() == 0


def told(kafka: Kafka) -> tuple[list[Alert], list[str]]:
    """The alerts of promises, and the ids of incidents that have one."""
    read = {topic: read_all(kafka, f"{kafka.topic_prefix}{topic}") for topic in (Topic.ALERTS, Topic.INCIDENTS)}
    said = (decode_alerts_message(record.value or b"") for record in read[Topic.ALERTS])
    incidents = [decode_incident(record.value) for record in read[Topic.INCIDENTS] if record.value]
    with_burns = [i.id for i in incidents if any(m.kind is AnomalyKind.SLO_BURN for m in i.members)]
    return [a for a in said if isinstance(a, Alert) and a.kind is AnomalyKind.SLO_BURN], with_burns


def test_a_burn_is_told_where_all_alerts_are_and_makes_one_incident_and_a_restart_repeats_nothing(
    kafka: Kafka, tmp_path: Path
) -> None:
    config = parse_config(CONFIG, {}).model_copy(update={"kafka": kafka, "state": State(path=str(tmp_path))})
    run_until_caught_up(config)
    burns, incidents = told(kafka)
    assert [a.state for a in burns] == [AlertState.FIRING] * len(burns)
    assert burns
    assert {a.stamp.topic for a in burns} == {f"{kafka.topic_prefix}{Topic.ALERTS}"}
    assert abs(burns[0].onset_ts_ns / 1e9 - (START + 60 * FAILS)) <= 120
    assert len(set(incidents)) == 1
    run_until_caught_up(config)
    assert told(kafka) == (burns, incidents)
