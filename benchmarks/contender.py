"""One contender of the pipeline benchmark, in a process of its own: `python -m benchmarks.contender NAME BOOTSTRAP TOPIC MESSAGES`.

`consume` is a bare loop over the client, the ceiling for anything in Python. `foreshock` is the daemon's whole detect stage:
decode, default detectors, alerts, stamps, commits, snapshots, metrics; `objects` is the same without `kafka.direct`, `live` without an
end. Prints one JSON line: messages, seconds from the first record to the last (for foreshock: to the last commit).
"""

from __future__ import annotations

import signal
import sys
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory

import orjson
from confluent_kafka import Consumer

from connectors.broker.embedded import CLIENT
from connectors.publishers.kafka import KafkaPublisher
from connectors.sources.kafka import KafkaSource
from connectors.stores.folder import FolderStore
from engine.clock import SystemClock
from engine.config import Config
from engine.config.tree import Format, Kafka, Source
from engine.config.tree import Mapping as Fields
from engine.errors import Unreachable
from engine.logs import get_logger
from engine.ports import Place, Polled
from engine.process import spare_collector
from engine.records import Shard
from engine.replay import Bounded
from engine.runner import Runner, RunnerOptions
from engine.wiring.daemon import build_telemetry
from engine.wiring.machines import machine_factories, warm_up


def configuration(bootstrap: str, topic: str, *, direct: bool = True) -> Config:
    """One source of flat JSON points; everything else as shipped, or without `kafka.direct`."""
    mapping = Fields(time="ts", time_unit="ms", name="name", values={"": "value"}, labels="labels")
    source = Source(name="bench", topics=[topic], format=Format.JSON, mapping=mapping, entity_labels=["host"])
    kafka = Kafka(
        bootstrap=bootstrap, client=dict(CLIENT), start="earliest", group_prefix=f"bench-{time.time_ns()}", direct=direct
    )
    return Config(kafka=kafka, sources=[source])


class Timed(Bounded):
    """A bounded source that notes when its first record came and when the last commit was done."""

    first = 0.0
    committed = 0.0

    def poll(self, timeout_seconds: float) -> Polled:
        """As its parent's."""
        polled = super().poll(timeout_seconds)
        if polled.records and not self.first:
            self.first = time.perf_counter()
        return polled

    def commit(self, places: Mapping[Shard, Place]) -> Mapping[Shard, Unreachable]:
        """As its parent's."""
        refused = super().commit(places)
        self.committed = time.perf_counter()
        return refused


def foreshock(bootstrap: str, topic: str, expected: int, ends: dict[Shard, int], *, direct: bool = True) -> float:
    """Seconds for the whole detect stage; without ends it runs until it is told to stop."""
    config = configuration(bootstrap, topic, direct=direct)
    telemetry = build_telemetry(config)
    warm_up(config)
    spare_collector()
    kafka = KafkaSource([topic], group=f"{config.kafka.group_prefix}-detect", kafka=config.kafka)
    source = Timed(kafka, ends)
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    with TemporaryDirectory() as folder:
        runner = Runner(
            "detect",
            source if ends else kafka,
            KafkaPublisher(config.kafka),
            FolderStore(Path(folder)),
            machine_factories(config)["detect"],
            RunnerOptions(start="earliest"),
            observe=telemetry.publish,
            log=get_logger("bench"),
            clock=SystemClock(),
        )
        if runner.run(stop):
            raise SystemExit(f"the runner failed after {expected} messages: {runner.health.ended}")
    return source.committed - source.first


def consume(bootstrap: str, topic: str, expected: int) -> float:
    """Seconds for a loop that only counts."""
    settings = {**CLIENT, "bootstrap.servers": bootstrap, "group.id": f"bare-{time.time_ns()}", "auto.offset.reset": "earliest"}
    consumer = Consumer({**settings, "fetch.queue.backoff.ms": 50, "enable.auto.commit": False})
    consumer.subscribe([topic])
    seen, first = 0, 0.0
    while seen < expected:
        message = consumer.poll(1.0)
        if message is None:
            continue
        first = first or time.perf_counter()
        seen += 1 + len(consumer.consume(499, 0))
    seconds = time.perf_counter() - first
    consumer.close()
    return seconds


def _ends(bootstrap: str, topic: str) -> dict[Shard, int]:
    from confluent_kafka import TopicPartition

    consumer = Consumer({"bootstrap.servers": bootstrap, "group.id": "ends"})
    shards = [Shard(topic, number) for number in consumer.list_topics(topic, timeout=10).topics[topic].partitions]
    ends = {shard: consumer.get_watermark_offsets(TopicPartition(*shard), timeout=10)[1] for shard in shards}
    consumer.close()
    return ends


def main() -> None:
    name, bootstrap, topic, expected = sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4])
    if name in ("foreshock", "objects", "live"):
        ends = {} if name == "live" else _ends(bootstrap, topic)
        seconds = foreshock(bootstrap, topic, expected, ends, direct=name != "objects")
    else:
        seconds = consume(bootstrap, topic, expected)
    sys.stdout.write(orjson.dumps({"messages": expected, "seconds": seconds}).decode() + "\n")


if __name__ == "__main__":
    main()
