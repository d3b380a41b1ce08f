"""Laws of an entity's joint score."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from metric_corpus import CORPUS, every

from detectors import joint
from detectors.kernel import as_state
from detectors.naive_joint import naive_jointly


def jointly(scores: np.ndarray, cuts: tuple[int, ...] = ()) -> np.ndarray:
    n = len(scores)
    state, out, ts_ns = np.zeros(1, joint.STATE), np.full(n, np.nan), every(60.0, n)
    edges = [0, *cuts, n]
    for a, b in pairwise(edges):
        joint.score_jointly(as_state(state), ts_ns[a:b], scores[a:b], joint.Params(), out[a:b])
    return out


def usual(rows: int, metrics: int) -> np.ndarray:
    return np.random.default_rng(1).exponential(0.15, (rows, metrics))


def eventful(rows: int, metrics: int) -> np.ndarray:
    """Scores of all sizes, far beyond the clip too; many are equal, and metrics and whole moments have no opinion."""
    rng = np.random.default_rng(metrics)
    scores = np.round(rng.exponential(0.15, (rows, metrics)), 2)
    scores[rows // 2 : rows // 2 + 20] += rng.exponential(20.0, metrics)
    scores[rng.random((rows, metrics)) < 0.2] = np.nan
    scores[rows // 3 :: 7] = 0.0
    scores[rng.random(rows) < 0.1] = np.nan
    return scores


@pytest.mark.parametrize("metrics", [1, 3, 5, 12])
@pytest.mark.parametrize("name", list(CORPUS))
def test_kernel_and_oracle_agree(name: str, metrics: int) -> None:
    ts_ns = CORPUS[name][0]
    scores = eventful(len(ts_ns), metrics)
    scores[1:][ts_ns[1:] <= np.maximum.accumulate(ts_ns)[:-1]] = np.nan  # what is late has no score
    for params in (joint.Params(), joint.Params(budget_seconds=86_400.0, tail_seconds=7_200.0)):
        out = np.zeros(len(ts_ns))
        joint.score_jointly(as_state(np.zeros(1, joint.STATE)), ts_ns, scores, params, out)
        oracle = naive_jointly(ts_ns.tolist(), scores.tolist(), params)
        np.testing.assert_allclose(out, oracle, rtol=1e-6, atol=1e-12)


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
