"""Samples a second of the whole bank, in scrape order and in random order, beside river's scorers doing one job of it.

One thread. River scores one series sample by sample, as its interface asks; the bank gets batches as the daemon does.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.report import machine, spread
from engine.config.tree import Detect
from engine.detect.bank import Bank
from engine.records import Series

BATCH = 4_096
SEED = 1


def run(*, quick: bool, options: list[str]) -> dict[str, object]:
    """Rates and ratios. No options."""
    if options:
        raise SystemExit(f"kernels takes no options: {' '.join(options)}")
    rounds = 1 if quick else 5
    sizes = (1_000, 10_000) if quick else (1_000, 10_000, 100_000)
    bank = {
        f"{order}, {series} series": spread(_bank(series, order=order) for _ in range(rounds))
        for series in sizes
        for order in ("scrape", "random")
    }
    rivals = {name: spread(_river(build, 2_000 if quick else 10_000) for _ in range(rounds)) for name, build in _rivals().items()}
    ours = bank[f"scrape, {sizes[0]} series"]["median"]
    return {
        "samples_per_second": bank,
        "river_samples_per_second": rivals,
        "ratio_to": {name: round(ours / rate["median"], 1) for name, rate in rivals.items()},
        "bytes_per_series": Bank(Detect()).bytes_per_series,
        "rounds": rounds,
        "seed": SEED,
        "machine": machine(),
    }


def _bank(series: int, *, order: str) -> float:
    """Samples a second of a warm bank."""
    bank = Bank(Detect(series_max=series))
    for slot in range(series):
        name = f"s{slot}"
        bank.admit(slot, Series(key=name.encode(), name=name, labels=(), entity="bench"))
    rng = np.random.default_rng(SEED)
    count = max(2 * series, 200_000)
    slots = np.arange(count) % series
    ts_ns = (np.arange(count) // series) * 10_000_000_000 + 10**18
    if order == "random":
        slots = rng.permutation(series)[slots]
    values = rng.normal(50, 5, count)
    _feed(bank, slots[:BATCH], ts_ns[:BATCH], values[:BATCH])
    began = time.perf_counter()
    _feed(bank, slots[BATCH:], ts_ns[BATCH:], values[BATCH:])
    return (count - BATCH) / (time.perf_counter() - began)


def _feed(bank: Bank, slots: NDArray[np.int64], ts_ns: NDArray[np.int64], values: NDArray[np.float64]) -> None:
    for first in range(0, len(slots), BATCH):
        bank.score(slots[first : first + BATCH], ts_ns[first : first + BATCH], values[first : first + BATCH])


def _rivals() -> dict[str, Callable[[], Any]]:
    from river import anomaly

    return {
        "river StandardAbsoluteDeviation": anomaly.StandardAbsoluteDeviation,
        "river GaussianScorer": partial(anomaly.GaussianScorer, window_size=100),
        "river HalfSpaceTrees": partial(anomaly.HalfSpaceTrees, seed=SEED),
    }


def _river(build: Callable[[], Any], count: int) -> float:
    """Samples a second: score, then learn, one by one. Trees take features, the other scorers a target."""
    scorer = build()
    values = np.random.default_rng(SEED).uniform(0, 1, count).tolist()
    calls = [({"value": value},) for value in values] if hasattr(scorer, "n_trees") else [(None, value) for value in values]
    began = time.perf_counter()
    for call in calls:
        scorer.score_one(*call)
        scorer.learn_one(*call)
    return count / (time.perf_counter() - began)
