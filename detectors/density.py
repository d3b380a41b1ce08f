"""How rare the last few samples are together: histograms of random projections whose bins follow the data.

Four samples, in units of the series' own spread, are projected onto sixteen sparse random directions. Each direction keeps at most
ten bins; a value that is in none becomes a bin of its own, and when there are too many the two that are nearest to each other
become one. The density there is a bin's share divided by its width, so that a far value is rarer than a near one. The mean
of -ln density is judged against its own usual size.

After: Pevny 2016, "Loda: lightweight on-line detector of anomalies"; Ben-Haim and Tom-Tov 2010, a streaming histogram.
"""

from __future__ import annotations

import math
from typing import Final

import numpy as np

from detectors.contract import Row
from detectors.kernel import device
from detectors.portable import ln
from detectors.projection import CUTS, LAGS, WEIGHT

BINS: Final = 10
PAIRS: Final = np.array([[0, 1], [2, 3], [0, 2], [1, 3], [0, 3], [1, 2]])
"""The two samples that a direction looks at, in turn: not the newest in each, so that a rare moment is seen for as long as it lasts."""
STATE: Final = np.dtype(
    [
        ("left", np.float64, (CUTS, BINS + 1)),  # the bins' edges, ascending
        ("right", np.float64, (CUTS, BINS + 1)),
        ("count", np.float64, (CUTS, BINS + 1)),
        ("bins", np.int64, CUTS),
        ("recent", np.float64, LAGS),  # the last samples, newest first
        ("seen", np.float64),
        ("centre", np.float64),
        ("square", np.float64),  # sum of squared distances from it
        ("usual", np.float64),  # mean rarity so far, and its variance
        ("unrest", np.float64),
    ],
    align=True,
)
SEEN_MIN: Final = 100.0
MEMORY: Final = 10_000.0
"""Samples over which the usual rarity is taken."""
DENSITY_MIN: Final = 1e-12


@device
def place_of(row: Row, cut: int, z: float) -> int:
    """The bin that takes z in, made for it if need be."""
    bins = row.bins[cut]
    place = 0
    while place < bins and row.right[cut, place] < z:
        place += 1
    if place < bins and z >= row.left[cut, place]:
        row.count[cut, place] += 1.0
        return place
    for k in range(bins, place, -1):
        row.left[cut, k], row.right[cut, k], row.count[cut, k] = (
            row.left[cut, k - 1],
            row.right[cut, k - 1],
            row.count[cut, k - 1],
        )
    row.left[cut, place], row.right[cut, place], row.count[cut, place] = z, z, 1.0
    row.bins[cut] = bins + 1
    return place if bins < BINS else merged(row, cut, place)


@device
def merged(row: Row, cut: int, place: int) -> int:
    """Make one of the two bins whose right edges are nearest; returns where `place` is then."""
    bins = row.bins[cut]
    first = 0
    for k in range(1, bins - 1):
        if row.right[cut, k + 1] - row.right[cut, k] < row.right[cut, first + 1] - row.right[cut, first]:
            first = k
    row.right[cut, first] = row.right[cut, first + 1]
    row.count[cut, first] += row.count[cut, first + 1]
    for k in range(first + 1, bins - 1):
        row.left[cut, k], row.right[cut, k], row.count[cut, k] = (
            row.left[cut, k + 1],
            row.right[cut, k + 1],
            row.count[cut, k + 1],
        )
    row.bins[cut] = bins - 1
    return place - 1 if place > first else place


@device
def width_of(row: Row, cut: int, place: int) -> float:
    """A bin's width; for a bin of one value the gap to its nearer neighbour."""
    width = row.right[cut, place] - row.left[cut, place]
    if width > 0.0:
        return float(width)
    nearer = np.inf
    if place > 0:
        nearer = row.left[cut, place] - row.right[cut, place - 1]
    if place + 1 < row.bins[cut]:
        nearer = min(nearer, row.left[cut, place + 1] - row.right[cut, place])
    return nearer if 0.0 < nearer < np.inf else 1.0


@device
def rarity(row: Row, value: float) -> float:
    """Learn a sample; how many usual deviations rarer than usual it is with those before it, 0 when it is not rarer."""
    row.seen += 1.0
    for lag in range(LAGS - 1, 0, -1):
        row.recent[lag] = row.recent[lag - 1] if row.seen > 1.0 else value
    row.recent[0] = value
    off = value - row.centre
    row.centre += off / row.seen
    row.square += off * (value - row.centre)
    spread = math.sqrt(row.square / row.seen)
    unit = spread if spread > 0.0 else 1.0
    strange = 0.0
    for cut in range(CUTS):
        z = 0.0
        for j in range(2):
            z += WEIGHT[cut, j] * (row.recent[PAIRS[cut % 6, j]] - row.centre) / unit
        place = place_of(row, cut, z)
        strange -= ln(max(row.count[cut, place] / row.seen / width_of(row, cut, place), DENSITY_MIN)) / CUTS
    off = strange - row.usual
    far = off / (math.sqrt(row.unrest) + 1e-6)
    pace = max(1.0 / row.seen, 1.0 / MEMORY)
    row.usual += pace * off
    row.unrest += pace * (off * off - row.unrest)
    return max(far, 0.0) if row.seen > SEEN_MIN else 0.0
