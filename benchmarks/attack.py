"""Somebody makes up a new series for every sample: what happens to memory, to throughput, and to the series of others on the same partition.

One detect machine, everything as shipped. Honest series are written in turn with made-up ones, once with the attack and once without; a
few honest values are far off, and every alert on them must be the same: what is told, when, and with which numbers. Memory is that of the
process, after each tenth of the attack. Options: how many made-up series (10,000,000).
"""

from __future__ import annotations

import gc
import time
from collections.abc import Iterator
from typing import Final

import numpy as np
import orjson

from benchmarks.contender import configuration
from benchmarks.report import machine, resident_bytes
from engine.metrics import Metric
from engine.ports import StepStats
from engine.records import Run, Shard, Topic
from engine.wiring.machines import machine_factories

HONEST: Final = 200
SCRAPES: Final = 600
STEP_MS: Final = 10_000
START_MS: Final = 1_772_409_600_000
BATCH: Final = 2_000
ODD_FROM: Final = 500
"""The scrape from which on some honest series are far off."""
SHARD: Final = Shard("bench.in", 0)
MIB: Final = 1 << 20
PLACES: Final = ("id", "stamp")
"""What of an alert depends on the offsets of its records."""


def run(*, quick: bool, options: list[str]) -> dict[str, object]:
    """Figures with and without the attack. Options: how many made-up series."""
    if len(options) > 1 or not all(option.isdigit() for option in options):
        raise SystemExit(f"attack takes a number: {' '.join(options)}")
    made_up = int(options[0]) if options else 200_000 if quick else 10_000_000
    calm, told = _play(0)
    attacked, told_under_attack = _play(made_up)
    return {
        "made_up_series": made_up,
        "honest_series": HONEST,
        "calm": calm,
        "attacked": attacked,
        "honest_alerts": len(told),
        "honest_alerts_as_without": told_under_attack == told,
        "machine": machine(),
    }


def _play(made_up: int) -> tuple[dict[str, object], list[bytes]]:
    """Figures, and every alert on an honest series."""
    machine_of = machine_factories(configuration("nowhere:1", SHARD.topic))["detect"](SHARD)
    stats, alerts, resident = StepStats(), list[bytes](), list[float]()
    offset, seconds = 0, 0.0
    each = made_up // SCRAPES
    for scrape in range(SCRAPES):
        for payloads in _batches(scrape, each):
            ts_ns = np.full(len(payloads), (START_MS + scrape * STEP_MS) * 1_000_000, np.int64)
            run = Run(SHARD, range(offset, offset + len(payloads)), ts_ns, [b""] * len(payloads), payloads, [()] * len(payloads))
            before = time.process_time()
            result = machine_of.step(run)
            seconds += time.process_time() - before
            offset += len(payloads)
            for place, amount in result.stats.counts.items():
                stats.counts[place] = stats.counts.get(place, 0) + amount
            alerts += [alert for output in result.outputs for alert in _honest_alerts(output.topic, output.value)]
        if scrape % (SCRAPES // 10) == SCRAPES // 10 - 1:
            gc.collect()
            resident.append(round(resident_bytes() / MIB, 1))
    figures: dict[str, object] = {
        "records": offset,
        "records_per_second": round(offset / seconds),
        "scored": stats.counts[Metric.SAMPLES, ("metric",)],
        "refused": stats.counts.get((Metric.SAMPLES_DROPPED, ("refused",)), 0),
        "honest_series_alerting": len({orjson.loads(alert)["entity"] for alert in alerts}),
        "resident_mib": resident,
    }
    return figures, alerts


def _batches(scrape: int, made_up: int) -> Iterator[list[bytes | None]]:
    """One scrape of the honest series with the made-up ones spread between them."""
    payloads: list[bytes | None] = []
    ts_ms = START_MS + scrape * STEP_MS
    between = made_up // HONEST
    for number in range(HONEST):
        value = 50.0 + (7 * scrape + number) % 5 + (100.0 if number % 50 == 0 and scrape >= ODD_FROM else 0.0)
        payloads.append(_payload("cpu_usage", f"honest-{number}", ts_ms, value))
        payloads += [_payload("made_up", f"x{scrape}-{number}-{n}", ts_ms, 1.0) for n in range(between)]
        if len(payloads) >= BATCH:
            yield payloads
            payloads = []
    if payloads:
        yield payloads


def _payload(name: str, host: str, ts_ms: int, value: float) -> bytes:
    return orjson.dumps({"name": name, "labels": {"host": host, "zone": "a"}, "ts": ts_ms, "value": value})


def _honest_alerts(topic: str, value: bytes | None) -> Iterator[bytes]:
    """An alert on an honest series but for what tells where in the log it was found: the attack's records stand between the others."""
    if topic is Topic.ALERTS and value is not None:
        said = orjson.loads(value)
        if said.get("type") == "alert" and str(said.get("entity", "")).startswith("honest-"):
            yield orjson.dumps({name: part for name, part in said.items() if name not in PLACES}, option=orjson.OPT_SORT_KEYS)
