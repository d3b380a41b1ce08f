"""Receivers of incidents. To add one: a file here, a settings class in `engine.config.tree`, a line in SINKS.

A sink gets the latest revision of an incident, perhaps twice, and either takes it or raises Retry or Permanent. Waiting,
order, retries, the breaker and metrics are the deliver stage's business.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TextIO

from connectors.sinks.console import ConsoleSink
from connectors.sinks.jsonl import JsonLinesSink
from connectors.sinks.kafka import KafkaSink, TopicWriter
from connectors.sinks.webhook import WebhookSink
from engine.config import tree
from engine.errors import UsageError
from engine.ports import Sink

Connect = Callable[[], TopicWriter]


def _kafka(config: tree.KafkaSink, connect: Connect | None) -> Sink:
    if connect is None:
        raise UsageError(f"the sink `{config.name}` needs a broker, and there is none here")
    return KafkaSink(config, connect)


SINKS: dict[str, Callable[[Any, TextIO, Connect | None], Sink]] = {
    "console": lambda config, console, _connect: ConsoleSink(config, console),
    "jsonl": lambda config, _console, _connect: JsonLinesSink(config),
    "kafka": lambda config, _console, connect: _kafka(config, connect),
    "webhook": lambda config, _console, _connect: WebhookSink(config),
}


def build_sink(config: tree.AnySink, *, console: TextIO, kafka: Connect | None) -> Sink:
    """The sink that a configuration block describes. Opens nothing yet.

    `kafka` connects a producer, for the sink that needs one. Raises ConfigError for what only the sink can check, UsageError
    for a Kafka sink where there is no broker.
    """
    return SINKS[config.type](config, console, kafka)
