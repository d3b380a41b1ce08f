"""The oracle of `cycle`: its words again over a dictionary of bins, with numpy's sums and the C library's logarithm.

What the state keeps in float32 is rounded to it here too: the same numbers then stand on both sides of every threshold.
"""

from __future__ import annotations

import math

import numpy as np

from detectors import cycle
from detectors.naive_words import Sample, Verdict, clamp, sign, tail_decades

SIZE = 1024
FIVE_MINUTES = 300_000_000_000


def single(x: float) -> float:
    return float(np.float32(x if abs(x) >= 1e-18 else 0.0))


class Bins:
    """Distances from the centre as whole multiples of a power of two, by their time in bins; what is missing was not heard."""

    def __init__(self) -> None:
        self.units: dict[int, int] = {}
        self.unit = 0.0

    def at(self, place: int) -> float:
        return self.units.get(place, 0) * self.unit

    def ago(self, place: int, back: float) -> float:
        """So many bins before the middle of a bin, between the two nearest; the one that was heard where the other was not."""
        whole = math.floor(-back)
        first, second = self.at(place + whole), self.at(place + whole + 1)
        return first + (-back - whole) * (second - first) if first and second else first or second

    def put(self, place: int, x: float) -> None:
        if abs(x) > 32_000 * self.unit:
            unit = self.unit or 2.0**-100
            while abs(x) > 8_000 * unit:
                unit *= 2.0
            self._change(unit)
        self.units[place] = math.floor(x / self.unit + 0.5) if self.unit else 0
        self.units = {p: n for p, n in self.units.items() if n and p > place - SIZE}

    def shrink(self) -> None:
        most = max(map(abs, self.units.values()), default=0)
        unit = self.unit if most else 0.0
        while most and 2 * most <= 8_000 and unit > 2.0**-100:
            most, unit = 2 * most, unit / 2.0
        if unit and unit < self.unit:
            self._change(unit)
        self.unit = unit

    def _change(self, unit: float) -> None:
        self.units = {p: math.floor(n * self.unit / unit + 0.5) for p, n in self.units.items()}
        self.unit = unit

    def correlation(self, newest: int, lag: int) -> float:
        known = np.array([self.units.get(place, 0) for place in range(newest - SIZE + 1, newest + 1)], np.float64)
        late, early = known[lag:], known[:-lag]
        squares = float((late**2).sum()) * float((early**2).sum())
        return float((late * early).sum()) / math.sqrt(squares) if squares else 0.0


class Sweep:
    """From the smallest lag to a third of what was heard, a lag a bin. `best` is the lag that stands out."""

    def __init__(self, params: cycle.Params) -> None:
        self.params = params
        self.seen: list[float] = []
        self.height = self.best = 0.0

    def add(self, now: float) -> None:
        """The autocorrelation at the next lag."""
        two = [2.0, 2.0, *self.seen][-2:]
        lowest = min([2.0, *self.seen[:-1]])
        least = max(self.params.found, lowest + self.params.rise, self.height + self.params.better)
        if two[1] >= two[0] and two[1] > now and two[1] > least:
            self.height = two[1]
            self.best = single(cycle.LAG_MIN + len(self.seen) - 1 + 0.5 * (two[0] - now) / (two[0] - 2.0 * two[1] + now))
        self.seen.append(single(now))


class Cycle:
    """Of one series."""

    def __init__(self, params: cycle.Params, bin_ns: int, s: Sample) -> None:
        self.params, self.bin_ns = params, bin_ns
        self.bins, self.sweep = Bins(), Sweep(params)
        self.centre, self.open = s.value, s.ts_ns // bin_ns
        self.values: list[float] = []
        self.period = self.scale = self.spread = self.trust = 0.0
        self.heard = self.proven = self.failed = 0
        self.trial: list[tuple[float, ...]] = []

    def floor(self) -> float:
        return 0.05 * self.spread + 1e-9 * abs(self.centre) + 1e-12

    def size(self) -> float:
        return 1.25 * self.scale + self.floor()

    def votes(self, place: int, ahead: float) -> list[float]:
        votes = [self.bins.ago(place, k * self.period - ahead) for k in (1, 2, 3)]
        return [vote for vote in votes if vote]

    def predicted(self, place: int, ahead: float) -> float:
        return float(np.median(self.votes(place, ahead) or [0.0]))

    def outlook(self, s: Sample) -> tuple[float, float, float]:
        """What is predicted, and the least and the greatest that may be."""
        if not self.period:
            return 0.0, 0.0, 0.0
        place = s.ts_ns // self.bin_ns
        ahead = (s.ts_ns - place * self.bin_ns) / self.bin_ns - 0.5
        shape = self.predicted(place, ahead)
        may = [shape, self.predicted(place, ahead + 1.0), self.predicted(place, ahead - 1.0)]
        may += [vote for vote in self.votes(place, ahead) if abs(vote) < abs(shape)]
        return (shape, min(may), max(may)) if shape else (0.0, 0.0, 0.0)

    def score(self, s: Sample) -> Verdict:
        shape, low, high = self.outlook(s)
        if not self.trust or not shape:
            return Verdict(0.0)
        apart = s.value - self.centre
        beyond = max(low - apart, apart - high, 0.0)
        decades = self.trust * tail_decades(beyond / self.size())
        return Verdict(decades, self.centre + self.trust * shape, self.size(), sign(beyond and apart - shape))

    def learn(self, s: Sample) -> None:
        shape, low, high = self.outlook(s)
        apart = s.value - self.centre
        if shape:
            edge = high - low > self.params.edge * self.size()
            error = abs(apart - (min(max(apart, low), high) if edge else shape))
            error = min(error, 4.0 * self.size()) if self.trust else error
            seconds = 3.0 * self.period * self.bin_ns * 1e-9
            self.scale = single(self.scale + min(s.dt / (seconds + s.dt), 0.2) * (error - self.scale))
        place = s.ts_ns // self.bin_ns
        if place > self.open:
            if self.values:
                self.close(math.fsum(self.values) / len(self.values))
            self.open, self.values = place, []
        self.values.append(s.value - self.centre)

    def close(self, x: float) -> None:
        self.judge(x)
        young = self.heard < 36
        x = x if young else clamp(x, 40.0 * self.spread + self.floor())
        self.bins.put(self.open, x)
        bounded = x if young else clamp(x, 5.0 * self.spread + self.floor())
        before, first = self.spread, 1.0 / (self.heard + 1)
        self.centre += max(1.0 / self.params.centre_bins, first) * bounded
        self.spread = single(before + max(0.5 / self.params.centre_bins, first) * (abs(bounded) - before))
        self.heard = min(self.heard + 1, SIZE)
        change = 1.0 / self.params.trust_bins
        if self.proven >= 3:
            self.trust = single(min(self.trust + change, 1.0))
        elif self.trust > 0.0:
            self.trust = single(max(self.trust - change, 0.0))
            if self.trust == 0.0:
                self.period, self.proven = 0.0, 0
        if self.trust == 0.0:
            self.search()

    def search(self) -> None:
        lag = cycle.LAG_MIN + len(self.sweep.seen)
        if lag <= self.heard // 3:
            self.sweep.add(self.bins.correlation(self.open, lag))
            return
        best = self.sweep.best
        self.sweep = Sweep(self.params)
        if best and not self.proven and abs(best - self.period) >= 0.05 * best:
            self.period, self.scale, self.trial = best, self.spread, []
        self.bins.shrink()

    def judge(self, x: float) -> None:
        here, wrong = (self.predicted(self.open, ahead) for ahead in (0.0, 0.381966 * self.period))
        if not self.period or not here or not wrong:
            return
        reach = max(self.period / 16.0, 1.0)
        slope = (self.predicted(self.open, reach) - self.predicted(self.open, -reach)) / (2.0 * reach)
        limit = 12.0 * self.spread + self.floor()
        errors = (min(abs(x - guess), limit) for guess in (here, 0.0, wrong))
        self.trial.append((*errors, clamp(x - here, limit) * slope, slope * slope))
        if len(self.trial) < max(self.period, self.params.trial_bins):
            return
        error, plain, off, pull, power = np.array(self.trial, np.float32).cumsum(axis=0)[-1].tolist()
        self.trial = []
        pace = self.params.settled_pace if self.trust else self.params.pace
        if power:
            self.period = min(max(self.period + pace * clamp(-pull / power, reach), 6.0), SIZE / 3)
        paid = error < (self.params.pays if self.proven < 3 else self.params.keeps) * min(plain, off)
        self.failed = 0 if paid else self.failed + 1
        if paid:
            self.proven = min(self.proven + 1, 3)
        elif self.proven < 3 or self.failed >= 3:
            self.proven = self.failed = 0
            self.period = self.period if self.trust else 0.0


def naive_cycle(samples: list[Sample], params: cycle.Params) -> list[Verdict]:
    verdicts: list[Verdict] = []
    model: Cycle | None = None
    for s in samples:
        verdicts.append(model.score(s) if model else Verdict(0.0))
        wanted = FIVE_MINUTES * max(math.ceil(s.step / 300.0 - 0.05), 1)
        other = model and (wanted >= 1.5 * model.bin_ns or wanted <= model.bin_ns / 4)
        over = model and s.ts_ns // model.bin_ns >= model.open + SIZE
        if s.seen >= 8 and (not model or other or over):
            model = Cycle(params, wanted, s)
        if model:
            model.learn(s)
    return verdicts
