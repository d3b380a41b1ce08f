"""The detect stage on a topic, with an ear at the machine: the records it took, what its codec made of them, and what was scored."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from kafka_laws import until
from kafka_server import PROJECT, KafkaServer
from log_world import Told

from connectors.publishers.kafka import KafkaPublisher
from connectors.sources.kafka import KafkaSource
from connectors.sources.tail import Progress
from connectors.stores.folder import FolderStore
from connectors.topics import create_topics, own_topics
from engine.clock import SystemClock
from engine.config import Config
from engine.config.load import load_config
from engine.config.tree import Kafka, Source
from engine.detect.stage import DetectMachine
from engine.metrics import Metric
from engine.ports import Catalog, Codec, StepStats
from engine.records import Decoded, Distribution, Event, Record, Rejected, Shard, Span
from engine.runner import Runner, RunnerOptions
from engine.wiring.machines import machine_factories, warm_up


class Line(NamedTuple):
    labels: dict[str, str]  # of its stream
    severity: int
    ts_ns: int
    text: str


class Sample(NamedTuple):
    name: str
    labels: dict[str, str]
    ts_ns: int
    value: float


@dataclass
class Heard:
    """What went through one stage, in the order of each partition."""

    records: list[Record] = field(default_factory=list)
    lines: list[Line] = field(default_factory=list)
    samples: list[Sample] = field(default_factory=list)
    events: list[Event] = field(default_factory=list)
    spans: list[Span] = field(default_factory=list)
    distributions: list[Distribution] = field(default_factory=list)
    rejected: list[Rejected] = field(default_factory=list)
    scored: list[Sample] = field(default_factory=list)
    counts: Counter[tuple[str, ...]] = field(default_factory=Counter)

    def count(self, metric: Metric, *labels: str) -> int:
        """What a counter of the engine stands at: of these labels, or of all when none is given."""
        return int(sum(n for (name, *rest), n in self.counts.items() if name == metric and (not labels or tuple(rest) == labels)))

    def values(self, name: str, scored: bool = False, **labels: str) -> list[float]:
        """The values of the one series of that name that has these labels among others, by time."""
        found = [s for s in (self.scored if scored else self.samples) if s.name == name and labels.items() <= s.labels.items()]
        assert len({tuple(sorted(s.labels.items())) for s in found}) <= 1, f"{name} with {labels} is more than one series"
        return [sample.value for sample in sorted(found, key=lambda s: s.ts_ns)]


class Ear:
    """Implements ports.Codec: another codec, whose results are remembered."""

    def __init__(self, codec: Codec, heard: Heard) -> None:
        self._codec = codec
        self._heard = heard

    def decode(self, records: Sequence[Record], catalog: Catalog) -> Decoded:
        decoded = self._codec.decode(records, catalog)
        heard, lines, samples = self._heard, decoded.lines, decoded.samples
        heard.records += records
        for key, ts_ns, severity, text in zip(lines.key, lines.ts_ns.tolist(), lines.severity.tolist(), lines.text, strict=True):
            heard.lines.append(Line(dict(catalog.describe(key).labels), severity, ts_ns, text.decode()))
        for key, ts_ns, value in zip(samples.key, samples.ts_ns.tolist(), samples.value.tolist(), strict=True):
            series = catalog.describe(key)
            heard.samples.append(Sample(series.name, dict(series.labels), ts_ns, value))
        heard.events += decoded.events
        heard.spans += decoded.spans
        heard.distributions += decoded.distributions
        heard.rejected += decoded.rejected
        return decoded


def listen_to(machine: DetectMachine, heard: Heard) -> None:
    """Put an ear behind the codec of a machine, and one before its models."""
    machine._intake._codec = Ear(machine._intake._codec, heard)
    watch: Any = machine._watch
    score = watch._score

    def listened(points: Any, step: Any) -> None:
        for slot, ts_ns, value in zip(points.slot.tolist(), points.ts_ns.tolist(), points.value.tolist(), strict=True):
            series = watch.table.at(slot)
            heard.scored.append(Sample(series.name, dict(series.labels), ts_ns, value))
        score(points, step)

    watch._score = listened


def block(name: str, topic: str, **changes: object) -> Source:
    """The block of `configs/formats.yaml` that is made for a producer, on a topic of the test."""
    (found,) = (source for source in load_config(PROJECT / "configs" / "formats.yaml", {}).sources if source.name == name)
    return found.model_copy(update={"topics": [topic], **changes})


def hear(server: KafkaServer, source: Source, folder: Path) -> Heard:
    """Run the detect stage from the beginning of a topic to where it ends now, as `foreshock run --stage detect` does."""
    (topic,) = source.topics
    kafka = Kafka(
        bootstrap=server.bootstrap, topic_prefix=f"{topic}.", group_prefix=topic, client=dict(server.client), start="earliest"
    )
    create_topics(kafka, own_topics(kafka))
    heard = Heard()
    config = Config(kafka=kafka, sources=[source])
    warm_up(config)
    build = machine_factories(config)["detect"]

    def factory(shard: Shard) -> DetectMachine:
        machine = build(shard)
        assert isinstance(machine, DetectMachine)
        listen_to(machine, heard)
        return machine

    def observe(stats: StepStats) -> None:
        for (metric, labels), amount in stats.counts.items():
            heard.counts[str(metric), *labels] += int(amount)

    runner = Runner(
        "detect",
        KafkaSource([topic], group=f"{topic}-detect", kafka=kafka),
        KafkaPublisher(kafka),
        FolderStore(folder / topic),
        factory,
        RunnerOptions(start="earliest", poll_seconds=0.05, commit_interval_s=0.0),
        observe=observe,
        log=Told(),
        clock=SystemClock(),
    )
    progress = Progress(kafka, f"{topic}-detect", [topic])
    ends = progress.ends()
    until(lambda: progress.missing(ends) == 0, runner.step_once)
    progress.close()
    runner._finish()  # no more will come: what is held back is scored too
    runner.drain()
    runner._close()
    return heard


class Topics:
    """How much is on topics, while a producer works."""

    def __init__(self, server: KafkaServer, *names: str, partitions: int = 1) -> None:
        self.names = names
        for name in names:
            server.create_topic(name, partitions)
        self._progress = Progress(Kafka(bootstrap=server.bootstrap), "nobody", names)

    def sizes(self) -> Counter[str]:
        """Records on each."""
        found: Counter[str] = Counter()
        for shard, end in self._progress.ends().items():
            found[shard.topic] += end
        return found

    def hold(self, count: int) -> bool:
        """Whether each of them has so many, or more."""
        self.seen = self.sizes()
        return all(self.seen[name] >= count for name in self.names)

    def close(self) -> None:
        self._progress.close()
