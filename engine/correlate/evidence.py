"""Events that may explain incidents: deploys, flags, kills. Kept for a while, and attached to the incidents they concern."""

from __future__ import annotations

from collections.abc import Iterable

from engine.config.tree import Correlate
from engine.correlate.state import CorrelateState, LiveIncident
from engine.correlate.topology import Topology
from engine.records import Change

RECENT_MAX = 5_000
CHANGES_MAX = 20
BAD_SEVERITY = 13
"""An event of this OpenTelemetry severity (WARN) or more says that something is wrong."""
_NS = 1_000_000_000


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
