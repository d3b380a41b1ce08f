"""Laws of falls of counts."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from detectors.falls import EXPECTED_MIN, STRETCH_MAX, stretch_falls


def stretched(value: float, expected: float, scale: float, score: float = 1.0) -> float:
    told = np.array([score])
    stretch_falls(np.array([value]), np.array([expected]), np.array([scale]), told)
    return float(told[0])


def decades(z: float) -> float:
    """As portable.tail_decades says in its docstring."""
    return -math.log10((1 + z * z / 6) ** -3)


@given(st.floats(0, 1e6), st.floats(0.01, 1e6), st.floats(0.01, 1e3))
def test_a_fall_counts_by_roots_and_a_rise_as_it_is(value, expected, scale):
    told = stretched(value, expected, scale)
    if value >= expected or expected < EXPECTED_MIN:
        assert told == 1.0
        return
    by_roots = 2 * math.sqrt(expected) * (math.sqrt(expected) - math.sqrt(value)) / scale
    plain = max(decades((expected - value) / scale), 1e-9)
    assert told == pytest.approx(min(max(decades(by_roots) / plain, 1.0), STRETCH_MAX), rel=1e-6)


@pytest.mark.parametrize("nothing", [math.nan, math.inf, -1.0])
def test_what_is_not_known_changes_nothing(nothing):
    assert stretched(nothing, 50.0, 1.0) == 1.0
    assert stretched(1.0, nothing, 1.0) in (1.0, STRETCH_MAX)
    assert stretched(1.0, 50.0, -1.0) == 1.0
    assert math.isnan(stretched(1.0, 50.0, 1.0, math.nan))
