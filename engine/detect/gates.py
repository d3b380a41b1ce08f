"""The ordered gates between an anomaly and an alert: each has a name, and the one that decided is counted.

A score says how surprising a sample is; whether anybody should care is another question, answered here from the policy of the
series: its direction, its floor, and how far from what was expected a value must be to matter.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from math import inf
from typing import Any, Final, NamedTuple

import re2

from engine.config.tree import Detect, Rule
from engine.enums import Word
from engine.records import AnomalyKind, Series, Signal, ValueKind


class Gate(Word):
    """Why an anomaly did not become an alert; PASSED when nothing stood against it."""

    PASSED = "passed"
    WARMING_UP = "warming_up"  # a stream or a series too young to say what is new or missing
    BELOW_FLOOR = "below_floor"  # under the value from which the series matters
    WRONG_DIRECTION = "wrong_direction"
    IMMATERIAL = "immaterial"  # surprising, but too small to matter
    UNCONFIRMED = "unconfirmed"  # not often enough yet
    RECURRING = "recurring"  # it comes at this time of the day, or of the week
    RETURNED = "returned"  # back where the series was before a level was adopted
    RESTARTED = "restarted"  # the first samples after a pause or a counter's new beginning
    FLAPPING = "flapping"  # fired and recovered again and again of late
    REPLACED = "replaced"  # silent, but others of its kind on the same entity are heard
    SHARED = "shared"  # unlike its peers, but so are many of them: the group itself has changed
    SUPERSEDED = "superseded"  # of several metrics together, while one of them is told by itself
    ORDINARY = "ordinary"  # new, but new things are usual here


class Judged(NamedTuple):
    """One scored sample, as gates and episodes see it."""

    ts_ns: int
    value: float
    score: float
    expected: float
    lower: float
    upper: float
    deviation: float
    kind: AnomalyKind
    onset_ts_ns: int
    factors: dict[str, float]
    size_of: float  # the usual size of the series' values
    step_seconds: float
    resumed_seconds: float = inf  # since the series was heard again after a pause, or its counter began anew
    pool: float = 1.0  # samples, or lines of a share, that value and expected are the means of


class Counts(Word):
    """Whether the values count something: counts scatter by the square root of what is expected."""

    NONE = "none"
    BUCKETS = "buckets"  # the value is a count
    RATES = "rates"  # the value times the series' step is a count
    SHARES = "shares"  # of lines: they stand still when nothing happens, as counts do


_COUNTS: Final = {ValueKind.COUNT: Counts.BUCKETS, ValueKind.COUNTER: Counts.RATES, ValueKind.DELTA: Counts.RATES}


@dataclass(frozen=True, slots=True)
class Policy:
    """What matters about one series."""

    direction: str = "both"
    deviation_min: float = 0.0
    relative_min: float = 0.2
    floor: float | None = None
    ignore: bool = False
    counts: Counts = Counts.NONE
    expected_min: float = 1.0  # of counts
    is_least_each: bool = False  # the least deviation is one of each bucket, not of several together


_LATEST_MAX: Final = 1_000
"""Names of which the policy is at hand."""
_SHARES: Final = {AnomalyKind.TREND: 0.5, AnomalyKind.VARIANCE: 0.5, AnomalyKind.SHAPE: 0.5}
"""A trend or a change of shape matters before it has gone as far as a jump must."""
_PART: Final = 0.25
"""How much of the least deviation that matters alone one of several metrics must be off."""
_SETTLE_STEPS: Final = 3.5
_SETTLE_LEAST: Final = 120.0
_SETTLE_MOST: Final = 900.0
"""Seconds."""
_COUNT_MIN: Final = 5.0
_COUNT_SPREADS: Final = 3.0
_COUNT_EXPECTED: Final = {"log_odd_sessions": 0.4}
"""Of anything counted at least one is expected; of sessions each of which is one in a thousand fewer are."""
_UP_ONLY: Final = frozenset({"log_errors", "log_severe_ratio", "log_odd_sessions", "span_error_ratio"})
_LEAST: Final = {"log_odd_sessions": 2.0, "log_severe_ratio": 0.1}
_RATIO: Final = re.compile(r"(?:^|[._])(?:ratio|share|fraction|utili[sz]ation)(?:$|[._])")
_RATIO_MIN: Final = 0.01
_PERCENT: Final = re.compile(
    r"(?:^|[._])(?:percent|pct|percentage|usage_(?!\w*(?:total|seconds|bytes|cores|count)(?:$|[._]))\w+)(?:$|[._])"
)
_PERCENT_MIN: Final = 2.0
_THINGS: Final = re.compile(
    r"(?:^|[._])(?:process(?:es)?|procs|threads|sockets|connections|orphans?|goroutines|descriptors|open_fds|filefd)(?:$|[._])"
)
_SIZES: Final = re.compile(r"(?:^|[._])(?:bytes|seconds|ratio|mem|memory|cpu|time|total)(?:$|[._])")
_THINGS_MIN: Final = 2.0
"""One thing more or less than there usually is says nothing."""


class Policies:
    """The policy of each series: the first rule that matches its name, over what its kind and name suggest."""

    def __init__(self, config: Detect) -> None:
        self._relative_min = config.relative_min
        self._known: dict[Policy, Policy] = {}  # each stands once, however many series have it
        self._latest: dict[tuple[str, Signal, ValueKind], Policy] = {}
        self._rules: list[tuple[Any, Rule]] = [(_glob(rule.match), rule) for rule in config.rules]

    def rule_of(self, series: Series) -> Rule | None:
        """The first rule that matches."""
        return next((rule for pattern, rule in self._rules if pattern.fullmatch(series.name)), None)

    def of(self, series: Series) -> Policy:
        """The policy of one series."""
        place = series.name, series.signal, series.kind
        policy = self._latest.get(place)
        if policy is None:
            made = self._made(series)
            policy = self._known.setdefault(made, made)
            if len(self._latest) >= _LATEST_MAX:
                self._latest.clear()
            self._latest[place] = policy
        return policy

    def _made(self, series: Series) -> Policy:
        counts = _COUNTS.get(series.kind, Counts.SHARES if series.signal is Signal.LOG else Counts.NONE)
        suggested = _LEAST.get(series.name, _COUNT_MIN if counts is Counts.BUCKETS else _least(series.name))
        expected_min = _COUNT_EXPECTED.get(series.name, 1.0)
        rule = self.rule_of(series)
        if rule is None:
            direction = "up" if series.name in _UP_ONLY else "both"
            return Policy(direction, suggested, self._relative_min, counts=counts, expected_min=expected_min)
        is_given = "deviation_min" in rule.model_fields_set
        return Policy(
            rule.direction,
            rule.deviation_min if is_given else suggested,
            self._relative_min if rule.relative_min is None else rule.relative_min,
            rule.floor,
            rule.ignore,
            counts,
            expected_min,
            is_given,
        )


def _glob(pattern: str) -> Any:
    """A name with * for any run of characters, as a linear-time matcher."""
    return re2.compile(".*".join(re2.escape(part) for part in pattern.split("*")))


def _least(name: str) -> float:
    if _RATIO.search(name):
        return _RATIO_MIN
    if _PERCENT.search(name):
        return _PERCENT_MIN
    return _THINGS_MIN if _THINGS.search(name) and not _SIZES.search(name) else 0.0


def weigh(policy: Policy, judged: Judged) -> Gate:
    """The first gate that stands against an anomaly becoming an alert; PASSED when none does."""
    if policy.floor is not None and judged.value < policy.floor:
        return Gate.BELOW_FLOOR
    distance = judged.value - judged.expected
    if _is_harmless(policy, distance):
        return Gate.WRONG_DIRECTION
    if judged.kind is AnomalyKind.FLAT:  # a stuck value is near what was expected; counts stand still when nothing happens
        return Gate.PASSED if policy.counts is Counts.NONE else Gate.IMMATERIAL
    return Gate.IMMATERIAL if _immaterial(policy, judged, abs(distance)) else Gate.PASSED


def _immaterial(policy: Policy, judged: Judged, distance: float) -> bool:
    """Whether a distance is too small to matter. One from an unknown expectation (NaN) never is.

    A change of how much a series moves is as large as the room in which it usually moves: after a collapse every value is near.
    """
    if judged.kind is AnomalyKind.VARIANCE and judged.upper > judged.lower:
        distance = max(distance, 0.5 * (judged.upper - judged.lower))
    reference = max(abs(judged.expected), judged.size_of)
    buckets = judged.pool if policy.counts is Counts.BUCKETS else 1.0
    if distance * (1.0 if policy.is_least_each else buckets) < policy.deviation_min:
        return True
    if distance < policy.relative_min * _SHARES.get(judged.kind, 1.0) * reference:
        return True
    if policy.counts in (Counts.NONE, Counts.SHARES):
        return False
    scale = buckets if policy.counts is Counts.BUCKETS else max(judged.step_seconds, 1.0)
    return (distance * scale) ** 2 < _COUNT_SPREADS * _COUNT_SPREADS * max(judged.expected * scale, policy.expected_min)


def is_off(policy: Policy, value: float, expected: float, size_of: float) -> bool:
    """Whether a metric may be one of several that are off together: on a side that matters, by a part of what must be alone.

    What is not known (NaN) does not stand against it.
    """
    distance = value - expected
    if (policy.floor is not None and value < policy.floor) or _is_harmless(policy, distance):
        return False
    least = max(policy.deviation_min, policy.relative_min * max(abs(expected), size_of))
    return not abs(distance) < _PART * least


def _is_harmless(policy: Policy, distance: float) -> bool:
    return (policy.direction == "up" and distance < 0.0) or (policy.direction == "down" and distance > 0.0)


def confirmed(history: int, needed: int) -> bool:
    """Whether enough of the last samples were anomalies; `history` has a bit for each."""
    return history.bit_count() >= needed


def flapping(fired_ns: Sequence[int], now_ns: int, window_ns: int, times_max: int) -> bool:
    """Whether a series has fired `times_max` times within the window before `now_ns`."""
    return sum(now_ns - at < window_ns for at in fired_ns) >= times_max


def settling(judged: Judged) -> bool:
    """Whether a series has just begun again: caches are cold, queues are drained, and what is wrong then says little."""
    return judged.resumed_seconds < min(max(_SETTLE_STEPS * judged.step_seconds, _SETTLE_LEAST), _SETTLE_MOST)
