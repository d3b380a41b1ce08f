"""Laws of the gates."""

from dataclasses import replace

import pytest

from engine.config.tree import Detect, Rule
from engine.detect.gates import Gate, Judged, Policies, Policy, confirmed, flapping, settling, weigh
from engine.records import AnomalyKind, Series, ValueKind

JUDGED = Judged(0, 150.0, 1.5, 100.0, 90.0, 110.0, 5.0, AnomalyKind.SPIKE, 0, {}, 100.0, 60.0)


def series(name: str, kind: ValueKind = ValueKind.GAUGE) -> Series:
    return Series(key=name.encode(), name=name, labels=(), entity="", kind=kind)


def policy(name: str, *rules: Rule, kind: ValueKind = ValueKind.GAUGE) -> Policy:
    return Policies(Detect(rules=list(rules))).of(series(name, kind))


@pytest.mark.parametrize(
    ("changes", "gate"),
    [
        ({}, Gate.PASSED),
        ({"floor": 151.0}, Gate.BELOW_FLOOR),
        ({"direction": "down"}, Gate.WRONG_DIRECTION),
        ({"direction": "up"}, Gate.PASSED),
        ({"deviation_min": 51.0}, Gate.IMMATERIAL),
        ({"relative_min": 0.6}, Gate.IMMATERIAL),
    ],
)
def test_the_first_gate_that_stands_against_it_decides(changes, gate):
    assert weigh(replace(Policy(), **changes), JUDGED) is gate


def test_what_is_usually_large_is_not_measured_against_an_expectation_of_nothing():
    assert weigh(Policy(), JUDGED._replace(value=1.0, expected=0.0, size_of=100.0)) is Gate.IMMATERIAL
    assert weigh(Policy(), JUDGED._replace(value=1.0, expected=0.0, size_of=0.0)) is Gate.PASSED


def test_an_unknown_expectation_stands_against_nothing():
    assert weigh(Policy(), JUDGED._replace(expected=float("nan"))) is Gate.PASSED


def test_counts_scatter_by_their_root():
    counted = policy("errors_total", kind=ValueKind.COUNTER)
    few = JUDGED._replace(value=8 / 60, expected=4 / 60, size_of=4 / 60)
    assert weigh(counted, few) is Gate.IMMATERIAL
    assert weigh(counted, few._replace(value=800 / 60, expected=400 / 60)) is Gate.PASSED


def test_counts_that_stand_still_are_not_stuck():
    still = JUDGED._replace(kind=AnomalyKind.FLAT, value=100.0)
    assert weigh(policy("x"), still) is Gate.PASSED
    assert weigh(policy("x", kind=ValueKind.COUNT), still) is Gate.IMMATERIAL


def test_the_first_rule_that_matches_decides():
    rules = Rule(match="http_*", direction="up"), Rule(match="http_latency", direction="down"), Rule(match="*", ignore=True)
    assert policy("http_latency", *rules).direction == "up"
    assert policy("other", *rules).ignore


def test_names_in_rules_are_no_patterns_but_for_the_star():
    assert not policy("axb", Rule(match="a.b", ignore=True)).ignore
    assert policy("a.b", Rule(match="a.b", ignore=True)).ignore


@pytest.mark.parametrize(
    ("name", "least"),
    [
        ("error_ratio", 0.01),
        ("disk.used_percent", 2.0),
        ("cpu.usage_user", 2.0),
        ("ratios", 0.0),
        ("container_cpu_usage_seconds_total", 0.0),
        ("memory_usage_bytes", 0.0),
        ("container_processes", 2.0),
        ("process_cpu_seconds_total", 0.0),
    ],
)
def test_shares_percentages_and_numbers_of_things_have_a_least_distance(name, least):
    assert policy(name).deviation_min == least


def test_confirmation_counts_anomalies_of_late():
    assert confirmed(0b10101, 3)
    assert not confirmed(0b11000, 3)


def test_flapping_counts_within_its_window():
    assert flapping([1, 5, 9], 10, 100, 3)
    assert not flapping([1, 5, 9], 104, 100, 3)


@pytest.mark.parametrize(
    ("step", "resumed", "settles"),
    [
        (60.0, 120.0, True),
        (60.0, 240.0, False),
        (1.0, 100.0, True),
        (1.0, 121.0, False),
        (3600.0, 0.0, True),
        (3600.0, 3600.0, False),
    ],
)
def test_a_series_settles_for_some_samples_but_not_for_long(step, resumed, settles):
    assert settling(JUDGED._replace(step_seconds=step, resumed_seconds=resumed)) is settles
    assert not settling(JUDGED._replace(step_seconds=step)), "what never paused need not settle"


@pytest.mark.parametrize(
    ("half", "gate"),
    [(30.0, Gate.PASSED), (5.0, Gate.IMMATERIAL)],
)
def test_a_collapse_of_variance_matters_as_much_as_there_was_to_lose(half, gate):
    """The value is where it was expected; what is missing is the scatter of up to `half` about it."""
    calm = JUDGED._replace(kind=AnomalyKind.VARIANCE, value=100.0, lower=100.0 - half, upper=100.0 + half)
    assert weigh(Policy(), calm) is gate
    assert weigh(Policy(), calm._replace(kind=AnomalyKind.SPIKE)) is Gate.IMMATERIAL


def test_a_burst_of_variance_matters_by_its_own_distance_too():
    wild = JUDGED._replace(kind=AnomalyKind.VARIANCE, value=115.0, lower=97.0, upper=103.0)
    assert weigh(Policy(), wild) is Gate.PASSED
    assert weigh(Policy(direction="down"), wild) is Gate.WRONG_DIRECTION
