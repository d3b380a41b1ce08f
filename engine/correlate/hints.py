"""From the alerts of an incident to the question that `causes.rank` answers."""

from __future__ import annotations

from engine.correlate.causes import Happening, Learned, rank
from engine.correlate.incidents import Book
from engine.correlate.leads import leaders
from engine.correlate.state import LiveIncident
from engine.correlate.words import clean
from engine.records import AnomalyKind
from engine.workloads import workload_of


def explain(incident: LiveIncident, book: Book) -> None:
    """Renew the hints of an incident."""
    shown = [m for m in incident.members.values() if not m.suppressed]
    # What a promise suffers from says more than that it does.
    members = [m for m in shown if m.kind is not AnomalyKind.SLO_BURN] or shown
    symptoms = book.facts.of(incident, members)
    happenings = [
        Happening(c.id, c.ts_ns, c.name, c.entity, c.is_change, clean(c.text))
        for c in sorted(incident.changes.values(), key=lambda c: (c.ts_ns, c.id))
    ]
    ranking = rank(
        symptoms,
        happenings,
        book.topology,
        hints_max=book.config.hints_max,
        abstain_below=book.config.abstain_below,
        learned=Learned(book.twins.causes(incident), _led(incident, book)),
    )
    incident.hints, incident.abstained = list(ranking.hints), ranking.abstained


def _led(incident: LiveIncident, book: Book) -> dict[str, list[str]]:
    """Entities that came before others of this incident in those that are over, where the topology knows nothing of them."""
    if not book.state.leads.follows:
        return {}
    unknown = {m.entity: workload_of(m.entity) for m in incident.members.values() if not book.topology.knows(m.entity)}
    by_workload = leaders(book.state.leads, incident, set(unknown.values()))
    return {
        entity: [lead.in_words() for lead in by_workload[workload]]
        for entity, workload in unknown.items()
        if workload in by_workload
    }
