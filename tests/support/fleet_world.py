"""A deployment of many pods told as a story: what each measured, and what people were told."""

from __future__ import annotations

import numpy as np
from detect_world import SECOND, START, alerts, machine, play, record
from numpy.typing import NDArray

from engine.config.fleet import Fleet
from engine.config.tree import Detect
from engine.metrics import Metric
from engine.ports import StepStats
from engine.records import GOES_ON, Alert, AnomalyKind, Record

Floats = NDArray[np.float64]
COMPARED = Detect(fleet=Fleet(compare=True))
STEPS_AT_ONCE = 377


def latencies(days: float, members: int, seed: int = 1) -> Floats:
    """(minutes, members): pods of different weight on one daily wave, with a tenth of noise."""
    rng = np.random.default_rng(seed)
    minutes = round(days * 1440)
    wave = 2.0 + np.sin(np.arange(minutes) / 1440 * 2.0 * np.pi)
    weight = np.exp(rng.normal(0.0, 0.15, members))
    return 20.0 * wave[:, None] * weight * np.exp(rng.normal(0.0, 0.1, (minutes, members)))


def log_of(value: Floats, names: list[str] | None = None) -> list[Record]:
    """A record a minute; the pods are read one after the other within it. Not a number: not heard."""
    names = names or [f"cart-{member}" for member in range(value.shape[1])]
    skew = np.linspace(0.0, 50.0, value.shape[1]).tolist()
    log = []
    for minute, row in enumerate(value.tolist()):
        parts = [
            ("latency", {"service": "cart", "pod": name}, minute * 60.0 + skew[member], x)
            for member, (name, x) in enumerate(zip(names, row, strict=True))
            if x == x  # noqa: PLR0124  # a number
        ]
        log.append(record(minute, minute * 60.0 + 55.0, s=parts))
    return log


class FleetStory:
    """Played at once."""

    def __init__(self, value: Floats, config: Detect = COMPARED) -> None:
        log = log_of(value)
        outputs, self.stats = play(machine(config), log, range(0, len(log), STEPS_AT_ONCE))
        self.told: list[Alert] = [alert for alert in alerts(outputs) if alert.reason not in GOES_ON]

    @property
    def outliers(self) -> list[Alert]:
        """What was told of members against their peers."""
        return [alert for alert in self.told if alert.kind is AnomalyKind.OUTLIER]

    def summary(self) -> str:
        return "; ".join(
            f"{minute_of(a):.0f} min {a.labels['pod']} {a.state} {a.kind} {a.reason} {a.score:.2f}" for a in self.told
        )


def minute_of(alert: Alert) -> float:
    return (alert.ts_ns / SECOND - START) / 60.0


def gated(stats: StepStats, gate: str) -> float:
    return stats.counts.get((Metric.GATED, (gate,)), 0)
