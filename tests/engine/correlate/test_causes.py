"""Laws of the ranking: a symptom is not a cause, and every point has a sentence."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.correlate.causes import Happening, Symptom, rank
from engine.correlate.decades import decades, exp, ln, softmax
from engine.correlate.derived import Table, with_edges
from engine.correlate.families import Family, bad_direction, family_of
from engine.correlate.table import find_onset, symptoms
from engine.correlate.topology import NEAR, RUNS_ON, Topology

NS = 1_000_000_000
CHAIN = Topology([("web", "cart"), ("cart", "cart-db"), ("web", "users")], [("cart", "n1"), ("users", "n1"), ("cart-db", "n2")])


def symptom(entity, family=Family.LATENCY, strength=20.0, onset=1000, *, silent=False, direction=1):
    return Symptom(entity, str(family), family, strength, direction, onset * NS, 60.0, f"{entity} {family} 20 off", silent)


def best(*shown, topology=CHAIN, happenings=()):
    return rank(shown, happenings, topology).hints[0]


def test_the_callee_explains_its_callers():
    shown = [symptom("web", strength=40), symptom("cart", strength=30), symptom("cart-db", strength=20)]
    hint = best(*shown)
    assert hint.entity == "cart-db"
    web = next(h for h in rank(shown, (), CHAIN).hints if h.entity == "web")
    assert any(e.kind == "explained_by" for e in web.against)


def test_without_a_topology_the_earliest_and_strongest_is_named():
    assert best(symptom("a", onset=1000), symptom("b", onset=1900), topology=Topology()).entity == "a"
    assert best(symptom("a", strength=200), symptom("b", strength=20), topology=Topology()).entity == "a"


def test_where_users_are_measured_is_not_where_it_comes_from():
    felt, weak = symptom("users-at-the-door", Family.ERRORS, 2000.0), symptom("web", strength=5.0)
    assert best(felt, weak).entity == "web"
    assert best(felt, weak, topology=Topology()).entity == "users-at-the-door"


def test_a_pod_explains_its_nodes_resources():
    assert best(symptom("n1", Family.CPU, 20), symptom("cart", Family.CPU, 20)).entity == "cart"


def test_a_full_disk_explains_the_slow_database_on_it():
    shown = [
        symptom("n2", Family.DISK, 60, 700),
        symptom("cart-db", strength=15, onset=1000),
        symptom("cart", strength=10, onset=1060),
    ]
    assert best(*shown).entity == "n2"


def test_a_harmless_direction_counts_less():
    down, up = symptom("a", strength=40, direction=-1), symptom("b", strength=20)
    assert best(down, up, topology=Topology()).entity == "b"


def test_a_change_shortly_before_is_held_responsible_and_a_later_one_is_not():
    before = Happening("d1", 940 * NS, "deploy", "cart", is_change=True, text="v2")
    late = Happening("d2", 3000 * NS, "deploy", "users", is_change=True, text="v2")
    shown = [symptom("cart"), symptom("users")]
    hint = best(*shown, happenings=[before, late])
    assert (hint.entity, hint.change) == ("cart", "d1")
    assert all(h.change != "d2" for h in rank(shown, [before, late], CHAIN).hints)


def test_equal_hypotheses_are_not_told_apart():
    ranking = rank([symptom("a"), symptom("b")], (), Topology())
    assert ranking.abstained
    assert "cannot be told apart" in ranking.why


def test_a_small_lead_names_nobody_and_says_how_small():
    ranking = rank([symptom("a", strength=24.0), symptom("b", strength=20.0)], (), Topology())
    assert ranking.abstained
    assert (
        ranking.why == f"a and b cannot be told apart: {ranking.hints[0].probability:.0%} and {ranking.hints[1].probability:.0%}"
    )
    assert not rank([symptom("a", strength=60.0), symptom("b", strength=20.0)], (), Topology()).abstained


def test_the_metric_that_is_named_is_the_entitys_own_rather_than_what_it_suffers():
    suffers, cause = symptom("a", Family.LATENCY, 60.0), symptom("a", Family.CPU, 20.0)
    assert best(suffers, cause).metric == str(Family.CPU)
    assert best(suffers, symptom("a", Family.CPU, 3.0)).metric == str(Family.LATENCY)


def test_nothing_shown_means_nobody_is_named():
    ranking = rank([], (), CHAIN)
    assert (ranking.hints, ranking.abstained) == ((), True)


def test_a_hint_below_the_stated_probability_is_not_acted_on():
    shown = [symptom(f"e{n}", onset=1000 + n) for n in range(12)]
    assert rank(shown, (), Topology(), abstain_below=0.9).abstained


@given(
    st.lists(
        st.builds(
            symptom,
            st.sampled_from(["web", "cart", "cart-db", "users", "n1", "n2", "x"]),
            st.sampled_from(list(Family)),
            st.floats(0, 1e6),
            st.integers(0, 5000),
            silent=st.booleans(),
            direction=st.sampled_from([-1, 0, 1]),
        ),
        min_size=1,
        max_size=30,
    ),
    st.randoms(),
)
def test_the_order_in_which_symptoms_are_given_does_not_matter(shown, order):
    shuffled = list(shown)
    order.shuffle(shuffled)
    one, other = rank(shown, (), CHAIN), rank(shuffled, (), CHAIN)
    assert {h.entity: h.probability for h in one.hints} == pytest.approx({h.entity: h.probability for h in other.hints}, abs=1e-6)
    assert sum(h.probability for h in one.hints) <= 1.001
    assert all(0.0 <= h.probability <= 1.0 and h.evidence for h in one.hints)


# ---------------------------------------------------------------------------------------------------- numbers
@given(st.floats(1e-300, 1e300))
def test_our_logarithm_is_the_logarithm(value):
    assert ln(value) == pytest.approx(math.log(value), rel=1e-12, abs=1e-14)
    assert decades(value) == pytest.approx(math.log10(value), rel=1e-12, abs=1e-14)


@given(st.floats(-600, 600))
def test_our_exponential_is_the_exponential(value):
    assert exp(value) == pytest.approx(math.exp(value), rel=1e-11)


@given(st.lists(st.floats(-50, 50), min_size=1, max_size=20))
def test_a_softmax_sums_to_one_and_keeps_the_order(scores):
    shares = softmax(scores)
    assert sum(shares) == pytest.approx(1.0)
    assert shares[int(np.argmax(scores))] == max(shares)


# ---------------------------------------------------------------------------------------------------- words in names
@pytest.mark.parametrize(
    ("name", "family"),
    [
        ("request_duration_seconds.p99", Family.LATENCY),
        ("latency-p95", Family.LATENCY),
        ("http_requests_total", Family.LOAD),
        ("errors_total", Family.ERRORS),
        ("error_ratio", Family.ERRORS),
        ("availability", Family.AVAILABILITY),
        ("cpu_cores", Family.CPU),
        ("node_load1", Family.CPU),
        ("container_memory_rss", Family.MEMORY),
        ("memory_bytes", Family.MEMORY),
        ("disk_used_percent", Family.DISK),
        ("node_network_receive_bytes_total", Family.NETWORK),
        ("connections", Family.SATURATION),
        ("log_lines", Family.LOG),
        ("log_errors", Family.ERRORS),
        ("queue_length", Family.SATURATION),
        ("frobnications", Family.OTHER),
        ("template_17", Family.LOG),
        ("catalog_requests", Family.LOAD),
        ("span_self_time_p95", Family.SELF),
        ("lat-sou-web minus lat-des-web", Family.EDGE),
        ("http_server_requests_seconds.p99", Family.LATENCY),
        ("http_server_requests_seconds_max", Family.LATENCY),
        ("span_seconds.p90", Family.LATENCY),
        ("process_cpu_seconds_total", Family.CPU),
        ("node_context_switches_total", Family.CPU),
        ("node_memory_MemAvailable_bytes", Family.MEMORY),
        ("rabbitmq_queue_messages_ready", Family.SATURATION),
        ("connection_success_rate", Family.AVAILABILITY),
    ],
)
def test_a_metrics_name_says_what_it_is_about(name, family):
    assert family_of(name) is family


def test_of_what_is_left_of_a_resource_less_is_bad():
    assert bad_direction(Family.MEMORY, "node_memory_MemAvailable_bytes") == -1
    assert bad_direction(Family.MEMORY, "node_memory_used_bytes") == 1
    assert best(symptom("a", Family.DISK, 40, direction=-1), symptom("b", Family.DISK, 20), topology=Topology()).entity == "b"
    left = replace(symptom("a", Family.DISK, 40, direction=-1), metric="filesystem_free_bytes")
    assert best(left, symptom("b", Family.DISK, 20), topology=Topology()).entity == "a"


def test_falling_availability_and_rising_latency_are_bad():
    assert (bad_direction(Family.AVAILABILITY), bad_direction(Family.LATENCY), bad_direction(Family.LOAD)) == (-1, 1, 0)


# ---------------------------------------------------------------------------------------------------- topology
def test_what_runs_where_moves_when_it_moves():
    graph = Topology(runs_on=[("a", "n1")])
    graph.observe("a", "n2", RUNS_ON, 5)
    assert (graph.host("a"), graph.guests("n1"), graph.guests("n2")) == ("n2", (), ("a",))


def test_what_runs_where_moves_back_when_it_moves_back_and_after_a_restart():
    graph = Topology()
    for n, node in enumerate(("n1", "n2", "n1")):
        graph.observe("pod", node, "runs_on", n)
    anew = Topology()
    anew.recall(graph.observed())
    assert [(g.host("pod"), g.guests("n1"), g.guests("n2")) for g in (graph, anew)] == [("n1", ("pod",), ())] * 2


def test_edges_fade_when_nobody_sees_them_and_those_that_were_declared_do_not():
    graph = Topology([("a", "b")], keep_ns=100)
    for ts_ns in (0, 10, 20):
        graph.observe("b", "c", "calls", ts_ns)
    assert [graph.sureness(*pair, 20).share for pair in (("b", "c"), ("c", "b"), ("a", "b"), ("a", "c"))] == [
        0.875,
        0.875,
        1.0,
        0.0,
    ]
    assert graph.sureness("b", "c", 70).share == 0.875 / 2
    assert graph.sureness("b", "c", 20).in_words() == " (calls seen 3 times, last 1970-01-01 00:00 UTC)"
    assert (graph.forget(120), graph.callees("b")) == (0, ("c",))
    assert (graph.forget(121), graph.callees("b"), graph.callees("a")) == (1, (), ("b",))


def test_a_callee_explains_as_much_as_the_edge_is_sure():
    def against(graph: Topology) -> float:
        ranking = rank([symptom("web", Family.ERRORS, 40, 0), symptom("db", Family.ERRORS, 40, 0)], (), graph)
        return sum(e.weight for h in ranking.hints if h.entity == "web" for e in h.against if e.kind == "explained_by")

    seen = Topology()
    seen.observe("web", "db", "calls", 0)
    assert against(seen) == pytest.approx(0.5 * against(Topology([("web", "db")])), abs=0.01)


def test_who_moved_first_is_said_of_one_only_and_of_those_beside_it_how_many():
    def said(*onsets: int) -> list[str]:
        ranking = rank([symptom(f"e{n}", onset=at) for n, at in enumerate(onsets)], (), Topology())
        texts = {h.entity: e.text for h in ranking.hints for e in (*h.evidence, *h.against) if e.kind == "onset"}
        return [texts[f"e{n}"] for n in range(len(onsets))]

    assert said(1000, 1120, 9000) == [
        "e0 moved first of all, at 00:16:40 UTC ± 60 s",
        "e1 moved 60 s after the first, at 00:18:40 UTC ± 60 s",
        "e2 moved 2.2 h after the first",
    ]
    assert said(1000, 1060, 9000)[:2] == [
        "e0 moved among the first, at 00:16:40 UTC ± 60 s, as did 1 other",
        "e1 moved among the first, at 00:17:40 UTC ± 60 s, as did 1 other",
    ]


def test_upstream_is_who_needs_it_and_downstream_what_it_needs():
    assert set(CHAIN.upstream("cart-db")) == {"cart-db", "cart", "web"}
    assert set(CHAIN.downstream("web")) == {"web", "cart", "users", "cart-db", "n1", "n2"}
    assert set(CHAIN.upstream("n1")) == {"n1", "cart", "users", "web"}


edges = st.lists(st.tuples(st.sampled_from("abcdefg"), st.sampled_from("abcdefg")).filter(lambda e: e[0] != e[1]), max_size=14)


@given(edges)
def test_distance_is_that_of_the_shortest_path(calls):
    """Against Floyd and Warshall's algorithm."""
    graph = Topology(calls)
    far = {(x, y): 0 if x == y else 99 for x in "abcdefg" for y in "abcdefg"}
    for x, y in calls:
        far[x, y] = far[y, x] = 2
    for k in "abcdefg":
        for x in "abcdefg":
            for y in "abcdefg":
                far[x, y] = min(far[x, y], far[x, k] + far[k, y])
    for (x, y), steps in far.items():
        assert graph.distance(x, y) == (steps if steps <= NEAR else None)


# ---------------------------------------------------------------------------------------------------- tables
def table(rows=60, at=40, size=8.0):
    rng = np.random.default_rng(3)
    names = [(e, m) for e in ("web", "cart", "users") for m in ("latency", "requests", "availability")]
    values = np.abs(rng.normal(10, 0.5, (rows, len(names))))
    values[:, [2, 5, 8]] = 100.0
    values[at:, 3] += size
    return Table(np.arange(rows) * 60.0 + 1_772_672_400, tuple(n[0] for n in names), tuple(n[1] for n in names), values)


def test_a_series_that_jumped_is_the_strongest_symptom():
    found = symptoms(table(), 1_772_672_400 + 40 * 60.0)
    top = max(found, key=lambda s: s.strength)
    assert (top.entity, top.metric, top.direction) == ("cart", "latency", 1)
    assert top.onset_ts_ns == (1_772_672_400 + 40 * 60) * NS


def test_a_small_loss_of_availability_is_seen():
    shop = table()
    shop.values[40:, 8] = 98.0
    found = {(s.entity, s.metric): s for s in symptoms(shop, 1_772_672_400 + 40 * 60.0)}
    assert found["users", "availability"].direction == -1
    assert found["users", "availability"].strength > 3


def sides(client: float, server: float) -> Table:
    """Calls from the web page to the cart, timed at both ends, with so much more from row 40 on."""
    rng = np.random.default_rng(4)
    values = 10.0 + rng.normal(0.0, 0.2, (60, 3))
    values[:, 1] = values[:, 0] - 1.0 + rng.normal(0.0, 0.05, 60)
    values[40:, 0] += client
    values[40:, 1] += server
    metrics = ("latency_client.p95", "latency_server.p95", "requests")
    return Table(np.arange(60) * 60.0 + 1_772_672_400, ("cart",) * 3, metrics, values)


@pytest.mark.parametrize(("client", "server", "is_between"), [(9.0, 0.0, True), (9.0, 9.0, False)])
def test_what_a_caller_waits_longer_than_the_callee_works_is_the_way_between_them(client, server, is_between):
    found = symptoms(sides(client, server), 1_772_672_400 + 40 * 60.0)
    between = [s for s in found if s.family is Family.EDGE and s.strength > 3]
    assert bool(between) is is_between
    assert all(s.metric == "latency_client.p95 minus latency_server.p95" for s in between)


def test_only_latencies_timed_at_both_ends_have_a_difference():
    alone = Table(np.arange(9.0), ("a", "a", "b"), ("latency_client", "errors_server", "latency_server"), np.ones((9, 3)))
    assert with_edges(alone) is alone


def test_a_series_that_ends_is_silent():
    shop = table()
    shop.values[40:, 6] = np.nan
    silent = [s for s in symptoms(shop, 1_772_672_400 + 40 * 60.0) if s.silent]
    assert [(s.entity, s.metric) for s in silent] == [("users", "latency")]


def test_the_onset_is_found_when_nobody_says_it():
    assert abs(find_onset(table()) - (1_772_672_400 + 40 * 60.0)) <= 120


@pytest.mark.parametrize("rows", [0, 1, 3])
def test_a_table_that_is_too_short_gives_nothing_or_says_so(rows):
    short = Table(np.arange(rows) * 60.0, ("a",), ("latency",), np.ones((rows, 1)))
    assert symptoms(short, 60.0) == []
    with pytest.raises(ValueError, match="rows"):
        find_onset(short)
