"""What the members of an incident show, as symptoms with their sentences: worked out once for as long as a member says the same.

Derived, and in no snapshot. Of an incident as many are kept as it has members.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from engine.correlate.causes import Symptom
from engine.correlate.families import Family, family_of, in_words
from engine.correlate.state import LiveIncident, MemberState
from engine.correlate.titles import what
from engine.correlate.words import clean, clock, deviations, number, span
from engine.records import AnomalyKind, Signal

_Said = tuple[float, str, int]
"""The score, the text and the onset of a member: value, expectation and deviation change with the score only."""


class Facts:
    """The symptoms of each incident that was told, by the ids of its members."""

    def __init__(self) -> None:
        self._known: dict[str, dict[str, tuple[_Said, list[Symptom]]]] = {}

    def of(self, incident: LiveIncident, members: Iterable[MemberState]) -> list[Symptom]:
        """All symptoms of these members, in their order."""
        known = self._known.get(incident.id, {})
        kept = self._known[incident.id] = {}
        for member in members:
            said = (member.score, member.text, max(member.onset_ts_ns, incident.started_ns))
            before = known.get(member.id)
            kept[member.id] = before if before is not None and before[0] == said else (said, symptoms_of(member, said[2]))
        return [symptom for _, found in kept.values() for symptom in found]

    def forget(self, key: str) -> None:
        """An incident is gone."""
        self._known.pop(key, None)


_COUNTED = frozenset({AnomalyKind.NEW_TEMPLATE, AnomalyKind.RARE_TEMPLATE, AnomalyKind.RARE_EVENT})
_OF_DECADES = 0.75
"""The strength of one decade of a metric that is off together with others: a score of 1.0, about four decades, has a strength of 3."""


def symptoms_of(member: MemberState, onset_ns: int) -> list[Symptom]:
    """One, or what each metric shows where several are off together: a cause is a metric that people can look at."""
    one = _symptom(member, onset_ns)
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


def _symptom(member: MemberState, onset_ns: int) -> Symptom:
    silent = member.kind is AnomalyKind.GAP
    return Symptom(
        entity=member.entity,
        metric=member.name,
        family=_family(member),
        strength=max(abs(member.deviation), 3.0 * member.score),
        direction=member.direction,
        onset_ts_ns=onset_ns,
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
    since = f"since {clock(member.onset_ts_ns)} UTC"
    if member.kind is AnomalyKind.GAP:
        each = f"usually each {span(member.step_seconds)}, " if member.step_seconds else ""
        return f"{member.entity}: {in_words(member.name)} is silent, {each}no data {since}"
    fact = f"{member.entity}: {what(member)}, {_figures(member)}{since}"
    has_example = member.example and member.kind is not AnomalyKind.LINE_VALUE  # there it is of a line of before
    return f"{fact}; for example '{clean(member.example)}'" if has_example else fact


def _figures(member: MemberState) -> str:
    if member.value is None or member.expected is None or member.kind is AnomalyKind.SLO_BURN:
        return ""
    if member.overdue:
        return f"usually each {span(member.step_seconds)}, missing "
    if member.kind in _COUNTED and not member.expected:
        return f"{number(member.value)} so far where there were none, "
    figures = f"{number(member.value)} where {number(member.expected)} was expected"
    return f"{figures}, {deviations(member.deviation)}, " if member.deviation else f"{figures}, "
