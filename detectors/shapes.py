"""A memory of shapes: how far the last few blocks of a series are from everything it has looked like before.

Three samples make a block, and a block is summed up by its mean, or by its extreme where that stands out by a tenth of the range.
Eight blocks, as they are and with their mean taken away, are a point of sixteen numbers. The memory is a bounded set of boxes: the
nearest box that may still grow takes the point in, else a new one begins, and where there is no room it replaces the one that was of
no use for longest. The distance to the nearest box, a part of the range seen so far, is how new the shape is.

After: fuzzy ARTMAP's hyperboxes (Carpenter et al. 1991) and the nearest-neighbour discord (Keogh, Lin and Fu 2005), in one pass.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from detectors.contract import Row
from detectors.kernel import device

BLOCK: Final = 3
"""Samples in a block."""
WINDOW: Final = 8
"""Blocks in a shape."""
BOXES: Final = 32
SIDES: Final = 2 * WINDOW
RADIUS: Final = 0.15
"""How large a box may grow, mean of its sides, as a part of the range."""
STANDS_OUT: Final = 0.1
"""How far from a block's mean an extreme is told in its place, as a part of the range: whatever the zero of the scale is."""
STATE: Final = np.dtype(
    [
        ("low", np.float64, (BOXES, SIDES)),
        ("high", np.float64, (BOXES, SIDES)),
        ("used", np.int64, BOXES),  # the block at which a box was last of use; 0: there is no box
        ("window", np.float64, WINDOW),  # the last blocks, oldest first
        ("point", np.float64, SIDES),  # the present shape
        ("blocks", np.int64),  # blocks seen
        ("filled", np.int64),  # samples of the present block
        ("total", np.float64),  # their sum, their extremes
        ("least", np.float64),
        ("most", np.float64),
        ("recent", np.float64),  # an average of the last blocks' means
    ],
    align=True,
)


@device
def block_ends(row: Row, span: float, value: float) -> bool:
    """Take a sample into the present block; true when that is complete and has moved into the window."""
    if row.filled == 0:
        row.total, row.least, row.most = 0.0, value, value
    row.filled += 1
    row.total += value
    row.least = min(row.least, value)
    row.most = max(row.most, value)
    if row.filled < BLOCK:
        return False
    mean = row.total / BLOCK
    row.recent = mean if row.blocks == 0 else 0.5 * (row.recent + mean)
    extreme = row.most if abs(row.most - row.recent) >= abs(row.least - row.recent) else row.least
    for k in range(WINDOW - 1):
        row.window[k] = row.window[k + 1]
    row.window[WINDOW - 1] = extreme if abs(extreme - mean) >= STANDS_OUT * span else mean
    row.filled = 0
    row.blocks += 1
    return bool(row.blocks >= WINDOW)


@device
def outside(row: Row, box: int, best: float) -> float:
    """The sum over all sides of how far the point is outside a box, or over so many that it is no less than `best`."""
    distance = 0.0
    for side in range(SIDES):
        distance += max(row.low[box, side] - row.point[side], row.point[side] - row.high[box, side], 0.0)
        if distance >= best:
            break
    return distance


@device
def grown(row: Row, box: int) -> float:
    """The sum of a box's sides, would it take the point in."""
    size = 0.0
    for side in range(SIDES):
        size += max(row.high[box, side], row.point[side]) - min(row.low[box, side], row.point[side])
    return size


@device
def remember(row: Row, box: int, anew: bool) -> None:
    for side in range(SIDES):
        row.low[box, side] = row.point[side] if anew else min(row.low[box, side], row.point[side])
        row.high[box, side] = row.point[side] if anew else max(row.high[box, side], row.point[side])
    row.used[box] = row.blocks


@device
def newness(row: Row, span: float, value: float) -> float:
    """Learn a sample; the distance of the shape that it completes to the nearest one known, as a part of `span`, 0 for all others."""
    if not block_ends(row, span, value):
        return 0.0
    mean = 0.0
    for k in range(WINDOW):
        mean += row.window[k] / WINDOW
    for k in range(WINDOW):
        row.point[k] = row.window[k]
        row.point[WINDOW + k] = row.window[k] - mean
    nearest, best = np.inf, np.inf
    fits, oldest = -1, 0
    for box in range(BOXES):
        if row.used[box] < row.used[oldest]:
            oldest = box  # a box that is free was never of use
        if row.used[box] == 0:
            continue
        distance = outside(row, box, best)
        nearest = min(nearest, distance)
        if distance < best and grown(row, box) <= RADIUS * span * SIDES:
            best, fits = distance, box
    remember(row, fits if fits >= 0 else oldest, fits < 0)
    return 0.0 if nearest == np.inf else nearest / (span * SIDES)
