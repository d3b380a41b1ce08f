"""Models that have lived, in any number: a thousand series learn for a while, and many are made of them through a snapshot."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from engine.config.tree import Detect
from engine.detect.bank import Bank
from engine.records import Series

START_NS = 1_772_409_600_000_000_000
STEP_NS = 10_000_000_000
LEARNED = 400
"""Samples that each series has learned: beyond these no detector takes a short cut."""
TAUGHT = 1_000
"""Series that learn; the others are copies."""
LEVEL, NOISE = 50.0, 5.0


class Samples(NamedTuple):
    """Columns of one length, in log order."""

    slot: NDArray[np.int64]
    ts_ns: NDArray[np.int64]
    value: NDArray[np.float64]

    def part(self, first: int, end: int) -> Samples:
        """Rows first … end - 1."""
        return Samples(self.slot[first:end], self.ts_ns[first:end], self.value[first:end])


def samples(series: int, rounds: int, *, start_ns: int, order: str, seed: int) -> Samples:
    """So many samples of each series, STEP_NS apart: `scrape` order, or `random`: another order in each round."""
    rng = np.random.default_rng(seed)
    slots = np.arange(series, dtype=np.int64)
    slot = np.concatenate([rng.permutation(slots) if order == "random" else slots for _ in range(rounds)])
    ts_ns = start_ns + np.repeat(np.arange(rounds, dtype=np.int64), series) * STEP_NS
    return Samples(slot, ts_ns, rng.normal(LEVEL, NOISE, series * rounds))


def warm_bank(series: int, *, tier: str = "standard", seed: int = 1) -> tuple[Bank, int]:
    """A bank of so many series, and the time of their next sample."""
    taught = min(series, TAUGHT)
    bank = Bank(Detect(tier=tier, series_max=taught))  # type: ignore[arg-type]
    for slot in range(taught):
        bank.admit(slot, Series(key=b"", name="", labels=(), entity=""))
    bank.score(*samples(taught, LEARNED, start_ns=START_NS, order="scrape", seed=seed))
    if series > taught:
        columns = dict(bank.snapshot())
        width = bank.bytes_per_series
        copies = -(-series // taught)
        columns["rows"] = np.tile(columns["rows"], copies)[: series * width]
        bank = Bank(Detect(tier=tier, series_max=series))  # type: ignore[arg-type]
        bank.restore(columns)
    return bank, START_NS + LEARNED * STEP_NS
