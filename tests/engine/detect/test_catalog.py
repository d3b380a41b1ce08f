"""Laws of the catalog: identity, entity, counters, limits, and that nothing is lost by forgetting."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.config.tree import Format, Source
from engine.detect import catalog as catalog_module
from engine.detect.catalog import SourceCatalog
from engine.errors import DecodeError, Reject
from engine.records import Signal, ValueKind, parse_key, series_key


def make(**options) -> SourceCatalog:
    return SourceCatalog(Source(name="shop", topics=["t"], format=Format.JSON, **options))


def test_the_first_entity_label_that_is_there_wins():
    catalog = make(entity_labels=["service", "pod"])
    assert catalog.describe(catalog.metric("up", {"pod": "p", "service": "s"})).entity == "s"
    assert catalog.describe(catalog.metric("up", {"pod": "p"})).entity == "p"
    assert catalog.describe(catalog.metric("up", {"zone": "z"})).entity == ""


def test_dropped_labels_are_no_identity():
    catalog = make(drop_labels=["pod_uid"])
    assert catalog.metric("up", {"pod_uid": "1", "a": "b"}) == catalog.metric("up", {"pod_uid": "2", "a": "b"}) == b'up{a="b"}'


def test_the_order_of_labels_is_no_identity_and_empty_labels_are_none():
    catalog = make()
    assert catalog.metric("up", {"b": "1", "a": "2"}) == catalog.metric("up", {"a": "2", "b": "1", "c": ""})


def test_equal_series_give_the_very_same_key():
    catalog = make()
    assert catalog.metric("up", {"a": "1"}) is catalog.metric("up", {"a": "1"})


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("http_requests_total", ValueKind.COUNTER),
        ("http_request_duration_seconds_count", ValueKind.COUNTER),
        ("http_request_duration_seconds_bucket", ValueKind.COUNTER),
        ("net.bytes_recv", ValueKind.COUNTER),
        ("thread_count", ValueKind.GAUGE),
        ("total", ValueKind.COUNTER),
        ("queue_depth", ValueKind.GAUGE),
        ("own_thing", ValueKind.COUNTER),
        ("mine.requests", ValueKind.COUNTER),
    ],
)
def test_counters_are_known_by_name(name, kind):
    catalog = make(counters=["own_thing", "mine.*"])
    assert catalog.describe(catalog.metric(name, {})).kind is kind


def test_a_declared_kind_beats_the_name():
    catalog = make()
    assert catalog.describe(catalog.metric("x_total", {}, kind="gauge")).kind is ValueKind.GAUGE
    assert catalog.describe(catalog.metric("y", {}, kind="delta", unit="s")).unit == "s"


def test_a_log_stream_is_its_entity_and_the_labels_that_are_kept():
    catalog = make(keep_log_labels=["zone"])
    series = catalog.describe(catalog.stream({"service": "s", "zone": "z", "request": "4711"}))
    assert (series.signal, series.entity, series.labels) == (Signal.LOG, "s", (("service", "s"), ("zone", "z")))


def test_an_event_is_its_entity_and_name():
    catalog = make()
    key, entity = catalog.event("deploy", {"service": "s", "version": "3"})
    assert (key, entity, catalog.describe(key).signal) == (b'event{entity="s",event="deploy"}', "s", Signal.EVENT)


@pytest.mark.parametrize(
    ("name", "labels"),
    [("", {}), ("n" * 1025, {}), ("n", {f"l{i}": "x" for i in range(31)}), ("n", {"l": "x" * 2049}), ("n", {"l" * 1025: "x"})],
)
def test_beyond_the_limits_is_bad_labels(name, labels):
    with pytest.raises(DecodeError) as caught:
        make().metric(name, labels)
    assert caught.value.reason is Reject.BAD_LABELS


def test_a_full_catalog_forgets_and_reads_back_from_the_key(monkeypatch):
    monkeypatch.setattr(catalog_module, "SERIES_KEPT_MAX", 2)
    catalog = make()
    keys = [
        catalog.metric("a", {"service": 's"\\\n'}, kind="counter"),
        catalog.stream({"service": "s"}),
        catalog.event("deploy", {"service": "s"})[0],
        catalog.metric("b_total", {}),
    ]
    fresh = make()
    fresh.metric("a", {"service": "other"}, kind="counter")
    for key in keys:
        assert catalog.describe(key) == fresh.describe(key)
        assert catalog.describe(key).key == key


@given(st.dictionaries(st.text("abz_.", min_size=1), st.text(min_size=1), max_size=5))
def test_reading_a_key_is_the_inverse_of_writing_it(labels):
    pairs = tuple(sorted(labels.items()))
    assert parse_key(series_key("name", pairs)) == ("name", pairs)
