"""The messages of OTLP/JSON, shaped like those of OTLP/protobuf, so that one reader reads both.

Fields have protobuf's names, and the structs answer the two questions that its messages answer: `WhichOneof` and `HasField`.
What protobuf's own JSON reader gets wrong here, these have right: ids are hex and not base64, unknown members are passed
over, whole numbers come as text or as numbers, and NaN and infinities as text.
Source: opentelemetry-proto, docs/specification.md, "JSON Protobuf Encoding".
"""

from __future__ import annotations

from typing import Annotated

import msgspec

Number = float | str | None
Int = Annotated[int, msgspec.Meta(ge=-(2**63), le=2**63 - 1)]
"""Whole numbers of any kind; those beyond 63 bits are times and counts of nobody."""


class _Message(msgspec.Struct, rename="camel"):
    """A member that is absent has protobuf's default; of a `oneof` it is None."""

    def WhichOneof(self, _: str) -> str | None:  # noqa: N802 (protobuf's name for it)
        """The field that is set of the message's only group of alternatives."""
        for name in self._one_of():
            if getattr(self, name) is not None:
                return name
        return None

    def HasField(self, name: str) -> bool:  # noqa: N802 (protobuf's name for it)
        """Whether an optional field is set."""
        return getattr(self, name) is not None

    def _one_of(self) -> tuple[str, ...]:
        return ()


class AnyValue(_Message):
    """One value of any kind."""

    string_value: str | None = None
    bool_value: bool | None = None
    int_value: Int | None = None
    double_value: Number = None
    array_value: ArrayValue | None = None
    kvlist_value: KeyValueList | None = None
    bytes_value: bytes | None = None

    def _one_of(self) -> tuple[str, ...]:
        return _VALUES


_VALUES = ("string_value", "int_value", "bool_value", "double_value", "array_value", "kvlist_value", "bytes_value")


class ArrayValue(_Message):
    """Values in order."""

    values: list[AnyValue] = []


class KeyValue(_Message):
    """One attribute."""

    key: str = ""
    value: AnyValue = msgspec.field(default_factory=AnyValue)


class KeyValueList(_Message):
    """An object."""

    values: list[KeyValue] = []


class Resource(_Message):
    """What sent the telemetry."""

    attributes: list[KeyValue] = []


class Scope(_Message):
    """The library that made it."""

    name: str = ""


# ---------------------------------------------------------------------------------------------------------- metrics
class NumberPoint(_Message):
    """A point of a gauge or sum."""

    attributes: list[KeyValue] = []
    start_time_unix_nano: Int = 0
    time_unix_nano: Int = 0
    as_double: Number = None
    as_int: Int | None = None
    flags: Int = 0

    def _one_of(self) -> tuple[str, ...]:
        return _NUMBERS


_NUMBERS = ("as_double", "as_int")


class HistogramPoint(_Message):
    """A point of a histogram with explicit bounds."""

    attributes: list[KeyValue] = []
    start_time_unix_nano: Int = 0
    time_unix_nano: Int = 0
    count: Int = 0
    sum: Number = None
    bucket_counts: list[Int] = []
    explicit_bounds: list[float | str] = []
    flags: Int = 0


class Buckets(_Message):
    """One side of an exponential histogram."""

    offset: Int = 0
    bucket_counts: list[Int] = []


class ExponentialPoint(_Message):
    """A point of an exponential histogram."""

    attributes: list[KeyValue] = []
    start_time_unix_nano: Int = 0
    time_unix_nano: Int = 0
    count: Int = 0
    sum: Number = None
    scale: Int = 0
    zero_count: Int = 0
    positive: Buckets = msgspec.field(default_factory=Buckets)
    negative: Buckets = msgspec.field(default_factory=Buckets)
    flags: Int = 0
    zero_threshold: float | str = 0.0


class Quantile(_Message):
    """One quantile of a summary."""

    quantile: float | str = 0.0
    value: float | str = 0.0


class SummaryPoint(_Message):
    """A point of a summary."""

    attributes: list[KeyValue] = []
    start_time_unix_nano: Int = 0
    time_unix_nano: Int = 0
    count: Int = 0
    sum: float | str = 0.0
    quantile_values: list[Quantile] = []
    flags: Int = 0


class Gauge(_Message):
    """A value as it is."""

    data_points: list[NumberPoint] = []


class Sum(_Message):
    """A sum, cumulative or since the point before."""

    data_points: list[NumberPoint] = []
    aggregation_temporality: Int = 0
    is_monotonic: bool = False


class Histogram(_Message):
    """Counts between explicit bounds."""

    data_points: list[HistogramPoint] = []
    aggregation_temporality: Int = 0


class ExponentialHistogram(_Message):
    """Counts between the powers of a base."""

    data_points: list[ExponentialPoint] = []
    aggregation_temporality: Int = 0


class Summary(_Message):
    """Quantiles that the producer worked out."""

    data_points: list[SummaryPoint] = []


class Metric(_Message):
    """One metric and its points."""

    name: str = ""
    unit: str = ""
    gauge: Gauge | None = None
    sum: Sum | None = None
    histogram: Histogram | None = None
    exponential_histogram: ExponentialHistogram | None = None
    summary: Summary | None = None

    def _one_of(self) -> tuple[str, ...]:
        return _DATA


_DATA = ("gauge", "sum", "histogram", "exponential_histogram", "summary")


class ScopeMetrics(_Message):
    """What one library measured."""

    scope: Scope = msgspec.field(default_factory=Scope)
    metrics: list[Metric] = []


class ResourceMetrics(_Message):
    """What one resource measured."""

    resource: Resource = msgspec.field(default_factory=Resource)
    scope_metrics: list[ScopeMetrics] = []


class MetricsData(_Message):
    """One record of metrics."""

    resource_metrics: list[ResourceMetrics] = []


# ------------------------------------------------------------------------------------------------------------- logs
class LogRecord(_Message):
    """One log line or event."""

    time_unix_nano: Int = 0
    observed_time_unix_nano: Int = 0
    severity_number: Int = 0
    severity_text: str = ""
    body: AnyValue = msgspec.field(default_factory=AnyValue)
    attributes: list[KeyValue] = []
    trace_id: str = ""
    event_name: str = ""


class ScopeLogs(_Message):
    """What one library wrote."""

    log_records: list[LogRecord] = []


class ResourceLogs(_Message):
    """What one resource wrote."""

    resource: Resource = msgspec.field(default_factory=Resource)
    scope_logs: list[ScopeLogs] = []


class LogsData(_Message):
    """One record of logs."""

    resource_logs: list[ResourceLogs] = []


# ----------------------------------------------------------------------------------------------------------- traces
class Status(_Message):
    """How a span ended: 2 is an error."""

    code: Int = 0


class TraceSpan(_Message):
    """One span."""

    trace_id: str = ""
    span_id: str = ""
    parent_span_id: str = ""
    name: str = ""
    kind: Int = 0
    start_time_unix_nano: Int = 0
    end_time_unix_nano: Int = 0
    attributes: list[KeyValue] = []
    status: Status = msgspec.field(default_factory=Status)


class ScopeSpans(_Message):
    """Spans that one library made."""

    spans: list[TraceSpan] = []


class ResourceSpans(_Message):
    """Spans of one resource."""

    resource: Resource = msgspec.field(default_factory=Resource)
    scope_spans: list[ScopeSpans] = []


class TracesData(_Message):
    """One record of spans."""

    resource_spans: list[ResourceSpans] = []
