"""What counts say over several buckets together, for the series of one shard that count something: see `detectors.pooled`."""

from __future__ import annotations

from heapq import heappop, heappush
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from detectors import pooled
from detectors.kernel import as_state
from engine.detect.episode import Ask
from engine.detect.gates import Gate, Judged
from engine.detect.kinds import word_for
from engine.detect.lineage import lineage_hash
from engine.errors import StateError
from engine.ports import Columns
from engine.records import AnomalyKind, Series, digest

NOWHERE: Final = -1
FALLS_AFTER_NS: Final = 86_400_000_000_000
"""So long something must have been judged before its fall is told by a pool: what is new for an hour and over is no loss, and its nights are not known."""
_ROWS_FIRST: Final = 64
Ints = NDArray[np.int64]
Floats = NDArray[np.float64]


class Pools:
    """The pools of a shard's counted series, by their slots. Series that count nothing take no room."""

    def __init__(self, bucket_seconds: float) -> None:
        self.bucket_ns = int(bucket_seconds * 1_000_000_000)
        self._place = np.full(0, NOWHERE, np.int64)  # by slot
        self._rows = as_state(np.zeros(0, pooled.STATE))
        self._free: list[int] = []

    def take(
        self,
        slot: Ints,
        ts_ns: int,
        samples: tuple[Floats, Floats, Floats],
        needed: float,
        opinion: tuple[NDArray[np.bool_], Floats],
    ) -> Any:
        """Learn samples (value, expected, weight) of one bucket, each of another series; returns a verdict each.

        `opinion`: which of them learn how they scatter, and their scores, raised where the pool is beyond the boundary.
        """
        learns, score = opinion
        places = self._places(slot)  # before the rows are looked at: it may need more of them
        verdict = as_state(np.zeros(len(slot), pooled.VERDICT))
        pooled.pool(self._rows, places, ts_ns // self.bucket_ns, samples, needed, learns, score, verdict)
        return verdict

    def _places(self, slot: Ints) -> Ints:
        most = int(slot.max(initial=-1)) + 1
        if most > len(self._place):
            self._place = np.concatenate((self._place, np.full(most - len(self._place), NOWHERE, np.int64)))
        places = self._place[slot]
        for new in slot[places == NOWHERE].tolist():
            self._place[new] = self._room()
        return self._place[slot]

    def _room(self) -> int:
        """A row that nobody has."""
        if not self._free:
            rows = len(self._rows)
            grown = np.zeros(max(2 * rows, _ROWS_FIRST), pooled.STATE)
            grown[:rows] = self._rows
            self._rows = as_state(grown)
            self._free = list(range(rows, len(grown)))
        return heappop(self._free)

    def gate(self, slot: int, judged: Judged, *, is_covered: bool) -> Gate:
        """What stands against a pool becoming an alert: a part tells it already, or what falls has not been coming for a day."""
        if is_covered:
            return Gate.SUPERSEDED
        is_young = float(self._rows["judged"][self._place[slot]]) * self.bucket_ns < FALLS_AFTER_NS
        return Gate.WARMING_UP if is_young and judged.deviation < 0.0 else Gate.PASSED

    def obey(self, slot: int, ask: Ask) -> None:
        """After anything but a quarantine what is in the pool of a series says nothing any more: its level is another one now. How it scatters stays."""
        if ask is Ask.QUARANTINE:
            return
        place = int(self._place[slot]) if slot < len(self._place) else NOWHERE
        if place != NOWHERE:
            self._rows["seen"][place] = 0
            self._rows["awaited"][place] = 0.0

    def release(self, slot: int) -> None:
        """The series is gone."""
        place = int(self._place[slot]) if slot < len(self._place) else NOWHERE
        if place != NOWHERE:
            self._rows[place] = np.zeros(1, pooled.STATE)[0]
            self._place[slot] = NOWHERE
            heappush(self._free, place)

    # ------------------------------------------------------------------------------------------ snapshots
    def snapshot(self) -> Columns:
        slots = np.flatnonzero(self._place != NOWHERE)
        return {
            "id": np.array([_state_id()], "S32"),
            "slots": slots.astype(np.int64),
            "rows": np.frombuffer(self._rows[self._place[slots]].tobytes(), np.uint8).copy(),
        }

    def restore(self, columns: Columns) -> None:
        """Become what was saved; only when just made. Raises StateError."""
        if not columns:
            return
        if bytes(columns["id"][0]).decode() != _state_id():
            raise StateError("counts were pooled by another version")
        slots, rows = columns["slots"].astype(np.int64), np.frombuffer(columns["rows"].tobytes(), pooled.STATE)
        if len(slots) != len(rows) or (np.diff(slots) <= 0).any() or (slots[:1] < 0).any():
            raise StateError("what was pooled is torn")
        self._rows = as_state(rows.copy())
        self._place = np.full(int(slots.max(initial=-1)) + 1, NOWHERE, np.int64)
        self._place[slots] = np.arange(len(slots))
        self._free = []


def together(series: Series, judged: Judged, pool: Any, bucket_ns: int) -> Judged:
    """One sample, named, with what its pool says, if it has one: a pool that is told gives the word, and all else where it is the more surprising."""
    if pool is None:
        if not judged.score >= 1.0:  # nobody is told of it
            return judged
        return judged._replace(kind=word_for(series, judged.kind, judged.value))
    awaited = float(pool["awaited"])
    if not pool["told"]:
        return judged._replace(kind=word_for(series, judged.kind, judged.value, awaited))
    kind = AnomalyKind.LEVEL_UP if pool["deviation"] > 0.0 else AnomalyKind.LEVEL_DOWN
    judged = judged._replace(
        kind=word_for(series, kind, judged.value, awaited), factors=judged.factors | {"pooled": float(pool["decades"])}
    )
    if pool["own"] >= judged.score:
        return judged
    return judged._replace(
        value=float(pool["value"]),
        expected=float(pool["expected"]),
        lower=float(pool["lower"]),
        upper=float(pool["upper"]),
        deviation=float(pool["deviation"]),
        onset_ts_ns=min(int(pool["began"]) * bucket_ns, judged.ts_ns),
        pool=float(pool["weight"]),
    )


def _state_id() -> str:
    return digest(lineage_hash((pooled.__name__,)), repr(pooled.STATE.descr))
