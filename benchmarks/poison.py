"""One record in ten is broken: what that costs, and whether just these go to the dead letters. One detect machine, processor time."""

from __future__ import annotations

import time
from typing import Final

import numpy as np

from benchmarks.contender import configuration
from benchmarks.load import payload
from benchmarks.report import machine, spread
from engine.process import spare_collector
from engine.records import Run, Shard, Topic
from engine.wiring.machines import machine_factories, warm_up

SERIES: Final = 1_000
STEP_MS: Final = 10_000
START_MS: Final = 1_772_409_600_000
BATCH: Final = 2_000
EVERY: Final = 10
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
    """Records a second with and without poison, in turn. No options."""
    if options:
        raise SystemExit(f"poison takes no options: {' '.join(options)}")
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
    return {
        "records": count,
        "rounds": rounds,
        "records_per_second": {"clean": spread(clean), "one_in_ten_broken": spread(poisoned)},
        "throughput_kept": round(spread(poisoned)["median"] / spread(clean)["median"], 3),
        "dead_letters_exact": exact,
        "machine": machine(),
    }


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
