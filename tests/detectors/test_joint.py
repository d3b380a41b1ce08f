"""Laws of an entity's joint score."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from metric_corpus import CORPUS, every

from detectors import joint
from detectors.kernel import as_state
from detectors.naive_joint import naive_jointly

PLAIN = joint.Params()


def opinions(scores: np.ndarray, cuts: tuple[int, ...] = (), params: joint.Params = PLAIN) -> np.ndarray:
    n = len(scores)
    state, said, ts_ns = np.zeros(1, joint.STATE), np.zeros(n, joint.OPINION), every(60.0, n)
    edges = [0, *cuts, n]
    for a, b in pairwise(edges):
        joint.score_jointly(as_state(state), ts_ns[a:b], scores[a:b], params, as_state(said[a:b]))
    return said


def jointly(scores: np.ndarray, cuts: tuple[int, ...] = ()) -> np.ndarray:
    return opinions(scores, cuts)["score"].copy()


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
        said = np.zeros(len(ts_ns), joint.OPINION)
        joint.score_jointly(as_state(np.zeros(1, joint.STATE)), ts_ns, scores, params, as_state(said))
        oracle = naive_jointly(ts_ns.tolist(), scores.tolist(), params)
        np.testing.assert_allclose(said["score"], oracle, rtol=1e-6, atol=1e-12)


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


def test_the_shares_say_who_speaks_loudest_first() -> None:
    scores = usual(200, 8)
    scores[-1] = [0.1, 0.9, np.nan, 0.5, 0.9, 7.0, 0.2, 0.3]
    said = opinions(scores)[-1]
    assert said["place"].tolist() == [5, 1, 4, 3, 7]  # of equals the first
    assert said["share"][1:].tolist() == [3.6, 3.6, 2.0, 1.2]
    assert joint.CLIP < said["share"][0] < 4.0 * 7.0
    assert said["share"].sum() == pytest.approx(joint.TOP * said["decades"])
    assert (said["known"], said["off"]) == (7, 4)


def test_too_few_metrics_say_nothing_and_teach_nothing() -> None:
    state, said = np.zeros(1, joint.STATE), np.zeros(50, joint.OPINION)
    scores = usual(50, 4)
    scores[:, :2] = np.nan
    joint.score_jointly(as_state(state), every(60.0, 50), scores, joint.Params(known_min=3), as_state(said))
    assert np.isnan(said["score"]).all()
    assert state["seen"][0] == 0


def test_an_entity_teaches_its_own_excess_only_where_that_is_believed() -> None:
    """Metrics that have nothing to do with each other hardly ever are off together: five of them are news earlier than by default."""
    scores = usual(4000, 12)
    scores[-1, :5] = 0.9
    load = np.random.default_rng(2).exponential(1.0, (len(scores), 1))
    params = joint.Params(excess_min=0.2, excess_max=1.0)
    plain, alone, shared = opinions(scores), opinions(scores, params=params), opinions(load * scores, params=params)
    assert np.array_equal(plain["threshold"], alone["threshold"], equal_nan=True)
    assert set(plain["excess"][1:].tolist()) == {joint.EXCESS}
    assert 0.2 <= alone["excess"][-1] < joint.EXCESS < shared["excess"][-1] <= 1.0
    assert alone["score"][-1] > 1.0 > plain["score"][-1]


class Stream:
    """Entities whose metrics come one by one. `voices` says which of them measure the same."""

    def __init__(self, sizes: list[int], voices: list[int] | None = None) -> None:
        self.begins = np.concatenate(([0], np.cumsum(sizes))).astype(np.int64)
        total = int(self.begins[-1])
        self.members, self.states = np.zeros(total, joint.MEMBER), np.zeros(len(sizes), joint.STATE)
        self.entities = np.zeros(len(sizes), joint.ENTITY)
        self.members["entity"] = np.repeat(np.arange(1, len(sizes) + 1), sizes)
        own = np.concatenate([np.arange(size) for size in sizes])
        self.voices = np.array(own if voices is None else voices, np.int64)

    def play(self, ts_ns: int, scores: np.ndarray) -> np.ndarray:
        heard = np.flatnonzero(np.isfinite(scores)).astype(np.int64)
        total, zeros = len(self.members), np.zeros(len(heard))
        at = np.full(len(heard), ts_ns)
        rows = as_state(self.members), as_state(self.entities)
        joint.gather(*rows, heard, at, scores[heard], zeros, zeros, at)
        said = np.zeros(len(self.entities), joint.OPINION)
        rounds = (np.arange(len(said)), self.begins, np.arange(total), self.voices, np.full(total, 60.0))
        states, spare = as_state(self.states), (np.zeros(total, np.int64), np.zeros(total))
        joint.score_rounds(rows[0], states, rows[1], rounds, joint.Params(), as_state(said), *spare)
        return said


def test_a_stream_of_entities_is_scored_as_the_table_of_each() -> None:
    scores, ts_ns = usual(300, 9), every(60.0, 300)
    stream = Stream([4, 5])
    said = np.array([stream.play(int(at), row) for at, row in zip(ts_ns, scores, strict=True)])
    for number, part in enumerate((slice(0, 4), slice(4, 9))):
        table = np.ascontiguousarray(scores[:, part])
        assert said[:, number].tobytes() == opinions(table).tobytes()


def test_a_metric_that_is_not_heard_has_no_say_after_two_steps() -> None:
    stream = Stream([4])
    known = []
    for minute, at in enumerate(every(60.0, 6).tolist()):
        row = usual(1, 4)[0]
        row[3] = row[3] if minute == 0 else np.nan
        known.append(int(stream.play(at, row)[0]["known"]))
    assert known == [4, 4, 4, 3, 3, 3]


def test_what_measures_the_same_speaks_as_one() -> None:
    """Three quantiles of a latency are one metric: the loudest of them is heard, at its own place."""
    stream = Stream([5], voices=[0, 0, 0, 1, 2])
    said = stream.play(60_000_000_000, np.array([0.2, 0.9, 0.8, 0.5, 0.1]))[0]
    assert said["known"] == 3
    assert said["place"].tolist() == [1, 3, 4, -1, -1]
    assert said["decades"] == pytest.approx(4.0 * (0.9 + 0.5 + 0.1) / 3)
