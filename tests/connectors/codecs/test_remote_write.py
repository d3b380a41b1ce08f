"""Remote write: versions told apart, kinds, stale markers, native histograms, and what a hostile body may not do."""

import math
import struct

import cramjam
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.codecs.exponential import bound
from connectors.codecs.native_histograms import buckets_of
from connectors.codecs.packed import unsnap
from connectors.codecs.proto import prometheus_write_pb2 as write
from connectors.codecs.remote_write import BODY_BYTES_MAX, SAMPLES_MAX, RemoteWriteCodec
from engine.config.tree import Format, Source
from engine.errors import QUIET, DecodeError, Reject

SOURCE = Source(name="s", topics=["t"], format=Format.PROMETHEUS_REMOTE_WRITE)
NOW_MS = 1_795_218_875_509


def packed(request):
    return bytes(cramjam.snappy.compress_raw(request.SerializeToString()))


def one(labels, *values, kind=write.UNKNOWN, unit="", **members):
    """A request of version 2 with one series."""
    symbols = ["", unit, *labels]
    request = write.Write2(symbols=symbols)
    series = request.timeseries.add(
        labels_refs=range(2, len(symbols)), metadata={"type": kind, "unit_ref": 1 if unit else 0}, **members
    )
    for at, value in enumerate(values):
        series.samples.add(value=value, timestamp=NOW_MS + at)
    return request


def read(catalog, record, *requests):
    codec = RemoteWriteCodec(SOURCE)
    return codec.decode([record(packed(request)) for request in requests], catalog)


def test_version_2_declares_kind_and_unit_with_the_series(catalog, record):
    found = read(catalog, record, one(["__name__", "queue_in", "job", "a"], 7.0, kind=write.COUNTER))
    (key,) = found.samples.key
    assert key == b'queue_in{job="a"}'
    assert catalog.describe(key).kind == "counter"
    assert found.samples.ts_ns.tolist() == [NOW_MS * 1_000_000]


@pytest.mark.parametrize("family", ["queue_in", "queue_in_total"])
def test_version_1_declares_kinds_in_a_request_of_its_own(catalog, record, family):
    about = write.Write1(metadata=[{"type": write.COUNTER, "metric_family_name": family}])
    data = write.Write1()
    series = data.timeseries.add(labels=[{"name": "__name__", "value": "queue_in_total"}])
    series.samples.add(value=1.0, timestamp=NOW_MS)
    found = read(catalog, record, about, data)
    assert catalog.describe(found.samples.key[0]).kind == "counter"
    assert [part.reason for part in found.rejected] == [Reject.METADATA]


@pytest.mark.parametrize(
    ("kind", "name", "expected"),
    [
        (write.SUMMARY, "rpc_seconds", "gauge"),
        (write.SUMMARY, "rpc_seconds_sum", "counter"),
        (write.HISTOGRAM, "size_count", "counter"),
        (write.GAUGEHISTOGRAM, "size_bucket", "gauge"),
        (write.INFO, "build_info", "gauge"),
    ],
)
def test_parts_of_a_family_have_kinds_of_their_own(catalog, record, kind, name, expected):
    found = read(catalog, record, one(["__name__", name], 1.0, kind=kind))
    assert catalog.describe(found.samples.key[0]).kind == expected


@pytest.mark.parametrize("bits", [0x7FF0000000000002, 0x7FF8000000000002, 0x7FF8000000000001])
def test_a_nan_is_stale_and_no_dead_letter(catalog, record, bits):
    body = one(["__name__", "up"], 1.0).SerializeToString().replace(struct.pack("<d", 1.0), struct.pack("<Q", bits))
    found = RemoteWriteCodec(SOURCE).decode([record(bytes(cramjam.snappy.compress_raw(body)))], catalog)
    assert not len(found.samples.row)
    assert [part.reason for part in found.rejected] == [Reject.STALE]
    assert Reject.STALE in QUIET


@pytest.mark.parametrize("value", [2.0**64, float("inf"), float("-inf"), 1e15])
def test_a_limit_that_is_none_is_counted_and_no_dead_letter(catalog, record, value):
    """Every program in Go writes 2^64 as its limit of virtual memory: no record of remote write would be without a dead letter."""
    found = read(catalog, record, one(["__name__", "process_virtual_memory_max_bytes"], value, 5.0))
    assert found.samples.value.tolist() == [5.0]
    assert [part.reason for part in found.rejected] == [Reject.UNLIMITED]
    assert Reject.UNLIMITED in QUIET


def test_series_that_say_when_another_began_are_dropped_unless_they_count(catalog, record):
    found = read(
        catalog,
        record,
        one(["__name__", "requests_created"], 1.7e9),
        one(["__name__", "orders_created"], 1.0, kind=write.COUNTER),
    )
    assert found.samples.key == [b"orders_created"]
    assert [part.reason for part in found.rejected] == [Reject.METADATA]


def test_a_reference_beyond_the_table_costs_its_series_only(catalog, record):
    request = one(["__name__", "up"], 1.0)
    request.timeseries.add(labels_refs=[2, 99]).samples.add(value=1.0)
    request.timeseries.add(labels_refs=[2]).samples.add(value=1.0)
    found = read(catalog, record, request)
    assert found.samples.key == [b"up"]
    assert [part.reason for part in found.rejected] == [Reject.MALFORMED] * 2


def test_a_time_beyond_64_bits_is_refused(catalog, record):
    request = one(["__name__", "up"], 1.0)
    request.timeseries[0].samples[0].timestamp = 2**62
    assert [part.reason for part in read(catalog, record, request).rejected] == [Reject.BAD_TIME]


def test_too_many_samples_are_refused(catalog, record):
    found = read(catalog, record, one(["__name__", "up"], *[1.0] * (SAMPLES_MAX + 1)))
    assert [part.reason for part in found.rejected] == [Reject.TOO_MANY_FIELDS]


def test_a_block_that_states_more_than_the_limit_is_not_unpacked(catalog, record):
    block = bytes(cramjam.snappy.compress_raw(bytes(BODY_BYTES_MAX + 1)))
    assert len(block) < 1_000_000
    found = RemoteWriteCodec(SOURCE).decode([record(block)], catalog)
    assert [part.reason for part in found.rejected] == [Reject.TOO_LARGE]


@pytest.mark.parametrize("size", [2**30, 2**31, 2**32 - 1])
def test_a_block_that_states_gigabytes_is_refused_by_what_it_states(catalog, record, size):
    """The unpacking library asks for all the memory that a block states, and ends the process when there is none."""
    stated = bytes([*((size >> shift & 0x7F) | 0x80 for shift in (0, 7, 14, 21)), size >> 28])
    found = RemoteWriteCodec(SOURCE).decode([record(stated + b"\x00a")], catalog)
    assert [part.reason for part in found.rejected] == [Reject.TOO_LARGE]


@pytest.mark.parametrize("value", [b"\xff" * 9, b"", b"\x80", b"\x05abc", b"\xff\xff\xff\xff\x0f"])
def test_what_is_no_block_is_malformed_or_too_large(value):
    with pytest.raises(DecodeError):
        unsnap(value, 1000)


# ------------------------------------------------------------------------------------------------- native histograms
def test_a_native_histogram_is_a_distribution(catalog, record):
    request = one(["__name__", "rpc_seconds"], created_timestamp=NOW_MS - 60_000)
    request.timeseries[0].histograms.add(
        count_int=12,
        sum=18.4,
        schema=1,
        zero_threshold=0.001,
        zero_count_int=2,
        positive_spans=[{"offset": 0, "length": 2}, {"offset": 1, "length": 2}],
        positive_deltas=[1, 1, -1, 0],
        negative_spans=[{"offset": 1, "length": 1}],
        negative_deltas=[5],
        timestamp=NOW_MS,
    )
    (part,) = read(catalog, record, request).distributions
    root = math.sqrt(2.0)
    assert part.bounds == (-root, -1.0, -0.001, 0.001, root / 2, 1.0, root, 2.0, 2 * root, 4.0)
    assert part.counts == (0.0, 5.0, 0.0, 2.0, 0.0, 1.0, 2.0, 0.0, 1.0, 1.0, 0.0)
    assert (part.start_ns, part.total, part.is_delta) == ((NOW_MS - 60_000) * 10**6, 18.4, False)


def test_a_float_histogram_states_its_counts_as_they_are():
    histogram = write.Histogram(schema=0, positive_spans=[{"offset": 1, "length": 2}], positive_counts=[0.5, 1.25])
    assert buckets_of(histogram) == ((1.0, 2.0, 4.0), (0.0, 0.5, 1.25, 0.0))


def test_custom_bounds_are_taken_as_they_are():
    histogram = write.Histogram(
        schema=-53, custom_values=[0.1, 0.5], positive_spans=[{"offset": 0, "length": 3}], positive_deltas=[4, -1, -2]
    )
    assert buckets_of(histogram) == ((0.1, 0.5), (4.0, 3.0, 1.0))


@pytest.mark.parametrize(
    "histogram",
    [
        write.Histogram(positive_spans=[{"offset": 0, "length": 2**32 - 1}], positive_deltas=[1]),
        write.Histogram(positive_spans=[{"offset": 0, "length": 1}], positive_deltas=[-1]),
        write.Histogram(positive_spans=[{"offset": 0, "length": 1}], positive_counts=[math.nan]),
        write.Histogram(schema=99),
        write.Histogram(schema=-53, custom_values=[1.0], positive_spans=[{"offset": 5, "length": 1}], positive_deltas=[1]),
    ],
)
def test_a_histogram_that_contradicts_itself_is_refused(histogram):
    with pytest.raises(DecodeError):
        buckets_of(histogram)


@given(
    st.integers(-4, 8),
    st.dictionaries(st.integers(-2000, 2000), st.integers(1, 50), min_size=1, max_size=80),
    st.integers(0, 5),
)
def test_few_buckets_hold_what_many_did(schema, counted, zero):
    """Joining neighbours loses no count and puts none on the wrong side of a bound that is left."""
    histogram = write.Histogram(schema=schema, zero_count_int=zero)
    counted = {index: count for index, count in counted.items() if abs(index) < 900 * 2.0**schema} or {1: 1}
    before = 0
    for index in sorted(counted):
        histogram.positive_spans.add(offset=index - before, length=1)
        before = index + 1
    values = [counted[index] for index in sorted(counted)]
    histogram.positive_deltas.extend(np.diff([0, *values]).tolist())
    bounds, counts = buckets_of(histogram)
    assert len(counts) <= 64
    assert sum(counts) == sum(values) + zero
    reached = np.cumsum(counts)
    for place, upper in enumerate(bounds):
        below = sum(count for index, count in counted.items() if bound(index, schema) <= upper)
        assert reached[place] == below + zero


@given(st.integers(-(2**31), 2**31), st.integers(-10, 20))
def test_bounds_of_a_coarser_scale_are_bounds_of_the_finer_one_to_the_bit(index, scale):
    assert bound(index, scale) == bound(2 * index, scale + 1) or scale == 20
    if scale > -5 and abs(index) * 2.0**-scale < 900.0:
        assert bound(index, scale) == pytest.approx(2.0 ** (index * 2.0**-scale), rel=1e-14)
