"""Which series belong together: the same metric of many members of one fleet, such as the pods of a deployment, or all metrics of an entity.

A fleet is all metric series of one name, kind and unit whose labels differ in nothing but those that tell members apart (pod,
instance, host, …). It is what peers are compared in, and the class that a new series may start from.
"""

from __future__ import annotations

import re
from array import array
from bisect import bisect_left, insort
from collections.abc import Callable, Collection, Iterator, Sequence
from heapq import heapify, heappop, heappush
from typing import Any, Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from engine.errors import StateError
from engine.ports import Columns
from engine.records import Series, Signal, digest, series_key

_PARTS: Final = re.compile(r"[._](?:p\d+|q\d+|median|mean|avg|average|min|max|stddev|sum|bucket)$")
GROUPS_MAX: Final = 50_000
ROWS_FIRST: Final = 64
PORTION: Final = 65_536
"""Members of groups whose rounds are played at once, about."""
MEMBERS_MAX: Final = 1_000
"""Members of one group; those that come later belong to none."""


class Groups:
    """Groups by number, lowest first, and their members by slot, ascending. Equal logs give equal numbers."""

    def __init__(self, name_of: Callable[[Series], str], groups_max: int = GROUPS_MAX, members_max: int = MEMBERS_MAX) -> None:
        """`name_of` is equal for series that belong together, and "" for one that belongs to none."""
        self._name_of = name_of
        self._groups_max, self._members_max = groups_max, members_max
        self._numbers: dict[str, int] = {}
        self._names: list[str] = []  # "" where a number is free
        self._members: list[array[int]] = []
        self._of = np.zeros(0, np.int32)  # by slot: its group + 1; 0 none
        self._free: list[int] = []
        self.members_all = 0
        """How many series are in a group."""

    def __len__(self) -> int:
        """One more than the highest number ever given."""
        return len(self._names)

    def add(self, slot: int, series: Series) -> int:
        """The group of a series that was just admitted; -1 when it is alone in its kind or there is no room."""
        name = self._name_of(series)
        if not name:
            return -1
        number = self._numbers.get(name, -1)
        if number < 0:
            if len(self._numbers) >= self._groups_max:
                return -1
            number = self._new(name)
        members = self._members[number]
        if len(members) >= self._members_max:
            return -1
        insort(members, slot)
        self._of = grown(self._of, slot + 1)
        self._of[slot] = number + 1
        self.members_all += 1
        return number

    def remove(self, slot: int) -> int:
        """The series is forgotten; returns the group that has ended with it, -1 when none has."""
        number = self.of(slot)
        if number < 0:
            return -1
        self._of[slot] = 0
        self.members_all -= 1
        members = self._members[number]
        del members[bisect_left(members, slot)]
        if members:
            return -1
        del self._numbers[self._names[number]]
        self._names[number] = ""
        heappush(self._free, number)
        return number

    def of(self, slot: int) -> int:
        """The number of a series' group; -1: none."""
        return int(self._of[slot]) - 1 if slot < len(self._of) else -1

    def of_all(self, slots: NDArray[np.int64]) -> NDArray[np.int32]:
        """The numbers of the groups of some members."""
        numbers: NDArray[np.int32] = self._of[slots] - 1
        return numbers

    def slots(self) -> NDArray[np.int64]:
        """All members of all groups, ascending."""
        return np.flatnonzero(self._of).astype(np.int64)

    def members(self, number: int) -> Sequence[int]:
        """Slots, ascending. A view that the next `add` or `remove` changes."""
        return self._members[number]

    def seats(self, numbers: Sequence[int]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Where the members of each of g groups begin (g + 1), and all of their slots."""
        parts = [self._members[number] for number in numbers]
        begins = np.zeros(len(parts) + 1, np.int64)
        np.cumsum(np.fromiter(map(len, parts), np.int64, len(parts)), out=begins[1:])
        return begins, np.frombuffer(b"".join(parts), np.int32).astype(np.int64)

    def _new(self, name: str) -> int:
        if self._free:
            number = heappop(self._free)
            self._names[number] = name
        else:
            number = len(self._names)
            self._names.append(name)
            self._members.append(_nobody())
        self._numbers[name] = number
        return number

    # ------------------------------------------------------------------------------------------ snapshots
    def snapshot(self) -> Columns:
        slots = self.slots()
        return {
            "names": np.frombuffer(msgspec.json.encode(self._names), np.uint8).copy(),
            "slot": slots,
            "group": self.of_all(slots).astype(np.int64),
        }

    def restore(self, columns: Columns) -> None:
        """Become the groups that were saved; only groups just made may be restored. Raises StateError."""
        try:
            names = msgspec.json.decode(columns["names"].tobytes(), type=list[str])
        except msgspec.DecodeError as error:
            raise StateError("the groups of series are torn") from error
        slots, groups = columns["slot"].astype(np.int64), columns["group"].astype(np.int64)
        if len(slots) != len(groups) or any(not 0 <= number < len(names) or not names[number] for number in set(groups.tolist())):
            raise StateError("the groups of series are torn")
        self._names, self._of = names, np.zeros(int(slots.max(initial=-1)) + 1, np.int32)
        self._of[slots] = groups + 1
        self.members_all = len(slots)
        self._numbers = {name: number for number, name in enumerate(names) if name}
        self._members = [_nobody() for _ in names]
        for slot, number in sorted(zip(slots.tolist(), groups.tolist(), strict=True)):
            self._members[number].append(slot)
        self._free = [number for number, name in enumerate(names) if not name]
        heapify(self._free)


def _nobody() -> array[int]:
    return array("i")


def fleets(labels: Collection[str]) -> Callable[[Series], str]:
    """Names fleets: equal for series that differ in nothing but `labels`, "" for one that nothing tells apart from others."""
    apart = frozenset(labels)

    def name_of(series: Series) -> str:
        if series.signal is not Signal.METRIC or not any(label in apart for label, _ in series.labels):
            return ""
        return digest(series.tenant, series.domain, series.kind, series.unit, fleet_key(series, apart))

    return name_of


def entity_name(series: Series) -> str:
    """Equal for the metrics of one entity; "" for what is no metric or has no entity."""
    if series.signal is not Signal.METRIC or not series.entity:
        return ""
    return digest(series.tenant, series.domain, series.entity)


def metric_of(series: Series) -> str:
    """What is measured: the name without that of a quantile or another part of the same distribution."""
    return _PARTS.sub("", series.name)


def fleet_key(series: Series, labels: Collection[str]) -> str:
    """The group as people read it: the series without the labels that tell its members apart."""
    return series_key(series.name, tuple(pair for pair in series.labels if pair[0] not in labels)).decode()


def portions(numbers: NDArray[np.int64], sizes: NDArray[np.int64]) -> Iterator[NDArray[np.int64]]:
    """Groups in their order, some at a time: what is worked out for each member of a million takes memory. `sizes`: members of each, about."""
    if int(sizes.sum()) <= PORTION:  # the usual case, at each tick
        if len(numbers):
            yield numbers
        return
    begins = np.concatenate(([0], np.cumsum(sizes))) // PORTION
    cuts = np.flatnonzero(begins[1:-1] != begins[:-2]) + 1
    yield from (part for part in np.split(numbers, cuts) if len(part))


def grown(array: NDArray[Any], rows: int) -> NDArray[Any]:
    """The array with at least so many rows, those that are new being zero; doubles."""
    if rows <= len(array):
        return array
    longer = np.zeros(max(rows, 2 * len(array), ROWS_FIRST), array.dtype)
    longer[: len(array)] = array
    return longer
