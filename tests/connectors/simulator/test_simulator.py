"""The laws of the simulated shop: any seed, any cut, always the same bytes; what is promised is in it."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.simulator.messages import DEPLOYS, EVENTS, LATENCY, LOGS, METRICS, TOPICS, Counters, Message, messages, ticks_of
from connectors.simulator.scenario import FAULTS, SCENARIOS, START_SECONDS, STEP_SECONDS, SURPRISES, Happening, What, plan
from connectors.simulator.shop import BY_NAME, JOBS, SERVICES
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


def told_of(name: str, seed: int, topic: str, happening: Happening, seconds: int = 3600) -> list[Message]:
    """What a topic holds of the time around the beginning of something."""
    first = (happening.start - START_SECONDS - seconds) // STEP_SECONDS
    ticks = 2 * seconds // STEP_SECONDS
    return [m for m in messages(plan(name, seed), first, ticks, Counters()) if m.topic == topic]


@pytest.mark.parametrize("what", [What.JOB_STOPPED, What.SLOW_PARTNER])
def test_a_fault_in_logs_leaves_every_metric_as_it_is(what: What) -> None:
    fault = plan(what, 6).faults[0]
    for topic in (METRICS, LATENCY):
        assert told_of(what, 6, topic, fault) == told_of("quiet", 6, topic, fault)
    assert told_of(what, 6, LOGS, fault) != told_of("quiet", 6, LOGS, fault)


def test_a_job_writes_regularly_until_it_stops_and_again_after() -> None:
    fault = plan(What.JOB_STOPPED, 8).faults[0]
    first = (fault.start - START_SECONDS) // STEP_SECONDS - 240
    lines = [
        m
        for m in messages(plan(What.JOB_STOPPED, 8), first, 480, Counters())
        if m.topic == LOGS and m.key.decode() == fault.entity
    ]
    words = {"email": b"newsletter digest", "inventory": b"stock export", "search": b"index rebuilt"}[fault.entity]
    ran = [m.ts_ms // 1000 // STEP_SECONDS * STEP_SECONDS for m in lines if words in m.value]
    assert all(not fault.start <= at < fault.end for at in ran)
    assert {b - a for a, b in pairwise(ran) if not a < fault.start <= b} == {60 * JOBS[fault.entity]}


def test_a_new_error_comes_with_a_deploy_and_a_good_deploy_brings_a_line_that_stays() -> None:
    story = plan("shop", 9)
    bad, good = (next(h for h in story.happenings if h.what is what) for what in (What.NEW_ERROR, What.GOOD_DEPLOY))
    for happening, words in ((bad, b"cannot attach receipt"), (good, b"delivery window")):
        assert any(happening.entity.encode() in m.value for m in told_of("shop", 9, DEPLOYS, happening, 60))
        lines = [m for m in told_of("shop", 9, LOGS, happening, 900) if words in m.value]
        assert lines
        assert all(m.ts_ms >= happening.start * 1000 and m.key.decode() == happening.entity for m in lines)
        assert (b'"error"' in lines[0].value) is (happening is bad)


def test_an_unknown_scenario_is_refused_with_the_list() -> None:
    with pytest.raises(UsageError) as refused:
        plan("nonsense", 1)
    assert all(name in refused.value.hint for name in SCENARIOS)


def test_every_scenario_has_ticks_beyond_its_last_fault() -> None:
    for name in SCENARIOS:
        scenario = plan(name, 2)
        assert ticks_of(scenario) * STEP_SECONDS > 0
        assert all(h.end < scenario.end for h in scenario.happenings)
