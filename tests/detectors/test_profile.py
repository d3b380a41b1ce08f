"""A profile in sixteen bits says what was written to four decimal places of its largest slot, whatever the size of the values."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from detectors import profile, season
from detectors.kernel import as_state


def row() -> Any:
    return as_state(np.zeros(1, season.STATE))[0]


@pytest.mark.parametrize("size", [1e-25, 3e-4, 1.0, 77.0, 1e14])
def test_what_is_written_is_read(size: float) -> None:
    values = size * np.random.default_rng(1).normal(0.0, 1.0, profile.SLOTS)
    one = row()
    for slot, value in enumerate(values):
        profile.write(one, slot, value)
    found = [profile.read(one, slot) for slot in range(profile.SLOTS)]
    np.testing.assert_allclose(found, values, rtol=0, atol=np.abs(values).max() / profile.CODE_LOW)
    profile.shrink(one)
    np.testing.assert_allclose([profile.read(one, slot) for slot in range(profile.SLOTS)], found, rtol=0, atol=0)


def test_a_slot_that_was_never_seen_is_no_zero() -> None:
    one = row()
    profile.write(one, 3, 0.0)
    profile.write(one, 4, 1.0)
    profile.write(one, 5, -1.0)
    assert [int(code) != 0 for code in one["daily"][2:7]] == [False, True, True, True, False]
    assert [profile.read(one, slot) for slot in range(2, 7)] == [0.0, 0.0, 1.0, -1.0, 0.0]


def test_one_huge_value_costs_precision_only_until_it_is_gone() -> None:
    one = row()
    profile.write(one, 0, 1.0)
    profile.write(one, 1, 1e6)
    profile.write(one, 1, 2.0)
    profile.shrink(one)
    profile.write(one, 0, 1.5)
    assert profile.read(one, 0) == pytest.approx(1.5, rel=1e-3)


@given(st.lists(st.tuples(st.integers(0, 20), st.floats(-1e15, 1e15, allow_subnormal=False)), max_size=60))
def test_codes_stay_in_their_bits(writes: list[tuple[int, float]]) -> None:
    one = row()
    for slot, value in writes:
        kept = value if abs(value) >= 1e-30 else 0.0
        profile.write(one, slot, kept)
        assert profile.read(one, slot) == pytest.approx(kept, abs=float(one["unit"]) / 2)
    profile.shrink(one)
    assert np.abs(np.asarray(one["daily"], np.int64)).max() <= profile.CODE_MAX + 1
