"""The kernels of a bank over a batch of samples.

They are bound to their types once, for a call by the usual way costs more than the work on a few samples.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from detectors import absence, calibration, chain
from detectors.contract import Detector
from detectors.kernel import as_state, bound
from detectors.registry import DETECTORS


class Passes:
    """Over one array of rows, which must live as long. Its scratch is its own: one thread at a time."""

    def __init__(
        self,
        rows: NDArray[np.void],
        detectors: Sequence[Detector],
        table: NDArray[np.void],
        params: calibration.Params,
        zone: NDArray[np.void],
        *,
        series_max: int,
    ) -> None:
        """`series_max`: how many series the rows have room for; the rest are shadows, which are rarely used."""
        far = series_max * rows.dtype.itemsize > chain.NEAR_BYTES
        self._models = chain.models_of(rows, tuple(detectors), table, params, zone, far=far)
        self._scratch = chain.scratch_of(len(detectors))
        some, numbers, factors = np.zeros(1, np.int64), np.zeros(1), np.zeros((1, len(detectors)))
        result = as_state(np.zeros(1, calibration.RESULT))
        self._score = bound(chain.score, self._models, self._scratch, some, some, numbers, factors, result)
        state = as_state(rows)
        self._absence, self._absence_params, self._clocks = state["absence"], DETECTORS["absence"].params, state["clock"]
        self._heard = 0, 0, self._absence[:0], self._clocks[:0]  # what was looked at last
        self._silence = bound(absence.silence, self._absence, self._clocks, 0, self._absence_params, numbers)

    def score(
        self,
        rows: NDArray[np.int64],
        ts_ns: NDArray[np.int64],
        value: NDArray[np.float64],
        factors: NDArray[np.float64],
        result: NDArray[np.void],
    ) -> None:
        """Score and learn samples, in order; write their `factors` and `result`. The arrays have these very types."""
        self._score(self._models, self._scratch, rows, ts_ns, value, factors, result)

    def silence(self, first: int, now_ns: int, surprise: NDArray[np.float64]) -> tuple[int, int]:
        """Of the rows `first`, `first` + 1, …: as `absence.silence`."""
        count = len(surprise)
        if self._heard[:2] != (first, count):
            some = slice(first, first + count)
            self._heard = first, count, self._absence[some], self._clocks[some]
        return self._silence(self._heard[2], self._heard[3], now_ns, self._absence_params, surprise)
