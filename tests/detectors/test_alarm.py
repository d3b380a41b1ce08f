"""Laws of alarms: what is news starts one, once."""

from __future__ import annotations

import numpy as np
import pytest
from metric_corpus import CORPUS
from numpy.typing import NDArray

from detectors import alarm, density, ranks, shapes
from detectors.kernel import JIT, as_state

Floats = NDArray[np.float64]


def told(value: Floats, state: NDArray[np.void] | None = None, first: int = 0, quiet_samples: int = 100) -> Floats:
    """Of samples every half hour, counted from `first` on."""
    out = np.empty(len(value))
    ts_ns = (first + np.arange(len(value))) * 1800 * 10**9
    params = alarm.Params(quiet_samples=quiet_samples)
    alarm.alarms(as_state(np.zeros(1, alarm.STATE)) if state is None else state, ts_ns, value, params, out)
    return out


def noise(rows: int = 3000) -> Floats:
    return np.random.default_rng(3).normal(100.0, 5.0, rows)


def test_a_record_far_beyond_all_starts_an_alarm_and_what_follows_does_not():
    value = noise()
    value[2000:2010] = 300.0
    out = told(value)
    assert out[2000] > 1.0
    assert not (out[2001:2100] > out[2000]).any()
    assert (out[:2000] < out[2000]).all()


def test_what_comes_again_and_again_is_news_no_more():
    value = noise(5000)
    value[450::150] += 60.0
    out = told(value)
    assert out[450] > 1.0
    assert out[3000::150].max() < out[450]
    assert np.median(out[3000::150]) < 1.0


def test_a_value_that_is_usual_at_another_hour_is_news():
    """The day's rise does not come: no value is new, and no level."""
    wave = 100.0 + 50.0 * np.sin(np.arange(2500) / 48.0 * 2 * np.pi) + np.random.default_rng(4).normal(0.0, 1.0, 2500)
    low = wave.copy()
    low[2412:2424] = wave[2424:2436]
    assert told(low)[2412:2424].max() > told(wave)[2412:2424].max() + 0.2


def test_a_series_that_stands_still_within_its_range_is_news():
    value = noise(2000)
    value[1900:1950] = 100.0
    out = told(value, quiet_samples=1)
    assert out[1905:1950].max() > np.quantile(out[:1900], 0.95)


def test_a_value_between_two_levels_is_news_as_a_record_is():
    value = np.where(np.arange(2000) // 12 % 2, 10.0, 90.0) + np.random.default_rng(5).normal(0.0, 1.0, 2000)
    value[1500] = 50.0
    assert told(value)[1500] > 1.0


def test_a_level_that_moves_within_the_noise_is_news():
    value = noise()
    value[2500:2700] += 8.0
    out = told(value)
    assert out[2500:2700].max() > out[1500:2500].max()


def test_equal_surprises_become_less_news_with_each_time():
    state = as_state(np.zeros(1, ranks.STATE))
    first = [ranks.decades_of(state[0], 5.0, seen) for seen in range(1000, 1000 + ranks.KEPT)]
    assert first[0] == pytest.approx(np.log10(1001.0))
    assert all(np.diff(first) <= 0.0)
    assert ranks.decades_of(state[0], 6.0, 1100) == pytest.approx(np.log10(1101.0))
    assert ranks.decades_of(state[0], 0.0, 1101) == 0.0


def test_before_there_is_a_history_nothing_is_news():
    value = noise(alarm.WARM)
    value[140] = 1e6
    assert not told(value).any()


def test_greater_news_within_the_quiet_time_are_told_and_lesser_are_not():
    value = noise()
    value[2600], value[2610], value[2620] = 121.0, 400.0, 121.0
    out = told(value)
    assert 0.0 < out[2600] < out[2610]
    assert out[2620] == 0.0


@pytest.mark.parametrize("name", list(CORPUS))
def test_any_series_gives_finite_scores_however_it_is_cut(name):
    value = CORPUS[name][1] if JIT else CORPUS[name][1][:300]
    whole = told(value)
    state = as_state(np.zeros(1, alarm.STATE))
    starts = np.array_split(np.arange(len(value)), 7)
    cut = np.concatenate([told(value[rows], state, first=rows[0]) for rows in starts])
    np.testing.assert_array_equal(whole, cut)
    assert np.isfinite(whole).all()
    assert (whole >= 0.0).all()


def test_what_is_no_value_teaches_nothing():
    value = noise(3000 if JIT else 400)
    places = [100, 700, 1500] if JIT else [100, 200, 300]
    hostile = value.copy()
    hostile[places] = np.nan, np.inf, 1e300
    kept = np.isin(np.arange(len(value)), places, invert=True)
    ts_ns = np.arange(len(value)) * 60 * 10**9
    with_holes, without = np.empty(len(value)), np.empty(len(value) - 3)
    alarm.alarms(as_state(np.zeros(1, alarm.STATE)), ts_ns, hostile, alarm.Params(), with_holes)
    alarm.alarms(as_state(np.zeros(1, alarm.STATE)), ts_ns[kept], value[kept], alarm.Params(), without)
    np.testing.assert_array_equal(with_holes[kept], without)
    assert not with_holes[~kept].any()


def test_entities_start_alarms_by_their_score():
    score = np.array([np.nan, 0.2, 1.5, 1.4, 1.6, 0.1])
    out = np.empty(6)
    alarm.worst(score, alarm.Params(), out)
    assert out.tolist() == [0.0, 0.2, 1.5, 0.0, 1.6, 0.0]


def test_bins_hold_every_sample_in_ascending_order():
    row = np.zeros(1, density.STATE)
    state = as_state(row)
    for value in noise(400).tolist():
        density.rarity(state[0], value)
    bins = int(row["bins"][0])
    left, right = row["left"][0, :bins], row["right"][0, :bins]
    assert bins <= density.BINS
    assert row["count"][0, :bins].sum() == 400
    assert (left <= right).all()
    assert (right[:-1] < left[1:]).all()


@pytest.mark.parametrize("scale", [1e-9, 1e9])
def test_neither_unit_nor_offset_matters(scale: float):
    value = noise(2000)
    value[1500] = 160.0
    out = told(value)
    np.testing.assert_allclose(told(scale * (value - 300.0)), out, rtol=1e-3, atol=1e-3)


def test_a_shape_inside_a_known_box_has_no_distance():
    state = as_state(np.zeros(1, shapes.STATE))
    period = np.tile(np.repeat([1.0, 5.0, 2.0, 8.0], 3), 40)
    distances = [shapes.newness(state[0], 7.0, value) for value in period.tolist()]
    assert max(distances[100:]) == 0.0


def test_peaks_that_come_more_often_are_news():
    value = np.full(2500, 20.0)
    value[::72] = 60.0
    often = value.copy()
    often[2000:2200:8] = 60.0
    assert told(often)[2000:2200].max() > told(value)[2000:2200].max() + 0.3


def test_a_range_of_nearly_nothing_and_then_of_everything_gives_finite_scores():
    value = np.where(np.arange(700) % 2, 5e-324, 0.0)
    value[300::3] = np.geomspace(1e-300, 9e14, len(value[300::3]))
    out = told(value, quiet_samples=1)
    assert np.isfinite(out).all()
    assert out.max() > 0.0
