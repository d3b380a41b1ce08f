"""From the alerts of an incident to the question that `causes.rank` answers."""

from __future__ import annotations

from dataclasses import replace

from engine.correlate.causes import Happening, Symptom, rank
from engine.correlate.families import Family, family_of, in_words
from engine.correlate.incidents import Book
from engine.correlate.state import LiveIncident, MemberState
from engine.correlate.titles import what
from engine.correlate.words import clean, clock, number, span
from engine.records import AnomalyKind, Signal


def explain(incident: LiveIncident, book: Book) -> None:
    """Renew the hints of an incident."""
    shown = [m for m in incident.members.values() if not m.suppressed]
    # What a promise suffers from says more than that it does.
    members = [m for m in shown if m.kind is not AnomalyKind.SLO_BURN] or shown
    symptoms = [symptom for m in members for symptom in _symptoms(m, incident.started_ns)]
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
        named_before=book.twins.causes(incident),
    )
    incident.hints, incident.abstained = list(ranking.hints), ranking.abstained


_COUNTED = frozenset({AnomalyKind.NEW_TEMPLATE, AnomalyKind.RARE_TEMPLATE, AnomalyKind.RARE_EVENT})
_OF_DECADES = 0.75
"""The strength of one decade of a metric that is off together with others: a score of 1.0, about four decades, has a strength of 3."""


def _symptoms(member: MemberState, started_ns: int) -> list[Symptom]:
    """One, or what each metric shows where several are off together: a cause is a metric that people can look at."""
    one = _symptom(member, started_ns)
    return [
        replace(
            one,
            metric=metric,
            family=family_of(metric),
            strength=_OF_DECADES * decades,
            direction=0,
            text=f"{member.entity}: {in_words(metric)} is off together with others, since {clock(member.onset_ts_ns)} UTC",
        )
        for metric, decades in member.together.items()
    ] or [one]


def _symptom(member: MemberState, started_ns: int) -> Symptom:
    silent = member.kind is AnomalyKind.GAP
    return Symptom(
        entity=member.entity,
        metric=member.name,
        family=_family(member),
        strength=max(abs(member.deviation), 3.0 * member.score),
        direction=member.direction,
        onset_ts_ns=max(member.onset_ts_ns, started_ns),
        uncertainty_seconds=max(1.0, member.step_seconds),
        text=_fact(member),
        silent=silent,
    )


def _family(member: MemberState) -> Family:
    if member.signal is Signal.EVENT:
        return Family.EVENT
    if member.signal is Signal.LOG and member.text:
        return Family.LOG
    return family_of(member.name)


def _fact(member: MemberState) -> str:
    """What one series shows as a sentence with the numbers, and for lines of a log the words, that a person can look up."""
    fact = f"{member.entity}: {what(member)}, {_figures(member)}since {clock(member.onset_ts_ns)} UTC"
    return f"{fact}; for example '{clean(member.example)}'" if member.example else fact


def _figures(member: MemberState) -> str:
    if member.value is None or member.expected is None or member.kind is AnomalyKind.SLO_BURN:
        return ""
    if member.overdue:
        return f"usually each {span(member.step_seconds)}, missing "
    if member.kind in _COUNTED and not member.expected:
        return f"{number(member.value)} so far where there were none, "
    figures = f"{number(member.value)} where {number(member.expected)} was expected"
    return f"{figures}, {abs(member.deviation):.0f} usual deviations, " if member.deviation else f"{figures}, "
