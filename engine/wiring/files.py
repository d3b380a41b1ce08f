"""Files as logs, and the same logs through a broker."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from secrets import token_hex

from connectors.broker.embedded import CLIENT, EmbeddedBroker
from connectors.kafka_client import topic_name
from connectors.publishers.kafka import KafkaPublisher
from connectors.sources.aligned import Aligned
from connectors.sources.files import read_records, source_for, stem
from connectors.sources.kafka import KafkaSource
from connectors.sources.tail import read_all
from connectors.topics import TopicPlan, create_topics, own_topics
from engine.clock import SystemClock
from engine.config import Config
from engine.config.tree import Kafka, Source
from engine.errors import ForeshockError, UsageError
from engine.logs import get_logger
from engine.offline import Pipeline, in_time_order
from engine.records import Record, Shard, Topic
from engine.replay import Bounded, Logs, Results, refuse_half_a_log
from engine.replay import through_memory as run_in_memory
from engine.runner import Runner, RunnerOptions
from engine.wiring.machines import machine_factories, warm_up
from engine.wiring.schemas import Library

_SAMPLES_MIN = 8
_KEPT = {"retention.ms": "-1"}
"""Files are old, and records carry event times: a broker would drop them for their age."""
_ALONE = {"session.timeout.ms": 60_000}
"""The only member of its group has nobody to wait for; losing its shards on a busy machine would cost it its state."""


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
        logs[Shard(topic, partition)] = [_in_milliseconds(record) for record in read_records(path, topic, partition)]
    return config.model_copy(update={"sources": sources}), logs


def _in_milliseconds(record: Record) -> Record:
    """A topic keeps times to the millisecond; a file read without one must not know more."""
    return record._replace(ts_ns=record.ts_ns // 1_000_000 * 1_000_000)


def _topic_for(sources: Sequence[Source], path: Path) -> str:
    known = {topic for source in sources for topic in source.topics}
    return (
        stem(path) if stem(path) in known else f"replay{''.join(path.suffixes[-2:] if path.suffix == '.gz' else [path.suffix])}"
    )


def for_short_logs(config: Config, logs: Logs) -> Config:
    """The same configuration with a warm-up of at most a third of the longest log: a recorded fault is often all there is."""
    longest = max(logs.values(), key=len, default=())
    if not longest:
        return config
    span_seconds = (longest[-1].ts_ns - longest[0].ts_ns) / 1e9
    detect = config.detect
    shorter = {
        "warm_up": min(detect.warm_up, span_seconds / 3),
        "samples_min": min(detect.samples_min, max(_SAMPLES_MIN, len(longest) // 3)),
    }
    return config.model_copy(update={"detect": detect.model_copy(update=shorter)})


# ------------------------------------------------------------------------------------------------------ through a broker
def through_memory(config: Config, logs: Logs) -> Results:
    """Every stage in this thread, no broker."""
    library = Library(config)
    library.fetch(record for records in logs.values() for record in records)
    return run_in_memory(machine_factories(config, library), logs, config.kafka.topic_prefix)


def through_kafka(config: Config, logs: Logs, address: str) -> Results:
    """The same records over a broker: written to its topics, read back and scored by the daemon's runner.

    `address` is HOST:PORT, or `embedded` for a broker in this process. Our topics get a prefix of their own for this run.
    Raises UsageError when an input topic already holds something or cannot hold it all, Unreachable when the broker does not
    answer.
    """
    warm_up(config)
    with ExitStack() as stack:
        inputs = _partition_counts(logs)
        kafka = _broker(stack, config.kafka, address, inputs)
        config = config.model_copy(update={"kafka": kafka})
        _produce(kafka, logs)
        _detect(config, inputs, {shard: len(records) for shard, records in logs.items()})
        results = Results()
        results.records = sum(map(len, logs.values()))
        pipeline = Pipeline(machine_factories(config), tap=results.tap, observe=results.observe, topic_prefix=kafka.topic_prefix)
        for topic in (Topic.ALERTS, Topic.DEAD_LETTERS):
            pipeline.relay(topic, _whole(read_all(kafka, topic_name(kafka, topic))))
        pipeline.finish()
        return results


def _whole(records: list[Record]) -> list[Record]:
    """The same; raises UsageError when they do not begin at the beginning."""
    for record in records[:1]:
        refuse_half_a_log(Shard(record.topic, record.partition), record.offset)
    return records


def _broker(stack: ExitStack, kafka: Kafka, address: str, inputs: Mapping[str, int]) -> Kafka:
    """A broker with all topics made, and the configuration that reaches it. One machine reads each of ours: one partition each."""
    ours = {"start": "earliest", "topic_prefix": f"{kafka.topic_prefix}{token_hex(4)}.", "partitions": {}}
    kafka = kafka.model_copy(update=ours)
    plans = own_topics(kafka)
    if address == "embedded":
        broker = stack.enter_context(EmbeddedBroker())
        for name, partitions in (*((p.name, p.partitions) for p in plans), *inputs.items()):
            broker.create_topic(name, partitions)
        return kafka.model_copy(update={"bootstrap": broker.bootstrap, "client": {**CLIENT, **_ALONE, **kafka.client}})
    kafka = kafka.model_copy(update={"bootstrap": address})
    made = create_topics(kafka, [*plans, *(TopicPlan(name, partitions, _KEPT) for name, partitions in inputs.items())])
    used = [name for name in inputs if name not in made and read_all(kafka, name)]
    if used:
        raise UsageError(
            f"topics that should be empty are not: {', '.join(used)}", "Use a broker without them, or rename the files."
        )
    return kafka


def _partition_counts(logs: Logs) -> dict[str, int]:
    counts: dict[str, int] = {}
    for shard in logs:
        counts[shard.topic] = max(counts.get(shard.topic, 0), shard.partition + 1)
    return counts


def _produce(kafka: Kafka, logs: Logs) -> None:
    publisher = KafkaPublisher(kafka)
    for record in in_time_order(logs.values()):
        publisher.send_record(record)
    publisher.flush(60.0)
    publisher.close()


def _detect(config: Config, inputs: Mapping[str, int], ends: Mapping[Shard, int]) -> None:
    """The daemon's runner over the input topics, until their ends."""
    kafka, clock, library = config.kafka, SystemClock(), Library(config)
    source = library.through(KafkaSource(list(inputs), group=f"{kafka.topic_prefix}detect", kafka=kafka))
    runner = Runner(
        "detect",
        Bounded(Aligned(source, clock), ends),
        KafkaPublisher(kafka),
        None,
        machine_factories(config, library)["detect"],
        RunnerOptions(start="earliest"),
        observe=lambda _stats: None,
        log=get_logger("replay"),
        clock=clock,
    )
    code = runner.run(threading.Event())
    if code:
        raise ForeshockError(runner.health.ended)
