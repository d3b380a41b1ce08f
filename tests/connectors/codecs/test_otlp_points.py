"""The short way for OpenTelemetry's points gives what the library gives, whatever the bytes, and is taken where it can be."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from opentelemetry.proto.metrics.v1.metrics_pb2 import MetricsData
from otlp_world import TS_NS, attributes, metrics, scope_of
from torn_bytes import every_byte, told, torn

from connectors.codecs import known_parts
from connectors.codecs.columns import ColumnsBuilder
from connectors.codecs.otlp_common import protobuf_parser
from connectors.codecs.otlp_metrics import OtlpMetricsCodec
from detectors.kernel import JIT
from engine.config.tree import Format, Source
from engine.detect.catalog import SourceCatalog
from engine.records import Record

SOURCE = Source(name="s", topics=["t"], format=Format.OTLP_METRICS)
FLIPS = 4_000 if JIT else 40


def plain(services=("a", "b"), names=("x", "y"), points=3, value=1):
    """Gauges and sums of some services, as encoders write them."""
    data = MetricsData()
    for service in services:
        scope = scope_of(data, service_name=service)
        scope.schema_url = "https://opentelemetry.io/schemas/1.37.0"
        for name in names:
            gauge = scope.metrics.add(name=name, unit="By", description="grün")
            total = scope.metrics.add(name=f"{name}.total")
            total.sum.is_monotonic, total.sum.aggregation_temporality = True, 2
            for n in range(points):
                some = {"attributes": attributes(route="/", n=n), "time_unix_nano": TS_NS + n}
                gauge.gauge.data_points.add(as_double=value + n / 8, **some)
                total.sum.data_points.add(as_int=value * 3 - n, start_time_unix_nano=5, **some)
    return data


PLAIN = plain().SerializeToString()


def records(values):
    return [Record("t", 0, n, TS_NS, None, value) for n, value in enumerate(values)]


def codec(*, short):
    return OtlpMetricsCodec(SOURCE, protobuf_parser(MetricsData), short=short)


def agrees(values):
    """Both ways, cold and warm, in one batch and record by record."""
    catalog = SourceCatalog(SOURCE)
    expected = told(codec(short=False).decode(records(values), catalog))
    short = codec(short=True)
    short.decode(records([PLAIN]), catalog)
    for _ in range(3):
        assert told(short.decode(records(values), catalog)) == expected
    single = [told(short.decode(records([value]), catalog))[0] for value in values]
    assert [row[1:] for rows in single for row in rows] == [row[1:] for row in expected[0]]


def left(value, catalog=None):
    """Records that the short way leaves to the library, when it has seen the same one before."""
    catalog, short = catalog or SourceCatalog(SOURCE), codec(short=True)
    short.decode(records([value]), catalog)
    return short._points.take(records([value]), ColumnsBuilder(100))


def test_points_that_were_read_before_are_read_the_short_way():
    assert left(PLAIN) == []
    agrees([PLAIN, plain(value=7).SerializeToString(), metrics().SerializeToString(), PLAIN])


def test_any_order_of_records_new_and_known():
    agrees([plain(services=[name]).SerializeToString() for name in "aabacbdaccdd"] + [b"", None, PLAIN])


def one(change):
    """A message of one point, changed before it is written."""
    data = plain(services=["a"], names=["x"], points=1)
    change(data.resource_metrics[0])
    return data.SerializeToString()


def point_of(part):
    return part.scope_metrics[0].metrics[1].sum.data_points[0]


@pytest.mark.parametrize(
    "change",
    [
        lambda part: setattr(point_of(part), "flags", 1),
        lambda part: setattr(point_of(part), "time_unix_nano", 0),
        lambda part: setattr(point_of(part), "time_unix_nano", 2**63),
        lambda part: point_of(part).ClearField("as_int"),
        lambda part: setattr(point_of(part), "as_double", float("nan")),
        lambda part: point_of(part).exemplars.add(as_int=3),
        lambda part: setattr(part, "schema_url", "ü"),
        lambda part: part.scope_metrics[0].metrics[0].metadata.extend(attributes(a="b")),
        lambda part: setattr(part.scope_metrics[0].metrics[1].sum, "aggregation_temporality", 0),
        lambda part: part.scope_metrics[0].metrics.add(name="h").histogram.data_points.add(time_unix_nano=TS_NS),
        lambda part: part.scope_metrics[0].metrics.add(name="empty"),
        lambda part: point_of(part).attributes.extend(attributes(**{f"k{n}": n for n in range(40)})),
    ],
)
def test_what_is_not_plain_is_left_to_the_library(change):
    value = one(change)
    assert len(left(value)) == 1
    agrees([value, PLAIN])


@pytest.mark.parametrize("limit", [{"as_int": 2**60}, {"as_int": -(2**60)}, {"as_double": float("inf")}, {"as_double": 2.0**64}])
def test_what_has_no_limit_is_refused_on_the_short_way_too(limit):
    value = one(lambda part: [setattr(point_of(part), name, number) for name, number in limit.items()])
    assert len(left(value)) == 0
    agrees([value, PLAIN, value])


@pytest.mark.parametrize(
    "change",
    [
        lambda part: setattr(point_of(part), "flags", 2),
        lambda part: setattr(part, "schema_url", "https://x"),
        lambda part: part.ClearField("resource"),
        lambda part: part.scope_metrics[0].ClearField("scope"),
        lambda part: point_of(part).ClearField("attributes"),
        lambda part: setattr(part.scope_metrics[0].metrics[1].sum, "is_monotonic", False),
        lambda part: setattr(point_of(part), "as_int", -5),
        lambda part: setattr(point_of(part), "as_int", 2**49 + 1),
        lambda part: part.scope_metrics[0].metrics[0].gauge.ClearField("data_points"),
    ],
)
def test_what_is_plain_is_read_the_short_way(change):
    value = one(change)
    assert left(value) == []
    agrees([value, PLAIN])


def test_both_ways_agree_on_torn_bytes():
    rng = np.random.default_rng(5)
    small = plain(services=["a"], names=["x"], points=2).SerializeToString()
    agrees([small, *(torn(small, rng) for _ in range(FLIPS))])


def test_both_ways_agree_on_every_byte_at_every_place_of_its_structure():
    small = plain(services=["a"], names=["x"], points=1).SerializeToString()
    agrees([small, *every_byte(small, step=1 if JIT else 40)])


@settings(max_examples=30 if JIT else 2, deadline=None)
@given(st.data())
def test_both_ways_agree_on_messages_of_any_shape(data):
    values = []
    for _ in range(data.draw(st.integers(1, 4))):
        message = MetricsData()
        for service in data.draw(st.lists(st.sampled_from(["a", "b", ""]), max_size=3)):
            scope = scope_of(message, service_name=service)
            for name in data.draw(st.lists(st.sampled_from(["x", "y", ""]), max_size=3)):
                metric = scope.metrics.add(name=name)
                points = data.draw(st.sampled_from([metric.gauge, metric.sum]))
                if points is metric.sum:
                    metric.sum.aggregation_temporality = data.draw(st.integers(0, 3))
                    metric.sum.is_monotonic = data.draw(st.booleans())
                for n in range(data.draw(st.integers(0, 3))):
                    value = data.draw(st.one_of(st.integers(-(2**63), 2**63 - 1), st.floats()))
                    kind = "as_int" if isinstance(value, int) else "as_double"
                    point = points.data_points.add(time_unix_nano=TS_NS, attributes=attributes(n=n), **{kind: value})
                    point.flags = data.draw(st.sampled_from([0, 0, 0, 1, 2, 300]))
        values.append(message.SerializeToString())
    agrees(values)


def test_a_table_that_is_full_begins_anew(monkeypatch):
    monkeypatch.setattr(known_parts, "NODES_MAX", 200)
    values = [plain(services=[f"s{n % 40}"]).SerializeToString() for n in range(80)]
    agrees(values)


def test_the_table_grows_with_what_it_holds():
    values = [plain(services=[f"s{n}"], points=20).SerializeToString() for n in range(120 if JIT else 3)]
    catalog, short = SourceCatalog(SOURCE), codec(short=True)
    short.decode(records(values), catalog)
    assert short._points.take(records(values), ColumnsBuilder(100)) == []
    agrees(values)
