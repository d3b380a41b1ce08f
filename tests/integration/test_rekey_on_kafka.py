"""Records keyed anew on a real Apache Kafka."""

from __future__ import annotations

from pathlib import Path

import pytest
from kafka_server import KafkaServer
from rekey_world import PARTITIONS, SOURCE, judged_whole

from connectors.topics import create_topics, own_topics, rekeyed_topics
from engine.config import Config
from engine.config.tree import Detect, Kafka, State

pytestmark = pytest.mark.kafka


def test_a_series_that_wanders_is_judged_whole_and_repeats_change_nothing(kafka_server: KafkaServer, tmp_path: Path) -> None:
    source = SOURCE.model_copy(update={"topics": ["wandering"], "name": "wandering"})
    kafka = Kafka(
        bootstrap=kafka_server.bootstrap,
        client=dict(kafka_server.client),
        commit_interval=0.1,
        start="earliest",
        group_prefix="rekey-test",
        topic_prefix="rekey-test.",
    )
    kafka_server.create_topic("wandering", PARTITIONS)
    create_topics(kafka, [*own_topics(kafka), *rekeyed_topics(kafka, [source])])
    judged_whole(Config(kafka=kafka, sources=[source], state=State(path=str(tmp_path)), detect=Detect(warm_up=3600.0)))
