"""Laws of the stage: any order inside lateness, any cut, any repeat and any restart give the same incidents."""

from __future__ import annotations

import itertools
import random

import orjson
import pytest
from correlate_timeline import SHARD, Timeline, at, incidents, machine, outputs, records, run
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.correlate.evidence import Evidence
from engine.correlate.grouping import ENTITIES_KEPT, Cluster, Onset
from engine.correlate.places import Places
from engine.errors import StateError
from engine.metrics import Metric
from engine.ports import Snapshot
from engine.records import Record, Topic

CONFIG = {
    "topology": [("web", "cart"), ("cart", "cart-db"), ("web", "users"), ("users", "users-db")],
    "runs_on": [("cart", "n1")],
}
ENTITIES = ("web", "cart", "cart-db", "users", "users-db", "n1", "elsewhere")
METRICS = ("latency", "errors", "cpu")


@st.composite
def stories(draw: st.DrawFn) -> list[Timeline]:
    """Three sources, each a timeline of its own in its own order of time."""
    told = []
    for source in ("metrics", "logs", "other"):
        line = Timeline()
        minute = 0.0
        firing: dict[str, str] = {}
        for n in range(draw(st.integers(1, 12))):
            minute += draw(st.sampled_from([0.0, 0.25, 1.0, 4.0, 20.0]))
            series = f"{draw(st.sampled_from(ENTITIES))}:{source}_{draw(st.sampled_from(METRICS))}"
            if series in firing:
                line.recovers(minute, series, source=source, id=firing.pop(series))
            else:
                firing[series] = f"{series}-{n}"
                line.fires(minute, series, source=source, id=firing[series], score=draw(st.sampled_from([1.2, 4.0])))
            if draw(st.booleans()):
                line.passes(minute, source)
        told.append(line.passes(60, source, final=True))
    return told


def woven(story: list[Timeline], seed: int) -> list:
    """The sources' messages in one log, each source's own order kept."""
    order = random.Random(seed)
    queues = [list(line.messages) for line in story]
    out = [queue.pop(0) for queue in queues]  # every source is heard of before anybody is waited for
    while any(queues):
        out.append(order.choice([q for q in queues if q]).pop(0))
    return out


def gist(revisions) -> dict:
    """What must not depend on how the log was woven: the incidents as they end."""
    last = {i.id: i for i in revisions}
    return {
        k: (str(i.state), i.title, i.opened_ts_ns, i.alerts_total, sorted(m.id for m in i.members), i.started_ts_ns)
        for k, i in last.items()
    }


@settings(max_examples=60, deadline=None)
@given(stories(), st.integers(0, 2**32))
def test_the_order_of_arrival_inside_lateness_does_not_matter(story, seed):
    config = {**CONFIG, "source_timeout": 86_400.0}
    one = incidents(outputs(records(woven(story, seed)), finish=True, **config))
    other = incidents(outputs(records(woven(story, seed + 1)), finish=True, **config))
    assert gist(one) == gist(other)


@settings(max_examples=60, deadline=None)
@given(stories(), st.data())
def test_any_cut_into_batches_gives_the_same_bytes(story, data):
    log = records(woven(story, 1))
    cuts = data.draw(st.lists(st.integers(0, len(log)), max_size=6))
    assert outputs(log, cuts=cuts, **CONFIG) == outputs(log, **CONFIG)


@settings(max_examples=60, deadline=None)
@given(stories(), st.data())
def test_a_snapshot_has_the_same_future(story, data):
    log = records(woven(story, 2))
    cut = data.draw(st.integers(0, len(log)))
    first = machine(**CONFIG)
    head = first.step(log[:cut]).outputs
    saved = first.snapshot()
    second = machine(**CONFIG)
    second.restore(Snapshot(orjson.loads(orjson.dumps(saved.meta)), {}))
    assert second.snapshot() == saved
    assert head + second.step(log[cut:]).outputs == outputs(log, **CONFIG)
    assert second.finish().outputs == _finish(log)


def _finish(log):
    stage = machine(**CONFIG)
    stage.step(log)
    return stage.finish().outputs


@settings(max_examples=40, deadline=None)
@given(stories(), st.data())
def test_repeats_change_nothing(story, data):
    """A crash of a detect stage repeats a tail of what it said: the incidents are the same."""
    messages = woven(story, 3)
    start = data.draw(st.integers(0, len(messages)))
    again = [*messages, *messages[start:]]
    told = outputs(records(again), **CONFIG)
    assert told == outputs(records(messages), **CONFIG)


@settings(max_examples=60, deadline=None)
@given(stories(), st.integers(1, 200))
def test_what_is_looked_up_by_entity_is_what_the_state_says(story, members_max):
    """Also after merges, drops and members beyond the limit: a restored machine, which builds it anew, looks up the same."""
    stage = machine(**CONFIG, members_max=members_max)
    for record in records(woven(story, 4)):
        stage.step([record])
        book = stage._book
        for kept, anew in ((book._places, Places(book.state)), (book.evidence, Evidence(book.state, book.config, book.topology))):
            assert _in_order(kept) == _in_order(anew)


def _in_order(index):
    """All dictionaries of an index, those of members in the order of joining."""
    tables = {name: table for name, table in vars(index).items() if isinstance(table, dict)}
    ordered = {key: list(ids) for key, ids in tables.pop("_members", {}).items()}
    return {**tables, "ordered": ordered}


def test_repeats_are_counted():
    log = records(Timeline().fires(1, "cart:latency").messages * 3)
    assert machine().step(log).stats.counts[Metric.DUPLICATES_DROPPED, ("correlate",)] == 2


def test_every_output_carries_the_stamp_of_the_record_that_caused_it_and_counts_from_zero():
    story = Timeline().fires(1, "cart:latency", "cart:errors").fires(1, "users:cpu", "users:errors", domain="b").passes(5)
    revisions = run(story)
    assert [(i.stamp.topic, i.stamp.partition, i.stamp.offset, i.stamp.seq) for i in revisions] == [
        (SHARD.topic, 0, 4, 0),
        (SHARD.topic, 0, 4, 1),
    ]


def test_an_empty_step_changes_nothing():
    stage = machine()
    before = stage.snapshot()
    assert stage.step([]).outputs == []
    assert stage.snapshot() == before


@pytest.mark.parametrize("value", [b"", b"{", b'{"type":"alert"}', b"\xff\xfe", b"[1,2]", b'{"type":"nonsense"}'])
def test_what_is_not_ours_goes_to_the_dead_letters_and_the_rest_goes_on(value):
    log = records(Timeline().fires(1, "cart:latency", "cart:errors").passes(5).messages, first=1)
    told = outputs([Record(SHARD.topic, 0, 0, 0, b"k", value), *log])
    assert [o.topic for o in told] == [Topic.DEAD_LETTERS, Topic.INCIDENTS]
    assert dict(told[0].headers)["foreshock.error.code"] == b"malformed"


def test_a_source_that_stands_still_is_left_out_and_named():
    story = Timeline().passes(0, "metrics", "logs").fires(1, "cart:latency", "cart:errors")
    for minute in range(1, 8):
        story.passes(minute)
    told = run(story, source_timeout=180.0)
    assert told[0].degraded_inputs == ["logs-0"]
    assert run(Timeline(story.messages[:-4]), source_timeout=180.0) == []


def test_a_late_alert_joins_and_never_vanishes():
    story = Timeline().passes(0, "metrics", "logs").fires(1, "cart:latency", "cart:errors")
    for minute in range(1, 12):
        story.passes(minute)
    story.fires(2, "web:errors", source="logs").passes(12, "metrics", "logs").passes(13, "metrics", "logs")
    last = run(story, source_timeout=180.0, **CONFIG)[-1]
    assert last.entities == ["cart", "web"]
    assert last.degraded_inputs == ["logs-0"]


def test_a_source_with_long_turns_is_waited_for():
    """While a backlog is read, sources take turns of hours; one that waits for its turn has not stopped."""
    story = Timeline().passes(0, "metrics", "logs")
    for hour in range(1, 6):
        for minute in range(0, 60, 5):
            story.passes(60 * hour + minute)
        story.passes(60 * hour + 50, "logs")
    story.fires(350, "cart:latency", "cart:errors").passes(400)
    assert run(story) == []
    assert run(story.passes(400, "logs"))[0].degraded_inputs == []


def test_a_restored_machine_refuses_what_is_no_snapshot_and_is_unchanged():
    stage = machine()
    stage.step(records(Timeline().fires(1, "cart:latency").messages))
    before = stage.snapshot()
    for meta in ({}, {"format": 99}, {"format": 1}, {"format": 2}, {"format": 2, "state": {"nonsense": True}}):
        with pytest.raises(StateError):
            stage.restore(Snapshot(meta, {}))
    assert stage.snapshot() == before


@given(st.permutations(["a", "b", "c", "d"]))
def test_absorbing_clusters_is_associative_and_commutative(order):
    def cluster(name: str) -> Cluster:
        out = Cluster("d", at(ord(name)), at(ord(name)))
        out.add(Onset(name, at(ord(name)), 60.0, "d", "s"))
        out.add(Onset("shared", at(2 * ord(name)), 30.0, "d", f"s{name}"))
        for n in range(12):
            out.add(Onset(f"{name}{n}", at(ord(name) + n), 30.0, "d", f"{name}{n}"))
        return out

    left = cluster(order[0])
    for name in order[1:]:
        left.absorb(cluster(name))
    right, last = cluster(order[2]), cluster(order[0])
    right.absorb(cluster(order[3]))
    last.absorb(cluster(order[1]))
    right.absorb(last)
    assert (left.last_ns, dict(sorted(left.entities.items()))) == (right.last_ns, dict(sorted(right.entities.items())))
    assert (left.recent, left.series, left.onsets) == (right.recent, right.series, right.onsets)


def test_a_storm_of_alerts_is_bounded_and_counted_whole():
    """20,000 alerts in a minute: one incident, a sample of members, an exact count, few messages."""
    story = Timeline()
    for n in range(20_000):
        story.fires(1 + n / 20_000, f"service-{n % 50}:metric_{n}")
    for second in range(0, 300, 10):
        story.passes(1 + second / 60)
    stage = machine(members_max=100, topology=list(itertools.pairwise(f"service-{n}" for n in range(50))))
    told = incidents(stage.step(records(story.messages)).outputs)
    last = {i.id: i for i in told}
    assert sum(i.alerts_total for i in last.values()) == 20_000
    assert all(len(i.members) <= 100 for i in last.values())
    assert len(told) < 100


def test_a_storm_on_ever_new_entities_is_one_message_of_bounded_size():
    story = Timeline()
    for n in range(3_000):
        story.fires(1 + n / 3_000, f"pod-{n}:restarts")
    for second in range(0, 300, 10):
        story.passes(1 + second / 60)
    stage = machine()
    told = stage.step(records(story.messages)).outputs
    last = incidents(told)[-1]
    assert (last.alerts_total, len(last.entities)) == (3_000, ENTITIES_KEPT)
    assert max(len(o.value) for o in told) < 500_000
    assert len(stage._book._places._incidents) <= ENTITIES_KEPT + len(last.members)
