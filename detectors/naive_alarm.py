"""What `alarm`, `ranks`, `places`, `density` and `shapes` compute, in plain Python for one series: written to be obvious, never to be fast.

Whatever can be told from the past is told from all of it, kept in lists: a rank from all surprises, a count from all samples, a bin from
those that fell into it, a record from the series. Averages that forget are kept as the docstrings have them. Nothing but tests calls this.
"""

from __future__ import annotations

import math
from collections import Counter
from itertools import accumulate, pairwise
from typing import NamedTuple

from detectors import alarm, density, places, ranks, shapes

DAY_NS = places.HOURS * places.HOUR_NS


# ------------------------------------------------------------------------------------------------------ ranks
def naive_decades(surprises: list[float]) -> list[float]:
    """How rare each is, in decades, among those before it."""
    told = []
    before: list[float] = []  # ascending
    for seen, surprise in enumerate(surprises):
        kept = before[-ranks.KEPT :]
        if surprise <= 0.0:
            told.append(0.0)
        elif len(kept) == ranks.KEPT and surprise <= kept[0]:
            told.append(surprise / kept[0] * math.log10((seen + 1) / (ranks.KEPT + 1)))
        else:
            told.append(math.log10((seen + 1) / (sum(s >= surprise for s in kept) + 1)))
        if surprise > 0.0:
            before.append(surprise)
            before.sort()
    return told


# ------------------------------------------------------------------------------------------------------ places
class NaivePlaces:
    """Where a series has been: how often in each hour and bin, as they were when a sample came."""

    def __init__(self) -> None:
        self.seen = 0
        self.centre = self.square = 0.0
        self.visits: Counter[tuple[int, int]] = Counter()

    def rarenesses(self, ts_ns: int, value: float) -> tuple[float, float, float]:
        """How rare the value's bin is: ever, in this quarter of the day, in this hour. Learns the sample then."""
        hour = ts_ns % DAY_NS // places.HOUR_NS
        place = self._bin_of(value)
        quarter = [h for h in range(places.HOURS) if h // places.QUARTER == hour // places.QUARTER]
        told = (self._rareness(range(places.HOURS), place), self._rareness(quarter, place), self._rareness([hour], place))
        self.visits[hour, place] += 1
        return told

    def _bin_of(self, value: float) -> int:
        self.seen += 1
        off = value - self.centre
        self.centre += off / self.seen
        self.square += off * (value - self.centre)
        spread = math.sqrt(self.square / self.seen)
        z = (value - self.centre) / spread if spread > 0.0 else 0.0
        return min(int((z / (abs(z) + 2.0) + 1.0) * (0.5 * places.BINS)), places.BINS - 1)

    def _rareness(self, hours: list[int] | range, place: int) -> float:
        there = sum(count for (hour, _), count in self.visits.items() if hour in hours)
        near = sum(weight * self.visits[hour, place + k] for hour in hours for k, weight in ((-1, 1), (0, 2), (1, 1)))
        return math.log((1 + 4 * there) / (1 + near))


# ------------------------------------------------------------------------------------------------------ density
class NaiveBins:
    """A histogram whose bins follow the data. A bin is the sorted list of all that fell into it."""

    def __init__(self) -> None:
        self.seen = 0
        self.centre = self.square = 0.0
        self.usual = self.unrest = 0.0
        self.bins: list[list[float]] = []

    def gap(self, value: float) -> float:
        """How far a value is from the nearest bin, as a part of the range."""
        span = self.bins[-1][-1] - self.bins[0][0] if self.bins else 0.0
        far = min((max(held[0] - value, value - held[-1], 0.0) for held in self.bins), default=0.0)
        self._take_in(value)
        return far / span if span > 0.0 else 0.0

    def rarity(self, value: float) -> float:
        """How many usual deviations rarer than usual a value is."""
        self.seen += 1
        off = value - self.centre
        self.centre += off / self.seen
        self.square += off * (value - self.centre)
        spread = math.sqrt(self.square / self.seen)
        z = (value - self.centre) / spread if spread > 0.0 else 0.0
        self._take_in(z)
        place = next(k for k, held in enumerate(self.bins) if held[0] <= z <= held[-1])
        share = len(self.bins[place]) / self.seen / width(self.bins, place)
        off = -math.log(max(share, density.DENSITY_MIN)) - self.usual
        far = off / (math.sqrt(self.unrest) + 1e-6)
        pace = 1.0 / min(self.seen, density.MEMORY)
        self.usual += pace * off
        self.unrest += pace * (off * off - self.unrest)
        return max(far, 0.0) if self.seen > density.SEEN_MIN else 0.0

    def _take_in(self, z: float) -> None:
        home = next((held for held in self.bins if held[0] <= z <= held[-1]), None)
        if home is None:
            self.bins.append([z])
            self.bins.sort()
        else:
            home.append(z)
            home.sort()
        if len(self.bins) > density.BINS:
            first = min(range(density.BINS), key=lambda k: self.bins[k + 1][-1] - self.bins[k][-1])
            self.bins[first : first + 2] = [self.bins[first] + self.bins[first + 1]]


def width(bins: list[list[float]], place: int) -> float:
    """From a bin's least to its largest; of one value, the gap to the nearer neighbour; 1 where there is none."""
    held = bins[place]
    if held[-1] > held[0]:
        return held[-1] - held[0]
    gaps = [held[0] - before[-1] for before in bins[:place]] + [after[0] - held[-1] for after in bins[place + 1 :]]
    return min(gaps, default=1.0)


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
        self._end_block(self.values[-shapes.BLOCK :], span)
        if len(self.blocks) < shapes.WINDOW:
            return 0.0
        window = self.blocks[-shapes.WINDOW :]
        mean = in_order([x / shapes.WINDOW for x in window])
        point = window + [x - mean for x in window]
        nearest = min((distance(box, point) for box in self.boxes), default=0.0)
        self._learn(point, shapes.RADIUS * span * len(point))
        return nearest / (span * len(point))

    def _end_block(self, block: list[float], span: float) -> None:
        mean = in_order(block) / len(block)
        self.recent = 0.5 * (self.recent + mean) if self.blocks else mean
        extreme = max(max(block), min(block), key=lambda x: abs(x - self.recent))
        self.blocks.append(extreme if abs(extreme - mean) >= shapes.STANDS_OUT * span else mean)

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


# ------------------------------------------------------------------------------------------------------ alarm
def naive_places(ts_ns: list[int], values: list[float]) -> list[tuple[float, float, float]]:
    memory = NaivePlaces()
    return [memory.rarenesses(at, value) for at, value in zip(ts_ns, values, strict=True)]


def naive_records(values: list[float]) -> list[float]:
    """How far beyond everything seen, as a part of the range."""
    parts = []
    before = [*zip(accumulate(values, min), accumulate(values, max), strict=True)]
    for seen, value in enumerate(values):
        lowest, highest = before[max(seen - 1, 0)]
        outside = max(value - highest, lowest - value, 0.0)
        parts.append(outside / (highest - lowest) if seen > alarm.SPANNED and highest > lowest else 0.0)
    return parts


def naive_gaps(values: list[float]) -> list[float]:
    """How far from the nearest known value, as a part of the range."""
    memory = NaiveBins()
    gaps = [memory.gap(value) for value in values]
    return [0.0 if seen <= alarm.SPANNED else gap for seen, gap in enumerate(gaps)]


def naive_averages(values: list[float], length: float) -> list[float]:
    average, averages = 0.0, []
    for seen, value in enumerate(values, start=1):
        average += (value - average) * max(1.0 / length, 1.0 / seen)
        averages.append(average)
    return averages


def naive_levels(values: list[float]) -> list[float]:
    """How rare the average of the last samples is."""
    memory = NaiveBins()
    return [memory.rarity(level) for level in naive_averages(values, alarm.SLOW)]


def naive_shapes(values: list[float]) -> list[float]:
    """The distance of the last samples to all shapes known, as a part of the range so far."""
    memory = NaiveShapes()
    ranges = [most - least for most, least in zip(accumulate(values, max), accumulate(values, min), strict=True)]
    return [memory.newness(max(span, 1e-9), value) for span, value in zip(ranges, values, strict=True)]


def naive_quiets(values: list[float]) -> list[float]:
    """How much less than usual the value moves, as a logarithm."""
    moves = usual = 0.0
    quiets = [0.0] if values else []
    ranges = [most - least for most, least in zip(accumulate(values, max), accumulate(values, min), strict=True)]
    for seen, (last, value) in enumerate(pairwise(values), start=1):
        change = abs(value - last)
        moves += max(1.0 / alarm.MOVES, 1.0 / seen) * (change - moves)
        least = alarm.STILL * ranges[seen]
        told = seen > 3 * alarm.MOVES and least > 0.0
        quiets.append(max(-math.log((moves + least) / (usual + least)), 0.0) if told else 0.0)
        usual += max(1.0 / alarm.USUAL, 1.0 / seen) * (change - usual)
    return quiets


def naive_news(ts_ns: list[int], values: list[float]) -> list[float]:
    """The sum of what the nine witnesses say of each sample, in decades."""
    by_place = naive_places(ts_ns, values)
    lately = naive_places(ts_ns, naive_averages(values, alarm.LATELY))
    witnesses = [[at[k] for at in by_place] for k in range(3)]
    witnesses += [[at[2] for at in lately], naive_records(values), naive_gaps(values), naive_levels(values), naive_quiets(values)]
    news = [0.0] * len(values)
    for share, surprises in [(1.0, surprises) for surprises in witnesses] + [(0.5, naive_shapes(values))]:
        for i, decades in enumerate(naive_decades(surprises)):
            news[i] += share * (min(decades, alarm.CLIP) + alarm.BEYOND * max(decades - alarm.CLIP, 0.0))
    asked = [1.0 + alarm.ASKED * math.log10(seen / alarm.AGE) for seen in range(1, len(news) + 1)]
    return [0.0 if seen < alarm.WARM else sample / asked[seen] for seen, sample in enumerate(news)]


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
