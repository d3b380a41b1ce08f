"""The oracle of `histograms`: one histogram again, in dictionaries, by the words of that module's docstring."""

from __future__ import annotations

import math
from typing import NamedTuple

SUM, COUNT = "sum", "count"
Place = float | str  # an upper bound, SUM or COUNT


class Said(NamedTuple):
    """What is derived of the values between two points."""

    ts_ns: int
    rate: float
    mean: float
    quantiles: tuple[float, float, float]


class NaiveHistogram:
    """Takes numbers one by one (`arrive`, `flush`) or whole points (`point`); `said` has all that was derived."""

    def __init__(self) -> None:
        self.said: list[Said] = []
        self.now: dict[Place, float] = {}
        self.before: dict[Place, float] = {}
        self.open_ns = self.before_ns = 0
        self.late = 0
        self.known: set[Place] = set()

    def arrive(self, place: Place, ts_ns: int, value: float) -> None:
        """One number of a classic histogram."""
        self.known.add(place)
        if ts_ns <= self.before_ns or (self.now and ts_ns < self.open_ns) or (ts_ns == self.open_ns and place in self.now):
            self.late += 1
            return
        if self.now and ts_ns > self.open_ns:
            self._close(0, is_delta=False)
        self.open_ns = ts_ns
        self.now[place] = value
        if self.before_ns and self.now.keys() == self.known:
            self._close(0, is_delta=False)

    def flush(self, watermark_ns: int) -> None:
        """Nothing more comes of what is not newer."""
        if self.now and self.open_ns <= watermark_ns:
            self._close(0, is_delta=False)

    def point(self, ts_ns: int, cumulative: dict[Place, float], *, start_ns: int = 0, is_delta: bool = False) -> None:
        """A whole point, with SUM where it is known, and COUNT."""
        if ts_ns <= self.before_ns:
            self.late += 1
            return
        self.open_ns, self.now = ts_ns, dict(cumulative)
        self._close(start_ns, is_delta=is_delta)

    def _close(self, start_ns: int, *, is_delta: bool) -> None:
        both = [place for place in self.now if place in self.before]
        fell = any(self.now[place] < self.before[place] for place in both if place != SUM)
        began_ns, grown = self.before_ns, {place: self.now[place] - self.before[place] for place in both}
        if is_delta:
            began_ns, grown = start_ns or began_ns, self.now
        elif self.before_ns and (fell or start_ns > self.before_ns):
            began_ns, grown = start_ns if start_ns > self.before_ns else 0, self.now
        if 0 < began_ns < self.open_ns:
            self.said.append(derived(self.open_ns, grown, (self.open_ns - began_ns) * 1e-9))
        self.before, self.before_ns, self.now, self.open_ns = self.now, self.open_ns, {}, 0


def derived(ts_ns: int, grown: dict[Place, float], seconds: float) -> Said:
    """What values of these cumulative counts say."""
    total = grown.get(math.inf, grown.get(COUNT, math.nan))
    counted = grown.get(COUNT, total)
    mean = grown[SUM] / counted if SUM in grown and counted >= 10 else math.nan
    bounds = sorted(place for place in grown if isinstance(place, float) and place < math.inf)
    reached = [max(grown[bound] for bound in bounds[: i + 1]) for i in range(len(bounds))]
    p50, p90 = (quantile(bounds, reached, q * total) if total >= 10 else math.nan for q in (0.5, 0.9))
    p99 = quantile(bounds, reached, 0.99 * total) if total >= 100 else math.nan
    return Said(ts_ns, total / seconds, mean, (p50, p90, p99))


def quantile(bounds: list[float], reached: list[float], rank: float) -> float:
    """As Prometheus reads it: a straight line within the bucket, from zero in the first one; the last bound beyond it."""
    if not bounds:
        return math.nan
    at = next((i for i, count in enumerate(reached) if count >= rank), -1)
    if at < 0:
        return bounds[-1]
    if at == 0 and bounds[0] <= 0:
        return bounds[0]
    lower, below = (bounds[at - 1], reached[at - 1]) if at else (0.0, 0.0)
    inside = reached[at] - below
    return lower + (bounds[at] - lower) * ((rank - below) / inside) if inside > 0 else bounds[at]
