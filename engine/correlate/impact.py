"""Which incidents hurt an objective: those that began no later than it, on its entity or on something that it needs."""

from __future__ import annotations

from typing import Final

from engine.config.slo import Slo
from engine.correlate.incidents import Book
from engine.correlate.promises import Episode
from engine.correlate.state import LiveIncident
from engine.records import AlertState, AnomalyKind

STEPS_MAX: Final = 3
"""Calls and placements between an objective's entity and what hurts it: farther away everything needs everything."""
_NS: Final = 1_000_000_000


def why(incident: LiveIncident, slo: Slo, episode: Episode, book: Book) -> str:
    """Why an incident hurts an objective that burns, as half a sentence; "" when it does not."""
    if episode.id in incident.members:
        return f"{slo.entity} itself has alerts" if _live(incident, slo.entity) else f"{slo.entity} is part of it"
    if incident.started_ns > episode.onset_ns + int(book.config.window * _NS):
        return ""
    near = [
        (steps, entity)
        for entity, steps in book.topology.downstream(slo.entity).items()
        if steps <= STEPS_MAX and entity in incident.cluster.entities and _live(incident, entity)
    ]
    if not near:
        return ""
    steps, entity = min(near)
    if not steps:
        return f"{slo.entity} itself has alerts"
    return f"{slo.entity} needs {entity}, {steps} step{'s' if steps > 1 else ''} away"


def _live(incident: LiveIncident, entity: str) -> bool:
    """Whether something of it is still wrong there, beside the objective itself."""
    there = [m for m in incident.members.values() if m.entity == entity and m.kind is not AnomalyKind.SLO_BURN]
    return any(member.state is not AlertState.RESOLVED and not member.suppressed for member in there)
