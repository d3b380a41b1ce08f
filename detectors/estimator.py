"""Our detectors as an estimator in river's manner: one series, one sample at a time, no engine around it.

    score_one(x, t)           what the model as it is thinks of the sample; changes nothing
    learn_one(x, t)           the sample becomes part of what is usual
    score_learn_one(x, t)     the two in that order, at half the price

The order is the contract: a sample is scored by what was learned *before* it. Whoever learns first scores a sample with itself.
Time `t` is in seconds, of any origin, and only ever grows; what is not above the last time, or not finite, gets no opinion
(NaN) and teaches nothing. A time that is no number raises ValueError. Scores are the engine's to the bit: 1.0 is the boundary
of the false-alarm budget.
"""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from detectors import assembly, calibration, clock
from detectors.contract import FEED, VERDICT, Tier
from detectors.kernel import as_state
from detectors.registry import of_tier

TIME_MAX: Final = 9e9
"""Seconds: the year 2255, where a count of nanoseconds ends."""


class Opinion(NamedTuple):
    """Of one sample. NaN means "unknown"."""

    score: float  # 1.0 = boundary
    usual: float  # how much higher it would be, were it not for what is usual at this minute of the day
    expected: float
    lower: float  # about where the score would reach 1.0
    upper: float
    deviation: float  # (x - expected) / scale, signed
    kind: str  # "none" without an opinion
    onset: float  # seconds: where the present excursion began; t itself when there is none
    factors: dict[str, float]  # detector → decades of surprise


class SeriesDetector:
    """The detectors of a tier over one series.

    >>> from detectors.estimator import SeriesDetector
    >>> model = SeriesDetector()
    >>> for minute in range(300):
    ...     score = model.score_learn_one(20.0 + minute * 7919 % 13 / 13, minute * 60.0)
    >>> score < 1.0
    True
    >>> opinion = model.explain_one(50.0, 300 * 60.0)
    >>> opinion.score > 1.0, opinion.kind, round(opinion.expected)
    (True, 'spike', 20)
    """

    def __init__(
        self,
        tier: Tier = Tier.STANDARD,
        *,
        false_alarm_every: float = 2_592_000.0,
        warm_up: float = 3600.0,
        samples_min: int = 30,
    ) -> None:
        """Times in seconds. `warm_up` and `samples_min`: until both have passed the model only learns."""
        self._chosen: Final = of_tier(tier)
        self._kinds: Final = assembly.words_of(self._chosen)
        self._table: Final = assembly.table(self._chosen, self._kinds)
        self._params = calibration.Params(false_alarm_every, warm_up, float(samples_min))
        self._dtype: Final = assembly.row_type(self._chosen)
        self._state: NDArray[np.void] = np.zeros(1, self._dtype)

    def score_one(self, x: float, t: float) -> float:
        """The score of a sample by the model as it is. Changes nothing."""
        return self.explain_one(x, t).score

    def explain_one(self, x: float, t: float) -> Opinion:
        """As `score_one`, with everything that led to the score."""
        return self._move(self._state.copy(), x, t)

    def learn_one(self, x: float, t: float) -> None:
        """Learn a sample."""
        self._move(self._state, x, t)

    def score_learn_one(self, x: float, t: float) -> float:
        """Score, then learn."""
        return self._move(self._state, x, t).score

    # ---------------------------------------------------------------------------------------------- state
    def to_bytes(self) -> bytes:
        """All that was learned. Only the same version of the detectors can go on from it."""
        return self._state.tobytes()

    def from_bytes(self, saved: bytes) -> None:
        """Go on from what was saved. Raises ValueError, unchanged, for another size."""
        if len(saved) != self._dtype.itemsize:
            raise ValueError(f"{len(saved)} bytes are no state of {self._dtype.itemsize}")
        self._state = np.frombuffer(saved, self._dtype).copy()

    def _move(self, rows: NDArray[np.void], x: float, t: float) -> Opinion:
        """Score and learn a sample in `rows`, which is the state or a copy of it."""
        if not abs(t) <= TIME_MAX:
            raise ValueError(f"{t} is no time")
        state = as_state(rows)
        feed = as_state(np.zeros(1, FEED))
        verdicts = as_state(np.zeros((1, len(self._chosen)), VERDICT))
        factors = np.empty((1, len(self._chosen)), np.float64)
        result = as_state(np.zeros(1, calibration.RESULT))
        ts_ns = np.array([round(t * 1e9)], np.int64)
        clock.read_clock(state["clock"], np.zeros(1, np.int64), ts_ns, np.array([x], np.float64), as_state(clock.UTC), feed)
        for i, detector in enumerate(self._chosen):
            detector.kernel(state[detector.name], feed, detector.params, verdicts[:, i])
        ends = state[["clock", "calibration"]]
        calibration.calibrate(ends, assembly.habits_of(state), feed, verdicts, self._table, self._params, factors, result)
        score, usual, _, expected, _, _, deviation, kind, onset_ns = result[0].item()
        band = np.empty((1, 2))
        calibration.bands(result["expected"], result["scale"], result["edge"], band)
        surprises = {d.name: decades for d, decades in zip(self._chosen, factors[0].tolist(), strict=True) if decades > 0.0}
        lower, upper = band[0].tolist()
        return Opinion(score, usual, expected, lower, upper, deviation, self._kinds[kind], onset_ns * 1e-9, surprises)
