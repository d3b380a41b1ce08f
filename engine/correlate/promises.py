"""What the stage remembers of service level objectives beside their counts: plain structs, part of its state."""

from __future__ import annotations

import msgspec

from engine.records import AlertState


class Episode(msgspec.Struct):
    """One time that an objective burned too fast, from the minute in which that was seen to its end."""

    id: str
    opened_ns: int
    onset_ns: int
    state: AlertState = AlertState.FIRING
    revision: int = 0
    severity: int = 0  # the greatest so far
    score: float = 0.0
    peak: float = 0.0
    told_score: float = 0.0
    burn_rate: float = 0.0
    burn_rate_now: float = 0.0
    window_seconds: float = 0.0
    limit: float = 0.0
    pair: int = 0  # of windows, by which it was told
    budget_left: float = 1.0
    seconds_left: float = 0.0
    calm: int = 0  # minutes in a row in which nothing burned
    heard: int = 0  # the newest minute in which anything was counted


class Promise(msgspec.Struct):
    """One objective in one correlation domain. `number` is its row among the counts; `meaning` that of its selectors."""

    slo: str
    domain: str
    tenant: str
    number: int
    meaning: str
    episode: Episode | None = None
    told_bad: float = 0.0  # of its bad events, those that belong to episodes that are over


class Promises(msgspec.Struct):
    """All of them, by domain and name."""

    by_name: dict[str, Promise] = {}
    marked: int = 0  # the minute up to which marks were made
    tallied: int = 0  # the newest minute in which anything was counted
    due: int = 0  # the minute in which they are judged next; 0: nothing is due
