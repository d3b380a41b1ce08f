"""Events that may explain incidents: deploys, flags, kills. Kept for a while, and attached to the incidents they concern."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from engine.config.tree import Correlate
from engine.correlate.families import Family, family_of
from engine.correlate.state import CorrelateState, LiveIncident, MemberState
from engine.correlate.topology import ONE_STEP, Topology
from engine.records import Alert, AlertState, AnomalyKind, Change, IncidentState

RECENT_MAX = 5_000
CHANGES_MAX = 20
BAD_SEVERITY = 13
"""An event of this OpenTelemetry severity (WARN) or more says that something is wrong."""
CROWD = 6
"""So many alerts at once are no coincidence, even where nothing is known of how they hang together."""
_ERROR = 17
_LASTING = 2.0 / 3.0
LASTING_WINDOWS = 3
"""For so many windows a lone alert must burn to be told."""
_HARMLESS = 0.5
SUPPORT = 4.0 / 3.0
"""How much the scores that meet in one place must come to, as a multiple of the score that is severe by itself."""
_NS = 1_000_000_000


def is_loud(member: MemberState) -> bool:
    """Whether one alert is a fact by itself: an error that was never seen before, a kill."""
    return member.severity >= _ERROR and member.kind in (AnomalyKind.NEW_TEMPLATE, AnomalyKind.RARE_EVENT)


def gravity(about: Alert | MemberState, score: float) -> float:
    """What a score says of trouble. More requests than usual, or a log that writes the same number each minute, say little."""
    family = family_of(about.name)
    busy = family is Family.LOAD and about.direction >= 0
    steady = family is Family.LOG and about.kind is AnomalyKind.FLAT
    return _HARMLESS * score if busy or steady else score


def is_lasting(member: MemberState, since_ns: int, severe: float) -> bool:
    """Whether one alert, well beyond its boundary if not severe, has burnt since then: a disk that fills, memory that leaks."""
    score = gravity(member, member.score)
    return member.state is AlertState.FIRING and member.joined_ns <= since_ns and score >= _LASTING * severe


def is_supported(incident: LiveIncident, live: Sequence[MemberState], config: Correlate, topology: Topology) -> bool:
    """Whether several alerts, or an alert and an event, say the same: in one place, or so many that it is no coincidence."""
    bad = {c.entity for c in incident.changes.values() if not c.is_change and c.severity >= BAD_SEVERITY}
    if any(m.entity in bad for m in live):
        return True
    told = incident.alerts_total - incident.suppressed
    if told < config.alerts_min:
        return False
    harmless = sum(gravity(m, m.score) < m.score for m in incident.members.values())
    return told - harmless >= CROWD or support(live, topology) >= SUPPORT * config.severe_score


def support(members: Sequence[MemberState], topology: Topology) -> float:
    """How much evidence meets in one place: the greatest sum of scores over an entity and its direct neighbours.

    Series of one family on one entity (three quantiles of a latency) are one piece of evidence: the strongest counts.
    """
    pieces: dict[tuple[str, str], float] = {}
    for member in members:
        piece = (member.entity, family_of(member.name))
        pieces[piece] = max(pieces.get(piece, 0.0), gravity(member, member.score))
    by_entity: dict[str, float] = {}
    for (entity, _), score in pieces.items():
        by_entity[entity] = by_entity.get(entity, 0.0) + score
    return max((_around(entity, by_entity, topology) for entity in by_entity), default=0.0)


def _around(entity: str, by_entity: Mapping[str, float], topology: Topology) -> float:
    return sum(by_entity.get(other, 0.0) for other, far in topology.near(entity).items() if far <= ONE_STEP)


class Evidence:
    """The recent events of one shard. Moves `state.recent` and `LiveIncident.changes`, nothing else."""

    def __init__(self, state: CorrelateState, config: Correlate, topology: Topology) -> None:
        self._state = state
        self._config = config
        self._topology = topology

    def remember(self, change: Change) -> bool:
        """Keep an event. False: it is no evidence, being neither a change nor bad, or announced by a maintenance window."""
        if not change.is_change and change.severity < BAD_SEVERITY:
            return False
        if self._state.suppression.planned(change.entity, change.ts_ns):
            return False
        horizon = change.ts_ns - int((self._config.changes_window + self._config.close_after) * _NS)
        recent = self._state.recent
        while recent and (recent[0].ts_ns < horizon or len(recent) >= RECENT_MAX):
            recent.pop(0)
        recent.append(change)
        return True

    def gather(self, incident: LiveIncident) -> bool:
        """Attach recent events on the incident's entities and on what these need. True: something was added."""
        if incident.state is IncidentState.RESOLVED:
            return False
        before = len(incident.changes)
        since = incident.started_ns - int(self._config.changes_window * _NS)
        for change in reversed(self._state.recent):
            if len(incident.changes) >= CHANGES_MAX:
                break
            fits = change.domain == incident.domain and change.ts_ns >= since
            if fits and change.id not in incident.changes and self._concerns(change, incident):
                incident.changes[change.id] = change
        return len(incident.changes) > before

    def _concerns(self, change: Change, incident: LiveIncident) -> bool:
        entities = incident.cluster.entities
        if change.entity in entities:
            return True
        return any(e in entities for e in (*self._topology.callers(change.entity), *self._topology.guests(change.entity)))
