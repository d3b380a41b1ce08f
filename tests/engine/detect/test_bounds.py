"""Which series are resources, and what bounds them."""

from __future__ import annotations

from math import isnan

import pytest
from detect_world import SOURCE, START

from engine.config.tree import Detect, Rule
from engine.detect.bounds import Resources, seconds_left
from engine.detect.catalog import SourceCatalog
from engine.detect.gates import Policies
from engine.records import Series


def series(name: str, unit: str = "") -> Series:
    catalog = SourceCatalog(SOURCE)
    return catalog.describe(catalog.metric(name, {"service": "cart"}, unit=unit))


def resource(name: str, unit: str = "", **detect):
    config = Detect(**detect)
    return Resources(config, Policies(config).rule_of).of(series(name, unit))


@pytest.mark.parametrize(
    ("name", "toward", "bound"),
    [
        ("disk.used_percent", 1, 100.0),
        ("node_memory_usage_ratio", 1, 1.0),
        ("node_filesystem_avail_bytes", -1, 0.0),
        ("disk.free", -1, 0.0),
        ("pg.connections.available", -1, 0.0),
        ("inodes_free", -1, 0.0),
    ],
)
def test_names_say_the_bound(name: str, toward: int, bound: float):
    found = resource(name)
    assert (found.toward, found.bound) == (toward, bound)


def test_units_say_the_bound():
    assert resource("heap", unit="percent").bound == 100.0
    assert resource("heap", unit="1").bound == 1.0
    assert isnan(resource("heap", unit="bytes").bound)


@pytest.mark.parametrize(
    "name",
    [
        "latency",
        "cpu_share",
        "disk.reads",
        "disk_io_time",
        "memory_page_faults",
        "http_requests_total",
        "queue_wait_seconds",
        "process_max_fds",
        "jvm_memory_max_bytes",
        "disk_total_bytes",
        "certificate_valid",
    ],
)
def test_flows_limits_and_counters_are_no_resources(name: str):
    assert resource(name) is None


@pytest.mark.parametrize(
    ("name", "sibling"),
    [("process_open_fds", "process_max_fds"), ("jvm.memory.used", "jvm.memory.limit"), ("pool-active", "pool-size")],
)
def test_a_sibling_of_the_same_labels_may_be_the_bound(name: str, sibling: str):
    assert series(sibling).key in resource(name).siblings


@pytest.mark.parametrize(
    ("name", "unit_seconds"),
    [("cert_expires_in_days", 86_400.0), ("probe_ssl_earliest_cert_expiry", 1.0), ("tls_cert_not_after", 1.0)],
)
def test_what_expires(name: str, unit_seconds: float):
    assert resource(name).unit_seconds == unit_seconds


def test_seconds_left_of_a_length_and_of_a_date():
    now_ns = START * 10**9
    assert seconds_left(3.0, 86_400.0, now_ns) == 3.0 * 86_400.0
    assert seconds_left(START + 60.0, 1.0, now_ns) == pytest.approx(60.0)
    assert seconds_left((START + 60.0) * 1000.0, 1.0, now_ns) == pytest.approx(60.0)


def test_a_rule_decides_before_the_name():
    rule = Rule(match="disk.*", limit=90.0, direction="up")
    assert resource("disk.used_percent", rules=[rule]).bound == 90.0
    assert resource("disk.used_percent", rules=[Rule(match="disk.*", forecast=False)]) is None
    assert resource("anything", rules=[Rule(match="any*", forecast=True)]) is not None
    assert resource("anything", rules=[Rule(match="any*", limit=5.0, direction="down")]).toward == -1
    named = resource("sockets", rules=[Rule(match="sockets", limit_from="allowed")])
    assert named.limit_name == "allowed"
    assert series("allowed").key in named.siblings


def test_every_gauge_gets_a_forecast_in_the_full_tier():
    assert resource("latency", tier="full") is not None
    assert resource("http_requests_total", tier="full") is None
