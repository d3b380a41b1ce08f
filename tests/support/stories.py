"""One series told as a story: what was measured, and what people were told and when. Times are hours since the beginning."""

from __future__ import annotations

import numpy as np
from detect_world import SECOND, SOURCE, START, alerts, machine, play, record
from numpy.typing import NDArray

from engine.config.tree import Detect, Source
from engine.metrics import Metric
from engine.ports import StepStats
from engine.records import GOES_ON, Alert, AnomalyKind

Floats = NDArray[np.float64]
HEARTBEAT = 600.0
"""Seconds between the samples of another entity: the log itself is never silent."""
STEPS_AT_ONCE = 500


def hours(days: float, step: float = 60.0) -> Floats:
    """The times of a story's samples, `step` seconds apart."""
    return np.arange(round(days * 86_400 / step)) * (step / 3600.0)


def noise(at: Floats, size: float, seed: int = 1) -> Floats:
    return np.random.default_rng(seed).normal(0.0, size, len(at))


def within(at: Floats, start: float, length: float) -> NDArray[np.bool_]:
    """The samples of the `length` hours from `start`."""
    return (at > start - 1e-9) & (at < start + length - 1e-9)


class Story:
    """Played at once; not a number in `value` is a sample that never came."""

    def __init__(
        self, at: Floats, value: Floats, name: str = "latency", config: Detect | None = None, source: Source = SOURCE
    ) -> None:
        self._at, self._value, self._name = at, value, name
        self.machine = machine(config, source)
        self.stats = StepStats()
        self.told: list[Alert] = []
        self._play()

    def _play(self) -> None:
        log, beat = [], float(self._at[0]) * 3600.0
        for hour, value in zip(self._at.tolist(), self._value.tolist(), strict=True):
            second, parts = hour * 3600.0, []
            if second >= beat:
                parts.append(("heartbeat", {"service": "other"}, second, 1.0))
                beat += HEARTBEAT
            if value == value:  # noqa: PLR0124  # a number
                parts.append((self._name, {"service": "cart"}, second, value))
            if parts:
                log.append(record(len(log), second, s=parts))
        outputs, self.stats = play(self.machine, log, range(0, len(log), STEPS_AT_ONCE))
        said = alerts(outputs)
        self.told = [alert for alert in said if alert.reason not in GOES_ON]
        self._leases = [alert for alert in said if alert.reason == "lease"]

    def says(self, since: float = 0.0, until: float = 1e9, **wanted: object) -> list[Alert]:
        """What was told of times within these hours and is as wanted."""
        return [
            alert
            for alert in self.told
            if since <= hour_of(alert) < until and all(getattr(alert, key) == value for key, value in wanted.items())
        ]

    def repeated(self, since: float, until: float) -> list[Alert]:
        """What was told again within these hours because it was still so."""
        return [alert for alert in self._leases if since <= hour_of(alert) < until]

    def gated(self, gate: str) -> float:
        """Anomalies that this gate kept from people."""
        return self.stats.counts.get((Metric.GATED, (gate,)), 0)

    def anomalies(self, kind: AnomalyKind) -> float:
        """Anomalous samples of this kind, told or not."""
        return sum(
            amount for (metric, labels), amount in self.stats.counts.items() if metric is Metric.ANOMALIES and kind in labels
        )

    def summary(self) -> str:
        return "; ".join(f"{hour_of(a):.2f} h {a.state} {a.kind} {a.reason} {a.score:.2f}" for a in self.told) or "silence"


def hour_of(alert: Alert) -> float:
    return (alert.ts_ns / SECOND - START) / 3600.0
