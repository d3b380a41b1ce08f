"""What a sample costs as the series grow from a thousand to a million, beside what this machine's memory takes for the same rows.

For each size and order the bank scores warm models in batches; then rows of the same bytes, as many and in the same order, are only
read and written back. What memory takes is the least that any program could take that keeps so much a series.
"""

from __future__ import annotations

import time

import numba
import numpy as np
from numpy.typing import NDArray

from benchmarks.report import spread
from benchmarks.warm import STEP_NS, Samples, samples, warm_bank
from engine.detect.bank import Bank

BATCH = 4_096
SAMPLES_MIN = 400_000
"""A round is at least so many samples."""
STREAM_BYTES = 512 * 2**20
"""Beyond every cache."""


def curve(sizes: tuple[int, ...], rounds: int, seed: int, tier: str = "standard") -> list[dict[str, object]]:
    """One row for each size and order: ns a sample by the bank and by memory alone."""
    rows: list[dict[str, object]] = []
    for series in sizes:
        bank, start_ns = warm_bank(series, tier=tier, seed=seed)
        table = np.zeros((series, bank.bytes_per_series // 8), np.int64)
        for order in ("scrape", "random"):
            passes = max(1, SAMPLES_MIN // series)
            costs, floors = [], []
            for number in range(rounds + 1):
                load = samples(series, passes, start_ns=start_ns, order=order, seed=seed + number)
                start_ns = int(load.ts_ns[-1]) + STEP_NS
                costs.append(cost(bank, load))
                floors.append(_touch_cost(table, load.slot))
            taken, floor = spread(costs[1:]), spread(floors[1:])  # the first round compiles, and takes pages
            rows.append(
                {
                    "series": series,
                    "order": order,
                    "samples_per_second": round(1e9 / taken["median"]),
                    "ns_per_sample": taken,
                    "ns_of_memory": floor,
                    "state_mib": round(series * bank.bytes_per_series / 2**20, 1),
                }
            )
        del bank, table
    return rows


def cost(bank: Bank, load: Samples, batch: int = BATCH) -> float:
    """Nanoseconds a sample of scoring a load in batches, of this thread's own time."""
    began = time.thread_time()
    for first in range(0, len(load.slot), batch):
        bank.score(*load.part(first, first + batch))
    return (time.thread_time() - began) / len(load.slot) * 1e9


def small_batches(sizes: tuple[int, ...], calls: int, seed: int) -> dict[str, float]:
    """Microseconds a call by samples a call, over a thousand series: what a quiet topic's records cost."""
    bank, start_ns = warm_bank(1_000, seed=seed)
    taken = {}
    for size in sizes:
        for _ in ("the first may compile", "measured"):
            load = samples(1_000, -(-size * calls // 1_000), start_ns=start_ns, order="scrape", seed=seed)
            start_ns = int(load.ts_ns[-1]) + STEP_NS
            taken[str(size)] = round(cost(bank, load, size) * size / 1e3, 2)
    return taken


def stream_gb_per_second() -> float:
    """Bytes read and written in one long copy, a second."""
    source = np.ones(STREAM_BYTES // 8, np.int64)
    target = np.zeros_like(source)
    taken = []
    for _ in range(5):
        began = time.thread_time()
        target[:] = source
        taken.append(time.thread_time() - began)
    return round(2 * STREAM_BYTES / sorted(taken)[2] / 1e9, 2)


@numba.njit(cache=True, nogil=True)
def _touch(table: NDArray[np.int64], rows: NDArray[np.int64]) -> None:
    for i in range(rows.shape[0]):
        row = table[rows[i]]
        for k in range(row.shape[0]):
            row[k] += 1


def _touch_cost(table: NDArray[np.int64], rows: NDArray[np.int64]) -> float:
    """Nanoseconds a row of reading and writing all of it."""
    began = time.thread_time()
    _touch(table, rows)
    return (time.thread_time() - began) / len(rows) * 1e9
