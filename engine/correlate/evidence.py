"""Events that may explain incidents: deploys, flags, kills. Kept for a while, and attached to the incidents they concern."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from typing import NamedTuple

from engine.config.tree import Correlate
from engine.correlate.families import Family, family_of
from engine.correlate.state import CorrelateState, LiveIncident, MemberState
from engine.correlate.topology import Topology
from engine.records import Alert, AlertState, AnomalyKind, Change

RECENT_MAX = 5_000
CHANGES_MAX = 20
BAD_SEVERITY = 13
"""An event of this OpenTelemetry severity (WARN) or more says that something is wrong."""
CROWD = 6
"""So many alerts at once are no coincidence, even where nothing is known of how they hang together."""
_ERROR = 17
_NEWS = frozenset({AnomalyKind.NEW_TEMPLATE, AnomalyKind.RARE_TEMPLATE, AnomalyKind.RARE_EVENT, AnomalyKind.ERROR_BURST})
_LASTING = 2.0 / 3.0
LASTING_WINDOWS = 3
"""For so many windows a lone alert must burn, or what is overdue be so, to be told."""
_HARMLESS = 0.5
_MODEST = 1.5
SUPPORT = 4.0 / 3.0
"""How much the scores that meet in one place must come to, as a multiple of the score that is severe by itself."""
_NS = 1_000_000_000


def is_loud(member: MemberState) -> bool:
    """Whether one alert is a fact by itself: an error that was never seen before, a kill, a promise that is being broken."""
    return member.kind is AnomalyKind.SLO_BURN or (member.severity >= _ERROR and member.kind in _NEWS)


class Setting(NamedTuple):
    """What the members of an incident are judged against. `busy` entities serve more requests than usual."""

    config: Correlate
    topology: Topology
    busy: AbstractSet[str]
    now_ns: int

    def is_busy(self, entity: str) -> bool:
        """Whether more requests than usual reach this entity, one next to it, or half the place."""
        if len(self.busy) >= CROWD or entity in self.busy:
            return True
        return bool(self.busy) and any(other in self.busy for other in self.topology.neighbours(entity))


def brings_load(about: Alert | MemberState) -> bool:
    """Whether an alert says: more requests than usual."""
    return family_of(about.name) is Family.LOAD and about.direction >= 0


def gravity(member: MemberState, setting: Setting) -> float:
    """What a member's score says of trouble. Little: more requests, what comes along with them, a log of the same pace each minute."""
    steady = member.kind is AnomalyKind.FLAT and family_of(member.name) is Family.LOG
    modest = member.value is not None and member.expected is not None and member.value < _MODEST * member.expected
    if steady or brings_load(member) or (modest and member.direction > 0 and setting.is_busy(member.entity)):
        return _HARMLESS * member.score
    return member.score


def is_enough(incident: LiveIncident, setting: Setting) -> bool:
    """Whether an incident is worth a person's time: severe, loud, overdue, lasting or supported by what is near it."""
    live = [m for m in incident.members.values() if m.state is not AlertState.RESOLVED and not m.suppressed]
    if not live:
        return False
    weights = [gravity(m, setting) for m in live]
    severe = setting.config.severe_score
    if max(weights) >= severe or any(is_loud(m) for m in live):
        return True
    since = setting.now_ns - int(LASTING_WINDOWS * setting.config.window * _NS)
    full = [(m, w) for m, w in zip(live, weights, strict=True) if w >= m.score]
    if any(m.overdue and m.state is AlertState.FIRING and m.onset_ts_ns <= since for m in live):
        return True
    if any(m.state is AlertState.FIRING and m.joined_ns <= since and w >= _LASTING * severe for m, w in full):
        return True
    bad = {c.entity for c in incident.changes.values() if not c.is_change and c.severity >= BAD_SEVERITY}
    if any(m.entity in bad for m in live):
        return True
    told = incident.alerts_total - incident.suppressed
    if told < setting.config.alerts_min:
        return False
    return len(full) >= CROWD or support(full, setting.topology) >= SUPPORT * severe


def support(weighed: Sequence[tuple[MemberState, float]], topology: Topology) -> float:
    """How much evidence meets in one place: the greatest sum of weights over an entity and its direct neighbours.

    Series of one family on one entity (three quantiles of a latency) are one piece of evidence: the strongest counts.
    """
    pieces: dict[tuple[str, str], float] = {}
    for member, weight in weighed:
        piece = (member.entity, family_of(member.name))
        pieces[piece] = max(pieces.get(piece, 0.0), weight)
    by_entity: dict[str, float] = {}
    for (entity, _), weight in pieces.items():
        by_entity[entity] = by_entity.get(entity, 0.0) + weight
    return max((_around(entity, by_entity, topology) for entity in by_entity), default=0.0)


def _around(entity: str, by_entity: Mapping[str, float], topology: Topology) -> float:
    return sum(by_entity.get(other, 0.0) for other in (entity, *topology.neighbours(entity)))


class Evidence:
    """The recent events of one shard. Moves `state.recent` and `LiveIncident.changes`, nothing else."""

    def __init__(self, state: CorrelateState, config: Correlate, topology: Topology) -> None:
        self._state = state
        self._config = config
        self._topology = topology
        self._by_entity: dict[str, dict[str, Change]] = {}
        for change in state.recent:
            self._index(change)

    def _index(self, change: Change) -> None:
        self._by_entity.setdefault(change.entity, {})[change.id] = change

    def remember(self, change: Change) -> bool:
        """Keep an event. False: it is no evidence, being neither a change nor bad, or announced by a maintenance window."""
        if not change.is_change and change.severity < BAD_SEVERITY:
            return False
        if self._state.suppression.planned(change.entity, change.ts_ns):
            return False
        horizon = change.ts_ns - int((self._config.changes_window + self._config.close_after) * _NS)
        recent = self._state.recent
        while recent and (recent[0].ts_ns < horizon or len(recent) >= RECENT_MAX):
            self._forget(recent.pop(0))
        recent.append(change)
        self._index(change)
        return True

    def _forget(self, change: Change) -> None:
        there = self._by_entity.get(change.entity, {})
        if there.get(change.id) is change:
            del there[change.id]
        if not there:
            self._by_entity.pop(change.entity, None)

    def concerned(self, change: Change) -> Iterable[str]:
        """Where an event may show: its own entity, who calls it, what runs on it."""
        return (change.entity, *self._topology.callers(change.entity), *self._topology.guests(change.entity))

    def attach(self, change: Change, incident: LiveIncident) -> bool:
        """Let an event that concerns an incident be part of it. False: it is already, or is too old, or there are enough."""
        since = incident.started_ns - int(self._config.changes_window * _NS)
        fits = change.domain == incident.domain and change.ts_ns >= since
        if not fits or change.id in incident.changes or len(incident.changes) >= CHANGES_MAX:
            return False
        incident.changes[change.id] = change
        return True

    def gather(self, incident: LiveIncident) -> None:
        """Attach recent events on the incident's entities and on what these need, latest first."""
        entities = incident.cluster.entities
        for change in reversed(self._state.recent):
            if len(incident.changes) >= CHANGES_MAX:
                return
            if any(entity in entities for entity in self.concerned(change)):
                self.attach(change, incident)

    def gather_on(self, incident: LiveIncident, entity: str) -> None:
        """The same for one entity that is new to the incident."""
        host = self._topology.host(entity)
        for place in (entity, *self._topology.callees(entity), *((host,) if host else ())):
            for change in reversed(self._by_entity.get(place, {}).values()):
                self.attach(change, incident)
