"""Which incident does an alert belong to? Nearness in time, stretched by how coarsely the series is sampled, times nearness in the topology.

One pass, no look-ahead, bounded work for each alert. The stage and `foreshock correlate` run this same code.
"""

from __future__ import annotations

from bisect import insort
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import NamedTuple

import msgspec

from engine.correlate.topology import NEAR, Topology

JOIN = 0.6
"""The least affinity that ties an alert to an incident."""
MERGE = 0.8
"""The least affinity to a second incident that makes the two one."""
SCANNED_MAX = 64
"""Incidents, most recently active first, that an alert is held against."""

_BY_DISTANCE = (1.0, 1.0, 0.97, 0.95, 0.9, 0.87, 0.85)
"""Weight by distance in half steps (topology.NEAR of them): the same entity, a call, a placement, two calls, …"""
_FAR = 0.7
_UNKNOWN = 1.0
_AGAIN = 0.5
"""Weight of a series that the cluster has already: what begins a second time began anew."""
_FLAPS = 0.2
"""Share of the window within which a series that begins again only flaps."""
_REACH = 80.0 / 300.0
"""Share of the window at which an onset is half as near as one at the same moment."""
_REACH_STEPS = 0.15
_AGE = 200.0 / 300.0
"""Share of the window at which a cluster has half gathered what belongs to it: the cap that stops chains."""
_AGE_STEPS = 1.0
_MORE_WITHIN = 20.0 / 300.0
"""Share of the window, beside one step, after a cluster's last onset within which its next samples show more of it."""
_MORE_AGE_STEPS = 2.0
_MORE_MEMBERS = 30
_OVERLAP = 0.5
SERIES_MAX = 256
"""Series that a cluster remembers; of those beyond it nobody knows whether they came before."""
ENTITIES_KEPT = 500
"""Entities that a cluster keeps; alerts on others are counted, and it is not looked up by them."""
RECENT_MAX = 16
"""Entities with the latest onsets, that stand for all that are not near an alert."""
_NS = 1_000_000_000
_FORGET_NS = 86_400 * _NS


class Onset(NamedTuple):
    """What grouping looks at of one alert."""

    entity: str
    ts_ns: int
    step_seconds: float
    domain: str
    series: str
    silent: bool = False  # a gap: data missing, not bad
    score: float = 1.0

    def not_before(self, cluster: Cluster) -> Onset:
        """The same, at the earliest when a cluster began: an onset that is dated back further does not make it older."""
        return self._replace(ts_ns=max(self.ts_ns, cluster.first_ns))


class Touch(msgspec.Struct, array_like=True):
    """An entity within a cluster: its latest onset and the coarsest step of its series."""

    last_ns: int
    step_seconds: float


class Cluster(msgspec.Struct):
    """The shape of an incident in time and space. `series` have their latest onset, `recent` are the entities of the latest onsets, latest last."""

    domain: str
    first_ns: int
    last_ns: int
    entities: dict[str, Touch] = {}
    silent: bool = False
    series: dict[str, int] = {}
    recent: list[str] = []
    onsets: int = 0

    def add(self, onset: Onset) -> None:
        """Let an onset extend the cluster."""
        self.onsets += 1
        if onset.series:
            self._note(onset.series, onset.ts_ns)
        self._touch(onset.entity, onset.ts_ns, onset.step_seconds)

    def _note(self, series: str, ts_ns: int) -> None:
        if series in self.series or len(self.series) < SERIES_MAX:
            self.series[series] = max(ts_ns, self.series.get(series, ts_ns))

    def _touch(self, entity: str, ts_ns: int, step_seconds: float) -> None:
        self.first_ns = min(self.first_ns, ts_ns)
        self.last_ns = max(self.last_ns, ts_ns)
        touch = self.entities.get(entity)
        if touch is None:
            if len(self.entities) >= ENTITIES_KEPT:
                return
            touch = self.entities[entity] = Touch(ts_ns, step_seconds)
        touch.last_ns = max(touch.last_ns, ts_ns)
        touch.step_seconds = max(touch.step_seconds, step_seconds)
        if not self.recent or self.recent[-1] != entity:
            self._remember(entity)

    def _remember(self, entity: str) -> None:
        """Keep `recent` in order of (latest onset, name), whatever the order in which onsets are told."""
        if entity in self.recent:
            self.recent.remove(entity)
        insort(self.recent, entity, key=lambda e: (self.entities[e].last_ns, e))
        del self.recent[:-RECENT_MAX]

    def absorb(self, other: Cluster) -> None:
        """Become the union of both."""
        self.first_ns = min(self.first_ns, other.first_ns)
        self.last_ns = max(self.last_ns, other.last_ns)
        self.silent = self.silent and other.silent
        self.onsets += other.onsets
        for entity, touch in other.entities.items():
            self._touch(entity, touch.last_ns, touch.step_seconds)
        for series, ts_ns in other.series.items():
            self._note(series, ts_ns)

    def is_more_of(self, older: Cluster, step_seconds: float, window_seconds: float) -> bool:
        """Whether this is what the next samples showed of `older`: on the same entities, other series, a step after its last onset.

        `step_seconds` is that of the latest series. A series of both speaks against it: it began anew.
        """
        within = _MORE_WITHIN * window_seconds + step_seconds
        age = _AGE * window_seconds + _MORE_AGE_STEPS * step_seconds
        in_time = abs(self.first_ns - older.last_ns) <= within * _NS and self.last_ns - older.first_ns <= age * _NS
        if not in_time or self.onsets > _MORE_MEMBERS or older.first_ns > self.first_ns:
            return False
        shared = len(self.entities.keys() & older.entities.keys())
        few = min(len(self.entities), len(older.entities))
        return 0 < shared >= _OVERLAP * few and self.series.keys().isdisjoint(older.series)


class Affinity(NamedTuple):
    """How strongly an alert belongs to a cluster, 0..1, and the evidence by name."""

    value: float
    because: str
    linked: bool  # tied by entity or topology, not by time alone


_NONE = Affinity(0.0, "", linked=False)


def affinity(cluster: Cluster, onset: Onset, topology: Topology, window_seconds: float) -> Affinity:
    """The best tie between an onset and any entity of a cluster; `_NONE` where it cannot reach `JOIN`.

    Looks at the entities near the onset's and at the `RECENT_MAX` latest ones, so that what it costs does not grow with the cluster.
    """
    youth = _youth(cluster, onset, window_seconds)
    if onset.ts_ns - cluster.series.get(onset.series, onset.ts_ns) > _FLAPS * window_seconds * _NS:
        youth *= _AGAIN
    if youth < JOIN:
        return _NONE
    near = topology.near(onset.entity)
    value, chosen = _nearest(cluster, onset, near, youth, window_seconds)
    linked = bool(chosen)
    known = topology.knows(onset.entity)
    for entity in reversed(cluster.recent):
        nearness = youth * _time(onset, cluster.entities[entity], window_seconds)
        if nearness <= value or entity in near:
            continue
        weighed = nearness * (_FAR if known and topology.knows(entity) else _UNKNOWN)
        if weighed > value:
            value, chosen, linked = weighed, entity, False
    if value < JOIN:
        return _NONE
    return Affinity(value, _because(onset, chosen, cluster.entities[chosen], near.get(chosen)), linked)


def _nearest(cluster: Cluster, onset: Onset, near: Mapping[str, int], youth: float, window_seconds: float) -> tuple[float, str]:
    """The best tie to entities that the topology puts near the onset's, and to which; "" for none."""
    value, chosen = 0.0, ""
    here, there = (near, cluster.entities) if len(near) <= len(cluster.entities) else (cluster.entities, near)
    for entity in here:
        if entity not in there:
            continue
        weight = youth * _BY_DISTANCE[near[entity]]
        if weight <= value:
            continue
        weight *= _time(onset, cluster.entities[entity], window_seconds)
        if weight > value:
            value, chosen = weight, entity
    return value, chosen


def _time(onset: Onset, touch: Touch, window_seconds: float) -> float:
    """1 together, ½ at the reach, then falling. Coarsely sampled series reach farther."""
    reach = _REACH * window_seconds + _REACH_STEPS * max(onset.step_seconds, touch.step_seconds)
    share = abs(onset.ts_ns - touch.last_ns) / _NS / reach
    return 1.0 / (1.0 + share * share)


def _youth(cluster: Cluster, onset: Onset, window_seconds: float) -> float:
    """1 for a cluster that has just begun, ½ where what began with it should have shown by now."""
    share = abs(onset.ts_ns - cluster.first_ns) / _NS / (_AGE * window_seconds + _AGE_STEPS * onset.step_seconds)
    fourth = share * share * share * share
    return 1.0 / (1.0 + fourth)


def _because(onset: Onset, entity: str, touch: Touch, distance: int | None) -> str:
    seconds = abs(onset.ts_ns - touch.last_ns) // _NS
    if entity == onset.entity:
        return f"same entity, {seconds} s apart"
    if distance is not None and distance <= NEAR:
        return f"near {entity} in the topology, {seconds} s apart"
    return f"began {seconds} s from {entity}"


class Placed(NamedTuple):
    """A cluster that an alert may join, by its key."""

    key: str
    tie: Affinity


def candidates(onset: Onset, clusters: Iterable[tuple[str, Cluster]], topology: Topology, window_seconds: float) -> list[Placed]:
    """The clusters that the onset may belong to, best first; equal ones in the order given (most recent first)."""
    placed = []
    for scanned, (key, cluster) in enumerate(clusters):
        if scanned >= SCANNED_MAX:
            break
        if cluster.domain != onset.domain:
            continue
        tie = affinity(cluster, onset, topology, window_seconds)
        if tie.value >= JOIN:
            placed.append(Placed(key, tie))
    return sorted(placed, key=lambda p: -p.tie.value)


def to_merge(placed: Sequence[Placed]) -> list[str]:
    """The keys of clusters that are one with the first of `placed`: both are tied to the same alert, and not by time alone."""
    if not placed or not placed[0].tie.linked:
        return []
    return [p.key for p in placed[1:] if p.tie.value >= MERGE and p.tie.linked]


class Grouper:
    """Grouping alone, without the life of incidents: for recorded alerts. Keys are those of the first alerts."""

    def __init__(self, topology: Topology, window_seconds: float) -> None:
        self._topology = topology
        self._window = window_seconds
        self._clusters: dict[str, Cluster] = {}  # most recently active last
        self._merged: dict[str, str] = {}

    def place(self, onset: Onset, key: str) -> str:
        """The key of the cluster that the onset joins; `key` when it begins one."""
        placed = candidates(onset, self._recent(), self._topology, self._window)
        name = placed[0].key if placed else key
        cluster = self._clusters.pop(name, None) or Cluster(onset.domain, onset.ts_ns, onset.ts_ns)
        for other in to_merge(placed):
            self._absorb(name, cluster, other)
        cluster.add(onset)
        older = next((k for k, c in self._recent() if self._is_older_part(cluster, c, onset)), None)
        if older is not None:
            self._absorb(name, cluster, older)
        self._clusters[name] = cluster
        self._forget(onset.ts_ns)
        return name

    def _recent(self) -> Iterator[tuple[str, Cluster]]:
        return ((name, self._clusters[name]) for name in islice(reversed(self._clusters), SCANNED_MAX))

    def _is_older_part(self, cluster: Cluster, other: Cluster, onset: Onset) -> bool:
        fits = other.domain == cluster.domain and onset.entity in other.entities
        return fits and cluster.is_more_of(other, onset.step_seconds, self._window)

    def _absorb(self, name: str, cluster: Cluster, other: str) -> None:
        cluster.absorb(self._clusters.pop(other))
        self._merged[other] = name

    def _forget(self, now_ns: int) -> None:
        """Let go of clusters that nothing can join any more."""
        oldest = next(iter(self._clusters))
        if now_ns - self._clusters[oldest].last_ns > _FORGET_NS:
            self._clusters.pop(oldest)

    def survivor(self, key: str) -> str:
        """The cluster behind a key, through any number of merges."""
        while key in self._merged:
            key = self._merged[key]
        return key
