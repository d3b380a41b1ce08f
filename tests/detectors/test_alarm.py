"""Laws of alarms: what is news starts one, once."""

from __future__ import annotations

import numpy as np
import pytest
from metric_corpus import CORPUS
from numpy.typing import NDArray

from detectors import alarm, density, shapes
from detectors.kernel import as_state

Floats = NDArray[np.float64]


def told(value: Floats, state: NDArray[np.void] | None = None) -> Floats:
    out = np.empty(len(value))
    alarm.alarms(as_state(np.zeros(1, alarm.STATE)) if state is None else state, value, alarm.Params(), out)
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
    value = noise(9000)
    value[450::150] += 60.0
    out = told(value)
    assert out[450] > 1.0
    assert out[6000::150].max() < out[450]
    assert np.median(out[6000::150]) < 1.0


def test_a_shape_that_was_never_seen_is_news_without_a_record():
    wave = 100.0 + 50.0 * np.sin(np.arange(6000) / 48.0 * 2 * np.pi) + np.random.default_rng(4).normal(0.0, 1.0, 6000)
    wave[4800:4848] = 100.0
    out = told(wave)
    assert out[4800:4870].max() > out[3000:4800].max()


def test_before_there_is_a_history_nothing_is_news():
    value = noise(alarm.WARM)
    value[140] = 1e6
    assert not told(value).any()


def test_greater_news_within_the_quiet_time_are_told_and_lesser_are_not():
    value = noise()
    value[2000], value[2010], value[2020] = 121.0, 400.0, 121.0
    out = told(value)
    assert 0.0 < out[2000] < out[2010]
    assert out[2020] == 0.0


@pytest.mark.parametrize("name", list(CORPUS))
def test_any_series_gives_finite_scores_however_it_is_cut(name):
    value = CORPUS[name][1]
    whole = told(value)
    state = as_state(np.zeros(1, alarm.STATE))
    cut = np.concatenate([told(part, state) for part in np.array_split(value, 7)])
    np.testing.assert_array_equal(whole, cut)
    assert np.isfinite(whole).all()
    assert (whole >= 0.0).all()


def test_what_is_no_value_teaches_nothing():
    value = noise()
    hostile = np.insert(value, [100, 700, 1500], [np.nan, np.inf, 1e300])
    np.testing.assert_array_equal(np.delete(told(hostile), [100, 701, 1502]), told(value))


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
    for cut in range(density.CUTS):
        bins = int(row["bins"][0, cut])
        left, right = row["left"][0, cut, :bins], row["right"][0, cut, :bins]
        assert bins <= density.BINS
        assert row["count"][0, cut, :bins].sum() == 400
        assert (left <= right).all()
        assert (right[:-1] < left[1:]).all()


def test_a_shape_inside_a_known_box_has_no_distance():
    state = as_state(np.zeros(1, shapes.STATE))
    period = np.tile(np.repeat([1.0, 5.0, 2.0, 8.0], 3), 40)
    distances = [shapes.newness(state[0], 7.0, value) for value in period.tolist()]
    assert max(distances[100:]) == 0.0
