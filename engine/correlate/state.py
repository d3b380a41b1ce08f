"""What the correlate stage remembers: plain structs, so that a snapshot is their JSON and nothing else."""

from __future__ import annotations

import msgspec

from engine.correlate.followers import Leads
from engine.correlate.grouping import Cluster
from engine.correlate.kinds import Past
from engine.correlate.promises import Promises
from engine.correlate.reorder import Reorder
from engine.correlate.suppress import Suppression
from engine.correlate.topology import Observed
from engine.records import (
    ONCE,
    OVERDUE,
    Alert,
    AlertState,
    AnomalyKind,
    Change,
    Hint,
    Impact,
    IncidentState,
    Member,
    Signal,
    Similar,
)


class MemberState(msgspec.Struct):
    """An alert within its incident, as the latest of its messages left it."""

    id: str
    fingerprint: str
    series: str
    name: str
    entity: str
    kind: AnomalyKind
    signal: Signal
    state: AlertState
    onset_ts_ns: int
    joined_ns: int
    score: float
    direction: int
    deviation: float
    value: float | None
    expected: float | None
    step_seconds: float
    severity: int
    text: str
    joined_because: str
    suppressed: str = ""
    suppressed_until_ns: int = 0
    seen_ns: int = 0  # its newest anomaly, 0: it stands on none
    once: bool = False  # it was told on one sample, and nothing says that more were like it
    ended_ns: int = 0  # when it was resolved, 0: it lives
    example: str = ""  # one redacted line
    overdue: bool = False  # something that comes regularly did not come
    together: dict[str, float] = {}  # metrics that are off together → their decades; empty for an alert on one series

    def public(self) -> Member:
        """What people and receivers see of it."""
        return Member(
            id=self.id,
            series=self.series,
            entity=self.entity,
            kind=self.kind,
            state=self.state,
            onset_ts_ns=self.onset_ts_ns,
            score=self.score,
            text=self.text,
            joined_because=self.joined_because,
        )


def member_from(alert: Alert, because: str) -> MemberState:
    """A new member from the first message of an alert."""
    return MemberState(
        id=alert.id,
        fingerprint=alert.fingerprint,
        series=alert.series,
        name=alert.name,
        entity=alert.entity,
        kind=alert.kind,
        signal=alert.signal,
        state=alert.state,
        onset_ts_ns=alert.onset_ts_ns,
        joined_ns=alert.ts_ns,
        score=alert.peak_score,
        direction=alert.direction,
        deviation=alert.deviation,
        value=alert.value,
        expected=alert.expected,
        step_seconds=alert.step_seconds,
        severity=alert.severity,
        text=alert.text,
        joined_because=because,
        example=alert.example,
        overdue=alert.reason == OVERDUE,
        seen_ns=alert.seen_ts_ns,
        once=alert.reason == ONCE,
        together=alert.factors if alert.kind is AnomalyKind.JOINT else {},
    )


class Part(msgspec.Struct):
    """An incident that became part of another: what it takes to let it live again. Times are event time."""

    created_ns: int
    started_ns: int
    opened_ns: int
    merged_ns: int
    alerts_total: int
    members: list[str]
    because: str
    revision: int


class LiveIncident(msgspec.Struct):
    """An incident that can still change. `alerts_total`, `firing` and `unknown` are exact; `members` is a sample."""

    id: str
    domain: str
    tenant: str
    cluster: Cluster
    created_ns: int
    started_ns: int
    state: IncidentState = IncidentState.CANDIDATE
    revision: int = 0
    opened_ns: int = 0
    resolved_ns: int = 0
    told_ns: int = 0  # event time of the newest revision
    members: dict[str, MemberState] = {}
    alerts_total: int = 0
    firing: int = 0
    unknown: int = 0
    suppressed: int = 0
    severity: int = 0
    changes: dict[str, Change] = {}
    impact: dict[str, Impact] = {}  # by the objective's name
    hints: list[Hint] = []
    abstained: bool = False
    similar: list[Similar] = []
    ahead: list[str] = []
    compared: tuple[int, int] = (0, 0)  # alerts and events when it was last held against the past
    fixed_by: str = ""  # what people said of it
    named_cause: str = ""
    verdict: str = ""  # `false`: people say that it was no problem
    is_expected: bool = False  # it was taken for a phase that comes at its time
    merged_into: str = ""
    inhibited_by: str = ""  # the incident that holds it back
    parts: dict[str, Part] = {}  # by the id that each had, merged first first
    apart: dict[str, None] = {}  # people said that it is not one problem with these
    reason: str = ""

    def recount(self, before: AlertState, after: AlertState) -> None:
        """One of its alerts has gone from one state to another."""
        self.firing += (after is AlertState.FIRING) - (before is AlertState.FIRING)
        self.unknown += (after is AlertState.UNKNOWN) - (before is AlertState.UNKNOWN)


class Route(msgspec.Struct, array_like=True):
    """Where a live alert belongs, and the state in which it is counted there."""

    incident: str
    state: AlertState
    seen_ns: int


class CorrelateState(msgspec.Struct):
    """Everything. Two machines with equal states have equal futures."""

    reorder: Reorder
    suppression: Suppression
    now_ns: int = 0
    incidents: dict[str, LiveIncident] = {}  # most recently active last
    routes: dict[str, Route] = {}
    busy: dict[str, tuple[str, str]] = {}  # live alerts that say "more requests than usual" → domain, entity
    redirects: dict[str, str] = {}  # merged → survivor
    recent: list[Change] = []  # events that may be evidence, by time of arrival
    fade_ns: int = 0  # when edges are looked through next, 0: none was learned
    sweep_ns: int = 0  # when leases are looked through next, 0: no alert is live
    due: list[tuple[int, str]] = []  # heap: when to look at an incident again
    stale: int = 0  # of these, how many at most are of incidents that are gone
    pause: int = 0  # records until the growth of the next incident is told
    dirty: dict[str, None] = {}  # incidents that grew or shrank since they were told of
    past: Past = msgspec.field(default_factory=Past)
    leads: Leads = msgspec.field(default_factory=Leads)
    promises: Promises = msgspec.field(default_factory=Promises)
    observed: list[Observed] = []  # filled for a snapshot only
    offset: int = -1
    seq: int = 0

    def find(self, key: str) -> LiveIncident | None:
        """The live incident behind an id, through any number of merges."""
        return self.incidents.get(self.last_id(key))

    def last_id(self, key: str) -> str:
        """The id under which people find an incident, live or over, after any number of merges."""
        while key in self.redirects:
            key = self.redirects[key]
        return key

    def unroute(self, key: str) -> Route:
        """A live alert is over."""
        self.busy.pop(key, None)
        return self.routes.pop(key)

    def redirect(self, gone: str, kept: str, most: int) -> None:
        """An incident has become part of another. Of so many that have, the oldest is forgotten."""
        if len(self.redirects) >= most:
            self.redirects.pop(next(iter(self.redirects)))
        self.redirects[gone] = kept
