"""Laws of the metrics: every one of the table is exported, under Prometheus' naming rules, and bounded."""

from __future__ import annotations

import re

import pytest
from prometheus_client import generate_latest

from engine.metrics import METRICS, Kind, Metric
from engine.ports import StepStats
from engine.records import Shard
from engine.telemetry import CHILDREN_MAX, Telemetry

ABBREVIATED = re.compile(r"_(ms|us|ns|sec|secs|min|mins|hr|kb|mb|gb|bytes_second|pct|percent|num|cnt|avg)(_|$)")


def value(telemetry: Telemetry, name: str, **labels: str) -> float | None:
    return telemetry.registry.get_sample_value(name, labels)


@pytest.mark.parametrize("metric", list(METRICS))
def test_names_follow_the_rules_of_promtool(metric: Metric) -> None:
    about = METRICS[metric]
    assert re.fullmatch(r"foreshock_[a-z0-9_]+", metric)
    assert not ABBREVIATED.search(metric)
    assert metric.endswith("_total") == (about.kind is Kind.COUNTER)
    assert metric.endswith("_info") == (about.kind is Kind.INFO)
    assert about.help.endswith(".")
    assert bool(about.buckets) == (about.kind is Kind.HISTOGRAM)
    assert not set(about.labels) & {"series", "incident", "id", "le", "quantile", "job", "instance"}


def test_every_metric_of_the_table_is_there() -> None:
    assert set(METRICS) == set(Metric)
    exported = {family.name for family in Telemetry(process=False).registry.collect()}
    assert exported == {metric.removesuffix("_total") for metric in METRICS}


def test_counts_add_up_gauges_replace_and_histograms_observe() -> None:
    telemetry = Telemetry(process=False)
    for amount in (2.0, 3.0):
        stats = StepStats()
        stats.count(Metric.LINES, amount)
        stats.gauge(Metric.SHARDS_LIVE, amount, "detect")
        stats.observe(Metric.STEP_SECONDS, amount, "detect")
        stats.observe(Metric.STEP_SECONDS, amount, "detect")
        telemetry.publish(stats)
    assert value(telemetry, "foreshock_log_lines_total") == 5
    assert value(telemetry, "foreshock_shards_live", stage="detect") == 3
    assert value(telemetry, "foreshock_step_seconds_count", stage="detect") == 4
    assert value(telemetry, "foreshock_step_seconds_sum", stage="detect") == 10


def test_metrics_without_labels_start_at_zero_and_no_created_series_are_exported() -> None:
    text = generate_latest(Telemetry(process=False).registry).decode()
    assert "\nforeshock_log_lines_total 0.0\n" in text
    assert "_created" not in text


def test_a_shard_that_left_is_no_longer_reported() -> None:
    telemetry = Telemetry(process=False)
    stats = StepStats()
    for partition in ("3", "4"):
        stats.gauge(Metric.SERIES_ACTIVE, 1, f"metrics-{partition}")
        stats.gauge(Metric.CONSUMER_LAG, 1, "detect", "metrics", partition)
    telemetry.publish(stats)
    telemetry.forget(Shard("metrics", 3))
    assert value(telemetry, "foreshock_series_active", shard="metrics-3") is None
    assert value(telemetry, "foreshock_series_active", shard="metrics-4") == 1
    assert value(telemetry, "foreshock_consumer_lag_records", stage="detect", topic="metrics", partition="3") is None
    assert value(telemetry, "foreshock_consumer_lag_records", stage="detect", topic="metrics", partition="4") == 1
    telemetry.publish(stats)
    assert value(telemetry, "foreshock_series_active", shard="metrics-3") == 1


def test_label_values_are_bounded_and_the_rest_is_counted() -> None:
    telemetry = Telemetry(process=False)
    stats = StepStats()
    for number in range(CHILDREN_MAX + 5):
        stats.count(Metric.EVENTS, 1, f"event-{number}")
    telemetry.publish(stats)
    assert value(telemetry, "foreshock_limits_reached_total", limit="metric_children") == 5


def test_the_build_is_named() -> None:
    telemetry = Telemetry(version="1.2", kernel_id="ab", process=False)
    assert value(telemetry, "foreshock_build_info", version="1.2", kernel_id="ab") == 1


def test_configuration_reloads_are_told() -> None:
    telemetry = Telemetry(process=False)
    telemetry.configuration_taken(ok=True)
    taken = value(telemetry, "foreshock_config_last_reload_success_timestamp_seconds")
    telemetry.configuration_taken(ok=False)
    assert taken
    assert value(telemetry, "foreshock_config_last_reload_successful") == 0
    assert value(telemetry, "foreshock_config_last_reload_success_timestamp_seconds") == taken
