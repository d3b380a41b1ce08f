"""A histogram whose bins follow the data: how far a value is from all known ones, or how rare it is among them.

At most forty bins are kept; a value that is in none becomes a bin of its own, and when there are too many the two that are nearest to
each other become one. A far value keeps its bin, so that coming back to it is no news.

After: Ben-Haim and Tom-Tov 2010, a streaming histogram; its use for anomalies is Pevny's (2016, "Loda").
"""

from __future__ import annotations

import math
from typing import Final

import numpy as np

from detectors.contract import Row
from detectors.kernel import device
from detectors.portable import ln

BINS: Final = 40
STATE: Final = np.dtype(
    [
        ("left", np.float64, BINS + 1),  # the bins' edges, ascending
        ("right", np.float64, BINS + 1),
        ("count", np.float64, BINS + 1),
        ("bins", np.int64),
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
def take_in(row: Row, z: float) -> int:
    """The bin that counts z, made for it if need be."""
    bins = row.bins
    place = 0
    while place < bins and row.right[place] < z:
        place += 1
    if place < bins and z >= row.left[place]:
        row.count[place] += 1.0
        return place
    for k in range(bins, place, -1):
        row.left[k], row.right[k], row.count[k] = row.left[k - 1], row.right[k - 1], row.count[k - 1]
    row.left[place], row.right[place], row.count[place] = z, z, 1.0
    row.bins = bins + 1
    return place if bins < BINS else merged(row, place)


@device
def merged(row: Row, place: int) -> int:
    """Make one of the two bins whose right edges are nearest; returns where `place` is then."""
    bins = row.bins
    first = 0
    for k in range(1, bins - 1):
        if row.right[k + 1] - row.right[k] < row.right[first + 1] - row.right[first]:
            first = k
    row.right[first] = row.right[first + 1]
    row.count[first] += row.count[first + 1]
    for k in range(first + 1, bins - 1):
        row.left[k], row.right[k], row.count[k] = row.left[k + 1], row.right[k + 1], row.count[k + 1]
    row.bins = bins - 1
    return place - 1 if place > first else place


@device
def width_of(row: Row, place: int) -> float:
    """A bin's width; for a bin of one value the gap to its nearer neighbour."""
    width = row.right[place] - row.left[place]
    if width > 0.0:
        return float(width)
    nearer = np.inf
    if place > 0:
        nearer = row.left[place] - row.right[place - 1]
    if place + 1 < row.bins:
        nearer = min(nearer, row.left[place + 1] - row.right[place])
    return nearer if 0.0 < nearer < np.inf else 1.0


@device
def gap(row: Row, value: float) -> float:
    """Learn a value; how far it was from the nearest bin, as a part of the range, 0 inside one."""
    bins = row.bins
    nearest = 0.0
    if bins > 0 and row.right[bins - 1] > row.left[0]:
        nearest = np.inf
        for k in range(bins):
            nearest = min(nearest, max(row.left[k] - value, value - row.right[k], 0.0))
        nearest /= row.right[bins - 1] - row.left[0]
    take_in(row, value)
    return nearest


@device
def rarity(row: Row, value: float) -> float:
    """Learn a value; how many usual deviations rarer than usual it is, 0 when it is not rarer."""
    row.seen += 1.0
    off = value - row.centre
    row.centre += off / row.seen
    row.square += off * (value - row.centre)
    spread = math.sqrt(row.square / row.seen)
    place = take_in(row, (value - row.centre) / spread if spread > 0.0 else 0.0)
    off = -ln(max(row.count[place] / row.seen / width_of(row, place), DENSITY_MIN)) - row.usual
    far = off / (math.sqrt(row.unrest) + 1e-6)
    pace = max(1.0 / row.seen, 1.0 / MEMORY)
    row.usual += pace * off
    row.unrest += pace * (off * off - row.unrest)
    return max(far, 0.0) if row.seen > SEEN_MIN else 0.0
