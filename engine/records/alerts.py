"""The messages of the alerts topic: alerts, changes, watermarks, edges, tallies, and what people tell the engine."""

from __future__ import annotations

from typing import Final

import msgspec

from engine.enums import Word
from engine.records.log import Stamp
from engine.records.series import Signal


class AlertState(Word):
    PENDING = "pending"  # inside a shard only; never published
    FIRING = "firing"
    RESOLVED = "resolved"
    UNKNOWN = "unknown"  # its input went silent: neither healthy nor broken can be said


class AnomalyKind(Word):
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
    OUTLIER = "outlier"  # unlike the other members of its fleet at the same time
    JOINT = "joint"  # several metrics of one entity are off together, none of them enough by itself
    RARE_TEMPLATE = "rare_template"  # a log template that is seldom seen is back
    STOPPED = "stopped"  # a log line that comes regularly did not come
    SEVERITY_MIX = "severity_mix"  # a larger share of a stream's lines are warnings and errors
    LINE_VALUE = "line_value"  # a number within a log line is not what it usually is
    BROKEN_SEQUENCE = "broken_sequence"  # sessions (the lines of one trace, request or block) went unlike the others
    ERROR_BURST = "error_burst"  # many services write errors at the same time
    SLO_BURN = "slo_burn"  # what was promised of a service is failing too fast


OVERDUE: Final = "overdue"
"""The reason of an alert on something that comes regularly and did not come."""
ONCE: Final = "strong"
"""The reason of an alert that fires on one sample."""
LASTING: Final = "lasting"
"""The reason of its next message if another sample was an anomaly too."""
GOES_ON: Final = frozenset({"lease", LASTING})
"""Reasons of messages that say of an alert that it goes on, and nothing else."""


class ModelRef(msgspec.Struct, frozen=True, kw_only=True):
    """Which learned state decided: enough to replay the decision to the bit."""

    kernel_id: str  # hash of detector set, parameters and kernel code version
    config_id: str  # hash of the stage's configuration
    epoch: int = 0  # how often this series' model was adopted anew


class Outlook(msgspec.Struct, frozen=True, kw_only=True):
    """What is ahead of a series. Seconds count from the alert's `ts_ns`; null: not within a week, or without a bound."""

    slope_per_hour: float  # in the series' unit
    bound: float | None = None
    seconds: float | None = None  # until the bound is met
    seconds_early: float | None = None  # at the earliest: nine in ten such forecasts lie between the two
    seconds_late: float | None = None


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
    seen_ts_ns: int = 0  # event time of its newest anomaly; 0: it stands on none, such as silence
    score: float  # of the deciding sample; 1.0 = boundary
    peak_score: float
    value: float | None  # None: no value (a gap)
    expected: float | None
    lower: float | None
    upper: float | None
    unit: str = ""
    deviation: float = 0.0  # (value - expected) / scale, signed, robust, scale free
    step_seconds: float = 0.0  # the series' usual distance between samples
    factors: dict[str, float] = {}  # detector → decades of surprise that it gave; "usual" < 0: what this minute always has
    severity: int = 13  # OpenTelemetry severity number
    text: str = ""  # log template or event words
    example: str = ""  # one redacted line, for people
    outlook: Outlook | None = None  # of what is told before it happens
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


class Tally(msgspec.Struct, frozen=True, kw_only=True, tag="tally"):
    """What one shard counted for a service level objective in one minute. `bad` alone may be negative: the good ones of another shard's total."""

    slo: str
    bucket_ns: int  # where the minute begins
    ts_ns: int
    bad: float
    total: float
    domain: str = "default"
    tenant: str = "default"
    stamp: Stamp


class Control(msgspec.Struct, frozen=True, kw_only=True, tag="control"):
    """What people tell the engine (in the alerts log, so that its place among the alerts is part of the log): `verb` on `object` by `actor`, until `expires_ts_ns` (0: for ever)."""

    ts_ns: int
    actor: str
    verb: str  # acknowledge | resolve | merge | split | silence | unsilence | feedback | approve | reject | edges | window
    object: str
    reason: str = ""
    expires_ts_ns: int = 0
    details: dict[str, str] = {}


AlertsMessage = Alert | Change | Watermark | Edge | Tally | Control
