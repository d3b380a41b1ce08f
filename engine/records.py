"""The nouns: what flows between the stages. Read this file first.

Two forms, by volume. *Columns* (`Samples`, `Lines`) where there are thousands a second. *Frozen structs* (`Alert`,
`Incident`, `Action`, …) for what is rare: these travel as JSON on our own topics, one `type` field telling them apart.

All times are event time as int64 nanoseconds UTC, named `ts_ns`. Scores follow one scale: 0 as expected, 1.0 the alert
boundary of every detector, NaN no opinion. Ids are hashes of stamps, so a replay of the same log makes the same ids.
"""

from __future__ import annotations

import hashlib
from enum import StrEnum
from typing import Any, NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

Labels = tuple[tuple[str, str], ...]
"""Label pairs sorted by name; names are unique."""


# ---------------------------------------------------------------------------------------------------- the log
class Shard(NamedTuple):
    """One Kafka topic-partition, and with it all the state that its log produces."""

    topic: str
    partition: int

    def __str__(self) -> str:
        return f"{self.topic}-{self.partition}"


class Stamp(NamedTuple):
    """Where an output came from: the `seq`-th output that record `offset` of `topic`-`partition` caused.

    The next stage keeps the highest stamp per source and drops what is not above it: a crash repeats nothing.
    """

    topic: str
    partition: int
    offset: int
    seq: int


class Record(NamedTuple):
    """One Kafka message as it arrived. `ts_ns` is the *log's* time (CreateTime or LogAppendTime), not the event's."""

    topic: str
    partition: int
    offset: int
    ts_ns: int
    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes], ...] = ()


class Topic(StrEnum):
    """Our own topics by role; the configuration maps each to a physical name (default `foreshock.<role>`)."""

    ALERTS = "alerts"  # detect → correlate; key = correlation domain
    INCIDENTS = "incidents"  # correlate → deliver, respond; key = incident id, compacted, always full state
    ACTIONS = "actions"  # respond: the intent log; key = target
    CONTROL = "control"  # people → every stage: silences, acknowledgements, feedback, approvals, topology
    DEAD_LETTERS = "dead-letters"  # original key, value and headers plus the reason in headers
    AUDIT = "audit"  # who or what decided; append only


class Output(NamedTuple):
    """One message a stage wants on one of our topics. `partition` None lets the key decide; ALL_PARTITIONS repeats it on each."""

    topic: Topic
    key: bytes
    value: bytes | None
    ts_ns: int
    headers: tuple[tuple[str, bytes], ...] = ()
    partition: int | None = None


ALL_PARTITIONS = -1


# ---------------------------------------------------------------------------------------------------- series
class Signal(StrEnum):
    METRIC = "metric"
    LOG = "log"
    EVENT = "event"


class ValueKind(StrEnum):
    """What the numbers of a series mean, and so how they become the value that is scored."""

    GAUGE = "gauge"  # scored as it is
    COUNTER = "counter"  # cumulative: scored as a rate a second, resets handled
    DELTA = "delta"  # counts since the previous sample: scored as a rate a second
    COUNT = "count"  # counts in our own fixed buckets (template and event rates)


class Series(msgspec.Struct, frozen=True, kw_only=True):
    """The identity of one stream of samples. `key` is canonical (`name{a="b",c="d"}` in UTF-8) and equal on every shard."""

    key: bytes
    name: str
    labels: Labels
    entity: str  # what it belongs to: service, pod, node, queue; "" when no rule matched
    signal: Signal = Signal.METRIC
    kind: ValueKind = ValueKind.GAUGE
    unit: str = ""
    domain: str = "default"  # the correlation domain: the key on the alerts topic
    tenant: str = "default"
    text: str = ""  # a log template or an event's words; empty for metrics


def series_key(name: str, labels: Labels) -> bytes:
    """The canonical key of a series: Prometheus' text notation, labels sorted, backslash, quote and newline escaped."""
    if not labels:
        return name.encode()
    body = ",".join(f'{k}="{_escaped(v)}"' for k, v in labels)
    return f"{name}{{{body}}}".encode()


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


def digest(*parts: str | bytes | int) -> str:
    """A 128-bit id as 32 hex digits, from length-prefixed parts (blake2b): equal parts, equal id, on any machine."""
    state = hashlib.blake2b(digest_size=16)
    for part in parts:
        raw = part if isinstance(part, bytes) else str(part).encode()
        state.update(len(raw).to_bytes(4, "little"))
        state.update(raw)
    return state.hexdigest()


# ---------------------------------------------------------------------------------------------------- columns
class Samples(NamedTuple):
    """Metric points of one batch, in log order. All of one length n."""

    row: NDArray[np.int32]  # n, which record of the batch each came from, ascending
    key: list[bytes]  # n, the series' canonical key (interned: compare by value, hash is cached)
    ts_ns: NDArray[np.int64]  # n, event time
    value: NDArray[np.float64]  # n, finite


class Lines(NamedTuple):
    """Log lines of one batch, in log order. All of one length n."""

    row: NDArray[np.int32]  # n, which record of the batch each came from, ascending
    key: list[bytes]  # n, the key of the stream the line belongs to (a `Series` named `log`)
    ts_ns: NDArray[np.int64]  # n, event time
    severity: NDArray[np.int8]  # n, OpenTelemetry severity number 1-24, 0 unknown
    text: list[bytes]  # n, UTF-8, at most the source's `line_bytes_max`


class Event(msgspec.Struct, frozen=True, kw_only=True):
    """One discrete event: a Kubernetes event, a deploy, a flag change, a ticket. Rare, hence not columns."""

    row: int  # which record of the batch it came from
    ts_ns: int
    name: str  # stable and low in cardinality: `k8s.OOMKilling`, `deploy`, `flag`
    entity: str  # what it happened to
    key: bytes  # the key of its series (a `Series` named `event`)
    is_change: bool = False  # somebody or something changed the system on purpose
    severity: int = 9  # OpenTelemetry severity number
    text: str = ""  # for people, at most 500 characters
    attributes: dict[str, str] = {}  # version, previous version, actor, link, node, …: at most 16


class Rejected(NamedTuple):
    """One record, or a part of it, that could not be used. `row` is its place in the batch."""

    row: int
    reason: str  # an `errors.Reject`
    detail: str


class Decoded(NamedTuple):
    """What a codec made of one batch of records."""

    samples: Samples
    lines: Lines
    events: list[Event]
    rejected: list[Rejected]


# ---------------------------------------------------------------------------------------------------- alerts topic
class AlertState(StrEnum):
    PENDING = "pending"  # inside a shard only; never published
    FIRING = "firing"
    RESOLVED = "resolved"
    UNKNOWN = "unknown"  # its input went silent: neither healthy nor broken can be said


class AnomalyKind(StrEnum):
    """What kind of surprise it is; the words people see."""

    NONE = "none"
    SPIKE = "spike"
    DIP = "dip"
    LEVEL_UP = "level_up"
    LEVEL_DOWN = "level_down"
    TREND = "trend"
    VARIANCE = "variance"
    FLAT = "flat"
    GAP = "gap"
    SEASONAL_MISS = "seasonal_miss"
    SHAPE = "shape"
    NEW_TEMPLATE = "new_template"
    RARE_EVENT = "rare_event"
    RATE_UP = "rate_up"
    RATE_DOWN = "rate_down"


class ModelRef(msgspec.Struct, frozen=True, kw_only=True):
    """Which learned state decided: enough to replay the decision to the bit."""

    kernel_id: str  # hash of detector set, parameters and kernel code version
    config_id: str  # hash of the stage's configuration
    epoch: int = 0  # how often this series' model was adopted anew


class Alert(msgspec.Struct, frozen=True, kw_only=True, tag="alert"):
    """An episode of anomalies on one series: each transition (and each lease refresh) is one of these, the whole state each time."""

    id: str  # digest(tenant, series, stamp at opening): unique to the occurrence
    fingerprint: str  # digest(tenant, series): the same for every occurrence
    state: AlertState
    revision: int  # 1 at opening, +1 with each later message
    series: str  # canonical key as text
    name: str
    labels: dict[str, str]
    entity: str
    domain: str
    tenant: str
    signal: Signal
    kind: AnomalyKind
    direction: int  # +1 above what was expected, -1 below, 0 neither
    onset_ts_ns: int  # where it began, dated back
    opened_ts_ns: int  # when it began to fire
    ts_ns: int  # event time of this message
    score: float  # of the deciding sample; 1.0 = boundary
    peak_score: float
    value: float | None  # None: no value (a gap)
    expected: float | None
    lower: float | None
    upper: float | None
    unit: str = ""
    deviation: float = 0.0  # (value - expected) / scale, signed, robust, scale free
    step_seconds: float = 0.0  # the series' usual distance between samples
    factors: dict[str, float] = {}  # detector name → decades of surprise that it gave
    severity: int = 13  # OpenTelemetry severity number
    text: str = ""  # log template or event words
    example: str = ""  # one redacted line, for people
    reason: str = ""  # why this transition: `confirmed`, `recovered`, `silent`, `adopted`, `lease`, …
    model: ModelRef
    stamp: Stamp


class Change(msgspec.Struct, frozen=True, kw_only=True, tag="change"):
    """A discrete event passed on to correlation, as evidence: a deploy, a flag, an OOM kill."""

    id: str
    ts_ns: int
    name: str
    entity: str
    domain: str
    tenant: str
    is_change: bool
    severity: int
    text: str
    attributes: dict[str, str]
    stamp: Stamp


class Watermark(msgspec.Struct, frozen=True, kw_only=True, tag="watermark"):
    """In-band: `source` will send nothing older than `ts_ns` any more. Goes to every partition of the alerts topic.

    `active` is the number of series the source is watching; `final` says the source has ended (files only).
    """

    source: str  # str(Shard)
    ts_ns: int
    stamp: Stamp
    active: int = 0
    final: bool = False


class Edge(msgspec.Struct, frozen=True, kw_only=True, tag="edge"):
    """One observed dependency: `caller` needs `callee`."""

    caller: str
    callee: str
    kind: str  # `calls`, `runs_on`, `owns`
    ts_ns: int
    domain: str = "default"
    stamp: Stamp


# ---------------------------------------------------------------------------------------------------- control topic
class Control(msgspec.Struct, frozen=True, kw_only=True, tag="control"):
    """What people tell the engine (in the alerts log, so that its place among the alerts is part of the log): `verb` on `object` by `actor`, until `expires_ts_ns` (0: for ever)."""

    ts_ns: int
    actor: str
    verb: str  # acknowledge | resolve | silence | unsilence | feedback | approve | reject | edges | window
    object: str
    reason: str = ""
    expires_ts_ns: int = 0
    details: dict[str, str] = {}


AlertsMessage = Alert | Change | Watermark | Edge | Control


# ---------------------------------------------------------------------------------------------------- incidents topic
class IncidentState(StrEnum):
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
    merged_into: str = ""
    reason: str = ""  # why this revision: `opened`, `alert_joined`, `recovered`, `maintenance`, …
    degraded_inputs: list[str] = []  # sources that were silent while this was decided
    stamp: Stamp


# ---------------------------------------------------------------------------------------------------- actions and audit
class ActionState(StrEnum):
    PROPOSED = "proposed"
    AWAITING_APPROVAL = "awaiting_approval"
    ARMED = "armed"
    EXECUTING = "executing"
    VERIFYING = "verifying"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    UNKNOWN = "unknown"
    BLOCKED = "blocked"


class Action(msgspec.Struct, frozen=True, kw_only=True, tag="action"):
    """One remediation trigger with its whole life; each message is the whole state."""

    id: str  # digest(incident id, rule, target)
    revision: int
    state: ActionState
    mode: str  # off | observe | dry_run | approve | auto
    rule: str
    action: str  # what is to be done: `rollback`, `restart`, `scale`, …
    target: str  # an entity id, from the inventory, never from log text
    parameters: dict[str, str]
    incident_id: str
    incident_revision: int
    domain: str
    ts_ns: int
    plan: str  # what would be done, one sentence
    plan_hash: str  # approvals are bound to it
    reason: str  # the deciding gate by name; `allowed` when none objected
    gates: list[str] = []  # every gate that was asked, in order, as `name=verdict`
    stamp: Stamp


class Audit(msgspec.Struct, frozen=True, kw_only=True, tag="audit"):
    """Who or what decided what, when, on which grounds. Append only, chained by hash."""

    ts_ns: int
    actor: str  # `foreshock` or a person
    verb: str  # `proposed`, `blocked`, `approved`, `silenced`, …
    object: str
    reason: str
    details: dict[str, str] = {}
    previous: str = ""  # digest of the record before this one in the same partition
    stamp: Stamp


_ENCODER = msgspec.json.Encoder(order="deterministic")
_ALERTS = msgspec.json.Decoder(AlertsMessage)
_INCIDENT = msgspec.json.Decoder(Incident)
_ACTION = msgspec.json.Decoder(Action)
_CONTROL = msgspec.json.Decoder(Control)


def encode(message: msgspec.Struct) -> bytes:
    """A struct as JSON, byte for byte the same for equal structs (fields in order, dictionary keys sorted)."""
    return _ENCODER.encode(message)


def decode_alerts_message(value: bytes) -> AlertsMessage:
    """Raises `msgspec.ValidationError` or `msgspec.DecodeError` for anything that is not one of ours."""
    message: AlertsMessage = _ALERTS.decode(value)
    return message


def decode_incident(value: bytes) -> Incident:
    """Raises as `decode_alerts_message`."""
    return _INCIDENT.decode(value)


def decode_action(value: bytes) -> Action:
    """Raises as `decode_alerts_message`."""
    return _ACTION.decode(value)


def decode_control(value: bytes) -> Control:
    """Raises as `decode_alerts_message`."""
    return _CONTROL.decode(value)


def as_jsonable(message: msgspec.Struct) -> Any:
    """The same content as plain dictionaries and lists, for templates and people."""
    return msgspec.to_builtins(message)
