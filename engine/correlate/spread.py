"""Trouble that has not ended draws in what begins later on its entities or next to them: slow faults spread late."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Final

from engine.config.tree import Correlate
from engine.correlate.enough import CROWD, LASTING_WINDOWS, Setting, felt, is_felt, is_supported
from engine.correlate.families import RESOURCES, family_of
from engine.correlate.places import TOLD, Places
from engine.correlate.state import CorrelateState, LiveIncident, MemberState
from engine.correlate.topology import Topology
from engine.records import Alert, AlertState, IncidentState

SPREAD_WINDOWS: Final = 24
"""For so many windows after its last new alert an open incident still draws in what begins on its entities or next to them."""
_ASKED_MAX: Final = 16
"""So many neighbours of an entity, and so many candidates there, are asked whether they support one."""
_NS: Final = 1_000_000_000


class Spread:
    """Where an alert belongs for what still burns there. Changes nothing."""

    def __init__(self, state: CorrelateState, config: Correlate, topology: Topology, places: Places) -> None:
        self._state = state
        self._config = config
        self._topology = topology
        self._places = places

    def same_trouble(self, alert: Alert) -> tuple[LiveIncident, str] | None:
        """An incident that has this very series, over only lately, or trouble on this entity that has not ended: it goes on."""
        for incident in self._places.incidents(alert.entity, alert.domain):
            if not self._admits(incident, alert):
                continue
            reaches = self._in_time(incident, alert)
            for member in self._places.members(incident, alert.entity):
                if reaches and member.state is AlertState.FIRING:
                    return incident, "same entity, still firing"
                if member.fingerprint == alert.fingerprint and not self._is_closed(member, alert.onset_ts_ns):
                    return incident, "same series again"
        return None

    def burning_neighbour(self, alert: Alert) -> tuple[LiveIncident | None, str]:
        """An incident with trouble that has not ended one call or one placement away.

        A resource of the entity's own is no trouble that travels along a call.
        """
        for incident, entity in self._burning(alert, alert.domain):
            if self._admits(incident, alert) and self._in_time(incident, alert):
                return incident, f"next to {entity}, still firing"
        return None, ""

    def elder(self, incident: LiveIncident) -> tuple[LiveIncident | None, str]:
        """The incident that people know already and that would have drawn this one's alerts in, had they come after it was told; and why.

        Of a fault that spreads along calls, a caller's caller may speak before the caller does.
        """
        for member in incident.members.values():
            if member.state is not AlertState.FIRING or member.suppressed:
                continue
            for other, entity in self._burning(member, incident.domain):
                if other is not incident and other.id not in incident.apart and self._in_time(other, member):
                    return other, f"{member.entity} is next to {entity}, still firing"
        return None, ""

    def supporter(self, incident: LiveIncident, setting: Setting) -> LiveIncident | None:
        """A candidate next to this one in which users' trouble has not ended, if both together are enough to be told.

        What is felt travels along calls, and where it does so slower than an incident gathers its alerts it begins on each entity by itself. Small ones are
        asked only: a crowd is told as such.
        """
        if incident.state is not IncidentState.CANDIDATE or len(incident.members) >= CROWD:
            return None
        others = self._felt_next_to(incident)
        own = felt(incident, setting) if others else []
        return next((o for o in others if is_supported([*own, *felt(o, setting)], setting)), None)

    def _felt_next_to(self, incident: LiveIncident) -> list[LiveIncident]:
        """Small candidates on the neighbours of what is felt here and goes on, that began not long ago."""
        here = (m for m in incident.members.values() if m.state is AlertState.FIRING and is_felt(m))
        near = ((m, o) for m in here for o in self._on(islice(self._topology.neighbours(m.entity), _ASKED_MAX), incident.domain))
        recent_ns = LASTING_WINDOWS * int(self._config.window * _NS)
        fitting = (
            (other.id, other)
            for m, other in near
            if other.state is IncidentState.CANDIDATE
            and other is not incident
            and other.id not in incident.apart
            and len(other.members) < CROWD
            and abs(m.onset_ts_ns - other.cluster.last_ns) <= recent_ns
        )
        return list(dict(islice(fitting, _ASKED_MAX)).values())

    def _on(self, entities: Iterable[str], domain: str) -> Iterator[LiveIncident]:
        return (incident for entity in entities for incident in self._places.incidents(entity, domain))

    def _burning(self, about: Alert | MemberState, domain: str) -> Iterator[tuple[LiveIncident, str]]:
        """Told incidents with trouble that has not ended one call or one placement away, and where."""
        is_own = family_of(about.name) in RESOURCES
        for entity in self._placement(about.entity) if is_own else self._topology.neighbours(about.entity):
            for incident in self._places.incidents(entity, domain):
                if incident.state in TOLD and self._places.is_burning(incident, entity):
                    yield incident, entity

    def _is_closed(self, member: MemberState, now_ns: int) -> bool:
        """Whether an alert has been over for as long as an incident must be before it closes: what begins now began anew."""
        return member.ended_ns > 0 and now_ns - member.ended_ns > int(self._config.close_after * _NS)

    def _placement(self, entity: str) -> list[str]:
        """What carries an entity and what it carries."""
        host = self._topology.host(entity)
        return [*([host] if host else []), *self._topology.guests(entity)]

    def _admits(self, incident: LiveIncident, alert: Alert) -> bool:
        """What is silenced draws in only what is silenced too."""
        return (
            incident.state is not IncidentState.SUPPRESSED
            or bool(incident.inhibited_by)
            or self._state.suppression.verdict(alert) is not None
        )

    def _in_time(self, incident: LiveIncident, about: Alert | MemberState) -> bool:
        """Only what grew lately draws in trouble that begins later."""
        return about.onset_ts_ns - incident.cluster.last_ns <= SPREAD_WINDOWS * int(self._config.window * _NS)
