"""The kernels of a bank, one pass after the other over a chunk of samples.

A chunk is so small that the rows of its series stay in the nearest caches from the first pass to the last; they are asked for
together before it. The kernels are bound to their types once, for a call by the usual way costs more than the work on a few samples.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from detectors import absence, assembly, calibration, clock, fetch
from detectors.contract import FEED, VERDICT, Detector
from detectors.kernel import as_state, bound
from detectors.registry import DETECTORS

CHUNK: Final = 512
"""Samples. What they touch of their rows, some 1,100 bytes each, about fits half a megabyte of near cache; a call costs 1 µs, which so many share."""

NEAR_BYTES: Final = 4 * 2**20
"""Models that take no more are near the processor anyway."""


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
        state, count = as_state(rows), len(detectors)
        self._bytes, self._width = rows.view(np.uint8), rows.dtype.itemsize
        self._far = series_max * self._width > NEAR_BYTES
        self._clocks = state["clock"]
        self._ends: NDArray[np.void] = state[["clock", "calibration"]]
        self._usuals = assembly.usuals_of(state)
        self._table, self._params, self._zone = table, params, zone
        self._feed = feed = as_state(np.zeros(CHUNK, FEED))
        self._verdicts = verdicts = as_state(np.zeros((CHUNK, count), VERDICT))
        self._seen = np.zeros(1, np.int64)
        some, numbers, factors = np.zeros(1, np.int64), np.zeros(1), np.zeros((1, count))
        result = as_state(np.zeros(1, calibration.RESULT))
        self._plan = as_state(fetch.plan_of(rows.dtype))
        self._fetch = bound(fetch.fetch_rows, self._bytes, self._width, self._plan, some, some, zone, some)
        self._read = bound(clock.read_clock, self._clocks, some, some, numbers, zone, feed)
        self._calibrate = bound(calibration.calibrate, self._ends, self._usuals, feed, verdicts, table, params, factors, result)
        self._absence, self._absence_params = state["absence"], DETECTORS["absence"].params
        self._silence = bound(absence.silence, self._absence, self._clocks, 0, self._absence_params, numbers)
        self._detectors = [
            (bound(d.kernel, state[d.name], feed, d.params, verdicts[:, place]), state[d.name], d.params, verdicts[:, place])
            for place, d in enumerate(detectors)
        ]

    def score(
        self,
        rows: NDArray[np.int64],
        ts_ns: NDArray[np.int64],
        value: NDArray[np.float64],
        factors: NDArray[np.float64],
        result: NDArray[np.void],
    ) -> None:
        """Score and learn at most CHUNK samples, in order; write their `factors` and `result`. The arrays have these very types."""
        n = len(rows)
        feed = self._feed[:n]
        if self._far:
            self._fetch(self._bytes, self._width, self._plan, rows, ts_ns, self._zone, self._seen)
        self._read(self._clocks, rows, ts_ns, value, self._zone, feed)
        for kernel, state, params, verdict in self._detectors:
            kernel(state, feed, params, verdict[:n])
        self._calibrate(self._ends, self._usuals, feed, self._verdicts[:n], self._table, self._params, factors, result)

    def silence(self, first: int, now_ns: int, surprise: NDArray[np.float64]) -> None:
        """Write how overdue each of the rows `first`, `first` + 1, … is at that time: as `absence.silence`."""
        some = slice(first, first + len(surprise))
        self._silence(self._absence[some], self._clocks[some], now_ns, self._absence_params, surprise)
