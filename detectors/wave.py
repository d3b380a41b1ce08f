"""The wave of the day: three harmonics that are learned cell by cell, in arithmetic that is the same on every machine.

They are part of a forecast's state (forecast.py): `row.wave` holds the cosine and sine of each harmonic.
"""

from __future__ import annotations

import math
from typing import Final

import numpy as np

from detectors.contract import Row
from detectors.kernel import device

CELLS_DAY: Final = 144
"""Cells of ten minutes."""
WAVES: Final = 3


@device
def tiny(x: float) -> float:
    """Values that would be denormal in float32 are nothing."""
    return 0.0 if abs(x) < 1e-30 else x


@device
def turn_sine(turns: float) -> float:
    """The sine of so many full turns; absolute error below 1e-10. Arithmetic alone, so the same bits everywhere."""
    t = turns - math.floor(turns + 0.5)  # -0.5 … 0.5
    if t > 0.25:
        t = 0.5 - t
    elif t < -0.25:
        t = -0.5 - t
    x = t * 6.283185307179586
    s = x * x
    series = 1.0 - s / 272.0
    series = 1.0 - s / 210.0 * series
    series = 1.0 - s / 156.0 * series
    series = 1.0 - s / 110.0 * series
    series = 1.0 - s / 72.0 * series
    series = 1.0 - s / 42.0 * series
    series = 1.0 - s / 20.0 * series
    series = 1.0 - s / 6.0 * series
    return x * series


@device
def wave_at(row: Row, cell: int) -> float:
    """The wave in the middle of a cell, as a distance from the level."""
    turns = ((cell % CELLS_DAY) + 0.5) / CELLS_DAY
    total = 0.0
    for k in range(WAVES):
        total += np.float64(row.wave[2 * k]) * turn_sine((k + 1) * turns + 0.25) + np.float64(row.wave[2 * k + 1]) * turn_sine(
            (k + 1) * turns
        )
    return total


@device
def learn_wave(row: Row, cell: int, k: int, error: float) -> None:
    """Steps of least squares: half an error at once in the first hours, a fifth of it a day later on."""
    elapsed = cell - row.born
    gain = min(max(k / (5.0 * CELLS_DAY + k), k / (elapsed / 3.0 + 72.0 + k)), 0.1)
    turns = ((cell % CELLS_DAY) + 0.5) / CELLS_DAY
    for j in range(WAVES):
        row.wave[2 * j] = tiny(np.float64(row.wave[2 * j]) + 2.0 * gain * error * turn_sine((j + 1) * turns + 0.25))
        row.wave[2 * j + 1] = tiny(np.float64(row.wave[2 * j + 1]) + 2.0 * gain * error * turn_sine((j + 1) * turns))
