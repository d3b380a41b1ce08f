"""Detectors of river beside our own: the `river` block of `detect`."""

from __future__ import annotations

from typing import Annotated, Literal

from annotated_types import Ge, Gt

from engine.config.values import Duration, Model


class RiverPart(Model):
    """One detector of river over the metrics that match. Off unless named; slow; learned again after each restart."""

    use: str
    """half_space_trees, loda, one_class_svm, gaussian_scorer, standard_absolute_deviation, adwin, page_hinkley or kswin."""
    match: str
    """Metric names; * matches any run of characters."""
    over: Literal["series", "entity"] = "series"
    """One for each series, or one for each entity over all its metrics that match (half_space_trees, loda, one_class_svm)."""
    params: dict[str, float] = {}
    """Parameters of the detector, by river's names."""
    every: Annotated[Duration, Ge(10)] = 60.0
    """How often it looks at most."""
    weight: Annotated[float, Ge(0)] = 0.0
    """Its share in the score; 0: it is only shown among the factors of an alert."""


class River(Model):
    """Hundreds of times slower than our own detectors: everything about it is bounded."""

    parts: list[RiverPart] = []
    """Which, over what."""
    objects_max: Annotated[int, Gt(0)] = 1_000
    """Detectors of one shard; series and entities beyond get none."""
    calls_max: Annotated[int, Gt(0)] = 200
    """Calls in ten seconds of log time; what is due beyond waits for its turn."""
