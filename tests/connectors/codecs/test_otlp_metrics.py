"""What becomes of each kind of OpenTelemetry metric, in either encoding."""

import math
from itertools import product

import orjson
import pytest
from opentelemetry.proto.metrics.v1.metrics_pb2 import MetricsData
from otlp_world import METRICS_JSON, TS_NS, attributes, metrics, scope_of

from connectors.codecs import build_codec
from connectors.codecs.otlp_histograms import BUCKETS_MAX, exponential
from engine.config.tree import Format, Source
from engine.detect.catalog import SourceCatalog
from engine.records import Record, ValueKind

SOURCE = Source(name="s", topics=["t"], format=Format.OTLP_METRICS)


@pytest.fixture
def catalog():
    return SourceCatalog(SOURCE)


def read(value, catalog, fmt=Format.OTLP_METRICS, **source):
    codec = build_codec(Source(name="s", topics=["t"], format=fmt, **source))
    return codec.decode([Record("t", 0, 0, TS_NS, None, value)], catalog)


def read_json(document, catalog):
    return read(orjson.dumps(document), catalog, Format.OTLP_METRICS_JSON)


def one(point, kind="gauge", **more):
    """A document with one point."""
    metric = {"name": "m", kind: {"dataPoints": [{"timeUnixNano": str(TS_NS), **point}], **more}}
    return {"resourceMetrics": [{"scopeMetrics": [{"metrics": [metric]}]}]}


def test_kinds_follow_type_temporality_and_monotonicity(catalog):
    decoded = read(metrics().SerializeToString(), catalog)
    kinds = {catalog.describe(key).name: catalog.describe(key).kind for key in decoded.samples.key}
    assert kinds == {
        "g": ValueKind.GAUGE,
        "t": ValueKind.COUNTER,
        "d": ValueKind.DELTA,
        "s.count": ValueKind.COUNTER,
        "s.sum": ValueKind.COUNTER,
        "s.p99": ValueKind.GAUGE,
    }
    assert not decoded.rejected
    series = catalog.describe(decoded.samples.key[0])
    assert (series.unit, series.entity) == ("By", "cart")
    assert dict(series.labels) == {
        "code": "200",
        "host.name": "a",
        "ok": "true",
        "otel.scope.name": "lib",
        "route": "/",
        "service.name": "cart",
    }


@pytest.mark.parametrize(("temporality", "monotonic", "kind"), [(2, False, "gauge"), (1, False, "delta"), (2, True, "counter")])
def test_a_sum_that_may_fall_is_no_counter(temporality, monotonic, kind, catalog):
    decoded = read_json(one({"asInt": 3}, "sum", aggregationTemporality=temporality, isMonotonic=monotonic), catalog)
    assert catalog.describe(decoded.samples.key[0]).kind == kind


def test_a_sum_or_histogram_that_does_not_say_since_when_it_counts_is_refused(catalog):
    for kind in ("sum", "histogram", "exponentialHistogram"):
        assert [part.reason for part in read_json(one({"asInt": 3}, kind), catalog).rejected] == ["wrong_type"]


def test_distributions_have_their_own_counts_bounds_and_start(catalog):
    explicit, power = read(metrics().SerializeToString(), catalog).distributions
    assert (explicit.bounds, explicit.counts, explicit.total, explicit.is_delta) == ((0.1, 1.0), (1.0, 2.0, 3.0), 2.5, False)
    assert explicit.start_ns == 0
    assert sum(power.counts) == 6.0
    assert power.is_delta
    assert math.isnan(power.total)


@pytest.mark.parametrize("value", ["NaN", "1_0", "abc"])
def test_numbers_that_are_none_are_refused(value, catalog):
    decoded = read_json(one({"asDouble": value}), catalog)
    assert [part.reason for part in decoded.rejected] == ["not_finite"]


@pytest.mark.parametrize("value", ["+Inf", "-Inf", "Infinity", 1e300, 2**62])
def test_what_has_no_limit_is_counted_and_is_no_sample(value, catalog):
    decoded = read_json(one({"asDouble": value}), catalog)
    assert [part.reason for part in decoded.rejected] == ["unlimited"]
    assert not len(decoded.samples.value)


@pytest.mark.parametrize("value", ["12.5", 12.5])
def test_doubles_may_be_text(value, catalog):
    assert read_json(one({"asDouble": value}), catalog).samples.value.tolist() == [12.5]


@pytest.mark.parametrize("value", ["-12", -12])
def test_whole_numbers_may_be_text(value, catalog):
    assert read_json(one({"asInt": value}), catalog).samples.value.tolist() == [-12.0]


@pytest.mark.parametrize(
    ("point", "reason"),
    [
        ({}, "wrong_type"),
        ({"asInt": 1, "timeUnixNano": 0}, "bad_time"),
        ({"asInt": 1, "flags": 1}, "stale"),
        ({"flags": 1}, "stale"),
        ({"asInt": 1, "attributes": [{"key": f"k{n}", "value": {"intValue": n}} for n in range(40)]}, "bad_labels"),
    ],
)
def test_what_a_point_needs(point, reason, catalog):
    assert [part.reason for part in read_json(one(point), catalog).rejected] == [reason]


@pytest.mark.parametrize("document", [{}, {"resourceMetrics": []}, {"unknown": [1]}, one({})["resourceMetrics"][0]])
def test_a_message_without_points_is_refused_as_empty(document, catalog):
    assert [part.reason for part in read_json(document, catalog).rejected] == ["empty"]


def test_unknown_members_and_mangled_ones(catalog):
    found = orjson.loads(METRICS_JSON)
    found["new"] = {"a": [1]}
    found["resourceMetrics"][0]["resource"]["entityRefs"] = [{"type": "service"}]
    assert len(read_json(found, catalog).samples.value) == 2
    found["resourceMetrics"][0]["scopeMetrics"] = {"metrics": 1}
    (part,) = read_json(found, catalog).rejected
    assert part == (0, "wrong_type", "wrong type at `$.resourceMetrics[0].scopeMetrics`")


def test_of_the_members_only_the_first_is_identity_and_what_churns_is_none(catalog):
    data = MetricsData()
    facts = {"service_name": "a", "host_name": "h", "service_instance_id": "9c1d", "telemetry_sdk_name": "x", "container_id": "1"}
    for more in ({}, {"k8s_pod_name": "a-7f"}):
        scope_of(data, **facts, **more).metrics.add(name="g").gauge.data_points.add(as_int=1, time_unix_nano=TS_NS)
    labels = [dict(catalog.describe(key).labels) for key in read(data.SerializeToString(), catalog).samples.key]
    assert [{*found} - {"service.name", "otel.scope.name"} for found in labels] == [{"host.name"}, {"k8s.pod.name"}]


def test_a_points_own_attribute_stands_before_one_of_its_resource(catalog):
    data = MetricsData()
    points = scope_of(data, service_name="a").metrics.add(name="g").gauge.data_points
    points.add(as_int=1, time_unix_nano=TS_NS, attributes=attributes(service_name="b"))
    assert catalog.describe(read(data.SerializeToString(), catalog).samples.key[0]).entity == "b"


# ------------------------------------------------------------------------------------------------ exponential histograms
def powers(scale, offset, counts, zeros=0, negative=()):
    data = MetricsData()
    histogram = scope_of(data).metrics.add(name="h").exponential_histogram
    return histogram.data_points.add(
        scale=scale, zero_count=zeros, positive={"offset": offset, "bucket_counts": counts}, negative={"bucket_counts": negative}
    )


def _among_the_doubles(scale, offset, width):
    """Whether a double can lie in the first and in the middle bucket."""
    return all(-1000 < place * 2.0**-scale < 1000 for place in (offset, offset + width // 2))


POWERS = [
    shape for shape in product([-10, -3, 0, 1, 3, 8, 20], [-170, -1, 0, 5, 900], [1, 30, 160, 5000]) if _among_the_doubles(*shape)
]


@pytest.mark.parametrize(("scale", "offset", "width"), POWERS)
def test_a_value_lies_in_a_bucket_around_where_it_was(scale, offset, width):
    """Joining buckets moves no count across a bound, and their number is bounded."""
    counts = [0] * width
    counts[width // 2] = 7
    counts[0] = 1
    lower = (offset + width // 2) * 2.0**-scale
    bounds, found = exponential(powers(scale, offset, counts, zeros=2))
    assert len(found) == len(bounds) + 1 <= BUCKETS_MAX
    assert sum(found) == sum(counts) + 2
    holds = [(a, b) for a, b, count in zip((0.0, *bounds), (*bounds, math.inf), found, strict=True) if count]
    middle = 2.0 ** (lower + 2.0**-scale / 2) if lower + 2.0**-scale / 2 < 1023 else 2.0**lower * 1.01
    assert any(a <= middle <= b for a, b in holds)


def test_negative_values_lie_below_zero_in_order():
    bounds, counts = exponential(powers(0, 0, [3], zeros=2, negative=[1, 5]))
    told = {bound: count for bound, count in zip(bounds, counts, strict=False) if count}
    assert told == {-2.0: 5.0, -1.0: 1.0, 1.0: 2.0, 2.0: 3.0}


def test_bounds_are_the_same_when_a_histogram_comes_at_another_scale():
    fine, coarse = exponential(powers(6, 64, [1] * 8)), exponential(powers(5, 32, [2] * 4))
    assert fine == coarse


def test_thousands_of_resources_that_say_nothing_are_refused_unread(catalog):
    codec = build_codec(Source(name="m", topics=["in"], format=Format.OTLP_METRICS))
    few, many = (codec.decode([Record("in", 0, 0, 0, None, b"\n\0" * count)], catalog) for count in (900, 1_100))
    assert ([one.reason for one in few.rejected], [one.reason for one in many.rejected]) == (["empty"], ["too_many_fields"])
