"""Which incident does an alert belong to? Nearness in time, stretched by how coarsely the series is sampled, times nearness in the topology.

One pass, no look-ahead, bounded work for each alert. The stage and `foreshock correlate` run this same code.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import msgspec

from engine.correlate.topology import NEAR, Topology

JOIN = 0.6
"""The least affinity that ties an alert to an incident."""
MERGE = 0.8
"""The least affinity to a second incident that makes the two one."""
SCANNED_MAX = 64
"""Incidents, most recently active first, that an alert is held against."""

_BY_DISTANCE = (1.0, 1.0, 0.97, 0.95, 0.9, 0.85, 0.8)
"""Weight by distance in half steps (topology.NEAR of them): the same entity, a call, a placement, two calls, …"""
_FAR = 0.7
_UNKNOWN = 1.0
_REACH = 80.0 / 300.0
"""Share of the window at which an onset is half as near as one at the same moment."""
_REACH_STEPS = 0.2
_AGE = 200.0 / 300.0
"""Share of the window at which a cluster has half gathered what belongs to it: the cap that stops chains."""
_AGE_STEPS = 1.5
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


class Touch(msgspec.Struct, array_like=True):
    """An entity within a cluster: its latest onset and the coarsest step of its series."""

    last_ns: int
    step_seconds: float


class Cluster(msgspec.Struct):
    """The shape of an incident in time and space."""

    domain: str
    first_ns: int
    last_ns: int
    entities: dict[str, Touch] = {}
    silent: bool = False

    def add(self, onset: Onset) -> None:
        """Let an onset extend the cluster."""
        self.first_ns = min(self.first_ns, onset.ts_ns)
        self.last_ns = max(self.last_ns, onset.ts_ns)
        touch = self.entities.get(onset.entity)
        if touch is None:
            self.entities[onset.entity] = Touch(onset.ts_ns, onset.step_seconds)
            return
        touch.last_ns = max(touch.last_ns, onset.ts_ns)
        touch.step_seconds = max(touch.step_seconds, onset.step_seconds)

    def absorb(self, other: Cluster) -> None:
        """Become the union of both."""
        self.first_ns = min(self.first_ns, other.first_ns)
        self.last_ns = max(self.last_ns, other.last_ns)
        self.silent = self.silent and other.silent
        for entity, touch in other.entities.items():
            self.add(Onset(entity, touch.last_ns, touch.step_seconds, self.domain, ""))


class Affinity(NamedTuple):
    """How strongly an alert belongs to a cluster, 0..1, and the evidence by name."""

    value: float
    because: str
    linked: bool  # tied by entity or topology, not by time alone


def affinity(cluster: Cluster, onset: Onset, topology: Topology, window_seconds: float) -> Affinity:
    """The best tie between an onset and any entity of a cluster."""
    near = topology.near(onset.entity)
    known = topology.knows(onset.entity)
    best = Affinity(0.0, "", linked=False)
    youth = _youth(cluster, onset, window_seconds)
    for entity, touch in cluster.entities.items():
        nearness = youth * _time(onset, touch, window_seconds)
        if nearness <= best.value:
            continue
        distance = near.get(entity)
        if distance is not None:
            weight, linked = _BY_DISTANCE[distance], True
        else:
            weight, linked = (_FAR if known and topology.knows(entity) else _UNKNOWN), False
        if nearness * weight > best.value:
            best = Affinity(nearness * weight, _because(onset, entity, touch, distance), linked)
    return best


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
        recent = ((name, self._clusters[name]) for name in reversed(self._clusters))
        placed = candidates(onset, recent, self._topology, self._window)
        name = placed[0].key if placed else key
        cluster = self._clusters.pop(name, None) or Cluster(onset.domain, onset.ts_ns, onset.ts_ns)
        for other in to_merge(placed):
            cluster.absorb(self._clusters.pop(other))
            self._merged[other] = name
        cluster.add(onset)
        self._clusters[name] = cluster
        self._forget(onset.ts_ns)
        return name

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
