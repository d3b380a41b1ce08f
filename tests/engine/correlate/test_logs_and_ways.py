"""Logs and spans in the table of a case: whose lines part, whose ways are slow, and who handed it on."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.traced_cases import make_traced
from engine.correlate.causes import Symptom, rank
from engine.correlate.derived import Table, with_no_lines, with_pairs
from engine.correlate.families import Family, family_of
from engine.correlate.table import symptoms
from engine.correlate.topology import Topology

AT = 1_800.0
CHAIN = Topology([("web", "cart"), ("cart", "db"), ("web", "users")])


def table(columns: dict[str, object]) -> Table:
    """Thirty rows before `AT` and three from then on; each column is what it was and what it became, or all of its values."""
    names = [name.split(":") for name in columns]
    values = [[c[0]] * 30 + [c[1]] * 3 if isinstance(c, tuple) else c for c in columns.values()]
    times = 60.0 * np.arange(33)
    return Table(times, tuple(n[0] for n in names), tuple(n[1] for n in names), np.array(values, np.float64).T)


def requests(seed: int = 1) -> list[int]:
    return [int(n) for n in np.random.default_rng(seed).poisson(20.0, 33)]


def less(counts: list[int], share: float) -> list[int]:
    return [*counts[:30], *(int(n * share) for n in counts[30:])]


def shown(columns: dict[str, object], topology: Topology = CHAIN) -> dict[str, set[str]]:
    out: dict[str, set[str]] = {}
    for symptom in symptoms(table(columns), AT, topology):
        out.setdefault(symptom.entity, set()).add(symptom.metric)
    return out


def test_lines_that_always_came_together_and_do_not_any_more_are_a_symptom():
    came = requests()
    found = symptoms(table({"cart:log_1": came, "cart:log_2": less(came, 0.5)}), AT)
    apart = next(s for s in found if s.metric == "log_1 minus log_2")
    assert (apart.family, apart.direction) == (Family.LOG, 1)
    assert apart.text.startswith("cart: log 1 and log 2 came as often as each other, and differ by ")


def test_lines_that_fall_together_are_as_before_to_each_other():
    came = less(requests(), 0.5)
    assert "log_1 minus log_2" not in shown({"cart:log_1": came, "cart:log_2": came})["cart"]


def test_lines_of_two_entities_or_of_other_numbers_make_no_pair():
    one, other = requests(1), requests(2)
    for columns in ({"a:log_1": one, "b:log_1": one}, {"a:log_1": one, "a:log_2": other}, {"a:orders_1": one, "a:orders_2": one}):
        given = table(columns)
        assert with_pairs(given, AT) is given


def test_a_template_without_lines_has_none_where_others_have_some():
    nan = float("nan")
    given = table({"a:log_1": [nan] * 33, "b:log_2": [*requests()[:32], nan], "b:cpu": [nan] * 33})
    filled = with_no_lines(given).values
    assert filled[:32, 0].tolist() == [0.0] * 32
    assert np.isnan(filled[32]).all()
    assert np.isnan(filled[:, 2]).all()


def test_the_more_lines_of_a_new_template_come_the_stronger_it_is():
    for name in ("log_new", "log_error_new"):
        few, many = (symptoms(table({f"a:{name}": (0, n)}), AT)[0].strength for n in (1, 50))
        assert 1.0 < few < many < 1_000.0


def test_a_failure_is_the_callees_and_lines_that_are_missing_the_callers():
    def lines(entity: str, direction: int) -> Symptom:
        return Symptom(entity, "log_7", Family.LOG, 20.0, direction, 0, 60.0, f"{entity}: log 7", silent=False)

    failing = [lines(entity, 1) for entity in ("web", "cart", "db")]
    missing = [lines(entity, -1) for entity in ("cart", "db")]
    assert rank(failing, (), CHAIN).hints[0].entity == "db"
    assert rank(missing, (), CHAIN).hints[0].entity == "cart"
    felt = Symptom("web", "success_rate", Family.AVAILABILITY, 60.0, -1, 0, 60.0, "web fails", silent=False)
    assert rank([felt, lines("cart", 1)], (), CHAIN).hints[0].entity == "cart"


def test_the_time_that_a_callee_spends_by_itself_explains_its_callers_latency():
    def slow(entity: str, family: Family, strength: float) -> Symptom:
        return Symptom(entity, str(family), family, strength, 1, 0, 60.0, f"{entity} {family}", silent=False)

    shown_of = [slow("web", Family.LATENCY, 40.0), slow("cart", Family.SELF, 20.0)]
    ranking = rank(shown_of, (), CHAIN)
    assert (ranking.hints[0].entity, ranking.abstained) == ("cart", False)


def test_a_slow_way_is_the_fault_of_the_end_whose_other_ways_are_slow():
    ways = {"web:gap_gate": (0.001, 0.001), "cart:gap_web": (0.001, 0.2), "users:gap_web": (0.001, 0.001)}
    noise = 0.0001 * np.random.default_rng(3).normal(size=33)
    columns = {name: [float(n) for n in np.array([before] * 30 + [after] * 3) + noise] for name, (before, after) in ways.items()}
    assert {"gap_web"} <= shown(columns, Topology([*edges(), ("gate", "web")]))["cart"]
    assert "web" not in shown(columns, Topology([*edges(), ("gate", "web")]))
    both = {**columns, "web:gap_gate": columns["cart:gap_web"], "users:gap_web": columns["cart:gap_web"]}
    ranking = rank(symptoms(table(both), AT, CHAIN), (), Topology([*edges(), ("gate", "web")]))
    assert ranking.hints[0].entity == "web"


def edges() -> list[tuple[str, str]]:
    return [("web", "cart"), ("web", "users")]


def test_a_way_may_be_named_by_its_caller_or_its_callee():
    noise = 0.0001 * np.random.default_rng(3).normal(size=33)
    slow = [float(n) for n in np.array([0.001] * 30 + [0.2] * 3) + noise]
    for name in ("cart:gap_web", "web:gap_cart"):
        found = shown({name: slow, "web:cpu": (1.0, 1.0), "cart:cpu": (1.0, 1.0)}, Topology(edges()))
        assert "cart" in found


@pytest.mark.parametrize(
    ("metric", "family"),
    [
        ("gap_cart", Family.EDGE),
        ("edge-ts-order-service", Family.EDGE),
        ("self90", Family.SELF),
        ("tmpl-9", Family.LOG),
        ("log_error_9", Family.ERRORS),
        ("login_requests", Family.LOAD),
        ("log_1 minus log_2", Family.LOG),
        ("lat_client minus lat_server", Family.EDGE),
    ],
)
def test_names_of_lines_and_ways_say_what_they_are_about(metric, family):
    assert family_of(metric) is family


def test_of_many_entities_with_a_little_noise_none_keeps_a_clear_first_from_being_named():
    noise = [Symptom(f"e{k}", "cpu", Family.CPU, 2.5, 1, 0, 60.0, "noise", silent=False) for k in range(300)]
    ranking = rank([*noise, Symptom("it", "cpu", Family.CPU, 20.0, 1, 0, 60.0, "it", silent=False)], (), Topology())
    assert (ranking.hints[0].entity, ranking.abstained) == ("it", False)
    assert ranking.hints[0].probability < 0.125


def test_signals_that_are_kept_change_nothing_of_the_others():
    whole, part = (make_traced(4, 2, signals=signals) for signals in (("metrics", "logs", "spans"), ("metrics", "spans")))
    for one, other in zip(whole, part, strict=True):
        columns = list(zip(one.table.entities, one.table.metrics, strict=True))
        kept = [columns.index(c) for c in zip(other.table.entities, other.table.metrics, strict=True)]
        assert np.array_equal(one.table.values[:, kept], other.table.values, equal_nan=True)
        assert (one.root, one.at) == (other.root, other.at)
