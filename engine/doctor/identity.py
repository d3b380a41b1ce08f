"""What makes a series of a topic: labels that churn, the label that names the entity, and what values do over time.

A label is churn when its values look generated and losing it merges nothing that lives at the same time, or when each sample brings a new one.
Pods look generated too, and are kept: two of them under one name would look like one counter that begins anew all the time.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from engine.config.tree import Source
from engine.doctor.ledger import Entry
from engine.ports import Catalog
from engine.records import Samples, ValueKind

GENERATED_SHARE: Final = 0.8
SAMPLES_MIN: Final = 20
"""Fewer samples than these say nothing of how a label or a value behaves."""
MANY_VALUES: Final = 50
_GENERATED: Final = re.compile(
    r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"  # UUID
    r"|(?:[a-z]+://)?(?=[0-9a-f]*[a-f])(?=[0-9a-f]*\d)[0-9a-f]{12,}"  # container ids, digests, traces
    r"|sha256:[0-9a-f]{12,}"
    r"|.*-[bcdf-hj-np-tv-z0-9]{6,10}-[bcdf-hj-np-tv-z0-9]{5}"  # a pod of a Deployment
    r"|\d{9,}"  # counters, times, big ids
    r"|\d{1,3}(?:\.\d{1,3}){3}(?::\d{1,5})?",  # addresses
    re.IGNORECASE | re.ASCII,
)
_NAMING: Final = (
    *("service_name", "service.name", "job", "application", "app_name", "component", "container", "container_name", "pod_name"),
    *("hostname", "server", "machine", "device", "queue", "topic", "database", "db", "namespace", "cluster", "site", "name"),
)
"""Labels that name an entity where none of the usual ones is there, the likeliest first."""
_NO_ENTITY: Final = frozenset({"__name__", "le", "quantile", "otel.scope.name"})
_NO_COUNTER: Final = re.compile(r"time|uptime|created|percent|ratio|pct|\bage\b|_age$|version|progress", re.IGNORECASE)
_UNITS: Final = (
    *("seconds", "milliseconds", "microseconds", "nanoseconds", "minutes", "hours", "days", "bytes", "bits", "celsius"),
    *("volts", "amperes", "joules", "watts", "grams", "meters", "percent", "ratio", "ms", "us", "ns", "pct", "mb", "kb"),
)


class Churn(NamedTuple):
    """A label that is no part of what a series is."""

    label: str
    values: int
    example: str
    is_dropped: bool  # False: it looks so, but what it tells apart lives at the same time
    why: str


class MetricFacts(NamedTuple):
    """What is known of one metric."""

    name: str
    kind: str
    unit: str
    series: int
    grows: bool = False  # called a gauge, and never falls
    falls: bool = False  # called a counter, and falls as often as it rises


def looks_generated(value: str) -> bool:
    """Whether a program made the value up: an id, a hash, an address, a time.

    >>> looks_generated("checkout-7d9c5b6f4-x2k8p"), looks_generated("checkout"), looks_generated("10.0.3.17:8080")
    (True, False, True)
    """
    return _GENERATED.fullmatch(value[:300]) is not None


# ------------------------------------------------------------------------------------------------ labels
def churn(entries: Sequence[Entry], samples: int, source: Source) -> list[Churn]:
    """Labels that look like churn and that the source does not drop yet. Of metrics only: log streams have but few labels."""
    entries = list({(entry.name, tuple(sorted(entry.labels.items()))): entry for entry in entries}.values())
    found = []
    known = {*source.drop_labels, *source.entity_labels}
    for label in sorted({label for entry in entries for label in entry.labels} - known):
        values = {entry.labels[label] for entry in entries if label in entry.labels}
        if len(values) < 2 or sum(map(looks_generated, values)) < GENERATED_SHARE * len(values):
            continue
        why = _why_churn(label, entries, samples)
        if why or len(values) >= MANY_VALUES:
            found.append(Churn(label, len(values), min(values), bool(why), why or "tells apart what lives at the same time"))
    return found


def _why_churn(label: str, entries: Sequence[Entry], samples: int) -> str:
    having = [entry for entry in entries if label in entry.labels]
    if samples >= SAMPLES_MIN and len(having) > samples / 2:
        return "is new with nearly each sample"
    groups: dict[tuple[object, ...], set[str]] = defaultdict(set)
    for entry in having:
        rest = tuple(sorted((name, value) for name, value in entry.labels.items() if name != label))
        groups[entry.name, rest].add(entry.labels[label])
    return "" if any(len(values) > 1 for values in groups.values()) else "follows from the other labels"


def entity_label(entries: Sequence[Entry]) -> str:
    """The label that most likely names what a series belongs to; "" when none does."""
    counts: dict[str, set[str]] = defaultdict(set)
    seen: dict[str, int] = defaultdict(int)
    for entry in entries:
        for label, value in entry.labels.items():
            counts[label].add(value)
            seen[label] += 1
    common = [label for label in counts if seen[label] >= GENERATED_SHARE * len(entries) and label not in _NO_ENTITY]
    named = [label for label in _NAMING if label in common]
    if named:
        return named[0]
    plain = [label for label in common if not any(map(looks_generated, counts[label]))]
    return min(plain, key=lambda label: (-len(counts[label]), label)) if plain else ""


def with_entity(entries: Iterable[Entry], catalog: Catalog) -> int:
    """How many of them have an entity by the source's rules."""
    return sum(bool(catalog.describe(entry.key).entity) for entry in entries)


# ------------------------------------------------------------------------------------------------ values
def metric_facts(samples: Samples, entries: Sequence[Entry], catalog: Catalog) -> list[MetricFacts]:
    """What each metric is, by declaration, name and behaviour; those of most series first."""
    declared = {entry.name: entry.kind for entry in entries if entry.kind}
    units = {entry.name: entry.unit for entry in entries if entry.unit}
    steps = _steps(samples)
    by_name: dict[str, list[bytes]] = defaultdict(list)
    for key in dict.fromkeys(entry.key for entry in entries):
        by_name[catalog.describe(key).name].append(key)
    found = []
    for name, keys in by_name.items():
        kind = catalog.describe(keys[0]).kind
        moved = np.array([steps.get(key, (0, 0, 0)) for key in keys]).sum(axis=0)
        grows = kind is ValueKind.GAUGE and name not in declared and _grows(name, moved)
        falls = kind is ValueKind.COUNTER and moved[1] >= 5 and moved[1] >= moved[0] / 3
        found.append(MetricFacts(name, str(kind), units.get(name) or unit_of(name), len(keys), grows, bool(falls)))
    return sorted(found, key=lambda fact: (-fact.series, fact.name))


def unit_of(name: str) -> str:
    """The unit that a name ends in, by the custom of Prometheus; "" when it ends in none.

    >>> unit_of("http_request_duration_seconds_bucket"), unit_of("queue_depth")
    ('seconds', '')
    """
    stem = re.sub(r"_(?:total|bucket|count|sum)$", "", name)
    words = re.split(r"[._]", stem)
    return words[-1].lower() if len(words) > 1 and words[-1].lower() in _UNITS else ""


def _grows(name: str, moved: NDArray[np.int64]) -> bool:
    """Twenty steps up and none down is no chance: a gauge that wanders would need a million tries."""
    rises, falls, resets = moved.tolist()
    return rises >= SAMPLES_MIN and falls == 0 and resets <= rises / 20 and _NO_COUNTER.search(name) is None


def _steps(samples: Samples) -> Mapping[bytes, tuple[int, int, int]]:
    """For each series: how often its value rose, fell, and fell to nearly nothing."""
    order: dict[bytes, list[int]] = defaultdict(list)
    for place, key in enumerate(samples.key):
        order[key].append(place)
    moved = {}
    for key, places in order.items():
        at: NDArray[np.int64] = np.array(places, np.int64)
        value = samples.value[at[np.argsort(samples.ts_ns[at], kind="stable")]]
        before, after = value[:-1], value[1:]
        falls, resets = after < before, (after < before) & (after < 0.2 * np.abs(before)) & (before > 0)
        moved[key] = int((after > before).sum()), int((falls & ~resets).sum()), int(resets.sum())
    return moved
