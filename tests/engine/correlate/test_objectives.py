"""Objectives as a timeline: when their burning is told, how severe it is, what it hurts, and when it is over."""

from __future__ import annotations

import random

import msgspec
import numpy as np
import orjson
import pytest
from correlate_timeline import SHARD, Timeline, at, incidents, machine, outputs, records, run
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.config.slo import Slo
from engine.errors import StateError
from engine.metrics import Metric
from engine.ports import Snapshot
from engine.records import Alert, AlertState, AnomalyKind, IncidentState, Record, Topic, decode_alerts_message

SLO = Slo(name="cart-answers", entity="cart", objective=0.999, total="a", errors="b")
OTHER = Slo(name="web-answers", entity="web", objective=0.99, total="a", errors="b")
DAY = 1440


def usual(story: Timeline, start: int, end: int, bad: float = 0.0, total: float = 1000.0, slo: str = SLO.name) -> Timeline:
    """So much in each minute."""
    for minute in range(start, end):
        story.counts(minute, slo, bad, total)
        story.passes(minute + 1.5)
    return story


def told(story: Timeline, **config):
    return run(story, slos=[SLO, OTHER], **config)


def opened(revisions):
    return [i for i in revisions if i.reason == "opened"]


def test_an_hour_of_failing_at_fifteen_times_the_budget_is_told_within_the_hour_and_one_at_five_times_is_not_urgent():
    story = usual(usual(Timeline(), 0, 3 * DAY), 3 * DAY, 3 * DAY + 60, bad=30)
    (first,) = opened(told(story))
    assert first.entities == ["cart"]
    assert first.severity == 17
    assert (
        at(3 * DAY + 20) < first.opened_ts_ns <= at(3 * DAY + 35)
    )  # 30 in a thousand: half an hour until 14.4 is the hour's mean
    (impact,) = first.impact
    assert (impact.slo, impact.entity) == ("cart-answers", "cart")
    assert impact.burn_rate == pytest.approx(14.5, rel=0.1)
    assert impact.burn_rate_now == pytest.approx(30.0)
    assert impact.window_seconds == 3600


def test_all_requests_failing_is_told_in_minutes_and_is_fatal_when_the_budget_ends_within_the_hour():
    story = usual(usual(Timeline(), 0, 3 * DAY), 3 * DAY, 3 * DAY + 20, bad=1000)
    revisions = told(story)
    (first,) = opened(revisions)
    assert first.opened_ts_ns <= at(3 * DAY + 3)
    assert revisions[-1].severity == 21
    assert "cart: SLO cart-answers burns" in first.title
    (member,) = first.members
    assert (str(member.kind), member.onset_ts_ns) == ("slo_burn", at(3 * DAY))


def test_a_slow_burn_is_a_warning():
    story = usual(usual(Timeline(), 0, 3 * DAY), 3 * DAY, 4 * DAY, bad=4)  # 3x the budget over a day
    (first,) = opened(told(story))
    assert first.severity == 13
    assert first.impact[0].window_seconds == 3 * 86_400
    assert at(3 * DAY + 17 * 60) < first.opened_ts_ns < at(3 * DAY + 19 * 60)


def test_what_the_budget_allows_is_never_told():
    assert told(usual(Timeline(), 0, 2 * DAY, bad=0.9)) == []


def test_few_requests_prove_nothing():
    story = usual(Timeline(), 0, DAY, total=2)
    for minute in range(DAY, DAY + 4):
        story.counts(minute, SLO.name, 1, 2).passes(minute + 1.5)
    stage = machine([SLO])
    result = stage.step(records(usual(story, DAY + 4, DAY + 30, total=2).messages))
    assert incidents(result.outputs) == []
    assert result.stats.counts[Metric.GATED, ("low_support",)] > 0
    assert opened(told(usual(usual(Timeline(), 0, DAY, total=2), DAY, DAY + 8, bad=2, total=2)))


def test_it_is_over_when_it_has_burned_no_more_for_five_minutes():
    story = usual(usual(usual(Timeline(), 0, DAY), DAY, DAY + 10, bad=1000), DAY + 10, DAY + 28)
    last = told(story)[-1]
    assert (last.state, last.reason) == (IncidentState.RESOLVED, "recovered")
    assert at(DAY + 14) < last.resolved_ts_ns < at(DAY + 25)
    assert len(opened(told(story))) == 1
    assert [i.slo for i in last.impact] == ["cart-answers"]


def test_a_second_outage_is_told_again_and_the_first_is_no_part_of_it():
    story = usual(usual(usual(Timeline(), 0, DAY), DAY, DAY + 10, bad=1000), DAY + 10, DAY + 60)
    story = usual(usual(story, DAY + 60, DAY + 61, bad=500), DAY + 61, DAY + 90)
    assert len({m.id for i in told(story) for m in i.members}) == 1  # half a minute: less than two hundredths of the budget
    again = usual(story, DAY + 90, DAY + 100, bad=1000)
    assert len({m.id for i in told(again) for m in i.members}) == 2


def test_silence_resolves_nothing_until_a_day_has_passed():
    story = usual(usual(Timeline(), 0, DAY), DAY, DAY + 10, bad=1000)
    silent = told(story.passes(DAY + 30))[-1]
    assert (silent.state, silent.unknown, silent.firing) == (IncidentState.OPEN, 1, 0)
    assert told(story.passes(2 * DAY + 20))[-1].state is IncidentState.RESOLVED


def test_an_incident_on_what_a_promise_needs_hurts_it_and_is_as_severe():
    story = usual(Timeline().edge(0, "cart", "cart-db"), 0, DAY)
    story.fires(DAY, "cart-db:disk_latency", score=5.0)
    usual(story, DAY, DAY + 10, bad=1000)
    last = told(story)[-1]
    assert set(last.entities) == {"cart", "cart-db"}
    assert last.severity == 21
    assert [(i.slo, i.because) for i in last.impact] == [("cart-answers", "cart is part of it")]
    assert last.hints[0].entity == "cart-db"
    assert all(h.metric != "slo_errors_burn" for h in last.hints)


def test_an_open_incident_is_told_anew_when_a_promise_upstream_begins_to_burn():
    """The database began before: too long ago to be one incident by time, and it burns still."""
    config = {"topology": [("web", "cart"), ("cart", "cart-db")], "window": 120.0}
    story = usual(Timeline(), 0, DAY, slo=OTHER.name)
    story.fires(DAY, "cart-db:disk_latency", score=5.0)
    usual(story, DAY, DAY + 40, slo=OTHER.name)
    usual(story, DAY + 40, DAY + 58, bad=800, slo=OTHER.name)
    by_entity = {i.entities[0]: i for i in told(story, **config)}
    database = by_entity["cart-db"]
    assert [(i.slo, i.because) for i in database.impact] == [("web-answers", "web needs cart-db, 2 steps away")]
    assert database.severity >= 17


def test_what_began_after_a_promise_burned_or_is_not_needed_does_not_hurt_it():
    story = usual(usual(Timeline(), 0, DAY), DAY, DAY + 30, bad=1000)
    story.fires(DAY + 30, "users:latency", "elsewhere:latency", score=5.0)
    usual(story, DAY + 30, DAY + 60, bad=1000)
    config = {"topology": [("cart", "users"), ("web", "elsewhere")], "window": 60.0}
    by_entity = {i.entities[0]: i for i in told(story, **config)}
    assert by_entity["cart"].impact
    assert [(e, i.impact) for e, i in by_entity.items() if "cart" not in i.entities and e != "users"] == [
        (e, []) for e, i in by_entity.items() if "cart" not in i.entities and e != "users"
    ]


def test_a_silence_and_a_window_hold_for_promises_too():
    story = Timeline().says(0, "silence", "slo_errors_burn*")
    assert opened(told(usual(usual(story, 0, DAY), DAY, DAY + 30, bad=1000))) == []


def test_counts_of_several_shards_meet():
    """The total is counted on one partition, what was good on another."""
    story = Timeline()
    for minute in range(DAY + 10):
        good = 1000.0 if minute < DAY else 500.0
        story.counts(minute, SLO.name, 1000, 1000, source="a").counts(minute, SLO.name, -good, 0, source="b")
        story.passes(minute + 1.5, "a", "b")
    (first,) = opened(told(story))
    assert first.impact[0].burn_rate_now == pytest.approx(500.0 * 2 / 5)  # in two of the five minutes


def test_gauges_say_how_it_stands():
    stage = machine([SLO])
    result = stage.step(records(usual(Timeline(), 0, 2 * DAY, bad=2).messages))
    gauges = {(metric, *labels): value for (metric, labels), value in result.stats.gauges.items()}
    assert gauges[Metric.SLO_BURN, "default", "cart-answers", "1h"] == pytest.approx(2.0)
    assert gauges[Metric.SLO_BUDGET, "default", "cart-answers"] == pytest.approx(1 - 2 * 2 / 30, rel=0.01)
    assert gauges[Metric.SLO_SECONDS, "default", "cart-answers"] == pytest.approx(30 * 86_400 * (1 - 4 / 30) / 2, rel=0.01)


def test_domains_are_apart():
    story = usual(Timeline(), 0, DAY)
    for minute in range(DAY, DAY + 10):
        story.counts(minute, SLO.name, 1000, 1000, domain="b").counts(minute, SLO.name, 0, 1000).passes(minute + 1.5)
    assert {i.domain for i in told(story)} == {"b"}


_minute = st.tuples(
    st.sampled_from([1, 1, 1, 2, 9, 70]), st.sampled_from([0.0, 30.0, 1000.0]), st.sampled_from(["cart-answers", "web-answers"])
)


@st.composite
def stories(draw: st.DrawFn) -> Timeline:
    story, minute = usual(Timeline(), 0, 90), 90
    for step, bad, slo in draw(st.lists(_minute, min_size=1, max_size=12)):
        minute += step
        story.counts(minute, slo, bad, 1000)
        if draw(st.booleans()):
            story.fires(minute, "cart:latency", id=f"a{minute}")
        story.passes(minute + 1.5)
    return story.passes(minute + 30)


def _shards(bad: list[float]) -> list[list]:
    """Two shards that count the same objective, each in its own order of time."""
    told = []
    for source, share in (("a", 0.25), ("b", 0.75)):
        story = Timeline()
        for minute, count in enumerate(bad):
            story.counts(minute, SLO.name, share * count, share * 1000, source=source).passes(minute + 1.5, source)
        told.append(story.passes(len(bad) + 30, source, final=True).messages)
    return told


@settings(max_examples=12, deadline=None)
@given(st.lists(st.sampled_from([0.0, 40.0, 1000.0]), min_size=1, max_size=20), st.integers(0, 2**32))
def test_how_the_shards_are_woven_does_not_matter(bad, seed):
    order = random.Random(seed)
    first, second = _shards([0.0] * 60 + bad)
    plain = [message for pair in zip(first, second, strict=True) for message in pair]
    queues, mixed = [list(first), list(second)], [first[0], second[0]]  # every shard is heard of before anybody is waited for
    for queue in queues:
        queue.pop(0)
    while any(queues):
        mixed.append(order.choice([queue for queue in queues if queue]).pop(0))
    gists = [
        {
            (i.id, i.revision, i.title, i.severity, i.ts_ns, str(i.impact))
            for i in incidents(outputs(records(log), slos=[SLO], finish=True, source_timeout=86_400.0))
        }
        for log in (plain, mixed)
    ]
    assert gists[0] == gists[1]


@settings(max_examples=12, deadline=None)
@given(stories(), st.lists(st.integers(0, 120), max_size=5))
def test_any_cut_gives_the_same_bytes(story, cuts):
    log = records(story.messages)
    cuts = [min(cut, len(log)) for cut in cuts]
    assert outputs(log, cuts=cuts, slos=[SLO, OTHER]) == outputs(log, slos=[SLO, OTHER])


@settings(max_examples=12, deadline=None)
@given(stories(), st.data())
def test_a_snapshot_has_the_same_future(story, data):
    log = records(story.messages)
    cut = data.draw(st.integers(0, len(log)))
    first = machine([SLO, OTHER])
    head = first.step(log[:cut]).outputs
    second = machine([SLO, OTHER])
    second.restore(copied(first.snapshot()))
    assert head + second.step(log[cut:]).outputs == outputs(log, slos=[SLO, OTHER])
    assert msgspec.to_builtins(second.snapshot().meta) == msgspec.to_builtins(_stepped(log).meta)


def _stepped(log) -> Snapshot:
    stage = machine([SLO, OTHER])
    stage.step(log)
    return stage.snapshot()


def copied(saved: Snapshot) -> Snapshot:
    return Snapshot(orjson.loads(orjson.dumps(saved.meta)), {name: column.copy() for name, column in saved.columns.items()})


def test_an_objective_that_is_gone_leaves_the_others_their_counts():
    story = usual(usual(Timeline(), 0, 100), 100, 200, slo=OTHER.name)
    first = machine([SLO, OTHER])
    first.step(records(story.messages))
    second = machine([OTHER])
    second.restore(copied(first.snapshot()))
    state = second.snapshot().meta["state"]["promises"]["by_name"]
    assert {name: promise["number"] for name, promise in state.items()} == {"default/web-answers": 0}
    assert len(second.snapshot().columns["objectives"]) == len(first.snapshot().columns["objectives"]) // 2


def test_torn_counts_are_refused_and_change_nothing():
    first = machine([SLO])
    first.step(records(usual(Timeline(), 0, 10).messages))
    saved = first.snapshot()
    second = machine([SLO])
    for columns in ({}, {"objectives": saved.columns["objectives"][:-8]}):
        with pytest.raises(StateError):
            second.restore(Snapshot(saved.meta, columns))
    assert second.snapshot() == machine([SLO]).snapshot()


def test_numbers_that_are_none_are_not_counted():
    story = Timeline().counts(0, SLO.name, float("1e300"), 1).counts(0, "nobody", 1, 1).passes(5)
    stage = machine([SLO])
    stage.step(records(story.messages))
    assert stage.snapshot().columns == {}


def test_an_alert_lives_while_it_burns():
    story = usual(usual(Timeline(), 0, DAY), DAY, DAY + 200, bad=30)
    last = told(story)[-1]
    assert [m.state for m in last.members] == [AlertState.FIRING]
    assert np.isfinite(last.impact[0].seconds_left)


def alerts(out) -> list[Alert]:
    return [decode_alerts_message(o.value) for o in out if o.topic is Topic.ALERTS]


def test_each_transition_is_an_alert_of_its_own_on_the_alerts_topic_and_a_minute_that_goes_on_is_none():
    story = usual(usual(usual(Timeline(), 0, DAY), DAY, DAY + 30, bad=300), DAY + 30, DAY + 90)
    said = alerts(outputs(records(story.messages), slos=[SLO, OTHER]))
    assert [a.state for a in said] == [AlertState.FIRING] * (len(said) - 1) + [AlertState.RESOLVED]
    assert (said[0].reason, said[-1].reason, {a.reason for a in said[1:-1]} - {"worse"}) == ("burning", "recovered", set())
    assert len({a.id for a in said}) == 1
    assert len({a.stamp for a in said}) == len(said) <= 5
    assert [a.revision for a in said] == sorted({a.revision for a in said})
    assert {(a.kind, a.entity, a.domain) for a in said} == {(AnomalyKind.SLO_BURN, "cart", "default")}
    assert "cart-answers burns" in said[0].text


def test_the_stage_passes_over_what_it_said_itself():
    log = records(usual(usual(Timeline(), 0, DAY), DAY, DAY + 30, bad=300).messages)
    plain = outputs(log, slos=[SLO])
    own = [o.value for o in plain if o.topic is Topic.ALERTS]
    last = log[-1].offset
    echoes = [Record(SHARD.topic, 0, last + n, 0, b"default", value) for n, value in enumerate(own, 1)]
    assert own
    assert outputs([*log, *echoes], slos=[SLO]) == plain
