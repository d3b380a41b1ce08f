"""The benchmark of causes: its figures are those of its definitions, and its rivals do what their papers say."""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
import orjson
import pytest

from benchmarks import causes, fault_cases
from benchmarks.fault_cases import Case, make_cases, read_cases
from benchmarks.rivals.cause_rankings import RIVALS
from engine.correlate.derived import Table
from engine.correlate.families import Family
from engine.correlate.topology import Topology

NAMES = (("web", "latency"), ("web", "cpu"), ("cart", "latency"), ("cart", "cpu"), ("users", "cpu"))


def case(entry: int = 0) -> Case:
    """Trouble of the cart's processor, which the web page feels."""
    rng = np.random.default_rng(1)
    values = 10.0 + rng.normal(0.0, 1.0, (60, len(NAMES)))
    values[40:, 3] += 50.0
    values[40:, [0, 2]] += 8.0
    calls = Topology([("web", "cart"), ("web", "users")])
    table = Table(np.arange(60) * 60.0, tuple(e for e, _ in NAMES), tuple(m for _, m in NAMES), values)
    return Case("one", table, 2_400.0, "cart", Family.CPU, calls, entry)


@pytest.mark.parametrize("name", ["baro", "nsigma"])
def test_those_that_look_at_deviations_name_what_moved_most(name: str) -> None:
    assert RIVALS[name](case())[0] == 3


@pytest.mark.parametrize("name", ["correlation", "walk"])
def test_those_that_start_from_the_violated_signal_name_who_moves_with_it(name: str) -> None:
    assert {NAMES[k][0] for k in RIVALS[name](case())[:2]} == {"cart"}


@pytest.mark.parametrize("entry", [-1, 0])
def test_every_rival_orders_the_columns_and_gaps_do_no_harm(entry: int) -> None:
    gappy = case(entry)
    gappy.table.values[::7, 1] = np.nan
    gappy.table.values[:, 4] = 3.0
    for method in RIVALS.values():
        order = method(gappy)
        assert len(order) == len(set(order)) > 0
        assert set(order) <= set(range(len(NAMES)))


def test_users_are_a_place_of_their_own_that_shows_what_the_first_service_shows() -> None:
    plain = make_cases(3, 1)[0]
    seen = fault_cases.seen_by_users(plain, 3)
    added = [k for k, entity in enumerate(seen.table.entities) if entity == "users"]
    assert len(added) == 2
    assert not seen.topology.knows("users")
    for k in added:
        first = seen.table.metrics.index(seen.table.metrics[k])
        np.testing.assert_allclose(seen.table.values[:, k], plain.table.values[:, first], rtol=0.2)


def test_a_true_entity_counts_once_at_its_first_place_and_a_metric_by_its_kind() -> None:
    told = causes.Answer([("web", "cpu"), ("web", "latency"), ("cart", "latency"), ("cart", "cpu")], 0.001)
    figures = causes.judge([case()], [told])
    assert (figures["AC@1"], figures["AC@3"], figures["Avg@5"]) == (0, 1, 0.8)
    assert (figures["metric AC@3"], figures["metric AC@5"], figures["metric Avg@5"]) == (0, 1, 0.4)


def test_the_least_sure_are_left_unanswered_first() -> None:
    told = [(False, 0.1), (False, 0.2), (True, 0.5), (True, 0.9)]
    rows = {row["left_out"]: row["precision"] for row in causes.curve(told)}
    assert (rows[0.0], rows[0.25], rows[0.5]) == (0.5, 0.667, 1.0)
    assert causes.calibration([(True, 1.0), (False, 0.0)])["expected_error"] == 0.0


def test_cases_of_a_folder_are_read_as_they_are_meant(tmp_path: Path) -> None:
    folder = tmp_path / "shop" / "one"
    folder.mkdir(parents=True)
    about = {"at": 1_772_672_520, "root": "cart", "root_kind": "cpu", "entry": ["web", "err"], "fault": "cpu"}
    (folder / "case.json").write_bytes(orjson.dumps(about))
    (folder / "metrics.csv.gz").write_bytes(_packed("time,web:latency,web:errors\n1772672400,1,2\n1772672460,1,3\n"))
    (tmp_path / "shop" / "topology.json").write_text('{"edges": [["web", "cart"]]}')
    (read,) = read_cases(tmp_path / "shop")
    assert (read.root, read.kind, read.entry, read.topology.callees("web")) == ("cart", Family.CPU, 1, ("cart",))


def _packed(text: str) -> bytes:
    return gzip.compress(text.encode())


def test_made_up_systems_are_the_same_each_time_and_the_true_cause_is_mostly_found() -> None:
    one, other = make_cases(3, 10), make_cases(3, 10)
    assert all(np.array_equal(a.table.values, b.table.values) and a.root == b.root for a, b in zip(one, other, strict=True))
    figures = causes.judge(one, [causes.foreshock(c) for c in one])
    rival = causes.judge(one, [causes._rival(RIVALS["nsigma"])(c) for c in one])
    assert figures["AC@1"] >= 0.6
    assert figures["Avg@5"] > rival["Avg@5"]


def test_it_runs_on_made_up_systems_with_all_rivals() -> None:
    figures = causes.run(quick=True, options=["--systems", "1"])
    assert set(figures["systems"]["made_up_0"]) == {"foreshock", *RIVALS}  # type: ignore[index]
    assert figures["abstention"][0]["left_out"] == 0.0  # type: ignore[index]


def test_a_case_of_which_we_are_not_sure_is_a_miss_and_no_answer() -> None:
    sure = causes.Answer([("cart", "cpu")], 0.001)
    unsure = sure._replace(abstained=True)
    figures = causes.judge([case(), case()], [sure, unsure])
    assert (figures["AC@1"], figures["abstained"], figures["answered right"]) == (0.5, 0.5, 1.0)
