"""Incidents, their members and their hints."""

from __future__ import annotations

import msgspec

from engine.enums import Word
from engine.records.alerts import AlertState, AnomalyKind, Change
from engine.records.log import Stamp


class IncidentState(Word):
    CANDIDATE = "candidate"
    OPEN = "open"
    ACKNOWLEDGED = "acknowledged"
    MITIGATING = "mitigating"
    RESOLVED = "resolved"
    CLOSED = "closed"
    MERGED = "merged"
    SUPPRESSED = "suppressed"  # counted and kept, told to nobody: `reason` says why


class Evidence(msgspec.Struct, frozen=True, kw_only=True):
    """One checkable fact for or against a hypothesis. `weight` is its share in decades; `text` is a whole sentence."""

    kind: str  # `onset`, `deviation`, `topology`, `change`, `event`, `explained_by`, `coverage`, …
    text: str
    weight: float = 0.0


class Hint(msgspec.Struct, frozen=True, kw_only=True):
    """One ranked root-cause hypothesis."""

    entity: str
    metric: str  # the strongest series of the entity, by name; "" for a change
    probability: float  # over the hypotheses of this incident; sums to at most 1
    evidence: list[Evidence]
    against: list[Evidence] = []
    missing: list[str] = []  # telemetry that should exist on the path and does not
    change: str = ""  # id of the change held responsible, if one is


class Member(msgspec.Struct, frozen=True, kw_only=True):
    """An alert as its incident remembers it."""

    id: str
    series: str
    entity: str
    kind: AnomalyKind
    state: AlertState
    onset_ts_ns: int
    score: float
    text: str = ""
    joined_because: str = ""  # the named evidence that tied it to the incident


class Impact(msgspec.Struct, frozen=True, kw_only=True):
    """A service level objective that an incident hurts, as it stood when it was told."""

    slo: str
    entity: str
    burn_rate: float  # at 1 the budget lasts as long as its window; in the longer of the two windows
    burn_rate_now: float  # and in the shorter one
    window_seconds: float  # the longer one
    budget_left: float  # share of the whole budget, below 0 when more than that was used up
    seconds_left: float  # until nothing is left of it, at this speed
    because: str  # why it is this incident that hurts it


class Similar(msgspec.Struct, frozen=True, kw_only=True):
    """A kind of incident that was seen before, and how like it this one is."""

    incident_id: str  # the latest of the kind
    similarity: float  # 0 … 1: what both show over what either shows, by weight
    times_seen: int
    last_seen_ts_ns: int
    fixed_by: str = ""  # as people said it
    cause: str = ""  # the entity that people named
    is_harmless: bool = False  # people said that it was no problem
    recurs: str = ""  # when it comes, if it comes at its time: `at about 06:00 UTC`, `on Mondays at about 06:00 UTC`
    shared: list[str] = []  # what both show, the most telling first
    next: list[str] = []  # what has mostly come later, and has not come yet: `latency of cart up, 8 min after the first (3 of 4)`


class Merged(msgspec.Struct, frozen=True, kw_only=True):
    """An incident that became part of another, and can be split from it again under its old id."""

    id: str
    ts_ns: int
    because: str  # the evidence that tied the two
    alerts_total: int


class Incident(msgspec.Struct, frozen=True, kw_only=True, tag="incident"):
    """Alerts that belong together. Each message is the whole state: receivers act on the latest `revision`."""

    id: str  # digest(domain, first alert id)
    revision: int
    state: IncidentState
    domain: str
    tenant: str
    title: str
    severity: int
    started_ts_ns: int  # earliest onset
    opened_ts_ns: int  # when it was told to people
    ts_ns: int  # event time of this revision
    resolved_ts_ns: int = 0
    entities: list[str] = []
    members: list[Member] = []  # at most `members_max`; `alerts_total` counts them all
    alerts_total: int = 0
    firing: int = 0
    unknown: int = 0
    hints: list[Hint] = []
    abstained: bool = False  # the best hint is not separable from the next: nobody should act on it
    changes: list[Change] = []
    impact: list[Impact] = []  # objectives that burn because of it, the fastest first
    similar: list[Similar] = []  # the likest first
    ahead: list[str] = []  # what has mostly followed what is there, and has not come yet, the soonest first
    inhibited_by: str = ""  # the incident that holds this one back: it is felt only, and its cause is known
    holds_back: list[str] = []  # incidents that this one holds back, the first first
    merged_into: str = ""
    merged_from: list[Merged] = []  # what became part of it, the first first
    reason: str = ""  # why this revision: `opened`, `alert_joined`, `recovered`, `maintenance`, …
    degraded_inputs: list[str] = []  # sources that were silent while this was decided
    stamp: Stamp
