"""What the past episodes of a series say about the next one: its habits, the level before the last that was adopted, its last end.

A *habit* is an excursion that comes at the same time of the day: a backup at six, a batch at midnight. It is known by three days in
the last seven, or by three weeks in a row, and lines that are never written but then by two days, that of their birth among them; then the same excursion (as far, as long, in the same direction) is no news, and
told to nobody. The times are civil: a job at six stays a job at six when the clocks change.

Bounded: so many series, so many habits each; what was touched longest ago is let go of first.
"""

from __future__ import annotations

from typing import Final

import msgspec

PASTS_MAX: Final = 20_000
"""Series of one shard whose past is kept."""
HABITS_MAX: Final = 32
"""Of one series: room for one in each hour of the day."""
DAYS_MAX: Final = 29
"""Days that a habit remembers: four weeks, and today."""
DAYS_MASK: Final = (1 << DAYS_MAX) - 1
DAILY_DAYS: Final = 0b1111_1110
"""Yesterday and the six days before."""
DAILY_TIMES: Final = 3
ALONE_TIMES: Final = 2
WEEKLY_DAYS: Final = 1 << 7 | 1 << 14 | 1 << 21
EARLY_SECONDS: Final = 1200.0
"""How much earlier or later than usual a habit may come."""
EARLY_STEPS: Final = 1.5
"""In steps of its series, at least."""
FURTHER: Final = 1.5
"""How much further than usual it may go."""
LONGER: Final = 2.0
"""How much longer it may last."""
FADING: Final = 0.8
"""What is left, a day later, of how far and how long it once went."""
FORMER_NS: Final = 86_400_000_000_000
"""How long after the adoption of a level the one before it may come back as no news."""
_DAY_NS: Final = 86_400_000_000_000
_SECOND_NS: Final = 1_000_000_000


class Excursion(msgspec.Struct, frozen=True):
    """A part of a series that was anomalous. Times are civil, ns."""

    begin_ns: int
    end_ns: int
    direction: int
    reach: float  # how far from what was expected, in the series' unit
    step_seconds: float
    is_alone: bool = False  # nothing is counted outside of it


class Habit(msgspec.Struct):
    """An excursion that was seen at this time of the day."""

    begin_ns: int  # civil time of its latest beginning
    seconds: float  # how long it lasts
    direction: int
    reach: float
    days: int = 1  # bit k: it came k days before its latest beginning

    def days_since(self, at_ns: int, early_seconds: float) -> int:
        """How many days after its latest beginning a time lies, if within its usual hours; -1 when it does not."""
        early_ns = round(early_seconds * _SECOND_NS)
        days, rest_ns = divmod(at_ns - self.begin_ns + early_ns, _DAY_NS)
        return days if rest_ns <= 2 * early_ns + round(self.seconds * _SECOND_NS) and days >= 0 else -1

    def is_one(self, days: int, times: int = DAILY_TIMES) -> bool:
        """Whether it came often enough to be expected, `days` days after its latest beginning."""
        before = self.days << min(days, DAYS_MAX)
        return (before & DAILY_DAYS).bit_count() >= times or (before & WEEKLY_DAYS) == WEEKLY_DAYS

    def covers(self, now: Excursion, days: int) -> bool:
        """Whether an excursion that goes on is as far and as long as it usually is."""
        lasted_s = (now.end_ns - self.begin_ns - days * _DAY_NS) / _SECOND_NS
        return now.reach <= FURTHER * self.reach and lasted_s <= LONGER * self.seconds + _early(now)

    def learn(self, seen: Excursion, days: int) -> None:
        """It came once more: as another part of today's, or on another day."""
        if days == 0:
            self.seconds = max(self.seconds, (seen.end_ns - self.begin_ns) / _SECOND_NS)
            self.reach = max(self.reach, seen.reach)
            return
        self.days = (self.days << min(days, DAYS_MAX) | 1) & DAYS_MASK
        self.begin_ns = seen.begin_ns
        self.seconds = max(_seconds(seen), FADING * self.seconds)
        self.reach = max(seen.reach, FADING * self.reach)


class Past(msgspec.Struct, omit_defaults=True):
    """What is kept of one series."""

    habits: list[Habit] = []
    ended_ns: int = 0  # event time of the last anomaly of the last episode
    adopted_ns: int = 0  # event time at which a level was adopted last
    former: tuple[float, float] | None = None  # the band of the level before it


class Memories:
    """The pasts of the series of a shard, by key; the one touched last is at the end."""

    def __init__(self) -> None:
        self._pasts: dict[bytes, Past] = {}
        self.dropped = 0
        """How many pasts were let go of for want of room since they were taken note of."""

    def __len__(self) -> int:
        return len(self._pasts)

    def take_dropped(self) -> int:
        """See `dropped`; asked once."""
        dropped, self.dropped = self.dropped, 0
        return dropped

    def _touch(self, key: bytes) -> Past:
        past = self._pasts.pop(key, None) or Past()
        if len(self._pasts) >= PASTS_MAX:
            del self._pasts[next(iter(self._pasts))]
            self.dropped += 1
        self._pasts[key] = past
        return past

    def learn(self, key: bytes, seen: Excursion, ended_ns: int) -> None:
        """An excursion is over. `ended_ns` is the event time of its last anomaly."""
        past = self._touch(key)
        past.ended_ns = ended_ns
        past.habits = [habit for habit in past.habits if seen.begin_ns - habit.begin_ns < DAYS_MAX * _DAY_NS]
        for habit in past.habits:
            days = habit.days_since(seen.begin_ns, _early(seen))
            if habit.direction == seen.direction and days >= 0:
                habit.learn(seen, days)
                return
        past.habits.append(Habit(seen.begin_ns, _seconds(seen), seen.direction, seen.reach))
        del past.habits[:-HABITS_MAX]

    def has_habits(self, key: bytes) -> bool:
        """Whether anything came before that may come again."""
        past = self._pasts.get(key)
        return past is not None and bool(past.habits)

    def recurs(self, key: bytes, now: Excursion) -> bool:
        """Whether an excursion that goes on (its end is now) is one of the habits of its series, and no more than usual."""
        past = self._pasts.get(key)
        times = ALONE_TIMES if now.is_alone else DAILY_TIMES
        for habit in past.habits if past is not None else ():
            days = habit.days_since(now.begin_ns, _early(now))
            if habit.direction == now.direction and days >= 0 and habit.is_one(days, times) and habit.covers(now, days):
                return True
        return False

    def adopt(self, key: bytes, level: float, band: tuple[float | None, float | None], ts_ns: int) -> None:
        """A level was adopted. What was expected until then lay within `band`, if anything was; a value that stood still may too."""
        past = self._touch(key)
        past.ended_ns = past.adopted_ns = ts_ns
        lower, upper = band
        past.former = None if lower is None or upper is None or lower <= level <= upper else (lower, upper)

    def is_back(self, key: bytes, value: float, ts_ns: int) -> bool:
        """Whether a value lies where its series was before a level was adopted, not long ago."""
        past = self._pasts.get(key)
        if past is None or past.former is None or ts_ns - past.adopted_ns > FORMER_NS:
            return False
        return past.former[0] <= value <= past.former[1]

    def onset(self, key: bytes, onset_ns: int, ts_ns: int) -> int:
        """The onset of an episode whose first anomaly is at `ts_ns`: never within the episode before it."""
        past = self._pasts.get(key)
        return onset_ns if past is None or onset_ns > past.ended_ns else ts_ns

    def forget(self, key: bytes) -> None:
        """The series is given up."""
        self._pasts.pop(key, None)

    # ------------------------------------------------------------------------------------------ snapshots
    def saved(self) -> list[tuple[bytes, Past]]:
        return list(self._pasts.items())

    def restore(self, saved: list[tuple[bytes, Past]]) -> None:
        self._pasts = dict(saved)


def _seconds(seen: Excursion) -> float:
    return (seen.end_ns - seen.begin_ns) / _SECOND_NS + seen.step_seconds


def _early(seen: Excursion) -> float:
    return max(EARLY_SECONDS, EARLY_STEPS * seen.step_seconds)
