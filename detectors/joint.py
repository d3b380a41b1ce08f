"""One score for an entity of several metrics.

The joint surprise of a moment is the mean of its most surprising metrics' scores, each clipped softly: an incident
moves several metrics a little or one a lot, and one broken sensor among forty must not speak for all of them for ever. What
the mean exceeds once in twenty rows is learned, as for the detectors' sum.
"""

from __future__ import annotations

from typing import Annotated, Final, NamedTuple

import numpy as np
from annotated_types import Gt
from numpy.typing import NDArray

from detectors import tails
from detectors.contract import Row
from detectors.kernel import device, kernel
from detectors.portable import log10

STATE: Final = np.dtype(
    [
        ("threshold", np.float64),
        ("last_ns", np.int64),
        ("step", np.float64),  # usual seconds between rows
        ("seen", np.float64),
    ],
    align=True,
)
TOP: Final = 5
"""How many metrics speak for their entity."""
CLIP: Final = 12.0
"""A metric's surprise counts in full up to here, in decades."""
DECADES: Final = 4.0
"""About how many decades a score of 1.0 stands for."""
EXCEEDED: Final = 0.05
EXCEEDED_DECADES: Final = 1.3010299956639813
PRIOR_THRESHOLD: Final = 2.0
EXCESS: Final = 0.5
"""The mean of what goes beyond the threshold, the same for every entity."""
NEEDED_SHARE: Final = 0.7
NEEDED_MIN: Final = 2.0


class Params(NamedTuple):
    """Times in seconds."""

    budget_seconds: Annotated[float, Gt(0)] = 2_592_000.0
    tail_seconds: Annotated[float, Gt(0)] = 2_592_000.0


@device
def top_mean(scores: NDArray[np.float64]) -> float:
    """The mean of the TOP highest clipped scores of one moment; NaN when no metric has an opinion."""
    best = (0.0, 0.0, 0.0, 0.0, 0.0)
    known = 0
    for j in range(scores.shape[0]):
        if not scores[j] >= 0.0:
            continue
        known += 1
        s = tails.soft_clip(DECADES * scores[j], CLIP)
        a, b, c, d, e = best
        if s > a:
            best = (s, a, b, c, d)
        elif s > b:
            best = (a, s, b, c, d)
        elif s > c:
            best = (a, b, s, c, d)
        elif s > d:
            best = (a, b, c, s, d)
        elif s > e:
            best = (a, b, c, d, s)
    if known == 0:
        return np.nan
    a, b, c, d, e = best
    return (a + b + c + d + e) / min(known, TOP)


@device
def learn(row: Row, y: float, dt: float, params: Params) -> None:
    if row.seen == 0.0:
        row.threshold = PRIOR_THRESHOLD
    alpha = tails.tail_alpha(dt, params.tail_seconds, row.seen)
    row.threshold = tails.learned_quantile(row.threshold, y, EXCEEDED, alpha * EXCESS)
    row.seen += 1.0


@kernel
def score_jointly(
    state: NDArray[np.void], ts_ns: NDArray[np.int64], scores: NDArray[np.float64], params: Params, out: NDArray[np.float64]
) -> None:
    """Write the joint score of each row of `scores` (n, m); NaN where no metric has one, and in the first row where any has.

    Those rows are in order of time. `state` has one row: the entity.
    """
    row = state[0]
    for i in range(ts_ns.shape[0]):
        y = top_mean(scores[i])
        out[i] = np.nan
        if not y >= 0.0:
            continue
        dt = 0.0
        if row.seen > 0.0:
            dt = (ts_ns[i] - row.last_ns) * 1e-9
            row.step = row.step + 0.1 * (min(dt, 3.0 * row.step) - row.step) if row.step > 0.0 else dt
            needed = max(NEEDED_SHARE * log10(params.budget_seconds / max(row.step, 1e-3)), NEEDED_MIN)
            out[i] = tails.quantile_surprise(row.threshold, EXCEEDED_DECADES, EXCESS, y) / needed
        row.last_ns = ts_ns[i]
        learn(row, y, dt, params)
