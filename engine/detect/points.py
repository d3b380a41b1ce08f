"""Samples on their way through the watch, and where one step puts what it finds."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from engine.detect.drafts import Drafts, Moment
from engine.ports import StepStats

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]


class Points(NamedTuple):
    """Samples of known series, in log order. All of one length."""

    row: NDArray[np.int32]  # of the batch
    slot: Ints
    ts_ns: Ints
    value: Floats
    step: Floats  # seconds
    size_of: Floats
    resumed: Floats  # seconds since it was heard again after a pause
    counts: bool = False  # all of them are counts in our own buckets
    weight: Floats | None = None  # of what is pooled, all of one bucket: 1 of counts, lines of shares
    covered: NDArray[np.bool_] | None = None  # whose pool is told by a part of it already

    def only(self, mask: NDArray[np.bool_]) -> Points:
        """Those where the mask is true."""
        kept = (self.value[mask], self.step[mask], self.size_of[mask], self.resumed[mask])
        return Points(self.row[mask], self.slot[mask], self.ts_ns[mask], *kept, self.counts)


def room_of(n: int) -> tuple[Floats, Floats, Floats, Floats, NDArray[np.int8]]:
    """For `values.read_values` of n samples."""
    return np.empty(n), np.empty(n), np.empty(n), np.empty(n), np.empty(n, np.int8)


class Step(NamedTuple):
    """Where one step puts what it finds."""

    drafts: Drafts
    stats: StepStats
    moment: Callable[[int], Moment]  # of a row of the batch
