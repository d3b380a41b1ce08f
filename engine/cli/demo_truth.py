"""What the demo found, held against what the simulator did."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import median

from connectors.simulator.scenario import Happening, Scenario, What
from engine.records import AnomalyKind, Incident, IncidentState

_EARLY_SECONDS = 300
_LATE_SECONDS = 1_200
_SEEN_AS = {
    What.NEW_ERROR: AnomalyKind.NEW_TEMPLATE,
    What.JOB_STOPPED: AnomalyKind.STOPPED,
    What.SLOW_PARTNER: AnomalyKind.LINE_VALUE,
}
"""Faults that show in one way only: an incident without such an alert on the entity does not stand for them."""
_NOT_TOLD = (IncidentState.CANDIDATE, IncidentState.SUPPRESSED, IncidentState.MERGED)


@dataclass(frozen=True, slots=True)
class Finding:
    """One fault and the incident that stands for it. `rank` is the place of the true entity among the hints, 0: not named."""

    fault: Happening
    incident: Incident | None
    others: int
    rank: int
    delay_seconds: float | None


@dataclass(frozen=True, slots=True)
class Verdict:
    """The whole comparison."""

    findings: tuple[Finding, ...]
    false: tuple[Incident, ...]
    incidents: int
    alerts: int

    @property
    def found(self) -> int:
        return sum(f.incident is not None for f in self.findings)

    @property
    def missed(self) -> int:
        return len(self.findings) - self.found

    @property
    def hint_first(self) -> int:
        return sum(f.rank == 1 for f in self.findings)

    @property
    def delay_seconds_median(self) -> float | None:
        delays = [f.delay_seconds for f in self.findings if f.delay_seconds is not None]
        return round(median(delays), 1) if delays else None


def judge(scenario: Scenario, incidents: Iterable[Incident]) -> Verdict:
    """Assign every incident that people were told of to the fault it stands for, or call it false."""
    told = sorted((i for i in incidents if i.state not in _NOT_TOLD), key=lambda i: (i.opened_ts_ns, i.id))
    belongs: dict[int, list[Incident]] = {n: [] for n in range(len(scenario.faults))}
    false = []
    for incident in told:
        match = _match(incident, scenario.faults)
        if match is None:
            false.append(incident)
        else:
            belongs[match].append(incident)
    findings = tuple(_finding(fault, belongs[n]) for n, fault in enumerate(scenario.faults))
    return Verdict(findings, tuple(false), len(told), sum(i.alerts_total for i in told))


def _match(incident: Incident, faults: Sequence[Happening]) -> int | None:
    """The fault whose time and places fit; among several the one whose own entity is in it, then the nearest in time."""
    fitting = []
    for n, fault in enumerate(faults):
        told = incident.opened_ts_ns / 1e9
        in_time = fault.start - _EARLY_SECONDS <= told <= fault.end + _LATE_SECONDS
        if in_time and set(incident.entities) & set(fault.affected) and _shows(incident, fault):
            fitting.append((fault.entity not in incident.entities, abs(told - fault.start), n))
    return min(fitting)[2] if fitting else None


def _shows(incident: Incident, fault: Happening) -> bool:
    """Whether the incident has an alert of the kind that the fault must give."""
    kind = _SEEN_AS.get(fault.what)
    return kind is None or any(member.kind is kind and member.entity == fault.entity for member in incident.members)


def _finding(fault: Happening, incidents: list[Incident]) -> Finding:
    if not incidents:
        return Finding(fault, None, 0, 0, None)
    first = incidents[0]
    named = list(dict.fromkeys(hint.entity for hint in first.hints))
    rank = named.index(fault.entity) + 1 if fault.entity in named else 0
    return Finding(fault, first, len(incidents) - 1, rank, max(0.0, first.opened_ts_ns / 1e9 - fault.start))
