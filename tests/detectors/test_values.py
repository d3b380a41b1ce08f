"""Laws of the values that are scored."""

import math
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from detectors import values
from detectors.kernel import as_state

SECOND = 1_000_000_000


def read(kind, points, cuts=()):
    """Values and verdicts of one series; points are (seconds, raw)."""
    n = len(points)
    state = as_state(np.zeros(1, values.STATE))
    slot, kinds = np.zeros(n, np.int64), np.array([kind], np.int8)
    ts_ns = np.array([t * SECOND for t, _ in points], np.int64)
    raw = np.array([x for _, x in points], np.float64)
    out = (np.empty(n), np.empty(n), np.empty(n), np.empty(n), np.empty(n, np.int8))
    edges = [0, *sorted(cuts), n]
    for a, b in pairwise(edges):
        values.read_values(state, kinds, slot[a:b], ts_ns[a:b], raw[a:b], tuple(o[a:b] for o in out))
    return out, state


def same(found, wanted):
    np.testing.assert_array_equal(found, np.array(wanted))


def test_a_gauge_is_its_value():
    same(read(values.GAUGE, [(0, 5.0), (10, 7.0)])[0][0], [5.0, 7.0])


def test_a_counter_is_a_rate_a_second_from_its_second_sample_on():
    same(read(values.COUNTER, [(0, 100.0), (10, 150.0), (30, 170.0)])[0][0], [math.nan, 5.0, 1.0])


def test_a_reset_gives_no_value_and_a_second_one_counts_from_zero():
    same(read(values.COUNTER, [(0, 100.0), (10, 20.0), (20, 10.0), (30, 20.0)])[0][0], [math.nan, math.nan, 1.0, 1.0])


def test_a_delta_is_a_rate_a_second():
    same(read(values.DELTA, [(0, 100.0), (10, 150.0)])[0][0], [math.nan, 15.0])


def test_late_and_repeated_samples_are_named_and_change_nothing():
    out, state = read(values.GAUGE, [(10, 1.0), (20, 2.0), (20, 2.0), (20, 3.0), (15, 1.0)])
    _, before = read(values.GAUGE, [(10, 1.0), (20, 2.0)])
    assert out[4].tolist() == [values.READ, values.READ, values.REPEATED, values.LATE, values.LATE]
    assert state.tobytes() == before.tobytes()


def test_the_step_is_learned_in_seconds():
    out, _ = read(values.GAUGE, [(60 * t, 1.0) for t in range(50)])
    assert out[1][-1] == pytest.approx(60.0)


def test_the_usual_size_is_not_influenced_by_the_sample_itself():
    out, _ = read(values.GAUGE, [(0, 4.0), (60, 4.0), (120, 1e9)])
    assert out[2].tolist() == [0.0, 4.0, 4.0]


def test_a_rate_beyond_all_measure_is_no_value():
    assert np.isnan(read(values.COUNTER, [(0, 0.0), (1, 9e14), (2, 9e14 + 1)])[0][0][0])


@given(
    st.sampled_from([values.GAUGE, values.COUNTER, values.DELTA]),
    st.lists(st.tuples(st.integers(0, 500), st.floats(-9e14, 9e14)), max_size=60),
    st.lists(st.integers(0, 60), max_size=4),
)
def test_cuts_change_nothing(kind, points, cuts):
    whole, state = read(kind, points)
    parts, other = read(kind, points, [c for c in cuts if c <= len(points)])
    assert state.tobytes() == other.tobytes()
    for a, b in zip(whole, parts, strict=True):
        assert a.tobytes() == b.tobytes()


def test_after_a_pause_and_after_a_reset_it_is_known_since_when_it_is_heard_again():
    gauge = [(60 * t, 1.0) for t in (0, 1, 2, 3, 5, 6, 12, 13)]  # one missing sample is no pause, five are
    assert read(values.GAUGE, gauge)[0][3].round(6).tolist() == [math.inf] * 6 + [0.0, 60.0]
    counter = [(0, 100.0), (10, 150.0), (20, 10.0), (30, 20.0)]
    assert read(values.COUNTER, counter)[0][3].tolist() == [math.inf, math.inf, 0.0, 10.0]
