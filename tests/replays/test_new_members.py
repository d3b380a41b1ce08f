"""Stories of new members: a pod of a known deployment is judged in its first hour, and its being new is no alarm."""

from __future__ import annotations

import numpy as np
import pytest
from detect_world import machine, play
from fleet_world import FleetStory, latencies, log_of, minute_of

from engine.config.fleet import Fleet
from engine.config.tree import Detect
from engine.metrics import Metric
from engine.records import AlertState, Signal

ALONE = Fleet(compare=False)
"""Only what a series says of itself."""
OLD, NEW, COMES = 6, 6, 900
COLD = np.array([6.0, 4.0, 3.0, 2.0, 1.4])


def joined(minutes: int, seed: int = 1):
    """Six pods of fifteen hours, and six that come then, cold for their first minutes."""
    value = latencies((COMES + minutes) / 1440, OLD + NEW, seed)
    value[:COMES, OLD:] = np.nan
    value[COMES : COMES + len(COLD), OLD:] *= COLD[:, None]
    return value


def firing(story, pod):
    return [a for a in story.told if a.state is AlertState.FIRING and a.labels["pod"] == f"cart-{pod}"]


@pytest.mark.parametrize("seed", range(3))
def test_new_pods_are_no_alarm_in_their_first_six_hours(seed):
    story = FleetStory(joined(360, seed), Detect(fleet=ALONE))
    assert all(not firing(story, pod) for pod in range(OLD, OLD + NEW)), story.summary()


@pytest.mark.parametrize("inherit", [True, False])
def test_a_fault_in_the_first_hour_is_told_where_the_group_is_known(inherit):
    value = joined(60)
    fault = COMES + 25
    value[fault : fault + 20, OLD:] *= 4.0
    story = FleetStory(value, Detect(fleet=Fleet(compare=False, inherit=inherit)))
    told = [firing(story, pod) for pod in range(OLD, OLD + NEW)]
    assert story.stats.counts.get((Metric.SERIES_INHERITED, ()), 0) == (NEW if inherit else 0)
    if not inherit:
        assert not any(told), "it only learns"
        return
    assert sum(bool(alerts) for alerts in told) >= NEW - 1, story.summary()
    assert all(fault <= minute_of(alerts[0]) <= fault + 10 for alerts in told if alerts)


def test_it_is_judged_from_when_it_inherits_and_says_how_many_are_learning():
    log = log_of(joined(30))
    shard = machine(Detect(fleet=ALONE))
    learning = []
    for i in range(len(log)):
        gauges = shard.step(log[i : i + 1]).stats.gauges
        learning.append(next((n for (metric, _), n in gauges.items() if metric is Metric.SERIES_LEARNING), None))
    assert max(n for n in learning[:50] if n is not None) == OLD
    assert learning[COMES - 1] == 0
    assert learning[COMES + 5] == NEW
    assert learning[COMES + 20] == 0, "ten minutes, not an hour"


def test_a_member_of_another_size_inherits_nothing():
    value = joined(40)
    value[:, OLD:] *= 50.0
    story = FleetStory(value, Detect(fleet=ALONE))
    assert (Metric.SERIES_INHERITED, ()) not in story.stats.counts
    assert story.stats.counts[Metric.SAMPLES, (Signal.METRIC,)] > 0


def test_heirs_are_the_same_however_the_log_is_cut_and_after_a_restore():
    value = joined(60)
    value[COMES + 25 : COMES + 40, OLD:] *= 4.0
    log = log_of(value)
    whole, _ = play(machine(), log)
    parts, _ = play(machine(), log, range(0, len(log), 7))
    assert whole == parts
    for cut in (COMES + 3, COMES + 8, COMES + 30):
        first, second = machine(), machine()
        before, _ = play(first, log[:cut])
        second.restore(first.snapshot())
        after, _ = play(second, log[cut:], (5,))
        assert before + after == whole
    assert len(whole) > len(log), "something was told"
