"""The whole engine in one process over an embedded broker, with what the demo needs to look at it from outside."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from connectors.broker.embedded import CLIENT
from connectors.kafka_client import topic_name
from connectors.sources.tail import Progress, follow
from engine.config import Config
from engine.config.load import load_config
from engine.config.shipped import shipped
from engine.errors import Unreachable
from engine.records import Action, Incident, Topic, decode_action, decode_incident
from engine.wiring.daemon import STAGES, build_admin, build_process, build_telemetry

_PAUSE_SECONDS = 0.1


def demo_configuration() -> Path:
    """The shop's configuration file."""
    return shipped("demo.yaml")


def embedded_settings() -> dict[str, str | int]:
    """Client settings that suit the embedded broker."""
    return dict(CLIENT)


def topic_partitions(configuration: Path) -> Mapping[str, int]:
    """Our own topics under that configuration, and how many partitions each has."""
    kafka = load_config(configuration, {}).kafka
    return {topic_name(kafka, topic): kafka.partitions.get(topic, 1) for topic in Topic}


class Engine:
    """Every stage as `foreshock run` runs them; started, watched and drained by the demo."""

    def __init__(self, config: Config) -> None:
        self._config = config
        self._telemetry = build_telemetry(config)
        self._process = build_process(config, STAGES, self._telemetry)
        self._admin = build_admin(config, self._telemetry, self._process)
        kafka = config.kafka
        reads = {
            "detect": [topic for source in config.sources for topic in source.topics],
            "correlate": [topic_name(kafka, Topic.ALERTS)],
            "respond": [topic_name(kafka, Topic.INCIDENTS)],
        }
        self._progress = {stage: Progress(kafka, f"{kafka.group_prefix}-{stage}", topics) for stage, topics in reads.items()}

    @property
    def admin_port(self) -> int:
        return self._admin.port

    def start(self) -> None:
        """Serve the admin port and start every stage; returns when all of them have their partitions."""
        self._admin.start()
        self._process.start()
        while not self._process.ready()[0]:
            self.check()
            time.sleep(_PAUSE_SECONDS)

    def check(self) -> None:
        """Raises ForeshockError when a stage has failed."""
        self._process.check()

    def stop(self) -> None:
        """End every stage in order, then the admin port."""
        self._process.stop()
        self._admin.stop()
        for progress in self._progress.values():
            progress.close()

    def lag(self) -> int:
        """Records of the input topics that have not been detected on and committed yet."""
        detect = self._progress["detect"]
        return detect.missing(detect.ends())

    def drain(self, deadline_seconds: float) -> None:
        """Wait until every stage, in the order of the flow, has committed what is there now.

        Raises Unreachable when that takes too long. What comes meanwhile is not waited for.
        """
        deadline = time.monotonic() + deadline_seconds
        for stage, progress in self._progress.items():
            ends = progress.ends()
            while progress.missing(ends):
                self.check()
                if time.monotonic() > deadline:
                    raise Unreachable(f"the {stage} stage has not caught up in time")
                time.sleep(_PAUSE_SECONDS)

    def follow(self, stop: threading.Event, incident: Callable[[Incident], None], action: Callable[[Action], None]) -> None:
        """Hand every incident and action over as it is published, until `stop` is set."""
        kafka = self._config.kafka
        incidents, actions = topic_name(kafka, Topic.INCIDENTS), topic_name(kafka, Topic.ACTIONS)
        for record in follow(kafka, [incidents, actions], stop):
            if record.value is None:
                continue
            if record.topic == incidents:
                incident(decode_incident(record.value))
            else:
                action(decode_action(record.value))
