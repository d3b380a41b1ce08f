"""A slow, obvious oracle of forecast.py and exhaustion.py: one series at a time, in plain Python, with the C library's functions.

It follows the words of their docstrings over whole lists of cells. What the kernels keep in float32 is rounded to it here too: the same
numbers then stand on both sides of every threshold. Nothing but tests calls it.
"""

from __future__ import annotations

import math
import struct
from dataclasses import dataclass, field
from itertools import groupby

from detectors.forecast import CELL_NS, HORIZONS, Params

HOUR, DAY = 6, 144
NAN = float("nan")


def single(x: float) -> float:
    """Rounded to float32; denormals are nothing."""
    rounded: float = struct.unpack("f", struct.pack("f", x))[0]
    return 0.0 if abs(x) < 1e-30 else rounded


@dataclass
class Ahead:
    """What an oracle says at the end of a cell; hours, and values beside the origin."""

    cell: int
    forecasts: dict[int, tuple[float, float, float]]  # cells ahead: value, lower and upper end
    slope: float
    evident: float
    news: float
    beyond: float
    early: float
    middle: float
    late: float
    age: int
    sawtooth: bool


@dataclass
class Series:
    """One series between two cells."""

    params: Params
    origin: float
    born: int
    cell: int
    seen: int = 0
    run: int = 0
    odd: int = 0
    level: list[float] = field(default_factory=lambda: [0.0] * 3)
    slope: list[float] = field(default_factory=lambda: [0.0] * 3)
    wave: list[float] = field(default_factory=lambda: [0.0] * 6)
    unrest: float = 0.0
    low: float = 0.0
    high: float = 0.0
    pending: dict[int, float] = field(default_factory=dict)  # horizon: forecast
    errors: list[float] = field(default_factory=lambda: [0.0] * 3)
    resets: float = 0.0

    # -------------------------------------------------------------------------------------- what it knows
    def basis(self, cell: int) -> list[float]:
        turn = 2.0 * math.pi * (cell % DAY + 0.5) / DAY
        return [f(k * turn) for k in (1, 2, 3) for f in (math.cos, math.sin)]

    def shape(self, cell: int) -> float:
        return sum(a * b for a, b in zip(self.wave, self.basis(cell), strict=True))

    def floor(self) -> float:
        return 1e-6 * abs(self.origin + self.level[0]) + 1e-12

    def error(self, cells: float) -> float:
        roots = [math.sqrt(h) for h in HORIZONS]
        a, b, c = self.errors
        b = b or a * roots[1] / roots[0]
        c = c or b * roots[2] / roots[1]
        a = a or b * roots[0] / roots[1]
        root = math.sqrt(cells)
        if root <= roots[1]:
            return max(a + (b - a) * (root - roots[0]) / (roots[1] - roots[0]), 0.3 * a)
        return max(b + (c - b) * (root - roots[1]) / (roots[2] - roots[1]), min(b, c))

    def rate(self, age: int) -> float:
        steady = self.params[age]
        return max(steady / (1.0 + steady), min(3.0 / ((self.run if age == 0 else self.seen) + 2.0), 1.0))

    def slope_error(self, age: int) -> float:
        window, horizon = ((36, HORIZONS[1]), (144, HORIZONS[2]), (720, HORIZONS[2]))[age]
        wander = self.error(window) / math.sqrt(window)
        if wander == 0.0 and self.seen < DAY:
            return math.inf
        measured = max(self.cell - self.born - 2 * DAY, 0) / horizon
        doubt = math.sqrt(1.0 + 4.0 / (measured + 1.0))
        rate = self.rate(age)
        noise = 1.2533 * self.unrest * math.sqrt(2.0 * rate**3)
        return math.hypot(doubt * 1.2533 * wander * math.sqrt(rate) / 2.0, noise) + self.floor() / window

    def trend(self) -> tuple[int, float, float]:
        errors = [self.slope_error(age) for age in range(3)]
        chosen = 0
        for age in (1, 2):
            apart = abs(self.slope[age] - self.slope[chosen])
            if not apart <= 2.0 * math.hypot(errors[chosen], errors[age]) or errors[age] > errors[chosen]:
                break
            chosen = age
        return chosen, self.slope[chosen], errors[chosen]

    def interval(self, cells: int) -> tuple[float, float, float]:
        value, usual = self.forecast(cells)
        reach = 1.645 * 1.2533 * usual
        if reach == 0.0:
            return value, NAN, NAN
        if self.resets < 1.5:
            return value, value - reach, value + reach
        shape = self.shape(self.cell + cells)
        return value, min(value - reach, self.low + shape), max(value + reach, self.high + shape)

    def forecast(self, cells: int) -> tuple[float, float]:
        _, slope, its_error = self.trend()
        value, usual = self.level[0], self.error(cells)
        z = slope / its_error
        followed = z * z / (z * z + self.params.evident**2)
        value += followed * slope * cells
        if followed:
            usual = math.hypot(usual, followed * its_error / 1.2533 * max(cells - DAY, 0))
        overdue = max(self.level[0] - self.high, self.low - self.level[0]) > 0.25 * (self.high - self.low)
        if self.resets >= 1.5 and not overdue and not min(self.low, self.level[0]) <= value <= max(self.high, self.level[0]):
            value = (self.high + self.low) / 2.0
        return value + self.shape(self.cell + cells), usual

    # -------------------------------------------------------------------------------------- what it learns
    def close(self, cell: int, average: float) -> None:
        average = single(average)
        x = average - self.shape(cell)
        k = min(cell - self.cell, 30_000)
        self.cell = cell
        if self.seen == 0 or k > 7 * DAY:
            self.level, self.slope = [single(x)] * 3, [0.0] * 3
            self.low = self.high = single(x)
            self.seen = self.run = 1
            self.odd = 0
            self.pending = {}
            return
        self.check(cell, k, average)
        self.level = [single(a + k * b) for a, b in zip(self.level, self.slope, strict=True)]
        error = x - self.level[0]
        limit = 6.0 * (1.2533 * self.unrest + self.floor())
        strange = self.run >= 6 and abs(error) > limit
        if strange and self.odd < 2:
            self.odd += 1
        elif strange:
            self.step_over(error)
        else:
            self.learn(k, error, limit)
        self.resets = single(self.resets * (1.0 - k / (14.0 * DAY + k)))
        wide, narrow = k / (DAY + k), k / (30.0 * DAY + k)
        self.high = single(self.high + (wide if self.level[0] > self.high else narrow) * (self.level[0] - self.high))
        self.low = single(self.low + (wide if self.level[0] < self.low else narrow) * (self.level[0] - self.low))
        for h in HORIZONS:
            if cell // h > (cell - k) // h:
                self.pending[h] = single(self.forecast(h - cell % h)[0])

    def check(self, cell: int, k: int, average: float) -> None:
        for place, h in enumerate(HORIZONS):
            passed = cell // h - (cell - k) // h
            waited = self.pending.pop(h, None) if passed else None
            if passed != 1 or waited is None:
                continue
            missed = abs(average - waited - (cell % h) * self.slope[0])
            known = (cell - self.born - 2 * DAY) // h
            prior = self.error(h) or missed
            if known > 1:
                missed = min(missed, 4.0 * prior + self.floor())
            rate = max(h / (self.params.error_days * DAY + h), 3.0 / (max(known, 0) + 5.0))
            self.errors[place] = single(prior + rate * (missed - prior))

    def step_over(self, error: float) -> None:
        width, landed = self.high - self.low, self.level[0] + error
        if error * self.slope[0] < 0.0 and abs(error) >= 0.3 * width:
            self.resets += 1.0
            self.pending = {}
        if max(landed - self.high, self.low - landed) > 0.5 * width:
            self.level[1:] = [single(a + error) for a in self.level[1:]]
        self.level[0], self.slope[0] = single(landed), 0.0
        self.run, self.odd = 1, 0

    def learn(self, k: int, error: float, limit: float) -> None:
        self.odd = 0
        if self.run >= 6:
            error = max(-limit, min(limit, error))
        x, surprise = self.level[0] + error, error
        for age in range(3):
            surprise = x - self.level[age]
            usual = self.error(36 if age == 1 else 144) if age else 0.0
            if usual > 0.0:
                most = 4.0 * 1.2533 * usual + limit
                surprise = max(-most, min(most, surprise))
            rate = self.rate(age)
            rate = max(rate, k * rate / (1.0 + k * rate))
            self.level[age] = single(self.level[age] + rate * (2.0 - rate) * surprise)
            self.slope[age] = single(self.slope[age] + rate * rate / k * surprise)
        share = min(max(k / (3.0 * DAY + k), 1.0 / (self.seen + 1.0)), 0.2)
        self.unrest = single(self.unrest + share * (abs(error) - self.unrest))
        if k <= 18:
            gain = min(max(k / (5.0 * DAY + k), k / ((self.cell - self.born) / 3.0 + 72.0 + k)), 0.1)
            self.wave = [single(a + 2.0 * gain * surprise * b) for a, b in zip(self.wave, self.basis(self.cell), strict=True)]
        self.seen += 1
        self.run += 1

    # -------------------------------------------------------------------------------------- what is ahead
    def ahead(self, bound: float, toward: float) -> Ahead:
        """`bound` from the origin, NaN for none; `toward` is 1 or -1."""
        age, slope, its_error = self.trend()
        evident = toward * slope / its_error
        width = self.high - self.low + (0.0 if self.resets >= 1.5 else 1.645 * 1.2533 * self.error(DAY))
        out = self.level[0] - self.high if toward > 0 else self.low - self.level[0]
        early, middle, late = NAN, NAN, NAN
        if evident > self.params.evident or toward * (self.level[0] - bound) >= 0.0:
            path = [
                (h, toward * (self.level[0] + slope * h * HOUR + self.shape(self.cell + h * HOUR) - bound)) for h in range(169)
            ]
            reach = [1.645 * math.hypot(1.2533 * self.error(h * HOUR), its_error * h * HOUR) if h else 0.0 for h in range(169)]
            early, middle, late = (next((float(h) for h, y in path if y + s * reach[h] >= 0.0), NAN) for s in (1, 0, -1))
        news = toward * (self.slope[1] - self.slope[2]) / self.slope_error(1)
        told = {h: self.interval(h) for h in (6, 36, 144, 1008)}
        beyond = out / max(width, 1e-30)
        return Ahead(self.cell, told, slope * HOUR, evident, news, beyond, early, middle, late, age, sawtooth=self.resets >= 1.5)


def naive_forecast(ts_ns: list[int], value: list[float], params: Params, bound: float = NAN, toward: float = 1.0) -> list[Ahead]:
    """What is ahead at the end of each cell but the last. Samples are usable and in time order."""
    cells = [(c, [v for _, v in part]) for c, part in groupby(zip(ts_ns, value, strict=True), key=lambda s: s[0] // CELL_NS)]
    if not cells:
        return []
    series = Series(params, value[0], cells[0][0], cells[0][0])
    found = []
    for cell, values in cells[:-1]:
        average = 0.0
        for n, v in enumerate(values, 1):
            average = single(average + (v - series.origin - average) / n)
        series.close(cell, average)
        found.append(series.ahead(bound - series.origin, toward))
    return found
