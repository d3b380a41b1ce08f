"""What an excursion is called: by the side it leans to, and by what would have been expected without the season."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from numpy.typing import NDArray

from engine.config.tree import Detect
from engine.detect.bank import Bank
from engine.records import Series

START = 1_699_833_600
"""A Monday, midnight."""


def mostly(value: NDArray[np.float64], rows: slice, step: int) -> str:
    """The kind most often given to some rows of a series."""
    bank = Bank(Detect())
    bank.admit(0, Series(key=b"a", name="a", labels=(), entity=""))
    ts_ns = (START + np.arange(len(value), dtype=np.int64) * step) * 1_000_000_000
    scored = bank.score(np.zeros(len(value), np.int64), ts_ns, value)
    assert scored.score[rows].max() > 1.0
    return Counter(str(bank.KINDS[kind]) for kind in scored.kind[rows].tolist()).most_common(1)[0][0]


def noise(rows: int, size: float) -> NDArray[np.float64]:
    return np.random.default_rng(rows).normal(0.0, size, rows)


def test_what_swings_to_both_sides_is_variance():
    value = 100.0 + noise(8640, 3.0)
    value[8000:8120] = 100.0 + noise(120, 25.0)
    assert mostly(value, slice(8000, 8120), 60) == "variance"


@pytest.mark.parametrize(("change", "kind"), [(40.0, "level_up"), (-40.0, "level_down")])
def test_what_stays_on_one_side_is_a_level(change, kind):
    value = 100.0 + noise(3456, 3.0)
    value[3000:] += change
    assert mostly(value, slice(3010, 3060), 300) == kind


def test_what_only_the_hour_makes_strange_is_a_miss_of_the_season():
    wave = 200.0 + 100.0 * np.sin(np.arange(3456) / 288.0 * 2.0 * np.pi) + noise(3456, 4.0)
    noon = slice(2940, 2980)
    wave[noon] = 205.0
    assert mostly(wave, slice(2950, 2980), 300) == "seasonal_miss"
