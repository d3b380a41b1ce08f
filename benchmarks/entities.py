"""Made-up entities of eight metrics through the detect stage: joint alerts in months without a fault, and of small shifts of five metrics.

`python -m benchmarks entities [--quick]`. Everything is made from seeds. "False" are alerts of the kind joint in worlds in which
nothing happens, an entity and month; "found" are shifts of five of eight metrics by so many of their usual deviations, for twenty minutes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Final

import numpy as np
import orjson
from numpy.typing import NDArray

from benchmarks.told import alerts_of
from engine.config.tree import Detect, Format, Mapping, Source
from engine.records import Alert, AnomalyKind, Record, Shard

Floats = NDArray[np.float64]
START: Final = 1_772_409_600
METRICS: Final = 8
SHIFTED: Final = np.array([1.0, 1.0, -1.0, 1.0, 1.0])
NOISE: Final = 0.03
SHARD: Final = Shard("entities", 0)
SOURCE: Final = Source(
    name="entities",
    topics=["entities"],
    format=Format.JSON,
    mapping=Mapping(time="t", time_unit="s", records="r", name="n", values="v", labels={"service": "s"}),
)


def lasting(rng: np.random.Generator, rows: int, samples: float, *, heavy: bool = False) -> Floats:
    """(rows, 1): noise of size one that forgets in so many samples."""
    memory = float(np.exp(-1.0 / samples))
    steps = rng.standard_t(3, rows) / 3.0**0.5 if heavy else rng.normal(0.0, 1.0, rows)
    noise = np.empty((rows, 1))
    noise[0] = steps[0]
    for i in range(1, rows):
        noise[i] = memory * noise[i - 1] + (1.0 - memory * memory) ** 0.5 * steps[i]
    return noise


def loaded(rng: np.random.Generator, rows: int, load: Floats) -> Floats:
    """What each metric makes of one load: some follow it wholly, some by a third."""
    follows = rng.uniform(0.3, 1.0, METRICS)
    shared: Floats = np.exp(load * follows) * (1.0 + rng.normal(0.0, NOISE, (rows, METRICS)))
    return shared


def heavy_tails(rng: np.random.Generator, rows: int) -> Floats:
    own: Floats = np.exp(0.08 * np.hstack([lasting(rng, rows, 3.0, heavy=True) for _ in range(METRICS)]))
    return own


WORLDS: Final[dict[str, Callable[[np.random.Generator, int], Floats]]] = {
    "noise": lambda rng, n: 1.0 + rng.normal(0.0, NOISE, (n, METRICS)),
    "one load, ten samples": lambda rng, n: loaded(rng, n, 0.1 * lasting(rng, n, 10.0)),
    "one load, fifty samples": lambda rng, n: loaded(rng, n, 0.15 * lasting(rng, n, 50.0)),
    "heavy tails": heavy_tails,
    "one load, heavy tails": lambda rng, n: loaded(rng, n, 0.1 * lasting(rng, n, 3.0, heavy=True)),
}


def levels(rng: np.random.Generator, rows: int, step: int) -> Floats:
    """A level and a daily wave of each metric."""
    wave = 1.0 + 0.3 * np.sin(np.arange(rows)[:, None] * step / 86_400 * 2.0 * np.pi)
    place: Floats = rng.uniform(20.0, 200.0, METRICS) * wave
    return place


def records(value: Floats, step: int) -> Iterator[Record]:
    """A record with all metrics each `step` seconds."""
    for row, values in enumerate(value.tolist()):
        at = START + step * row
        parts = [{"t": at, "n": f"m{k}", "v": x, "s": "cart"} for k, x in enumerate(values)]
        yield Record(*SHARD, row, at * 10**9, None, orjson.dumps({"r": parts}))


def told(value: Floats, step: int) -> list[Alert]:
    """Alerts that fire, each once."""
    return alerts_of(records(value, step), SHARD, SOURCE, Detect())


def false_alerts(seeds: int, days: int, step: int) -> dict[str, Any]:
    """Of each world: joint alerts, and those of the metrics themselves, an entity and month."""
    rows, figures = days * 86_400 // step, {}
    for name, world in WORLDS.items():
        joint, own = 0, 0
        for seed in range(seeds):
            rng = np.random.default_rng(seed)
            said = told(levels(rng, rows, step) * world(rng, rows), step)
            joint += sum(a.kind is AnomalyKind.JOINT for a in said)
            own += sum(a.kind is not AnomalyKind.JOINT for a in said)
        months = seeds * days / 30.0
        figures[name] = {"joint": round(joint / months, 2), "own": round(own / months, 2)}
    return figures


def found(seeds: int, days: int) -> dict[str, Any]:
    """Shifts on the last day, by deviations: how many are told together, alone, and after how many minutes."""
    rows, fault, figures = days * 1440, days * 1440 - 840, {}
    for deviations in (2.0, 2.5, 3.0, 3.5):
        joint, own, delays = 0, 0, []
        for seed in range(seeds):
            rng = np.random.default_rng(seed)
            value = levels(rng, rows, 60) * WORLDS["noise"](rng, rows)
            value[fault : fault + 20, :5] *= 1.0 + NOISE * deviations * SHIFTED
            said = [a for a in told(value, 60) if 0 <= minutes_after(a, fault) < 30]
            early = [minutes_after(a, fault) for a in said if a.kind is AnomalyKind.JOINT]
            joint += bool(early)
            own += any(a.kind is not AnomalyKind.JOINT for a in said)
            delays += early[:1]
        figures[f"{deviations:g}"] = {"of": seeds, "joint": joint, "own": own, "delays_minutes": sorted(delays)}
    return figures


def minutes_after(alert: Alert, minute: int) -> float:
    return (alert.ts_ns / 1e9 - START) / 60.0 - minute


def run(*, quick: bool, options: list[str]) -> dict[str, object]:  # noqa: ARG001  # the same for every benchmark
    """Figures of both questions."""
    seeds = 1 if quick else 4
    return {
        "false_5_minutes": false_alerts(seeds, 30, 300),
        "false_1_minute": false_alerts(1 if quick else 2, 14, 60),
        "found": found(seeds, 6),
    }
