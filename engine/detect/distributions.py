"""What becomes of histograms: their rate, their mean and quantiles as series of their own, instead of each bucket by itself.

    http_request_seconds_bucket{le="0.1"}, …, http_request_seconds_sum, http_request_seconds_count
        → http_request_seconds.mean   .p50   .p90   .p99
    a histogram that comes whole (OpenTelemetry's, Prometheus' native ones)
        → the same, and .rate

A bucket's series gets no place in the table of series but a number below zero, which says whose bucket it is. A sum and a count without
buckets, as summaries have them, give a mean. What was derived since the last tick is scored at the tick, so that it does not matter how the
log was cut.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import inf, isnan
from typing import Final, NamedTuple

import numpy as np
from msgspec import structs
from numpy.typing import NDArray

from detectors import histograms
from detectors.histograms import COUNT, DERIVED, PLACES, SUM
from detectors.kernel import as_state
from engine.config.tree import Detect
from engine.detect.histograms import (
    NAMES,
    RATE,
    SERIES_EACH,
    Group,
    Kernels,
    Store,
    add_bound,
    derived_series,
    lay,
    thinned,
)
from engine.detect.lineage import lineage_hash
from engine.detect.series import ASIDE, SeriesTable
from engine.detect.titles import REFUSED
from engine.errors import StateError
from engine.metrics import Metric
from engine.ports import Columns, StepStats
from engine.records import Distribution, Series, ValueKind, series_key

_BUCKET: Final = "_bucket"
_PARTS: Final = {"_sum": SUM, "_count": COUNT, ".sum": SUM, ".count": COUNT}
"""Endings of sums and counts: Prometheus' own, and those that our codecs give to summaries."""
_SECOND_NS: Final = 1_000_000_000
Ints = NDArray[np.int64]


class Part(NamedTuple):
    """Which number of which histogram a series is."""

    name: str  # of the histogram
    key: bytes
    place: int  # SUM, COUNT or 0 for a bucket
    upper: float = inf


class Derived(NamedTuple):
    """Samples of what was derived, all of one length, by time."""

    keys: list[bytes]
    ts_ns: Ints
    value: NDArray[np.float64]
    about: dict[bytes, tuple[Group, int]]

    def describe(self, key: bytes) -> Series:
        group, what = self.about[key]
        return derived_series(group.series, what)


def part_of(series: Series) -> Part | None:
    """None for a series that is no part of a classic histogram or of a summary."""
    if series.kind is not ValueKind.COUNTER:
        return None
    if series.name.endswith(_BUCKET):
        upper = _upper(dict(series.labels).get("le", ""))
        if upper is None:
            return None
        name, labels = series.name.removesuffix(_BUCKET), tuple(pair for pair in series.labels if pair[0] != "le")
        return Part(name, series_key(name, labels), 0, upper) if name else None
    for suffix, place in _PARTS.items():
        name = series.name.removesuffix(suffix)
        if name and name != series.name:
            return Part(name, series_key(name, series.labels), place)
    return None


def _upper(text: str) -> float | None:
    try:
        upper = float(text)
    except ValueError:
        return None
    return None if isnan(upper) else upper


class Distributions:
    """The histograms of one shard, of both forms."""

    def __init__(self, config: Detect, table: SeriesTable) -> None:
        self._table = table
        self._idle_ns = int(config.idle_after * _SECOND_NS)
        groups_max = max(config.series_max // SERIES_EACH, 1)
        self._kernels = Kernels(lineage_hash((histograms.__name__,)))
        self._classic, self._whole = Store(groups_max), Store(groups_max)
        self._halves: dict[bytes, list[int]] = {}  # slots of a sum and of a count whose other half was not seen
        self._member = np.zeros(0, np.int64)  # by slot: 1 + PLACES * number + place of a sum or count; 0 none
        self._point = np.zeros(1, DERIVED)
        self._at = 0  # which sample of a run is being admitted
        self._joined: list[tuple[int, int]] = []  # slots that became parts in this run, and with which sample
        self._shifted = False

    # ------------------------------------------------------------------------------------------ who is who
    def reading(self, at: int) -> None:
        """The next series to be admitted is that of the `at`-th sample of a run."""
        self._at = at

    def has_shifted(self) -> bool:
        """Whether buckets of this run have got other numbers since they were looked up: one came between them."""
        shifted, self._shifted = self._shifted, False
        return shifted

    def aside(self, series: Series, stats: StepStats) -> int:
        """The number below zero of a new series that is a bucket; 0 when it is none, REFUSED when there is no room for it."""
        part = part_of(series)
        if part is None or part.place or not self._derives(series):
            return 0
        group = self._classic.find(part.key)
        if group is None:
            labels = tuple(pair for pair in series.labels if pair[0] != "le")
            group = self._new(structs.replace(series, key=part.key, name=part.name, labels=labels), stats)
        place = add_bound(self._classic, group, series.key, part.upper) if group is not None else -1
        if group is None or place < 0:
            return REFUSED
        self._shifted = self._shifted or place < len(group.keys) - 1
        for at in range(place, len(group.keys)):
            self._table.set_aside(group.keys[at], ASIDE - (group.number * PLACES + at))
        return ASIDE - (group.number * PLACES + place)

    def _derives(self, series: Series) -> bool:
        rule = self._table.rule_of(series)
        return rule is None or (rule.derive and not rule.ignore)

    def _new(self, series: Series, stats: StepStats) -> Group | None:
        group = self._classic.add(series)
        if group is None:
            stats.count(Metric.LIMITS_REACHED, 1, "histograms_max")
            return None
        for place, slot in zip((SUM, COUNT), self._halves.pop(series.key, ()), strict=False):
            self._attach(group, place, slot)
        return group

    def join(self, slot: int, series: Series, stats: StepStats) -> None:
        """A new series of the table: it may be the sum or the count of a histogram."""
        part = part_of(series)
        if part is None or not part.place:
            return
        group = self._classic.find(part.key)
        if group is None:
            half = self._halves.setdefault(part.key, [-1, -1])
            half[part.place - SUM] = slot
            if min(half) >= 0:
                self._new(structs.replace(series, key=part.key, name=part.name), stats)
        else:
            self._attach(group, part.place, slot)

    def _attach(self, group: Group, place: int, slot: int) -> None:
        if slot < 0:
            return
        if slot >= len(self._member):
            grown = np.zeros(max(2 * len(self._member), slot + 1, 64), np.int64)
            grown[: len(self._member)] = self._member
            self._member = grown
        self._member[slot] = 1 + group.number * PLACES + place
        self._joined.append((slot, self._at))
        group.slots[place - SUM] = slot

    def leave(self, slot: int) -> None:
        """The series of a slot is forgotten."""
        part = part_of(self._table.at(slot))
        if part is None or not part.place:
            return
        half = self._halves.get(part.key)
        group = self._classic.find(part.key)
        if half is not None:
            half[part.place - SUM] = -1
            if max(half) < 0:
                del self._halves[part.key]
        if group is not None and group.slots[part.place - SUM] == slot:
            group.slots[part.place - SUM] = -1
            self._member[slot] = 0

    # ------------------------------------------------------------------------------------------ samples and points
    def take(self, slot: Ints, ts_ns: Ints, value: NDArray[np.float64], stats: StepStats) -> None:
        """Samples of a run, in order: those that are numbers of histograms are gathered. Slots below zero say whose buckets they are."""
        joined, self._joined = self._joined, []
        if not len(self._classic):
            return
        member = ASIDE - slot
        inside = (slot >= 0) & (slot < len(self._member))
        member[inside] = self._member[slot[inside]] - 1
        for fresh, at in joined:  # what came before its histogram was known is no part of it, wherever the log was cut
            member[:at][slot[:at] == fresh] = -1
        chosen = np.flatnonzero(member >= 0)
        if not len(chosen):
            return
        store = self._classic
        number, place = np.divmod(member[chosen], PLACES)
        out = as_state(np.zeros(2 * len(chosen), DERIVED))
        self._kernels.gather(store.rows, number, place, ts_ns[chosen], value[chosen], out, store.counted)
        self._keep(store, out, stats)
        stats.count(Metric.HISTOGRAM_SAMPLES, len(chosen))

    def _keep(self, store: Store, out: NDArray[np.void], stats: StepStats) -> None:
        if not store.keep(out):
            stats.count(Metric.LIMITS_REACHED, 1, "histogram_points_max")
        if store.counted[1]:
            stats.count(Metric.SAMPLES_DROPPED, int(store.counted[1]), "late")

    def points(self, parts: Sequence[Distribution], describe: Callable[[bytes], Series], stats: StepStats) -> None:
        """Histograms that came whole, in order."""
        store = self._whole
        for part in parts:
            group = store.find(part.key) or self._admitted(part.key, describe, stats)
            if group is None:
                continue
            bounds, counts = thinned(part.bounds, part.counts)
            lay(store, group, bounds)
            about = np.array([part.ts_ns, part.start_ns, part.is_delta], np.int64)
            out = as_state(self._point)
            self._kernels.take_point(store.rows, group.number, about, np.array(counts), part.total, out, store.counted)
            self._keep(store, out, stats)
            stats.count(Metric.HISTOGRAM_SAMPLES)

    def _admitted(self, key: bytes, describe: Callable[[bytes], Series], stats: StepStats) -> Group | None:
        if self._table.is_ignored(key) or self._table.ignores(series := describe(key)):
            stats.count(Metric.SAMPLES_DROPPED, 1, "ignored")
            return None
        group = self._whole.add(series)
        if group is None:
            stats.count(Metric.SAMPLES_DROPPED, 1, "refused")
            stats.count(Metric.LIMITS_REACHED, 1, "histograms_max")
        return group

    # ------------------------------------------------------------------------------------------ ticks
    def tick(self, watermark_ns: int, stats: StepStats) -> list[Derived]:
        """Close what is complete, forget some of what was silent for too long; what was derived since the last tick, to be scored."""
        classic = self._classic
        if not (len(classic) or len(self._whole)):
            return []
        if len(classic):
            out = as_state(np.zeros(len(classic.rows), DERIVED))
            classic.counted[1] = 0
            self._kernels.flush(classic.rows, watermark_ns, out, classic.counted)
            self._keep(classic, out, stats)
        found = [self._derived(store) for store in (classic, self._whole)]
        for group in classic.idle(watermark_ns - self._idle_ns):
            self._forget(group)
        for group in self._whole.idle(watermark_ns - self._idle_ns):
            self._whole.drop(group)
        return [derived for derived in found if derived.keys]

    def _derived(self, store: Store) -> Derived:
        keys, times, values = [], [], []
        about: dict[bytes, tuple[Group, int]] = {}
        for number, ts_ns, rate, mean, quantiles in store.take_said().tolist():
            group = store.at(number)
            is_counted = store is self._classic and group.slots[COUNT - SUM] >= 0  # its count is scored as a rate anyway
            for what, value in enumerate((rate, mean, *quantiles)):
                if isnan(value) or (what == RATE and is_counted):
                    continue
                key = store.keys_of(group)[what]
                about[key] = group, what
                keys.append(key)
                times.append(ts_ns)
                values.append(value)
        return Derived(keys, np.array(times, np.int64), np.array(values, np.float64), about)

    def _forget(self, group: Group) -> None:
        for key in group.keys:
            self._table.take_back(key)
        held = [slot for slot in group.slots if slot >= 0]
        self._member[held] = 0
        self._classic.drop(group)
        if held:
            self._halves[group.series.key] = group.slots

    # ------------------------------------------------------------------------------------------ snapshots
    def snapshot(self) -> Columns:
        columns = {f"{name}.{part}": column for name, store in self._stores() for part, column in store.snapshot().items()}
        return columns | {"id": np.array([self._kernels.id], "S32")}

    def _stores(self) -> tuple[tuple[str, Store], tuple[str, Store]]:
        return ("classic", self._classic), ("whole", self._whole)

    def restore(self, columns: Columns) -> None:
        """Become what was saved, after the table; only when just made. Raises StateError.

        A rule may say by now that buckets are scored one by one: then their histogram begins anew when the rule goes.
        """
        if bytes(columns["id"][0]).decode() != self._kernels.id:
            raise StateError("histograms were read by another version")
        for name, store in self._stores():
            head = f"{name}."
            store.restore({part.removeprefix(head): column for part, column in columns.items() if part.startswith(head)})
        for group in self._classic.all():
            for at, key in enumerate(group.keys):
                self._table.set_aside(key, ASIDE - (group.number * PLACES + at))
            for place, slot in zip((SUM, COUNT), group.slots, strict=True):
                self._attach(group, place, slot)
            if group.keys and not self._derives(structs.replace(group.series, name=f"{group.series.name}{_BUCKET}")):
                self._forget(group)
        for slot, series in self._table.all():
            if not (slot < len(self._member) and self._member[slot]):
                self.join(slot, series, StepStats())
        self._joined = []


__all__ = ["NAMES", "Distributions", "part_of"]
