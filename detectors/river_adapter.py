"""Any river anomaly detector by name, for low rates: one object a series, hundreds of times slower than a kernel.

Not portable: river computes with the C library and with dictionaries, so its scores may differ in the last bits between machines and
its state is no fixed number of bytes. Hence it is no entry of the registry, and no stage uses it unless somebody asks for it. River
is imported when the first detector is built, not before.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

PORTABLE: Final = False
CLASSES: Final[Mapping[str, str]] = {
    "half_space_trees": "HalfSpaceTrees",
    "loda": "LODA",
    "gaussian_scorer": "GaussianScorer",
    "standard_absolute_deviation": "StandardAbsoluteDeviation",
}
"""Our name → the class in `river.anomaly`. Only these can be named: a configuration never imports what it likes."""
_SUPERVISED: Final = frozenset({"gaussian_scorer", "standard_absolute_deviation"})


class RiverDetector:
    """One detector of one series or entity. Scores first, then learns; rows that are not finite give NaN and are not learned."""

    def __init__(self, name: str, **params: float) -> None:
        if name not in CLASSES:
            raise ValueError(f"there is no river detector {name!r}; one of: {', '.join(CLASSES)}")
        self.name = name
        self._supervised = name in _SUPERVISED
        from river import anomaly  # a second of start-up that nobody else should pay

        self._model: Any = getattr(anomaly, CLASSES[name])(**params)

    def score(self, rows: NDArray[np.float64]) -> NDArray[np.float64]:
        """One score for each row of `rows` (n, features), in river's own scale: higher is stranger."""
        out = np.full(len(rows), np.nan)
        for i, row in enumerate(rows.tolist()):
            if all(math.isfinite(x) for x in row):
                out[i] = self._score_then_learn(row)
        return out

    def _score_then_learn(self, row: list[float]) -> float:
        if self._supervised:
            score = self._model.score_one(None, row[0])
            self._model.learn_one(None, row[0])
            return float(score)
        features = dict(enumerate(row))
        score = self._model.score_one(features)
        self._model.learn_one(features)
        return float(score)
