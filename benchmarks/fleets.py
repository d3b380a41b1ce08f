"""Fleets of made-up pods through the detect stage: what is told of one that is off, of all together, and of those that are new.

`python -m benchmarks fleets [--quick]`. Everything is made from seeds. Each world plays a day and a half of forty pods, a sample a
minute, on one daily wave. "False" are alerts of the kind outlier in worlds without a fault, a series and month; "new" are worlds in
which ten pods join ten that have lived for fifteen hours, with and without inheritance.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from statistics import median
from typing import Any, Final

import numpy as np
import orjson
from numpy.typing import NDArray

from benchmarks.told import alerts_of
from engine.config.fleet import Fleet
from engine.config.tree import Detect, Format, Mapping, Source
from engine.records import Alert, AnomalyKind, Record, Shard

Floats = NDArray[np.float64]
START: Final = 1_772_409_600
PODS: Final = 40
FAULT: Final = 2_000
"""Minutes after which something happens."""
SHARD: Final = Shard("pods", 0)
SOURCE: Final = Source(
    name="pods",
    topics=["pods"],
    format=Format.JSON,
    mapping=Mapping(time="t", time_unit="s", records="r", name="=latency", values="v", labels="l"),
)


def correlated(rng: np.random.Generator, rows: int, members: int, memory: float) -> Floats:
    """Noise of size one that forgets: a first-order autoregression for each member."""
    steps = rng.normal(0.0, (1.0 - memory * memory) ** 0.5, (rows, members))
    noise = np.empty((rows, members))
    noise[0] = rng.normal(0.0, 1.0, members)
    for i in range(1, rows):
        noise[i] = memory * noise[i - 1] + steps[i]
    return noise


def wave(rng: np.random.Generator, rows: int, members: int) -> Floats:
    """Pods of different weight on one day."""
    day = 2.0 + np.sin(np.arange(rows) / 1440 * 2.0 * np.pi)
    shared: Floats = 20.0 * day[:, None] * np.exp(rng.normal(0.0, 0.2, members))
    return shared


WORLDS: Final[dict[str, Callable[[np.random.Generator, int, int], Floats]]] = {
    "white noise": lambda rng, n, m: wave(rng, n, m) * np.exp(rng.normal(0.0, 0.1, (n, m))),
    "slow noise": lambda rng, n, m: wave(rng, n, m) * np.exp(0.2 * correlated(rng, n, m, 0.95)),
    "hosts of their own": lambda rng, n, m: 30.0 * np.exp(rng.normal(0.0, 0.8, m) + 0.5 * correlated(rng, n, m, 0.99)),
    "heavy tails": lambda rng, n, m: wave(rng, n, m) * np.exp(0.1 * rng.standard_t(3, (n, m))),
    "small counts": lambda rng, n, m: rng.poisson(2.0, (n, m)).astype(np.float64),
}


def records(value: Floats) -> Iterator[Record]:
    """A record a minute with the samples of all pods that are heard."""
    for minute, row in enumerate(value.tolist()):
        at = START + 60 * minute
        parts = [{"t": at, "v": x, "l": {"service": "cart", "pod": f"p{p}"}} for p, x in enumerate(row) if np.isfinite(x)]
        yield Record(*SHARD, minute, at * 10**9, None, orjson.dumps({"r": parts}))


def told(value: Floats, fleet: Fleet) -> list[Alert]:
    """Alerts that fire, each once."""
    return alerts_of(records(value), SHARD, SOURCE, Detect(fleet=fleet))


def minute_of(alert: Alert) -> float:
    return (alert.ts_ns / 1e9 - START) / 60.0


def compared(seeds: int) -> dict[str, Any]:
    """One pod that is off by a factor, and worlds in which nobody is."""
    fleet, rows = Fleet(), FAULT + 60
    figures: dict[str, Any] = {}
    for name, world in WORLDS.items():
        false, found, delays = 0, {1.5: 0, 2.0: 0, 4.0: 0}, []
        for seed in range(seeds):
            value = world(np.random.default_rng(seed), rows, PODS)
            false += sum(a.kind is AnomalyKind.OUTLIER for a in told(value, fleet))
            for factor in found:
                off = value.copy()
                off[FAULT:, 7] *= factor
                seen = [a for a in told(off, fleet) if a.labels["pod"] == "p7" and minute_of(a) >= FAULT]
                found[factor] += bool(seen)
                delays += [minute_of(seen[0]) - FAULT] if seen else []
        months = seeds * PODS * rows / 43_200
        figures[name] = {
            "false_a_series_month": round(false / months, 3),
            "found_of": seeds,
            "found": {f"x{factor:g}": count for factor, count in found.items()},
            "delay_minutes_median": round(median(delays), 1) if delays else None,
        }
    return figures


def joined(seeds: int, *, inherit: bool) -> dict[str, Any]:
    """Ten new pods beside ten old ones: what is told of them in six hours, and of a fault 25 minutes after they came."""
    fleet, came = Fleet(compare=False, inherit=inherit), 900
    cold = np.array([6.0, 4.0, 3.0, 2.0, 1.4])[:, None]
    false, found, delays = 0, 0, []
    for seed in range(seeds):
        value = WORLDS["white noise"](np.random.default_rng(seed), came + 360, 20)
        value[:came, 10:] = np.nan
        value[came : came + len(cold), 10:] *= cold
        false += sum(int(a.labels["pod"][1:]) >= 10 for a in told(value, fleet))
        off = value[: came + 60].copy()
        off[came + 25 :, 10:] *= 4.0
        seen: dict[str, float] = {}
        for alert in told(off, fleet):
            if int(alert.labels["pod"][1:]) >= 10 and minute_of(alert) >= came + 25:
                seen.setdefault(alert.labels["pod"], minute_of(alert) - came - 25)
        found += len(seen)
        delays += list(seen.values())
    return {
        "false_in_series_hours": [false, 60 * seeds],
        "found_in_the_first_hour": [found, 10 * seeds],
        "delay_minutes_median": round(median(delays), 1) if delays else None,
    }


def run(*, quick: bool, options: list[str]) -> dict[str, object]:  # noqa: ARG001  # the same for every benchmark
    """Figures of both questions."""
    seeds = 1 if quick else 5
    return {
        "peers": compared(seeds),
        "new": {"inherit": joined(seeds, inherit=True), "from nothing": joined(seeds, inherit=False)},
    }
