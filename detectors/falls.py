"""A count that falls is bounded by nothing at all, one that rises by nothing: falls are measured by roots of counts.

Sixty lines a minute that become four are 6.6 usual deviations away, and can never be more than 7.2; by roots (Bartlett 1936) they are
ten, as far as they would be had they risen with the same improbability. Rises keep their score.
"""

from __future__ import annotations

import math
from typing import Final

import numpy as np
from numpy.typing import NDArray

from detectors.kernel import kernel
from detectors.portable import tail_decades

STRETCH_MAX: Final = 1.5
"""Of what scatters by far more than counts do, roots are no measure."""
EXPECTED_MIN: Final = 5.0
"""Fewer lines cannot fall by as many as matter."""


@kernel
def stretch_falls(
    value: NDArray[np.float64], expected: NDArray[np.float64], scale: NDArray[np.float64], score: NDArray[np.float64]
) -> None:
    """Multiply the scores of counts below what was expected by how much rarer they are by roots. All of one length; NaN is left alone."""
    for i in range(score.shape[0]):
        if not (0.0 <= value[i] < expected[i] and expected[i] >= EXPECTED_MIN and scale[i] > 0.0 and score[i] > 0.0):
            continue
        plain = (expected[i] - value[i]) / scale[i]
        root = math.sqrt(expected[i])
        roots = 2.0 * root * (root - math.sqrt(value[i])) / scale[i]
        score[i] *= min(max(tail_decades(roots) / max(tail_decades(plain), 1e-9), 1.0), STRETCH_MAX)
