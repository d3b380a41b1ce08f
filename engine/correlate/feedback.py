"""What people tell the engine about incidents: acknowledge, resolve, silence, announce; each with a name and a reason."""

from __future__ import annotations

from collections.abc import Callable

from engine.correlate.incidents import Book
from engine.correlate.kinds import NO_PROBLEM
from engine.correlate.places import TOLD
from engine.correlate.state import LiveIncident
from engine.correlate.suppress import Maintenance, Silence
from engine.correlate.topology import CALLS, KINDS
from engine.correlate.words import clean
from engine.errors import DecodeError
from engine.metrics import Metric
from engine.records import Control, IncidentState
from engine.times import rfc3339_ns


def apply(control: Control, book: Book) -> None:
    """Do what a control message says. Unknown verbs and objects are ignored: they are other stages' or too late."""
    act = _VERBS.get(control.verb)
    if act is not None:
        act(control, book)


def _incident(control: Control, book: Book) -> LiveIncident | None:
    incident = book.state.find(control.object)
    return incident if incident is not None and incident.state in (*TOLD, IncidentState.RESOLVED) else None


def _said(control: Control, verb: str) -> str:
    return f"{verb} by {control.actor}" + (f": {control.reason}" if control.reason else "")


def _acknowledge(control: Control, book: Book) -> None:
    incident = _incident(control, book)
    if incident is not None and incident.state is IncidentState.OPEN:
        book.set_state(incident, IncidentState.ACKNOWLEDGED, _said(control, "acknowledged"))


def _resolve(control: Control, book: Book) -> None:
    incident = _incident(control, book)
    if incident is not None and incident.state in TOLD:
        _note(control, incident)
        incident.fixed_by = incident.fixed_by or clean(control.reason)
        book.set_state(incident, IncidentState.RESOLVED, _said(control, "resolved"))


def _feedback(control: Control, book: Book) -> None:
    """What people learned of an incident, live or closed: `details` may have `fixed_by`, `cause` (an entity), and `verdict`.

    A verdict of `false` says that it was no problem, and resolves it. Everything else is kept by the log alone.
    """
    incident = _incident(control, book)
    if incident is not None:
        _note(control, incident)
        if incident.verdict == NO_PROBLEM and incident.state in TOLD:
            book.set_state(incident, IncidentState.RESOLVED, _said(control, "resolved"))
        return
    said = {name: clean(control.details.get(name, "")) for name in ("fixed_by", "cause", "verdict")}
    book.twins.said(book.state.last_id(control.object), **said)


def _note(control: Control, incident: LiveIncident) -> None:
    details = control.details
    incident.fixed_by = clean(details.get("fixed_by", "")) or incident.fixed_by
    incident.named_cause = clean(details.get("cause", "")) or incident.named_cause
    incident.verdict = clean(details.get("verdict", "")) or incident.verdict


def _merge(control: Control, book: Book) -> None:
    """`details` have `into`: the other incident. The older of the two keeps its id."""
    one, other = _incident(control, book), book.state.find(control.details.get("into", ""))
    if one is not None and other is not None and one.domain == other.domain:
        one.apart.pop(other.id, None)
        other.apart.pop(one.id, None)
        book.unions.merge(one, other, _said(control, "merged"))


def _split(control: Control, book: Book) -> None:
    """Of an id that was merged, that incident lives again; of a live incident, the alerts in `members` (ids, separated by commas) leave it."""
    incident = _incident(control, book)
    if incident is None:
        return
    said = _said(control, "split")
    members = [m for part in control.details.get("members", "").split(",") if (m := part.strip())]
    unions = book.unions
    other = unions.split_off(incident, members, said) if members else unions.split(incident, control.object, said)
    for one in (incident, other) if other is not None else ():
        book.review(one)


def _silence(control: Control, book: Book) -> None:
    """`object` is a pattern or a selector (`suppress.Silence`). What burns already is silent from now on."""
    silence = Silence(control.object, control.actor, control.reason, control.ts_ns, control.expires_ts_ns)
    _unsilence(control, book)
    if not book.state.suppression.silence(silence):
        book.stats.count(Metric.LIMITS_REACHED, 1, "silences")
    book.reconsider(lambda member: silence.covers(member, book.state.now_ns))


def _unsilence(control: Control, book: Book) -> None:
    suppression = book.state.suppression
    lifted = {s.why for s in suppression.silences if s.pattern == control.object}
    suppression.unsilence(control.object)
    if lifted:
        book.reconsider(lambda member: member.suppressed in lifted)


def _window(control: Control, book: Book) -> None:
    """`object` is the window's name; `details` have `entities` (separated by commas), `start` and `end` in RFC 3339.

    In place of one of the same name; what burns already is judged by it.
    """
    try:
        start, end = (rfc3339_ns(control.details[key]) for key in ("start", "end"))
    except (KeyError, DecodeError):
        return
    entities = tuple(e.strip() for e in control.details.get("entities", "").split(",") if e.strip())
    window = Maintenance(control.object, entities, start, end)
    if not book.state.suppression.announce(window, book.state.now_ns):
        book.stats.count(Metric.LIMITS_REACHED, 1, "windows")
    book.reconsider(
        lambda m: m.suppressed == window.why or window.covers(m.entity, m.onset_ts_ns) or window.covers(m.entity, m.joined_ns)
    )


def _edges(control: Control, book: Book) -> None:
    """`details` map a caller to its callees, separated by commas; `object` is the kind of edge (empty: calls).

    They fade as those that telemetry tells of do: to keep them, say them again.
    """
    kind = control.object or CALLS
    if kind not in KINDS:
        return
    for caller, callees in sorted(control.details.items()):
        for callee in callees.split(","):
            if not book.edges.learn(caller.strip(), callee.strip(), kind, control.ts_ns):
                book.stats.count(Metric.LIMITS_REACHED, 1, "edges")


_VERBS: dict[str, Callable[[Control, Book], None]] = {
    "acknowledge": _acknowledge,
    "resolve": _resolve,
    "feedback": _feedback,
    "merge": _merge,
    "split": _split,
    "silence": _silence,
    "unsilence": _unsilence,
    "window": _window,
    "edges": _edges,
}
