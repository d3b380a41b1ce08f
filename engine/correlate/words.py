"""Words for people: titles, sizes and times. Everything here is for reading, nothing is parsed again."""

from __future__ import annotations

from datetime import UTC, datetime

from engine.correlate.families import in_words
from engine.correlate.state import LiveIncident, MemberState
from engine.records import AnomalyKind

_NS = 1_000_000_000
_TEXT_MAX = 80


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
    if member.kind is AnomalyKind.RARE_EVENT:
        return f"event '{text}'" if text else f"event {name}"
    if member.kind is AnomalyKind.FLAT:
        return f"{name} stands still"
    if text:
        name = f"log message '{text}'"
    return f"{name} {moved(member.direction, member.value, member.expected)}"


def moved(direction: int, value: float | None, expected: float | None) -> str:
    """How a value moved: `up 4.2x`, `down to 12 %`, `changed`.

    >>> moved(1, 84.0, 20.0), moved(-1, 2.0, 20.0), moved(0, None, None)
    ('up 4.2x', 'down to 10 %', 'changed')
    """
    word = {1: "up", -1: "down"}.get(direction, "changed")
    if value is None or expected is None or expected <= 0 or value < 0:
        return word
    if direction > 0 and value >= 1.05 * expected:
        ratio = value / expected
        return f"up {ratio:.1f}x" if ratio < 100 else f"up {ratio:.0f}x"
    if direction < 0 and value <= 0.95 * expected:
        return f"down to {100 * value / expected:.0f} %"
    return word


def clean(text: str) -> str:
    """Text from outside, on one line, without control characters, cut to a readable length."""
    flat = " ".join("".join(c if c.isprintable() else " " for c in text).split())
    return flat if len(flat) <= _TEXT_MAX else flat[: _TEXT_MAX - 1] + "…"


def clock(ts_ns: int) -> str:
    """Time of day in UTC: `14:03:05`."""
    return datetime.fromtimestamp(ts_ns // _NS, UTC).strftime("%H:%M:%S")


def number(value: float) -> str:
    """A number with as many digits as a person reads.

    >>> number(0.012345), number(1234567.0), number(42.0)
    ('0.0123', '1.23e+06', '42')
    """
    return f"{value:.3g}"


def span(seconds: float) -> str:
    """A length of time for people.

    >>> span(45), span(420), span(9000)
    ('45 s', '7 min', '2.5 h')
    """
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
