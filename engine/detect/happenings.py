"""Discrete events: all are passed on as evidence, counted, and told when a bad one is the first of its name on its entity."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import msgspec
import numpy as np

from engine.config.tree import Detect
from engine.detect.counts import TEMPLATE, Counts, code_of
from engine.detect.episode import Sighting
from engine.detect.gates import Gate
from engine.detect.novelty import WARN, Births, event_score
from engine.detect.points import Step
from engine.detect.redact import redacted
from engine.detect.watch import Watch
from engine.errors import StateError
from engine.metrics import Metric
from engine.ports import Columns
from engine.records import AnomalyKind, Change, Event, Series, digest

KINDS_MAX: Final = 50_000
"""Pairs of a name and an entity."""
NAMES_MAX: Final = 500
REMEMBERED_MAX: Final = 4096
"""Ids of the latest events, by which repeats are known. More than one shard's alerts that fire at once."""
_SECOND_NS: Final = 1_000_000_000


class Saved(msgspec.Struct):
    """What is saved beside the counts."""

    kinds: list[Series] = []
    names: dict[str, Births] = {}
    first_ns: int | None = None  # event time from which something can be new
    latest: dict[str, int] = {}  # ids → how often each came, the one that came longest ago first


class Happenings:
    """The event side of one shard."""

    def __init__(self, config: Detect) -> None:
        self._warm_up_ns = int(config.warm_up * _SECOND_NS)
        self._counts = Counts(config.count_bucket, config.idle_after, KINDS_MAX, self._series_of)
        self._saved = Saved()
        self._ids: dict[bytes, int] = {}

    def take(self, event: Event, number: int, describe: Callable[[bytes], Series], watch: Watch, row: int, step: Step) -> None:
        """Take the `number`-th event of a record. One that its id tells to be a repeat is no news, and is passed over."""
        if event.id and self._is_repeat(event.id):
            step.stats.count(Metric.SAMPLES_DROPPED, 1, "repeated")
            return
        series = describe(event.key)
        moment = step.moment(row)
        step.drafts.add(
            moment,
            Change(
                id=digest("change", series.tenant, moment.topic, moment.partition, moment.offset, number),
                ts_ns=event.ts_ns,
                name=event.name,
                entity=event.entity,
                domain=series.domain,
                tenant=series.tenant,
                is_change=event.is_change,
                severity=event.severity,
                text=event.text,
                attributes=event.attributes,
                stamp=moment.stamp(),
            ),
        )
        if self._saved.first_ns is None:
            self._saved.first_ns = event.ts_ns + self._warm_up_ns
        known = self._ids.get(series.key)
        if known is None:
            known = self._first(event, series, watch, row, step)
        step.stats.count(Metric.EVENTS, 1, event.name if event.name in self._saved.names else "other")
        if known >= 0 and not self._counts.add(code_of(known, TEMPLATE), event.ts_ns // self._counts.bucket_ns):
            step.stats.count(Metric.SAMPLES_DROPPED, 1, "late")

    def _is_repeat(self, identity: str) -> bool:
        latest = self._saved.latest
        count = latest.pop(identity, 0)
        latest[identity] = count + 1
        if len(latest) > REMEMBERED_MAX:
            del latest[next(iter(latest))]
        return count > 0

    def _first(self, event: Event, series: Series, watch: Watch, row: int, step: Step) -> int:
        saved = self._saved
        if len(saved.kinds) >= KINDS_MAX:
            step.stats.count(Metric.LIMITS_REACHED, 1, "event_kinds_max")
            return -1
        number = self._ids[series.key] = len(saved.kinds)
        saved.kinds.append(series)
        births = self._births(event)
        interval = births.interval_seconds(event.ts_ns)
        births.born(event.ts_ns)
        if event.severity < WARN or event.is_change:
            return number
        if event.ts_ns < births.since_ns:
            step.stats.count(Metric.GATED, 1, Gate.WARMING_UP)
            return number
        score = event_score(event.severity, interval)
        if score < 1.0:
            step.stats.count(Metric.GATED, 1, Gate.ORDINARY)
            return number
        item = self._counts.item(code_of(number, TEMPLATE), step)
        if item is not None:
            text = f"{event.name}: {event.text}" if event.text else event.name
            seen = Sighting(AnomalyKind.RARE_EVENT, event.ts_ns, score, event.severity, text, redacted(event.text), 1.0)
            watch.sighted(series, seen, row, step)
            item.sighted = True
        return number

    def _births(self, event: Event) -> Births:
        """Births of one name on new entities. Names are low in cardinality by contract; beyond the limit they share one count."""
        names = self._saved.names
        name = event.name if event.name in names or len(names) < NAMES_MAX else ""
        births = names.get(name)
        if births is None:
            births = names[name] = Births(self._saved.first_ns or 0)
        return births

    def _series_of(self, code: int) -> Series:
        return self._saved.kinds[code >> 32]

    def tick(self, watermark_ns: int, watch: Watch, row: int, step: Step) -> None:
        """Close the buckets that are complete. Directly after `watch.settle`."""
        self._counts.close(watermark_ns, watch, row, step)

    # ------------------------------------------------------------------------------------------ snapshots
    def snapshot(self) -> Columns:
        return {
            "saved": np.frombuffer(msgspec.json.encode(self._saved), np.uint8).copy(),
            "counts": np.frombuffer(self._counts.snapshot(), np.uint8).copy(),
        }

    def restore(self, columns: Columns) -> None:
        """Raises StateError. Only a side just made may be restored."""
        try:
            self._saved = msgspec.json.decode(columns["saved"].tobytes(), type=Saved)
            self._counts.restore(columns["counts"].tobytes())
        except msgspec.DecodeError as error:
            raise StateError(f"the events cannot be read back: {error}") from error
        self._ids = {series.key: number for number, series in enumerate(self._saved.kinds)}
