"""What `alarm`, `shapes` and `density` compute, in plain Python for one series: written to be obvious, never to be fast.

Whatever can be told from the past is told from all of it, kept in lists: a tail from the values that it was given, a bin from those that
fell into it, a record from the series. Averages that forget are kept as the docstrings have them. Nothing but tests calls this.
"""

from __future__ import annotations

import math
from itertools import pairwise
from typing import NamedTuple

from detectors import alarm, density, shapes
from detectors.projection import CUTS, LAGS, WEIGHT

DECADE = math.log(10.0)


# ------------------------------------------------------------------------------------------------------ shapes
class Box(NamedTuple):
    """A region of known shapes: the ends of its sides, and the block at which it was last of use."""

    low: list[float]
    high: list[float]
    used: int


def in_order(parts: list[float]) -> float:
    """The sum, added up from the first to the last, so that what is equally far is so here too."""
    total = 0.0
    for part in parts:
        total += part
    return total


def distance(box: Box, point: list[float]) -> float:
    """How far a point is outside a box, all sides together."""
    return in_order([max(low - x, x - high, 0.0) for low, high, x in zip(box.low, box.high, point, strict=True)])


def around(box: Box, point: list[float], block: int) -> Box:
    """The box, grown just so far that the point is inside."""
    return Box(list(map(min, box.low, point)), list(map(max, box.high, point)), block)


def room(box: Box) -> float:
    return in_order([high - low for low, high in zip(box.low, box.high, strict=True)])


class NaiveShapes:
    """The memory of shapes."""

    def __init__(self) -> None:
        self.values: list[float] = []
        self.recent = 0.0
        self.blocks: list[float] = []  # what sums each up
        self.boxes: list[Box] = []

    def newness(self, span: float, value: float) -> float:
        """The distance of the shape that the value completes to the nearest one known, as a part of `span`."""
        self.values.append(value)
        if len(self.values) % shapes.BLOCK:
            return 0.0
        self._end_block(self.values[-shapes.BLOCK :])
        if len(self.blocks) < shapes.WINDOW:
            return 0.0
        window = self.blocks[-shapes.WINDOW :]
        mean = in_order([x / shapes.WINDOW for x in window])
        point = window + [x - mean for x in window]
        nearest = min((distance(box, point) for box in self.boxes), default=0.0)
        self._learn(point, shapes.RADIUS * span * len(point))
        return nearest / (span * len(point))

    def _end_block(self, block: list[float]) -> None:
        mean = in_order(block) / len(block)
        self.recent = 0.5 * (self.recent + mean) if self.blocks else mean
        extreme = max(max(block), min(block), key=lambda x: abs(x - self.recent))
        self.blocks.append(extreme if abs(extreme - mean) >= 0.1 * abs(mean) else mean)

    def _learn(self, point: list[float], largest: float) -> None:
        """The nearest box that may take the point in does; else a new one begins, for the one that was of no use for longest."""
        block = len(self.blocks)
        fitting = [k for k, box in enumerate(self.boxes) if room(around(box, point, block)) <= largest]
        if fitting:
            nearest = min(fitting, key=lambda k: distance(self.boxes[k], point))
            self.boxes[nearest] = around(self.boxes[nearest], point, block)
            return
        anew = Box(point, point, block)
        if len(self.boxes) < shapes.BOXES:
            self.boxes.append(anew)
            return
        oldest = min(range(len(self.boxes)), key=lambda k: self.boxes[k].used)
        self.boxes[oldest] = anew


# ------------------------------------------------------------------------------------------------------ density
class NaiveDensity:
    """How rare four samples are together. A bin is the sorted list of all that fell into it."""

    def __init__(self) -> None:
        self.values: list[float] = []
        self.cuts: list[list[list[float]]] = [[] for _ in range(CUTS)]
        self.centre = self.square = 0.0
        self.usual = self.unrest = 0.0

    def rarity(self, value: float) -> float:
        """How many usual deviations rarer than usual the value is with those before it."""
        self.values.append(value)
        seen = len(self.values)
        off = value - self.centre
        self.centre += off / seen
        self.square += off * (value - self.centre)
        # The newest first; before there are so many, as if the first value had always been there.
        recent = [self.values[max(seen - 1 - lag, 0)] for lag in range(LAGS)]
        unit = math.sqrt(self.square / seen) or 1.0
        surprises = []
        for cut, bins in enumerate(self.cuts):
            lags, weights = density.PAIRS[cut % len(density.PAIRS)].tolist(), WEIGHT[cut].tolist()
            z = in_order([weight * (recent[lag] - self.centre) / unit for lag, weight in zip(lags, weights, strict=True)])
            surprises.append(-math.log(max(self._density(bins, z), density.DENSITY_MIN)))
        off = sum(surprises) / len(surprises) - self.usual
        far = off / (math.sqrt(self.unrest) + 1e-6)
        pace = 1.0 / min(seen, density.MEMORY)
        self.usual += pace * off
        self.unrest += pace * (off * off - self.unrest)
        return max(far, 0.0) if seen > density.SEEN_MIN else 0.0

    def _density(self, bins: list[list[float]], z: float) -> float:
        """Take z in; the share of its bin divided by the width."""
        home = next((held for held in bins if held[0] <= z <= held[-1]), None)
        if home is None:
            bins.append([z])
            bins.sort()
        else:
            home.append(z)
            home.sort()
        if len(bins) > density.BINS:
            first = min(range(density.BINS), key=lambda k: bins[k + 1][-1] - bins[k][-1])
            bins[first : first + 2] = [bins[first] + bins[first + 1]]
        place = next(k for k, held in enumerate(bins) if held[0] <= z <= held[-1])
        return len(bins[place]) / len(self.values) / width(bins, place)


def width(bins: list[list[float]], place: int) -> float:
    """From a bin's least to its largest; of one value, the gap to the nearer neighbour; 1 where there is none."""
    held = bins[place]
    if held[-1] > held[0]:
        return held[-1] - held[0]
    gaps = [held[0] - before[-1] for before in bins[:place]] + [after[0] - held[-1] for after in bins[place + 1 :]]
    return min(gaps, default=1.0)


# ------------------------------------------------------------------------------------------------------ alarm
def beyond(excess: float, taught: list[float]) -> float:
    """-log10 P(X > excess), of a generalised Pareto distribution with the mean and the variance of the excesses taught."""
    mean = math.fsum(taught) / len(taught) if taught else 1.0
    variance = math.fsum((x - mean) ** 2 for x in taught) / max(len(taught) - 1, 1)
    if variance <= 1e-18:
        return min(excess / mean / DECADE, 300.0)
    shape = max(-alarm.SHAPE_MAX, min(0.5 * (1.0 - mean * mean / variance), alarm.SHAPE_MAX))
    scale = mean * (1.0 - shape)
    if abs(shape) < 1e-6:
        return min(excess / scale / DECADE, 300.0)
    inside = 1.0 + shape * excess / scale
    return min(math.log10(inside) / shape, 300.0) if inside > 0.0 else 300.0


def naive_decades(sizes: list[float]) -> list[float]:
    """How rare each is, in decades, among those before it; nothing is said of the first, whose fourth largest is the threshold."""
    first = sizes[: alarm.WARM]
    told = [0.0] * len(first)
    if len(first) < alarm.WARM:
        return told
    threshold = sorted(first, reverse=True)[alarm.LARGEST - 1]
    taught = [z - threshold for z in first if z > threshold]
    above = len(taught)
    for seen, z in enumerate(sizes[alarm.WARM :], start=alarm.WARM):
        known = math.log10(seen / max(above, 1))
        if z <= threshold:
            told.append(known * z / threshold if threshold > 0.0 else 0.0)
            continue
        told.append(known + beyond(z - threshold, taught))
        above += 1
        if told[-1] < alarm.ALARMING:  # an alarm is no example of what is usual
            taught.append(z - threshold)
    return told


def naive_jumps(values: list[float]) -> list[float]:
    """The change from the sample before, in usual changes."""
    usual = 0.0
    sizes = [0.0] if values else []
    for seen, (last, value) in enumerate(pairwise(values), start=1):
        change = abs(value - last)
        sizes.append(change / (math.sqrt(usual) + 1e-9 + 1e-6 * abs(value)) if seen > 20 else 0.0)
        square = change * change
        if seen > 50 and usual > 0.0:
            square = min(square, alarm.BOUND * usual)
        usual += max(1.0 / 200.0, 1.0 / seen) * (square - usual)
    return sizes


def naive_records(values: list[float]) -> list[float]:
    """How far beyond everything seen, as a part of the range."""
    parts = []
    for seen, value in enumerate(values):
        lowest, highest = min(values[: seen or 1]), max(values[: seen or 1])
        outside = max(value - highest, lowest - value, 0.0)
        parts.append(outside / (highest - lowest) if seen > 20 and highest > lowest else 0.0)
    return parts


def naive_shapes(values: list[float]) -> list[float]:
    """The distance of the last samples to all shapes known, as a part of the range so far."""
    memory = NaiveShapes()
    ranges = [max(values[:n]) - min(values[:n]) for n in range(1, len(values) + 1)]
    return [memory.newness(max(span, 1e-9), value) for span, value in zip(ranges, values, strict=True)]


def naive_rarities(values: list[float]) -> list[float]:
    memory = NaiveDensity()
    return [memory.rarity(value) for value in values]


def naive_news(values: list[float]) -> list[float]:
    """The sum of what the four witnesses say of each sample, in decades."""
    new_shapes = naive_shapes(values)
    new_shapes[: alarm.WARM] = [0.0] * len(new_shapes[: alarm.WARM])
    news = [0.0] * len(values)
    witnesses = ((0.5, naive_jumps(values)), (2.0, naive_records(values)), (1.0, new_shapes), (1.0, naive_rarities(values)))
    for share, sizes in witnesses:
        for i, decades in enumerate(naive_decades(sizes)):
            news[i] += share * (min(decades, alarm.CLIP) + alarm.BEYOND * decades)
    return news


def naive_alarms(news: list[float], params: alarm.Params) -> list[float]:
    """The score of each alarm at the sample where it starts, else 0. A sample without any news does not count as quiet."""
    told: list[float] = []  # of the samples with news
    scores = []
    for greatness in news:
        if greatness <= 0.0:
            scores.append(0.0)
            continue
        starts = greatness > max(told[-params.quiet_samples :], default=0.0)
        told.append(greatness if starts else 0.0)
        scores.append(told[-1] / params.news)
    return scores


def naive_worst(scores: list[float], params: alarm.Params) -> list[float]:
    """The score where it is greater than any told of late, else 0; not a number is no opinion, but its row counts."""
    told: list[float] = []
    for score in scores:
        told.append(score if score > max(told[-params.quiet_samples :], default=0.0) else 0.0)
    return told
