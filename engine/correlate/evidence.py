"""Events that may explain incidents: deploys, flags, kills. Kept for a while, and attached to the incidents they concern."""

from __future__ import annotations

from engine.config.tree import Correlate
from engine.correlate.state import CorrelateState, LiveIncident
from engine.correlate.topology import Topology
from engine.records import Change, IncidentState

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
