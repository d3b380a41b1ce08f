"""Laws of the score of a session: by the oracle, whatever comes, in whatever pieces."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from detectors import session_model, sessions
from detectors.kernel import JIT, as_state
from detectors.naive_sessions import NaiveSessions
from detectors.session_distance import OPINION

SECOND = 1_000_000_000
BIG = 3000 if JIT else 300


def order(rng: np.random.Generator) -> list[int]:
    """A shop's order: asked, one to three items, paid; sometimes with a voucher."""
    voucher = [5] if rng.random() < 0.2 else []
    return [1, *[2] * int(rng.integers(1, 4)), *voucher, 3, 4]


def orders(n: int, seed: int = 1) -> list[list[int]]:
    rng = np.random.default_rng(seed)
    return [order(rng) for _ in range(n)]


class Play:
    """Sessions one after the other, a second each."""

    def __init__(self, params: sessions.Params | None = None) -> None:
        self.params = params or sessions.Params()
        self.models = as_state(np.zeros(1, session_model.MODEL))
        self._open, self._places = as_state(np.zeros(1, session_model.SESSION)), np.zeros(2, np.int64)
        self._room, self._seconds = session_model.session_room(), 0

    def feed(self, played: list[list[int]]) -> np.ndarray:
        told = np.zeros(len(played), OPINION)
        for i, events in enumerate(played):
            self._seconds += 1
            n, counts = len(events), np.zeros(3, np.int64)
            self._places[:] = 0
            at = np.full(n, self._seconds * SECOND, np.int64)
            key, model = np.full(n, 7, np.uint64), np.zeros(n, np.int64)
            sessions.follow_lines(
                self._open, self._places, self.models, key, model, np.array(events, np.int64), at, counts, np.empty(n, np.bool_)
            )
            one = as_state(told[i : i + 1])
            sessions.judge_sessions(self.models, self._open, np.zeros(1, np.int64), self.params, self._room, one)
        return told


SESSIONS = st.lists(st.lists(st.integers(0, 6), min_size=1, max_size=9), min_size=1, max_size=60)


@settings(max_examples=60 if JIT else 5, deadline=None)
@given(SESSIONS, st.integers(2, 20), st.integers(0, 30))
def test_kernel_and_oracle_agree(played, sessions_min, adopt_seconds):
    params = sessions.Params(sessions_min=sessions_min, adopt_ns=adopt_seconds * SECOND)
    oracle = NaiveSessions(params)
    for i, (told, events) in enumerate(zip(Play(params).feed(played), played, strict=True), start=1):
        expected = oracle.feed(events, i * SECOND)
        assert told["decades"] == pytest.approx(expected.decades, rel=1e-9, abs=1e-9)
        assert told["before"] == expected.before
        assert np.isnan(told["score"]) == (expected.score is None)
        if expected.score is not None:
            assert told["score"] == pytest.approx(expected.score, rel=1e-9, abs=1e-9)


def test_kernel_and_oracle_agree_over_a_long_stream():
    played = orders(600)
    for at in (150, 300, 301, 420):
        played[at] = [1, 2, 9]
    oracle, told = NaiveSessions(sessions.Params()), Play().feed(played)
    expected = [oracle.feed(events, i * SECOND) for i, events in enumerate(played, start=1)]
    np.testing.assert_allclose(told["decades"], [one.decades for one in expected], rtol=1e-9, atol=1e-9)
    assert told["before"].tolist() == [one.before for one in expected]


# ------------------------------------------------------------------------------------------------ what is odd
def odd(events: list[int], before: int = 2000) -> np.void:
    """What is said of a session after many orders."""
    play = Play()
    play.feed(orders(before if JIT else 300))
    return play.feed([events])[0]


def test_there_is_no_opinion_before_enough_sessions():
    told = Play().feed(orders(150))["score"]
    assert np.isnan(told[:100]).all()
    assert not np.isnan(told[100:]).any()


@pytest.mark.skipif(not JIT, reason="too few sessions for so rare an event")
@pytest.mark.parametrize(
    ("events", "what"),
    [
        ([1, 2, 2, 3, 4, 9], (9, 1, 0)),
        ([1, 2, 2, 4], (3, 0, 1)),
        ([1, 2, 2, 3, 3, 4], (3, 2, 1)),
        ([1, *[2] * 30, 3, 4], (2, 30, 3)),
    ],
    ids=["a new event", "one that is missing", "one that came twice", "one that came far too often"],
)
def test_a_session_unlike_all_others_is_told_with_what_is_different(events, what):
    told = odd(events)
    assert told["score"] >= 1.0
    event, count, usual = (int(told[name][0]) for name in ("event", "count", "usual"))
    assert (event, count) == what[:2]
    assert usual <= what[2]


@pytest.mark.skipif(not JIT, reason="too few sessions for so rare an event")
def test_an_order_of_events_that_never_was_is_odd():
    """The counts are those of many others."""
    assert odd([1, 2, 2, 3, 4])["score"] < 0.5
    told = odd([4, 3, 2, 2, 1])
    assert told["order"] == 1
    assert told["decades"] >= 1.0


def test_few_usual_sessions_are_odd():
    told = Play().feed(orders(BIG))["score"]
    assert np.mean(told[100:] >= 1.0) <= 0.001


def test_what_is_odd_once_stays_odd_and_the_more_so():
    play = Play()
    play.feed(orders(1000 if JIT else 300))
    strange = [1, 8, 8, 9]
    scores, before = [], []
    for seed in range(5):
        told = play.feed([*orders(60, seed + 5), strange])[-1]
        scores.append(float(told["score"]))
        before.append(int(told["before"]))
    assert min(scores) >= 1.0
    assert scores == sorted(scores)
    assert before == [0, 1, 2, 3, 4]


def test_what_is_common_for_long_is_usual():
    """A new release: each third session has one more event. After `adopt_ns` it is how sessions are."""
    play = Play(sessions.Params(adopt_ns=100 * SECOND))
    play.feed(orders(300))
    mixed = [[*events, 7] if i % 3 == 0 else events for i, events in enumerate(orders(600, 3))]
    told = play.feed(mixed)["score"]
    assert (told[:60:3] >= 1.0).any()
    assert told[-60:].max() < 1.0


def test_a_fault_in_the_warm_up_is_taken_back_at_its_end():
    play, usual = Play(), orders(600 if JIT else 300)
    usual[40] = [1, 8, 8, 9]
    play.feed(usual)
    assert play.feed([[1, 8, 8, 9]])["score"][0] >= 1.0


def test_lines_that_each_carry_a_key_of_their_own_are_no_sessions():
    told = Play().feed([[int(event)] for event in np.random.default_rng(1).integers(0, 9, 300)])
    assert np.isnan(told["score"]).all()


# ------------------------------------------------------------------------------------------------ limits
def test_states_stay_bounded_and_scores_finite_whatever_comes():
    rng = np.random.default_rng(1)
    play = Play(sessions.Params(sessions_min=20))
    wild = [rng.integers(0, 10_000, int(rng.integers(1, 200))).tolist() for _ in range(BIG // 3)]
    told = play.feed([*wild, [5] * 5000])
    assert np.isfinite(told["decades"]).all()
    model = play.models[0]
    assert model["events"] <= session_model.EVENTS
    for name in ("weight", "here", "counted", "doubted", "taught"):
        assert (np.asarray(model[name]) >= 0).all()


@pytest.mark.skipif(not JIT, reason="takes a minute")
def test_counts_are_halved_and_go_on():
    play = Play()
    told = play.feed(orders(70_000))
    assert int(play.models[0]["taught"]) < session_model.TAUGHT_MAX
    assert np.mean(told["score"][1000:] >= 1.0) <= 0.001


def test_pieces_change_no_bit():
    """The lines of many sessions at once, however they are cut."""
    rng = np.random.default_rng(3)
    played = orders(80)
    rows = [(i, event) for i, events in enumerate(played) for event in events]
    place = np.argsort([i + 6 * rng.random() for i, _ in rows], kind="stable")
    key = np.array([rows[p][0] * 2 + 1 for p in place], np.uint64)
    event = np.array([rows[p][1] for p in place], np.int64)
    states = []
    for edges in ([0, len(rows)], [0, 1, 2, 50, len(rows)]):
        open_, places, counts = np.zeros(64, session_model.SESSION), np.zeros(128, np.int64), np.zeros(3, np.int64)
        models = as_state(np.zeros(1, session_model.MODEL))
        for a, b in pairwise(edges):
            part = key[a:b], np.zeros(b - a, np.int64), event[a:b], np.arange(a, b)
            sessions.follow_lines(as_state(open_), places, models, *part, counts, np.empty(b - a, np.bool_))
        states.append((open_.tobytes(), places.tobytes(), counts.tolist()))
    assert states[0] == states[1]
    assert states[0][2][1] > 0, "there was room for 64 sessions only: lines of the others were refused, and counted"


def test_a_table_made_anew_finds_every_session():
    open_, places, counts = np.zeros(50, session_model.SESSION), np.zeros(128, np.int64), np.zeros(3, np.int64)
    models = as_state(np.zeros(1, session_model.MODEL))
    key = np.arange(1, 51, dtype=np.uint64) * np.uint64(128)
    once = key, np.zeros(50, np.int64), np.ones(50, np.int64), np.zeros(50, np.int64)
    sessions.follow_lines(as_state(open_), places, models, *once, counts, np.empty(50, np.bool_))
    places[:] = 99
    sessions.place_again(as_state(open_), places)
    sessions.follow_lines(as_state(open_), places, models, *once, counts, np.empty(50, np.bool_))
    assert counts.tolist() == [50, 0, 100]
    assert (open_["lines"] == 2).all()
