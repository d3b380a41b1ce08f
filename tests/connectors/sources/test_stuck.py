"""A partition that stands still although it has more is found, once in a while; one that moves, or came anew, is not."""

from __future__ import annotations

from itertools import pairwise

from connectors.sources.stuck import PATIENCE_MAX_SECONDS, PATIENCE_SECONDS, Stuck
from engine.records import Shard

A, B = Shard("t", 0), Shard("t", 1)


def test_what_stands_still_for_too_long_is_found_and_what_moves_is_not() -> None:
    stuck = Stuck()
    assert stuck.find({A: 5, B: 5}, 0.0) == []
    assert stuck.find({A: 5, B: 6}, PATIENCE_SECONDS - 0.1) == []
    assert stuck.find({A: 5, B: 7}, PATIENCE_SECONDS) == [A]


def test_patience_doubles_with_each_vain_try_up_to_a_bound_and_begins_anew_when_it_moves() -> None:
    stuck = Stuck()
    found = [second for second in range(4000) if stuck.find({A: 5}, float(second))]
    gaps = [later - earlier for earlier, later in pairwise(found)]
    assert gaps[:3] == [2 * PATIENCE_SECONDS, 4 * PATIENCE_SECONDS, 8 * PATIENCE_SECONDS]
    assert max(gaps) == PATIENCE_MAX_SECONDS
    assert stuck.find({A: 6}, 4000.0) == []
    assert stuck.find({A: 6}, 4000.0 + PATIENCE_SECONDS) == [A]


def test_one_that_was_paused_or_away_begins_anew() -> None:
    stuck = Stuck()
    stuck.find({A: 5}, 0.0)
    stuck.find({}, 1.0)
    assert stuck.find({A: 5}, PATIENCE_SECONDS + 1) == []
