"""The series of one shard: key → slot, in a table that is bounded, forgets the silent ones, and refuses new ones when full.

Slots are given lowest first and given back by log time only, so equal logs give equal tables. What a series is called is kept in its key
alone, and read from it when somebody asks: a million series take columns, no objects.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from hashlib import blake2b
from heapq import heapify, heappop, heappush
from typing import Final

import numpy as np
from numpy.typing import NDArray

from detectors import values
from detectors.kernel import as_state
from engine.detect.doorkeeper import Doorkeeper, Refusal
from engine.detect.gates import Policies, Policy
from engine.detect.titles import REFUSED, Titles, grown_column
from engine.errors import StateError
from engine.ports import Columns
from engine.records import Coded, Series, Signal, ValueKind
from engine.words import Numbers, Words

ROWS: Final = np.dtype(
    [
        ("values", values.STATE),
        ("family", np.uint64),  # hash of name and entity: siblings are equal
        ("kind", np.int8),  # of values.py
        ("metric", np.bool_),
        ("live", np.bool_),  # an episode is open
        ("used", np.bool_),
        ("fitful", np.bool_),  # it comes when there is something to say: its silence is no news
        ("silent", np.int8),  # ticks for which it has been overdue, held at SILENT_MAX
    ],
    align=True,
)
SILENT_MAX: Final = 100
_KINDS: Final = {ValueKind.COUNTER: values.COUNTER, ValueKind.DELTA: values.DELTA}
_ROWS_FIRST: Final = 64
_IGNORED_MAX: Final = 100_000
_HAND: Final = 8192
"""Slots looked at for silence in each turn."""
_TURN_NS: Final = 60_000_000_000
IGNORED: Final = -2
ASIDE: Final = -3
"""This and what is below: no slot, but the number of a bucket, counted downwards."""


class SeriesTable:
    """Slots 0 … series_max - 1. `rows` grows by doubling; take it anew after each `admit`."""

    def __init__(self, series_max: int, policies: Policies, doorkeeper: Doorkeeper | None = None) -> None:
        """Without a doorkeeper of their own, all series may have one name."""
        self._series_max = series_max
        self._doorkeeper = doorkeeper or Doorkeeper(series_max, series_max)
        self._policies = policies
        self.rule_of = policies.rule_of
        self._titles = Titles()
        self._coded = CodedSlots()
        self._free: list[int] = []
        self._taken = 0
        self._ignored: set[bytes] = set()
        self._hand = 0
        self._looked = -1  # in which of its turns the hand was last moved
        self.slots_used = 0
        """One more than the highest slot ever given."""
        self._policy = np.zeros(0, np.int32)  # by slot, in `_policy_list`
        self._policy_list: list[Policy] = []
        self._policy_number: dict[Policy, int] = {}
        self._take_rows(np.zeros(min(_ROWS_FIRST, series_max), ROWS))
        self._any_silent = False
        self.all_seated = False
        """Whether what was looked up last is known to have slots, every key of it; False says nothing."""

    def __len__(self) -> int:
        return self._taken

    def __contains__(self, key: object) -> bool:
        """Whether the series of a key has a slot, or is set aside."""
        return isinstance(key, bytes) and self._titles.slot_of(key) != REFUSED

    def lookup(self, keys: Sequence[bytes]) -> Numbers:
        """The slot of each key, REFUSED for those that have none, ASIDE or less for what `set_aside` has put there."""
        if isinstance(keys, Coded):
            slots = self._coded.slots(keys, self._titles.slots_among)
            self.all_seated = self._coded.all_seated
            return slots
        self.all_seated = False
        return self._titles.slots_of(keys)

    def slot_of(self, key: bytes) -> int:
        """The slot of one key, REFUSED when it has none."""
        return self._titles.slot_of(key)

    def is_ignored(self, key: bytes) -> bool:
        """Whether `admit` has found that a rule ignores the series; asked before it is described."""
        return key in self._ignored

    def refuses(self, key: bytes) -> bool:
        """Whether a new series of this key gets no slot whatever it is; asked before it is described."""
        return self._doorkeeper.is_full(key)

    def admit(self, series: Series) -> int | Refusal:
        """A slot for a new series; IGNORED when a rule says so; or why it gets none."""
        if self.ignores(series):
            return IGNORED
        refusal = self._doorkeeper.refusal(series, len(self))
        if refusal is not None:
            return refusal
        slot = heappop(self._free) if self._free else self.slots_used
        self._occupy(slot, series)
        return slot

    def ignores(self, series: Series) -> bool:
        """Whether a rule ignores the series; it is remembered."""
        if not self._policies.of(series).ignore:
            return False
        if len(self._ignored) >= _IGNORED_MAX:
            self._ignored.clear()
        self._ignored.add(series.key)
        return True

    def set_aside(self, key: bytes, number: int) -> None:
        """The series gets no slot; `lookup` gives this number, ASIDE or less. The caller saves it."""
        self._titles.set_aside(key, number)
        self._coded.note(key, number)

    def take_back(self, key: bytes) -> None:
        """The series is no longer set aside."""
        self._titles.forget(key)
        self._coded.note(key, REFUSED)

    def _occupy(self, slot: int, series: Series) -> None:
        self.slots_used = max(self.slots_used, slot + 1)
        if slot >= len(self.rows):
            grown = np.zeros(min(2 * len(self.rows), self._series_max), ROWS)
            grown[: len(self.rows)] = self.rows
            self._take_rows(grown)
        self._titles.put(slot, series)
        self._seat(slot, series)
        self._coded.note(series.key, slot)
        row = self.rows[slot]  # empty: never given, or released
        row["family"] = _family(series)
        row["kind"] = _KINDS.get(series.kind, values.GAUGE)
        row["metric"] = series.signal is Signal.METRIC
        row["fitful"] = series.kind is ValueKind.DERIVED
        row["used"] = True

    def _take_rows(self, rows: NDArray[np.void]) -> None:
        self.rows = as_state(rows)
        self.values, self.kinds, self.live = self.rows["values"], self.rows["kind"], self.rows["live"]
        self._used = self.rows["used"]

    def _seat(self, slot: int, series: Series) -> None:
        """What is known of a series in a slot beside its row."""
        policy = self._policies.of(series)
        number = self._policy_number.setdefault(policy, len(self._policy_list))
        if number == len(self._policy_list):
            self._policy_list.append(policy)
        self._policy = grown_column(self._policy, slot + 1)
        self._policy[slot] = number
        self._taken += 1
        self._doorkeeper.seated(series)

    def heard(self, slot: Numbers) -> None:
        """These series are not silent."""
        if self._any_silent:
            self.rows["silent"][slot] = 0

    def unheard(self, slots: Numbers) -> NDArray[np.int8]:
        """These series are overdue at one more tick: at how many in a row, held at SILENT_MAX."""
        self._any_silent = True
        ticks: NDArray[np.int8] = np.minimum(self.rows["silent"][slots] + 1, SILENT_MAX).astype(np.int8)
        self.rows["silent"][slots] = ticks
        return ticks

    def at(self, slot: int) -> Series:
        """The series in a slot that is in use."""
        if not 0 <= slot < self.slots_used or not self._used.item(slot):
            raise ValueError(f"slot {slot} is empty")
        return self._titles.at(slot)

    def all(self) -> Iterator[tuple[int, Series]]:
        """Every slot in use and its series, ascending."""
        for slot in np.flatnonzero(self.rows["used"][: self.slots_used]).tolist():
            yield slot, self._titles.read(slot)

    def policy(self, slot: int) -> Policy:
        """What matters about the series in a slot that is in use."""
        return self._policy_list[int(self._policy[slot])]

    def release(self, slot: int) -> None:
        """The series is forgotten; its slot may be given to another."""
        series = self.at(slot)
        self._doorkeeper.left(series)
        self._taken -= 1
        self._titles.remove(slot)
        self._coded.note(series.key, REFUSED)
        self.rows[slot] = np.zeros(1, ROWS)[0]
        heappush(self._free, slot)

    def idle(self, before_ns: int) -> list[int]:
        """The next few slots in use that were last heard before then: a clock hand goes round, a part in each minute."""
        turn = before_ns // _TURN_NS
        if turn == self._looked:
            return []
        self._looked = turn
        size = self.slots_used
        if self._hand >= size:
            self._hand = 0
        part = self.rows[self._hand : min(self._hand + _HAND, size)]
        found = np.flatnonzero(part["used"] & part["metric"] & (part["values"]["last_ns"] < before_ns)) + self._hand
        self._hand += len(part)
        slots: list[int] = found.tolist()
        return slots

    # ------------------------------------------------------------------------------------------ snapshots
    def snapshot(self) -> Columns:
        slots = np.flatnonzero(self.rows["used"][: self.slots_used]).astype(np.int64)
        columns: dict[str, NDArray[np.generic]] = {
            "rows": np.frombuffer(self.rows[: self.slots_used].tobytes(), np.uint8).copy(),
            "hand": np.array([self._hand, self._looked], np.int64),
        }
        return {**columns, **self._titles.snapshot(slots), **self._doorkeeper.snapshot()}

    def restore(self, columns: Columns) -> None:
        """Become the table that was saved. Raises StateError; only a table just made may be restored."""
        size, rest = divmod(len(columns["rows"]), ROWS.itemsize)
        if rest or size > self._series_max:
            raise StateError("the table of series is torn")
        rows = np.zeros(max(size, min(_ROWS_FIRST, self._series_max)), ROWS)
        rows[:size] = np.frombuffer(columns["rows"].tobytes(), ROWS)
        self._take_rows(rows)
        self.slots_used = size
        self._any_silent = bool(rows["silent"].any())
        self._titles.restore(np.flatnonzero(rows["used"]).astype(np.int64), columns)
        for slot, series in self.all():
            self._seat(slot, series)
        self._doorkeeper.restore(columns)
        self._free = np.flatnonzero(~rows["used"][:size]).tolist()
        heapify(self._free)
        self._hand, self._looked = columns["hand"].tolist()


class CodedSlots:
    """Slots by the codes of the words that keys last came in: a look-up is then one gather."""

    def __init__(self) -> None:
        self._words = Words()
        self._slot = np.zeros(0, np.int64)  # by code
        self._unseated = 0  # codes without a slot

    @property
    def all_seated(self) -> bool:
        """Whether every word has a slot."""
        return not self._unseated

    def slots(self, keys: Coded, known: Callable[[Words, Numbers], Numbers]) -> Numbers:
        """What is `known` of each key: asked once of each word, by its number."""
        words = keys.words
        if words is not self._words:
            self._words, self._slot, self._unseated = words, np.zeros(0, np.int64), 0
        size = len(self._slot)
        if size < len(words):
            grown = known(words, np.arange(size, len(words)))
            self._slot = np.concatenate((self._slot, grown))
            self._unseated += int(np.count_nonzero(grown < 0))
        slots: Numbers = self._slot[keys.codes]
        return slots

    def note(self, key: bytes, slot: int) -> None:
        """The series of a key has a slot or a number now, or (REFUSED) has none any more."""
        code = self._words.find(key) if len(self._slot) else REFUSED
        if 0 <= code < len(self._slot):
            self._unseated += (slot < 0) - (int(self._slot[code]) < 0)
            self._slot[code] = slot


def _family(series: Series) -> int:
    """Equal for series of one name on one entity; 0 for those of no entity, which have no siblings."""
    if not series.entity:
        return 0
    return int.from_bytes(blake2b(f"{series.name}\0{series.entity}".encode(), digest_size=8).digest(), "little")
