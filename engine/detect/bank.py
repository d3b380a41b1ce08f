"""The models of all series of one shard: one structured array, one row a series, and the kernels that move it.

Rows begin with the bounded pool of *shadows*: while a series is quarantined (an alert fires on it) its own model stays as it was
and a shadow learns in its place. `discard` throws the shadow away, `adopt` makes it the model, `undo` takes an adoption back. When
the pool is empty a quarantined series learns nothing, and adopting it only lets it learn again.

Samples are scored first and learned then, in row order, so the same samples give the same bits however they are cut.
"""

from __future__ import annotations

from bisect import bisect_right
from typing import Any, ClassVar, Final

import numpy as np
from numpy.typing import NDArray

from detectors import absence, assembly, budget, calibration, clock, heirs
from detectors.contract import Tier
from detectors.kernel import as_state
from detectors.registry import DETECTORS, of_tier
from engine.config.tree import Detect
from engine.detect.episode import Ask
from engine.detect.lineage import lineage_hash
from engine.detect.passes import Passes
from engine.detect.scored import Scored
from engine.errors import StateError
from engine.ports import Columns
from engine.records import AnomalyKind, Series, digest
from engine.zones import spans

_TIERS: Final = {"light": Tier.LIGHT, "standard": Tier.STANDARD, "full": Tier.FULL}
_ROWS_FIRST: Final = 1024
"""Memory that is not used yet costs nothing; to grow does."""
_SHADOWS_MIN: Final = 64
_WITHOUT_LEVEL: Final = ("flat", "absence")
"""Detectors that do not care about the level: a change of it, or back, teaches them nothing new."""
_STEPS_MAX: Final = 4096
_AT_ONCE: Final = -(2**63)
_NO_SLOTS: Final = np.empty(0, np.int64)
_NO_SCORES: Final = np.empty(0)
_SHADOWS_SHARE: Final = 16
"""One shadow for so many series; at least `_SHADOWS_MIN`."""


class Bank:
    """Scores samples of series that live in slots 0 … series_max - 1. Grows by doubling; a series' bytes are fixed."""

    KINDS: ClassVar[tuple[AnomalyKind, ...]] = tuple(AnomalyKind)

    def __init__(self, config: Detect, timezone: str = "") -> None:
        """Days and weeks are those of `timezone`; empty takes the configuration's."""
        self._spans = spans(timezone or config.timezone)
        self._starts = [start_ns for start_ns, _ in self._spans]
        self._zone = as_state(np.array(list(self._spans), clock.SPAN))
        chosen = of_tier(_TIERS[config.tier])
        self.detectors: tuple[str, ...] = tuple(d.name for d in chosen)
        self._chosen = chosen
        self._dtype = assembly.row_type(chosen)
        self.bytes_per_series: int = self._dtype.itemsize
        self._table = assembly.table(chosen, self.KINDS)
        self._params = calibration.Params(config.false_alarm_every, config.warm_up, float(config.samples_min))
        self._series_max = config.series_max
        rows = min(_ROWS_FIRST, config.series_max)
        self._shadows = self._shadows_beside(rows)
        self._free_shadows = list(range(self._shadows - 1, -1, -1))
        self._former: dict[int, NDArray[np.void]] = {}  # by slot: the model before the level that was adopted last
        self._slots_used = 0
        self._heard_until_ns = _AT_ONCE  # before this time none of the series that are there can be overdue
        self._needed: dict[float, float] = {}  # by step: to ask a kernel costs more than to look it up
        self._state: NDArray[np.void] = np.zeros(self._shadows + rows, self._dtype)
        self._bound: tuple[NDArray[np.void], Passes] | None = None
        self.kernel_id: str = self._kernel_id()

    def _kernel_id(self) -> str:
        """What the bytes of a row mean: the sources of just these kernels, their parameters, their shares and words."""
        modules = {absence.__name__, calibration.__name__, clock.__name__, *(d.kernel.__module__ for d in self._chosen)}
        described = [repr((d.name, d.params, d.state.descr)) for d in self._chosen]
        row = repr(self._dtype.descr)
        return digest(lineage_hash(tuple(sorted(modules))), repr(self._params), row, *described, repr(self._table.tolist()))[:16]

    # ---------------------------------------------------------------------------------------------- slots
    def admit(self, slot: int, series: Series) -> None:  # noqa: ARG002  # what its kind has taught comes later, by `inherit`
        """Start a new series in a slot: an empty row."""
        if not 0 <= slot < self._series_max:
            raise ValueError(f"slot {slot} is outside 0 … {self._series_max - 1}")
        if slot < self._slots_used:
            self.release(slot)
        self._heard_until_ns = _AT_ONCE
        self._reserve(slot + 1)  # of a new row nothing is read: memory that is first read and then written is given twice

    def release(self, slot: int) -> None:
        """The series is gone; its row is empty again and never overdue."""
        self._return_shadow(slot)
        self._former.pop(slot, None)
        self._state[self._shadows + slot] = np.zeros((), self._dtype)

    def _reserve(self, slots: int) -> None:
        self._slots_used = max(self._slots_used, slots)
        before = self._shadows
        rows = len(self._state) - before
        if slots <= rows:
            return
        room = min(max(2 * rows, slots), self._series_max)
        self._shadows = self._shadows_beside(room)
        self._free_shadows[:0] = range(self._shadows - 1, before - 1, -1)
        grown = np.zeros(self._shadows + room, self._dtype)
        used = max(int(self._state["clock"]["shadow"][before:].max()), 0)
        grown[:used] = self._state[:used]  # most shadows were never used: to copy them would take memory for nothing
        grown[self._shadows : self._shadows + rows] = self._state[before:]
        self._state = grown

    def _shadows_beside(self, rows: int) -> int:
        """How many there are beside so many rows: one for each series, until they are a share of the most that may come."""
        return min(max(self._series_max // _SHADOWS_SHARE, _SHADOWS_MIN), max(rows, _SHADOWS_MIN))

    # ---------------------------------------------------------------------------------------------- scoring
    def score(
        self, slot: NDArray[np.int64], ts_ns: NDArray[np.int64], value: NDArray[np.float64], room: Scored | None = None
    ) -> Scored:
        """Score then learn each sample, in order. Slots must be admitted; samples not above their series' time get no opinion.

        What is said is written to `room` where it is one for as many samples: an earlier answer that nobody needs any more.
        """
        n = len(slot)
        if room is None or len(room.score) != n:
            room = Scored(as_state(np.empty(n, calibration.RESULT)), np.empty((n, len(self._chosen))))
        rows = np.asarray(slot, np.int64) + self._shadows
        ts_ns, value = np.asarray(ts_ns, np.int64), np.asarray(value, np.float64)
        self._passes().score(rows, ts_ns, value, room.factors, room.result)
        return room

    def _passes(self) -> Passes:
        """The kernels over the rows as they are: made anew when these have grown."""
        if self._bound is None or self._bound[0] is not self._state:
            rows = self._state
            room = len(rows) - self._shadows
            passes = Passes(rows, self._chosen, self._table, self._params, self._zone, series_max=room)
            self._bound = self._state, passes
        return self._bound[1]

    # ---------------------------------------------------------------------------------------------- quarantine
    def _clock(self, slot: int) -> Any:
        return self._state["clock"][self._shadows + slot : self._shadows + slot + 1]

    def _return_shadow(self, slot: int) -> None:
        taken = self._clock(slot)["shadow"]
        if taken[0] > 0:
            self._free_shadows.append(int(taken[0]) - 1)
            self._free_shadows.sort(reverse=True)  # the lowest is taken next: the same after a restore
        taken[0] = 0

    def quarantine(self, slot: int) -> None:
        """From now on score against the model as it is, and learn only into a shadow. Repeating it changes nothing."""
        if self._clock(slot)["shadow"][0] != 0:
            return
        if not self._free_shadows:
            self._clock(slot)["shadow"] = -1
            return
        shadow = self._free_shadows.pop()
        self._state[shadow] = self._state[self._shadows + slot]
        self._clock(slot)["shadow"] = shadow + 1

    def discard(self, slot: int, *, but_recurring: bool = False) -> None:
        """Throw the shadow away: what happened was no normal behaviour.

        With `but_recurring` what is learned by the hour keeps what the shadow saw: bounded, it may be normal at this hour.
        """
        shadow = int(self._clock(slot)["shadow"][0])
        if but_recurring and shadow > 0:
            for name in self.detectors:
                if DETECTORS[name].recurs:
                    self._state[name][self._shadows + slot] = self._state[name][shadow - 1]
        self._return_shadow(slot)

    def adopt(self, slot: int) -> None:
        """The shadow becomes the model: the new normal. The former model is kept, for `undo`."""
        shadow = int(self._clock(slot)["shadow"][0])
        if shadow > 0:
            former = self._keep_former(slot)
            self._begin_anew(slot, self._state[shadow - 1 : shadow], former, float(former["rate"]["fast"][0]))
        self._return_shadow(slot)
        self._clock(slot)["epoch"] = min(self.epoch(slot) + 1, clock.EPOCH_MAX)

    def _keep_former(self, slot: int) -> NDArray[np.void]:
        """Bounded like the shadows; the one kept longest goes first."""
        self._former.pop(slot, None)
        if len(self._former) >= self._shadows:
            del self._former[next(iter(self._former))]
        row = self._shadows + slot
        self._former[slot] = self._state[row : row + 1].copy()
        return self._former[slot]

    def undo(self, slot: int) -> None:
        """The series is back where it was before a level was adopted: that model is the model again. Else nothing changes.

        What is learned by the hour goes on, for that a level comes and goes may be what it learns; so does what knows no level.
        """
        former = self._former.pop(slot, None)
        self._return_shadow(slot)
        if former is None:
            return
        for name in self.detectors:
            if DETECTORS[name].recurs or name in _WITHOUT_LEVEL:
                former[name] = self._state[name][self._shadows + slot]
        self._begin_anew(slot, former, former, float(former["level"]["level"][0, 1]))
        self._clock(slot)["epoch"] = min(self.epoch(slot) + 1, clock.EPOCH_MAX)

    def _begin_anew(self, slot: int, learned: NDArray[np.void], before: NDArray[np.void], present: float) -> None:
        """Take over the one row `learned`; what stands for a level begins at `present`, its noise being that of the row `before`."""
        row = self._shadows + slot
        for name in self.detectors:
            self._state[name][row] = learned[name][0]
            adopted = DETECTORS[name].adopted
            if adopted is not None:
                adopted(self._state[name][row], before[name][0], present)
        self._state["calibration"]["onset_ns"][row] = 0

    def obey(self, slot: int, ask: Ask) -> None:
        """Do what an episode asks of the model of its series."""
        if ask is Ask.QUARANTINE:
            self.quarantine(slot)
        elif ask is Ask.ADOPT:
            self.adopt(slot)
        elif ask is Ask.UNDO:
            self.undo(slot)
        else:
            self.discard(slot, but_recurring=ask is Ask.REMEMBER)

    # ---------------------------------------------------------------------------------------------- heirs
    def clocks(self, slots: NDArray[np.int64]) -> NDArray[np.void]:
        """Copies of the clocks of these series; fields as in `detectors.clock`."""
        clocks: NDArray[np.void] = self._state["clock"][slots + self._shadows]
        return clocks

    def levels(self, slots: NDArray[np.int64]) -> NDArray[np.float64]:
        """The level of the last hours of these series."""
        levels: NDArray[np.float64] = self._state["level"]["level"][slots + self._shadows, 1]
        return levels

    def newest(self, slot: int) -> float:
        """The last value of a series."""
        return float(self._state["level"]["level"][slot + self._shadows, 0])

    def units(self, slot: int) -> tuple[float, float]:
        """The level of the last days of a series, and its usual deviation from it (> 0)."""
        row = self._state["level"][slot + self._shadows]
        level = float(row["level"][-1])
        return level, 1.25 * float(row["scale"][-1]) + 0.1 * float(row["quantum"]) + 1e-9 * abs(level) + 1e-12

    def needed_decades(self, step_seconds: float) -> float:
        """The decades of the sum that a score of 1.0 stands for."""
        needed = self._needed.get(step_seconds)
        if needed is None:
            if len(self._needed) >= _STEPS_MAX:
                self._needed.clear()
            needed = self._needed[step_seconds] = float(budget.needed_decades(step_seconds, self._params.budget_seconds))
        return needed

    def usual_factor(self, usual: float, step_seconds: float) -> dict[str, float]:
        """What was taken off a score, as a factor below zero."""
        decades = usual * self.needed_decades(step_seconds)
        return {"usual": -decades} if decades >= 0.1 else {}

    def learning(self) -> int:
        """How many series in use have no opinion yet: they are too young."""
        time = self._state["clock"][self._shadows : self._shadows + self._slots_used]
        lived = (time["last_ns"] - time["first_ns"]) * 1e-9
        young = (time["seen"] < self._params.samples_min) | (lived < self._params.warm_up_seconds)
        return int(np.count_nonzero(young & (time["seen"] > 0)))

    def inherit(self, slot: int, donor: int, level: float, age_ns: int) -> None:
        """Let a young series take over what an elder one knows, at its own `level`, and count as `age_ns` old: it is judged from now on."""
        row, elder = self._shadows + slot, self._shadows + donor
        moved = level - float(self._state["level"]["level"][elder, 1])
        for name in self.detectors:
            heirs.inherit(name, self._state[name][row], self._state[name][elder], level, moved)
        self._state["calibration"][row] = self._state["calibration"][elder]
        self._state["calibration"]["onset_ns"][row] = 0
        time = self._state["clock"][row]
        time["first_ns"] = min(int(time["first_ns"]), int(time["last_ns"]) - age_ns)
        time["seen"] = max(int(time["seen"]), min(int(self._state["clock"]["seen"][elder]), heirs.SEEN))

    def epoch(self, slot: int) -> int:
        """How often this series' model was adopted anew."""
        return int(self._clock(slot)["epoch"][0])

    # ---------------------------------------------------------------------------------------------- time
    def civil_ns(self, ts_ns: int) -> int:
        """An event time as the clocks of the zone show it."""
        return ts_ns + self._spans[bisect_right(self._starts, ts_ns) - 1][1]

    def step_seconds(self, slot: int) -> float:
        """The learned usual distance between samples; 0 while unknown."""
        return float(self._clock(slot)["step"][0])

    def overdue(self, now_ns: int) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        """Slots silent beyond what their rhythm allows at `now_ns`, ascending, with the absence score (>= 1)."""
        if now_ns < self._heard_until_ns:
            return _NO_SLOTS, _NO_SCORES
        surprise = np.empty(self._slots_used, np.float64)
        overdue, until_ns = self._passes().silence(self._shadows, now_ns, surprise)
        if not overdue:
            self._heard_until_ns = until_ns
            return _NO_SLOTS, _NO_SCORES
        slots = np.flatnonzero(surprise >= 1.0).astype(np.int64)
        return slots, surprise[slots]

    # ---------------------------------------------------------------------------------------------- snapshots
    def snapshot(self) -> Columns:
        """A copy of every row in use, as bytes that need no dtype to be read back: the kernel id says what they are.

        Shadows are numbered in the order of their series, as `restore` numbers them: equal models give equal bytes.
        """
        live = self._state[self._shadows : self._shadows + self._slots_used].copy()
        taken = np.flatnonzero(live["clock"]["shadow"] > 0)
        shadows = self._state[live["clock"]["shadow"][taken] - 1]
        live["clock"]["shadow"][taken] = np.arange(1, len(taken) + 1)
        return {
            "kernel_id": np.array([self.kernel_id], "S16"),
            "rows": _as_bytes(live),
            "shadow_rows": _as_bytes(shadows),
            "shadow_of": taken.astype(np.int64),
            "former_rows": _as_bytes(np.concatenate([np.zeros(0, self._dtype), *self._former.values()])),
            "former_of": np.array(list(self._former), np.int64),
        }

    def restore(self, columns: Columns) -> None:
        """Become the bank that was saved. Raises StateError, unchanged, when it was one of other kernels or sizes."""
        if bytes(columns["kernel_id"][0]).decode() != self.kernel_id:
            raise StateError(
                "the models were learned by other detectors", hint="They start empty, or run the version that saved them."
            )
        width = self._dtype.itemsize
        rows, taken = columns["rows"], columns["shadow_of"].astype(np.int64)
        slots, rest = divmod(len(rows), width)
        if rest or slots > self._series_max or len(taken) > self._shadows_beside(slots):
            raise StateError("the models' columns are torn")
        shadows = self._rows_of(columns["shadow_rows"], taken, slots)
        former_of = columns["former_of"].astype(np.int64)
        former = self._rows_of(columns["former_rows"], former_of, slots)
        live = np.frombuffer(rows.tobytes(), self._dtype).copy()
        live["clock"]["shadow"][taken] = np.arange(1, len(taken) + 1)
        room = max(slots, min(_ROWS_FIRST, self._series_max))
        self._shadows = self._shadows_beside(room)
        state = np.zeros(self._shadows + room, self._dtype)
        state[: len(taken)] = shadows
        state[self._shadows : self._shadows + slots] = live
        self._state = state
        self._slots_used, self._heard_until_ns = slots, _AT_ONCE
        self._free_shadows = list(range(self._shadows - 1, len(taken) - 1, -1))
        self._former = {slot: former[place : place + 1].copy() for place, slot in enumerate(former_of.tolist())}

    def _rows_of(self, saved: NDArray[np.generic], of: NDArray[np.int64], slots: int) -> NDArray[np.void]:
        """Rows beside those of the series, one for each slot in `of`. Raises StateError."""
        if len(saved) != len(of) * self._dtype.itemsize or (len(of) and not (of.min() >= 0 and of.max() < slots)):
            raise StateError("the models' columns are torn")
        return np.frombuffer(saved.tobytes(), self._dtype)


def _as_bytes(rows: NDArray[np.void]) -> NDArray[np.uint8]:
    """The same memory as bytes: `rows` is a copy already."""
    return rows.view(np.uint8)
