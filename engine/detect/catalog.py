"""From names and labels to series: the identity, entity and counter rules of one source.

A canonical key says nearly everything about its series, so the catalog may forget: what it no longer holds is read back
from the key itself, with the kind and the unit that the producer declared last for the same name.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Final

from msgspec import structs

from engine.config.tree import Source
from engine.errors import DecodeError, Reject
from engine.records import Labels, Series, Signal, ValueKind, parse_key, series_key

LABELS_MAX: Final = 30
NAME_BYTES_MAX: Final = 1024
VALUE_BYTES_MAX: Final = 2048
SERIES_KEPT_MAX: Final = 8_192
"""Series that a catalog holds; when full, all are forgotten and read back from their keys when somebody asks."""
SERIES_MAX: Final = 100_000
NAMES_KEPT_MAX: Final = 100_000

LOG: Final = "log"
EVENT: Final = "event"

_COUNTER: Final = re.compile(
    # Prometheus and OpenMetrics; a bare `_count` or `_sum` is as often a gauge (`thread_count`): those of a histogram follow a unit.
    r"(?:^|.*_)total$"
    r"|.*_bucket$"
    r"|.*_(?:seconds|milliseconds|microseconds|bytes|size|duration|latency|requests|ratio)_(?:count|sum)$"
    # Telegraf's interface and disk counters.
    r"|(?:.*\.)?net\.(?:bytes|packets)_(?:recv|sent)$|(?:.*\.)?net\.(?:err|drop)_(?:in|out)$"
    r"|(?:.*\.)?diskio\.(?:reads|writes|(?:read|write)_(?:bytes|time)|io_time|weighted_io_time)$",
    re.DOTALL,
)


class SourceCatalog:
    """Implements ports.Catalog for one source. Not shared between shards."""

    def __init__(self, source: Source, series_max: int = SERIES_MAX) -> None:
        """`series_max`: how many series of one shard may be live."""
        self.series_max = series_max
        self._entity_labels = tuple(source.entity_labels)
        self._dropped = frozenset(source.drop_labels)
        self._log_labels = frozenset(source.keep_log_labels)
        self._counter_names = frozenset(name for name in source.counters if not name.endswith("*"))
        self._counter_heads = tuple(name[:-1] for name in source.counters if name.endswith("*"))
        self._domain = source.domain
        self._tenant = source.tenant
        self._series: dict[bytes, Series] = {}
        self._declared: dict[str, tuple[ValueKind, str]] = {}

    def metric(self, name: str, labels: Mapping[str, str], *, kind: str = "", unit: str = "") -> bytes:
        """The key of a metric series. The first declaration of a series decides its kind and unit."""
        entity_label = self._entity_label(labels)
        kept = _checked(name, ((k, v) for k, v in labels.items() if k == entity_label or k not in self._dropped))
        means = ValueKind(kind) if kind else self._kind(name)
        if kind or unit:
            self._declare(name, means, unit)
        return self._intern(self._metric_series(name, kept, means, unit))

    def stream(self, labels: Mapping[str, str]) -> bytes:
        """The key of a log stream: `log` with the label that names the entity and those the source keeps."""
        entity_label = self._entity_label(labels)
        kept = _checked(LOG, ((k, v) for k, v in labels.items() if k == entity_label or k in self._log_labels))
        return self._intern(self._log_series(kept))

    def event(self, name: str, labels: Mapping[str, str]) -> tuple[bytes, str]:
        """The key of an event series, and the entity that the labels name ("" when none does)."""
        entity = labels.get(self._entity_label(labels), "")
        series = self._event_series(_checked(EVENT, (("entity", entity), ("event", name))))
        return self._intern(series), entity

    def describe(self, key: bytes) -> Series:
        """The series of a key that this catalog has handed out, in this life or an earlier one."""
        series = self._series.get(key)
        if series is None:
            series = structs.replace(self._read_back(key), key=key)  # odd names may not read back whole; the key stays what it is
            self._intern(series)
        return series

    def _entity_label(self, labels: Mapping[str, str]) -> str:
        return next((label for label in self._entity_labels if labels.get(label)), "")

    def _kind(self, name: str) -> ValueKind:
        if name in self._counter_names or name.startswith(self._counter_heads) or _COUNTER.match(name):
            return ValueKind.COUNTER
        return ValueKind.GAUGE

    def _declare(self, name: str, kind: ValueKind, unit: str) -> None:
        if len(self._declared) >= NAMES_KEPT_MAX:
            self._declared.clear()
        self._declared[name] = kind, unit

    def _intern(self, series: Series) -> bytes:
        known = self._series.get(series.key)
        if known is not None:
            return known.key
        if len(self._series) >= SERIES_KEPT_MAX:
            self._series.clear()
        self._series[series.key] = series
        return series.key

    def _read_back(self, key: bytes) -> Series:
        name, labels = parse_key(key)
        names = {label for label, _ in labels}
        if name == EVENT and names <= {"entity", "event"} and "event" in names:
            return self._event_series(labels)
        if name == LOG and names <= self._log_labels | {self._entity_label(dict(labels))}:
            return self._log_series(labels)
        kind, unit = self._declared.get(name) or (self._kind(name), "")
        return self._metric_series(name, labels, kind, unit)

    def _metric_series(self, name: str, labels: Labels, kind: ValueKind, unit: str) -> Series:
        values = dict(labels)
        return Series(
            key=series_key(name, labels),
            name=name,
            labels=labels,
            entity=values.get(self._entity_label(values), ""),
            kind=kind,
            unit=unit,
            domain=self._domain,
            tenant=self._tenant,
        )

    def _log_series(self, labels: Labels) -> Series:
        values = dict(labels)
        return Series(
            key=series_key(LOG, labels),
            name=LOG,
            labels=labels,
            entity=values.get(self._entity_label(values), ""),
            signal=Signal.LOG,
            kind=ValueKind.COUNT,
            domain=self._domain,
            tenant=self._tenant,
        )

    def _event_series(self, labels: Labels) -> Series:
        values = dict(labels)
        return Series(
            key=series_key(EVENT, labels),
            name=EVENT,
            labels=labels,
            entity=values.get("entity", ""),
            signal=Signal.EVENT,
            kind=ValueKind.COUNT,
            domain=self._domain,
            tenant=self._tenant,
        )


def _checked(name: str, labels: Iterable[tuple[str, str]]) -> Labels:
    """Labels sorted by name, empty ones left out. Raises DecodeError(BAD_LABELS) beyond the limits."""
    kept = sorted((k, v) for k, v in labels if v)
    if not name or len(name.encode()) > NAME_BYTES_MAX:
        raise DecodeError(Reject.BAD_LABELS, f"a name of 1 to {NAME_BYTES_MAX} bytes is needed")
    if len(kept) > LABELS_MAX:
        raise DecodeError(Reject.BAD_LABELS, f"more than {LABELS_MAX} labels")
    for label, value in kept:
        if len(label.encode()) > NAME_BYTES_MAX or len(value.encode()) > VALUE_BYTES_MAX:
            raise DecodeError(
                Reject.BAD_LABELS, f"a label of more than {NAME_BYTES_MAX} or its value of more than {VALUE_BYTES_MAX} bytes"
            )
    return tuple(kept)
