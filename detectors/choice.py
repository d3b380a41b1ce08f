"""Which samples are of interest: all of a series that is watched closely, or that has an anomaly among these."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from detectors.kernel import kernel


@kernel
def choose(
    live: NDArray[np.bool_],
    slot: NDArray[np.int64],
    score: NDArray[np.float64],
    marked: NDArray[np.bool_],
    chosen: NDArray[np.int64],
) -> int:
    """Write the places of the samples of interest, ascending, to `chosen`; returns how many.

    `live` by slot says which series are watched closely. `marked` by slot is False everywhere, before and after.
    """
    for i in range(slot.shape[0]):
        if score[i] >= 1.0:
            marked[slot[i]] = True
    count = 0
    for i in range(slot.shape[0]):
        if live[slot[i]] or marked[slot[i]]:
            chosen[count] = i
            count += 1
    for i in range(slot.shape[0]):
        if score[i] >= 1.0:
            marked[slot[i]] = False
    return count
