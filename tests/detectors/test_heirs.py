"""Laws of heirs: what stands for a level is their own, what stands for a habit is the donor's."""

from __future__ import annotations

import numpy as np
import pytest

from detectors import heirs
from detectors.contract import Tier
from detectors.estimator import SeriesDetector
from detectors.registry import DETECTORS, of_tier

LEVELS = {"level": "level", "season": "offset", "reach": "highest", "projection": "centre", "rate": "slow"}
"""A field of each detector that stands for where the series is."""


def learned(centre: float, minutes: int, seed: int) -> np.void:
    model = SeriesDetector()
    noise = np.random.default_rng(seed).normal(0.0, 2.0, minutes)
    for minute, x in enumerate((centre + noise).tolist()):
        model.learn_one(x, minute * 60.0)
    return np.frombuffer(model.to_bytes(), model._dtype).copy()[0]


@pytest.fixture(scope="module")
def heir() -> tuple[np.void, np.void, np.void]:
    """(heir before, donor, heir after): the donor about 100, the heir about 130."""
    donor, young = learned(100.0, 1500, 1), learned(130.0, 12, 2)
    after = young.copy()
    for detector in of_tier(Tier.STANDARD):
        heirs.inherit(detector.name, after[detector.name], donor[detector.name], 130.0, 30.0)
    return young, donor, after


@pytest.mark.parametrize("name", list(LEVELS))
def test_a_level_is_the_heirs_own(name, heir):
    _, donor, after = heir
    place = np.atleast_1d(after[name][LEVELS[name]])[-1]
    before = np.atleast_1d(donor[name][LEVELS[name]])[-1]
    assert abs(place - 130.0) < 15.0
    assert abs(before - 100.0) < 15.0


@pytest.mark.parametrize(
    ("name", "field"), [("season", "scale"), ("projection", "counts"), ("season", "age"), ("flat", "longest")]
)
def test_a_habit_is_the_donors(name, field, heir):
    _, donor, after = heir
    np.testing.assert_array_equal(after[name][field], donor[name][field])


def test_a_scale_grows_with_the_level_threefold_at_most(heir):
    _, donor, after = heir
    np.testing.assert_allclose(after["level"]["scale"], 1.3 * donor["level"]["scale"])
    far = donor.copy()
    heirs.inherit("level", far["level"], donor["level"], 1e6, 1e6 - 100.0)
    np.testing.assert_allclose(far["level"]["scale"], 3.0 * donor["level"]["scale"])


@pytest.mark.parametrize(("name", "field"), [("projection", "recent"), ("flat", "value"), ("flat", "run")])
def test_the_present_stays_the_heirs_own(name, field, heir):
    young, _, after = heir
    np.testing.assert_array_equal(after[name][field], young[name][field])


def test_every_detector_can_be_inherited(heir):
    """Those without a rule give their row as it is."""
    _, donor, after = heir
    row = np.zeros((), [("x", np.float64), ("y", np.float64, 3)])[()]
    given = np.array((1.0, (2.0, 3.0, 4.0)), row.dtype)[()]
    heirs.inherit("one of tomorrow", row, given, 5.0, 1.0)
    assert row == given
    for name in DETECTORS:
        if name in after.dtype.names:
            assert all(np.isfinite(np.asarray(after[name][f], np.float64)).all() for f in after[name].dtype.names)
            assert donor[name] is not None
