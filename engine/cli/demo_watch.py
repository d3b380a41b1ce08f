"""What the demo shows while it runs: each incident when it opens, what it triggers, and when it is over."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import UTC, datetime

from connectors.sinks.text import describe, escape, headline
from engine.records import Action, ActionState, Incident, IncidentState


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
            self._say("\n".join(describe(incident)))
        elif incident.id in self._told and incident.state in (IncidentState.RESOLVED, IncidentState.MERGED):
            self._say(headline(incident))

    def action(self, action: Action) -> None:
        """One message of the actions topic: shown once, and not at all when a gate blocked it."""
        if action.id in self._actions or action.state is ActionState.BLOCKED:
            return
        self._actions.add(action.id)
        self._say(f"    triggers: {escape(action.plan)} ({action.mode}, for incident {short(action.incident_id)})")


def clock(ts_ns: int) -> str:
    """Event time for people: day and minute."""
    return datetime.fromtimestamp(ts_ns / 1e9, UTC).strftime("%a %H:%M")


def short(identity: str) -> str:
    """Enough of an id to tell incidents of one run apart; the same digits as in an incident's headline."""
    return identity[:7]
