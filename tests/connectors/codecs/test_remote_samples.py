"""The short way for remote write gives what the library gives, whatever the bytes, and is taken where it can be."""

import math
import struct

import cramjam
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from torn_bytes import every_byte, told, torn

from connectors.codecs import known_parts, remote_write
from connectors.codecs.columns import ColumnsBuilder
from connectors.codecs.proto import prometheus_write_pb2 as write
from connectors.codecs.remote_write import RemoteWriteCodec
from detectors.kernel import JIT
from engine.config.tree import Format, Source
from engine.detect.catalog import SourceCatalog
from engine.errors import Reject
from engine.records import Record

SOURCE = Source(name="s", topics=["t"], format=Format.PROMETHEUS_REMOTE_WRITE)
NOW_MS = 1_795_218_875_509
FLIPS = 3_000 if JIT else 40
STALE_NAN = struct.unpack("<d", struct.pack("<Q", 0x7FF0000000000002))[0]


def one(names=("x_total", "y", "z_created"), values=(1.5, 0.0, 7.0), kind=write.UNKNOWN):
    """Version 1, a series for each name and pod, a sample of each value in it."""
    request = write.Write1()
    for name in names:
        for pod in ("a", "b"):
            texts = ("__name__", name), ("pod", pod), ("path", "/grün")
            series = request.timeseries.add(labels=[write.Label(name=label, value=text) for label, text in texts])
            for n, value in enumerate(values):
                series.samples.add(value=value, timestamp=NOW_MS + n)
    return request


def two(names=("x_total", "y", "z_created"), values=(1.5, 0.0, 7.0), kind=write.COUNTER):
    """The same in version 2."""
    request, symbols = write.Write2(), {"": 0}
    for name in names:
        for pod in ("a", "b"):
            texts = ("__name__", name, "pod", pod, "path", "/grün")
            series = request.timeseries.add(labels_refs=[symbols.setdefault(text, len(symbols)) for text in texts])
            series.metadata.type, series.metadata.unit_ref = kind, symbols.setdefault("By", len(symbols))
            for n, value in enumerate(values):
                series.samples.add(value=value, timestamp=NOW_MS + n)
    request.symbols.extend(symbols)
    return request


def packed(request):
    return bytes(cramjam.snappy.compress_raw(request if isinstance(request, bytes) else request.SerializeToString()))


def records(requests):
    return [Record("t", 0, n, NOW_MS * 10**6, None, packed(request)) for n, request in enumerate(requests)]


def described(decoded, catalog):
    """The kind and the unit of every series, too."""
    return told(decoded), [(series.kind, series.unit) for series in map(catalog.describe, decoded.samples.key)]


def agrees(requests, taught=()):
    """Both ways, cold and warm, in one batch and record by record, with everything that series are said to be."""
    catalog, catalog_short = SourceCatalog(SOURCE), SourceCatalog(SOURCE)
    general, short = RemoteWriteCodec(SOURCE, short=False), RemoteWriteCodec(SOURCE)
    general.decode(records(taught), catalog)
    short.decode(records(taught), catalog_short)
    for _ in range(3):
        expected = described(general.decode(records(requests), catalog), catalog)
        assert described(short.decode(records(requests), catalog_short), catalog_short) == expected
    for request in requests:
        single = described(short.decode(records([request]), catalog_short), catalog_short)
        assert single == described(general.decode(records([request]), catalog), catalog)


def left(request):
    """Requests that the short way leaves to the library, when it has seen the same one before."""
    body = request if isinstance(request, bytes) else request.SerializeToString()
    short = RemoteWriteCodec(SOURCE)
    short.decode(records([body]), SourceCatalog(SOURCE))
    return short._samples.take(np.zeros(1, np.int32), [body], ColumnsBuilder(100))


@pytest.mark.parametrize("make", [one, two])
def test_samples_of_series_that_were_read_before_are_read_the_short_way(make):
    assert left(make()) == []
    agrees([make(), make(values=[3.0]), make(names=["new", "y"]), make(values=[])])


def test_any_order_of_requests_new_and_known_of_both_versions():
    agrees([make(names=[name]) for name in "aabacbdaccdd" for make in (one, two)] + [b"", b"\xff"])


@pytest.mark.parametrize("make", [one, two])
def test_series_that_have_ended_are_counted_the_short_way(make):
    """Also one that never had a value, as the quantiles of a summary that nobody feeds."""
    request = make(values=[math.nan, STALE_NAN, 2.0])
    assert left(request) == []
    assert left(make(names=["y"], values=[math.nan])) == []
    agrees([request, make(), make(values=[math.nan])])
    found = RemoteWriteCodec(SOURCE).decode(records([request]), SourceCatalog(SOURCE))
    assert {part.reason for part in found.rejected} == {Reject.STALE}


def test_a_request_that_gives_nothing_says_so():
    request = two(names=["z_created"], kind=write.GAUGE)
    assert len(left(request)) == 1
    agrees([request, two(kind=write.GAUGE), request])
    found = RemoteWriteCodec(SOURCE).decode(records([request]), SourceCatalog(SOURCE))
    assert [part.reason for part in found.rejected] == [Reject.METADATA]


def test_a_kind_that_changes_is_a_series_that_is_new_to_the_short_way():
    codec, catalog = RemoteWriteCodec(SOURCE), SourceCatalog(SOURCE)
    codec.decode(records([two(kind=write.COUNTER)]), catalog)
    (found,) = codec._samples.take(np.zeros(1, np.int32), [two(kind=write.GAUGE).SerializeToString()], ColumnsBuilder(100))
    assert found == (0, True)
    agrees([two(kind=write.COUNTER), two(kind=write.GAUGE), two(kind=write.HISTOGRAM)])


def test_kinds_of_families_that_come_later_change_nothing_that_is_known():
    about = write.Write1(metadata=[{"type": write.COUNTER, "metric_family_name": name} for name in ("x", "y", "new")])
    agrees([one(), about, one(), one(names=["new", "y"])])
    agrees([one(), about, one(names=["new", "y"]), one()], taught=[one(names=["y"])])


def changed(make, change):
    request = make(names=["x"], values=[1.0])
    change(request)
    return request


def with_exemplar(series):
    """Fields that a message does not know are written behind all others, so that no metadata may stand there."""
    series = write.Series2(labels_refs=series.labels_refs, samples=series.samples)
    series.MergeFromString(b"\x22\x03abc")
    return series


def sample(request):
    return request.timeseries[1].samples[0]


@pytest.mark.parametrize("make", [one, two])
@pytest.mark.parametrize(
    "change",
    [
        lambda request: setattr(sample(request), "timestamp", -1),
        lambda request: setattr(sample(request), "timestamp", 2**62),
        lambda request: setattr(sample(request), "timestamp", 0),
        lambda request: request.timeseries[0].histograms.add(count_int=1, sum=2.0, timestamp=NOW_MS),
        lambda request: request.timeseries.add(samples=[{"value": 1.0, "timestamp": NOW_MS}]),
        lambda request: request.MergeFromString(b"\x7a\x01a"),
        lambda request: request.timeseries[0].MergeFromString(b"\x7a\x01a"),
        lambda request: sample(request).MergeFromString(b"\x7a\x01a"),
    ],
)
def test_what_is_not_plain_is_left_to_the_library(make, change):
    request = changed(make, change)
    assert len(left(request)) == 1
    agrees([request, make()], taught=[make(names=["x"])])


@pytest.mark.parametrize("make", [one, two])
@pytest.mark.parametrize("value", [math.inf, -math.inf, 1e15, 2.0**64])
def test_what_has_no_limit_is_refused_on_the_short_way_too(make, value):
    """Every program in Go has such a series: its samples may not cost all others of their request the short way."""
    request = changed(make, lambda request: setattr(sample(request), "value", value))
    assert len(left(request)) == 0
    agrees([request, make(), request], taught=[make(names=["x"])])


@pytest.mark.parametrize(
    "change",
    [
        lambda request: request.timeseries[0].metadata.ClearField("unit_ref"),
        lambda request: request.timeseries[0].ClearField("metadata"),
        lambda request: setattr(request.timeseries[0], "created_timestamp", NOW_MS),
        lambda request: setattr(sample(request), "start_timestamp", NOW_MS),
        lambda request: setattr(sample(request), "timestamp", 1),
        lambda request: request.timeseries[0].samples.add(value=-1.0, timestamp=NOW_MS - 5),
        lambda request: request.timeseries[0].ClearField("samples"),
        lambda request: request.symbols.append("never asked for"),
        lambda request: request.timeseries[0].CopyFrom(with_exemplar(request.timeseries[0])),
        lambda request: request.timeseries[0].metadata.MergeFromString(b"\x18\x01"),  # the text of a help
    ],
)
def test_what_is_plain_is_read_the_short_way(change):
    request = changed(two, change)
    assert left(request) == []
    agrees([request, two()], taught=[two(names=["x"])])


@pytest.mark.parametrize(
    "change",
    [
        lambda request: request.timeseries[1].labels_refs.append(99),
        lambda request: request.timeseries[1].labels_refs.append(2**32 - 1),
        lambda request: request.timeseries[1].labels_refs.append(1),
        lambda request: request.timeseries[1].ClearField("labels_refs"),
        lambda request: setattr(request.timeseries[1].metadata, "unit_ref", 99),
        lambda request: request.timeseries[1].labels_refs.extend([1, 2] * 70),
    ],
)
def test_references_that_lead_nowhere_are_left_to_the_library(change):
    request = changed(two, change)
    assert len(left(request)) == 1
    agrees([request, two()], taught=[two(names=["x"])])


def test_a_text_that_is_not_utf8_is_never_taken_for_known():
    """Nor when no series refers to it: the library refuses the request as a whole."""
    body = two().SerializeToString()
    agrees([b"\x22\x01\xff" + body, body, body + b"\x22\x01\xff"], taught=[body])


def test_more_samples_than_a_request_may_hold(monkeypatch):
    monkeypatch.setattr(remote_write, "SAMPLES_MAX", 10)
    request = one(names=["x"], values=[1.0] * 6)
    assert len(left(request)) == 1
    agrees([request, one(names=["x"], values=[1.0] * 5), request])


@pytest.mark.parametrize("make", [one, two])
def test_both_ways_agree_on_torn_bytes(make):
    rng = np.random.default_rng(5)
    small = make(names=["x"], values=[2.0]).SerializeToString()
    agrees([small, *(torn(small, rng) for _ in range(FLIPS))])


@pytest.mark.parametrize("make", [one, two])
def test_both_ways_agree_on_every_byte_at_every_place(make):
    small = make(names=["x"], values=[2.0]).SerializeToString()
    agrees([small, *every_byte(small, step=1 if JIT else 40)])


TEXTS = st.sampled_from(["", "__name__", "x_created", "y", "pod", "a", "ü"])


@settings(max_examples=40 if JIT else 2, deadline=None)
@given(st.data())
def test_both_ways_agree_on_requests_of_any_shape(data):
    requests = []
    for _ in range(data.draw(st.integers(1, 4))):
        request = data.draw(st.sampled_from([write.Write1, write.Write2]))()
        if isinstance(request, write.Write2):
            request.symbols.extend(data.draw(st.lists(TEXTS, min_size=1, max_size=8)))
        for _ in range(data.draw(st.integers(0, 3))):
            series = request.timeseries.add()
            if isinstance(request, write.Write2):
                series.labels_refs.extend(data.draw(st.lists(st.integers(0, len(request.symbols)), max_size=6)))
                series.metadata.type, series.metadata.unit_ref = data.draw(st.integers(0, 9)), data.draw(st.integers(0, 3))
            else:
                texts = data.draw(st.lists(st.tuples(TEXTS, TEXTS), max_size=4))
                series.labels.extend([write.Label(name=name, value=text) for name, text in texts])
            for value in data.draw(st.lists(st.floats(), max_size=3)):
                series.samples.add(value=value, timestamp=data.draw(st.sampled_from([NOW_MS, 0, 1, -5, 2**60])))
        requests.append(request)
    agrees(requests)


def test_a_table_that_is_full_begins_anew(monkeypatch):
    monkeypatch.setattr(known_parts, "NODES_MAX", 60)
    agrees([make(names=[f"s{n % 40}"], values=[1.0]) for n in range(80) for make in (one, two)])


def test_a_request_that_no_table_could_hold_is_read_by_the_library(monkeypatch):
    monkeypatch.setattr(known_parts, "ARENA_MAX", 100)
    assert len(left(two())) == 1
    agrees([two(), one(), two()])


def test_words_of_requests_that_are_never_plain_are_not_kept_for_ever(monkeypatch):
    monkeypatch.setattr(known_parts, "WORDS_MAX", 50)
    codec, catalog = RemoteWriteCodec(SOURCE), SourceCatalog(SOURCE)
    for n in range(60):
        request = two(names=[f"s{n}"])
        sample(request).timestamp = -1
        codec.decode(records([two(), request]), catalog)
    assert len(codec._samples._known.words) <= 60


def test_the_table_grows_with_what_it_holds():
    requests = [two(names=[f"s{n}.{k}" for k in range(20)]) for n in range(150 if JIT else 3)]
    codec, catalog = RemoteWriteCodec(SOURCE), SourceCatalog(SOURCE)
    codec.decode(records(requests), catalog)
    bodies = [request.SerializeToString() for request in requests]
    assert codec._samples.take(np.arange(len(bodies), dtype=np.int32), bodies, ColumnsBuilder(100)) == []


def test_bodies_are_unpacked_some_at_a_time(monkeypatch):
    monkeypatch.setattr(remote_write, "RUN_BYTES", 300)
    agrees([make(names=[name]) for name in "aabacb" for make in (one, two)] + [b""])
