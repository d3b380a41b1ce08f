"""Incidents as CloudEvents in Kafka's binary mode: the payload is the incident's JSON, the attributes are `ce_*` headers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

from connectors.sinks.cloudevents import attributes
from engine.config.tree import KafkaSink as Settings
from engine.errors import Permanent, Retry, Unreachable
from engine.records import Incident, encode

FLUSH_SECONDS = 10.0


class TopicWriter(Protocol):
    """What the sink needs of a Kafka producer."""

    def send(self, topic: str, key: bytes, value: bytes, headers: Sequence[tuple[str, bytes]] = ()) -> None:
        """Take one message for a topic by its physical name. Raises Unreachable when there is no room."""
        ...

    def flush(self, deadline_seconds: float) -> None:
        """Return when all is acknowledged; raise Unreachable when not by the deadline, Permanent when it never will be."""
        ...

    def close(self) -> None:
        """Let go of what is not acknowledged."""
        ...


class KafkaSink:
    """Key is the incident's id, so all revisions of one incident keep their order and a compacted topic keeps the last."""

    def __init__(self, settings: Settings, connect: Callable[[], TopicWriter]) -> None:
        self.name = settings.name
        self._topic = settings.topic
        self._connect = connect
        self._writer: TopicWriter | None = None

    def deliver(self, incident: Incident, attempt: int) -> None:  # noqa: ARG002 - ce_id tells a repeat
        """Returns when the broker has acknowledged it. Raises Retry when it does not answer, Permanent when it refuses."""
        if self._writer is None:
            self._writer = self._connect()
        headers = [(f"ce_{name}", text.encode()) for name, text in attributes(incident).items()]
        try:
            self._writer.send(
                self._topic, incident.id.encode(), encode(incident), [("content-type", b"application/json"), *headers]
            )
            self._writer.flush(FLUSH_SECONDS)
        except Unreachable as error:
            raise Retry(str(error)) from error
        except Permanent:
            # A producer remembers a refusal; the next incident gets a fresh one.
            self.close()
            raise

    def close(self) -> None:
        """Close the producer; a later delivery opens another."""
        if self._writer is not None:
            self._writer.close()
            self._writer = None
