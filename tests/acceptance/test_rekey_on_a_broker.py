"""A producer without keys on several partitions, through the daemon's own stages."""

from __future__ import annotations

from pathlib import Path

from rekey_world import PARTITIONS, SOURCE, judged_whole

from connectors.broker.embedded import CLIENT, EmbeddedBroker
from connectors.topics import own_topics, rekeyed_topics
from engine.config import Config
from engine.config.tree import Detect, Kafka, State


def test_a_series_that_wanders_is_judged_whole_and_repeats_change_nothing(tmp_path: Path) -> None:
    with EmbeddedBroker() as broker:
        kafka = Kafka(bootstrap=broker.bootstrap, client=dict(CLIENT), commit_interval=0.1, start="earliest")
        broker.create_topic("shop", PARTITIONS)
        for plan in (*own_topics(kafka), *rekeyed_topics(kafka, [SOURCE])):
            broker.create_topic(plan.name, plan.partitions)
        judged_whole(Config(kafka=kafka, sources=[SOURCE], state=State(path=str(tmp_path)), detect=Detect(warm_up=3600.0)))
