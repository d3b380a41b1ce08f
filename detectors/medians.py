"""The middle of a few numbers, in place and without sorting them all."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from detectors.kernel import device


@device
def select(part: NDArray[np.float64], k: int) -> float:
    """The value that sorting would put at place k; what is smaller ends before it, what is larger behind (Hoare 1961)."""
    low, high = 0, part.shape[0] - 1
    while low < high:
        pivot = part[(low + high) // 2]
        i, j = low, high
        while i <= j:
            while part[i] < pivot:
                i += 1
            while part[j] > pivot:
                j -= 1
            if i <= j:
                part[i], part[j] = part[j], part[i]
                i += 1
                j -= 1
        if k <= j:
            high = j
        elif k >= i:
            low = i
        else:
            break
    return float(part[k])


@device
def median(part: NDArray[np.float64]) -> float:
    """The middle of `part`, the mean of the two middles of an even number; NaN of nothing. Changes its order."""
    n = part.shape[0]
    if n == 0:
        return np.nan
    upper = select(part, n // 2)
    if n % 2 == 1:
        return upper
    lower = part[0]
    for j in range(1, n // 2):
        lower = max(lower, part[j])
    return float(0.5 * (lower + upper))
