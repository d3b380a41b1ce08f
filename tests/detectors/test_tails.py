"""A learned tail gives decades: one in ten, in a hundred, in a thousand are surprised by 1, 2, 3."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from detectors import tails


def learn(ys: np.ndarray) -> tuple[float, float, np.ndarray]:
    threshold, excess = tails.THRESHOLD_FIRST, tails.EXCESS_FIRST
    surprise = np.empty(len(ys))
    for i, y in enumerate(ys):
        surprise[i] = tails.tail_surprise(threshold, excess, y)
        alpha = tails.tail_alpha(60.0, 2_592_000.0, float(i))
        threshold, excess = (
            tails.learned_threshold(threshold, excess, y, alpha),
            tails.learned_excess(threshold, excess, y, alpha),
        )
    return threshold, excess, surprise


@pytest.mark.parametrize("heaviness", [0.8, 1.0, 3.0])
def test_exceedances_are_as_rare_as_the_decades_say(heaviness: float) -> None:
    """Whether the nominal tail is too heavy or too light, the learned one is about right, to a factor of two."""
    ys = np.random.default_rng(1).exponential(heaviness / np.log(10.0), 50_000)
    _, _, surprise = learn(ys)
    late = surprise[10_000:]
    for decades in (2.0, 3.0):
        share = (late >= decades).mean()
        assert 0.5 < share * 10**decades < 2.0


def test_a_tail_lighter_than_any_metric_has_is_not_believed() -> None:
    ys = np.random.default_rng(3).exponential(0.1, 100_000)
    _, excess, surprise = learn(ys)
    assert excess == tails.EXCESS_MIN
    assert (surprise[20_000:] >= 2.0).mean() < 0.005


def test_an_anomaly_cannot_teach_that_it_is_usual() -> None:
    ys = np.random.default_rng(2).exponential(0.4343, 5000)
    calm = learn(ys)
    ys[4000:4010] = 1e6
    assert learn(ys)[0] < calm[0] + 0.5
    assert learn(ys)[1] < calm[1] * 2.0


@settings(deadline=None)  # the first call may compile
@given(st.floats(0.05, 5.0), st.floats(tails.EXCESS_MIN, tails.EXCESS_MAX), st.floats(0.0, 50.0))
def test_boundary_and_surprise_are_inverse(threshold: float, excess: float, decades: float) -> None:
    y = tails.tail_boundary(threshold, excess, decades)
    assert tails.tail_surprise(threshold, excess, y) == pytest.approx(decades, rel=1e-9, abs=1e-9)


@settings(deadline=None)  # the first call may compile
@given(st.floats(0.0, 1e6), st.floats(0.0, 1e6))
def test_clipping_keeps_the_order(a: float, b: float) -> None:
    low, high = sorted((a, b))
    assert tails.soft_clip(low, 3.0) <= tails.soft_clip(high, 3.0)
    assert tails.soft_clip(low, 3.0) <= 3.0 + 7.0
