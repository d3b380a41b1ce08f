"""Stories of fleets: one member that is off is told by its name, and what all of them share is not."""

from __future__ import annotations

import numpy as np
import pytest
from fleet_world import COMPARED, FleetStory, latencies, log_of, minute_of

from engine.config.fleet import Fleet
from engine.config.tree import Detect
from engine.records import AlertState, AnomalyKind

FIRING, RESOLVED = AlertState.FIRING, AlertState.RESOLVED
DAY = 1440


def test_one_slow_pod_of_forty_was_lost_in_the_average():
    """Half again as slow for an hour, within what its own day has shown: only its peers tell. Named, dated back, resolved."""
    value = latencies(1.6, 40)
    value[2100:2160, 7] *= 1.7
    story = FleetStory(value)
    assert {alert.labels["pod"] for alert in story.outliers} == {"cart-7"}, story.summary()
    fired = next(alert for alert in story.outliers if alert.state is FIRING)
    assert 2100 <= minute_of(fired) <= 2115, story.summary()
    assert fired.labels["against"] == "peers"
    assert fired.factors.keys() == {"peers"}
    assert fired.direction == 1
    assert fired.lower < fired.expected < fired.upper < fired.value
    assert story.outliers[-1].state is RESOLVED


def test_a_wave_that_all_share_is_no_matter_of_one_pod():
    value = latencies(1.6, 40)
    value[2100:] *= 5.0
    assert FleetStory(value).outliers == []


def test_a_rolling_deploy_replaces_pod_after_pod():
    """New pods of new names, a third slower, each cold for its first minutes; the old ones go one after the other."""
    minutes, pods = round(1.8 * DAY), 20
    value = latencies(1.8, 2 * pods, seed=2)
    cold = np.array([6.0, 5.0, 3.0, 2.0, 1.5])
    for pod in range(pods):
        swap = 2000 + 3 * pod
        value[swap + 2 :, pod] = np.nan
        value[:swap, pods + pod] = np.nan
        value[swap:, pods + pod] *= 1.33
        value[swap : swap + len(cold), pods + pod] *= cold
    assert minutes > 2000 + 3 * pods + 300
    story = FleetStory(value)
    assert story.outliers == [], story.summary()


def test_a_rolling_restart_keeps_the_names():
    """Each pod in turn is away for two minutes, comes back cold, and is what it was."""
    value = latencies(1.8, 20, seed=3)
    for pod in range(20):
        down = 2000 + 5 * pod
        value[down : down + 3, pod] = np.nan
        value[down + 3 : down + 8, pod] *= (5.0, 4.0, 2.5, 1.8, 1.3)
    story = FleetStory(value)
    assert story.outliers == [], story.summary()


def test_autoscaling_adds_cold_pods():
    value = latencies(1.8, 40, seed=4)
    value[:2000, 15:] = np.nan
    value[2000:2006, 15:] *= np.array([8.0, 6.0, 4.0, 3.0, 2.0, 1.4])[:, None]
    story = FleetStory(value)
    assert story.outliers == [], story.summary()


def test_a_new_pod_that_is_slow_from_its_first_minute_is_told():
    value = latencies(1.8, 20, seed=5)
    value[:2000, 19] = np.nan
    value[2000:, 19] *= 5.0
    story = FleetStory(value)
    assert {alert.labels["pod"] for alert in story.outliers} == {"cart-19"}, story.summary()
    assert minute_of(story.outliers[0]) < 2025


def test_a_pod_that_stays_different_is_adopted_and_told_once():
    value = latencies(2.2, 12, seed=6)
    value[2100:, 3] *= 3.0
    story = FleetStory(value)
    states = [(a.state, a.reason) for a in story.outliers]
    assert states[0][0] is FIRING
    assert states[-1] == (RESOLVED, "adopted"), story.summary()
    assert sum(state is RESOLVED for state, _ in states) == 1, story.summary()


def test_without_comparing_nothing_is_compared():
    value = latencies(1.6, 12)
    value[2100:2160, 7] *= 1.7
    assert FleetStory(value, Detect(fleet=Fleet(compare=False))).outliers == []


@pytest.mark.parametrize("cuts", [(1000,), tuple(range(0, 2300, 61))])
def test_peers_are_the_same_however_the_log_is_cut_and_after_a_restore(cuts):
    from detect_world import machine, play

    value = latencies(1.6, 8, seed=8)
    value[1700:1760, 2] *= 4.0
    value[1900:1950, 5] *= 0.2
    value[1800:1810, 6] = np.nan
    log = log_of(value)
    whole, _ = play(machine(COMPARED), log)
    parts, _ = play(machine(COMPARED), log, cuts)
    assert whole == parts
    first, second = machine(COMPARED), machine(COMPARED)
    before, _ = play(first, log[:1720])
    saved = first.snapshot()
    second.restore(saved)
    after, _ = play(second, log[1720:], (10, 100))
    assert before + after == whole
    assert any(AnomalyKind.OUTLIER.encode() in (output.value or b"") for output in after)
