"""What is said of a topic: each concern has a topic that causes it, and a sound one causes none."""

from __future__ import annotations

import gzip

import cramjam
import orjson
import pytest
import zstandard
from hypothesis import example, given, settings
from hypothesis import strategies as st

from connectors.codecs.proto import prometheus_write_pb2 as write
from engine.config.load import parse_config
from engine.config.tree import Detect, Format, Source
from engine.doctor.diagnosis import diagnose
from engine.doctor.findings import Concern, series_estimate
from engine.doctor.proposal import as_yaml
from engine.doctor.sample import Sample
from engine.records import Record
from engine.wiring.doctor import tools_for

NOW_NS = 1_795_218_900_000_000_000
SECOND_NS = 1_000_000_000


def influx(n, *, host="a", at_ns=NOW_NS, value=None):
    return b"cpu,host=%s usage=%d %d" % (host.encode(), n if value is None else value, at_ns - (100 - n % 100) * SECOND_NS)


def topic(values, *, keys=None, partitions=None, ts_ns=None, headers=()):
    partitions = partitions or [0] * len(values)
    records = [
        Record(
            "t",
            partition,
            n,
            NOW_NS - (100 - n % 100) * SECOND_NS if ts_ns is None else ts_ns,
            keys[n] if keys else None,
            value,
            headers,
        )
        for n, (value, partition) in enumerate(zip(values, partitions, strict=True))
    ]
    return Sample("t", records, dict.fromkeys(partitions, 1))


def said(sample, *, detect=None, configured=None):
    diagnosis, source = diagnose(sample, tools_for(), detect or Detect(), NOW_NS, configured)
    return {finding.concern: finding for finding in diagnosis.findings}, source, diagnosis


def test_of_a_sound_topic_nothing_is_said():
    findings, source, diagnosis = said(topic([influx(n, value=n % 7) for n in range(100)]))
    assert (findings, source.format, diagnosis.is_well()) == ({}, Format.INFLUX, True)
    assert diagnosis.given.samples == 100


def test_an_empty_topic_is_said_to_be_one():
    findings, source, _ = said(Sample("t", [], {0: 0}))
    assert (list(findings), source) == ([Concern.EMPTY_TOPIC], None)


# ------------------------------------------------------------------------------------------------ partitions and keys
def test_a_series_on_two_partitions_is_a_warning_with_its_name():
    findings, _, diagnosis = said(topic([influx(n) for n in range(40)], partitions=[n % 2 for n in range(40)]))
    found = findings[Concern.SPLIT_SERIES]
    assert found.is_warning
    assert found.examples == ['cpu.usage{host="a"}']
    assert "no key" in found.advice
    assert not diagnosis.is_well()


def test_keys_that_are_different_each_time_are_named_as_the_reason():
    keys = [b"%08x" % n for n in range(100)]
    findings, _, _ = said(topic([influx(n) for n in range(100)], keys=keys, partitions=[n % 3 for n in range(100)]))
    assert "different with each record" in findings[Concern.SPLIT_SERIES].advice


def test_keyed_by_series_all_is_well():
    values = [influx(n, host="ab"[n % 2], value=n % 7) for n in range(100)]
    findings, _, _ = said(
        topic(values, keys=[b"ab"[n % 2 : n % 2 + 1] for n in range(100)], partitions=[n % 2 for n in range(100)])
    )
    assert findings == {}


def test_without_keys_but_not_yet_split_it_is_a_warning_too():
    values = [influx(n, host="ab"[n % 2], value=n % 7) for n in range(100)]
    findings, _, _ = said(topic(values, partitions=[n % 2 for n in range(100)]))
    assert list(findings) == [Concern.EMPTY_KEYS]


# ------------------------------------------------------------------------------------------------ times
@pytest.mark.parametrize(
    ("shift_s", "concerns"),
    [
        (0, []),
        (7200, [Concern.SHIFTED_TIMES, Concern.FUTURE_TIMES]),
        (-5.5 * 3600, [Concern.SHIFTED_TIMES]),
        (-40 * 86400, [Concern.PAST_TIMES]),
        (400, [Concern.FUTURE_TIMES]),
    ],
)
def test_event_times_away_from_the_logs(shift_s, concerns):
    values = [influx(n, at_ns=NOW_NS + int(shift_s * SECOND_NS), value=n % 7) for n in range(100)]
    findings, _, _ = said(topic(values))
    assert list(findings) == concerns


def test_records_stamped_later_than_now():
    findings, _, _ = said(topic([influx(n, value=n % 7) for n in range(100)], ts_ns=NOW_NS + 3600 * SECOND_NS))
    assert Concern.FUTURE_TIMES in findings


def test_times_of_a_file_are_held_against_nothing():
    sample = topic([influx(n, at_ns=NOW_NS + 7200 * SECOND_NS, value=n % 7) for n in range(100)])
    sample.is_timed = False
    assert said(sample)[0] == {}


# ------------------------------------------------------------------------------------------------ formats and bodies
def test_two_formats_on_one_topic_are_told_apart():
    log = b'{"@timestamp":"2026-11-20T23:54:%02d.509Z","log.level":"ERROR","message":"m","service.name":"a","service.environment":"b"}'
    values = [influx(n) if n % 4 else log % (n % 60) for n in range(100)]
    findings, source, diagnosis = said(topic(values))
    assert source.format is Format.INFLUX
    assert [(kind.like, kind.share) for kind in diagnosis.kinds] == [("telegraf-influx", 0.75), ("ecs-logging", 0.25)]
    assert findings[Concern.MIXED_FORMATS].is_warning


@pytest.mark.parametrize(
    ("pack", "way"),
    [
        (gzip.compress, "auto"),
        (zstandard.ZstdCompressor().compress, "auto"),
        (lambda raw: bytes(cramjam.snappy.compress_raw(raw)), "snappy"),
    ],
    ids=["gzip", "zstd", "snappy"],
)
def test_packed_bodies_are_opened_and_the_proposal_says_how(pack, way):
    findings, source, diagnosis = said(topic([pack(influx(n, value=n % 7)) for n in range(100)]))
    assert (source.format, source.compression) == (Format.INFLUX, way)
    assert diagnosis.kinds[0].share == 1.0
    assert not findings[Concern.COMPRESSED].is_warning


def test_remote_write_with_the_header_of_its_snappy_is_not_opened_twice():
    request = write.Write2(symbols=["", "__name__", "up", "job", "a"])
    request.timeseries.add(labels_refs=[1, 2, 3, 4]).samples.add(value=1.5, timestamp=1_795_218_875_509)
    body = bytes(cramjam.snappy.compress_raw(request.SerializeToString()))
    _, source, _ = said(topic([body] * 3, headers=(("Content-Encoding", b"snappy"),)))
    assert (source.format, source.compression) == (Format.PROMETHEUS_REMOTE_WRITE, "none")


def test_what_is_not_read_is_counted_with_its_reason():
    values = [influx(n) if n % 5 else b"cpu,host=a usage=NaN 1" for n in range(100)]
    findings, _, _ = said(topic(values))
    assert "20 %" in findings[Concern.UNREAD].message
    assert "malformed" in findings[Concern.UNREAD].examples[0]


def test_text_that_is_not_utf8():
    values = [b"ERROR gateway tim\xe9out %d" % n if n % 2 else b"INFO fine %d" % n for n in range(100)]
    findings, source, _ = said(topic(values))
    assert source.format is Format.TEXT
    assert "50 %" in findings[Concern.NOT_UTF8].message


def test_tombstones_and_large_records():
    large = b"\n".join(influx(n, value=n % 7) for n in range(40_000))
    findings, source, _ = said(topic([None, large, influx(1)]))
    assert Concern.TOMBSTONES in findings
    assert not findings[Concern.TOO_LARGE].is_warning
    assert source.record_bytes_max == 2 * 2**20


def test_schemas_of_a_registry_are_named():
    findings, source, _ = said(topic([b"\x00\x00\x00\x00\x07\x0ccheckout\xff\xfe%d" % n for n in range(20)]))
    assert source is None
    assert "schema 7" in findings[Concern.FRAMED].message


def test_bytes_that_nothing_reads():
    findings, source, _ = said(topic([b"\xff\xfe\x80\x81%d" % n for n in range(20)]))
    assert (list(findings), source) == ([Concern.UNKNOWN_FORMAT], None)


def test_a_log_that_is_damaged_is_named():
    sample = topic([influx(n, value=n % 7) for n in range(100)])
    sample.damaged.append("partition 3 offset 17: decompression failed")
    assert "offset 17" in said(sample)[0][Concern.DAMAGED].message


# ------------------------------------------------------------------------------------------------ series
def test_too_many_series_for_a_shard():
    values = [influx(n, host=f"h{n % 50}", value=n % 7) for n in range(1000)]
    assert Concern.TOO_MANY_SERIES in said(topic(values), detect=Detect(series_max=40))[0]
    assert Concern.TOO_MANY_SERIES not in said(topic(values), detect=Detect(series_max=60))[0]


def test_series_that_the_sample_did_not_show_are_guessed_from_those_seen_once():
    from collections import Counter

    assert series_estimate(Counter({b"a": 10, b"b": 10})) == 2
    assert series_estimate(Counter({b"a": 10, b"b": 9, b"c": 1})) == pytest.approx(3 / 0.95)
    assert series_estimate(Counter(dict.fromkeys("abcdef", 1))) == 6  # says too little to guess


def test_churn_is_dropped_by_the_proposal():
    values = [
        b"cpu,host=a,run=0b7a2f7e-6b57-4a3c-9a2c-%012x usage=%d %d" % (n, n % 7, NOW_NS - (100 - n) * SECOND_NS)
        for n in range(100)
    ]
    findings, source, _ = said(topic(values))
    assert not findings[Concern.CHURN].is_warning
    assert "run" in source.drop_labels


def test_series_of_nobody_get_an_entity():
    values = [b"m,job=%s v=%d %d" % (b"ab"[n % 2 : n % 2 + 1], n % 7, NOW_NS - (100 - n) * SECOND_NS) for n in range(100)]
    findings, source, _ = said(topic(values))
    assert not findings[Concern.NO_ENTITY].is_warning
    assert source.entity_labels == ["job"]


def test_counters_by_what_they_do():
    findings, source, diagnosis = said(topic([influx(n, value=n * 10) for n in range(100)]))
    assert source.counters == ["cpu.usage"]
    assert not findings[Concern.COUNTERS].is_warning
    assert diagnosis.metrics[0].kind == "counter"


# ------------------------------------------------------------------------------------------------ a configured source
def test_a_configured_source_that_fits_is_kept():
    configured = Source(name="mine", topics=["t"], format=Format.INFLUX, drop_labels=["x"])
    findings, source, diagnosis = said(topic([influx(n, value=n % 7) for n in range(100)]), configured=configured)
    assert (findings, source, diagnosis.kinds[0].like) == ({}, configured, "configured")


def test_a_configured_source_that_reads_nothing_is_a_warning():
    configured = Source(name="mine", topics=["t"], format=Format.OTLP_METRICS)
    findings, source, _ = said(topic([influx(n) for n in range(100)]), configured=configured)
    assert "mine reads 0 %" in findings[Concern.OTHERWISE].message
    assert source.format is Format.INFLUX


# ------------------------------------------------------------------------------------------------ hostile topics
HOSTILE = [
    None,
    b"",
    b"\x00",
    b"{" * 5000,
    b"[" * 5000 + b"]" * 5000,
    b'{"a":' * 900 + b"1" + b"}" * 900,
    orjson.dumps({f"key{n}": n for n in range(5000)}),
    orjson.dumps({"timestamp": 1e300, "value": 1e308, "name": "x" * 9000}),
    orjson.dumps({"=x": 1, "jmespath: a": "2", "a|b": 3, "": 4, ".": 5, "..": 6}),
    orjson.dumps([{"time": "2026-11-20T23:54:35Z"}] * 3000),
    b"\x1f\x8b" + b"\x00" * 50,
    b"\x28\xb5\x2f\xfd" + b"\xff" * 50,
    gzip.compress(b"\x00" * 30_000_000),
    b"<165>1 " + b"x" * 4000,
    b"a=" * 3000,
    b"\x0a" * 300,
    b"\xff" * 70_000,
]


@pytest.mark.parametrize("at", range(len(HOSTILE)))
def test_a_topic_full_of_one_hostile_record_is_survived(at):
    _, source, _ = said(topic([HOSTILE[at]] * 20))
    if source is not None:
        parse_config(as_yaml([source]).encode(), {})


def test_a_topic_with_all_of_them_is_survived_and_the_rest_of_it_recognised():
    values = [influx(n) for n in range(300)]
    for n, value in enumerate(HOSTILE):
        values[n * 15] = value
    _, source, diagnosis = said(topic(values))
    assert source.format is Format.INFLUX
    assert diagnosis.kinds[0].share > 0.9


@settings(max_examples=40, deadline=None)
@given(
    st.lists(
        st.one_of(st.binary(max_size=200), st.sampled_from([b'{"ts":1,"value":2,"name":"a"}', b"a b=1 2", b"k=v a=b"])),
        max_size=8,
    )
)
def test_any_bytes_give_a_valid_proposal_or_none(values):
    _, source, _ = said(topic(values))
    if source is not None:
        parse_config(as_yaml([source]).encode(), {})


_json = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.one_of(st.sampled_from(["ts", "value", "name", "message", "labels", "time"]), st.text(max_size=6)),
            inner,
            max_size=4,
        )
    ),
    max_leaves=8,
)


@settings(max_examples=60, deadline=None)
@given(st.lists(_json.map(orjson.dumps), min_size=1, max_size=6))
@example([b'{"":{"ts":0}}'])
@example([b'{".":0}'])
@example([b'{".":{"a":0}}'])
def test_any_json_gives_a_valid_proposal_or_none(values):
    _, source, _ = said(topic(values))
    if source is not None:
        parse_config(as_yaml([source]).encode(), {})
