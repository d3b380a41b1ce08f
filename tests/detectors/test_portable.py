"""Our own functions are as exact as they say, and need no C library."""

from __future__ import annotations

import math
from decimal import Decimal, getcontext

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from detectors import portable

getcontext().prec = 50
POSITIVE = st.floats(min_value=1e-300, max_value=1e300)


def relative_error(got: float, exact: Decimal) -> float:
    return float(abs(Decimal(got) - exact) / max(abs(exact), Decimal("1e-300")))


@settings(deadline=None)  # the first call may compile
@given(POSITIVE)
def test_ln_is_exact_to_four_units(x: float) -> None:
    exact = Decimal(x).ln()
    assert relative_error(portable.ln(x), exact) < 4e-16 or abs(Decimal(portable.ln(x)) - exact) < Decimal("1e-16")


@settings(deadline=None)  # the first call may compile
@given(st.floats(-700, 700))
def test_exp_is_exact_to_four_units(x: float) -> None:
    assert relative_error(portable.exp(x), Decimal(x).exp()) < 4e-16


@settings(deadline=None)  # the first call may compile
@given(POSITIVE)
def test_other_bases_are_ln_in_other_units(x: float) -> None:
    assert portable.log10(x) == pytest.approx(math.log10(x), rel=1e-15, abs=1e-15)
    assert portable.log2(x) == pytest.approx(math.log2(x), rel=1e-15, abs=1e-15)


@pytest.mark.parametrize("x", [0.0, -1.0, float("nan")])
def test_what_has_no_logarithm_is_very_small(x: float) -> None:
    assert portable.ln(x) == -745.0


def test_exp_is_held_to_normal_floats() -> None:
    assert portable.exp(1e9) == portable.exp(700.0) < math.inf
    assert portable.exp(-1e9) == portable.exp(-700.0) > 0.0


@settings(deadline=None)  # the first call may compile
@given(st.floats(0, 1e12), st.floats(0, 1e12))
def test_a_larger_deviation_is_never_less_rare(a: float, b: float) -> None:
    low, high = sorted((a, b))
    assert 0.0 <= portable.tail_decades(low) <= portable.tail_decades(high)


@settings(deadline=None)  # the first call may compile
@given(st.floats(0.01, 90.0))
def test_distance_and_decades_are_inverse(decades: float) -> None:
    assert portable.tail_decades(portable.tail_distance(decades)) == pytest.approx(decades, rel=1e-9)


def test_the_tail_is_heavier_than_a_gaussian() -> None:
    for z in (3.0, 5.0, 8.0):
        assert 10 ** -portable.tail_decades(z) > math.erfc(z / math.sqrt(2.0))
