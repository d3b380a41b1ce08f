"""Laws of what makes a series: churn, entities, counters."""

from __future__ import annotations

import numpy as np
import pytest

from engine.config.tree import Format, Source
from engine.doctor.identity import churn, entity_label, looks_generated, metric_facts
from engine.doctor.ledger import Entry, Ledger
from engine.records import Samples

SOURCE = Source(name="s", topics=["t"], format=Format.INFLUX)


def entry(name="m", **labels):
    return Entry(name.encode() + repr(sorted(labels.items())).encode(), name, labels, "", "")


def uuid(number):
    return f"0b7a2f7e-6b57-4a3c-9a2c-{number:012x}"


@pytest.mark.parametrize(
    "value",
    [
        uuid(7),
        "6c1f6f4b1d0c",
        "containerd://6c1f6f4b1d0c6c1f6f4b1d0c6c1f6f4b1d0c6c1f6f4b1d0c6c1f6f4b1d0c6c1f",
        "checkout-7d9c5b6f4-x2k8p",
        "1795218875509",
        "10.0.3.17:8080",
    ],
)
def test_what_a_program_made_up_looks_so(value):
    assert looks_generated(value)


@pytest.mark.parametrize(
    "value", ["checkout", "eu-west-1", "web-07", "GET", "/api/v1/orders", "500", "orders-db-replica", "x" * 5000, ""]
)
def test_what_people_named_does_not(value):
    assert not looks_generated(value)


def test_a_label_that_follows_from_the_others_is_dropped():
    entries = [entry(pod=f"web-{n}", uid=uuid(n)) for n in range(5)]
    (found,) = churn(entries, samples=100, source=SOURCE)
    assert (found.label, found.values, found.is_dropped) == ("uid", 5, True)


def test_a_label_that_is_new_with_each_sample_is_dropped():
    entries = [entry(path="/a", request=uuid(n)) for n in range(30)]
    (found,) = churn(entries, samples=30, source=SOURCE)
    assert found.is_dropped
    assert "new" in found.why


def test_members_that_live_at_the_same_time_are_not_merged():
    few = [entry(service="web", replica=uuid(n)) for n in range(3)]
    many = [entry(service="web", replica=uuid(n)) for n in range(60)]
    assert churn(few, samples=1000, source=SOURCE) == []
    (found,) = churn(many, samples=10_000, source=SOURCE)
    assert not found.is_dropped


def test_what_the_source_drops_or_takes_for_an_entity_is_no_news():
    entries = [entry(pod=f"web-7d9c5b6f4-x2k8{n}", pod_uid=uuid(n)) for n in range(5)]
    assert churn(entries, samples=100, source=SOURCE) == []


def test_an_entity_is_named_by_its_usual_label_else_by_what_people_named():
    assert entity_label([entry(job="checkout", le="1"), entry(job="cart", le="1")]) == "job"
    assert entity_label([entry(lane="north", id=uuid(1)), entry(lane="south", id=uuid(2))]) == "lane"
    assert entity_label([entry(id=uuid(1)), entry(id=uuid(2))]) == ""


def facts(name, *series):
    ledger = Ledger(SOURCE)
    keys = [ledger.metric(name, {"host": f"h{n}"}) for n in range(len(series))]
    rows = [(key, at, value) for key, values in zip(keys, series, strict=True) for at, value in enumerate(values)]
    samples = Samples(
        np.zeros(len(rows), np.int32),
        [row[0] for row in rows],
        np.array([row[1] for row in rows], np.int64),
        np.array([row[2] for row in rows], np.float64),
    )
    (found,) = metric_facts(samples, ledger.metrics, ledger)
    return found


def test_what_only_grows_is_a_counter_whatever_its_name():
    assert facts("requests", range(0, 300, 10), range(5, 100, 3)).grows


def test_a_counter_that_began_anew_once_is_still_one():
    assert facts("requests", [*range(0, 300, 10), *range(0, 300, 10)]).grows


@pytest.mark.parametrize("name", ["uptime", "process_start_time", "disk_used_percent"])
def test_what_grows_by_its_nature_is_no_counter(name):
    assert not facts(name, range(100)).grows


def test_a_gauge_that_wanders_is_a_gauge():
    wander = np.cumsum(np.where(np.arange(200) % 3 == 0, -1.0, 1.0))
    assert not facts("queue", wander).grows
    assert not facts("queue", range(10)).grows  # too few steps to tell


def test_a_counter_that_falls_as_often_as_it_rises_is_none():
    found = facts("requests_total", [5, 4, 6, 4, 5, 3, 6, 5, 7, 5, 4, 6, 5])
    assert (found.kind, found.falls) == ("counter", True)
    assert not facts("requests_total", range(50)).falls
