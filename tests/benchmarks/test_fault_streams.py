"""The benchmarks of whole streams: what they judge, and that the engine finds a plain fault in them."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks import end_to_end, shop
from benchmarks.end_to_end import Told, figures, judge, unmatched
from benchmarks.fault_stream import Fault, Stream, make_quiet, make_stream
from engine.cli.demo_truth import Verdict
from engine.records import Hint, Incident, IncidentState, Stamp

START = 1_772_672_400
FAULT = Fault(START + 600.0, START + 900.0, "cart", "cpu")
STREAM = Stream(np.array([START, START + 86_400.0]), ("cart:cpu",), np.zeros((2, 1)), [], [FAULT])


def told(opened: float, entity: str = "cart") -> Told:
    ts_ns = int((START + opened) * 1e9)
    incident = Incident(
        id=f"{opened}",
        revision=1,
        state=IncidentState.OPEN,
        domain="default",
        tenant="default",
        title="",
        severity=13,
        started_ts_ns=ts_ns,
        opened_ts_ns=ts_ns,
        ts_ns=ts_ns,
        hints=[Hint(entity=entity, metric="cpu", probability=1.0, evidence=[])],
        stamp=Stamp("alerts", 0, 0, 0),
    )
    return Told(incident, incident)


@pytest.mark.parametrize(("opened", "found"), [(599.0, False), (600.0, True), (1020.0, True), (1021.0, False)])
def test_an_incident_is_about_a_fault_from_its_beginning_until_shortly_after_its_end(opened: float, found: bool) -> None:
    verdict = judge(FAULT, [told(opened)])
    assert verdict.is_found is found
    assert len(unmatched([verdict], [told(opened)])) == (not found)


def test_figures_tell_found_first_and_about_nothing() -> None:
    incidents = [told(700.0, "cart-db"), told(720.0), told(5_000.0)]
    said = figures(STREAM, [judge(FAULT, incidents)], incidents, 300.0)
    assert said["of_all"] == {
        "faults": 1,
        "found": 1,
        "first": 1,
        "first when told": 1,
        "found and first, of all": 1.0,
        "abstained": 0,
        "incidents each": 2,
        "delay seconds": {"median": 100.0, "longest": 100.0},
    }
    assert said["unmatched a day"] == 1.0


def test_faults_within_the_warm_up_are_left_out() -> None:
    assert figures(STREAM, [judge(FAULT, [])], [], 3_600.0)["learning"] == 1


def test_made_up_streams_are_the_same_for_the_same_seed() -> None:
    one, other = make_stream(3, 0.2), make_stream(3, 0.2)
    assert one.faults == other.faults
    assert np.array_equal(one.values, other.values)
    assert len(one.columns) == 40 * 15 + 4 * 8


def test_the_engine_finds_a_plain_fault_of_a_stream() -> None:
    rng = np.random.default_rng(1)
    times = START + 60.0 * np.arange(300)
    values = rng.normal(10.0, 0.5, (300, 4))
    fault = Fault(float(times[250]), float(times[260]), "b", "cpu")
    values[250:260, 2:] += 40.0
    stream = Stream(times, ("a:cpu_seconds", "a:memory_bytes", "b:cpu_seconds", "b:memory_bytes"), values, [("a", "b")], [fault])
    incidents = end_to_end.watch(stream, end_to_end.config_for(stream))
    assert judge(fault, incidents).is_first()
    assert unmatched([judge(fault, incidents)], incidents) == []


def test_the_shop_says_how_many_seeds_reach_the_goal() -> None:
    assert shop.summary([Verdict((), (), 0, 0)])["seeds without a false one"] == 1


def test_a_quiet_stream_has_616_series_in_each_minute_and_no_fault():
    stream = make_quiet(3, 1)
    assert stream.values.shape == (1_440, 616)
    assert (np.diff(stream.times) == 60.0).all()
    assert np.isfinite(stream.values).mean() > 0.9
    assert stream.faults == []
    assert np.array_equal(stream.values, make_quiet(3, 1).values, equal_nan=True)
