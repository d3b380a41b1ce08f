"""Histograms: the kernels say what the oracle says, whatever comes, and quantiles lie where the values lay."""

import math
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from detectors import histograms
from detectors.histograms import COUNT, DERIVED, STATE, SUM
from detectors.kernel import JIT, as_state
from detectors.naive_histograms import NaiveHistogram

BOUNDS = (0.1, 0.5, 1.0, math.inf)
PLACES = {**{bound: place for place, bound in enumerate(BOUNDS)}, "sum": SUM, "count": COUNT}
EXAMPLES = 150 if JIT else 20


def rows(count=1, bounds=BOUNDS):
    state = np.zeros(count, STATE)
    state["used"] = len(bounds)
    state["bounds"][:, : len(bounds)] = bounds
    return state


def gathered(state, numbers):
    """Feed (place, seconds, value) of histogram 0; what was derived and how many came late."""
    ts_ns = np.array([round(at * 1e9) for _, at, _ in numbers], np.int64)
    place = np.array([PLACES[place] for place, _, _ in numbers], np.int64)
    value = np.array([value for _, _, value in numbers], np.float64)
    out, counted = np.zeros(2 * len(numbers), DERIVED), np.zeros(2, np.int64)
    histograms.gather(as_state(state), np.zeros(len(numbers), np.int64), place, ts_ns, value, as_state(out), counted)
    return out[: counted[0]], int(counted[1])


def flushed(state, watermark_ns):
    out, counted = np.zeros(len(state), DERIVED), np.zeros(2, np.int64)
    histograms.flush(as_state(state), watermark_ns, as_state(out), counted)
    return out[: counted[0]]


def same(out, said):
    assert out["ts_ns"].tolist() == [one.ts_ns for one in said]
    np.testing.assert_array_equal(out["rate"], [one.rate for one in said])
    np.testing.assert_array_equal(out["average"], [one.mean for one in said])
    np.testing.assert_array_equal(out["quantile"], np.array([one.quantiles for one in said]).reshape(-1, 3))


_number = st.tuples(
    st.sampled_from([*PLACES]), st.sampled_from([1.0, 15.0, 30.0, 45.0, 60.0]), st.sampled_from([0.0, 5.0, 40.0, 100.0, 400.0])
)


@settings(max_examples=EXAMPLES, deadline=None)
@given(st.lists(_number, max_size=60), st.lists(st.integers(0, 60), max_size=4), st.sampled_from([0, 20, 50]))
def test_numbers_in_any_order_say_what_the_oracle_says_however_they_are_cut(numbers, cuts, flush_at):
    naive, state = NaiveHistogram(), rows()
    for place, at, value in numbers:
        naive.arrive(place, round(at * 1e9), value)
    edges = [0, *sorted(min(cut, len(numbers)) for cut in cuts), len(numbers)]
    parts = [gathered(state, numbers[a:b]) for a, b in pairwise(edges)]
    out = [out for out, _ in parts] + [flushed(state, flush_at * 10**9)]
    naive.flush(flush_at * 10**9)
    same(np.concatenate(out), naive.said)
    assert sum(late for _, late in parts) == naive.late


_point = st.tuples(
    st.integers(1, 8),
    st.lists(st.integers(0, 200), min_size=4, max_size=4),
    st.sampled_from([math.nan, 0.0, 12.5]),
    st.sampled_from([0, 1, 3, 5]),
    st.booleans(),
)


@settings(max_examples=EXAMPLES, deadline=None)
@given(st.lists(_point, max_size=10))
def test_whole_points_say_what_the_oracle_says(points):
    naive, state = NaiveHistogram(), rows()
    out, counted = np.zeros(1, DERIVED), np.zeros(2, np.int64)
    found, late = [], 0
    for at, counts, total, start, is_delta in points:
        cumulative = dict(zip(BOUNDS, np.cumsum(counts).astype(float).tolist(), strict=True)) | {"count": float(sum(counts))}
        cumulative |= {} if math.isnan(total) else {"sum": total}
        naive.point(at * 10**9, cumulative, start_ns=start * 10**9, is_delta=is_delta)
        about = np.array([at * 10**9, start * 10**9, is_delta], np.int64)
        histograms.take_point(as_state(state), 0, about, np.array(counts, np.float64), total, as_state(out), counted)
        found.append(out[: counted[0]].copy())
        late += int(counted[1])
    same(np.concatenate([np.zeros(0, DERIVED), *found]), naive.said)
    assert late == naive.late


def test_quantiles_lie_in_the_buckets_in_which_the_values_lay():
    rng = np.random.default_rng(1)
    bounds = (0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, math.inf)
    state = rows(bounds=bounds)
    out, counted = np.zeros(1, DERIVED), np.zeros(2, np.int64)
    for at in range(1, 40):
        values = rng.lognormal(-2.0, 0.8, 400)
        counts = np.histogram(values, [-np.inf, *bounds])[0].astype(float)
        about = np.array([at * 60 * 10**9, (at - 1) * 60 * 10**9, 1], np.int64)
        histograms.take_point(as_state(state), 0, about, counts, values.sum(), as_state(out), counted)
        if not counted[0]:
            continue
        assert out["rate"][0] == pytest.approx(400 / 60)
        assert out["average"][0] == pytest.approx(values.mean())
        for share, found in zip(histograms.QUANTILES, out["quantile"][0], strict=True):
            true = np.quantile(values, share, method="inverted_cdf")
            assert np.searchsorted(bounds, found) == np.searchsorted(bounds, true)


def test_a_scrape_that_is_whole_is_told_at_once_and_the_first_of_a_kind_waits():
    state = rows()
    first = [(place, 15.0, 10.0) for place in PLACES]
    second = [(place, 30.0, 130.0) for place in PLACES]
    assert len(gathered(state, first)[0]) == 0
    assert len(flushed(state, 15 * 10**9)) == 0  # there is nothing to compare it with
    out, _ = gathered(state, second[:-1])
    assert len(out) == 0
    out, _ = gathered(state, second[-1:])
    assert out["rate"].tolist() == pytest.approx([8.0])


def test_of_few_values_only_their_rate_is_told():
    state = rows()
    gathered(state, [(place, 15.0, 0.0) for place in PLACES])
    flushed(state, 15 * 10**9)
    out, _ = gathered(state, [(place, 30.0, 9.0) for place in PLACES])
    assert out["rate"].tolist() == pytest.approx([0.6])
    assert math.isnan(out["average"][0])
    assert np.isnan(out["quantile"]).all()


def test_after_a_reset_nothing_is_told_unless_it_says_when_it_began():
    out, counted = np.zeros(1, DERIVED), np.zeros(2, np.int64)
    for start, expected in ((0, []), (80, [100 / 10])):
        state = rows()
        for at, count, begun in ((60, 500.0, 0), (90, 100.0, start)):
            about = np.array([at * 10**9, begun * 10**9, 0], np.int64)
            counts = np.array([count, 0.0, 0.0, 0.0])
            histograms.take_point(as_state(state), 0, about, counts, math.nan, as_state(out), counted)
        assert out["rate"][: counted[0]].tolist() == pytest.approx(expected)


def test_a_scrape_of_which_a_part_was_lost_makes_no_later_one_whole_too_early():
    state = rows()
    for at in (15.0, 30.0, 45.0, 60.0):
        numbers = [(place, at, 10.0 * at) for place in PLACES if at != 30.0 or place != 0.5]
        out, late = gathered(state, numbers)
        assert late == 0
    assert out["ts_ns"].tolist() == [60 * 10**9]
    assert not np.isnan(out["average"][0])
