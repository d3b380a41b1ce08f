"""Laws of the timers: what is asked for happens, and alerts that come and go do not pile them up."""

from __future__ import annotations

from correlate_timeline import Timeline, machine, records

from engine.correlate.looks import STALE_MIN, Looks
from engine.correlate.reorder import Reorder
from engine.correlate.state import CorrelateState
from engine.correlate.suppress import Suppression


def looks() -> tuple[Looks, CorrelateState]:
    state = CorrelateState(Reorder(0), Suppression())
    state.incidents = {"a": None, "b": None}  # type: ignore[dict-item]
    return Looks(state, {"": None}), state


def test_timers_come_in_order_of_time_and_each_once() -> None:
    timers, state = looks()
    for key, at in (("a", 5), ("b", 3), ("a", 5), ("a", 9)):
        timers.exactly(key, at)
    assert [timers.pop(7), timers.pop(7), timers.pop(7)] == [(3, "b"), (5, "a"), None]
    assert state.due == [(9, "a")]


def test_who_looks_earlier_asks_again_and_a_later_look_does_not_stand_for_an_earlier() -> None:
    timers, state = looks()
    timers.exactly("a", 5)
    timers.latest("a", 8)
    assert state.due == [(5, "a")]
    timers.latest("b", 8)
    timers.latest("b", 4)
    assert sorted(state.due) == [(4, "b"), (5, "a"), (8, "b")]


def test_timers_of_what_is_gone_are_swept_out_and_others_stay() -> None:
    timers, state = looks()
    for n in range(STALE_MIN):
        timers.exactly("a", n)
    timers.exactly("b", 1)
    state.due.append((10**9, ""))
    del state.incidents["a"]
    timers.forget("a")
    assert sorted(state.due) == [(1, "b"), (10**9, "")]
    assert state.stale == 0


def test_alerts_that_come_and_go_leave_few_timers() -> None:
    """Ten minutes in which four alerts a second begin and end, on entities of their own or shared."""
    story = Timeline()
    for n in range(2_400):
        minute, series = n / 240, f"e{n % 40}:m{n}"
        story.fires(minute, series, id=f"x{n}").recovers(minute + 0.001, series, id=f"x{n}")
        if n % 240 == 239:
            story.passes(minute)
    stage = machine()
    stage.step(records(story.messages))
    state = stage._book.state
    assert len(state.due) <= STALE_MIN + 4 * len(state.incidents)
