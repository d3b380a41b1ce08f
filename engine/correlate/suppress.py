"""What is known to be nobody's business: maintenance windows over event time, and silences that people asked for."""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from typing import Final, Protocol

import msgspec

from engine.config.selectors import Selector, parse
from engine.config.tree import Window
from engine.correlate.words import when
from engine.records import Alert, Labels, parse_key
from engine.severity import severity_range
from engine.times import rfc3339_ns

SILENCES_MAX: Final = 10_000
WINDOWS_MAX: Final = 10_000
_LATE_NS: Final = 86_400_000_000_000
"""For so long after their end windows and silences are kept when others need the place: alerts come late."""


class Maintenance(msgspec.Struct, frozen=True):
    """A window [start, end) in event time over entities (* matches any run of characters)."""

    name: str
    entities: tuple[str, ...]
    start_ns: int
    end_ns: int

    def covers(self, entity: str, ts_ns: int) -> bool:
        """Whether something at that time on that entity lies inside."""
        return self.start_ns <= ts_ns < self.end_ns and any(matches(pattern, entity) for pattern in self.entities)

    @property
    def why(self) -> str:
        """What the reason of an incident says."""
        return f"maintenance: {self.name}, until {when(self.end_ns)}"


class Told(Protocol):
    """What a silence looks at: an alert, or a member of an incident."""

    @property
    def entity(self) -> str: ...
    @property
    def series(self) -> str: ...
    @property
    def name(self) -> str: ...
    @property
    def fingerprint(self) -> str: ...
    @property
    def kind(self) -> str: ...
    @property
    def severity(self) -> int: ...


class Silence(msgspec.Struct, frozen=True):
    """What somebody does not want to hear of, until `expires_ns` (0: for ever).

    `pattern` is an entity, a series or a fingerprint (* matches any run of characters), or, with braces, a selector over the name and
    the labels of series, and over `entity`, `kind` and `severity` where a series has no such label.
    """

    pattern: str
    actor: str
    reason: str
    since_ns: int
    expires_ns: int

    def covers(self, about: Told, ts_ns: int) -> bool:
        """Whether that is meant, and the silence in force at that time."""
        if self.expires_ns and ts_ns >= self.expires_ns:
            return False
        selector = _selector(self.pattern)
        if selector is not None:
            more = {"entity": about.entity, "kind": str(about.kind), "severity": severity_range(about.severity)}
            return selector.matches(about.name, {**more, **dict(_labels(about.series))})
        return any(matches(self.pattern, word) for word in (about.entity, about.series, about.fingerprint))

    @property
    def why(self) -> str:
        """Who does not want to hear of it, why, and until when."""
        until = f", until {when(self.expires_ns)}" if self.expires_ns else ""
        return f"silenced by {self.actor}: {self.reason or 'no reason given'}{until}"


@lru_cache(maxsize=SILENCES_MAX)
def _selector(pattern: str) -> Selector | None:
    """The selector that a pattern is; None: it is none."""
    try:
        return parse(pattern) if "{" in pattern else None
    except ValueError:
        return None


@lru_cache(maxsize=8_192)
def _labels(series: str) -> Labels:
    return parse_key(series.encode())[1]


class Verdict(msgspec.Struct, frozen=True):
    """Why an alert is not told. `until_ns`: when to look again (0: only when somebody says so)."""

    reason: str
    until_ns: int


class Suppression(msgspec.Struct):
    """Windows and silences in force. Bounded; when full, those that are over make way."""

    windows: list[Maintenance] = []
    silences: list[Silence] = []

    def verdict(self, alert: Alert) -> Verdict | None:
        """Why this alert is suppressed; None when it is not. It is when it began or was confirmed inside a window: onsets are estimates."""
        return self.held(alert, alert.onset_ts_ns, alert.opened_ts_ns, alert.ts_ns, over_ns=-1)

    def held(self, about: Told, onset_ns: int, fired_ns: int, ts_ns: int, *, over_ns: int) -> Verdict | None:
        """The same of what began and fired then, for a silence as of `ts_ns`. Windows that ended by `over_ns` hold nothing back any more."""
        for window in self.windows:
            if window.end_ns > over_ns and (window.covers(about.entity, onset_ns) or window.covers(about.entity, fired_ns)):
                return Verdict(window.why, window.end_ns)
        for silence in self.silences:
            if silence.covers(about, ts_ns):
                return Verdict(silence.why, silence.expires_ns)
        return None

    def planned(self, entity: str, ts_ns: int) -> bool:
        """Whether something at that time on that entity was announced, and so is no evidence of trouble."""
        return any(window.covers(entity, ts_ns) for window in self.windows)

    def silence(self, silence: Silence) -> bool:
        """Add a silence in place of one with the same pattern. False: the table is full."""
        self.unsilence(silence.pattern)
        if len(self.silences) >= SILENCES_MAX:
            self.silences = [s for s in self.silences if not 0 < s.expires_ns < silence.since_ns - _LATE_NS]
        if len(self.silences) >= SILENCES_MAX:
            return False
        self.silences.append(silence)
        return True

    def unsilence(self, pattern: str) -> None:
        """Lift the silence with exactly this pattern."""
        self.silences = [s for s in self.silences if s.pattern != pattern]

    def announce(self, window: Maintenance, now_ns: int = 0) -> bool:
        """Add a window in place of one of the same name. False: the table is full."""
        self.windows = [w for w in self.windows if w.name != window.name]
        if len(self.windows) >= WINDOWS_MAX:
            self.windows = [w for w in self.windows if w.end_ns >= now_ns - _LATE_NS]
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
