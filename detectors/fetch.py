"""Bringing the rows that a batch needs near the processor, all at once, before any kernel looks at one.

A row of the models is some thirty cache lines, and a kernel waits for each as it comes to it. Here the lines are read one after the
other and nothing depends on any of them, so the processor waits for two dozen at a time. (To ask for them with prefetch instructions
is no use: what exceeds those two dozen is dropped.) Nothing is computed: results are the same with and without.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from detectors.kernel import kernel

LINE_BYTES: Final = 64


@kernel
def fetch_rows(table: NDArray[np.uint8], width: int, rows: NDArray[np.int64], seen: NDArray[np.int64]) -> None:
    """Read a byte of each line of some rows of `width` bytes; `seen` takes their sum, lest the compiler leave the reading out."""
    total = 0
    for i in range(rows.shape[0]):
        first = rows[i] * width
        for at in range(first, first + width, LINE_BYTES):
            total += table[at]
        total += table[first + width - 1]
    seen[0] = total
