"""End to end: messages a second from a topic to alerts, beside a bare consume loop and two rivals, on one broker.

The broker is a real Apache Kafka where Java and Maven are there; else, or when it is asked for, the embedded one, which keeps 5 MB of
a partition and so no more than some hundred thousand messages.

Every contender reads the same messages in a process of its own, in turn, several rounds; medians and ratios are reported.
The rivals run in their own environment (`make rivals`) and are left out, and named, where it is missing.
"""

from __future__ import annotations

import subprocess
import sys
from contextlib import closing
from pathlib import Path
from typing import NamedTuple

import orjson

from benchmarks.brokers import broker
from benchmarks.load import produce
from benchmarks.report import machine, spread
from connectors.broker.embedded import EmbeddedBroker

ROOT = Path(__file__).parents[1]
RIVALS_PYTHON = ROOT / ".venv-rivals" / "bin" / "python"
RIVALS = {"quix": "quix.py", "bytewax": "bytewax_flow.py"}
TOPIC = "bench.in"
SEED = 1


class Size(NamedTuple):
    """Of one run."""

    partitions: int
    messages: int
    rounds: int


QUICK = Size(16, 60_000, 1)
EMBEDDED = Size(16, 300_000, 5)
REAL = Size(8, 2_000_000, 5)


def run(*, quick: bool, options: list[str]) -> dict[str, object]:
    """Figures of all contenders. The option `embedded` leaves the real broker out."""
    if options not in ([], ["embedded"]):
        raise SystemExit(f"pipeline knows one option, embedded: {' '.join(options)}")
    with closing(broker(embedded=quick or bool(options))) as kafka:
        real = not isinstance(kafka, EmbeddedBroker)
        partitions, count, rounds = REAL if real else QUICK if quick else EMBEDDED
        kafka.create_topic(TOPIC, partitions)
        size = produce(kafka.bootstrap, TOPIC, count, SEED)
        names = ["consume", "foreshock", "objects", *(RIVALS if RIVALS_PYTHON.exists() else ())]
        seconds: dict[str, list[float]] = {name: [] for name in names}
        for _ in range(rounds):
            for name in names:
                seconds[name].append(timed(name, kafka.bootstrap, count))
    rates = {name: spread(count / s for s in values) for name, values in seconds.items()}
    ours = rates["foreshock"]["median"]
    return {
        "broker": "Apache Kafka" if real else "embedded",
        "partitions": partitions,
        "messages": count,
        "rounds": rounds,
        "bytes_per_message": round(size / count, 1),
        "seed": SEED,
        "messages_per_second": rates,
        "foreshock_ratio_to": {name: round(ours / rate["median"], 2) for name, rate in rates.items() if name != "foreshock"},
        "left_out": [] if RIVALS_PYTHON.exists() else sorted(RIVALS),
        "machine": machine(),
    }


def timed(name: str, bootstrap: str, count: int, topic: str = TOPIC) -> float:
    """Seconds that one contender takes for a topic."""
    if name in RIVALS:
        command = [str(RIVALS_PYTHON), str(ROOT / "benchmarks" / "rivals" / RIVALS[name])]
    else:
        command = [sys.executable, "-m", "benchmarks.contender", name]
    done = subprocess.run(
        [*command, bootstrap, topic, str(count)], capture_output=True, text=True, timeout=600, check=False, cwd=ROOT
    )
    if done.returncode:
        raise SystemExit(f"{name} failed:\n{done.stderr[-2000:]}")
    return float(orjson.loads(done.stdout.strip().splitlines()[-1])["seconds"])
