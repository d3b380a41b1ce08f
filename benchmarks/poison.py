"""One record in ten is broken: what that costs, and whether just these go to the dead letters.

One detect machine in processor time; with the option `broker` the whole stage, from a topic to alerts and dead letters.
"""

from __future__ import annotations

import time
from collections import Counter
from contextlib import closing
from typing import Final

import numpy as np
from confluent_kafka import Consumer, Producer

from benchmarks.brokers import Broker, broker
from benchmarks.contender import configuration
from benchmarks.load import payload
from benchmarks.pipeline import timed
from benchmarks.report import machine, spread
from connectors.broker.embedded import EmbeddedBroker
from engine.process import spare_collector
from engine.records import Run, Shard, Topic
from engine.wiring.machines import machine_factories, warm_up

SERIES: Final = 1_000
STEP_MS: Final = 10_000
START_MS: Final = 1_772_409_600_000
BATCH: Final = 2_000
EVERY: Final = 10
CLEAN: Final = "bench.clean"
POISONED: Final = "bench.poisoned"
PARTITIONS: Final = 8
Place = tuple[str, str]
"""Partition and offset."""
SHARD: Final = Shard("bench.in", 0)
BROKEN: Final = (
    b"",
    b"\xff\xfe\x00",
    b"{",
    b'{"name":"cpu_usage","labels":{},"ts":"then","value":1}',
    b'{"name":"cpu_usage","labels":{"host":"h1"},"ts":1772409600000,"value":"much"}',
    b'{"name":"","labels":{"host":"h1"},"ts":1772409600000,"value":1}',
    b'{"name":"cpu_usage","labels":{"host":"h1"},"ts":1772409600000,"value":1e999}',
)


def run(*, quick: bool, options: list[str]) -> dict[str, object]:
    """Records a second with and without poison, in turn. The option `broker` reads them from Kafka."""
    if options not in ([], ["broker"]):
        raise SystemExit(f"poison knows one option, broker: {' '.join(options)}")
    if options:
        return _from_a_broker(quick=quick)
    warm_up(configuration("nowhere:1", SHARD.topic))
    spare_collector()
    count, rounds = (40_000, 1) if quick else (400_000, 5)
    clean: list[float] = []
    poisoned: list[float] = []
    exact = True
    for _ in range(rounds):
        clean.append(_play(count, poison=False)[0])
        rate, dead = _play(count, poison=True)
        poisoned.append(rate)
        exact = exact and dead == list(range(EVERY - 1, count, EVERY))
    return _told(count, rounds, clean, poisoned, exact=exact)


def _told(count: int, rounds: int, clean: list[float], poisoned: list[float], *, exact: bool) -> dict[str, object]:
    return {
        "records": count,
        "rounds": rounds,
        "records_per_second": {"clean": spread(clean), "one_in_ten_broken": spread(poisoned)},
        "throughput_kept": round(spread(poisoned)["median"] / spread(clean)["median"], 3),
        "dead_letters_exact": exact,
        "machine": machine(),
    }


def _from_a_broker(*, quick: bool) -> dict[str, object]:
    """The whole stage in a process of its own, as in the benchmark `pipeline`; each dead letter must be there once a round."""
    count, rounds = (40_000, 1) if quick else (1_000_000, 5)
    rates: dict[str, list[float]] = {CLEAN: [], POISONED: []}
    with closing(broker(embedded=quick)) as kafka:
        broken = Counter(
            {
                place: rounds
                for topic, poison in ((CLEAN, False), (POISONED, True))
                for place in _fill(kafka, topic, count, poison=poison)
            }
        )
        for _ in range(rounds):
            for topic, found in rates.items():
                found.append(count / timed("foreshock", kafka.bootstrap, count, topic))
        letters = _letters(kafka.bootstrap, broken.total())
    return {
        "broker": "embedded" if isinstance(kafka, EmbeddedBroker) else "Apache Kafka",
        **_told(count, rounds, rates[CLEAN], rates[POISONED], exact=letters == broken),
    }


def _fill(kafka: Broker, topic: str, count: int, *, poison: bool) -> list[Place]:
    """Write the records, by series to partitions; returns the places of the broken ones."""
    kafka.create_topic(topic, PARTITIONS)
    producer = Producer({"bootstrap.servers": kafka.bootstrap, "linger.ms": 20, "queue.buffering.max.messages": 2_000_000})
    ends, broken = [0] * PARTITIONS, []
    for n in range(count):
        partition = n % SERIES * PARTITIONS // SERIES
        ts_ms = START_MS + n // SERIES * STEP_MS
        producer.produce(topic, key=f"h{n % SERIES}", value=_value(n, poison=poison), partition=partition, timestamp=ts_ms)
        if poison and n % EVERY == EVERY - 1:
            broken.append((str(partition), str(ends[partition])))
        ends[partition] += 1
        if n % 100_000 == 0:
            producer.flush(60)
    producer.flush(60)
    return broken


def _letters(bootstrap: str, expected: int) -> Counter[Place]:
    """Where the records of all dead letters came from, as their headers say."""
    settings: dict[str, str | int] = {"bootstrap.servers": bootstrap, "group.id": "letters", "auto.offset.reset": "earliest"}
    consumer = Consumer(settings)
    consumer.subscribe([f"foreshock.{Topic.DEAD_LETTERS}"])
    found: Counter[Place] = Counter()
    until = time.monotonic() + 60
    while found.total() < expected and time.monotonic() < until:
        for message in consumer.consume(1_000, 1.0):
            headers = dict(message.headers() or ())
            partition, offset = (headers[f"__connect.errors.{name}"] for name in ("partition", "offset"))
            found[str(partition, "ascii"), str(offset, "ascii")] += 1  # type: ignore[arg-type]
    consumer.close()
    return found


def _play(count: int, *, poison: bool) -> tuple[float, list[int]]:
    """Records a second, and the offsets of the dead letters."""
    shard = machine_factories(configuration("nowhere:1", SHARD.topic))["detect"](SHARD)
    dead: list[int] = []
    seconds = 0.0
    for first in range(0, count, BATCH):
        numbers = range(first, first + BATCH)
        values: list[bytes | None] = [_value(n, poison=poison) for n in numbers]
        ts_ns = np.array([(START_MS + n // SERIES * STEP_MS) * 1_000_000 for n in numbers], np.int64)
        run = Run(SHARD, numbers, ts_ns, [b""] * BATCH, values, [()] * BATCH)
        before = time.process_time()
        outputs = shard.step(run).outputs
        seconds += time.process_time() - before
        letters = [output for output in outputs if output.topic is Topic.DEAD_LETTERS]
        dead += [int(dict(letter.headers)["__connect.errors.offset"]) for letter in letters]
    return count / seconds, dead


def _value(number: int, *, poison: bool) -> bytes:
    if poison and number % EVERY == EVERY - 1:
        return BROKEN[number // EVERY % len(BROKEN)]
    return payload(number % SERIES, START_MS + number // SERIES * STEP_MS, 50.0 + number % 7)
