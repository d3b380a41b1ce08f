"""What is nobody's business: maintenance windows and silences."""

from __future__ import annotations

import pytest
from correlate_timeline import Timeline, at, run
from hypothesis import given
from hypothesis import strategies as st

from engine.config.tree import Window
from engine.correlate.suppress import matches

WINDOW = Window(name="restart", entities=["cart*"], start="2026-03-05T01:00:00Z", end="2026-03-05T01:30:00Z")
PLANNED = {"maintenance": [WINDOW], "topology": [("web", "cart")]}


def test_trouble_that_begins_inside_a_window_is_suppressed_and_said_once():
    told = run(Timeline().fires(5, "cart:latency", "cart:errors").passes(20), **PLANNED)
    assert [(str(i.state), i.reason) for i in told] == [("suppressed", "maintenance: restart")]


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
    assert not silenced or told[0].reason == "silenced by alice: known"


def test_a_silence_that_is_lifted_or_over_holds_back_nothing():
    lifted = Timeline().says(0, "silence", "cart").says(1, "unsilence", "cart").fires(5, "cart:latency", "cart:errors").passes(9)
    over = Timeline().says(0, "silence", "cart", expires=3).fires(5, "cart:latency", "cart:errors").passes(9)
    assert [str(i.state) for i in run(lifted)] == [str(i.state) for i in run(over)] == ["open"]


def test_a_window_can_be_announced_by_control():
    told = Timeline().says(
        0, "window", "patching", entities="cart, users", start="2026-03-05T01:00:00Z", end="2026-03-05T01:30:00Z"
    )
    assert [i.reason for i in run(told.fires(5, "users:latency", "users:errors").passes(9))] == ["maintenance: patching"]


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
