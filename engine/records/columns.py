"""What a codec makes of a batch: columns where there are thousands a second, structs where it is rare."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray


class Samples(NamedTuple):
    """Metric points of one batch, in log order. All of one length n."""

    row: NDArray[np.int32]  # n, which record of the batch each came from, ascending
    key: Sequence[bytes]  # n, the series' canonical key (interned: compare by value, hash is cached); `Coded` where volume is
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


class Distribution(msgspec.Struct, frozen=True, kw_only=True):
    """One histogram point of n buckets: how many values lay in each. Scored as its rate, mean and quantiles."""

    row: int  # which record of the batch it came from
    ts_ns: int
    key: bytes  # the key of the series `name` itself, labels and all; what is derived is called `name.rate`, `name.p99`, …
    start_ns: int = 0  # when counting began; 0 unknown
    is_delta: bool = False  # counted since the point before it, not since the beginning
    bounds: tuple[float, ...]  # n - 1 upper bounds, ascending and finite; the last bucket has none
    counts: tuple[float, ...]  # n, in each bucket alone
    total: float = float("nan")  # the sum of all values; NaN unknown


class Span(msgspec.Struct, frozen=True, kw_only=True):
    """One finished span of a trace."""

    row: int  # which record of the batch it came from
    ts_ns: int  # when it ended
    stream: bytes  # the key of the stream of its service, as `Catalog.stream` gives it
    service: str
    operation: str
    kind: str  # server | client | producer | consumer | internal
    seconds: float
    is_error: bool
    trace_id: bytes = b""
    span_id: bytes = b""
    parent_id: bytes = b""
    peer: str = ""  # the service or system it calls, as the span itself names it


class Dependency(msgspec.Struct, frozen=True, kw_only=True):
    """`caller` needs `callee`, as telemetry says of itself: a service graph, an owner, a placement."""

    row: int
    ts_ns: int
    caller: str
    callee: str
    kind: str = "calls"  # as in `Edge`


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
    distributions: Sequence[Distribution] = ()
    spans: Sequence[Span] = ()
    dependencies: Sequence[Dependency] = ()
