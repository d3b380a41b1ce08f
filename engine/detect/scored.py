"""What a bank says of some samples: columns of one array, taken out of it when somebody asks."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import numpy as np
from numpy.typing import NDArray

from detectors import calibration
from detectors.kernel import bound


class Scored:
    """What the bank says of each sample. All arrays have one row for each row in, and belong to the caller."""

    __slots__ = ("factors", "result", "score")

    def __init__(self, result: NDArray[np.void], factors: NDArray[np.float64]) -> None:
        """`result` (n,) is of `calibration.RESULT`."""
        self.result = result
        self.score: NDArray[np.float64] = result["score"]
        """1.0 = boundary; NaN = no opinion (warming up, late, not finite)."""
        self.factors = factors
        """(n, D) decades of surprise, columns as in Bank.detectors."""

    @property
    def usual(self) -> NDArray[np.float64]:
        """How much higher the score would be, were it not for what is usual at this minute and hour of the day."""
        return self.result["usual"]

    @property
    def among(self) -> NDArray[np.float64]:
        """The score as a joint one takes it: with `usual`, and what bursts again and again counts less; NaN with the score."""
        return self.result["among"]

    @property
    def expected(self) -> NDArray[np.float64]:
        """NaN when unknown."""
        return self.result["expected"]

    @property
    def scale(self) -> NDArray[np.float64]:
        """A usual deviation from what was expected; NaN with it."""
        return self.result["scale"]

    @property
    def deviation(self) -> NDArray[np.float64]:
        """(value - expected) / scale, signed; 0 when nothing is expected."""
        return self.result["deviation"]

    @property
    def kind(self) -> NDArray[np.int64]:
        """Index into Bank.KINDS."""
        return self.result["kind"]

    @property
    def onset_ts_ns(self) -> NDArray[np.int64]:
        """Start of the present excursion; the sample's own time when there is none."""
        return self.result["onset_ns"]

    def band(self, places: slice | NDArray[np.int64]) -> NDArray[np.float64]:
        """(len, 2): between which values some of the samples would have scored less than about 1.0; NaN when nothing is expected."""
        some = self.result[places]
        edges = np.empty((len(some), 2))
        _bands()(some["expected"], some["scale"], some["edge"], edges)
        return edges


@cache
def _bands() -> Callable[..., None]:
    some = np.zeros(1)
    return bound(calibration.bands, some, some, some, np.zeros((1, 2)))
