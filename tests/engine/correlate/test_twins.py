"""Incidents that come again: what is alike, how often it was seen, what people said of it; bounded, and the same whatever came first."""

from __future__ import annotations

import doctest
import random

import orjson
import pytest
from correlate_timeline import Timeline, at, incidents, machine, outputs, records, run
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.config.tree import Correlate
from engine.correlate import likeness, rhythm
from engine.correlate.grouping import Cluster
from engine.correlate.kinds import Past
from engine.correlate.likeness import FEATURES_MAX, alike, blended, features_of
from engine.correlate.state import LiveIncident, member_from
from engine.correlate.twins import Twins
from engine.ports import Snapshot
from engine.records import Incident, IncidentState

DAY = 1440
SHOP = {"topology": [("web", "cart"), ("cart", "cart-db"), ("web", "users")]}
OUTAGE = ("cart-db:disk_latency", "cart:request_latency", "cart:error_ratio")
OTHER = ("users:memory_bytes", "users:cpu", "users:gc_pause")


def outage(story: Timeline, day: int, series=OUTAGE, *, number: int = 0) -> Timeline:
    """Ten minutes of trouble at noon of a day; closed half an hour later."""
    start = day * DAY + 720
    ids = {one: f"{one}-{day}-{number}" for one in series}
    for n, one in enumerate(series):
        story.fires(start + n / 4, one, id=ids[one], score=5.0)
    story.passes(start + 5)
    for one in series:
        story.recovers(start + 10, one, id=ids[one])
    return story.passes(start + 40)


def named(story: Timeline, **config) -> dict[int, Incident]:
    """The newest revision of each day's incident that is not closed yet."""
    return {i.opened_ts_ns // (DAY * 60 * 10**9): i for i in run(story, **SHOP, **config) if i.state is not IncidentState.CLOSED}


def days(story: Timeline, **config) -> list[Incident]:
    return list(named(story, **config).values())


@pytest.mark.parametrize("module", [likeness, rhythm])
def test_the_examples_in_the_modules_hold(module):
    assert doctest.testmod(module).failed == 0


def test_the_first_of_its_kind_is_like_nothing_and_the_third_was_seen_twice():
    story = Timeline()
    for day in range(3):
        outage(story, day)
    first, second, third = days(story)
    assert first.similar == []
    assert [(s.incident_id, s.times_seen, s.similarity) for s in second.similar] == [(first.id, 1, 1.0)]
    assert [(s.incident_id, s.times_seen) for s in third.similar] == [(second.id, 2)]
    assert third.similar[0].last_seen_ts_ns >= at(DAY + 720 + 25)
    assert "latency of cart up" in third.similar[0].shared


def test_trouble_elsewhere_is_not_alike_and_trouble_of_the_same_sort_under_other_names_is():
    story = outage(outage(Timeline(), 0), 1, OTHER)
    outage(story, 2, ("cart-db:io_wait_latency_ms", "cart:response_time_latency", "cart:http_5xx_error_share"))
    _, other, again = days(story)
    assert other.similar == []
    assert [s.similarity for s in again.similar] == [1.0]


def test_pods_count_as_their_workload():
    story = outage(Timeline(), 0, ("cart-7d9c5b6f4-x2k8p:memory_bytes", "cart-7d9c5b6f4-x2k8p:cpu"))
    outage(story, 1, ("cart-5f7c8d9b6-q9w4z:memory_bytes", "cart-5f7c8d9b6-q9w4z:cpu"))
    assert days(story)[1].similar[0].similarity == 1.0


def test_what_is_half_alike_is_a_kind_of_its_own():
    story = outage(outage(Timeline(), 0), 1, (*OUTAGE[1:], *OTHER[:1]))
    outage(story, 2)
    (best, *rest) = days(story)[2].similar
    assert (best.similarity, best.times_seen) == (1.0, 1)
    assert all(0.5 <= s.similarity < 0.8 for s in rest)


def test_what_people_said_is_told_the_next_time():
    first = outage(Timeline(), 0)
    key = days(first)[0].id
    story = outage(Timeline(), 0).says(800, "feedback", key, fixed_by="grew the volume", cause="cart-db")
    outage(story, 2)
    (twin,) = days(story)[1].similar
    assert (twin.fixed_by, twin.cause, twin.is_harmless) == ("grew the volume", "cart-db", False)
    outage(story, 3)
    assert [s.fixed_by for s in days(story)[2].similar] == ["grew the volume"]


def test_the_reason_of_who_resolved_it_is_what_fixed_it():
    start = Timeline().fires(720, *OUTAGE, score=5.0).passes(725)
    key = days(start)[0].id
    story = Timeline().fires(720, *OUTAGE, score=5.0).passes(725).says(726, "resolve", key)
    story.recovers(730, *OUTAGE).passes(800)
    outage(story, 1)
    assert [s.fixed_by for s in days(story)[1].similar] == ["known"]


def test_what_was_called_no_problem_is_named_so():
    key = days(outage(Timeline(), 0))[0].id
    story = outage(Timeline(), 0).says(800, "feedback", key, verdict="false")
    outage(story, 1)
    assert days(story)[1].similar[0].is_harmless


def test_a_cause_that_people_named_is_evidence_for_it():
    both = ("cart:error_ratio", "users:error_ratio", "cart:cpu", "users:cpu")
    config = {"topology": [("web", "cart"), ("web", "users")]}
    key = run(outage(Timeline(), 0, both), **config)[0].id
    before = run(outage(outage(Timeline(), 0, both), 1, both), **config)[-1]
    story = outage(Timeline(), 0, both).says(800, "feedback", key, cause="users")
    after = run(outage(story, 1, both), **config)[-1]
    chance = [{h.entity: h.probability for h in i.hints} for i in (before, after)]
    assert chance[1]["users"] > chance[0]["users"]
    (evidence,) = [e for h in after.hints for e in h.evidence if e.kind == "twin"]
    assert evidence.text == "users was named the cause of what was seen once before and is 100% alike"


def test_kinds_are_forgotten_after_their_time():
    story = outage(outage(Timeline(), 0), 40)
    assert days(story)[1].similar
    assert days(story, kinds_keep=30 * 86_400.0)[1].similar == []


def test_kinds_are_bounded_and_the_one_seen_longest_ago_makes_way():
    story = Timeline()
    for day in range(6):
        outage(story, day, tuple(f"service{day}:{metric}" for metric in ("cpu", "memory", "latency")))
    stage = machine(kinds_max=4)
    result = stage.step(records(story.messages))
    kinds = stage.snapshot().meta["state"]["past"]["kinds"]
    assert len(kinds) == 4
    last = [i.id for i in incidents(result.outputs) if i.state is IncidentState.CLOSED]
    assert list(kinds) == last[-4:]


# ------------------------------------------------------------------------------------------------ what comes next
def slow_outage(story: Timeline, day: int, series=OUTAGE, *, until: float = 40) -> Timeline:
    """The disk, eight minutes later latency, four minutes later errors."""
    start = day * DAY + 720
    ids = {one: f"{one}-{day}" for one in series}
    for minute, one in zip((0, 8, 12), series, strict=False):
        story.passes(start + minute).fires(start + minute, one, id=ids[one], score=5.0)
    if until < 40:
        return story.passes(start + until)
    for one in series:
        story.recovers(start + 20, one, id=ids[one])
    return story.passes(start + 60)


def test_what_mostly_came_later_is_told_when_it_begins_again():
    config = {**SHOP, "kinds_max": 50}
    story = slow_outage(slow_outage(Timeline(), 0), 1)
    slow_outage(story, 2, ("cart-db:disk_latency",), until=3)
    (twin,) = run(story, **config)[-1].similar
    assert twin.similarity < 0.5
    assert twin.next == [
        "latency of cart up, 8 min after the first (2 of 2)",
        "errors of cart up, 12 min after the first (2 of 2)",
    ]


def test_of_what_came_once_nothing_is_foretold_and_what_is_there_is_not_foretold():
    story = slow_outage(Timeline(), 0)
    slow_outage(story, 1, ("cart-db:disk_latency",), until=3)
    assert run(story, **SHOP)[-1].similar == []
    story = slow_outage(slow_outage(Timeline(), 0), 1)
    slow_outage(story, 2, OUTAGE, until=15)
    assert [s.next for s in run(story, **SHOP)[-1].similar] == [[]]


# ------------------------------------------------------------------------------------------------ phases
def test_what_comes_at_its_time_is_told_so():
    story = Timeline()
    for day in (0, 1, 3):
        outage(story, day)
    assert [[s.recurs for s in i.similar] for i in days(story)] == [[], [""], ["at about 13:00 UTC"]]


def phases(verdict: str) -> Timeline:
    """The same at the same time of two days, and what people said of the second."""
    story = outage(outage(Timeline(), 0), 1)
    key = days(story)[1].id
    return outage(outage(Timeline(), 0), 1).says(2 * DAY, "feedback", key, verdict=verdict)


def test_what_was_called_no_problem_and_comes_at_its_time_is_told_to_nobody():
    story = phases("false")
    for day in (2, 3):
        outage(story, day)
    told = [i for i in run(story, **SHOP) if i.started_ts_ns > at(2 * DAY)]
    assert [(i.state, i.reason) for i in told] == [
        (IncidentState.SUPPRESSED, f"known phase: at about 13:00 UTC, called no problem, seen {n} times") for n in (3, 4)
    ]


def test_the_same_that_nobody_called_no_problem_is_told():
    assert IncidentState.SUPPRESSED not in {i.state for i in run(outage(phases("true"), 2), **SHOP)}


def test_at_another_time_it_is_told():
    story = phases("false")
    start = 2 * DAY + 200
    for one in OUTAGE:
        story.fires(start, one, id=f"{one}-x", score=5.0)
    assert run(story.passes(start + 5), **SHOP)[-1].state is IncidentState.OPEN


def test_a_phase_that_lasts_or_grows_is_told():
    story = phases("false")
    start = 2 * DAY + 720
    for one in OUTAGE:
        story.fires(start, one, id=f"{one}-x", score=5.0)
    assert run(story.passes(start + 15), **SHOP)[-1].state is IncidentState.SUPPRESSED
    lasts = run(story.passes(start + 21), **SHOP)[-1]
    assert (lasts.state, lasts.reason[:30]) == (IncidentState.OPEN, "still firing after known phase")
    grown = phases("false")
    for one in OUTAGE:
        grown.fires(start, one, id=f"{one}-x", score=5.0)
    grown.passes(start + 3).fires(start + 3.5, "cart-db:error_ratio", "web:request_latency", "web:error_ratio", score=5.0)
    assert run(grown.passes(start + 5), **SHOP)[-1].state is IncidentState.OPEN


# ------------------------------------------------------------------------------------------------ laws
_features = st.dictionaries(st.sampled_from("abcdefgh"), st.sampled_from([0.5, 1.0, 1.5]), min_size=1)


@given(_features, _features)
def test_likeness_is_the_same_from_both_sides_and_one_for_itself(one, other):
    def rarity(feature: str) -> float:
        return 1.0 + ord(feature) % 3

    there, back = alike(one, other, rarity), alike(other, one, rarity)
    assert there.likeness == back.likeness
    assert alike(one, one, rarity) == (1.0, 1.0)
    assert 0.0 <= there.likeness <= min(there.contained, back.contained) <= 1.0
    assert (there.likeness == 0.0) is one.keys().isdisjoint(other)


@given(_features, st.integers(1, 50))
def test_a_kind_that_comes_again_as_it_was_stays_as_it_is(kept, times):
    assert blended(kept, dict(reversed(kept.items())), times) == kept


@given(
    st.lists(st.tuples(st.sampled_from(["a", "b", "c-0", "d"]), st.integers(0, 80)), min_size=1, max_size=200), st.integers(0, 99)
)
def test_features_are_bounded_and_do_not_ask_who_came_first(series, seed):
    def features(order) -> dict[str, float]:
        told = Timeline()
        for entity, metric in order:
            told.fires(1, f"{entity}:metric_{metric}", id=f"{entity}{metric}")
        live = LiveIncident("i", "default", "default", Cluster("default", 0, 0), 0, 0)
        live.members = {a.id: member_from(a, "") for a in told.messages}
        return features_of(live)

    shuffled = list(series)
    random.Random(seed).shuffle(shuffled)
    found = features(series)
    assert len(found) <= FEATURES_MAX
    assert list(found.items()) == list(features(shuffled).items())


@settings(max_examples=20, deadline=None)
@given(st.lists(st.sampled_from([OUTAGE, OTHER, OUTAGE[:2], (*OTHER, *OUTAGE)]), min_size=2, max_size=6), st.data())
def test_a_snapshot_remembers_and_any_cut_gives_the_same_bytes(kinds, data):
    story = Timeline()
    for day, series in enumerate(kinds):
        outage(story, day, series)
    log = records(story.messages)
    cut = data.draw(st.integers(0, len(log)))
    first = machine(**SHOP)
    head = first.step(log[:cut]).outputs
    second = machine(**SHOP)
    second.restore(Snapshot(orjson.loads(orjson.dumps(first.snapshot().meta)), {}))
    assert head + second.step(log[cut:]).outputs == outputs(log, **SHOP)


@pytest.mark.parametrize("count", [10, 300])
def test_the_index_knows_what_the_kinds_have(count):
    """However kinds were blended and dropped: who has a feature is found by it."""
    past, rng = Past(), random.Random(count)
    twins = Twins(past, Correlate(kinds_max=20))
    for n in range(count):
        live = LiveIncident(f"i{n}", "default", "default", Cluster("default", 0, 0), 0, 0)
        told = Timeline().fires(1, *{f"s{rng.randrange(12)}:{rng.choice(['cpu', 'memory', 'latency'])}" for _ in range(4)})
        live.members = {a.id: member_from(a, "") for a in told.messages}
        twins.remember(live, n * 10**9)
    where = {feature for kind in past.kinds.values() for feature in kind.features}
    assert len(past.kinds) <= 20
    assert set(twins._where) == where
    for kind in past.kinds.values():
        assert all(kind.id in twins._where[feature] for feature in kind.features)
