"""Every detector by name. To add one, see contract.py; the order is that of the factors; the first expectation is the one that is told."""

from __future__ import annotations

from typing import Final

from detectors import absence, cycle, flat, level, projection, rate, reach, season
from detectors.contract import Detector, Tier

_SPIKE: Final = ("dip", "spike", "spike")
_LEVEL: Final = ("level_down", "variance", "level_up")

DETECTORS: Final[dict[str, Detector]] = {
    "season": Detector(
        name="season",
        tier=Tier.STANDARD,
        params=season.Params(),
        state=season.STATE,
        kernel=season.score_season,
        kinds=_SPIKE,
        lasting=("seasonal_miss", "seasonal_miss", "seasonal_miss"),
        weight=0.0,
        recurs=True,
        source="Winters 1960, additive seasonal smoothing, with bounded influence",
    ),
    "cycle": Detector(
        name="cycle",
        tier=Tier.FULL,
        params=cycle.Params(),
        state=cycle.STATE,
        kernel=cycle.score_cycle,
        kinds=("seasonal_miss", "seasonal_miss", "seasonal_miss"),
        lasting=("seasonal_miss", "seasonal_miss", "seasonal_miss"),
        weight=0.0,
        adopted=cycle.adopted,
        source="Box and Jenkins 1970, autocorrelation of what a seasonal model leaves; median of seasonal lags",
    ),
    "level": Detector(
        name="level",
        tier=Tier.LIGHT,
        params=level.Params(),
        state=level.STATE,
        kernel=level.score_level,
        kinds=_SPIKE,
        lasting=_LEVEL,
        weight=3.0,
        adopted=level.adopted,
        source="Huber 1964, robust estimation of a location parameter; Tukey 1977, g-distributions; event-time decay",
    ),
    "rate": Detector(
        name="rate",
        tier=Tier.LIGHT,
        params=rate.Params(),
        state=rate.STATE,
        kernel=rate.score_rate,
        kinds=("trend", "trend", "trend"),
        lasting=("trend", "trend", "trend"),
        weight=0.5,
        adopted=rate.adopted,
        source="difference of two exponential averages as a filtered slope",
    ),
    "flat": Detector(
        name="flat",
        tier=Tier.LIGHT,
        params=flat.Params(),
        state=flat.STATE,
        kernel=flat.score_flat,
        kinds=("dip", "flat", "spike"),
        lasting=("level_down", "flat", "level_up"),
        weight=1.0,
        alone=1.0,
        adopted=flat.adopted,
        source="Laplace's rule of succession",
    ),
    "absence": Detector(
        name="absence",
        tier=Tier.LIGHT,
        params=absence.Params(),
        state=absence.STATE,
        kernel=absence.score_absence,
        kinds=("gap", "gap", "gap"),
        lasting=("gap", "gap", "gap"),
        weight=0.0,
        source="longest gap of late",
    ),
    "reach": Detector(
        name="reach",
        tier=Tier.STANDARD,
        params=reach.Params(),
        state=reach.STATE,
        kernel=reach.score_reach,
        kinds=_SPIKE,
        lasting=_LEVEL,
        weight=1.0,
        source="Renyi 1962, the theory of records",
    ),
    "projection": Detector(
        name="projection",
        tier=Tier.STANDARD,
        params=projection.Params(),
        state=projection.STATE,
        kernel=projection.score_projection,
        kinds=("shape", "shape", "shape"),
        lasting=("shape", "variance", "shape"),
        weight=0.5,
        voice=1.0,  # trusted half in whether, fully in what
        source="Pevny 2016, Loda, with fixed bins",
    ),
}


def of_tier(tier: Tier) -> tuple[Detector, ...]:
    """The detectors that run by default in a tier, in the registry's order."""
    return tuple(d for d in DETECTORS.values() if d.tier <= tier and d.portable)
