"""Who may have a place in the table of series: what keeps one exploding label from taking it all.

No name may have more than its share of places. Once half of all places are taken, a new series must come twice before it gets one, so that
names made up for a single sample take none. Series that have a place keep it: nobody can push out others by sending more.
"""

from __future__ import annotations

from collections import Counter
from hashlib import blake2b
from typing import Final

import numpy as np

from engine.enums import Word
from engine.ports import Columns
from engine.records import Series, Signal

CALM_MAX: Final = 1_000
"""A table of so few series takes everybody, as long as there is room."""
MET_MAX: Final = 50_000
"""Series that came once and are remembered; beyond it the older half is forgotten, and so on."""


class Refusal(Word):
    """Why a new series gets no place."""

    FULL = "full"
    NAME_FULL = "name_full"
    MET_ONCE = "met_once"


class Doorkeeper:
    """Of one table of `series_max` places, of which one name may have `per_name_max`."""

    def __init__(self, series_max: int, per_name_max: int) -> None:
        self._series_max, self._per_name_max = series_max, per_name_max
        self._crowded = max(series_max // 2, CALM_MAX)
        self._places: Counter[bytes] = Counter()  # taken, by name
        self._met: set[int] = set()
        self._met_before: set[int] = set()

    def refusal(self, series: Series, taken: int) -> Refusal | None:
        """Why a series without a place gets none now, when `taken` places are; it may next time."""
        if taken >= self._series_max:
            return Refusal.FULL
        if self.is_full(series.key):
            return Refusal.NAME_FULL
        if taken >= self._crowded and series.signal is Signal.METRIC and not self._is_known(series.key):
            return Refusal.MET_ONCE
        return None

    def is_full(self, key: bytes) -> bool:
        """Whether the name of a series has its share of places: then none of its series gets any, whatever else is known of it."""
        return self._places.get(_name(key), 0) >= self._per_name_max

    def _is_known(self, key: bytes) -> bool:
        """Whether the series came before; from now on it has."""
        mark = int.from_bytes(blake2b(key, digest_size=8).digest(), "little")
        if mark in self._met or mark in self._met_before:
            return True
        if len(self._met) >= MET_MAX:
            self._met, self._met_before = set(), self._met
        self._met.add(mark)
        return False

    def seated(self, series: Series) -> None:
        """A series has got a place."""
        self._places[_name(series.key)] += 1

    def left(self, series: Series) -> None:
        """A series has given its place back."""
        name = _name(series.key)
        self._places[name] -= 1
        if not self._places[name]:
            del self._places[name]

    # ------------------------------------------------------------------------------------------ snapshots
    def snapshot(self) -> Columns:
        return {"met": _sorted(self._met), "met_before": _sorted(self._met_before)}

    def restore(self, columns: Columns) -> None:
        """Become what was saved, but for who has a place: that is told again."""
        self._met, self._met_before = set(columns["met"].tolist()), set(columns["met_before"].tolist())


def _name(key: bytes) -> bytes:
    return key.partition(b"{")[0]


def _sorted(marks: set[int]) -> np.ndarray[tuple[int], np.dtype[np.uint64]]:
    return np.sort(np.array(list(marks), np.uint64))
