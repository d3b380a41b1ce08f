"""Laws of grouping: what an alert is held against does not grow with the incident, and later samples find what they are part of."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from engine.correlate.grouping import ENTITIES_KEPT, RECENT_MAX, SERIES_MAX, Cluster, Grouper, Onset, affinity
from engine.correlate.topology import Topology

NS = 1_000_000_000
CHAIN = Topology([("web", "cart"), ("cart", "db"), ("web", "users")])


def onset(seconds: float, entity: str, series: str = "", step: float = 60.0) -> Onset:
    return Onset(entity, int(seconds * NS), step, "shop", series or f"{entity}-{seconds}")


def groups(*onsets: Onset, topology: Topology = CHAIN) -> list[str]:
    grouper = Grouper(topology, 300.0)
    placed = [grouper.place(o, f"g{k}") for k, o in enumerate(onsets)]
    return [grouper.survivor(name) for name in placed]


def test_what_the_next_samples_show_of_the_same_entities_is_the_same_problem() -> None:
    first, last = groups(onset(0, "db", "a", 300.0), onset(300, "db", "b", 300.0))
    assert first == last


def test_the_same_series_again_is_another_problem() -> None:
    first, last = groups(onset(0, "db", "a", 300.0), onset(300, "db", "a", 300.0))
    assert first != last


def test_a_series_that_flaps_is_one_problem() -> None:
    assert len(set(groups(*(onset(60 * k, "db", "a") for k in range(3))))) == 1


def test_other_entities_a_step_later_are_another_problem() -> None:
    first, last = groups(onset(0, "db", "a", 300.0), onset(300, "users", "b", 300.0))
    assert first != last


def test_what_is_far_in_a_known_topology_is_tied_by_time_alone() -> None:
    cluster = Cluster("shop", 0, 0)
    cluster.add(onset(0, "users"))
    graph = Topology([("users", "x"), ("db", "y")])
    tie = affinity(cluster, onset(1, "db"), graph, 300.0)
    assert not tie.linked
    assert tie.value < affinity(cluster, onset(1, "x"), graph, 300.0).value


@given(st.lists(st.tuples(st.integers(0, 600), st.integers(0, 40)), min_size=1, max_size=80), st.randoms())
def test_a_cluster_is_the_same_in_whatever_order_its_onsets_are_told(told: list[tuple[int, int]], order: object) -> None:
    shuffled = list(told)
    order.shuffle(shuffled)  # type: ignore[attr-defined]
    one, other = Cluster("shop", 10**18, 0), Cluster("shop", 10**18, 0)
    for cluster, onsets in ((one, told), (other, shuffled)):
        for seconds, entity in onsets:
            cluster.add(onset(seconds, f"e{entity}"))
    latest = sorted(one.entities, key=lambda e: (one.entities[e].last_ns, e))[-RECENT_MAX:]
    assert one.recent == other.recent == latest
    assert (one.first_ns, one.last_ns, one.onsets) == (other.first_ns, other.last_ns, other.onsets)


def test_a_cluster_keeps_no_more_than_its_limits() -> None:
    cluster = Cluster("shop", 0, 0)
    for k in range(2 * SERIES_MAX):
        cluster.add(onset(k, f"e{k % 100}", f"s{k}"))
    assert (len(cluster.series), len(cluster.recent), cluster.onsets) == (SERIES_MAX, RECENT_MAX, 2 * SERIES_MAX)
    for k in range(2 * ENTITIES_KEPT):
        cluster.add(onset(k, f"f{k}"))
    assert len(cluster.entities) == ENTITIES_KEPT
    assert cluster.last_ns == (2 * ENTITIES_KEPT - 1) * NS
