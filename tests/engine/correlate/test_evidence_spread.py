"""What is enough to be told, and what still burning trouble draws in."""

from __future__ import annotations

import pytest
from correlate_timeline import Timeline, run

from engine.records import LASTING, ONCE

SHOP = {"topology": [("web", "cart"), ("cart", "cart-db")]}


def states(revisions):
    return [str(i.state) for i in revisions]


def test_two_measures_of_one_resource_that_last_are_enough():
    told = run(Timeline().fires(1, "cart:cpu_usage_seconds_total", "cart:cpu_user_seconds_total", score=2.2).passes(9), **SHOP)
    assert states(told) == ["open"]


def test_spikes_of_one_sample_are_not_told_though_there_are_several():
    story = Timeline().fires(1, "cart:cpu_seconds", "cart:memory_bytes", score=2.5, reason=ONCE)
    assert run(story.recovers(6, "cart:cpu_seconds", "cart:memory_bytes").passes(30), **SHOP) == []


def test_spikes_that_go_on_are_told_when_they_do():
    story = Timeline().fires(1, "cart:cpu_seconds", "cart:memory_bytes", score=2.5, reason=ONCE)
    told = run(story.fires(2, "cart:cpu_seconds", "cart:memory_bytes", score=2.5, reason=LASTING).passes(9), **SHOP)
    assert states(told)[:1] == ["open"]


def test_of_series_that_come_seldom_one_sample_is_all_there_can_be():
    story = Timeline().fires(1, "cart:cpu_seconds", "cart:memory_bytes", score=2.5, reason=ONCE, step_seconds=300.0)
    assert states(run(story.passes(9), **SHOP)) == ["open"]


@pytest.mark.parametrize(
    ("metric", "direction"),
    [
        ("memory_bytes", -1),
        ("node_memory_MemAvailable_bytes", 1),
        ("fs_usage_bytes", -1),
        ("disk_write", 1),
        ("network_receive_bytes_total", 1),
        ("node_memory_Dirty_bytes", 1),
    ],
)
def test_less_of_a_resource_and_more_bytes_on_their_way_are_no_trouble_by_themselves(metric, direction):
    lone = Timeline().fires(1, f"node-1:{metric}", score=2.6, direction=direction)
    assert run(lone.passes(30), **SHOP) == []


def test_memory_of_which_little_is_left_is():
    story = Timeline().fires(1, "node-1:node_memory_MemAvailable_bytes", score=2.6, direction=-1, value=0.2)
    assert states(run(story.passes(30), **SHOP)) == ["open"]


def test_a_full_disk_is():
    assert states(run(Timeline().fires(1, "node-1:fs_usage_bytes", score=2.6).passes(30), **SHOP)) == ["open"]


def burning(metric="latency"):
    """An incident on cart that does not end: of one of its alerts nothing more is heard than that it fires."""
    return Timeline().fires(1, f"cart:{metric}", score=3.5)


def test_symptoms_next_to_what_burns_belong_to_it_however_late():
    told = run(burning().fires(30, "web:latency").passes(40), **SHOP)
    assert len({i.id for i in told}) == 1
    assert told[-1].entities == ["cart", "web"]


def test_a_resource_of_a_neighbours_own_is_a_problem_of_its_own():
    told = run(burning().fires(30, "web:memory_bytes", "web:cpu_seconds").passes(40), **SHOP)
    assert len({i.id for i in told}) == 2


def test_a_resource_of_what_carries_it_belongs_to_it():
    told = run(burning("memory_bytes").fires(30, "node-1:memory_bytes").passes(40), runs_on=[("cart", "node-1")], **SHOP)
    assert told[-1].entities == ["cart", "node-1"]


@pytest.mark.parametrize(("again", "incidents"), [(15, 1), (40, 2)])
def test_a_series_that_begins_again_goes_on_where_it_ended_lately_and_else_begins_anew(again, incidents):
    story = burning().fires(1, "web:errors", "web:queue_length", score=2.5).recovers(10, "web:errors", "web:queue_length")
    second = {"id": "second", "score": 3.5}
    told = run(story.fires(again, "web:queue_length", **second).passes(again + 9), **SHOP)
    assert len({i.id for i in told}) == incidents


def test_a_series_that_has_burnt_for_hours_and_begins_again_at_once_goes_on():
    story = Timeline().fires(1, "cart:latency", score=3.5)
    for hour in (1, 2, 3, 4):
        story.passes(60 * hour).fires(60 * hour, "cart:latency", score=3.5)
    story.recovers(250, "cart:latency").passes(255).fires(256, "cart:latency", score=3.5, id="again").passes(260)
    told = run(story, **SHOP)
    assert {i.id for i in told} == {told[0].id}
    assert told[-1].alerts_total == 2
