"""The daemon: a runner over Kafka for each stage, the admin port, the metrics."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Final, NamedTuple, TextIO

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
from engine.config.topic_patterns import conflict
from engine.config.tree import AnySink
from engine.config.tree import Source as SourceBlock
from engine.deliver.stage import DeliverMachine
from engine.detect.rekey import rekeyed
from engine.logs import get_logger
from engine.ports import Clock, Machine, MachineFactory, Source
from engine.process import Process
from engine.records import Shard, Topic
from engine.runner import Runner, RunnerOptions
from engine.telemetry import Telemetry
from engine.wiring.machines import kernel_ids, machine_factories, rekey_factory, warm_up
from engine.wiring.schemas import Library

STAGES: Final = ("rekey", "detect", "correlate", "respond", "deliver")


class Job(NamedTuple):
    """What one runner is about: a stage (or one sink of it) over its topics. `close` ends what its machines share."""

    stage: str
    name: str
    topics: list[str]
    factory: MachineFactory
    kernel_id: str
    close: Callable[[], None] = lambda: None
    through: Callable[[Source], Source] = lambda source: source
    """What the stage reads its source through."""
    has_state: bool = True


def build_process(config: Config, stages: Sequence[str], telemetry: Telemetry, *, console: TextIO = sys.stdout) -> Process:
    """Every runner of the wanted stages over Kafka, kernels warm. Raises Unreachable when the broker does not answer."""
    if "detect" in stages:
        warm_up(config)
    clock = SystemClock()
    jobs = [job for job in _jobs(config, clock, console) if job.stage in stages]
    return Process([_runner(config, job, telemetry, clock) for job in jobs], clock, [job.close for job in jobs])


def _jobs(config: Config, clock: Clock, console: TextIO) -> list[Job]:
    """One for each stage, and for deliver one for each sink."""
    library = Library(config)
    factories, ids = machine_factories(config, library), kernel_ids(config)
    incidents = [topic_name(config.kafka, Topic.INCIDENTS)]
    reads = {
        "detect": [topic for source in config.sources for topic in _detected(config, source)],
        "correlate": [topic_name(config.kafka, Topic.ALERTS)],
        "respond": incidents,
    }
    jobs = [Job(stage, stage, topics, factories[stage], ids[stage]) for stage, topics in reads.items()]
    jobs[0] = jobs[0]._replace(close=library.close, through=lambda source: Aligned(library.through(source), clock))
    if any(source.rekey for source in config.sources):
        jobs.append(_rekey(config, clock))
    return [*jobs, *(_deliver(config, sink, ids["deliver"], clock, console) for sink in config.deliver.sinks)]


def _detected(config: Config, source: SourceBlock) -> list[str]:
    """The topics on which the detect stage reads a source: those of its producer, or our own of its records keyed anew."""
    return [topic_name(config.kafka, rekeyed(source.name))] if source.rekey else source.topics


def _rekey(config: Config, clock: Clock) -> Job:
    """Has no state: what was keyed anew is what was committed."""
    library = Library(config)
    topics = [topic for source in config.sources if source.rekey for topic in source.topics]
    return Job(
        "rekey",
        "rekey",
        topics,
        rekey_factory(config, library),
        "",
        library.close,
        lambda source: Aligned(library.through(source), clock),
        has_state=False,
    )


def _deliver(config: Config, about: AnySink, kernel_id: str, clock: Clock, console: TextIO) -> Job:
    sink = build_sink(about, console=console, kafka=lambda: KafkaPublisher(config.kafka))

    def deliver(shard: Shard) -> Machine:
        return DeliverMachine(shard, sink=sink, config=config.deliver, clock=clock)

    return Job("deliver", f"deliver-{about.name}", [topic_name(config.kafka, Topic.INCIDENTS)], deliver, kernel_id, sink.close)


def _runner(config: Config, job: Job, telemetry: Telemetry, clock: Clock) -> Runner:
    source: Source = KafkaSource(
        job.topics,
        group=f"{config.kafka.group_prefix}-{job.name}",
        kafka=config.kafka,
        refuse=partial(conflict, config.sources),
    )
    options = RunnerOptions(
        kernel_id=job.kernel_id,
        start=config.kafka.start if job.stage in ("rekey", "detect") else "earliest",
        backfill_seconds=config.kafka.backfill if job.stage == "detect" else 0.0,
        commit_interval_s=config.kafka.commit_interval,
        snapshot_interval_s=config.state.snapshot_interval,
    )
    return Runner(
        job.name,
        job.through(source),
        KafkaPublisher(config.kafka),
        FolderStore(Path(config.state.path) / job.name, keep=config.state.keep) if job.has_state else None,
        job.factory,
        options,
        observe=telemetry.publish,
        log=get_logger("runner"),
        clock=clock,
        forget=telemetry.forget,
    )


def build_admin(config: Config, telemetry: Telemetry, process: Process) -> AdminServer:
    """The admin port over a process."""
    return AdminServer(config.admin.host, config.admin.port, telemetry.registry, process)


def build_telemetry(config: Config) -> Telemetry:
    """Metrics of this process, which has just taken its configuration."""
    telemetry = Telemetry(version=__version__, kernel_id=kernel_ids(config)["detect"])
    telemetry.configuration_taken(ok=True)
    return telemetry
