"""The oracle of `tallies`: the same again in dictionaries, by the words of that module's docstring."""

from __future__ import annotations

from dataclasses import dataclass, field

from detectors.tallies import FIRST_MAX, OPEN


@dataclass
class NaiveRole:
    """With `at_most` each sample is an event, else its increment counts."""

    group: int
    bad: float = 0.0
    total: float = 0.0
    at_most: float | None = None


@dataclass
class NaiveSeries:
    """One series and what it was last."""

    roles: list[NaiveRole]
    is_counter: bool = True
    is_young: bool = False
    said: list[tuple[int, float]] = field(default_factory=list)

    def increment(self, raw: float) -> float | None:
        """What is new; None when that is not known."""
        if not self.is_counter:
            return raw
        if not self.said:
            return raw if self.is_young and 0.0 <= raw <= FIRST_MAX else None
        before = self.said[-1][1]
        return raw - before if raw >= before else raw


class NaiveTallies:
    """Sums by group and bucket: `sums[group, bucket]` is [bad, total]."""

    def __init__(self, series: list[NaiveSeries], bucket_ns: int) -> None:
        self.series = series
        self.bucket_ns = bucket_ns
        self.first: int | None = None
        self.sums: dict[tuple[int, int], list[float]] = {}

    def arrive(self, place: int, ts_ns: int, raw: float) -> None:
        """One sample."""
        series = self.series[place]
        if series.said and ts_ns <= series.said[-1][0]:
            return
        grown = series.increment(raw)
        series.said.append((ts_ns, raw))
        bucket = (ts_ns - 1) // self.bucket_ns
        if self.first is None:
            self.first = bucket
        bucket = sorted((self.first, bucket, self.first + OPEN - 1))[1]
        for role in series.roles:
            if role.at_most is None and grown is None:
                continue
            cell = self.sums.setdefault((role.group, bucket), [0.0, 0.0])
            if role.at_most is not None:
                cell[0] += raw > role.at_most
                cell[1] += 1
            elif grown is not None:
                cell[0] += role.bad * grown
                cell[1] += role.total * grown
