"""How telling a first sighting is: new things mean little where new things are usual, and much where nothing was new for days.

The measure is the usual time between two births in the same stream. A severe line needs a short one to matter, a line of
information a long one, and numbers.
"""

from __future__ import annotations

from typing import Final

import msgspec

from detectors.portable import log10
from engine.records import Series

WARN: Final = 13
ERROR: Final = 17
FATAL: Final = 21
FRESH_SECONDS: Final = 600.0
"""For so long after its birth a template may still turn out to matter."""
CLASSES: Final = 3
LINES_MIN: Final = 3
FREQUENT_LINES: Final = 20
FREQUENT_SHARE: Final = 0.2
"""Of its stream's lines: a deploy brings new lines of information, and they matter when they flood it."""
_SECOND_NS: Final = 1_000_000_000


class Births(msgspec.Struct):
    """How often something new appears in one stream."""

    since_ns: int  # event time from which births count
    births: int = 0
    last_ns: int = 0

    def interval_seconds(self, now_ns: int) -> float:
        """The usual time between births, this one not counted; the longer, the more telling."""
        lived = max(now_ns - self.since_ns, 0) / _SECOND_NS
        quiet = (now_ns - max(self.last_ns, self.since_ns)) / _SECOND_NS
        return max(lived / (self.births + 1), quiet / 3.0, 1.0)

    def born(self, now_ns: int) -> None:
        if now_ns >= self.since_ns:
            self.births += 1
            self.last_ns = max(self.last_ns, now_ns)


class News(msgspec.Struct):
    """What was new in one stream and proved to be more than a line that comes once, by how severe it is: what comes with each deploy makes no error ordinary."""

    since_ns: int
    births: list[Births] = []  # of information, warnings, errors

    def __post_init__(self) -> None:
        self.births = self.births or [Births(self.since_ns) for _ in range(CLASSES)]

    def interval_seconds(self, rank: int, now_ns: int) -> float:
        """The usual time between news as severe as this, or worse."""
        worse = self.births[rank:]
        last_ns = max(one.last_ns for one in worse)
        return Births(self.since_ns, sum(one.births for one in worse), last_ns).interval_seconds(now_ns)

    def born(self, rank: int, now_ns: int) -> None:
        self.births[rank].born(now_ns)


def rank_of(severity: int) -> int:
    """0 information, 1 a warning, 2 an error."""
    return (severity >= WARN) + (severity >= ERROR)


class Stream(msgspec.Struct):
    """One log stream."""

    series: Series
    warm_ns: int  # event time at which its warm-up ends
    news: News
    lines: int = 0


class Fresh(msgspec.Struct):
    """A template not long after its birth."""

    stream: int
    born_ns: int
    interval_seconds: float  # known once it is confirmed
    stream_lines: int  # of its stream, at its birth
    lines: int = 0
    severity: int = 0
    quiet_seconds: float = 0.0  # for how long it had not been seen; 0: it never was
    rank: int = -1  # as which it was counted among the news; -1: not yet

    @property
    def is_confirmed(self) -> bool:
        """Whether it is more than a line that comes once."""
        return self.lines >= LINES_MIN or self.severity >= FATAL


def line_score(severity: int, interval_seconds: float) -> float:
    """1.0 at: a first error in an hour without news, a first warning in six hours; a line of information never gets there.

    >>> line_score(ERROR, 3600.0), round(line_score(ERROR, 86_400.0), 2), line_score(9, 86_400.0)
    (1.0, 1.69, 0.5)
    """
    hours = interval_seconds / 3600.0
    if severity >= ERROR:
        return 1.0 + 0.5 * log10(hours)
    if severity >= WARN:
        return 1.0 + 0.5 * log10(hours / 6.0)
    return min(0.5 + 0.25 * log10(hours / 24.0), 0.9)


def fresh_score(fresh: Fresh, stream_lines: int) -> float:
    """The score of a young template by its severest line and its numbers; `stream_lines` counts its stream now. 0: not often enough."""
    if not fresh.is_confirmed:
        return 0.0
    score = line_score(fresh.severity, fresh.interval_seconds)
    share = fresh.lines / max(stream_lines - fresh.stream_lines, 1)
    if fresh.lines >= FREQUENT_LINES and share >= FREQUENT_SHARE:
        score = max(score, 1.0 + 0.25 * log10(fresh.interval_seconds / 3600.0))
    return score


def event_score(severity: int, interval_seconds: float) -> float:
    """1.0 at the first warning of its name on this entity in a day in which the name was new on no other."""
    return (1.3 if severity >= ERROR else 1.0) + 0.25 * log10(interval_seconds / 86_400.0)
