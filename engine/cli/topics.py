"""`foreshock topics`: which topics the configuration needs, which are missing, and making our own."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from connectors.topics import TopicPlan, create_topics, missing_topics, own_topics, rekeyed_topics
from engine.cli.output import Format, Output, echo_json
from engine.config.load import load_config

FINDINGS = 3


def topics(
    config: Annotated[Path, typer.Option("--config", "-c", help="configuration file")],
    create: Annotated[bool, typer.Option("--create", help="make those of our own topics that are missing")] = False,
    replication: Annotated[int, typer.Option(min=-1, help="copies of each new topic; -1 leaves it to the broker")] = -1,
    output: Output = Format.TABLE,
) -> None:
    """Check the topics on the broker, and make our own."""
    settings = load_config(config, os.environ)
    ours = [*own_topics(settings.kafka), *rekeyed_topics(settings.kafka, settings.sources)]
    made = create_topics(settings.kafka, ours, replication) if create else []
    inputs = [TopicPlan(topic, 1, {}) for source in settings.sources for topic in source.topics]
    missing = missing_topics(settings.kafka, [*inputs, *ours])
    if output is Format.JSON:
        echo_json({"made": made, "missing": missing, "own": [{"name": p.name, "partitions": p.partitions} for p in ours]})
    else:
        lines = [*(f"made {name}" for name in made), *missing] or ["every topic is there"]
        typer.echo("\n".join(lines))
    if missing:
        raise typer.Exit(FINDINGS)
