"""What one receiver should know and what it has taken: pure state, moved by news, by time and by answers.

Level-triggered: the latest revision of an incident is the one that is owed, whatever happened in between. So after an
outage a receiver gets one message for each incident, and one that opened and resolved meanwhile is told as resolved. The
edges that matter are never lost, because the latest revision carries them.

Times are seconds of a monotonic clock, except `failing_since_ns`, which outlives a restart and so is wall time.
"""

from __future__ import annotations

from enum import StrEnum

import msgspec

from engine.config.tree import Deliver
from engine.records import Incident, IncidentState, digest

INCIDENTS_MAX = 10_000
"""Incidents whose delivery is remembered. When full, the one told longest ago is forgotten: at worst it is told again."""
OWED_MAX = 10_000
"""Incidents that wait for one receiver. Beyond it the oldest is given up, one that is over first; the topic still has it."""
RETRY_AFTER_SECONDS_MAX = 600.0
"""A receiver that asks for more patience than this does not get it."""
PROBE_SECONDS_MAX = 300.0
DOUBLINGS_MAX = 30

_UNTOLD = frozenset({IncidentState.CANDIDATE, IncidentState.SUPPRESSED, IncidentState.MERGED})
"""States that are news only to a receiver that was told of the incident before."""
_OVER = frozenset({IncidentState.RESOLVED, IncidentState.CLOSED})


class Breaker(StrEnum):
    """Whether a receiver is spoken to: `half_open` lets one delivery through to see."""

    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half_open"


class Told(msgspec.Struct, frozen=True):
    """What the receiver has taken of one incident."""

    revision: int
    state: IncidentState


class Owed(msgspec.Struct):
    """An incident that the receiver has not got at its latest revision."""

    incident: Incident
    first_offset: int  # of the oldest change that it has not got
    attempts: int = 0  # at this or an earlier revision, since the last success
    due_seconds: float = 0.0
    failing_since_ns: int = 0


class Outbox:
    """One receiver. It sends nothing itself: ask `due`, try, and report `succeeded`, `failed` or `dropped`."""

    def __init__(self, config: Deliver) -> None:
        self._config = config
        self._owed: dict[str, Owed] = {}
        self._told: dict[str, Told] = {}
        self._quiet_until_seconds = 0.0
        self._failures = 0
        self._probe_seconds = config.breaker_probe
        self._opened = False
        self.disabled = False

    @property
    def pending(self) -> int:
        """Incidents owed."""
        return len(self._owed)

    # ------------------------------------------------------------------------------------------------ news
    def news(self, incident: Incident, offset: int) -> bool:
        """A revision of an incident was read. False: the receiver has no need of it."""
        owed = self._owed.get(incident.id)
        if owed is not None:
            if incident.revision <= owed.incident.revision:
                return False
            owed.incident = incident
            if not self._is_news(incident):
                del self._owed[incident.id]
            return True
        if self.disabled or not self._is_news(incident):
            return False
        self._owed[incident.id] = Owed(incident, offset)
        return True

    def _is_news(self, incident: Incident) -> bool:
        told = self._told.get(incident.id)
        if told is None:
            return incident.state not in _UNTOLD
        if incident.revision <= told.revision:
            return False
        return not (told.state in _OVER and incident.state in _OVER)

    def overflow(self) -> Incident | None:
        """Give up one incident when more are owed than the maximum; returns it."""
        if len(self._owed) <= OWED_MAX:
            return None
        worst = min(self._owed.values(), key=lambda owed: (owed.incident.state not in _OVER, owed.first_offset))
        self._settle(worst)
        return worst.incident

    # ------------------------------------------------------------------------------------------------ time
    def due(self, now_seconds: float) -> Owed | None:
        """The next incident to try, oldest change first; None while the receiver is left in peace or nothing is due."""
        if self.breaker(now_seconds) is Breaker.OPEN or now_seconds < self._quiet_until_seconds:
            return None
        ripe = (owed for owed in self._owed.values() if owed.due_seconds <= now_seconds)
        return min(ripe, key=lambda owed: (owed.first_offset, owed.incident.id), default=None)

    def breaker(self, now_seconds: float) -> Breaker:
        """Where the breaker stands now."""
        if not self._opened:
            return Breaker.CLOSED
        return Breaker.OPEN if now_seconds < self._quiet_until_seconds else Breaker.HALF_OPEN

    def oldest_offset(self) -> int | None:
        """The offset of the oldest change that the receiver has not got."""
        return min((owed.first_offset for owed in self._owed.values()), default=None)

    # ------------------------------------------------------------------------------------------------ answers
    def succeeded(self, owed: Owed) -> None:
        """The receiver took it: it knows this revision, and is well."""
        self._settle(owed)
        if self._opened:  # it is back: whoever waits need wait no longer
            for waiting in self._owed.values():
                waiting.due_seconds = 0.0
        self._failures, self._opened = 0, False
        self._probe_seconds = self._config.breaker_probe

    def dropped(self, owed: Owed) -> None:
        """It will never take this one: there is nothing left to do about this revision. Says nothing about its health."""
        self._settle(owed)

    def failed(self, owed: Owed, now_seconds: float, now_ns: int, after_seconds: float | None) -> bool:
        """A passing fault. True: this incident has failed for so long that it is given up.

        `after_seconds` is what the receiver asked for; it holds for the whole receiver, up to a maximum.
        """
        owed.attempts += 1
        owed.failing_since_ns = owed.failing_since_ns or now_ns
        asked = min(after_seconds or 0.0, RETRY_AFTER_SECONDS_MAX)
        owed.due_seconds = now_seconds + max(self.delay_seconds(owed), asked)
        self._quiet_until_seconds = max(self._quiet_until_seconds, now_seconds + asked)
        self._failures += 1
        if self._opened or self._failures >= self._config.breaker_failures:
            self._open(now_seconds)
        if now_ns - owed.failing_since_ns < self._config.give_up_after * 1e9:
            return False
        self._settle(owed)
        return True

    def disable(self) -> int:
        """The receiver asked never to be called again. Returns how many incidents were dropped with it."""
        count = len(self._owed)
        for owed in list(self._owed.values()):
            self._settle(owed)
        self.disabled = True
        return count

    def delay_seconds(self, owed: Owed) -> float:
        """Exponential from `retry_first` to `retry_max`, less up to a half by a hash, so that receivers are not hit in step."""
        doubled = self._config.retry_first * 2.0 ** min(owed.attempts - 1, DOUBLINGS_MAX)
        share = int(digest(owed.incident.id, owed.attempts)[:8], 16) / 2**32
        return min(doubled, self._config.retry_max) * (1.0 - 0.5 * share)

    def _open(self, now_seconds: float) -> None:
        # Each probe that fails doubles the peace that follows.
        if self._opened:
            self._probe_seconds = min(2.0 * self._probe_seconds, max(PROBE_SECONDS_MAX, self._config.breaker_probe))
        self._opened = True
        self._quiet_until_seconds = max(self._quiet_until_seconds, now_seconds + self._probe_seconds)

    def _settle(self, owed: Owed) -> None:
        incident = owed.incident
        del self._owed[incident.id]
        self._told.pop(incident.id, None)  # told last is kept longest
        self._told[incident.id] = Told(incident.revision, incident.state)
        if len(self._told) > INCIDENTS_MAX:
            del self._told[next(iter(self._told))]

    def assume_told(self, offset: int) -> None:
        """Everything before `offset` has been told, says the log of commits."""
        for owed in list(self._owed.values()):
            if owed.first_offset < offset:
                self._settle(owed)

    # ------------------------------------------------------------------------------------------------ snapshots
    def saved(self) -> dict[str, object]:
        """JSON-able: what is owed and what was told, in order. A breaker is not kept: a new process may try."""
        told = [[key, told.revision, str(told.state)] for key, told in self._told.items()]
        return {"owed": [msgspec.to_builtins(owed) for owed in self._owed.values()], "told": told, "disabled": self.disabled}

    def load(self, plain: dict[str, object]) -> None:
        """Raises `msgspec.ValidationError` for anything that `saved` did not make, and is then unchanged."""
        read = msgspec.convert(plain, _Saved)
        for owed in read.owed:
            owed.due_seconds = 0.0  # of another process's clock
        self._owed = {owed.incident.id: owed for owed in read.owed}
        self._told = {key: Told(revision, state) for key, revision, state in read.told}
        self.disabled = False


class _Saved(msgspec.Struct):
    owed: list[Owed] = []
    told: list[tuple[str, int, IncidentState]] = []
    disabled: bool = False
