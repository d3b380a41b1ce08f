"""Metrics of OpenTelemetry, as OTLP/protobuf and as OTLP/JSON: one record is one batch, of many resources and points.

    gauge, sum that may fall    a gauge                      sum that only grows    a counter, or deltas
    histogram, exponential      a distribution               summary                counters `.count` and `.sum`, gauges `.p99` …

A series is the metric's name with the attributes of its resource (but for those that churn), the library's name and the
attributes of the point. Points that say that a series has ended are counted as `stale`. Source: opentelemetry-proto,
metrics.proto and docs/specification.md.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from math import isfinite, isnan, nan
from typing import Any, Final, NamedTuple

from opentelemetry.proto.metrics.v1.metrics_pb2 import MetricsData

from connectors.codecs import otlp_histograms, otlp_json
from connectors.codecs.columns import ColumnsBuilder
from connectors.codecs.otlp_common import (
    Identity,
    Labels,
    Parser,
    json_parser,
    labels_of,
    number_of,
    protobuf_parser,
    time_of,
)
from connectors.codecs.otlp_points import PointReader
from engine.config.tree import Source
from engine.errors import DecodeError, Reject
from engine.ports import Catalog
from engine.records import Decoded, Distribution, Record, ValueKind

SERIES_MAX: Final = 200_000
"""Series remembered; when full, all are forgotten."""
QUANTILES_MAX: Final = 20
SCOPE: Final = "otel.scope.name"
_DELTA, _CUMULATIVE = 1, 2
_NO_VALUE = 1


class Group(NamedTuple):
    """Where the points of one metric belong: what their series have in common."""

    labels: Labels
    name: str
    unit: str
    kind: str


class Keys:
    """From a group and a point's attributes to the key of its series, asked of the catalog once for each."""

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog
        self._groups: dict[Group, dict[Labels, bytes]] = {}
        self._held = 0

    def of(self, group: Group) -> dict[Labels, bytes]:
        """The series of a group that are known; `add` puts more into it."""
        keys = self._groups.get(group)
        if keys is None:
            keys = self._groups[group] = {}
        return keys

    def add(self, group: Group, attributes: Labels) -> bytes:
        """A series that is not known yet. Raises DecodeError(BAD_LABELS)."""
        key = self._catalog.metric(group.name, {**dict(group.labels), **dict(attributes)}, kind=group.kind, unit=group.unit)
        if self._held >= SERIES_MAX:
            self._groups.clear()
            self._held = 0
        self._held += 1
        self.of(group)[attributes] = key
        return key


class MetricsReader:
    """From a message to columns. Nothing is kept but the names of series."""

    def __init__(self, source: Source, catalog: Catalog) -> None:
        self._identity = Identity(source)
        self._keys = Keys(catalog)
        self._resources: dict[Labels, Labels] = {}
        self._read: dict[str, Callable[[int, Group, Any, ColumnsBuilder], None]] = {
            "gauge": self._read_gauge,
            "sum": self._read_sum,
            "histogram": self._read_histogram,
            "exponential_histogram": self._read_exponential,
            "summary": self._read_summary,
        }

    def read(self, row: int, data: Any, out: ColumnsBuilder) -> None:
        """Put all points of one message."""
        for of_resource in data.resource_metrics:
            if not of_resource.scope_metrics:  # a few bytes each: a hostile JSON document has thousands
                continue
            resource = self.resource(labels_of(of_resource.resource.attributes))
            for of_scope in of_resource.scope_metrics:
                scope = of_scope.scope.name
                self._read_metrics(row, (*resource, (SCOPE, scope)) if scope else resource, of_scope.metrics, out)

    def _read_metrics(self, row: int, labels: Labels, metrics: Iterable[Any], out: ColumnsBuilder) -> None:
        for metric in metrics:
            which = metric.WhichOneof("data")
            if which is not None:
                self._read[which](row, Group(labels, metric.name, metric.unit, ""), getattr(metric, which), out)

    def resource(self, attributes: Labels) -> Labels:
        """What of a resource's attributes is identity."""
        kept = self._resources.get(attributes)
        if kept is None:
            if len(self._resources) >= SERIES_MAX:
                self._resources.clear()
            kept = self._resources[attributes] = self._identity.kept(attributes)
        return kept

    def _read_gauge(self, row: int, group: Group, gauge: Any, out: ColumnsBuilder) -> None:
        self._read_numbers(row, group._replace(kind=ValueKind.GAUGE), gauge.data_points, out)

    def _read_sum(self, row: int, group: Group, total: Any, out: ColumnsBuilder) -> None:
        kind = sum_kind(total.aggregation_temporality, is_monotonic=total.is_monotonic)
        if kind is None:
            if total.data_points:
                out.reject(row, Reject.WRONG_TYPE, f"{group.name}: a sum without temporality")
            return
        self._read_numbers(row, group._replace(kind=kind), total.data_points, out)

    def _read_numbers(self, row: int, group: Group, points: Iterable[Any], out: ColumnsBuilder) -> None:
        keys = self._keys.of(group)
        for point in points:
            try:
                value = _value_of(point)
                attributes = labels_of(point.attributes)
                key = keys.get(attributes)
                if key is None:
                    key = self._keys.add(group, attributes)
                    keys = self._keys.of(group)
                out.sample(row, key, time_of(point.time_unix_nano), value)
            except DecodeError as error:
                out.reject(row, error.reason, f"{group.name}: {error.detail}")

    def _read_histogram(self, row: int, group: Group, histogram: Any, out: ColumnsBuilder) -> None:
        self._read_shapes(row, group, histogram, otlp_histograms.explicit, out)

    def _read_exponential(self, row: int, group: Group, histogram: Any, out: ColumnsBuilder) -> None:
        self._read_shapes(row, group, histogram, otlp_histograms.exponential, out)

    def _read_shapes(
        self, row: int, group: Group, histogram: Any, shape: Callable[[Any], otlp_histograms.Shape], out: ColumnsBuilder
    ) -> None:
        temporality = histogram.aggregation_temporality
        if temporality not in (_DELTA, _CUMULATIVE):
            if histogram.data_points:
                out.reject(row, Reject.WRONG_TYPE, f"{group.name}: a histogram without temporality")
            return
        for point in histogram.data_points:
            try:
                ts_ns = time_of(_usable(point).time_unix_nano)
                bounds, counts = shape(point)
                out.distributions.append(
                    Distribution(
                        row=row,
                        ts_ns=ts_ns,
                        key=self._key(group, labels_of(point.attributes)),
                        start_ns=_start_of(point, ts_ns),
                        is_delta=temporality == _DELTA,
                        bounds=bounds,
                        counts=counts,
                        total=_finite(number_of(point.sum)) if point.HasField("sum") else nan,
                    )
                )
            except DecodeError as error:
                out.reject(row, error.reason, f"{group.name}: {error.detail}")

    def _read_summary(self, row: int, group: Group, summary: Any, out: ColumnsBuilder) -> None:
        for point in summary.data_points:
            try:
                ts_ns, attributes = time_of(_usable(point).time_unix_nano), labels_of(point.attributes)
                for key, value in [(self._key(part, attributes), value) for part, value in _parts_of(group, point)]:
                    out.sample(row, key, ts_ns, value)
            except DecodeError as error:
                out.reject(row, error.reason, f"{group.name}: {error.detail}")

    def _key(self, group: Group, attributes: Labels) -> bytes:
        return self._keys.of(group).get(attributes) or self._keys.add(group, attributes)


class OtlpMetricsCodec:
    """Stateless but for caches. `parse` says which encoding it is; `short`, whether points of known series are read where they lie."""

    def __init__(self, source: Source, parse: Parser, *, short: bool = False) -> None:
        self._source = source
        self._parse = parse
        self._short = short
        self._reader: MetricsReader | None = None
        self._points = PointReader()
        self._catalog: Catalog | None = None

    def decode(self, records: Sequence[Record], catalog: Catalog) -> Decoded:
        """As `ports.Codec`."""
        if self._reader is None or catalog is not self._catalog:
            self._reader, self._points, self._catalog = MetricsReader(self._source, catalog), PointReader(), catalog
        out = ColumnsBuilder(self._source.line_bytes_max, beyond=Reject.UNLIMITED)
        left = self._points.take(records, out) if self._short else [(row, False) for row in range(len(records))]
        for row, is_plain in left:
            value = records[row].value or b""
            marks, samples = out.marks(), len(out.sample_keys)
            self._decode_one(row, value, self._reader, out)
            keys = out.sample_keys[samples:]
            if is_plain and out.marks() == marks + len(keys):
                self._points.learn(value, keys)
        return out.build()

    def _decode_one(self, row: int, value: bytes, reader: MetricsReader, out: ColumnsBuilder) -> None:
        before = out.marks()
        try:
            reader.read(row, self._parse(value), out)
        except DecodeError as error:
            out.reject(row, error.reason, error.detail)
        if out.marks() == before:
            out.reject(row, Reject.EMPTY, "no points")


def metrics_protobuf(source: Source) -> OtlpMetricsCodec:
    """The codec of `otlp_metrics`."""
    return OtlpMetricsCodec(source, protobuf_parser(MetricsData), short=True)


def metrics_json(source: Source) -> OtlpMetricsCodec:
    """The codec of `otlp_metrics_json`."""
    return OtlpMetricsCodec(source, json_parser(otlp_json.MetricsData))


def sum_kind(temporality: int, *, is_monotonic: bool) -> str | None:
    """What the numbers of a sum mean; None when it does not say since when it counts."""
    if temporality == _DELTA:
        return ValueKind.DELTA
    if temporality == _CUMULATIVE:
        return ValueKind.COUNTER if is_monotonic else ValueKind.GAUGE
    return None


def quantile_name(quantile: float) -> str:
    """What the series of a quantile is called: `p99`, `p99.9`, `min`, `max`; "" for what is none.

    >>> [quantile_name(q) for q in (0.0, 0.5, 0.999, 1.0, 7.0)]
    ['min', 'p50', 'p99.9', 'max', '']
    """
    if not 0.0 <= quantile <= 1.0:
        return ""
    return "min" if quantile == 0.0 else "max" if quantile == 1.0 else f"p{quantile * 100:.6g}"


def _parts_of(group: Group, point: Any) -> list[tuple[Group, float]]:
    """The series of a summary and their values."""
    counters = group._replace(kind=ValueKind.COUNTER)
    parts = [
        (counters._replace(name=f"{group.name}.count", unit=""), float(point.count)),
        (counters._replace(name=f"{group.name}.sum"), number_of(point.sum)),
    ]
    for quantile in list(point.quantile_values)[:QUANTILES_MAX]:
        value, name = number_of(quantile.value), quantile_name(number_of(quantile.quantile))
        if name and not isnan(value):  # NaN: nothing was measured of late
            parts.append((group._replace(name=f"{group.name}.{name}", kind=ValueKind.GAUGE), value))
    return parts


def _usable(point: Any) -> Any:
    """The point. Raises DecodeError(STALE) when it says that there is none any more."""
    if point.flags & _NO_VALUE:
        raise DecodeError(Reject.STALE, "no recorded value")
    return point


def _value_of(point: Any) -> float:
    """The number of a point. Raises DecodeError when it has none."""
    which = _usable(point).WhichOneof("value")
    if which == "as_int":
        return point.as_int  # type: ignore[no-any-return]
    if which is None:
        raise DecodeError(Reject.WRONG_TYPE, "a point without a number")
    return number_of(point.as_double)


def _start_of(point: Any, ts_ns: int) -> int:
    """When counting began; 0 when that is not known, or cannot be."""
    start_ns: int = point.start_time_unix_nano
    return start_ns if 0 < start_ns <= ts_ns else 0


def _finite(value: float) -> float:
    return value if isfinite(value) else nan
