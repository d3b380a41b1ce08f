"""The histograms of one shard: which there are, what was counted in them last, and what is to be told of them.

A store has a row for each, as `detectors.histograms` wants it, and gives numbers lowest first and back by log time only, so that equal logs
give equal stores. What is derived waits in it for the next tick.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Sequence
from heapq import heapify, heappop, heappush
from math import inf, isnan, nan
from typing import Any, Final

import msgspec
import numpy as np
from msgspec import structs
from numpy.typing import NDArray

from detectors import histograms
from detectors.kernel import as_state, bound
from engine.errors import StateError
from engine.ports import Columns
from engine.records import Series, ValueKind, digest, series_key

SERIES_EACH: Final = 16
"""A shard may have one histogram for so many series: with its buckets, its sum and its count it stands for about as many."""
SAID_MAX: Final = 200_000
"""Points derived between two ticks; what is beyond is dropped, and the limit counted."""
RATE, MEAN = 0, 1
NAMES: Final = ("rate", "mean", *(f"p{share * 100:.0f}" for share in histograms.QUANTILES))
_ROWS_FIRST: Final = 16
_HAND: Final = 256
"""Rows looked at for silence at each tick."""


class Group(msgspec.Struct, omit_defaults=True):
    """One histogram."""

    number: int
    series: Series  # what it is a histogram of, without `le`
    keys: list[bytes] = []  # of the series of its buckets, by their places
    slots: list[int] = msgspec.field(default_factory=lambda: [-1, -1])  # of the series of its sum and of its count
    bounds: list[float] = []  # of a histogram that comes whole: n - 1 for n buckets


class Store:
    """Histograms of one form. `rows` grows by doubling; take it anew after each `add`."""

    def __init__(self, groups_max: int) -> None:
        self._groups_max = groups_max
        self._numbers: dict[bytes, int] = {}
        self._groups: list[Group | None] = []
        self._free: list[int] = []
        self._said: list[NDArray[np.void]] = []
        self._saying = 0
        self._hand = 0
        self._keys: dict[int, list[bytes]] = {}
        self.rows: NDArray[np.void] = as_state(np.zeros(min(_ROWS_FIRST, groups_max), histograms.STATE))
        self.counted = np.zeros(2, np.int64)

    def __len__(self) -> int:
        return len(self._numbers)

    def find(self, key: bytes) -> Group | None:
        number = self._numbers.get(key, -1)
        return self._groups[number] if number >= 0 else None

    def at(self, number: int) -> Group:
        """The histogram of a number that is in use."""
        group = self._groups[number]
        if group is None:
            raise ValueError(f"histogram {number} is gone")
        return group

    def all(self) -> list[Group]:
        return [group for group in self._groups if group is not None]

    def add(self, series: Series) -> Group | None:
        """A new histogram; None when there is no room."""
        if len(self._numbers) >= self._groups_max:
            return None
        number = heappop(self._free) if self._free else len(self._groups)
        if number == len(self._groups):
            self._groups.append(None)
            if number >= len(self.rows):
                grown = np.zeros(min(2 * len(self.rows), self._groups_max), histograms.STATE)
                grown[: len(self.rows)] = self.rows
                self.rows = as_state(grown)
        group = self._groups[number] = Group(number, series)
        self._numbers[series.key] = number
        return group

    def drop(self, group: Group) -> None:
        del self._numbers[group.series.key]
        self._groups[group.number] = None
        self._keys.pop(group.number, None)
        self._said = [said[said["number"] != group.number] for said in self._said]
        self.rows[group.number] = np.zeros(1, histograms.STATE)[0]
        heappush(self._free, group.number)

    def idle(self, before_ns: int) -> list[Group]:
        """The next few histograms that were last heard before then: a clock hand goes round, a part at each tick."""
        size = len(self._groups)
        if self._hand >= size:
            self._hand = 0
        part = self.rows[self._hand : min(self._hand + _HAND, size)]
        silent = np.flatnonzero(np.maximum(part["open_ns"], part["before_ns"]) < before_ns) + self._hand
        self._hand += len(part)
        found = [self._groups[number] for number in silent.tolist()]
        return [group for group in found if group is not None]

    # ------------------------------------------------------------------------------------------ what is derived
    def keep(self, out: NDArray[np.void]) -> bool:
        """Keep the points that a kernel has written, as `counted` says; False when there is no room for them."""
        told = int(self.counted[0])
        if self._saying + told > SAID_MAX:
            return False
        if told:
            self._said.append(np.array(out[:told], histograms.DERIVED))
            self._saying += told
        return True

    def take_said(self) -> NDArray[np.void]:
        """All that waits, by time; what is equal in time by its number. Nothing waits any more."""
        said = np.concatenate([np.zeros(0, histograms.DERIVED), *self._said])
        self._said, self._saying = [], 0
        return said[np.lexsort((said["number"], said["ts_ns"]))]

    def keys_of(self, group: Group) -> list[bytes]:
        """The keys of what is derived, in the order of NAMES."""
        keys = self._keys.get(group.number)
        if keys is None:
            keys = [series_key(f"{group.series.name}.{name}", group.series.labels) for name in NAMES]
            self._keys[group.number] = keys
        return keys

    # ------------------------------------------------------------------------------------------ snapshots
    def snapshot(self) -> Columns:
        said = np.concatenate([np.zeros(0, histograms.DERIVED), *self._said])
        return {
            "rows": np.frombuffer(self.rows[: len(self._groups)].tobytes(), np.uint8).copy(),
            "groups": np.frombuffer(msgspec.json.encode(self.all()), np.uint8).copy(),
            "said": np.frombuffer(said.tobytes(), np.uint8).copy(),
            "hand": np.array([self._hand], np.int64),
        }

    def restore(self, columns: Columns) -> None:
        """Raises StateError; only a store just made may be restored."""
        try:
            groups = msgspec.json.decode(columns["groups"].tobytes(), type=list[Group])
            rows = np.frombuffer(columns["rows"].tobytes(), histograms.STATE)
            said = np.frombuffer(columns["said"].tobytes(), histograms.DERIVED)
        except (msgspec.DecodeError, ValueError) as error:
            raise StateError("the histograms are torn") from error
        if len(rows) > self._groups_max or not all(0 <= group.number < len(rows) for group in groups):
            raise StateError("the histograms are torn, or there are fewer now than were kept")
        self.rows = as_state(np.zeros(max(len(rows), min(_ROWS_FIRST, self._groups_max)), histograms.STATE))
        self.rows[: len(rows)] = rows
        self._groups = [None] * len(rows)
        for group in groups:
            self._groups[group.number] = group
            self._numbers[group.series.key] = group.number
        self._free = sorted(set(range(len(rows))) - {group.number for group in groups})
        heapify(self._free)
        self._said, self._saying = [said.copy()], len(said)
        self._hand = int(columns["hand"][0])


def derived_series(series: Series, what: int) -> Series:
    """The series of a rate, of a mean, or of a quantile of a histogram."""
    name = f"{series.name}.{NAMES[what]}"
    kind, unit = (ValueKind.GAUGE, "") if what == RATE else (ValueKind.DERIVED, series.unit)
    return structs.replace(series, key=series_key(name, series.labels), name=name, kind=kind, unit=unit)


def add_bound(store: Store, group: Group, key: bytes, upper: float) -> int:
    """Make room for one more bucket of a classic histogram, in order; its place, negative when there is no room or it has that bound."""
    row = store.rows[group.number : group.number + 1]
    used = int(row["used"][0])
    bounds: list[float] = row["bounds"][0, :used].tolist()
    place = bisect_left(bounds, upper)
    if used >= histograms.BUCKETS_MAX or (place < used and bounds[place] == upper):
        return -1
    for name, empty in (("bounds", upper), ("now", 0.0), ("before", 0.0), ("has", 0), ("had", 0), ("known", 0)):
        column = row[name][0]
        column[place + 1 : used + 1] = column[place:used].copy()
        column[place] = empty
    row["used"] = used + 1
    group.keys.insert(place, key)
    return place


def lay(store: Store, group: Group, bounds: Sequence[float]) -> None:
    """The next point of a histogram has these bounds: what was counted before is laid over them, as far as it is known."""
    if group.bounds == bounds and store.rows["used"][group.number]:
        return
    row = store.rows[group.number : group.number + 1]
    used = int(row["used"][0])
    before = _Before(group.bounds, row["before"][0, :used].tolist(), row["had"][0, :used].tolist())
    laid = [before.at(upper) for upper in (*bounds, inf)]
    size = len(laid)
    row["bounds"][0, :size] = (*bounds, inf)
    row["had"][0, : histograms.BUCKETS_MAX] = 0
    row["had"][0, :size] = [not isnan(count) for count in laid]
    row["before"][0, :size] = np.nan_to_num(laid)
    row["used"] = size
    group.bounds = list(bounds)


class _Before:
    """Cumulative counts of a point, at any bound: known at its own, and everywhere inside a bucket that is empty."""

    def __init__(self, bounds: list[float], counts: list[float], known: list[int]) -> None:
        pairs = zip((*bounds, inf), counts, known, strict=False)
        self._pairs = [(upper, count) for upper, count, is_known in pairs if is_known]
        self._uppers = [upper for upper, _ in self._pairs]

    def at(self, upper: float) -> float:
        """NaN unknown."""
        place = bisect_left(self._uppers, upper)
        if place == len(self._pairs):
            return nan
        bound_of, count = self._pairs[place]
        below = self._pairs[place - 1][1] if place else 0.0
        return count if bound_of == upper or count == below else nan


def thinned(bounds: Sequence[float], counts: Sequence[float]) -> tuple[list[float], list[float]]:
    """The same in as many buckets as a row has: pairs of neighbours are joined, as often as needed."""
    few, joined = list(bounds), list(counts)
    while len(joined) > histograms.BUCKETS_MAX:
        few = few[1::2]
        joined = [sum(joined[at : at + 2]) for at in range(0, len(joined), 2)]
    return few, joined


class Kernels:
    """The compiled loops, bound to their types once."""

    def __init__(self, lineage: str) -> None:
        rows, out = as_state(np.zeros(1, histograms.STATE)), as_state(np.zeros(1, histograms.DERIVED))
        ints, floats = np.zeros(1, np.int64), np.zeros(1)
        self.gather: Callable[..., Any] = bound(histograms.gather, rows, ints, ints, ints, floats, out, ints)
        self.flush: Callable[..., Any] = bound(histograms.flush, rows, 0, out, ints)
        self.take_point: Callable[..., Any] = bound(histograms.take_point, rows, 0, ints, floats, 0.0, out, ints)
        self.id = digest(lineage)
