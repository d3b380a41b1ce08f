"""Detectors of river over chosen series and entities: at ticks, at a bounded rate, as factors and, when asked for, in the score.

What they have learned is in no snapshot (river's objects are no columns, and pickles run code): after a restart they learn again, and
say nothing meanwhile. So with such parts a replay may differ from the first run, which the determinism check then counts.
"""

from __future__ import annotations

from bisect import insort
from collections.abc import Callable, Iterable
from typing import Any, Final

import numpy as np
import re2
from numpy.typing import NDArray

from detectors import tails
from detectors.river_adapter import RiverPart
from detectors.river_names import CLASSES
from engine.config import river as blocks
from engine.detect.bank import Bank
from engine.detect.groups import grown
from engine.metrics import Metric
from engine.ports import StepStats
from engine.records import Series, Signal

SAMPLES_MIN: Final = 30
"""Samples after which the level and the scale of a series are known well enough to look at it in their units."""
CLIP: Final = 6.0
FACTOR_MIN: Final = 1.5
"""Decades from which a part is named among the factors of an alert."""
STALE_STEPS: Final = 3.0
_SECOND_NS: Final = 1_000_000_000


class Subject:
    """One series or entity under one part. `units` are the level and the scale of each slot when it was first looked at."""

    def __init__(self, part: int, model: RiverPart) -> None:
        self.part = part
        self.model = model
        self.slots: list[int] = []
        self.units: dict[int, tuple[float, float]] = {}
        self.next_ns = 0
        self.newest_ns = 0
        self.decades = 0.0  # of its last look


class RiverParts:
    """All river detectors of one shard."""

    def __init__(self, config: blocks.River, bank: Bank) -> None:
        self._parts = config.parts
        self._patterns: list[Any] = [_glob(part.match) for part in config.parts]
        self._objects_max, self._calls_max = config.objects_max, config.calls_max
        self._bank = bank
        self._subjects: dict[tuple[int, str], Subject] = {}
        self._of: dict[int, list[Subject]] = {}
        self._bonus = np.zeros(0)

    def join(self, slot: int, series: Series, stats: StepStats) -> None:
        """A series was admitted."""
        if series.signal is not Signal.METRIC:
            return
        for number, part in enumerate(self._parts):
            name = series.key.decode() if part.over == "series" else series.entity
            if name and self._patterns[number].fullmatch(series.name):
                self._watch(number, name, slot, stats)

    def rejoin(self, series: Iterable[tuple[int, Series]]) -> None:
        """After a restore: begin anew over the series in these slots."""
        if self._patterns:
            for slot, one in series:
                self.join(slot, one, StepStats())

    def _watch(self, number: int, name: str, slot: int, stats: StepStats) -> None:
        subject = self._subjects.get((number, name))
        if subject is None:
            if len(self._subjects) >= self._objects_max:
                stats.count(Metric.LIMITS_REACHED, 1, "river_objects_max")
                return
            part = self._parts[number]
            subject = self._subjects[number, name] = Subject(number, RiverPart(part.use, **part.params))
        insort(subject.slots, slot)
        self._of.setdefault(slot, []).append(subject)

    def leave(self, slot: int) -> None:
        """The series is forgotten, and with its last series a subject."""
        if slot < len(self._bonus):
            self._bonus[slot] = 0.0
        for subject in self._of.pop(slot, ()):
            subject.slots.remove(slot)
            subject.units.pop(slot, None)
            if not subject.slots:
                self._subjects = {key: other for key, other in self._subjects.items() if other is not subject}

    # ------------------------------------------------------------------------------------------ ticks
    def tick(self, now_ns: int, needed: Callable[[float], float], stats: StepStats) -> None:
        """Let those look that are due, the longest waiting first. `needed` tells the decades of a score of 1.0 for a step in seconds."""
        if not self._subjects:
            return
        due = sorted((s.next_ns, key) for key, s in self._subjects.items() if s.next_ns <= now_ns)
        if len(due) > self._calls_max:
            stats.count(Metric.LIMITS_REACHED, 1, "river_calls_max")
        for _, key in due[: self._calls_max]:
            subject = self._subjects[key]
            part = self._parts[subject.part]
            subject.next_ns = now_ns + int(part.every * _SECOND_NS)
            row = self._row(subject)
            if row is not None:
                stats.count(Metric.RIVER_CALLS, 1, part.use)
                subject.decades = subject.model.observe(row)
                self._weigh(subject, needed)

    def _row(self, subject: Subject) -> list[float] | None:
        """What a subject shows now; None when there is nothing new, or too little is known of it."""
        slots = np.array(subject.slots, np.int64)
        time = self._bank.clocks(slots)
        newest_ns = int(time["last_ns"].max())
        if newest_ns <= subject.newest_ns or int(time["seen"].max()) < SAMPLES_MIN:
            return None
        subject.newest_ns = newest_ns
        squashed = CLASSES[self._parts[subject.part].use].kind == "features"
        row = []
        for slot, clock in zip(subject.slots, time, strict=True):
            fresh = (newest_ns - int(clock["last_ns"])) <= STALE_STEPS * float(clock["step"]) * _SECOND_NS
            z = self._in_units(subject, slot) if fresh and int(clock["seen"]) >= SAMPLES_MIN else 0.0
            row.append(0.5 + 0.5 * z / (abs(z) + 2.0) if squashed else z)
        return row

    def _in_units(self, subject: Subject, slot: int) -> float:
        """The newest value, in the units that the series had when it was first looked at: what drifts must not take them along."""
        units = subject.units.get(slot)
        if units is None:
            units = subject.units[slot] = self._bank.units(slot)
        level, scale = units
        return min(max((self._bank.newest(slot) - level) / scale, -1e6), 1e6)

    def _weigh(self, subject: Subject, needed: Callable[[float], float]) -> None:
        """What the parts with a weight add to the scores of a subject's series from now on."""
        if self._parts[subject.part].weight <= 0.0:
            return
        for slot in subject.slots:
            shares = [self._parts[s.part].weight * tails.soft_clip(s.decades, CLIP) for s in self._of[slot]]
            self._bonus = grown(self._bonus, slot + 1)
            self._bonus[slot] = sum(shares) / needed(self._bank.step_seconds(slot))

    # ------------------------------------------------------------------------------------------ what they say
    def factors(self, slot: int) -> dict[str, float]:
        """Decades by part, of those that are surprised."""
        looking = self._of.get(slot, ())
        return {f"river.{self._parts[s.part].use}": s.decades for s in looking if s.decades >= FACTOR_MIN}

    def add_to(self, score: NDArray[np.float64], slot: NDArray[np.int64]) -> None:
        """Add to scores, in place, what parts with a weight say of their series."""
        if len(self._bonus):
            known = slot < len(self._bonus)
            score[known] += self._bonus[slot[known]]


def _glob(pattern: str) -> Any:
    return re2.compile(".*".join(re2.escape(part) for part in pattern.split("*")))
