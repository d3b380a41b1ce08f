"""The one line that says what an incident is: `checkout: request latency up 4.2x (7 alerts in 4 services)`."""

from __future__ import annotations

from engine.correlate.families import in_words
from engine.correlate.state import LiveIncident, MemberState
from engine.correlate.words import clean, moved
from engine.records import AnomalyKind, Signal


def title(incident: LiveIncident) -> str:
    """One line that says where, what and how much: `checkout: request latency up 4.2x (7 alerts in 4 services)`."""
    lead = leading_member(incident)
    if lead is None:
        return "nothing is known of this incident"
    entities = len(incident.cluster.entities)
    where = lead.entity or "unknown entity"
    alerts = f"{incident.alerts_total} alert{'s' if incident.alerts_total != 1 else ''}"
    spread = f" in {entities} entities" if entities > 1 else ""
    return f"{where}: {what(lead)} ({alerts}{spread})"


def leading_member(incident: LiveIncident) -> MemberState | None:
    """The member that speaks for the incident: of the likeliest cause when there is one, else the strongest."""
    members = [m for m in incident.members.values() if not m.suppressed] or list(incident.members.values())
    if incident.hints and not incident.abstained:
        named = [m for m in members if m.entity == incident.hints[0].entity]
        members = [m for m in named if m.name == incident.hints[0].metric] or named or members
    return max(members, key=lambda m: (m.score, -m.onset_ts_ns, m.id), default=None)


def what(member: MemberState) -> str:
    """What happened to one series, without saying where."""
    name = in_words(member.name)
    text = clean(member.text)
    if member.kind is AnomalyKind.GAP:
        return "silent, no data any more"
    if member.kind is AnomalyKind.NEW_TEMPLATE:
        return f"new log message '{text}'" if text else "new log message"
    if member.kind is AnomalyKind.RARE_TEMPLATE:
        return f"old log message '{text}' is back"
    if member.kind is AnomalyKind.STOPPED:
        return f"log message '{text}' does not come any more" if text else "no log lines any more"
    if member.kind in (AnomalyKind.BROKEN_SEQUENCE, AnomalyKind.ERROR_BURST, AnomalyKind.SLO_BURN) and text:
        return text
    if member.kind is AnomalyKind.LINE_VALUE and text:
        return f"{text} {moved(member.direction, member.value, member.expected)}"
    if member.kind is AnomalyKind.RARE_EVENT:
        return f"event '{text}'" if text else f"event {name}"
    if member.kind is AnomalyKind.TREND and member.signal is Signal.METRIC and text:
        return f"{name} {text}"
    if member.kind is AnomalyKind.FLAT:
        return f"{name} stands still"
    if member.kind is AnomalyKind.VARIANCE:
        return f"{name} scatters unlike before"
    if member.kind is AnomalyKind.JOINT:
        return text or "several metrics are off together"
    if member.kind is AnomalyKind.OUTLIER:
        return f"{name} {moved(member.direction, member.value, member.expected)} against its peers"
    if text:
        name = f"log message '{text}'"
    return f"{name} {moved(member.direction, member.value, member.expected)}"
