"""What is only felt of a cause that people know already is held back, along the edges of the topology, with a reason and up to a limit.

A candidate is held back when all of it is felt only (latency, errors, availability), all of its entities need one entity, and that is
named the cause of an open incident in which it still burns and which began no later. It is told after all when that incident is over, when something
of another sort joins it, or when a promise burns or a fact by itself is among it. One incident holds back so many and no more.
"""

from __future__ import annotations

from typing import NamedTuple

from engine.config.tree import Correlate
from engine.correlate.enough import is_felt, is_loud
from engine.correlate.places import TOLD, Places
from engine.correlate.state import CorrelateState, LiveIncident, MemberState
from engine.correlate.topology import Topology
from engine.correlate.words import clock
from engine.records import AlertState
from engine.severity import FATAL

_ASKED_MAX = 8
"""So many entities of a candidate are asked what they need; one with more is told."""
_NS = 1_000_000_000


class Inhibitor(NamedTuple):
    """Who holds a candidate back, and a sentence that says so."""

    incident: LiveIncident
    reason: str


class Inhibition:
    """Who holds back whom. Moves `LiveIncident.inhibited_by`, nothing else; what is looked up is derived and in no snapshot."""

    def __init__(self, state: CorrelateState, config: Correlate, topology: Topology, places: Places) -> None:
        self._state = state
        self._config = config
        self._topology = topology
        self._places = places
        self._held: dict[str, dict[str, None]] = {}
        self.at_limit = 0  # how often the limit was met since somebody looked
        for incident in state.incidents.values():
            if incident.inhibited_by:
                self._held.setdefault(incident.inhibited_by, {})[incident.id] = None

    def inhibitor(self, incident: LiveIncident) -> Inhibitor | None:
        """Who holds this candidate back now; None: it may be told. Changes nothing but the count of the limit."""
        if not self._config.inhibit_steps or incident.opened_ns:
            return None
        live = [m for m in incident.members.values() if m.state is not AlertState.RESOLVED and not m.suppressed]
        entities = dict.fromkeys(m.entity for m in live)
        if not live or len(entities) > _ASKED_MAX or not all(_is_only_felt(m) for m in live):
            return None
        began_ns = min(m.onset_ts_ns + int(m.step_seconds * _NS) for m in live)
        for cause, steps in self._needed(list(entities)):
            for other in self._places.incidents(cause, incident.domain):
                if other is incident or not self._is_cause(other, cause) or other.started_ns > began_ns:
                    continue
                if self._has_room(other, incident):
                    return Inhibitor(other, self._why(next(iter(entities)), cause, steps, other))
        return None

    def _needed(self, entities: list[str]) -> list[tuple[str, int]]:
        """What all of these need, themselves excepted, the nearest first; with the most steps that one of them is away."""
        walks = [self._topology.downstream(entity) for entity in entities]
        most = {
            name: max(walk[name] for walk in walks)
            for name, steps in walks[0].items()
            if 0 < steps <= self._config.inhibit_steps
            and all(0 < walk.get(name, 0) <= self._config.inhibit_steps for walk in walks)
        }
        return sorted(most.items(), key=lambda found: (found[1], found[0]))

    def _is_cause(self, incident: LiveIncident, entity: str) -> bool:
        """Whether people know an incident, its cause is told to be this entity, and that burns still."""
        if incident.state not in TOLD or incident.abstained or not incident.hints or incident.hints[0].entity != entity:
            return False
        return self._places.is_burning(incident, entity)

    def _has_room(self, other: LiveIncident, incident: LiveIncident) -> bool:
        held = self._held.get(other.id, {})
        if incident.id in held or len(held) < self._config.inhibit_max:
            return True
        self.at_limit += 1
        return False

    def _why(self, entity: str, cause: str, steps: int, other: LiveIncident) -> str:
        away = f"{steps} steps away" if steps > 1 else "directly"
        return f"inhibited: {entity} needs {cause} ({away}), the cause of {other.id[:8]}, which burns since {clock(other.started_ns)} UTC"

    # ------------------------------------------------------------------------------------------ who is held
    def hold(self, incident: LiveIncident, by: LiveIncident) -> bool:
        """From now on it is held back by this one. Whether that is news."""
        if incident.inhibited_by == by.id:
            return False
        self.release(incident)
        incident.inhibited_by = by.id
        self._held.setdefault(by.id, {})[incident.id] = None
        return True

    def release(self, incident: LiveIncident) -> None:
        """Nobody holds it back any more."""
        held = self._held.get(incident.inhibited_by, {})
        held.pop(incident.id, None)
        if not held:
            self._held.pop(incident.inhibited_by, None)
        incident.inhibited_by = ""

    def held_by(self, incident: LiveIncident) -> list[str]:
        """What this one holds back, the first first."""
        return list(self._held.get(incident.id, ()))


def _is_only_felt(member: MemberState) -> bool:
    return is_felt(member) and not is_loud(member) and member.severity < FATAL
