"""The laws of the simulated shop: any seed, any cut, always the same bytes; what is promised is in it."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.simulator.messages import DEPLOYS, EVENTS, LATENCY, LOGS, METRICS, TOPICS, Counters, messages, ticks_of
from connectors.simulator.scenario import FAULTS, SCENARIOS, STEP_SECONDS, SURPRISES, plan
from connectors.simulator.shop import BY_NAME, SERVICES
from connectors.simulator.signals import simulate
from engine.errors import UsageError


@given(seed=st.integers(0, 2**31))
@settings(max_examples=50, deadline=None)
def test_any_seed_plans_every_fault_once_in_places_of_their_own(seed: int) -> None:
    scenario = plan("shop", seed)
    assert sorted(h.what for h in scenario.happenings) == sorted((*FAULTS, *SURPRISES))
    services = [h.entity for h in scenario.happenings if h.entity in BY_NAME]
    assert len(services) == len(set(services))
    assert all(h.start % STEP_SECONDS == 0 and h.start < h.end <= scenario.end for h in scenario.happenings)


@given(seed=st.integers(0, 2**31))
@settings(max_examples=50, deadline=None)
def test_faults_do_not_overlap_in_time(seed: int) -> None:
    """Otherwise nobody could say which of two faults an incident stands for."""
    faults = sorted(plan("shop", seed).faults, key=lambda h: h.start)
    assert all(a.end < b.start for a, b in pairwise(faults))


@given(first=st.integers(0, 5000), count=st.integers(1, 90), cut=st.integers(1, 89))
@settings(max_examples=15, deadline=None)
def test_numbers_do_not_depend_on_how_time_is_cut(first: int, count: int, cut: int) -> None:
    scenario = plan("shop", 3)
    whole = simulate(scenario, first, count)
    cut = min(cut, count)
    part = simulate(scenario, first, cut)
    for name, column in part.tail.items():
        np.testing.assert_allclose(column, whole.tail[name][:cut], rtol=1e-9)


def test_same_seed_same_bytes_and_time_never_runs_backwards() -> None:
    scenario = plan("shop", 5)
    once = list(messages(scenario, 4400, 30, Counters()))
    again = list(messages(scenario, 4400, 30, Counters()))
    assert once == again
    assert {m.topic for m in once} == {METRICS, LATENCY, LOGS, EVENTS, DEPLOYS} == set(TOPICS)
    minutes = [m.ts_ms // 60_000 for m in once]
    assert minutes == sorted(minutes)


def test_the_silent_exporter_is_silent_while_its_logs_go_on() -> None:
    scenario = plan("silent-exporter", 11)
    fault = scenario.faults[0]
    tick = (fault.start - simulate(scenario, 0, 1).times[0]) // STEP_SECONDS + 5
    keys = [m.key.decode() for m in messages(scenario, int(tick), 5, Counters()) if m.topic in (METRICS, LATENCY)]
    assert fault.entity not in keys
    assert set(keys) >= {s.name for s in SERVICES} - {fault.entity}


def test_an_unknown_scenario_is_refused_with_the_list() -> None:
    with pytest.raises(UsageError) as refused:
        plan("nonsense", 1)
    assert all(name in refused.value.hint for name in SCENARIOS)


def test_every_scenario_has_ticks_beyond_its_last_fault() -> None:
    for name in SCENARIOS:
        scenario = plan(name, 2)
        assert ticks_of(scenario) * STEP_SECONDS > 0
        assert all(h.end < scenario.end for h in scenario.happenings)
