"""How much memory live series take, and whether it stays the same over millions of messages. One detect machine in a fresh process each.

Hosts have METRICS metrics each, as agents send them; every series is written SCRAPES times. `steady` writes few series for long.
"""

from __future__ import annotations

import gc
import resource
import subprocess
import sys
from collections.abc import Iterator
from typing import Final

import numpy as np
import orjson

from benchmarks.contender import configuration
from benchmarks.pipeline import ROOT
from benchmarks.report import machine, resident_bytes
from engine.config import Config
from engine.process import spare_memory
from engine.records import Run, Shard
from engine.wiring.machines import machine_factories, warm_up

METRICS: Final = 20
SCRAPES: Final = 4
STEP_MS: Final = 10_000
START_MS: Final = 1_772_409_600_000
BATCH: Final = 5_000
MIB: Final = 1 << 20
SHARD: Final = Shard("bench.in", 0)
FLEETS: Final = (("standard", 200_000), ("light", 1_000_000))
STEADY: Final = (1_000, 50_000_000)


def run(*, quick: bool, options: list[str]) -> dict[str, object]:
    """MiB of the whole process for each fleet, and over time. No options."""
    if options:
        raise SystemExit(f"memory takes no options: {' '.join(options)}")
    scale = 50 if quick else 1
    told: dict[str, object] = {}
    for tier, series in FLEETS:
        told[f"{tier}_{series // scale}_series"] = _alone(tier, series // scale, SCRAPES)
    series, messages = STEADY
    told[f"steady_{messages // scale}_messages"] = _alone("standard", series, messages // scale // series)
    return {**told, "machine": machine()}


def _alone(tier: str, series: int, scrapes: int) -> dict[str, float]:
    command = [sys.executable, "-m", "benchmarks.memory", tier, str(series), str(scrapes)]
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=ROOT)
    found: dict[str, float] = orjson.loads(done.stdout)
    return found


def _configuration(tier: str, series: int) -> Config:
    config = configuration("nowhere:1", SHARD.topic)
    changed = {"tier": tier, "series_max": 2 * series, "series_per_name_max": series}
    return config.model_copy(update={"detect": config.detect.model_copy(update=changed)})


def _main() -> None:
    tier, series, scrapes = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    config = _configuration(tier, series)
    warm_up(config)
    gc.collect()
    empty = resident_bytes()
    shard = machine_factories(config)["detect"](SHARD)
    offset, after = 0, []
    for scrape in range(scrapes):
        for payloads in _scrape(series, scrape):
            ts_ns = np.full(len(payloads), (START_MS + scrape * STEP_MS) * 1_000_000, np.int64)
            offsets = range(offset, offset + len(payloads))
            shard.step(Run(SHARD, offsets, ts_ns, [b""] * len(payloads), payloads, [()] * len(payloads)))
            offset += len(payloads)
        if scrape % max(scrapes // 10, 1) == 0 or scrape == scrapes - 1:
            spare_memory()  # as the daemon does each minute
            after.append(round(resident_bytes() / MIB, 1))
    told = {
        "mib_before": round(empty / MIB, 1),
        "mib_over_time": after,
        "mib_peak": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, 1),
        "bytes_a_series": round((resident_bytes() - empty) / series),
    }
    sys.stdout.write(orjson.dumps(told).decode())


def _scrape(series: int, scrape: int) -> Iterator[list[bytes | None]]:
    payloads: list[bytes | None] = []
    for number in range(series):
        host, metric = divmod(number, METRICS)
        labels = {"host": f"host-{host}", "region": "eu-west-1", "service": f"s{host % 50}", "zone": "a"}
        document = {
            "name": f"metric_{metric}",
            "labels": labels,
            "ts": START_MS + scrape * STEP_MS,
            "value": 50.0 + (number + scrape) % 7,
        }
        payloads.append(orjson.dumps(document))
        if len(payloads) == BATCH:
            yield payloads
            payloads = []
    if payloads:
        yield payloads


if __name__ == "__main__":
    _main()
