"""How long spans lasted, in buckets that are an eighth of an octave wide: quantiles within 9 %, in memory that is bounded.

The bounds come from a table and exact powers of two, and an estimate takes nothing but sums and products: equal bits on every processor.
"""

from __future__ import annotations

from bisect import bisect_left
from math import ldexp
from typing import Final

from engine.octaves import EIGHTHS

_OCTAVES: Final = range(-20, 17)
BOUNDS: Final = tuple(ldexp(eighth, octave) for octave in _OCTAVES for eighth in EIGHTHS)
"""Upper bounds in seconds, from a microsecond to a day."""


def place_of(seconds: float) -> int:
    """The bucket of a duration: the first whose bound is not below it."""
    return bisect_left(BOUNDS, seconds, hi=len(BOUNDS) - 1)


def quantile(counts: dict[int, int], share: float) -> float:
    """The duration that `share` of them do not exceed, on a straight line within its bucket. At least one must be counted."""
    rank = share * sum(counts.values())
    below = 0
    place = 0
    for place in sorted(counts):
        if below + counts[place] >= rank:
            break
        below += counts[place]
    lower = BOUNDS[place - 1] if place else 0.0
    inside = min(max((rank - below) / counts[place], 0.0), 1.0)
    return lower + (BOUNDS[place] - lower) * inside
