"""What the series of one shard are called: their keys as numbered words, and by slot the little that a key does not say.

A series is put together again from its key when somebody asks: its name and labels stand in it, its entity is the value of one
of its labels, and kind, unit, domain and tenant are the same for many. Where that would not give the series back (a text, an odd name) it is
kept as it is. The keys of series that have gone are let go of when they have become as many as those that are there.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

from engine.errors import StateError
from engine.ports import Columns
from engine.records import Series, Signal, ValueKind, parse_key
from engine.words import Numbers, Words

REFUSED: Final = -1
NEAR_MAX: Final = 4_096
"""Series that were asked for of late, and are held as they are."""
_DEAD_MIN: Final = 1_024
_ODD: Final = -1


class About(NamedTuple):
    """What many series share. `entity_label`: the label whose value is the entity, "" for none."""

    entity_label: str
    signal: Signal
    kind: ValueKind
    unit: str
    domain: str
    tenant: str


class Titles:
    """Keys and series by slot, and what else a key may stand for: a number below REFUSED."""

    def __init__(self) -> None:
        self._words = Words()
        self._slot = np.zeros(0, np.int32)  # by word: its slot, REFUSED for none, or the number it was set aside with
        self._word = np.zeros(0, np.int32)  # by slot
        self._about = np.zeros(0, np.int32)  # by slot, in `_abouts`; _ODD for one that is kept as it is
        self._abouts: list[About] = []
        self._about_number: dict[About, int] = {}
        self._odd: dict[int, Series] = {}
        self._near: dict[int, Series] = {}
        self._gone = 0

    # ------------------------------------------------------------------------------------------ look-ups
    def slot_of(self, key: bytes) -> int:
        """The slot of a key, the number that it was set aside with, or REFUSED."""
        word = self._words.find(key)
        return REFUSED if word < 0 else int(self._slot[word])

    def slots_of(self, keys: Sequence[bytes]) -> Numbers:
        """The same of many keys."""
        return self._slots(self._words.find_all(keys))

    def slots_among(self, words: Words, codes: Numbers) -> Numbers:
        """The same of keys that are words of somebody else, by their numbers there."""
        return self._slots(self._words.translated(words, codes))

    def _slots(self, word: Numbers) -> Numbers:
        if not len(self._slot):
            return np.full(len(word), REFUSED, np.int64)
        return np.where(word < 0, REFUSED, self._slot[word]).astype(np.int64)

    def at(self, slot: int) -> Series:
        """The series in a slot; those asked for of late are at hand."""
        series = self._near.get(slot)
        if series is None:
            if len(self._near) >= NEAR_MAX:
                self._near.clear()
            series = self._near[slot] = self.read(slot)
        return series

    def read(self, slot: int) -> Series:
        """The series in a slot, put together from its key."""
        number = int(self._about[slot])
        if number == _ODD:
            return self._odd[slot]
        key = self._words.word(int(self._word[slot]))
        name, labels = parse_key(key)
        entity_label, signal, kind, unit, domain, tenant = self._abouts[number]
        entity = dict(labels)[entity_label] if entity_label else ""
        return Series(
            key=key, name=name, labels=labels, entity=entity, signal=signal, kind=kind, unit=unit, domain=domain, tenant=tenant
        )

    # ------------------------------------------------------------------------------------------ changes
    def put(self, slot: int, series: Series) -> None:
        """A series has got a slot that was free."""
        word = self._say(series.key, slot)
        self._word, self._about = grown_column(self._word, slot + 1), grown_column(self._about, slot + 1)
        self._word[slot] = word
        self._describe(slot, series)

    def _describe(self, slot: int, series: Series) -> None:
        about = _about_of(series)
        if about is None:
            self._about[slot] = _ODD
            self._odd[slot] = series
            return
        number = self._about_number.setdefault(about, len(self._abouts))
        if number == len(self._abouts):
            self._abouts.append(about)
        self._about[slot] = number

    def set_aside(self, key: bytes, number: int) -> None:
        """A key stands for a number below REFUSED."""
        self._say(key, number)

    def _say(self, key: bytes, number: int) -> int:
        word = self._words.code(key)
        if word >= len(self._slot):
            longer = np.full(max(word + 1, 2 * len(self._slot)), REFUSED, np.int32)
            longer[: len(self._slot)] = self._slot
            self._slot = longer
        self._slot[word] = number
        return word

    def forget(self, key: bytes) -> None:
        """A key stands for nothing any more."""
        self._slot[self._words.find(key)] = REFUSED
        self._gone += 1
        if self._gone >= max(_DEAD_MIN, len(self._words) // 2):
            self._begin_anew()

    def remove(self, slot: int) -> None:
        """The series of a slot has gone."""
        series = self.at(slot)
        self._near.pop(slot, None)
        self._odd.pop(slot, None)
        self._about[slot] = _ODD
        self.forget(series.key)

    def _begin_anew(self) -> None:
        """Keep only the keys that stand for something."""
        before, live = self._words, np.flatnonzero(self._slot != REFUSED).astype(np.int64)
        numbers = self._slot[live].astype(np.int64)
        self._words, self._gone = Words(), 0
        word = self._words.take(before, live)
        self._slot = np.full(max(len(live), 1), REFUSED, np.int32)
        self._slot[word] = numbers
        seated = numbers >= 0
        self._word[numbers[seated]] = word[seated]
        self._tidy(numbers[seated])

    def _tidy(self, slots: Numbers) -> None:
        """Keep only what is said of these slots."""
        used = np.unique(self._about[slots])
        used = used[used != _ODD]
        self._abouts = [self._abouts[number] for number in used.tolist()]
        self._about_number = {about: number for number, about in enumerate(self._abouts)}
        plain = slots[self._about[slots] != _ODD]
        self._about[plain] = np.searchsorted(used, self._about[plain])

    # ------------------------------------------------------------------------------------------ snapshots
    def snapshot(self, slots: Numbers) -> Columns:
        """What is said of these slots, ascending: all that are in use."""
        words = Words()
        words.take(self._words, self._word[slots].astype(np.int64))
        numbers, about = np.unique(self._about[slots], return_inverse=True)
        plain = [self._abouts[number] for number in numbers.tolist() if number != _ODD]
        odd = about - 1 if len(numbers) and numbers[0] == _ODD else about
        said = msgspec.json.encode([plain, {str(slot): series for slot, series in sorted(self._odd.items())}])
        keys = {f"keys_{name}": column for name, column in words.saved().items()}
        return {**keys, "about": odd.astype(np.int32), "abouts": np.frombuffer(said, np.uint8).copy()}

    def restore(self, slots: Numbers, columns: Columns) -> None:
        """Become what was saved of these slots; only when just made. Raises StateError."""
        try:
            plain, odd = msgspec.json.decode(columns["abouts"].tobytes(), type=tuple[list[About], dict[int, Series]])
            self._words.restore(
                {name.removeprefix("keys_"): column for name, column in columns.items() if name.startswith("keys_")}
            )
        except (msgspec.DecodeError, ValueError) as error:
            raise StateError("the table of series is torn") from error
        about = columns["about"].astype(np.int32)
        known = np.flatnonzero(about == _ODD)
        fits = (
            len(about) == len(slots) == len(self._words) and about.max(initial=_ODD) < len(plain) and about.min(initial=0) >= _ODD
        )
        if not fits or set(slots[known].tolist()) != set(odd):
            raise StateError("the table of series is torn")
        self._abouts, self._odd = plain, odd
        self._about_number = {one: number for number, one in enumerate(plain)}
        size = int(slots.max(initial=-1)) + 1
        self._slot = slots.astype(np.int32)
        self._word, self._about = np.zeros(size, np.int32), np.zeros(size, np.int32)
        self._word[slots], self._about[slots] = np.arange(len(slots)), about


def _about_of(series: Series) -> About | None:
    """What a series shares with others; None when its key and that do not give it back."""
    if series.text or parse_key(series.key) != (series.name, series.labels):
        return None
    label = ""
    if series.entity:
        label = next((name for name, value in series.labels if value == series.entity), "")
        if not label:
            return None
    return About(label, series.signal, series.kind, series.unit, series.domain, series.tenant)


def grown_column(column: NDArray[Any], size: int) -> NDArray[Any]:
    """The column with room for so many at least, what is new being zero; doubles."""
    if size <= len(column):
        return column
    longer = np.zeros(max(size, 2 * len(column), 64), column.dtype)
    longer[: len(column)] = column
    return longer
