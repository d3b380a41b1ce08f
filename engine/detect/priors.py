"""A new series of a known kind starts from what its kind has taught: a new pod of a deployment is judged in its first hour.

The kind is the series' group (`groups.py`). A new series is watched for `fleet.settle`, so that cold caches are no part of it, and then takes over
the model of the member whose level is nearest to its own (heirs.py). Only members that have lived for six hours, are not
quarantined and send about as often give anything. All of it happens at ticks, by event time; without a donor a series warms up as ever.
"""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median
from typing import Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from engine.config.tree import Detect
from engine.detect.bank import Bank
from engine.detect.groups import Groups, grown
from engine.errors import StateError
from engine.metrics import Metric
from engine.ports import Columns, StepStats

DONOR_SECONDS: Final = 21_600.0
DONOR_SAMPLES: Final = 200
VALUES: Final = 5
"""The latest values of an heir, one a minute; their median is its level."""
LOOKS_NS: Final = 60_000_000_000
NEARNESS_MAX: Final = 3.0
"""A donor's level is at most so many times the heir's, or the other way round."""
_SECOND_NS: Final = 1_000_000_000


class Candidate(msgspec.Struct):
    """A series that may soon inherit: its newest values, one a minute."""

    last_ns: int = 0
    values: list[float] = []


class Priors:
    """The series of one shard that are new, and what they may inherit."""

    def __init__(self, config: Detect, bank: Bank, groups: Groups) -> None:
        self._on = config.fleet.inherit
        self._settle_ns = int(config.fleet.settle * _SECOND_NS)
        self._warm_up_ns = int(config.warm_up * _SECOND_NS)
        self._donor_ns = int(max(DONOR_SECONDS, config.warm_up) * _SECOND_NS)
        self._bank, self._groups = bank, groups
        self._new = np.zeros(0, np.bool_)  # by slot
        self._waits = 0  # how many of them
        self._next_ns = 0
        self._candidates: dict[int, Candidate] = {}

    def join(self, slot: int, number: int) -> None:
        """A series was admitted; `number` is its group, -1 when it has none."""
        if self._on and number >= 0:
            self._new = grown(self._new, slot + 1)
            self._waits += not self._new[slot]
            self._new[slot] = True

    def leave(self, slot: int) -> None:
        """The series is forgotten."""
        if slot < len(self._new) and self._new[slot]:
            self._new[slot] = False
            self._waits -= 1
        self._candidates.pop(slot, None)

    def tick(self, now_ns: int, stats: StepStats) -> None:
        """Each minute: let those inherit that have been watched for long enough, and those go that have warmed up by themselves."""
        if not self._waits or now_ns < self._next_ns:
            return
        self._next_ns = now_ns + LOOKS_NS
        slots = np.flatnonzero(self._new).astype(np.int64)
        time = self._bank.clocks(slots)
        lived = time["last_ns"] - time["first_ns"]
        for slot in slots[lived >= self._warm_up_ns].tolist():
            self.leave(slot)
        waiting = (lived >= self._settle_ns // 2) & (lived < self._warm_up_ns)
        if not (waiting.any() and self._groups.members_all > self._waits):  # from others that are new nothing can be had
            return
        donors = self._donors(self._groups.of_all(slots[waiting]))
        for slot, ns, old in zip(
            slots[waiting].tolist(), time["last_ns"][waiting].tolist(), lived[waiting].tolist(), strict=True
        ):
            number = self._groups.of(slot)
            if number in donors:
                self._look(slot, ns, donors[number], stats, ripe=old >= self._settle_ns)

    def _donors(self, wanted: NDArray[np.int32]) -> dict[int, list[int]]:
        """Members of the groups that are wanted that may give, by group, ascending."""
        _, slots = self._groups.seats(np.unique(wanted[wanted >= 0]).tolist())
        time = self._bank.clocks(slots)
        able = (time["last_ns"] - time["first_ns"] >= self._donor_ns) & (time["seen"] >= DONOR_SAMPLES) & (time["shadow"] == 0)
        found: dict[int, list[int]] = {}
        for slot in slots[able].tolist():
            if slot >= len(self._new) or not self._new[slot]:
                found.setdefault(self._groups.of(slot), []).append(slot)
        return found

    def _look(self, slot: int, last_ns: int, donors: Sequence[int], stats: StepStats, *, ripe: bool) -> None:
        candidate = self._candidates.setdefault(slot, Candidate())
        if last_ns > candidate.last_ns:
            candidate.last_ns = last_ns
            candidate.values = [*candidate.values, self._bank.newest(slot)][-VALUES:]
        if not ripe or len(candidate.values) < VALUES:
            return
        level = median(candidate.values)
        donor = self._nearest(slot, level, donors)
        if donor >= 0:
            self._bank.inherit(slot, donor, level, self._warm_up_ns)
            stats.count(Metric.SERIES_INHERITED)
            self.leave(slot)

    def _nearest(self, slot: int, level: float, donors: Sequence[int]) -> int:
        """The member whose level is nearest and whose rhythm is like the heir's, the lowest slot of equals; -1: none is near."""
        levels = self._bank.levels(np.array(donors, np.int64))
        steps = np.maximum(self._bank.clocks(np.array(donors, np.int64))["step"], 1e-3)
        step = max(self._bank.step_seconds(slot), 1e-3)
        distance = np.abs(levels - level)
        size = np.minimum(np.abs(levels), abs(level)) * (NEARNESS_MAX - 1.0)
        distance[(distance > size) | (steps > 2.0 * step) | (step > 2.0 * steps)] = np.inf
        best = int(np.argmin(distance))
        return donors[best] if np.isfinite(distance[best]) else -1

    # ------------------------------------------------------------------------------------------ snapshots
    def snapshot(self) -> Columns:
        candidates = msgspec.json.encode(self._candidates)
        return {
            "new": np.flatnonzero(self._new).astype(np.int64),
            "next_ns": np.array([self._next_ns], np.int64),
            "candidates": np.frombuffer(candidates, np.uint8).copy(),
        }

    def restore(self, columns: Columns) -> None:
        """Become what was saved; only when just made. Raises StateError."""
        try:
            self._candidates = msgspec.json.decode(columns["candidates"].tobytes(), type=dict[int, Candidate])
        except msgspec.DecodeError as error:
            raise StateError("what new series inherit is torn") from error
        self._next_ns = int(columns["next_ns"][0])
        new = columns["new"].astype(np.int64) if self._on else np.zeros(0, np.int64)
        self._new = np.zeros(int(new.max(initial=-1)) + 1, np.bool_)
        self._new[new] = True
        self._waits = int(np.count_nonzero(self._new))
