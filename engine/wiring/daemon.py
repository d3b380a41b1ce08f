"""The daemon: a runner over Kafka for each stage, the admin port, the metrics."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final, TextIO

from connectors.admin.server import AdminServer
from connectors.kafka_client import topic_name
from connectors.publishers.kafka import KafkaPublisher
from connectors.sinks import build_sink
from connectors.sources.aligned import Aligned
from connectors.sources.kafka import KafkaSource
from connectors.stores.folder import FolderStore
from engine import __version__
from engine.clock import SystemClock
from engine.config import Config
from engine.config.tree import AnySink
from engine.deliver.stage import DeliverMachine
from engine.logs import get_logger
from engine.ports import Machine, MachineFactory, Source
from engine.process import Process
from engine.records import Shard, Topic
from engine.runner import Runner, RunnerOptions
from engine.telemetry import Telemetry
from engine.wiring.machines import kernel_ids, machine_factories, warm_up

STAGES: Final = ("detect", "correlate", "respond", "deliver")


def build_process(config: Config, stages: Sequence[str], telemetry: Telemetry, *, console: TextIO = sys.stdout) -> Process:
    """Every runner of the wanted stages over Kafka. Raises Unreachable when the broker does not answer."""
    if "detect" in stages:
        warm_up(config)
    clock = SystemClock()
    factories = machine_factories(config)
    ids = kernel_ids(config)
    reads = {
        "detect": [topic for source in config.sources for topic in source.topics],
        "correlate": [topic_name(config.kafka, Topic.ALERTS)],
        "respond": [topic_name(config.kafka, Topic.INCIDENTS)],
    }
    runners = [
        _runner(config, stage, stage, reads[stage], factories[stage], ids[stage], telemetry, clock)
        for stage in stages
        if stage != "deliver"
    ]
    if "deliver" in stages:
        runners.extend(_deliver(config, sink, ids["deliver"], telemetry, clock, console) for sink in config.deliver.sinks)
    return Process(runners, clock)


def _runner(
    config: Config,
    stage: str,
    name: str,
    topics: list[str],
    factory: MachineFactory,
    kernel_id: str,
    telemetry: Telemetry,
    clock: SystemClock,
) -> Runner:
    source: Source = KafkaSource(topics, group=f"{config.kafka.group_prefix}-{name}", kafka=config.kafka)
    if stage == "detect":
        source = Aligned(source, clock)
    start = config.kafka.start if stage == "detect" else "earliest"
    options = RunnerOptions(
        kernel_id=kernel_id,
        start=start,
        commit_interval_s=config.kafka.commit_interval,
        snapshot_interval_s=config.state.snapshot_interval,
    )
    store = FolderStore(Path(config.state.path) / name, keep=config.state.keep)
    return Runner(
        name,
        source,
        KafkaPublisher(config.kafka),
        store,
        factory,
        options,
        observe=telemetry.publish,
        log=get_logger("runner"),
        clock=clock,
    )


def _deliver(config: Config, about: AnySink, kernel_id: str, telemetry: Telemetry, clock: SystemClock, console: TextIO) -> Runner:
    sink = build_sink(about, console=console, kafka=lambda: KafkaPublisher(config.kafka))

    def deliver(shard: Shard) -> Machine:
        return DeliverMachine(shard, sink=sink, config=config.deliver, clock=clock)

    topics = [topic_name(config.kafka, Topic.INCIDENTS)]
    return _runner(config, "deliver", f"deliver-{about.name}", topics, deliver, kernel_id, telemetry, clock)


def build_admin(config: Config, telemetry: Telemetry, process: Process) -> AdminServer:
    """The admin port over a process."""
    return AdminServer(config.admin.host, config.admin.port, telemetry.registry, process)


def build_telemetry(config: Config) -> Telemetry:
    """Metrics of this process."""
    return Telemetry(version=__version__, kernel_id=kernel_ids(config)["detect"])
