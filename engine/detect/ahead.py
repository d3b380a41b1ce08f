"""Whether what is ahead of a series is worth telling: from the outlook of its forecast to a score, and when it is over.

A *bounded* quantity is told when its trend is evident and meets the bound soon. One *without a bound* is told when its trend is new: far
from what the oldest line would have had it, out of the range that it has kept to, still going on, and large enough to matter.
"""

from __future__ import annotations

from math import isnan
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
EVIDENT: Final = 4.0
"""Standard errors of a slope toward the bound."""
EVIDENT_FAST: Final = 5.0
"""The same where it is the youngest line's alone."""
NEWS: Final = 3.0
"""Standard errors that make a trend without a bound news."""
BEYOND: Final = 0.25
"""Widths of its range by which a level must have left it."""
BEYOND_SAWTOOTH: Final = 0.5
FRESH: Final = 0.5
"""The youngest slope must be this share of the trend: it goes on."""
GOING: Final = 0.4
"""And this share of a slope toward a bound."""
RISE: Final = 0.1
"""Share of the usual level that a trend without a bound must have made."""
LIVED_HOURS: Final = 48.0
"""Hours that a bounded series is known before its end is told."""
LASTED_HOURS: Final = 2.0
"""Hours that a trend toward a bound must have lasted, and since its last step where it is the youngest line's."""
URGENT_HOURS: Final = 24.0
"""With so long to go a score is URGENT: such an alert is an incident by itself."""
URGENT: Final = 3.0
SCORE_MAX: Final = 30.0


class Horizons(NamedTuple):
    """Hours."""

    fast: float
    slow: float
    learn: float


def urgency(hours: Floats) -> Floats:
    """The score of what ends in so many hours; 0 where that is NaN."""
    score = URGENT * np.sqrt(URGENT_HOURS / np.maximum(hours, 1e-3))
    return np.asarray(np.where(np.isnan(hours), 0.0, np.minimum(score, SCORE_MAX)))


def score_ends(outlook: NDArray[np.void], horizons: Horizons) -> Floats:
    """Scores (n) of meeting the bound; below 1 there is nothing to tell."""
    o: Any = outlook
    heading = (o["evident"] >= EVIDENT) & (o["lived"] >= LIVED_HOURS)
    heading &= (o["going"] >= GOING) & (o["lasted"] >= LASTED_HOURS)
    heading &= (o["sawtooth"] == 0) | (o["beyond"] >= BEYOND_SAWTOOTH)
    fast = (o["age"] == 0) & (o["run"] >= LASTED_HOURS) & (o["evident"] >= EVIDENT_FAST)
    fast &= (o["early"] <= horizons.fast) & (o["middle"] <= 2.0 * horizons.fast)
    slow = (o["age"] > 0) & (o["early"] <= horizons.slow) & (o["middle"] <= 1.5 * horizons.slow)
    return np.asarray(np.where(heading & (fast | slow), np.maximum(urgency(o["middle"]), 1.0), 0.0))


def score_trends(outlook: NDArray[np.void], toward: Floats, horizons: Horizons) -> Floats:
    """Scores (n) of trends without a bound; `toward` as in `exhaustion.judge`."""
    o: Any = outlook
    rise = np.where(toward == 0.0, np.abs(o["value"] - o["usual"]), toward * (o["value"] - o["usual"]))
    beyond = np.where(o["sawtooth"] == 1, BEYOND_SAWTOOTH, BEYOND)
    told = (o["lived"] >= horizons.learn) & (o["fresh"] >= FRESH) & (o["beyond"] >= beyond) & (rise >= RISE * np.abs(o["usual"]))
    return np.asarray(np.where(told, np.minimum(o["news"] / NEWS, SCORE_MAX), 0.0))


def is_over(outlook: np.void, bound: float, toward: float, horizons: Horizons) -> bool:
    """Whether a trend that was told goes on no more. One that stands at its bound is not over."""
    o: Any = outlook
    if isnan(bound):
        return bool(o["news"] < 0.5 * NEWS or o["fresh"] < 0.5 * FRESH)
    near = 0.03 * abs(bound) + o["reach"]
    if toward * (bound - o["value"]) <= near:
        return False
    return bool(o["evident"] < 0.4 * EVIDENT or not o["middle"] <= 2.0 * horizons.slow)
