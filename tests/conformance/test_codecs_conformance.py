"""The laws of every codec: whatever the bytes, it does not raise, and every record gives something or is rejected."""

import gzip

import cramjam
import msgspec
import numpy as np
import orjson
import otlp_world
import pytest
import registry_world
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import astuple

from connectors.codecs import CODECS
from connectors.codecs import build_codec as build_any
from connectors.codecs.proto import prometheus_write_pb2 as write
from engine.config.tree import Format, Mapping, Source
from engine.config.values import Compression
from engine.errors import Reject
from engine.records import Record, series_key

METRIC = Mapping(time="ts", time_unit="ms", name="name", values="value", labels="labels")
LEAVES = Mapping(time="time", values=".", skip=["skipped"], labels={"*": "labels", "host": "host.name"}, numeric_strings=True)
MANY = Mapping(records=".", time="ts", time_unit="s", name="=m", values={"a": "a", "b": "x.b"}, kind="kind")
WIDE = Mapping(time="time", time_unit="ns", values="values", split_entity=True)
LOG = Mapping(time="@timestamp", message="message", severity="log.level", embedded_json=True, labels={"service": "service.name"})
EVENT = Mapping(
    time="when", event="reason", event_text="text", severity="type", attributes={"node": "source.host"}, labels="labels"
)
PIECES = LOG.model_copy(update={"origin": ["pod", "stream"], "partial": "_p", "stack_traces": True})
LOGFMT = Mapping(time="ts", message="msg", severity="level", labels={"service": "service"})

SAMPLES = {
    "metric": b'{"name":"queue_depth","labels":{"service":"checkout"},"ts":1795218875509,"value":42.5}',
    "leaves": b'{"time":"2026-11-20T23:54:30.000Z","host":{"name":"web"},"cpu":{"pct":0.5,"up":true},"labels":{"a":"b"},"n":"7"}',
    "many": b'[{"ts":1,"a":1,"x":{"b":2},"kind":"incremental"},{"ts":2.5,"a":1}]',
    "wide": b'{"time":1795218870000000000,"values":{"checkout:cpu":0.25,"db:primary:load":17,"x":null}}',
    "log": b'{"@timestamp":"2026-11-20T23:54:35.509Z","log":{"level":"ERROR"},"message":"{\\"msg\\":\\"h\xc3\xa9 \\"}","service.name":"a"}',
    "event": b'{"when":"2026-11-20 23:40:10 +0200","reason":"BackOff","text":"t","type":"Warning","source":{"host":"n"},"labels":{}}',
    "influx": b'cpu,host=web\\ 07,cpu=total usage=12.5,up=t,n=17i,name="a, b\\"" 1795218870000000000\ncpu,host=b v=1 5\n# c\nm v=1',
    "cloudevents": orjson.dumps(
        {
            "specversion": "1.0",
            "id": "1",
            "source": "/ci",
            "type": "dev.cdevents.service.upgraded.0.3.0",
            "time": "2026-11-20T23:40:10.315384Z",
            "data": {"subject": {"id": "shop/checkout", "content": {"artifactId": "pkg:oci/checkout@1?tag=2"}}},
        }
    ),
    "text": "2026-11-20 23:54:35,509 ERROR gateway tïmeout after 3000 ms".encode(),
    # ---- bodies that came compressed
    "packed": gzip.compress(b"ERROR gateway timeout", mtime=0),
    # ---- lines in pieces, syslog, logfmt, alerts of others
    "pieces": b'{"@timestamp":"2026-11-20T23:54:35.509Z","_p":"P","stream":"stdout","pod":"a","message":"h\xc3\xa9 "}',
    "syslog": b'<165>1 2026-11-20T23:54:35.509123Z db-01 postgres 4711 ID47 [a@1 k="v\\"" l="m"][b@1] \xef\xbb\xbfcheckpoint complete',
    "old syslog": b"<34>Nov 20 23:54:36 web-07 sshd[2211]: Failed password for invalid user admin",
    "logfmt": b'ts=2026-11-20T23:54:35.509Z level=error service=checkout msg="payment \\"failed\\"" ms=31 retried',
    "alertmanager": orjson.dumps(
        {
            "version": "4",
            "alerts": [
                {
                    "status": "firing",
                    "labels": {"alertname": "A", "service": "s"},
                    "startsAt": "2026-11-20T23:51:05Z",
                    "fingerprint": "f",
                },
                {
                    "status": "resolved",
                    "labels": {"alertname": "A"},
                    "startsAt": "2026-11-20T23:51:05Z",
                    "endsAt": "2026-11-20T23:52:05Z",
                },
            ],
        }
    ),
}
SOURCES = {
    "metric": Source(name="s", topics=["t"], format=Format.JSON, mapping=METRIC),
    "leaves": Source(name="s", topics=["t"], format=Format.JSON, mapping=LEAVES),
    "many": Source(name="s", topics=["t"], format=Format.JSON, mapping=MANY),
    "wide": Source(name="s", topics=["t"], format=Format.JSON, mapping=WIDE),
    "log": Source(name="s", topics=["t"], format=Format.JSON, mapping=LOG),
    "event": Source(name="s", topics=["t"], format=Format.JSON, mapping=EVENT),
    "influx": Source(name="s", topics=["t"], format=Format.INFLUX),
    "cloudevents": Source(name="s", topics=["t"], format=Format.CLOUDEVENTS),
    "text": Source(name="s", topics=["t"], format=Format.TEXT, line_bytes_max=1000),
    # ---- bodies that came compressed
    "packed": Source(name="s", topics=["t"], format=Format.TEXT, compression=Compression.GZIP),
    # ---- lines in pieces, syslog, logfmt, alerts of others
    "pieces": Source(name="s", topics=["t"], format=Format.JSON, mapping=PIECES),
    "syslog": Source(name="s", topics=["t"], format=Format.SYSLOG),
    "old syslog": Source(name="s", topics=["t"], format=Format.SYSLOG, timezone="Europe/Berlin"),
    "logfmt": Source(name="s", topics=["t"], format=Format.LOGFMT, mapping=LOGFMT),
    "alertmanager": Source(name="s", topics=["t"], format=Format.ALERTMANAGER),
}
WRITE = write.Write2(symbols=["", "__name__", "up", "job", "a", "rpc_seconds"])
WRITE.timeseries.add(labels_refs=[1, 2, 3, 4], metadata={"type": write.GAUGE}).samples.add(value=1.5, timestamp=1_795_218_875_509)
WRITE.timeseries.add(labels_refs=[1, 5]).histograms.add(
    count_int=3,
    sum=0.5,
    schema=3,
    positive_spans=[{"offset": -9, "length": 2}],
    positive_deltas=[1, 1],
    timestamp=1_795_218_875_509,
)
SAMPLES["remote_write"] = bytes(cramjam.snappy.compress_raw(WRITE.SerializeToString()))
SOURCES["remote_write"] = Source(name="s", topics=["t"], format=Format.PROMETHEUS_REMOTE_WRITE)
SAMPLES["messagepack"] = msgspec.msgpack.encode(
    {"ts": 1_795_218_875_509, "name": "queue_depth", "labels": {"service": "checkout"}, "value": 42.5}
)
SOURCES["messagepack"] = Source(name="s", topics=["t"], format=Format.MESSAGEPACK, mapping=METRIC)
SAMPLES["avro"] = registry_world.frame(1, registry_world.avro_point())
SAMPLES["protobuf"] = registry_world.frame(2, registry_world.protobuf_point())
SOURCES["avro"] = Source(
    name="s", topics=["t"], format=Format.SCHEMA_REGISTRY, mapping=METRIC.model_copy(update={"name": "metric"})
)
SOURCES["protobuf"] = Source(
    name="s",
    topics=["t"],
    format=Format.SCHEMA_REGISTRY,
    mapping=Mapping(time="at", name="metric", values="value", labels="labels"),
)


def build_codec(source):
    """Those of schemas with some that are known."""
    return build_any(source, registry_world.Known())


SAMPLES["collectd"] = (
    b'[{"values":[5.9,17],"dstypes":["gauge","derive"],"dsnames":["shortterm","value"],"time":1795219542.591,"interval":2.000,'
    b'"host":"web-07","plugin":"load","plugin_instance":"","type":"load","type_instance":""}]'
)
SAMPLES["graphite"] = b"web-07.load.load.shortterm 5.9 1795219543\r\ndisk.used;host=a 41.5 1795219543\n"
SOURCES["collectd"] = Source(name="s", topics=["t"], format=Format.COLLECTD)
SOURCES["graphite"] = Source(name="s", topics=["t"], format=Format.GRAPHITE, mapping=Mapping(labels={"host": "0"}))
# OpenTelemetry
SAMPLES["otlp_metrics"] = otlp_world.metrics().SerializeToString()
SAMPLES["otlp_metrics_json"] = otlp_world.METRICS_JSON
SAMPLES["otlp_logs"] = otlp_world.logs().SerializeToString()
SAMPLES["otlp_logs_json"] = otlp_world.LOGS_JSON
SAMPLES["otlp_traces"] = otlp_world.traces().SerializeToString()
SAMPLES["otlp_traces_json"] = otlp_world.TRACES_JSON
for otlp in ("otlp_metrics", "otlp_metrics_json", "otlp_logs", "otlp_logs_json", "otlp_traces", "otlp_traces_json"):
    SOURCES[otlp] = Source(name="s", topics=["t"], format=Format(otlp))
NAMES = list(SOURCES)
each_codec = pytest.mark.parametrize("name", NAMES)
HOSTILE = [
    None,
    b"",
    b"\n",
    b" ",
    b"\x00",
    b"\xff\xfe",
    b"null",
    b"[]",
    b"{}",
    b"[[]]",
    b"[null]",
    b'"text"',
    b"1e999",
    b"NaN",
    b"[" * 100_000,
    b'{"values":' * 100_000,
    b'{"values":' * 500 + b"1" + b"}" * 500,
    b'{"a":"\\ud800"}',
    b'{"message":"\\ud800","name":"\\udfff"}',
    b'{"ts":99999999999999999999999,"time":1e308,"@timestamp":1,"when":[],"name":"a","value":1}',
    b'{"ts":-9223372036854775808,"time":9223372036854775808,"name":"a","value":1,"values":{"a":1}}',
    b'{"ts":1,"name":"a","value":123456789012345678901234567890}',
    b'{"ts":true,"name":"a","value":[1],"labels":[1]}',
    b'{"ts":1,"name":"a","value":1,"labels":{"a":{"b":1},"c":null,"d":[1]}}',
    b'{"specversion":1,"type":2,"data":3}',
    b'{"context":{"type":"dev.cdevents."},"subject":7}',
    b'{"specversion":"1.0","type":"dev.cdevents.a","data":{"subject":{"id":1,"content":[]}}}',
    b"m v=1 99999999999999999999",
    b"m v=1e400",
    b"m v=NaN",
    b'm v="a\nb',
    b"m,a=1 v=1_0",
    b"\xffm v=1",
    "m v=\u0661".encode(),
]


class OpenCatalog:
    """Takes everything."""

    series_max = 100_000

    def metric(self, name, labels, *, kind="", unit=""):
        return series_key(name, tuple(sorted(labels.items())))

    def stream(self, labels):
        return series_key("log", tuple(sorted(labels.items())))

    def event(self, name, labels):
        return series_key(name, tuple(sorted(labels.items()))), labels.get("service", "")


def _records(values):
    headers = (("ce_type", b"a\xff"), ("ce_specversion", b"1.0"), ("ce_time", b"2026-11-20T23:40:10Z"))
    return [
        Record("t", 0, n, 1_795_218_875_000_000_000, b"k\xff", value, headers if n % 5 == 4 else ())
        for n, value in enumerate(values)
    ]


def _holds(decoded, count):
    """The contract of `ports.Codec`, as far as it can be seen from outside."""
    samples, lines, events, rejected, *others = decoded
    assert {Reject(part.reason) for part in rejected} <= set(Reject)
    rows = {*samples.row.tolist(), *lines.row.tolist(), *(e.row for e in events), *(r.row for r in rejected)}
    rows |= {part.row for parts in others for part in parts}
    assert rows == set(range(count))
    assert len(samples.row) == len(samples.key) == len(samples.ts_ns) == len(samples.value)
    assert len(lines.row) == len(lines.key) == len(lines.ts_ns) == len(lines.severity) == len(lines.text)
    assert np.isfinite(samples.value).all()
    for part in decoded.distributions:
        assert len(part.counts) == len(part.bounds) + 1
        assert np.isfinite(part.bounds).all()
        assert (np.diff(part.bounds) > 0).all()
        assert (np.array(part.counts) >= 0).all()
    assert (np.diff(samples.row) >= 0).all()
    assert (np.diff(lines.row) >= 0).all()
    assert [r.row for r in rejected] == sorted(r.row for r in rejected)
    if lines.pieces is not None:
        assert len(lines.row) == len(lines.pieces.origin) == len(lines.pieces.more) == len(lines.pieces.raw)
    for text in lines.text:
        text.decode()
    assert all(0 <= level <= 24 for level in lines.severity)


def _given(decoded):
    """How many things a batch gave."""
    return len(decoded.samples.row) + len(decoded.lines.row) + sum(len(parts) for parts in (decoded.events, *decoded[4:]))


@each_codec
def test_reads_its_sample(name):
    decoded = build_codec(SOURCES[name]).decode(_records([SAMPLES[name]]), OpenCatalog())
    assert _given(decoded) > 0
    assert not decoded.rejected


def test_every_registered_format_is_held_to_these_laws():
    assert {source.format for source in SOURCES.values()} == set(CODECS) == set(Format)


@each_codec
def test_a_sample_cut_off_at_any_byte_is_accounted_for(name):
    sample = SAMPLES[name]
    values = [sample[:length] for length in range(len(sample) + 1)]
    _holds(build_codec(SOURCES[name]).decode(_records(values), OpenCatalog()), len(values))


@each_codec
def test_hostile_records_are_accounted_for_and_harm_no_neighbour(name):
    values = [part for value in HOSTILE for part in (value, SAMPLES[name])]
    catalog = OpenCatalog()
    alone = build_codec(SOURCES[name]).decode(_records([SAMPLES[name]]), catalog)
    decoded = build_codec(SOURCES[name]).decode([r._replace(headers=()) for r in _records(values)], catalog)
    _holds(decoded, len(values))
    odd = {*range(1, len(values), 2)}
    assert not odd & {part.row for part in decoded.rejected}
    good = [n for n in range(len(decoded.samples.row)) if decoded.samples.row[n] % 2]
    assert len(good) == len(alone.samples.row) * len(HOSTILE)


@each_codec
def test_a_huge_record_is_accounted_for(name):
    size = 5_000_000
    sample = SAMPLES[name]
    half = len(sample) // 2
    values = [
        b"x" * size,
        sample * (size // len(sample)),
        sample[:half] + b"9" * size + sample[half:],
        b'{"values":{' + b'"a":1,' * 800_000,
    ]
    decoded = build_codec(SOURCES[name]).decode(_records(values), OpenCatalog())
    _holds(decoded, len(values))
    assert all(len(text) <= SOURCES[name].line_bytes_max for text in decoded.lines.text)


@pytest.mark.parametrize("name", ["metric", "leaves", "wide", "many"])
@pytest.mark.parametrize("word", [b"true", b"null", b"[]", b"{}", b'"x"', b"-1", b"1e300", b'"NaN"', b'"-Infinity"', b"0.0"])
def test_a_member_of_the_wrong_type_is_accounted_for(name, word):
    document = orjson.loads(SAMPLES[name])
    inner = document[0] if isinstance(document, list) else document
    values = []
    for member in inner:
        other = {**inner, member: orjson.Fragment(word)}
        values.append(orjson.dumps([other] if isinstance(document, list) else other))
    _holds(build_codec(SOURCES[name]).decode(_records(values), OpenCatalog()), len(values))


@pytest.mark.parametrize("name", ["metric", "leaves", "log", "event", "influx", "syslog", "logfmt"])
def test_a_time_far_ahead_is_read_as_it_stands(name):
    """Clamping is the stage's work: it knows the log's time."""
    sample = SAMPLES[name].replace(b"2026-", b"2099-").replace(b"17952", b"40952").split(b"\n")[0]
    decoded = build_codec(SOURCES[name]).decode(_records([sample]), OpenCatalog())
    times = [*decoded.samples.ts_ns.tolist(), *decoded.lines.ts_ns.tolist(), *(event.ts_ns for event in decoded.events)]
    assert times
    assert min(times) > 4_000_000_000 * 10**9
    assert not decoded.rejected


@each_codec
def test_an_empty_batch_gives_empty_columns(name):
    decoded = build_codec(SOURCES[name]).decode([], OpenCatalog())
    assert _given(decoded) == 0
    assert decoded.samples.value.dtype == np.float64
    assert decoded.samples.ts_ns.dtype == np.int64
    assert decoded.samples.row.dtype == np.int32
    assert decoded.lines.severity.dtype == np.int8


def _mutations(sample):
    """Bytes near a valid sample, and bytes that are near nothing."""
    place = st.integers(0, len(sample))
    return st.one_of(
        st.binary(max_size=60),
        st.builds(lambda at, part: sample[:at] + part + sample[at:], place, st.binary(max_size=8)),
        st.builds(lambda at, part: sample[:at] + part + sample[at + len(part) :], place, st.binary(min_size=1, max_size=4)),
        st.builds(lambda a, b: sample[: min(a, b)] + sample[max(a, b) :], place, place),
    )


@each_codec
@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_any_bytes_at_all_are_accounted_for(name, data):
    values = data.draw(st.lists(st.one_of(st.none(), _mutations(SAMPLES[name])), max_size=6))
    codec, catalog = build_codec(SOURCES[name]), OpenCatalog()
    _holds(codec.decode(_records(values), catalog), len(values))
    _holds(codec.decode(_records([SAMPLES[name], *values]), catalog), len(values) + 1)


def _told(decoded):
    """Everything a batch gave, record by record in order, without the record's place in the batch."""
    samples, lines = decoded.samples, decoded.lines
    told = [
        (row, "sample", *rest) for row, *rest in zip(samples.row, samples.key, samples.ts_ns, samples.value.tolist(), strict=True)
    ]
    told += [
        (row, "line", *rest) for row, *rest in zip(lines.row, lines.key, lines.ts_ns, lines.severity, lines.text, strict=True)
    ]
    told += [(event.row, "event", event.key, event.ts_ns, event.name, event.text) for event in decoded.events]
    told += [(part.row, "more", repr(astuple(part)[1:])) for parts in decoded[4:] for part in parts]
    told += [(part.row, "rejected", part.reason) for part in decoded.rejected]
    return [rest for _, *rest in sorted(told, key=lambda part: part[0])]


@each_codec
@settings(max_examples=40, deadline=None)
@given(data=st.data())
def test_neither_the_cut_nor_what_is_remembered_changes_what_is_read(name, data):
    """A crash empties every cache: what is read after it must be what would have been read without it."""
    values = data.draw(st.lists(st.one_of(st.just(SAMPLES[name]), _mutations(SAMPLES[name])), min_size=1, max_size=6))
    catalog, records = OpenCatalog(), _records(values)
    warm = build_codec(SOURCES[name])
    at_once = _told(warm.decode(records, catalog))
    assert _told(warm.decode(records, catalog)) == at_once
    assert [part for record in records for part in _told(build_codec(SOURCES[name]).decode([record], catalog))] == at_once


_json = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["a", "x", "b", "name", "c:d"]), inner, max_size=3)
    ),
    max_leaves=6,
)


@pytest.mark.parametrize("name", ["metric", "leaves", "many", "wide", "log", "event", "cloudevents", "alertmanager"])
@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_any_json_in_any_member_is_accounted_for(name, data):
    document = orjson.loads(SAMPLES[name])
    inner = document[0] if isinstance(document, list) else document
    members = [*inner, "data", "labels", "source", "host"]
    changed = {**inner, **{member: data.draw(_json) for member in data.draw(st.lists(st.sampled_from(members), max_size=3))}}
    _holds(build_codec(SOURCES[name]).decode(_records([orjson.dumps(changed)]), OpenCatalog()), 1)
