"""What is nobody's business: maintenance windows and silences."""

from __future__ import annotations

import pytest
from correlate_timeline import Timeline, at, run
from hypothesis import given
from hypothesis import strategies as st

from engine.config.tree import Window
from engine.correlate import suppress
from engine.correlate.suppress import matches

WINDOW = Window(name="restart", entities=["cart*"], start="2026-03-05T01:00:00Z", end="2026-03-05T01:30:00Z")
PLANNED = {"maintenance": [WINDOW], "topology": [("web", "cart")]}


def test_trouble_that_begins_inside_a_window_is_suppressed_and_said_once():
    told = run(Timeline().fires(5, "cart:latency", "cart:errors").passes(20), **PLANNED)
    assert [(str(i.state), i.reason) for i in told] == [("suppressed", "maintenance: restart, until 2026-03-05 01:30 UTC")]


def test_trouble_that_still_burns_at_the_end_of_the_window_opens_then():
    told = run(Timeline().fires(5, "cart:latency", "cart:errors").passes(40), **PLANNED)
    assert [str(i.state) for i in told] == ["suppressed", "open"]
    assert told[1].opened_ts_ns == at(30)


def test_trouble_that_ended_inside_the_window_is_never_told():
    story = Timeline().fires(5, "cart:latency", "cart:errors").recovers(10, "cart:latency", "cart:errors").passes(90)
    assert [str(i.state) for i in run(story, **PLANNED)] == ["suppressed"]


def test_others_are_told_of_while_a_window_is_open():
    told = run(Timeline().fires(5, "users:latency", "users:errors").passes(20), **PLANNED)
    assert [str(i.state) for i in told] == ["open"]


@pytest.mark.parametrize(("onset", "confirmed"), [(29, 31), (-5, 10)])
def test_what_began_or_was_confirmed_inside_a_window_waits_for_its_end(onset, confirmed):
    told = run(Timeline().fires(confirmed, "cart:latency", "cart:errors", onset=onset).passes(60), **PLANNED)
    assert str(told[-1].state) == "open"
    assert told[-1].opened_ts_ns >= at(30)


def test_planned_events_are_no_evidence():
    story = Timeline().event(4, "cart", "k8s.Killing", is_change=False, severity=17).fires(5, "web:latency", "web:errors")
    told = run(story.passes(20, "metrics", "events"), **PLANNED)
    assert all(i.changes == [] for i in told)


@pytest.mark.parametrize(("pattern", "silenced"), [("cart", True), ("c*t", True), ("users", False)])
def test_a_silence_holds_back_what_it_names(pattern, silenced):
    story = Timeline().says(0, "silence", pattern, expires=60).fires(5, "cart:latency", "cart:errors").passes(20)
    told = run(story)
    assert [str(i.state) for i in told] == (["suppressed"] if silenced else ["open"])
    assert not silenced or told[0].reason == "silenced by alice: known, until 2026-03-05 02:00 UTC"


def test_a_silence_that_is_lifted_or_over_holds_back_nothing():
    lifted = Timeline().says(0, "silence", "cart").says(1, "unsilence", "cart").fires(5, "cart:latency", "cart:errors").passes(9)
    over = Timeline().says(0, "silence", "cart", expires=3).fires(5, "cart:latency", "cart:errors").passes(9)
    assert [str(i.state) for i in run(lifted)] == [str(i.state) for i in run(over)] == ["open"]


def test_a_window_can_be_announced_by_control():
    told = Timeline().says(
        0, "window", "patching", entities="cart, users", start="2026-03-05T01:00:00Z", end="2026-03-05T01:30:00Z"
    )
    assert [i.reason for i in run(told.fires(5, "users:latency", "users:errors").passes(9))] == [
        "maintenance: patching, until 2026-03-05 01:30 UTC"
    ]


@given(st.text("ab*", max_size=8), st.text("ab", max_size=8))
def test_a_star_matches_any_run(pattern, text):
    """Against the obvious definition: try every length for every star."""

    def obvious(p: str, t: str) -> bool:
        if not p:
            return not t
        if p[0] == "*":
            return any(obvious(p[1:], t[k:]) for k in range(len(t) + 1))
        return bool(t) and p[0] == t[0] and obvious(p[1:], t[1:])

    assert matches(pattern, text) == obvious(pattern, text)


@pytest.mark.parametrize(
    ("selector", "silenced"),
    [
        ('{service="cart"}', True),
        ('lat*{service=~"c.rt"}', True),
        ('{entity="cart",kind="level_up",severity="warning"}', True),
        ('latency{service="users"}', False),
        ('{service!="cart"}', False),
        ('{service=~"ca"}', False),
        ('{service="cart"', False),
        ('{service=~"("}', False),
    ],
)
def test_a_silence_may_be_a_selector_over_names_labels_and_kinds(selector, silenced):
    told = run(Timeline().says(0, "silence", selector).fires(5, "cart:latency").fires(5, "cart:latency2").passes(20))
    assert [str(i.state) for i in told] == (["suppressed"] if silenced else ["open"])


def test_what_burns_already_is_silenced_and_told_again_when_that_is_over_and_it_still_burns():
    story = Timeline().fires(1, "cart:latency", "cart:errors").passes(4).says(5, "silence", "cart", expires=30)
    told = run(story.passes(40))
    assert [str(i.state) for i in told] == ["open", "suppressed", "open"]
    assert (
        told[1].reason
        == told[2].reason.removeprefix("still firing after ")
        == "silenced by alice: known, until 2026-03-05 01:30 UTC"
    )
    assert told[1].opened_ts_ns == told[2].opened_ts_ns


def test_a_silence_that_is_lifted_lets_what_still_burns_be_told():
    story = Timeline().says(0, "silence", "cart").fires(1, "cart:latency", "cart:errors").passes(4)
    assert [str(i.state) for i in run(story.says(5, "unsilence", "cart").passes(6))] == ["suppressed", "open"]


def test_a_window_that_is_announced_while_it_burns_holds_and_may_be_moved():
    times = {"start": "2026-03-05T01:00:00Z", "end": "2026-03-05T01:30:00Z"}
    story = (
        Timeline().fires(1, "cart:latency", "cart:errors").passes(4).says(5, "window", "w", entities="cart", **times).passes(10)
    )
    assert [str(i.state) for i in run(story)] == ["open", "suppressed"]
    story.says(11, "window", "w", entities="cart", **{**times, "end": "2026-03-05T01:12:00Z"}).passes(14)
    assert [str(i.state) for i in run(story)][-1] == "open"


def test_what_was_silenced_and_ended_is_closed():
    story = Timeline().fires(1, "cart:latency", "cart:errors").passes(4).says(5, "silence", "cart").passes(6)
    told = run(story.recovers(7, "cart:latency", "cart:errors").passes(60))
    assert [str(i.state) for i in told] == ["open", "suppressed", "closed"]


def test_something_that_nobody_silenced_brings_it_back():
    story = Timeline().fires(1, "cart:latency", "cart:errors").passes(3).says(3, "silence", '{entity="cart",severity="warning"}')
    told = run(story.passes(4).fires(4.5, "cart:cpu", severity=17).passes(8))
    assert [str(i.state) for i in told][:3] == ["open", "suppressed", "open"]


def test_silences_that_are_over_make_way_for_others(monkeypatch):
    monkeypatch.setattr(suppress, "SILENCES_MAX", 2)
    table = suppress.Suppression()
    day = 86_400_000_000_000
    assert all(table.silence(suppress.Silence(f"s{n}", "alice", "", 2 * n * day, (2 * n + 1) * day - 1)) for n in range(9))
    assert len(table.silences) <= 2
