"""How rare a surprise is among all that its series gave before: its rank, no fitted tail.

The largest surprises so far are kept in order. One that r of n before reach or exceed has a probability of (r + 1) / (n + 1), whatever
their distribution (Vovk, Gammerman and Shafer 2005, conformal prediction). Below the ones kept it is taken to fall in proportion.
What came often in the past is therefore never news, and equal surprises become less news with each time.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from detectors.contract import Row
from detectors.kernel import device
from detectors.portable import log10

KEPT: Final = 64
"""With fewer (16), what is just below an alarm is no longer told apart; with more nothing is gained."""
SURPRISE_MAX: Final = 1e300
"""A part of a range of nearly nothing may be infinite; ranks are of numbers."""
STATE: Final = np.dtype([("largest", np.float64, KEPT)], align=True)  # descending; none of them is 0, so 0 is a free place


@device
def decades_of(row: Row, surprise: float, seen: int) -> float:
    """-log10 of the share of surprises before, `seen` in all, that were so large; learns it then. A surprise of 0 is none."""
    if surprise <= 0.0:
        return 0.0
    surprise = min(surprise, SURPRISE_MAX)
    least = float(row.largest[KEPT - 1])
    if surprise <= least:
        return surprise / least * log10((seen + 1.0) / (KEPT + 1.0))
    place = KEPT - 1
    while place > 0 and row.largest[place - 1] < surprise:
        row.largest[place] = row.largest[place - 1]
        place -= 1
    row.largest[place] = surprise
    return log10((seen + 1.0) / (place + 1.0))
