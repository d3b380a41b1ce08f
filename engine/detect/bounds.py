"""What a series can run out of: which series are resources, which way they are used up, and where the bound is.

The bound is, in this order: the `limit` of a rule; the value of the series that `limit_from` of a rule names; 100 or 1 where name or
unit say per cent or share; 0 for what is free, left or valid; the value of a sibling of the same labels that is called `max`, `limit`,
`total`, … where this one is called `used`, `open`, … . Without any of them a series has a trend, but no end.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from typing import Final, NamedTuple

from engine.config.tree import Detect, Rule
from engine.records import Series, Signal, ValueKind, series_key

_STOCKS: Final = frozenset(
    [
        "disk",
        "fs",
        "filesystem",
        "volume",
        "storage",
        "space",
        "inode",
        "inodes",
        "mem",
        "memory",
        "heap",
        "rss",
        "swap",
        "tablespace",
        "pvc",
        "fd",
        "fds",
        "filefd",
        "descriptors",
        "handles",
        "threads",
        "goroutines",
        "conn",
        "conns",
        "connection",
        "connections",
        "session",
        "sessions",
        "pool",
        "quota",
        "queue",
        "backlog",
        "capacity",
    ]
)
"""What can run out, or pile up."""
_FLOWS: Final = frozenset(
    [
        "read",
        "reads",
        "write",
        "writes",
        "written",
        "received",
        "sent",
        "io",
        "iops",
        "ops",
        "operations",
        "latency",
        "duration",
        "seconds",
        "ms",
        "time",
        "error",
        "errors",
        "failure",
        "failures",
        "rate",
        "fault",
        "faults",
        "throughput",
        "request",
        "requests",
        "hit",
        "hits",
        "miss",
        "misses",
        "eviction",
        "evictions",
        "gc",
        "pressure",
        "stall",
        "wait",
        "waiting",
        "busy",
    ]
)
"""What flows through a stock has no end."""
_FREE: Final = frozenset(["avail", "available", "free", "remaining", "left", "unused", "headroom"])
_USED: Final = frozenset(["used", "usage", "open", "allocated", "current", "active", "acquired"])
_LIMITS: Final = ("max", "limit", "total", "size", "capacity", "quota")
_LIMIT_WORDS: Final = frozenset((*_LIMITS, "limits", "maximum"))
_PERCENTS: Final = frozenset(["percent", "pct", "percentage"])
_SHARES: Final = frozenset(["ratio", "share", "fraction", "utilization", "utilisation"])
_EXPIRING: Final = frozenset(["cert", "certificate", "certs", "ssl", "tls", "licence", "license", "token", "domain", "password"])
_EXPIRY: Final = re.compile(r"expir|not_?after|valid_(?:days|hours|seconds)|(?:days|hours|seconds)_(?:left|remaining|valid)")
_BETWEEN: Final = re.compile(r"[._/:\- ]+|(?<=[a-z])(?=[A-Z])")
_UNITS: Final = {"days": 86_400.0, "day": 86_400.0, "hours": 3600.0, "minutes": 60.0, "seconds": 1.0, "ms": 0.001}
DATE_MIN: Final = 5e8
"""What lives longer than this (16 years in seconds) is no length but a date, in seconds since 1970 or in milliseconds."""
_MILLIS_MIN: Final = 1e11


class Resource(NamedTuple):
    """How a series is used up."""

    toward: int  # +1 by rising, -1 by falling
    bound: float  # NaN: none is known by itself
    siblings: tuple[bytes, ...] = ()  # keys of series that may be the bound, the first that is there wins
    limit_name: str = ""  # a metric of the same entity that is the bound
    unit_seconds: float = 0.0  # what expires: seconds that one of its values stands for; 0: it does not expire


class Resources:
    """Which series are resources, by the rules of a configuration and by their names."""

    def __init__(self, config: Detect, rule_of: Callable[[Series], Rule | None]) -> None:
        self._all = config.tier == "full"
        self._rule_of = rule_of
        self.limit_names = frozenset(rule.limit_from for rule in config.rules if rule.limit_from)

    def of(self, series: Series) -> Resource | None:
        """None for a series that is no resource."""
        if series.signal is not Signal.METRIC or series.kind is not ValueKind.GAUGE:
            return None
        rule = self._rule_of(series)
        if rule is not None and rule.forecast is False:
            return None
        words = _words(series.name)
        asked = rule is not None and (rule.forecast or rule.limit is not None or bool(rule.limit_from))
        unit_seconds = _expires(series.name, words)
        if unit_seconds and not asked:
            return Resource(-1, 0.0, unit_seconds=unit_seconds)
        stock = bool(words & _STOCKS) and not words & _FLOWS
        limit = bool(words & _LIMIT_WORDS) and not words & (_FREE | _USED)
        if not (asked or self._all or (stock and not limit)):
            return None
        return _bounded(series, words, rule)


def _words(name: str) -> frozenset[str]:
    return frozenset(word.lower() for word in _BETWEEN.split(name) if word)


def _expires(name: str, words: frozenset[str]) -> float:
    """Seconds that a value stands for when it is a time to live; a name that says no unit means seconds, or a date in them."""
    if not words & _EXPIRING or not _EXPIRY.search(name.lower()):
        return 0.0
    return next((seconds for word, seconds in _UNITS.items() if word in words), 1.0)


def _bounded(series: Series, words: frozenset[str], rule: Rule | None) -> Resource:
    toward = -1 if words & _FREE else 1
    if rule is not None and rule.direction != "both":
        toward = 1 if rule.direction == "up" else -1
    if rule is not None and rule.limit is not None:
        return Resource(toward, rule.limit)
    if rule is not None and rule.limit_from:
        return Resource(toward, math.nan, (series_key(rule.limit_from, series.labels),), rule.limit_from)
    if toward < 0:
        return Resource(toward, 0.0)
    if words & _PERCENTS or series.unit in ("%", "percent"):
        return Resource(toward, 100.0)
    if words & _SHARES or series.unit in ("1", "ratio"):
        return Resource(toward, 1.0)
    return Resource(toward, math.nan, _siblings(series))


def _siblings(series: Series) -> tuple[bytes, ...]:
    """`process_open_fds` is bounded by `process_max_fds` with the same labels."""
    parts = re.split(r"([._/:-])", series.name)
    place = next((i for i, part in enumerate(parts) if part.lower() in _USED), -1)
    if place < 0:
        return ()
    names = ["".join((*parts[:place], limit, *parts[place + 1 :])) for limit in _LIMITS]
    return tuple(series_key(name, series.labels) for name in names)


def seconds_left(value: float, unit_seconds: float, ts_ns: int) -> float:
    """Of what expires, however it is said: a date becomes the seconds until then; a length is counted in its unit."""
    if value < DATE_MIN:
        return value * unit_seconds
    return (value / 1000.0 if value >= _MILLIS_MIN else value) - ts_ns * 1e-9
