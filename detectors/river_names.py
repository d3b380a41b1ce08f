"""Which of river's detectors can be named, and what their parameters may be. Imports neither river nor a compiler: configurations are checked with it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, NamedTuple


class Range(NamedTuple):
    """What a parameter may be. `whole`: no fractions."""

    least: float
    most: float
    whole: bool = True


class River(NamedTuple):
    """One class of river. `kind`: scores a vector of features, scores one number, or tells when a number's distribution drifts."""

    module: str  # "anomaly" | "drift"
    name: str
    kind: str  # "features" | "number" | "drift"
    params: Mapping[str, Range]


_SEED: Final = Range(0, 2**31 - 1)
CLASSES: Final[Mapping[str, River]] = {
    "half_space_trees": River(
        "anomaly",
        "HalfSpaceTrees",
        "features",
        {"n_trees": Range(1, 100), "height": Range(1, 12), "window_size": Range(10, 10_000), "seed": _SEED},
    ),
    "loda": River("anomaly", "LODA", "features", {"n_bins": Range(2, 100), "n_random_cuts": Range(1, 200), "seed": _SEED}),
    "one_class_svm": River("anomaly", "OneClassSVM", "features", {"nu": Range(0.001, 0.999, whole=False)}),
    "gaussian_scorer": River(
        "anomaly", "GaussianScorer", "number", {"window_size": Range(10, 10_000), "grace_period": Range(2, 10_000)}
    ),
    "standard_absolute_deviation": River("anomaly", "StandardAbsoluteDeviation", "number", {}),
    "adwin": River(
        "drift",
        "ADWIN",
        "drift",
        {
            "delta": Range(1e-9, 0.5, whole=False),
            "clock": Range(1, 1000),
            "max_buckets": Range(2, 50),
            "min_window_length": Range(2, 1000),
            "grace_period": Range(2, 10_000),
        },
    ),
    "page_hinkley": River(
        "drift",
        "PageHinkley",
        "drift",
        {
            "min_instances": Range(2, 10_000),
            "delta": Range(0.0, 10.0, whole=False),
            "threshold": Range(0.1, 1e6, whole=False),
            "alpha": Range(0.5, 1.0, whole=False),
        },
    ),
    "kswin": River(
        "drift",
        "KSWIN",
        "drift",
        {"alpha": Range(1e-6, 0.5, whole=False), "window_size": Range(20, 2000), "stat_size": Range(5, 500), "seed": _SEED},
    ),
}
"""Our name → the class of river. Only these can be named."""


def wrong_with(name: str, params: Mapping[str, float]) -> str:
    """What is wrong with naming this detector with these parameters; "" when nothing is."""
    about = CLASSES.get(name)
    if about is None:
        return f"there is no river detector {name!r}; one of: {', '.join(CLASSES)}"
    for key, value in params.items():
        allowed = about.params.get(key)
        if allowed is None:
            return f"{name} has no parameter {key!r}; it has: {', '.join(about.params) or 'none'}"
        if not allowed.least <= value <= allowed.most or (allowed.whole and value != int(value)):
            what = "a whole number" if allowed.whole else "a number"
            return f"{name}.{key} is {what} from {allowed.least:g} to {allowed.most:g}"
    return ""
