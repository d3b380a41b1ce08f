"""Laws of log time and of the records at which something is due."""

from itertools import pairwise

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from detectors import logclock
from detectors.kernel import as_state

SECOND = 1_000_000_000
DAY = 86_400 * SECOND


def read(times, cuts=(), back_ns=DAY):
    state = as_state(np.zeros(1, logclock.STATE))
    times = np.array(times, np.int64)
    log, ahead = np.empty(len(times), np.int64), np.empty(len(times), np.bool_)
    edges = [0, *sorted(cuts), len(times)]
    for a, b in pairwise(edges):
        logclock.read_times(state, times[a:b], back_ns, log[a:b], ahead[a:b])
    return log.tolist(), ahead.tolist(), state.tobytes()


def test_log_time_is_the_third_largest_of_late():
    log, _, _ = read([SECOND * t for t in (10, 20, 30, 40, 35)])
    assert [t // SECOND for t in log] == [10, 10, 10, 20, 30]


def test_two_forged_stamps_move_nothing_and_are_not_believed():
    log, ahead, _ = read([0, 0, 0, 500 * DAY, 900 * DAY, SECOND])
    assert log[-1] == SECOND
    assert ahead == [False, False, False, True, True, False]


def test_days_between_records_are_believed_when_they_are_usual():
    _, ahead, _ = read([day * 2 * DAY for day in range(50)])
    assert not any(ahead)


def test_a_burst_of_forged_stamps_is_forgotten_after_a_ring_of_honest_ones():
    honest = [SECOND * t for t in range(300)]
    log, _, _ = read(honest[:100] + [900 * DAY] * 5 + honest[100:])
    assert max(log) == 900 * DAY
    assert log[-1] == 297 * SECOND


@given(st.lists(st.integers(-(2**62), 2**62), max_size=200), st.lists(st.integers(0, 200), max_size=5))
def test_cuts_change_nothing(times, cuts):
    assert read(times) == read(times, [c for c in cuts if c <= len(times)])


@given(st.lists(st.integers(0, 1000), min_size=1, max_size=200), st.lists(st.integers(0, 200), max_size=5))
def test_what_is_due_does_not_depend_on_cuts(seconds, cuts):
    times = np.array(seconds, np.int64) * SECOND

    def due(edges):
        state = as_state(np.zeros(1, logclock.PACE))
        out = np.empty(len(times), np.int8)
        for a, b in pairwise(edges):
            logclock.pace(state, times[a:b], 10 * SECOND, SECOND, 100, out[a:b])
        return out.tolist()

    assert due([0, len(times)]) == due([0, *sorted(c for c in cuts if c <= len(times)), len(times)])


def test_ticks_come_when_a_multiple_is_crossed_and_marks_each_second_or_thousand():
    state = as_state(np.zeros(1, logclock.PACE))
    out = np.empty(4, np.int8)
    logclock.pace(state, np.array([1, 9, 10, 10], np.int64) * SECOND, 10 * SECOND, SECOND, 1000, out)
    assert out.tolist() == [0, logclock.MARK, logclock.TICK | logclock.MARK, 0]
    out = np.empty(1000, np.int8)
    logclock.pace(state, np.full(1000, 10 * SECOND, np.int64), 10 * SECOND, SECOND, 1000, out)
    assert out.tolist().count(logclock.MARK) == 1
