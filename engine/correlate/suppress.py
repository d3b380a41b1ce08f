"""What is known to be nobody's business: maintenance windows over event time, and silences that people asked for."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from engine.config.tree import Window
from engine.records import Alert
from engine.times import rfc3339_ns

SILENCES_MAX = 10_000
WINDOWS_MAX = 10_000


class Maintenance(msgspec.Struct, frozen=True):
    """A window [start, end) in event time over entities (* matches any run of characters)."""

    name: str
    entities: tuple[str, ...]
    start_ns: int
    end_ns: int

    def covers(self, entity: str, ts_ns: int) -> bool:
        """Whether something at that time on that entity lies inside."""
        return self.start_ns <= ts_ns < self.end_ns and any(matches(pattern, entity) for pattern in self.entities)


class Silence(msgspec.Struct, frozen=True):
    """What somebody does not want to hear of: an entity, a series or a fingerprint (* matches), until `expires_ns` (0: for ever)."""

    pattern: str
    actor: str
    reason: str
    since_ns: int
    expires_ns: int

    def covers(self, alert: Alert) -> bool:
        """Whether the alert is meant, and the silence in force at its time."""
        in_force = self.expires_ns == 0 or alert.ts_ns < self.expires_ns
        return in_force and any(matches(self.pattern, word) for word in (alert.entity, alert.series, alert.fingerprint))


class Verdict(msgspec.Struct, frozen=True):
    """Why an alert is not told. `until_ns`: when to look again (0: only when somebody says so)."""

    reason: str
    until_ns: int


class Suppression(msgspec.Struct):
    """Windows and silences in force. Bounded; ended ones are dropped as time passes."""

    windows: list[Maintenance] = []
    silences: list[Silence] = []

    def verdict(self, alert: Alert) -> Verdict | None:
        """Why this alert is suppressed; None when it is not. It is when it began or was confirmed inside a window: onsets are estimates."""
        for window in self.windows:
            if window.covers(alert.entity, alert.onset_ts_ns) or window.covers(alert.entity, alert.opened_ts_ns):
                return Verdict(f"maintenance: {window.name}", window.end_ns)
        for silence in self.silences:
            if silence.covers(alert):
                return Verdict(f"silenced by {silence.actor}: {silence.reason or 'no reason given'}", silence.expires_ns)
        return None

    def planned(self, entity: str, ts_ns: int) -> bool:
        """Whether something at that time on that entity was announced, and so is no evidence of trouble."""
        return any(window.covers(entity, ts_ns) for window in self.windows)

    def silence(self, silence: Silence) -> bool:
        """Add a silence in place of one with the same pattern. False: the table is full."""
        self.unsilence(silence.pattern)
        if len(self.silences) >= SILENCES_MAX:
            return False
        self.silences.append(silence)
        return True

    def unsilence(self, pattern: str) -> None:
        """Lift the silence with exactly this pattern."""
        self.silences = [s for s in self.silences if s.pattern != pattern]

    def announce(self, window: Maintenance) -> bool:
        """Add a window in place of one of the same name. False: the table is full."""
        self.windows = [w for w in self.windows if w.name != window.name]
        if len(self.windows) >= WINDOWS_MAX:
            return False
        self.windows.append(window)
        return True


def matches(pattern: str, text: str) -> bool:
    """Whether `text` is `pattern`, where * stands for any run of characters.

    >>> matches("cart*", "cart-db"), matches("*-db", "cart-db"), matches("c*t*b", "cart-db"), matches("cart", "cart-db")
    (True, True, True, False)
    """
    first, *rest = pattern.split("*")
    if not rest:
        return pattern == text
    last = rest.pop()
    if not text.startswith(first) or len(text) < len(first) + len(last) or not text.endswith(last):
        return False
    at, end = len(first), len(text) - len(last)
    for part in rest:
        found = text.find(part, at, end)
        if found < 0:
            return False
        at = found + len(part)
    return True


def windows_from(config: Iterable[Window]) -> list[Maintenance]:
    """The configured windows. Raises DecodeError for a time that is not RFC 3339."""
    return [Maintenance(w.name, tuple(w.entities), rfc3339_ns(w.start), rfc3339_ns(w.end)) for w in config]
