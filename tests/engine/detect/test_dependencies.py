"""Which series say who needs whom, and when an edge is told."""

import pytest
from detect_world import edges, machine, play, record

from engine.config.tree import Format, Source
from engine.detect.catalog import SourceCatalog
from engine.detect.dependencies import EDGES_MAX, Dependencies, edges_of
from engine.metrics import Metric
from engine.ports import StepStats

CATALOG = SourceCatalog(Source(name="s", topics=["t"], format=Format.JSON))


def of(name, **labels):
    return edges_of(CATALOG.describe(CATALOG.metric(name, {key.replace("__", "."): value for key, value in labels.items()})))


@pytest.mark.parametrize(
    ("name", "labels", "expected"),
    [
        ("traces_service_graph_request_total", {"client": "a", "server": "b"}, [("a", "b", "calls")]),
        ("istio_requests_total", {"source_workload": "a", "destination_workload": "b"}, [("a", "b", "calls")]),
        (
            "kube_pod_owner",
            {"pod": "cart-7d9c5b6f4-x2k8p", "owner_kind": "ReplicaSet", "owner_name": "cart-7d9c5b6f4"},
            [("cart-7d9c5b6f4-x2k8p", "", "runs_on"), ("cart", "cart-7d9c5b6f4-x2k8p", "owns")],
        ),
        ("kube_pod_info", {"pod": "cart-1", "node": "n"}, [("cart-1", "n", "runs_on")]),
        ("m", {"k8s__pod__name": "p", "k8s__node__name": "n", "service__name": "s"}, [("p", "n", "runs_on"), ("s", "p", "owns")]),
        ("m", {"node": "n"}, []),
        ("m", {"client": "a", "server": "b"}, []),
    ],
)
def test_what_the_labels_of_a_series_say(name, labels, expected):
    assert of(name, **labels) == expected


def test_series_and_what_codecs_read_become_edges_on_the_alerts_topic():
    labels = {"client": "cart", "server": "prices"}
    log = [
        record(n, n * 10.0, s=[("traces_service_graph_request_total", labels, n * 10.0, n)], x=[("a", "b", "owns", n * 10.0)])
        for n in range(80)
    ]
    outputs, _ = play(machine(), log)
    told = [(edge.caller, edge.callee, edge.kind) for edge in edges(outputs)]
    assert set(told) == {("cart", "prices", "calls"), ("a", "b", "owns")}
    assert 2 <= told.count(("cart", "prices", "calls")) <= 3


@pytest.mark.parametrize("place", [("", "b", "calls"), ("a", "unknown", "calls"), ("a", "a", "calls"), ("a", "b", "likes")])
def test_what_says_nothing_is_passed_over(place):
    found, stats = Dependencies("d"), StepStats()
    found.see(place, 5, stats)
    assert len(found) == 0
    assert not stats.counts


def test_edges_are_bounded():
    found, stats = Dependencies("d"), StepStats()
    for n in range(EDGES_MAX + 3):
        found.see(("a", f"b{n}", "calls"), 5, stats)
    assert len(found) == EDGES_MAX
    assert stats.counts[Metric.LIMITS_REACHED, ("edges_max",)] == 3
