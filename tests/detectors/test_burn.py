"""Burn rates: windows count what the oracle counts, over gaps too, and the limits are those of the book."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from detectors import burn
from detectors.burn import PAIRS, STATE, judge
from detectors.naive_burn import NaiveBurn

START = 29_540_000
"""Minutes since 1970."""
WINDOWS = (5, 30, 60, 120, 360, 1440, 4320, 10_080, 43_200, 129_600)
MONTH = np.array([43_200.0])


def rate(state, budget, minutes, now):
    return burn.burn(burn.count(state, minutes, now), np.array([budget]), minutes, burn.known(state, now))[0]


def judged(state, budget, window, pair, now, fresh=np.inf):
    rows = len(state)
    return judge(state, np.full(rows, budget), np.broadcast_to(window, rows), pair, now, np.full(rows, fresh))


def fed(minutes, rows=1):
    """A state that was fed (minutes since the one before, bad, total), and the oracle; each minute is marked when it is over."""
    state, naive, before, now = np.zeros(rows, STATE), NaiveBurn(), 0, START
    for step, bad, total in minutes:
        now += step
        state["bad"][0] += bad
        state["total"][0] += total
        if not state["first"][0]:
            state["first"][0] = now
        naive.events.append((now, bad, total))
        burn.mark(state, before, now + 1)
        before = now + 1
    return state, naive, now + 1


_minute = st.tuples(st.sampled_from([1, 1, 1, 2, 7, 61, 400, 5000, 200_000]), st.integers(0, 5), st.integers(5, 100))


@settings(max_examples=200, deadline=None)
@given(st.lists(_minute, min_size=1, max_size=30), st.integers(0, 100))
def test_windows_hold_what_the_oracle_holds(minutes, later):
    state, naive, now = fed(minutes)
    burn.mark(state, now, now + later) if later else None
    now += later
    for window in WINDOWS:
        bad, total = burn.count(state, window, now)
        assert (bad[0], total[0]) == naive.count(window, now), window
        assert rate(state, 0.01, window, now) == pytest.approx(naive.burn(0.01, window, now))


def test_the_limits_of_a_month_are_those_of_the_book():
    state, _, now = fed([(1, 0, 1)])
    assert [judged(state, 0.001, MONTH, pair, now).limit[0] for pair in PAIRS] == pytest.approx([14.4, 6.0, 3.0, 1.0])


def test_a_week_has_lower_limits_but_none_below_one_and_a_day_has_no_long_windows():
    state, _, now = fed([(1, 0, 1)])
    week = [judged(state, 0.001, MONTH * 7 / 30, pair, now).limit[0] for pair in PAIRS]
    assert week == pytest.approx([3.36, 1.4, 1.0, 1.0])
    day = [judged(state, 0.001, MONTH / 30, pair, now).limit[0] for pair in PAIRS]
    assert np.isnan(day).tolist() == [False, False, True, True]


def test_all_of_a_months_budget_is_gone_after_a_month_at_burn_rate_one():
    state, _, now = fed([(60, 1, 100)] * 721)
    assert burn.left(state, np.array([0.01]), MONTH, now)[0] == pytest.approx(0.0, abs=1e-9)
    assert rate(state, 0.01, 43_200, now) == pytest.approx(1.0)


def test_an_hour_at_the_first_limit_costs_two_per_cent_of_the_budget():
    state, _, now = fed([(1, 0, 1000)] * (43_200 - 60) + [(1, 14.4, 1000)] * 60)
    assert 1.0 - burn.left(state, np.array([0.001]), MONTH, now)[0] == pytest.approx(0.02, rel=0.01)
    assert judged(state, 0.001, MONTH, PAIRS[0], now).longer[0] == pytest.approx(14.4)


def test_a_young_objective_has_used_up_no_more_than_it_has_lived():
    state, _, now = fed([(1, 10, 100)] * 30)
    assert rate(state, 0.001, 5, now) == pytest.approx(100.0)
    assert rate(state, 0.001, 60, now) == pytest.approx(50.0)
    assert burn.left(state, np.array([0.001]), MONTH, now)[0] == pytest.approx(1 - 100 * 30 / 43_200)


def test_what_was_told_already_is_no_part_of_the_longer_window():
    state, _, now = fed([(1, 0, 1000)] * 60 + [(1, 1000, 1000)] * 10 + [(1, 0, 1000)] * 10)
    assert judged(state, 0.001, MONTH, PAIRS[0], now).longer[0] == pytest.approx(1000 * 10 / 60)
    assert judged(state, 0.001, MONTH, PAIRS[0], now, fresh=600.0).longer[0] == pytest.approx(10.0)
    assert judged(state, 0.001, MONTH, PAIRS[0], now, fresh=0.0).longer[0] == 0.0


def test_zero_bytes_are_an_objective_of_which_nothing_is_known():
    state = np.zeros(3, STATE)
    found = judged(state, 0.001, MONTH, PAIRS[0], START)
    assert found.longer.tolist() == found.bad.tolist() == [0.0, 0.0, 0.0]
    assert burn.left(state, np.full(3, 0.001), np.full(3, 43_200.0), START).tolist() == [1.0, 1.0, 1.0]


def test_the_bytes_of_an_objective_are_what_the_page_says():
    assert STATE.itemsize < 9_400
