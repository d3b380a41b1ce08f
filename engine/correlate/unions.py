"""Two incidents become one, and one becomes two again: each union is remembered with why it was made and what came by it.

A union keeps the id of the older incident; the other redirects to it. When people say that it was wrong, the other lives again under
its own id with the alerts it brought, and the two are not joined again.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from typing import Final, NamedTuple

from engine.config.tree import Correlate
from engine.correlate.evidence import Evidence
from engine.correlate.grouping import Cluster, Onset
from engine.correlate.places import TOLD, Places
from engine.correlate.state import CorrelateState, LiveIncident, MemberState, Part
from engine.records import AlertState, AnomalyKind, IncidentState, Merged, digest

ENTITIES_MAX: Final = 60
"""A merge that would span more entities than this does not happen: chains stop here."""
PARTS_MAX: Final = 64
"""Incidents that became part of one and can be split from it again; of more, those merged longest ago stay."""


class Hands(NamedTuple):
    """What a union does to the lives of incidents."""

    drop: Callable[[LiveIncident], None]
    set_state: Callable[[LiveIncident, IncidentState, str], None]
    tell: Callable[[LiveIncident, str], None]


class Unions:
    """Merges and splits of one shard. Moves `state` and nothing else."""

    def __init__(self, state: CorrelateState, config: Correlate, places: Places, evidence: Evidence, hands: Hands) -> None:
        self._state = state
        self._config = config
        self._places = places
        self._evidence = evidence
        self._hands = hands

    # ------------------------------------------------------------------------------------------ two become one
    def merge(self, one: LiveIncident, other: LiveIncident, because: str) -> LiveIncident:
        """Make two incidents one; the older one (then the lesser id) survives, so the order of merges does not matter."""
        if not self._may(one, other):
            return one
        kept, gone = sorted((one, other), key=lambda i: (not i.opened_ns, i.opened_ns, i.created_ns, i.id))
        self._remember(kept, gone, because)
        kept.cluster.absorb(gone.cluster)
        kept.started_ns = min(kept.started_ns, gone.started_ns)
        room = self._config.members_max - len(kept.members)
        kept.members.update(list(gone.members.items())[: max(0, room)])
        self._places.add(kept)
        kept.alerts_total += gone.alerts_total
        kept.firing += gone.firing
        kept.unknown += gone.unknown
        kept.suppressed += gone.suppressed
        kept.severity = max(kept.severity, gone.severity)
        self._evidence.gather(kept)
        self._state.redirect(gone.id, kept.id, self._config.incidents_max)
        if gone.opened_ns:
            gone.merged_into = kept.id
            self._hands.set_state(gone, IncidentState.MERGED, f"one problem with {kept.id}: {because}")
        else:
            self._hands.drop(gone)
        if kept.state is IncidentState.RESOLVED and kept.firing:
            self._hands.set_state(kept, IncidentState.OPEN, f"reopened: one problem with {gone.id}: {because}")
        elif kept.state in TOLD:
            self._hands.tell(kept, f"merged: {because}")
        return kept

    def _may(self, one: LiveIncident, other: LiveIncident) -> bool:
        if one.id == other.id or len(one.cluster.entities.keys() | other.cluster.entities.keys()) > ENTITIES_MAX:
            return False
        return IncidentState.SUPPRESSED not in (one.state, other.state) and other.id not in one.apart

    def _remember(self, kept: LiveIncident, gone: LiveIncident, because: str) -> None:
        part = Part(
            created_ns=gone.created_ns,
            started_ns=gone.started_ns,
            opened_ns=gone.opened_ns,
            merged_ns=self._state.now_ns,
            alerts_total=gone.alerts_total,
            members=list(gone.members),
            because=because,
            revision=gone.revision + bool(gone.opened_ns),  # that it was merged is told with the next
        )
        kept.parts.update(gone.parts)
        kept.parts[gone.id] = part
        kept.apart |= gone.apart
        for key in list(kept.parts)[:-PARTS_MAX]:
            del kept.parts[key]

    # ------------------------------------------------------------------------------------------ one becomes two
    def split(self, incident: LiveIncident, key: str, said: str) -> LiveIncident | None:
        """Let the incident `key` live again that became part of `incident`. None: it did not, or it was long ago, or nothing would be left."""
        part = incident.parts.get(key)
        if part is None or (part.members and set(part.members) >= incident.members.keys()):
            return None
        own = [alert for alert, route in self._state.routes.items() if key in self._path(route.incident)]
        del incident.parts[key]
        self._state.redirects.pop(key, None)
        return self._carve(incident, key, part, own, said)

    def split_off(self, incident: LiveIncident, members: Collection[str], said: str) -> LiveIncident | None:
        """Make an incident of its own of some members. None: none of them is there, or nothing would be left."""
        moved = [key for key in incident.members if key in members]
        if not moved or len(moved) == len(incident.members):
            return None
        key = digest(incident.domain, "split", incident.id, *moved)
        onset = min(incident.members[m].onset_ts_ns for m in moved)
        part = Part(
            created_ns=self._state.now_ns,
            started_ns=onset,
            opened_ns=incident.opened_ns,
            merged_ns=self._state.now_ns,
            alerts_total=len(moved),
            members=moved,
            because="",
            revision=0,
        )
        own = [alert for alert in moved if alert in self._state.routes]
        for alert in own:
            self._state.routes[alert].incident = key
        return self._carve(incident, key, part, own, said)

    def _path(self, key: str) -> Iterable[str]:
        yield key
        while key in self._state.redirects:
            key = self._state.redirects[key]
            yield key

    def _carve(self, incident: LiveIncident, key: str, part: Part, own: Collection[str], said: str) -> LiveIncident:
        """Take a part out of an incident. `own` are its alerts that live."""
        self._places.drop(incident)
        moved = {m: incident.members.pop(m) for m in part.members if m in incident.members}
        states = [self._state.routes[alert].state for alert in own]
        other = LiveIncident(
            id=key,
            domain=incident.domain,
            tenant=incident.tenant,
            cluster=_cluster_of(incident.domain, moved.values(), part.started_ns),
            created_ns=part.created_ns,
            started_ns=part.started_ns,
            opened_ns=part.opened_ns or self._state.now_ns,
            members=moved,
            alerts_total=part.alerts_total,
            firing=states.count(AlertState.FIRING),
            unknown=states.count(AlertState.UNKNOWN),
            suppressed=sum(bool(m.suppressed) for m in moved.values()),
            severity=_severity_of(moved.values()),
            revision=part.revision,
            apart={k: None for k in (*incident.apart, incident.id) if k != key},
        )
        other.cluster.onsets = part.alerts_total
        rest = incident.members.values()
        incident.cluster = _cluster_of(incident.domain, rest, min(m.onset_ts_ns for m in rest))
        incident.started_ns = incident.cluster.first_ns
        incident.alerts_total -= part.alerts_total
        incident.cluster.onsets = incident.alerts_total
        incident.firing -= other.firing
        incident.unknown -= other.unknown
        incident.suppressed -= other.suppressed
        incident.severity = _severity_of(rest)
        incident.compared = (0, 0)
        incident.apart[key] = None
        self._share_changes(incident, other)
        self._state.incidents[key] = other
        for one in (incident, other):
            self._places.add(one)
        self._hands.set_state(other, IncidentState.OPEN, f"split from {incident.id}: {said}")
        self._hands.tell(incident, said)
        return other

    def _share_changes(self, incident: LiveIncident, other: LiveIncident) -> None:
        changes = incident.changes
        for one in (incident, other):
            there = one.cluster.entities
            one.changes = {k: c for k, c in changes.items() if any(e in there for e in self._evidence.concerned(c))}


def merged_from(incident: LiveIncident) -> list[Merged]:
    """What became part of an incident, for people."""
    parts = incident.parts.items()
    return [Merged(id=key, ts_ns=p.merged_ns, because=p.because, alerts_total=p.alerts_total) for key, p in parts]


def _cluster_of(domain: str, members: Iterable[MemberState], first_ns: int) -> Cluster:
    cluster = Cluster(domain, first_ns, first_ns)
    members = list(members)
    for m in members:
        cluster.add(Onset(m.entity, m.onset_ts_ns, m.step_seconds, domain, m.fingerprint))
    cluster.silent = bool(members) and all(m.kind is AnomalyKind.GAP for m in members)
    return cluster


def _severity_of(members: Iterable[MemberState]) -> int:
    return max((m.severity for m in members if not m.suppressed), default=0)
