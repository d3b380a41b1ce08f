"""Incidents that become one, and two again: explained, remembered, and the same after any restart."""

from __future__ import annotations

import orjson
import pytest
from correlate_timeline import Timeline, incidents, machine, outputs, records, run
from hypothesis import given
from hypothesis import strategies as st

from engine.ports import Snapshot

CONFIG = {"topology": [("a", "c"), ("c", "e")]}


def bridged() -> Timeline:
    """Two incidents, and an alert between them that makes them one."""
    story = Timeline().fires(1, "a:latency", "a:errors").fires(2.6, "e:latency", "e:errors").passes(5)
    return story.fires(5, "c:latency", onset=1.8, step_seconds=300.0).passes(6)


def ids() -> tuple[str, str]:
    elder, younger = dict.fromkeys(i.id for i in run(bridged(), **CONFIG))
    return elder, younger


def last(story: Timeline, **config):
    return {i.id: i for i in run(story, **{**CONFIG, **config})}


def test_a_merge_says_what_ties_the_two_and_names_the_id_that_is_gone():
    elder, younger = ids()
    told = last(bridged())
    assert (
        told[younger].reason == f"one problem with {elder}: latency of c belongs to both: {told[elder].members[4].joined_because}"
    )
    (part,) = told[elder].merged_from
    assert (part.id, part.alerts_total) == (younger, 2)
    assert part.because in told[younger].reason


def test_what_was_merged_lives_again_under_its_old_id_with_what_it_brought():
    elder, younger = ids()
    told = last(bridged().says(7, "split", younger).passes(8))
    assert (str(told[younger].state), told[younger].entities, told[younger].alerts_total, told[younger].firing) == (
        "open",
        ["e"],
        2,
        2,
    )
    assert (told[elder].entities, told[elder].alerts_total, told[elder].firing, told[elder].merged_from) == (["a", "c"], 3, 3, [])
    assert told[younger].reason == f"split from {elder}: split by alice: known"
    revisions = [i.revision for i in run(bridged().says(7, "split", younger).passes(8), **CONFIG) if i.id == younger]
    assert revisions == list(range(1, len(revisions) + 1))


def test_what_was_split_is_not_joined_again_and_each_half_ends_by_itself():
    elder, younger = ids()
    story = bridged().says(7, "split", younger).fires(8, "c:errors", onset=2.0, step_seconds=300.0).passes(9)
    told = last(story.recovers(10, "e:latency", "e:errors").passes(11))
    assert (str(told[elder].state), str(told[younger].state)) == ("open", "resolved")
    story = story.recovers(12, "a:latency", "a:errors", "c:latency", "c:errors").passes(13)
    assert str(last(story)[elder].state) == "resolved"


def test_people_may_take_single_alerts_out_of_an_incident():
    story = Timeline().fires(1, "a:latency", "a:errors", "c:latency").passes(3)
    (only,) = last(story)
    told = last(story.says(4, "split", only, members="alert-c:latency, nobody").passes(5))
    other = next(i for i in told if i != only)
    assert (told[other].entities, told[other].firing, told[only].entities, told[only].firing) == (["c"], 1, ["a"], 2)
    assert len(last(story.says(6, "split", only, members="alert-a:latency,alert-a:errors").passes(7))) == 2, "not all of them"


def test_people_may_merge_what_they_know_to_be_one():
    story = Timeline().fires(1, "a:latency", "a:errors").fires(30, "x:latency", "x:errors").passes(33)
    elder, younger = dict.fromkeys(i.id for i in run(story, **CONFIG))
    told = last(story.says(34, "merge", younger, into=elder).passes(35))
    assert (str(told[younger].state), told[younger].merged_into) == ("merged", elder)
    assert told[younger].reason.endswith("merged by alice: known")
    story = story.says(36, "split", younger).passes(37).says(38, "merge", elder, into=younger).passes(39)
    assert str(last(story)[younger].state) == "merged", "who split may think better of it"


@pytest.mark.parametrize("about", ["nobody", ""])
def test_what_is_no_incident_is_not_split(about):
    assert last(bridged().says(7, "split", about).says(7, "merge", about, into=about).passes(8)) == last(bridged().passes(8))


def test_what_people_say_of_a_merged_id_when_all_is_over_is_said_of_the_survivor():
    _, younger = ids()
    names = ["a:latency", "a:errors", "e:latency", "e:errors", "c:latency"]
    story = bridged().recovers(10, *names).passes(40).says(41, "feedback", younger, fixed_by="grew the pool")
    again = [f"{name}2" for name in names]
    for minute, series in ((101, again[:2]), (102.6, again[2:4])):
        for one in series:
            story.fires(minute, one.removesuffix("2"), id=one)
    story.passes(105).fires(105, "c:latency", id="c2", onset=101.8, step_seconds=300.0).passes(106)
    newest = list(last(story).values())[-2]
    assert [s.fixed_by for s in newest.similar] == ["grew the pool"]


@given(st.data())
def test_a_snapshot_in_between_changes_nothing(data):
    _, younger = ids()
    log = records(bridged().says(7, "split", younger).recovers(9, "e:latency", "e:errors").passes(30).messages)
    cut = data.draw(st.integers(0, len(log)))
    first, second = machine(**CONFIG), machine(**CONFIG)
    head = first.step(log[:cut]).outputs
    second.restore(Snapshot(orjson.loads(orjson.dumps(first.snapshot().meta)), {}))
    assert head + second.step(log[cut:]).outputs == outputs(log, **CONFIG)
    assert all(i.alerts_total == len(i.members) for i in incidents(outputs(log, **CONFIG)))
