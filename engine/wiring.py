"""Builds what runs: the only place that knows both the domain and the connectors. No logic beyond putting parts together."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final, TextIO

from connectors.admin.server import AdminServer
from connectors.codecs import build_codec
from connectors.kafka_client import topic_name
from connectors.publishers.kafka import KafkaPublisher
from connectors.sinks import build_sink
from connectors.sources.files import read_records, source_for, stem
from connectors.sources.kafka import KafkaSource
from connectors.stores.folder import FolderStore
from engine import __version__
from engine.clock import SystemClock
from engine.config import Config
from engine.config.load import config_id
from engine.config.tree import AnySink, Source
from engine.correlate.stage import CorrelateMachine
from engine.deliver.stage import DeliverMachine
from engine.detect.bank import Bank
from engine.detect.catalog import SourceCatalog
from engine.detect.stage import DetectMachine
from engine.errors import UsageError
from engine.logs import get_logger
from engine.ports import Machine, MachineFactory
from engine.process import Process
from engine.records import Record, Shard, Topic, digest
from engine.respond.stage import RespondMachine
from engine.runner import Runner, RunnerOptions
from engine.telemetry import Telemetry

STAGES: Final = ("detect", "correlate", "respond", "deliver")


# ------------------------------------------------------------------------------------------------------ machines
def machine_factories(config: Config) -> dict[str, MachineFactory]:
    """How to build the machine of a shard, for every stage but deliver (which has one for each sink)."""
    inventory = inventory_of(config)

    def detect(shard: Shard) -> Machine:
        source = source_of(config, shard.topic)
        return DetectMachine(
            shard, codec=build_codec(source), catalog=SourceCatalog(source), source=source, config=config.detect
        )

    def correlate(shard: Shard) -> Machine:
        return CorrelateMachine(shard, config=config.correlate)

    def respond(shard: Shard) -> Machine:
        return RespondMachine(shard, config=config.respond, inventory=inventory)

    return {"detect": detect, "correlate": correlate, "respond": respond}


def source_of(config: Config, topic: str) -> Source:
    """The source that reads a topic; patterns begin with ^. Raises UsageError when there is none."""
    for source in config.sources:
        if topic in source.topics or any(p.startswith("^") and _matches(p, topic) for p in source.topics):
            return source
    raise UsageError(f"no source of the configuration reads the topic {topic}", "Add it to `topics` of a source.")


def _matches(pattern: str, topic: str) -> bool:
    import re2  # a user's pattern: never the backtracking engine

    return re2.fullmatch(pattern.removeprefix("^").removesuffix("$"), topic) is not None


def inventory_of(config: Config) -> frozenset[str]:
    """Entities that may be acted on: those listed, else those of the topology."""
    if config.respond.inventory:
        return frozenset(config.respond.inventory)
    pairs = (*config.correlate.topology, *config.correlate.runs_on)
    return frozenset(name for pair in pairs for name in pair)


def kernel_ids(config: Config) -> dict[str, str]:
    """For each stage, what a snapshot must have been written by to be restored."""
    rest = {
        stage: digest(stage, __version__, config_id(block))[:16]
        for stage, block in (("correlate", config.correlate), ("respond", config.respond), ("deliver", config.deliver))
    }
    return {"detect": digest("detect", Bank(config.detect).kernel_id, config_id(config.detect))[:16], **rest}


# ------------------------------------------------------------------------------------------------------ the daemon
def build_process(config: Config, stages: Sequence[str], telemetry: Telemetry, *, console: TextIO = sys.stdout) -> Process:
    """Every runner of the wanted stages over Kafka. Raises Unreachable when the broker does not answer."""
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
    source = KafkaSource(topics, group=f"{config.kafka.group_prefix}-{name}", kafka=config.kafka)
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


def _deliver(
    config: Config, about: AnySink, kernel_id: str, telemetry: Telemetry, clock: SystemClock, console: TextIO
) -> Runner:
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


# ------------------------------------------------------------------------------------------------------ files
def file_logs(config: Config, names: Sequence[str]) -> tuple[Config, Mapping[Shard, list[Record]]]:
    """Files as logs. `TOPIC=FILE` says which source reads a file; else its stem must be a topic, or its ending decides.

    Returns the configuration with a source for every file, and the records. Raises UsageError for a file nobody can read.
    """
    sources = list(config.sources)
    logs: dict[Shard, list[Record]] = {}
    for name in names:
        topic, _, file = name.rpartition("=")
        path = Path(file)
        topic = topic or _topic_for(sources, path)
        if not any(topic in source.topics for source in sources):
            sources.append(source_for(path, topic, name=f"file-{len(sources)}"))
        partition = sum(shard.topic == topic for shard in logs)
        logs[Shard(topic, partition)] = list(read_records(path, topic, partition))
    return config.model_copy(update={"sources": sources}), logs


def _topic_for(sources: Sequence[Source], path: Path) -> str:
    known = {topic for source in sources for topic in source.topics}
    return stem(path) if stem(path) in known else f"replay{''.join(path.suffixes[-2:] if path.suffix == '.gz' else [path.suffix])}"
