"""River's detectors behind our order: score first, then learn; nothing that is not finite."""

from __future__ import annotations

import numpy as np
import pytest

from detectors.river_adapter import CLASSES, RiverDetector


@pytest.mark.parametrize("name", list(CLASSES))
def test_it_scores_a_spike_higher_than_noise_and_skips_what_is_not_finite(name: str) -> None:
    value = np.random.default_rng(1).uniform(0.3, 0.6, (400, 1))
    value[200] = np.nan
    value[399] = 0.999
    params = {"seed": 1, "window_size": 50} if name == "half_space_trees" else {}
    score = RiverDetector(name, **params).score(value)
    assert np.isnan(score[200])
    assert np.isfinite(np.delete(score, 200)).all()
    assert score[399] > np.median(np.delete(score, 200)[100:398])


def test_only_listed_classes_can_be_named() -> None:
    with pytest.raises(ValueError, match="no river detector"):
        RiverDetector("os.system")
