"""OTLP messages of thousands of parts that say nothing are refused unread, and none that says something."""

import pytest
from google.protobuf.message import DecodeError as ProtobufError
from opentelemetry.proto.logs.v1.logs_pb2 import LogsData
from opentelemetry.proto.metrics.v1.metrics_pb2 import MetricsData
from opentelemetry.proto.trace.v1.trace_pb2 import TracesData

from connectors.codecs import build_codec
from connectors.codecs.otlp_common import protobuf_parser
from engine.config.tree import Format, Source
from engine.errors import DecodeError, Reject
from engine.records import Record

MANY = 5_000
KINDS = {Format.OTLP_METRICS: MetricsData, Format.OTLP_LOGS: LogsData, Format.OTLP_TRACES: TracesData}


def _part(tag, body):
    size, length = len(body), b""
    while size > 127:
        length += bytes([size & 127 | 128])
        size >>= 7
    return bytes([tag]) + length + bytes([size]) + body


EMPTY = {
    "resources": b"\x0a\x00" * MANY,
    "scopes": _part(0x0A, b"\x12\x00" * MANY),
    "scopes behind attributes": _part(0x0A, b"\x0a\x00" + b"\x12\x00" * MANY),
    "records": _part(0x0A, _part(0x12, b"\x12\x00" * MANY)),
}
POINTS = _part(0x0A, _part(0x12, _part(0x12, b"\x0a\x01m" + _part(0x2A, b"\x0a\x00" * MANY))))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("what", EMPTY)
def test_many_empty_parts_are_refused(kind, what, catalog):
    decoded = build_codec(Source(name="s", topics=["t"], format=kind)).decode([Record("t", 0, 0, 5, None, EMPTY[what])], catalog)
    assert [part.reason for part in decoded.rejected] == [Reject.TOO_MANY_FIELDS]


def test_so_are_empty_points(catalog):
    decoded = build_codec(Source(name="s", topics=["t"], format=Format.OTLP_METRICS)).decode(
        [Record("t", 0, 0, 5, None, POINTS)], catalog
    )
    assert [part.reason for part in decoded.rejected] == [Reject.TOO_MANY_FIELDS]


def _smallest(kind):
    """A message of the smallest parts that say something."""
    data = KINDS[kind]()
    for n in range(MANY):
        if kind is Format.OTLP_METRICS:
            point = data.resource_metrics.add().scope_metrics.add().metrics.add(name="m").gauge.data_points.add()
            point.time_unix_nano, point.as_double = n + 1, 1.5
        elif kind is Format.OTLP_LOGS:
            line = data.resource_logs.add().scope_logs.add().log_records.add(observed_time_unix_nano=n + 1)
            line.body.string_value = "x"
        else:
            span = data.resource_spans.add().scope_spans.add().spans.add(name="s", trace_id=b"t" * 16, span_id=b"s" * 8)
            span.start_time_unix_nano, span.end_time_unix_nano = n + 1, n + 2
    return data


@pytest.mark.parametrize("kind", KINDS)
def test_the_smallest_parts_that_say_something_are_read(kind):
    data = _smallest(kind)
    assert protobuf_parser(KINDS[kind])(data.SerializeToString()) == data


def test_torn_ones_are_refused_or_read_as_the_library_reads_them():
    whole, parse = _smallest(Format.OTLP_METRICS).SerializeToString(), protobuf_parser(MetricsData)
    for size in range(100_000, 104_000, 37):
        try:
            expected = MetricsData.FromString(whole[:size])
        except ProtobufError:
            with pytest.raises(DecodeError):
                parse(whole[:size])
        else:
            assert parse(whole[:size]) == expected
