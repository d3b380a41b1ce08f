"""What is where: the live incidents of an entity, and their members on it. Derived from the state, so it is in no snapshot."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, KeysView

from engine.correlate.state import CorrelateState, LiveIncident, MemberState
from engine.records import AlertState, IncidentState

OVER = (IncidentState.CLOSED, IncidentState.MERGED)
TOLD = (IncidentState.OPEN, IncidentState.ACKNOWLEDGED, IncidentState.MITIGATING)


class Places:
    """Looks up by entity what otherwise all incidents and all members would be searched for."""

    def __init__(self, state: CorrelateState) -> None:
        self._state = state
        self._incidents: dict[str, dict[str, None]] = {}
        self._members: dict[tuple[str, str], dict[str, None]] = {}
        self._busy: dict[str, dict[str, int]] = {}
        for incident in state.incidents.values():
            self.add(incident)
        for domain, entity in state.busy.values():
            self._count(domain, entity, 1)

    def add(self, incident: LiveIncident) -> None:
        """Take in all entities and members of an incident."""
        for entity in incident.cluster.entities:
            self.join(incident, entity)
        for member in incident.members.values():
            self.join(incident, member.entity, member.id)

    def join(self, incident: LiveIncident, entity: str, member: str = "") -> None:
        """An incident has this entity, if it keeps it, and, unless "", this member on it."""
        if not member and entity not in incident.cluster.entities:
            return
        self._incidents.setdefault(entity, {})[incident.id] = None
        if member:
            self._members.setdefault((incident.id, entity), {})[member] = None

    def drop(self, incident: LiveIncident) -> None:
        """Forget an incident."""
        for entity in dict.fromkeys((*incident.cluster.entities, *(m.entity for m in incident.members.values()))):
            self._members.pop((incident.id, entity), None)
            there = self._incidents.get(entity, {})
            there.pop(incident.id, None)
            if not there:
                self._incidents.pop(entity, None)

    def incidents(self, entity: str, domain: str) -> list[LiveIncident]:
        """Incidents of a domain that have this entity, most recently active first."""
        live = (self._state.incidents[key] for key in self._incidents.get(entity, ()))
        fitting = [i for i in live if i.domain == domain and i.state not in OVER]
        return sorted(fitting, key=lambda i: (-i.cluster.last_ns, i.id)) if len(fitting) > 1 else fitting

    def incidents_on(self, entities: Iterable[str], domain: str) -> list[LiveIncident]:
        """Incidents of a domain that have any of these entities, each once."""
        return list({i.id: i for entity in entities for i in self.incidents(entity, domain)}.values())

    def members(self, incident: LiveIncident, entity: str) -> Iterator[MemberState]:
        """Members of an incident on an entity, in the order in which they joined."""
        return (incident.members[key] for key in self._members.get((incident.id, entity), ()))

    def is_burning(self, incident: LiveIncident, entity: str) -> bool:
        """Whether anything on this entity still fires."""
        return any(member.state is AlertState.FIRING for member in self.members(incident, entity))

    # ------------------------------------------------------------------------------------------------ load
    def more_load(self, key: str, domain: str, entity: str) -> None:
        """A live alert says that an entity serves more requests than usual."""
        self._state.busy[key] = (domain, entity)
        self._count(domain, entity, 1)

    def load_is_over(self, key: str) -> None:
        """That alert is over, if it was one of those."""
        place = self._state.busy.pop(key, None)
        if place is not None:
            self._count(*place, -1)

    def _count(self, domain: str, entity: str, more: int) -> None:
        counts = self._busy.setdefault(domain, {})
        counts[entity] = counts.get(entity, 0) + more
        if counts[entity] <= 0:
            del counts[entity]

    def busy(self, domain: str) -> KeysView[str]:
        """Entities of a domain that serve more requests than usual."""
        return self._busy.get(domain, {}).keys()
