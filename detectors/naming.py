"""What an excursion is called: after the detector that says most, by the side to which it leans, once it has lasted by what lasts."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from detectors.contract import Row
from detectors.kernel import inlined as device

LEANING: Final = 0.2
"""How much one sample moves the lean."""
SWINGS: Final = 0.4
"""An excursion that leans to neither side by so much is one of variance."""


@device
def leaning(row: Row, off: float) -> float:
    """The lean after one more sample that is `off` its expectation; nothing leans outside an excursion."""
    if row.onset_ns == 0:
        row.lean = 0.0
        return 0.0
    side = 1.0 if off > 0.0 else (-1.0 if off < 0.0 else 0.0)
    lean = float(row.lean) + LEANING * (side - float(row.lean))
    row.lean = lean
    return lean


@device
def first_kind(table: NDArray[np.void], top: int, by: int, sample: Row, off: float, toward: int) -> int:
    """What an excursion is called that has not lasted: the word of whom explains it (`lasting_kind`), where that is one word for both."""
    if by >= 0 and table[by].kinds[toward] == table[by].lasting[toward] and abs(off + sample.seasonal) < 0.5 * abs(off):
        return int(table[by].kinds[toward])
    return int(table[top].kinds[toward])


@device
def lasting_kind(table: NDArray[np.void], top: int, by: int, sample: Row, off: float, toward: int, lean: float) -> int:
    """What an excursion is called that has lasted; `off` is how far the sample is from what the detector `by` expects.

    It is the season's when without the season the sample would be less than half as strange, and one of variance
    when it leans to neither side.
    """
    if by >= 0 and abs(off + sample.seasonal) < 0.5 * abs(off):
        return int(table[by].lasting[toward])
    return int(table[top].lasting[1 if abs(lean) < SWINGS else toward])
