"""A tail learned while streaming: turns a statistic into decades under the series' own history, in two numbers.

The statistic y arrives in nominal decades (`portable.tail_decades`). Were the nominal tail right, y would be exponential:
P(y > t) = 10**-t. A series teaches otherwise through peaks over a threshold: `threshold` follows the 95 % quantile of y,
`excess` the mean of y - threshold above it, and beyond it the tail is exponential in y, which is a power law in the
deviation itself. The prior is the nominal tail, so an unlearned tail changes nothing.

After: peaks over threshold (Pickands 1975; Siffer et al., KDD 2017, "SPOT"), with a stochastic-approximation quantile
(Robbins and Monro 1951) in place of a stored sample. Each sample moves the threshold by a bounded step whatever its
size, and an excess counts at most four times the mean: an anomaly cannot teach the tail that it was usual.

The sum of all detectors learns less (`calibration`, `joint`): a quantile alone, with a mean excess that is the same for all.
"""

from __future__ import annotations

from typing import Final

from detectors.kernel import inlined
from detectors.portable import log10

EXCEEDED: Final = 0.05
"""The share of samples above the threshold."""
PRIOR_SAMPLES: Final = 2000.0
"""How many samples the prior is worth: a hundred above the threshold. An anomaly of twenty samples must hardly move the tail."""
THRESHOLD_FIRST: Final = 1.3010299956639813  # -log10(EXCEEDED)
EXCESS_FIRST: Final = 0.4342944819032518  # the mean of an exponential with P(y > t) = 10**-t
EXCESS_MIN: Final = 0.3
"""A tail much lighter than the nominal one is not believed: chosen on the development sets, where events are told apart better so."""
EXCESS_MAX: Final = 6.0
_LN10: Final = 2.302585092994046


@inlined
def quantile_surprise(threshold: float, known: float, excess: float, y: float) -> float:
    """Decades of surprise under any tail of this form: y goes beyond `threshold` with probability 10**-known, by `excess` on average."""
    if y <= threshold:
        return known * y / threshold
    return known + (y - threshold) / (excess * _LN10)


@inlined
def quantile_boundary(threshold: float, known: float, excess: float, decades: float) -> float:
    """The inverse of `quantile_surprise`."""
    if decades <= known:
        return decades * threshold / known
    return threshold + (decades - known) * excess * _LN10


@inlined
def tail_surprise(threshold: float, excess: float, y: float) -> float:
    """Decades of surprise of y >= 0 under a learned tail: linear up to the threshold, exponential beyond, unbounded."""
    return quantile_surprise(threshold, THRESHOLD_FIRST, excess, y)


@inlined
def tail_boundary(threshold: float, excess: float, decades: float) -> float:
    """The statistic that is just so many decades surprising: the inverse of `tail_surprise`."""
    return quantile_boundary(threshold, THRESHOLD_FIRST, excess, decades)


@inlined
def learned_threshold(threshold: float, excess: float, y: float, alpha: float) -> float:
    """The threshold after one more y. The step is that of an exponential density at the quantile."""
    above = 1.0 if y > threshold else 0.0
    moved = threshold + alpha * excess / EXCEEDED * (above - EXCEEDED)
    return max(moved, 0.05)


@inlined
def learned_excess(threshold: float, excess: float, y: float, alpha: float) -> float:
    """The mean excess after one more y; unchanged while y is below the threshold."""
    if y <= threshold:
        return excess
    step = min(alpha / EXCEEDED, 0.2)
    moved = excess + step * (min(y - threshold, 4.0 * excess) - excess)
    return min(max(moved, EXCESS_MIN), EXCESS_MAX)


@inlined
def tail_alpha(dt: float, tau: float, seen: float) -> float:
    """How much one sample counts: an average over all of them at first, a decay over `tau` seconds later."""
    return max(1.0 / (seen + PRIOR_SAMPLES), min(dt / (tau + dt), 1.0 / PRIOR_SAMPLES))


@inlined
def learned_quantile(threshold: float, y: float, exceeded: float, pace: float) -> float:
    """The threshold after one more y (Robbins and Monro 1951): steps of `pace`, a bounded one up, many small ones down."""
    above = 1.0 if y > threshold else 0.0
    return max(threshold + pace / exceeded * (above - exceeded), 0.5)


@inlined
def soft_clip(decades: float, limit: float) -> float:
    """Held near `limit`, yet strictly growing: the larger of two huge surprises stays the larger, so there are no ties."""
    if decades <= limit:
        return decades
    return limit + log10(1.0 + (decades - limit))
