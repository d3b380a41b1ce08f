"""What `calibration` computes, in plain Python for one series that is never quarantined: written to be obvious, never to be fast.

It starts from what the detectors said of each sample. Nothing but tests calls it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

from detectors import budget, calibration, usual
from detectors.contract import Detector
from detectors.naive_words import NAN, Sample, clamp, sign

MINUTE_NS = 60_000_000_000
PRIOR_SAMPLES = 2000


class Said(NamedTuple):
    """What one detector said of one sample."""

    decades: float
    expected: float
    scale: float
    direction: int
    since: float


class Opinion(NamedTuple):
    """What is made of it."""

    score: float = NAN
    usual: float = 0.0
    among: float = NAN
    expected: float = NAN
    scale: float = NAN
    deviation: float = 0.0
    kind: str = "none"
    onset_ns: int = 0


class Habits:
    """Which level of surprise is usual at each time of the day: a number from 0 to 7 for each slot of one, five or fifteen minutes."""

    def __init__(self) -> None:
        self.levels: dict[int, int] = {}

    def slot(self, s: Sample) -> tuple[int, int]:
        """(slot, the minutes that it is long)."""
        minutes = 1 if s.step < 250.0 else 5 if s.step < 800.0 else 15
        return s.civil_ns // MINUTE_NS % 1440 // minutes * minutes, minutes

    def known(self, s: Sample) -> float:
        return 2.0 * self.levels.get(self.slot(s)[0], 0)

    def learn(self, s: Sample, surprise: float) -> None:
        """A whole step, as often as the mean over four days asks for."""
        slot, minutes = self.slot(s)
        level, spent = self.levels.get(slot, 0), min(s.step, 60.0 * minutes)
        move = spent / (4.0 * 60.0 * minutes + spent) * (min(surprise / 2.0, 7.0) - level)
        self.levels[slot] = min(max(level + math.floor(move + usual.chance(s.civil_ns // 1_000_000_000)), 0), 7)


class Hours:
    """Which height one sum in ten exceeds: in each hour of the day, as steps of 2**-13 from 1.5, and in all of it."""

    def __init__(self) -> None:
        self.steps = dict.fromkeys(range(24), 0)
        self.day = 1.5

    def height(self, hour: int) -> float:
        return 1.5 + self.steps[hour] / 2**13

    def owed(self, s: Sample, lived_days: float, threshold: float) -> float:
        """Of a great sum; nothing on the first day, and all of it after the fourth."""
        trust = clamp((lived_days - 1.0) / 3.0, 1.0) if lived_days > 1.0 else 0.0
        return clamp(trust * 2.5 * (self.height(self.of(s)) - self.day), 0.5 * threshold)

    def learn(self, s: Sample, lived_days: float, y: float) -> None:
        """The first sample of a minute teaches."""
        if s.civil_ns // MINUTE_NS == (s.civil_ns - round(s.dt * 1e9)) // MINUTE_NS:
            return
        memory = 86_400.0 * min(14.0, 2.0 + 0.5 * lived_days)
        spent = min(max(s.dt, 60.0), 3600.0)
        hour, whole = self.of(s), math.floor(0.6 * 24.0 * spent / (memory + 24.0 * spent) * 2**13 + 0.5)
        moved = self.steps[hour] + (9 * whole if y > self.height(hour) else -whole)
        self.steps[hour] = min(max(moved, -(2**13)), 32_000)
        self.day = self.day + 0.6 * spent / (memory + spent) / 0.1 * (0.9 if y > self.day else -0.1)
        self.day = min(max(self.day, 0.5), 1.5 + 32_000 / 2**13)

    @staticmethod
    def of(s: Sample) -> int:
        return s.civil_ns // (60 * MINUTE_NS) % 24


class Threshold:
    """What the sum exceeds once in a hundred samples; an excursion teaches its first five samples, and all again from the fiftieth on.

    Two heights: samples beyond one and a half of the first teach it a fifth; to the second (`bursting`) all are alike.
    """

    def __init__(self) -> None:
        self.height = self.bursting = 0.0
        self.above = 0
        self.below = 0

    def in_fault(self) -> bool:
        return calibration.TEACHES < self.above < calibration.RESUMES

    def learn(self, s: Sample, y: float, params: calibration.Params) -> None:
        if s.seen == 0:
            self.height = self.bursting = calibration.PRIOR_THRESHOLD
        if s.seen <= params.samples_min:
            return
        exceeds = y > self.height
        self.below = 0 if exceeds else min(self.below + 1, calibration.CALM_SAMPLES)
        if exceeds:
            self.above = min(self.above + 1, calibration.RESUMES)
        elif self.below == calibration.CALM_SAMPLES:
            self.above = 0
        share = max(1.0 / (s.seen + PRIOR_SAMPLES), min(s.dt / (params.tail_seconds + s.dt), 1.0 / PRIOR_SAMPLES))
        if not (self.in_fault() and y > self.bursting):
            self.bursting = moved(self.bursting, y, share)
        if not (self.in_fault() and exceeds):
            self.height = moved(self.height, y, share * (0.2 if y > 1.5 * self.height else 1.0))

    @staticmethod
    def decades(height: float, y: float) -> float:
        """In proportion up to the threshold, exponential beyond."""
        if y <= height:
            return 2.0 * y / height
        return 2.0 + (y - height) / calibration.EXCESS / math.log(10.0)


def moved(height: float, y: float, share: float) -> float:
    """A hundredth of the samples shall be above."""
    move = (1.0 - calibration.EXCEEDED) if y > height else -calibration.EXCEEDED
    return max(height + share * calibration.EXCESS / calibration.EXCEEDED * move, 0.5)


class Heat:
    """The average of the last few sums; a pause ends it."""

    def __init__(self) -> None:
        self.now = 0.0

    def raised(self, s: Sample, y: float) -> float:
        before = self.now if s.dt <= 10.0 * s.step else 0.0
        self.now = before + 0.4 * (y - before)
        return math.hypot(y, calibration.HEAT_SHARE * self.now)


def clipped(decades: float) -> float:
    return decades if decades <= 6.0 else 6.0 + math.log10(decades - 5.0)


def needed(step: float, params: calibration.Params) -> float:
    month = 30 * 86_400
    decades = budget.NEEDED_BASE + budget.NEEDED_SHARE * math.log10(month / max(step, 1e-3))
    return max(decades + budget.BUDGET_SHARE * math.log10(params.budget_seconds / month), budget.NEEDED_MIN)


class NaiveCalibration:
    """One series. `judge` takes its samples in order, each with what the detectors said of it and what the season explains of its value."""

    def __init__(self, detectors: Sequence[Detector], params: calibration.Params) -> None:
        self.detectors = detectors
        self.params = params
        self.threshold, self.habits, self.hours = Threshold(), Habits(), Hours()
        self.heat, self.whole_heat = Heat(), Heat()
        self.first_ns = self.onset_ns = self.calm = 0
        self.lean = 0.0

    def judge(self, s: Sample, said: Sequence[Said], seasonal: float) -> Opinion:
        if s.seen == 0:
            self.first_ns = s.ts_ns
        shares = [d.weight * clipped(one.decades) for d, one in zip(self.detectors, said, strict=True)]
        voices = [
            (d.weight if d.voice is None else d.voice) * clipped(one.decades) for d, one in zip(self.detectors, said, strict=True)
        ]
        y, top = sum(shares), voices.index(max(voices))
        alone = max(d.alone * one.decades for d, one in zip(self.detectors, said, strict=True))
        known = self._usual(s, y)
        whole = self.whole_heat.raised(s, y)
        y = self._calmed(s, self.heat.raised(s, y - known), known)
        height, bursting = self.threshold.height, self.threshold.bursting
        decades = self.threshold.decades(height, y) if s.seen else 0.0
        less = self.threshold.decades(height, whole) if s.seen else 0.0
        among = max(self.threshold.decades(bursting, max(y, whole)), alone) if s.seen else 0.0
        self.threshold.learn(s, y, self.params)
        if s.seen == 0:
            return Opinion(onset_ns=s.ts_ns)
        decades = max(decades, alone)
        onset_ns = self._date_back(s, decades, said[top].since)
        by = self._explains(said)
        off = s.value - said[by].expected if by is not None else 0.0
        kind = self._kind(said, top, by, off, seasonal, lasts=(s.ts_ns - onset_ns) / 1e9 >= 10.0 * s.step)
        opinion = Opinion(kind=kind, onset_ns=onset_ns)
        if by is not None:
            scale = said[by].scale
            opinion = opinion._replace(expected=said[by].expected, scale=scale, deviation=off / scale)
        warm = s.seen >= self.params.samples_min and (s.ts_ns - self.first_ns) / 1e9 >= self.params.warm_up_seconds
        if not warm:
            return opinion
        bar = needed(s.step, self.params)
        return opinion._replace(score=decades / bar, usual=max(less - decades, 0.0) / bar, among=among / bar)

    def _usual(self, s: Sample, y: float) -> float:
        """What of the sum is usual at this time of the day, where the series has a season; the time learns it."""
        if s.step >= usual.STEP_MAX or all(d.name != "season" for d in self.detectors):
            return 0.0
        known = min(self.habits.known(s), y)
        if not self.threshold.in_fault():
            self.habits.learn(s, y if y >= calibration.NOTED * self.threshold.height else 0.0)
        return known

    def _calmed(self, s: Sample, y: float, known: float) -> float:
        """Less what a restless hour owes, in proportion up to one and a half thresholds; the hour learns the whole."""
        if s.seen == 0 or s.step >= usual.STEP_MAX or all(d.name != "season" for d in self.detectors):
            return y
        days = (s.ts_ns - self.first_ns) / 86_400e9
        owed = self.hours.owed(s, days, self.threshold.height)
        if known > 0.0:
            owed = min(owed, 0.0)
        if y <= self.threshold.height:
            self.hours.learn(s, days, y)
        return y - owed * min(y / (1.5 * self.threshold.height), 1.0)

    def _date_back(self, s: Sample, decades: float, since: float) -> int:
        """An excursion ends with the fifth ordinary sample in a row."""
        if decades >= 2.0:
            self.calm = 0
            self.onset_ns = self.onset_ns or s.ts_ns
        else:
            self.calm += 1
            if self.calm >= calibration.CALM_SAMPLES:
                self.onset_ns = 0
        if not self.onset_ns:
            return s.ts_ns
        return max(min(self.onset_ns, s.ts_ns - int(min(since, 86_400.0) * 1e9)), self.first_ns)

    def _explains(self, said: Sequence[Said]) -> int | None:
        """The last without a weight that expects something, else the first that does."""
        expecting = [i for i, one in enumerate(said) if one.scale > 0.0]
        silent = [i for i in expecting if self.detectors[i].weight == 0.0]
        return silent[-1] if silent else expecting[0] if expecting else None

    def _kind(self, said: Sequence[Said], top: int, by: int | None, off: float, seasonal: float, *, lasts: bool) -> str:
        if not self.onset_ns:
            self.lean = 0.0
        else:
            self.lean += 0.2 * (sign(off) - self.lean)
        toward = said[top].direction + 1
        of_season = by is not None and abs(off + seasonal) < 0.5 * abs(off)
        if lasts:
            if by is not None and of_season:
                return self.detectors[by].lasting[toward]
            return self.detectors[top].lasting[1 if abs(clamp(self.lean, 1.0)) < 0.4 else toward]
        if by is not None and of_season and self.detectors[by].kinds[toward] == self.detectors[by].lasting[toward]:
            return self.detectors[by].kinds[toward]
        return self.detectors[top].kinds[toward]
