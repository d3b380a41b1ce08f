"""How many decades of one sample make an alert, so that there are as many in a month as the budget allows.

A dense series has more chances than a sparse one, so it is asked for more; by less than one decade for ten times as many
samples, since neighbours in time repeat each other and an alert takes several anomalies. The line was measured on quiet series.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from detectors.kernel import device
from detectors.portable import log10

MONTH_SECONDS: Final = 2_592_000.0
NEEDED_BASE: Final = 1.1
"""Decades of one sample that make an alert a month, were the samples a month apart."""
NEEDED_SHARE: Final = 0.6
"""What ten times as many samples add to them."""
BUDGET_SHARE: Final = 0.96
"""What a budget of a tenth as many alerts adds."""
NEEDED_MIN: Final = 2.0
"""Decades that a score of 1.0 takes at least, however slow the series."""


@device
def needed_decades(step: float, budget_seconds: float) -> float:
    """Decades of the sum that make a score of 1.0."""
    budget = BUDGET_SHARE * log10(budget_seconds / MONTH_SECONDS)
    return max(NEEDED_BASE + NEEDED_SHARE * log10(MONTH_SECONDS / max(step, 1e-3)) + budget, NEEDED_MIN)


@device
def needs(feed: NDArray[np.void], budget_seconds: float, result: NDArray[np.void]) -> None:
    """Write the needed decades into `edge`. Skipped rows are not looked at; what is sampled alike needs alike, and one logarithm."""
    step = -1.0
    needed = 0.0
    for i in range(feed.shape[0]):
        if feed[i].read >= 0:
            if feed[i].step != step:
                step = feed[i].step
                needed = needed_decades(step, budget_seconds)
            result[i].edge = needed
