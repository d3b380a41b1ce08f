"""Samples of interest, held against what numpy says of them."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from detectors.choice import choose


@given(st.integers(0, 2**32 - 1), st.integers(0, 60))
def test_all_of_a_series_is_chosen_that_is_watched_or_has_an_anomaly(seed: int, samples: int) -> None:
    rng = np.random.default_rng(seed)
    live, slot = rng.random(8) < 0.2, rng.integers(0, 8, samples)
    score = rng.choice([0.0, 0.99, 1.0, 7.0, np.nan], samples, p=[0.5, 0.2, 0.1, 0.1, 0.1])
    marked, chosen = np.zeros(8, np.bool_), np.empty(samples, np.int64)
    count = choose(live, slot, score, marked, chosen)
    wanted = live[slot] | np.isin(slot, slot[score >= 1.0])
    assert chosen[:count].tolist() == np.flatnonzero(wanted).tolist()
    assert not marked.any()
