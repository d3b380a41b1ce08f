"""River's detectors by name, for low rates: one object a series or entity, hundreds of times slower than a kernel.

Not portable: river computes with the C library and with dictionaries, so its scores may differ in the last bits between machines and
its state is no fixed number of bytes. Hence no detector of the registry is one of these, nothing of them is in a snapshot (it is
learned again), and no stage uses one unless a configuration names it. River is imported when the first is built, not before.

Names are looked up in a table and parameters in ranges: a configuration never imports or evaluates what it likes. Detectors that keep
every sample (LocalOutlierFactor) or that wrap another model (QuantileFilter, PredictiveAnomalyDetection) are left out.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from detectors import tails
from detectors.portable import log10, tail_decades
from detectors.river_names import CLASSES, wrong_with

PORTABLE: Final = False
GRACE: Final = 100
"""Observations that a part only learns from."""
MEMORY: Final = 5_000.0
"""Observations that its usual scores are taken over."""
FADING: Final = 0.9
"""What is left of a drift's decades with each further observation."""
LESSONS: Final = 400
"""Observations that the nominal tail is worth."""
_BOUNDED: Final = frozenset({"half_space_trees", "gaussian_scorer"})
"""Their scores end at 1, and crowd there."""
_SILENT: Final[Mapping[str, tuple[str, int]]] = {
    "half_space_trees": ("window_size", 250),
    "gaussian_scorer": ("grace_period", 100),
}
"""For so long some say nothing at all: the parameter that says how long, and its default."""


def _built(name: str, params: Mapping[str, float]) -> Any:
    wrong = wrong_with(name, params)
    if wrong:
        raise ValueError(wrong)
    about = CLASSES[name]
    exact = {key: int(value) if about.params[key].whole else float(value) for key, value in params.items()}
    from river import anomaly, drift  # a second of start-up that nobody else should pay

    return getattr({"anomaly": anomaly, "drift": drift}[about.module], about.name)(**exact)


def _number(model: Any, row: Sequence[float]) -> float:
    score = float(model.score_one(None, row[0]))
    model.learn_one(None, row[0])
    return score


def _features(model: Any, row: Sequence[float]) -> float:
    features = dict(enumerate(row))
    score = float(model.score_one(features))
    model.learn_one(features)
    return score


def _drift(model: Any, row: Sequence[float]) -> float:
    model.update(row[0])
    return 1.0 if model.drift_detected else 0.0


_STEPS: Final[Mapping[str, Callable[[Any, Sequence[float]], float]]] = {"number": _number, "features": _features, "drift": _drift}


class RiverDetector:
    """One detector of one series or entity. Scores first, then learns; rows that are not finite give NaN and are not learned."""

    def __init__(self, name: str, **params: float) -> None:
        """Raises ValueError for a name or a parameter that is not in the table."""
        self._model = _built(name, params)
        self._step = _STEPS[CLASSES[name].kind]
        self.name = name

    def score(self, rows: NDArray[np.float64]) -> NDArray[np.float64]:
        """One score for each row of `rows` (n, features), in river's own scale: higher is stranger. A drift is 1, none is 0."""
        return np.array([self.score_row(row) for row in rows.tolist()], np.float64)

    def score_row(self, row: Sequence[float]) -> float:
        """The score of one row, which it learns then."""
        if not all(math.isfinite(x) for x in row):
            return math.nan
        return self._step(self._model, row)


class RiverPart:
    """A river detector whose scores come as decades of surprise.

    River's scales differ, so a score is first put in units of its own usual distance from its usual size, and then under a tail that is
    learned (tails.py). A drift is as surprising as the time since the last one is long: a decade for each factor of ten observations. It fades
    over the next ones: the alert that it belongs to may come a little later.
    """

    def __init__(self, name: str, **params: float) -> None:
        """Raises ValueError."""
        self._detector = RiverDetector(name, **params)
        self._tells_drift = CLASSES[name].kind == "drift"
        self._bounded = name in _BOUNDED
        key, usual = _SILENT.get(name, ("", 0))
        self._grace = int(params.get(key, usual)) + GRACE
        self._seen = 0
        self._quiet = 0  # observations since the last drift
        self._fading = 0.0  # decades of that drift
        self._first: list[float] = []
        self._usual = self._unrest = 0.0
        self._threshold, self._excess = tails.THRESHOLD_FIRST, tails.EXCESS_FIRST

    def observe(self, row: Sequence[float]) -> float:
        """Decades of surprise at one row; 0 while it only learns, and for what is not finite."""
        raw = self._detector.score_row(row)
        if not math.isfinite(raw):
            return 0.0
        self._seen += 1
        if self._tells_drift:
            decades = self._of_drift(raw)
            return decades if self._seen > self._grace else 0.0
        if self._bounded:
            raw = -log10(max(1.0 - raw, 1e-12))
        if self._seen <= self._grace:
            self._begin(raw)
            return 0.0
        return self._of_score(raw)

    def _of_drift(self, raw: float) -> float:
        self._quiet += 1
        self._fading *= FADING
        if raw > 0.0:
            self._fading = max(self._fading, log10(float(self._quiet)))
            self._quiet = 0
        return self._fading

    def _begin(self, raw: float) -> None:
        """The first scores that mean something tell what is usual: their median, and their usual distance from it."""
        if self._seen > self._grace - GRACE:
            self._first.append(raw)
        if self._seen == self._grace:
            self._usual = float(np.median(self._first))
            self._unrest = 1.18 * float(np.median([abs(x - self._usual) for x in self._first]))
            self._first.clear()

    def _of_score(self, raw: float) -> float:
        distance = raw - self._usual
        y = tail_decades(max(distance, 0.0) / (1.25 * self._unrest + 1e-3 * abs(self._usual) + 1e-12))
        decades = tails.tail_surprise(self._threshold, self._excess, y)
        bound = 5.0 * self._unrest + 1e-2 * abs(self._usual) + 1e-9
        moved = min(max(distance, -bound), bound)
        share = max(1.0 / self._seen, 1.0 / MEMORY)
        self._usual += share * moved
        self._unrest += share * (abs(moved) - self._unrest)
        alpha = max(1.0 / (self._seen + LESSONS), 1.0 / MEMORY)
        threshold = tails.learned_threshold(self._threshold, self._excess, y, alpha)
        self._excess = tails.learned_excess(self._threshold, self._excess, y, alpha)
        self._threshold = threshold
        return decades
