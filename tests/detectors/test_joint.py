"""Laws of an entity's joint score."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from metric_corpus import every

from detectors import joint
from detectors.kernel import as_state


def opinions(scores: np.ndarray, cuts: tuple[int, ...] = ()) -> np.ndarray:
    n = len(scores)
    state, said, ts_ns = np.zeros(1, joint.STATE), np.zeros(n, joint.OPINION), every(60.0, n)
    edges = [0, *cuts, n]
    for a, b in pairwise(edges):
        joint.score_jointly(as_state(state), ts_ns[a:b], scores[a:b], joint.Params(), as_state(said[a:b]))
    return said


def jointly(scores: np.ndarray, cuts: tuple[int, ...] = ()) -> np.ndarray:
    return opinions(scores, cuts)["score"].copy()


def usual(rows: int, metrics: int) -> np.ndarray:
    return np.random.default_rng(1).exponential(0.15, (rows, metrics))


def test_a_cut_changes_no_bit() -> None:
    scores = usual(1000, 8)
    assert jointly(scores).tobytes() == jointly(scores, (1, 2, 500)).tobytes()


def test_many_metrics_a_little_are_more_than_one() -> None:
    scores = usual(3000, 12)
    one, many = scores.copy(), scores.copy()
    one[-1, 0] = 1.5
    many[-1, :6] = 1.5
    assert jointly(many)[-1] > jointly(one)[-1] > np.nanmedian(jointly(scores))


def test_metrics_without_an_opinion_are_left_out() -> None:
    scores = usual(500, 4)
    scores[:, 1] = np.nan
    scores[100] = np.nan
    out = jointly(scores)
    assert np.isnan(out[100])
    assert np.isfinite(out[101:]).all()
    assert out.tobytes() == jointly(scores[:, [0, 2, 3]]).tobytes()
