"""One episode of one series: what is known of it from its first anomaly to its end."""

from __future__ import annotations

from collections.abc import Callable
from math import isnan
from typing import Final, NamedTuple

import msgspec

from engine.detect.gates import Judged
from engine.detect.memory import Excursion
from engine.enums import Word
from engine.records import AlertState, AnomalyKind, Outlook, Series, ValueKind

WARN: Final = 13
ERROR: Final = 17
ALONE: Final = 50.0
"""So many times what is usually counted, an excursion is all that there is of a series."""


class Ask(Word):
    """What an episode wants of the model of its series."""

    QUARANTINE = "quarantine"
    DISCARD = "discard"
    REMEMBER = "remember"  # discard, but let what is learned by the hour keep what it saw
    ADOPT = "adopt"
    UNDO = "undo"  # the level from before the last one that was adopted is back


class Episode(msgspec.Struct, omit_defaults=True):
    """One episode of one series, from its first anomaly to the tick after its end."""

    series: Series
    slot: int  # -1: a first sighting of something that has no model of its own yet
    state: AlertState
    history: int = 0  # a bit for each sample of late, 1 an anomaly
    id: str = ""
    revision: int = 0
    kind: AnomalyKind = AnomalyKind.NONE
    direction: int = 0
    onset_ts_ns: int = 0
    opened_ts_ns: int = 0
    ts_ns: int = 0
    first_ns: int = 0  # its first anomaly; 0 when it began without one
    last_ns: int = 0  # and the newest
    placed: bool = False  # it began with where its series is, and not with its form
    reach: float = 0.0  # how far from what was expected it went
    side: int = 0  # and on which side: +1 above, -1 below
    score: float = 0.0
    peak: float = 0.0
    told_score: float = 0.0
    value: float | None = None
    expected: float | None = None
    lower: float | None = None
    upper: float | None = None
    deviation: float = 0.0
    step_seconds: float = 0.0
    factors: dict[str, float] = {}
    severity: int = WARN
    text: str = ""
    example: str = ""
    outlook: Outlook | None = None
    healthy: int = 0  # ordinary samples in a row
    told_ns: int = 0  # log time of the last message
    epoch: int = 0
    fired_ns: list[int] = []  # when the last few episodes of this series fired
    habit: bool = False  # it came when it usually comes, and its model was set aside
    once: bool = False  # it was told on its first anomaly, and no second has come
    leaving: bool = False  # over; deaf until the tick

    def note(self, judged: Judged) -> None:
        """Take over what the newest anomaly says."""
        self.kind = judged.kind
        self.direction = direction_of(judged)
        if not self.first_ns:
            self.placed = judged.kind in _OF_PLACE
        self.first_ns = self.first_ns or judged.ts_ns
        self.last_ns = judged.ts_ns
        if reach_of(judged) >= self.reach:
            self.reach, self.side = reach_of(judged), self.direction
        self.score = judged.score
        self.peak = max(self.peak, judged.score)
        self.value = judged.value
        self.expected, self.lower, self.upper = (None if isnan(x) else x for x in (judged.expected, judged.lower, judged.upper))
        self.deviation = judged.deviation
        self.factors = judged.factors
        self.step_seconds = judged.step_seconds


SIGHTINGS: Final = frozenset(
    {
        AnomalyKind.NEW_TEMPLATE,
        AnomalyKind.RARE_TEMPLATE,
        AnomalyKind.RARE_EVENT,
        AnomalyKind.STOPPED,
        AnomalyKind.ERROR_BURST,
    }
)
"""What is told by itself, whatever the model of its series says."""


class Words(NamedTuple):
    """What people read beside the numbers of an alert."""

    text: str
    example: str = ""


class Sighting(NamedTuple):
    """A first sighting, or a line that is missing: what was seen, and how telling it is."""

    kind: AnomalyKind
    ts_ns: int
    score: float
    severity: int
    text: str
    example: str
    value: float
    expected: float = 0.0
    step_seconds: float = 0.0


_OF_PLACE: Final = frozenset({AnomalyKind.SPIKE, AnomalyKind.DIP, AnomalyKind.LEVEL_UP, AnomalyKind.LEVEL_DOWN})
_BACK: Final = 0.25
"""What may be left of how far an episode went for its series to be back."""


def is_echo(episode: Episode, judged: Judged) -> bool:
    """Whether a sample is odd only for what came before it: the value is back where it is expected, and the window still holds the excursion.

    An episode that began with the form of a series, and not with where it is, has no echo.
    """
    if not episode.placed or judged.kind is AnomalyKind.FLAT or not judged.lower <= judged.value <= judged.upper:
        return False
    return reach_of(judged) <= _BACK * episode.reach


def direction_of(judged: Judged) -> int:
    """Above (+1) or below (-1) what was expected; 0 neither."""
    return (judged.deviation > 0.0) - (judged.deviation < 0.0)


def reach_of(judged: Judged) -> float:
    """The distance from what was expected, in the series' unit; 0 when nothing was."""
    distance = abs(judged.value - judged.expected)
    return 0.0 if isnan(distance) else distance


def excursion_of(episode: Episode, civil_of: Callable[[int], int]) -> Excursion:
    """The episode so far, in civil time. A value that stands still is on neither side of what was expected."""
    flat = episode.kind is AnomalyKind.FLAT
    return Excursion(
        civil_of(episode.first_ns),
        civil_of(episode.last_ns),
        0 if flat else episode.side,
        0.0 if flat else episode.reach,
        episode.step_seconds,
        episode.series.kind is ValueKind.COUNT and (episode.expected or 0.0) * ALONE < episode.reach,
    )
