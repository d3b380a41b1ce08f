"""Series that detectors must live with, and the plain way to run one detector over one of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from detectors import clock
from detectors.contract import FEED, VERDICT, Detector
from detectors.kernel import as_state

START_NS = 1_760_000_000_000_000_000
SECOND_NS = 1_000_000_000
Columns = tuple[NDArray[np.int64], NDArray[np.float64]]
"""(ts_ns, value) of one series."""


def every(seconds: float, rows: int) -> NDArray[np.int64]:
    return START_NS + np.arange(rows, dtype=np.int64) * round(seconds * SECOND_NS)


def noise(rows: int = 1500, seed: int = 1, step: float = 60.0) -> Columns:
    return every(step, rows), np.random.default_rng(seed).normal(100.0, 5.0, rows)


def daily(days: int = 4, step: float = 600.0, seed: int = 2) -> Columns:
    ts_ns = every(step, int(days * 86_400 / step))
    hour = ts_ns / (3600 * SECOND_NS)
    wave = 50.0 + 30.0 * np.sin(hour / 24.0 * 2.0 * np.pi)
    return ts_ns, wave + np.random.default_rng(seed).normal(0.0, 2.0, len(ts_ns))


def weekly(days: int = 24, step: float = 1800.0, seed: int = 8) -> Columns:
    """Waves on working days, quiet weekends."""
    ts_ns, values = daily(days, step, seed)
    weekend = (ts_ns // (86_400 * SECOND_NS) + 3) % 7 >= 5
    return ts_ns, np.where(weekend, 20.0 + 0.1 * (values - 50.0), values)


def constant(rows: int = 600, value: float = 5.0) -> Columns:
    return every(60.0, rows), np.full(rows, value)


def two_valued(rows: int = 1200, seed: int = 3) -> Columns:
    return every(60.0, rows), (np.random.default_rng(seed).random(rows) < 0.05).astype(np.float64)


def ramp(rows: int = 1000) -> Columns:
    ts_ns, values = noise(rows, seed=4)
    return ts_ns, values + np.maximum(np.arange(rows) - rows // 2, 0) * 0.5


def hostile(rows: int = 600) -> Columns:
    """Everything that ever broke an average: not finite, huge, denormal; repeated, backward and far times."""
    ts_ns, values = noise(rows, seed=5)
    values[50::60] = np.nan
    values[51::60] = np.inf
    values[52::60] = -np.inf
    values[53::60] = 1e200
    values[54::60] = -1e15
    values[55::60] = 5e-324
    values[56::60] = 9.9e14
    values[57::60] = -0.0
    ts_ns[100] = ts_ns[99]
    ts_ns[200] = ts_ns[100]
    ts_ns[300:] += 400 * 86_400 * SECOND_NS
    ts_ns[400:] += 1
    return ts_ns, values


CORPUS: dict[str, Columns] = {
    "noise": noise(),
    "daily": daily(),
    "weekly": weekly(),
    "constant": constant(),
    "zero": constant(value=0.0),
    "two_valued": two_valued(),
    "ramp": ramp(),
    "hostile": hostile(),
    "seconds": noise(2000, seed=6, step=1.0),
    "hourly": noise(400, seed=7, step=3600.0),
}


class Run:
    """One detector over its own states; `feed` may be called many times."""

    def __init__(self, detector: Detector, rows: int = 1, zone: NDArray[np.void] = clock.UTC) -> None:
        self.detector = detector
        self.zone = zone
        self.state = np.zeros(rows, detector.state)
        self.clock = np.zeros(rows, clock.STATE)

    def feed(self, ts_ns: NDArray[np.int64], value: NDArray[np.float64], rows: Sequence[int] | None = None) -> NDArray[Any]:
        """The verdicts of the samples, zero for those that were skipped."""
        place = np.zeros(len(value), np.int64) if rows is None else np.asarray(rows, np.int64)
        fed = np.zeros(len(value), FEED)
        verdict = np.zeros(len(value), VERDICT)
        clock.read_clock(as_state(self.clock), place, ts_ns, value, as_state(self.zone), as_state(fed))
        self.detector.kernel(as_state(self.state), as_state(fed), self.detector.params, as_state(verdict))
        self.fed = fed
        return verdict
