"""Time of each kernel and of the whole bank over 100,000 samples of 1,000 series: `pytest tests/benchmarks --benchmark-enable`."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from metric_corpus import SECOND_NS, START_NS, Run

from detectors.contract import Detector
from detectors.registry import DETECTORS
from engine.config.tree import Detect
from engine.detect.bank import Bank
from engine.records import Series

SERIES, ROUNDS = 1000, 100


def scrapes() -> tuple[Any, Any, Any]:
    slot = np.tile(np.arange(SERIES, dtype=np.int64), ROUNDS)
    ts_ns = START_NS + np.repeat(np.arange(ROUNDS, dtype=np.int64), SERIES) * 60 * SECOND_NS
    return slot, ts_ns, np.random.default_rng(1).normal(100.0, 5.0, SERIES * ROUNDS)


@pytest.mark.parametrize("detector", DETECTORS.values(), ids=list(DETECTORS))
def test_kernel(detector: Detector, benchmark: Any) -> None:
    slot, ts_ns, value = scrapes()

    def fresh() -> tuple[tuple[Any, ...], dict[str, Any]]:
        return (Run(detector, rows=SERIES), ts_ns, value, slot), {}

    verdict = benchmark.pedantic(lambda run, *columns: run.feed(*columns), setup=fresh, rounds=5)
    assert len(verdict) == SERIES * ROUNDS


@pytest.mark.parametrize("tier", ["light", "standard"])
def test_bank(tier: str, benchmark: Any) -> None:
    slot, ts_ns, value = scrapes()

    def fresh() -> tuple[tuple[Any, ...], dict[str, Any]]:
        bank = Bank(Detect(tier=tier, series_max=SERIES))
        for s in range(SERIES):
            bank.admit(s, Series(key=b"", name="", labels=(), entity=""))
        return (bank,), {}

    scored = benchmark.pedantic(lambda bank: bank.score(slot, ts_ns, value), setup=fresh, rounds=5)
    assert len(scored.score) == SERIES * ROUNDS
