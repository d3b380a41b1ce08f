"""Stories of entities: several metrics that are a little off together are told once, and a quiet month hardly at all."""

from __future__ import annotations

import numpy as np
from detect_world import SECOND, START, alerts, machine, play, record
from numpy.typing import NDArray

from engine.records import GOES_ON, Alert, AlertState

NAMES = ("latency", "requests", "cpu", "memory", "queue", "connections", "disk_reads", "errors")
DAY = 1440
STEPS_AT_ONCE = 500
NOISE = 0.03
"""A sigma, as a share of the value."""


def noisy(rows: int, step: float, seed: int) -> NDArray[np.float64]:
    """(rows, metrics): levels of their own, every other on a daily wave, all with some noise."""
    rng = np.random.default_rng(seed)
    level = rng.uniform(20.0, 200.0, len(NAMES))
    wave = 1.0 + 0.2 * np.sin(np.arange(rows)[:, None] * step / 86_400 * 2.0 * np.pi) * (np.arange(len(NAMES)) % 2)
    return level * wave * (1.0 + rng.normal(0.0, NOISE, (rows, len(NAMES))))


def told(value: NDArray[np.float64], step: float) -> list[Alert]:
    """What people are told, without leases."""
    log = [
        record(n, n * step, s=[(name, {"service": "cart"}, n * step, x) for name, x in zip(NAMES, row, strict=True)])
        for n, row in enumerate(value.tolist())
    ]
    outputs, _ = play(machine(), log, range(0, len(log), STEPS_AT_ONCE))
    return [alert for alert in alerts(outputs) if alert.reason not in GOES_ON]


def minute_of(alert: Alert) -> float:
    return (alert.ts_ns / SECOND - START) / 60.0


def summary(said: list[Alert]) -> str:
    return "; ".join(f"{minute_of(a):.0f} min {a.series} {a.state} {a.kind} {a.reason} {a.score:.2f} {a.text}" for a in said)


def test_five_of_eight_metrics_are_a_little_off_for_twenty_minutes():
    """By two and a half to three sigma: nothing that would be told of any of them. Together it is told, once, and it ends."""
    value, fault = noisy(6 * DAY, 60.0, seed=2), 5 * DAY + 600
    value[fault : fault + 20, :5] *= 1.0 + NOISE * np.array([3.0, 3.0, -3.0, 2.5, 3.0])
    said = told(value, 60.0)
    assert [(a.kind, a.state) for a in said] == [("joint", AlertState.FIRING), ("joint", AlertState.RESOLVED)], summary(said)
    fired, ended = said
    assert fault <= minute_of(fired) < fault + 15, summary(said)
    assert fault + 20 <= minute_of(ended) < fault + 30
    assert len(fired.factors) <= 5
    assert len(set(fired.factors) & set(NAMES[:5])) >= 3
    assert " metrics are off together, most of all " in fired.text


def test_a_quiet_month_of_an_entity():
    said = told(noisy(30 * 288, 300.0, seed=1), 300.0)
    assert sum(a.state is AlertState.FIRING for a in said) <= 1, summary(said)
