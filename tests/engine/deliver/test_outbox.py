"""The laws of the outbox: level-triggered, ordered, patient, and never telling what nobody was told to know."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.config.tree import Deliver
from engine.deliver import outbox as module
from engine.deliver.outbox import Breaker, Outbox
from engine.records import Incident, IncidentState, Stamp

OPEN, RESOLVED, CLOSED = IncidentState.OPEN, IncidentState.RESOLVED, IncidentState.CLOSED


def incident(name: str = "a", revision: int = 1, state: IncidentState = OPEN) -> Incident:
    return Incident(
        id=name,
        revision=revision,
        state=state,
        domain="default",
        tenant="default",
        title="t",
        severity=17,
        started_ts_ns=0,
        opened_ts_ns=0,
        ts_ns=revision,
        stamp=Stamp("foreshock.alerts", 0, revision, 0),
    )


def deliver_all(box: Outbox, now: float = 1e9) -> list[tuple[str, int, str]]:
    told = []
    while (owed := box.due(now)) is not None:
        told.append((owed.incident.id, owed.incident.revision, str(owed.incident.state)))
        box.succeeded(owed)
    return told


def test_only_the_latest_revision_is_told():
    box = Outbox(Deliver())
    for revision in (1, 2, 3):
        box.news(incident(revision=revision), offset=revision)
    assert deliver_all(box) == [("a", 3, "open")]


def test_resolved_before_it_was_told_is_one_message():
    box = Outbox(Deliver())
    box.news(incident(), 0)
    box.news(incident(revision=2, state=RESOLVED), 1)
    box.news(incident(revision=3, state=CLOSED), 2)
    assert deliver_all(box) == [("a", 3, "closed")]


def test_closing_after_a_told_resolution_is_no_news():
    box = Outbox(Deliver())
    box.news(incident(revision=1, state=RESOLVED), 0)
    deliver_all(box)
    assert not box.news(incident(revision=2, state=CLOSED), 1)
    assert box.oldest_offset() is None


@pytest.mark.parametrize("state", [IncidentState.CANDIDATE, IncidentState.SUPPRESSED, IncidentState.MERGED])
def test_what_nobody_should_know_is_told_only_to_who_was_told_before(state):
    box = Outbox(Deliver())
    assert not box.news(incident(state=state), 0)
    box.news(incident(revision=2), 1)
    deliver_all(box)
    assert box.news(incident(revision=3, state=state), 2)
    assert deliver_all(box) == [("a", 3, str(state))]


def test_an_open_incident_that_is_suppressed_before_it_was_told_is_never_told():
    box = Outbox(Deliver())
    box.news(incident(), 0)
    box.news(incident(revision=2, state=IncidentState.SUPPRESSED), 1)
    assert box.pending == 0


def test_the_oldest_change_is_told_first_and_holds_the_offset():
    box = Outbox(Deliver())
    box.news(incident("b"), 5)
    box.news(incident("a"), 6)
    box.news(incident("b", 2), 7)
    assert box.oldest_offset() == 5
    assert [name for name, _, _ in deliver_all(box)] == ["b", "a"]
    assert box.oldest_offset() is None


def test_delays_double_up_to_the_maximum_and_differ_by_a_hash():
    box = Outbox(Deliver(retry_first=1.0, retry_max=300.0, breaker_failures=1000))
    box.news(incident(), 0)
    (owed,) = box._owed.values()
    for attempt in range(1, 60):
        owed.attempts = attempt
        whole = min(2.0 ** (attempt - 1), 300.0)
        assert whole / 2 <= box.delay_seconds(owed) <= whole
    owed.attempts = 3
    assert box.delay_seconds(owed) == box.delay_seconds(owed)


@pytest.mark.parametrize(("asked", "granted"), [(40.0, 40.0), (86_400.0, 600.0)])
def test_what_a_receiver_asks_for_holds_for_all_it_is_owed_up_to_ten_minutes(asked, granted):
    box = Outbox(Deliver())
    box.news(incident("a"), 0)
    box.news(incident("b"), 1)
    owed = box.due(0.0)
    assert owed is not None
    box.failed(owed, 0.0, 0, asked)
    assert box.due(granted - 0.1) is None
    assert box.due(granted) is not None


def test_the_breaker_opens_lets_one_probe_through_doubles_its_peace_and_closes_on_success():
    box = Outbox(Deliver(breaker_failures=2, breaker_probe=30.0, retry_first=0.001, retry_max=0.001))
    box.news(incident(), 0)
    now = 0.0
    for _ in range(2):
        owed = box.due(now)
        assert owed is not None
        box.failed(owed, now, 0, None)
        now += 1.0
    opened_at = now - 1.0
    assert box.breaker(now) is Breaker.OPEN
    assert box.due(opened_at + 29.9) is None
    probe = box.due(opened_at + 30.0)
    assert probe is not None
    assert box.breaker(opened_at + 30.0) is Breaker.HALF_OPEN
    box.failed(probe, opened_at + 30.0, 0, None)
    assert box.due(opened_at + 30.0 + 59.9) is None
    probe = box.due(opened_at + 30.0 + 60.0)
    assert probe is not None
    box.succeeded(probe)
    assert box.breaker(opened_at + 90.0) is Breaker.CLOSED


def test_after_so_long_an_incident_is_given_up_and_its_next_revision_is_tried_again():
    box = Outbox(Deliver(give_up_after=100.0))
    box.news(incident(), 0)
    owed = box.due(0.0)
    assert owed is not None
    assert not box.failed(owed, 0.0, 10**9, None)
    assert box.failed(owed, 1e6, 102 * 10**9, None)
    assert box.oldest_offset() is None
    assert box.news(incident(revision=2), 1)


def test_a_receiver_that_is_gone_is_owed_nothing_any_more():
    box = Outbox(Deliver())
    box.news(incident("a"), 0)
    box.news(incident("b"), 1)
    assert box.disable() == 2
    assert not box.news(incident("c"), 2)
    assert box.oldest_offset() is None


def test_beyond_the_maximum_the_oldest_that_is_over_is_given_up(monkeypatch):
    monkeypatch.setattr(module, "OWED_MAX", 2)
    box = Outbox(Deliver())
    for offset, (name, state) in enumerate([("a", OPEN), ("b", RESOLVED), ("c", OPEN)]):
        box.news(incident(name, state=state), offset)
    given_up = box.overflow()
    assert given_up is not None
    assert given_up.id == "b"
    assert box.overflow() is None


def test_what_a_commit_says_was_told_is_not_owed_after_a_restart():
    box = Outbox(Deliver())
    box.news(incident("a"), 0)
    box.news(incident("b"), 4)
    box.assume_told(4)
    assert deliver_all(box) == [("b", 1, "open")]


def test_a_revision_that_was_told_is_no_news_when_it_is_read_again():
    box = Outbox(Deliver())
    box.news(incident(revision=4), 0)
    deliver_all(box)
    assert not any(box.news(incident(revision=revision), revision) for revision in (1, 3, 4))


def test_the_memory_of_what_was_told_is_bounded_and_forgets_what_was_told_longest_ago(monkeypatch):
    monkeypatch.setattr(module, "INCIDENTS_MAX", 2)
    box = Outbox(Deliver())
    for revision, name in enumerate(["a", "b", "a", "c"], start=1):
        box.news(incident(name, revision), revision)
        deliver_all(box)
    assert not box.news(incident("a", 3), 9)
    assert box.news(incident("b", 2), 9)


def test_only_failures_in_a_row_open_the_breaker():
    box = Outbox(Deliver(breaker_failures=2, retry_first=0.001, retry_max=0.001))
    for revision in (1, 2, 3):
        box.news(incident(revision=revision), revision)
        owed = box.due(revision)
        assert owed is not None
        box.failed(owed, revision, 0, None)
        assert box.breaker(revision) is Breaker.CLOSED
        box.succeeded(owed)


NEWS = st.tuples(
    st.sampled_from("abc"), st.sampled_from([*IncidentState]), st.sampled_from(["fail", "tell", "drop", "wait", "save"])
)


@given(st.lists(NEWS, max_size=60))
def test_whatever_happens_a_receiver_that_is_back_knows_the_latest_state_and_never_an_older_one_after_it(script):
    """Level-triggered: told revisions only rise, and at the end what it knows is as good as the latest revision."""
    box = Outbox(Deliver(give_up_after=1e9))
    revision, now = 0, 0.0
    latest: dict[str, Incident] = {}
    told: dict[str, list[Incident]] = {"a": [], "b": [], "c": []}
    for name, state, then in script:
        revision, now = revision + 1, now + 1000.0
        latest[name] = incident(name, revision, state)
        box.news(latest[name], revision)
        if then == "save":
            again = Outbox(Deliver(give_up_after=1e9))
            again.load(msgspec.json.decode(msgspec.json.encode(box.saved())))
            box = again
        owed = box.due(now) if then in ("fail", "tell") else None
        if owed is None:
            continue
        if then == "fail":
            box.failed(owed, now, 0, None)
            continue
        told[owed.incident.id].append(owed.incident)
        box.succeeded(owed)
    while (owed := box.due(now := now + 10_000.0)) is not None:
        told[owed.incident.id].append(owed.incident)
        box.succeeded(owed)
    over, hidden = {RESOLVED, CLOSED}, {IncidentState.CANDIDATE, IncidentState.SUPPRESSED, IncidentState.MERGED}
    for name, last in latest.items():
        revisions = [i.revision for i in told[name]]
        assert revisions == sorted(set(revisions))
        if not told[name]:
            assert last.state in hidden
        else:
            known = told[name][-1]
            assert known.revision == last.revision or {known.state, last.state} <= over
