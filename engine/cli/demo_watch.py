"""What the demo shows while it runs: each incident once when it opens, what it triggers, and when it is over."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from datetime import UTC, datetime

from engine.records import Action, ActionState, Incident, IncidentState

_SEVERE = 17


class Watcher:
    """Follows the incidents and actions as they are published; `say` gets one finished paragraph at a time.

    Thread-safe: the feeding thread calls `incident` and `action`, any other may read `latest`.
    """

    def __init__(self, say: Callable[[str], None]) -> None:
        self._say = say
        self._lock = threading.Lock()
        self._latest: dict[str, Incident] = {}
        self._told: set[str] = set()
        self._actions: set[str] = set()

    @property
    def latest(self) -> list[Incident]:
        """Every incident at its newest revision."""
        with self._lock:
            return list(self._latest.values())

    def incident(self, incident: Incident) -> None:
        """One message of the incidents topic."""
        with self._lock:
            known = self._latest.get(incident.id)
            if known is not None and known.revision >= incident.revision:
                return
            self._latest[incident.id] = incident
        if incident.state is IncidentState.OPEN and incident.id not in self._told:
            self._told.add(incident.id)
            self._say("\n".join(opening(incident)))
        elif incident.id in self._told and incident.state in (IncidentState.RESOLVED, IncidentState.MERGED):
            self._say(f"{clock(incident.ts_ns)}  {incident.state.upper():9} {short(incident.id)}  {incident.title}")

    def action(self, action: Action) -> None:
        """One message of the actions topic."""
        if action.id in self._actions or action.state is ActionState.BLOCKED:
            return
        self._actions.add(action.id)
        self._say(f"{clock(action.ts_ns)}  TRIGGER   {short(action.incident_id)}  {action.plan} [{action.mode}: {action.state}]")


def opening(incident: Incident) -> Iterable[str]:
    """The paragraph about a new incident: when, what, the first hint and its evidence."""
    level = "severe" if incident.severity >= _SEVERE else "minor"
    yield f"{clock(incident.opened_ts_ns)}  INCIDENT  {short(incident.id)}  {incident.title} ({level}, began {clock(incident.started_ts_ns)})"
    if not incident.hints:
        return
    first = incident.hints[0]
    unsure = " (not sure: the next is about as likely)" if incident.abstained else ""
    named = f"{first.entity} {first.metric}".strip()
    yield f"            likely cause: {named}, {first.probability:.0%}{unsure}"
    for evidence in first.evidence[:4]:
        yield f"              + {evidence.text}"
    for evidence in first.against[:2]:
        yield f"              - {evidence.text}"


def clock(ts_ns: int) -> str:
    """Event time for people: day and minute."""
    return datetime.fromtimestamp(ts_ns / 1e9, UTC).strftime("%a %H:%M")


def short(identity: str) -> str:
    """Enough of an id to tell incidents of one run apart."""
    return identity[:6]
