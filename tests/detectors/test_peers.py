"""Laws of peers: the kernel and its oracle agree, one member that is off is seen, and what all share is not."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pytest
from numpy.typing import NDArray

from detectors import peer_state, peers
from detectors.kernel import JIT, as_state
from detectors.naive_peers import NaiveFleet
from detectors.peer_state import Params

START_NS = 1_760_000_000_000_000_000
MINUTE_NS = 60_000_000_000
QUICK = Params(warm_up_seconds=1200.0)
DAY = 1440 if JIT else 300
"""Rounds of a fleet's life; without the compiler a round takes its time."""
Floats = NDArray[np.float64]


class Life(NamedTuple):
    """What became of a fleet: all (rounds, members)."""

    score: Floats
    expected: Floats
    lower: Floats
    upper: Floats
    deviation: Floats
    shared: NDArray[np.bool_]
    state: bytes


class Fleet:
    """One group or more, of the same size, each row of `value` a round; not a number is a member that was not heard."""

    def __init__(self, members: int, groups: int = 1, params: Params = QUICK) -> None:
        self.members = np.zeros(members * groups, peer_state.MEMBER)
        self.members["group"] = np.repeat(np.arange(groups) + 1, members)
        self.groups = np.zeros(groups, peer_state.GROUP)
        self.out = np.zeros(members * groups, peer_state.OPINION)
        self.rounds = np.arange(groups), np.arange(groups + 1) * members, np.arange(members * groups)
        self.params, self.played = params, 0

    def live(self, value: Floats, cuts: int = 1, step_ns: int = MINUTE_NS) -> Life:
        """Play rounds; the samples of each come in `cuts` pieces."""
        told = []
        spare = np.empty(value.shape[1])
        clocks = np.full(len(self.members), step_ns * 1e-9), 0.0, np.zeros(len(self.groups), np.int64)
        for row in value:
            now_ns = START_NS + self.played * step_ns
            heard = np.flatnonzero(np.isfinite(row))
            for piece in np.array_split(heard, cuts):
                peers.gather(as_state(self.members), piece, np.full(len(piece), now_ns), row[piece])
            state = as_state(self.members), as_state(self.groups)
            peers.score_rounds(*state, self.rounds, clocks, now_ns, self.params, as_state(self.out), spare)
            assert set(clocks[2].tolist()) == {now_ns + int(0.9 * step_ns)}
            told.append(self.out.copy())
            self.played += 1
        life = np.stack(told)
        fields = (life[name] for name in ("score", "expected", "lower", "upper", "deviation"))
        return Life(*fields, life["shared"] > 0, self.members.tobytes() + self.groups.tobytes())


def pods(rounds: int, members: int = 40, seed: int = 1) -> Floats:
    """Latencies of pods of different weight, a tenth of noise each, on one wave."""
    rng = np.random.default_rng(seed)
    wave = 2.0 + np.sin(np.arange(rounds) / 1440 * 2.0 * np.pi)
    return 20.0 * wave[:, None] * np.exp(rng.normal(0.0, 0.2, members)) * np.exp(rng.normal(0.0, 0.1, (rounds, members)))


def hostile(rounds: int, seed: int) -> Floats:
    """Members that come, go, stand still, are zero, negative, huge or tiny."""
    rng = np.random.default_rng(seed)
    value = pods(rounds, 9, seed) - 15.0
    value[:, 0] = 0.0
    value[:, 1] = 7.0
    value[rng.random(value.shape) < 0.05] = np.nan
    value[rounds // 2 : rounds // 2 + 8, 2:5] = np.nan
    value[rounds // 3 :: 50, 5] = 9.9e14
    value[rounds // 3 :: 60, 6] = 1e-29
    value[rounds * 2 // 3 :, 7] *= 5.0
    value[rounds // 4 : rounds // 4 + 3, 3:] = np.nan
    return value


@pytest.mark.parametrize("seed", range(3))
def test_kernel_and_oracle_agree(seed: int) -> None:
    value = hostile(DAY, seed)
    life = Fleet(9).live(value)
    oracle = NaiveFleet(QUICK)
    opinions = 0
    for i, row in enumerate(value.tolist()):
        said = oracle.round(START_NS / 1e9 + i * 60.0, {m: x for m, x in enumerate(row) if x == x})  # noqa: PLR0124
        assert set(np.flatnonzero(np.isfinite(life.score[i])).tolist()) == set(said)
        for m, seen in said.items():
            ours = (life.score[i, m], life.expected[i, m], life.lower[i, m], life.upper[i, m], life.deviation[i, m])
            said_all = seen[:5] if life.score[i, m] >= 0.5 else (seen.score, *[np.nan] * 3, seen.deviation)
            np.testing.assert_allclose(ours, said_all, rtol=1e-4, atol=1e-6)
            assert bool(life.shared[i, m]) == seen.shared
        opinions += len(said)
    assert opinions > DAY


def test_one_slow_pod_of_forty_is_seen_within_five_rounds_and_nobody_else() -> None:
    value = pods(DAY)
    fault = DAY * 3 // 4
    value[fault : fault + 60, 7] *= 3.0
    life = Fleet(40).live(value)
    assert (life.score[fault + 2 : fault + 20, 7] >= 1.0).all()
    others = np.delete(life.score, 7, axis=1)
    assert not (others >= 1.0).any()
    assert not (life.score[:fault, 7] >= 1.0).any()
    assert not life.shared[fault : fault + 60].any()


def test_what_was_expected_is_the_median_of_the_others_and_the_usual_distance() -> None:
    value = pods(DAY)
    fault = DAY * 3 // 4
    usual = value[:, 7] / np.median(value, axis=1)
    value[fault:, 7] *= 4.0
    life = Fleet(40).live(value)
    expected = np.median(np.delete(value, 7, axis=1), axis=1)[fault + 2] * np.median(usual)
    at = fault + 2
    assert life.expected[at, 7] == pytest.approx(expected, rel=0.1)
    assert life.lower[at, 7] < life.expected[at, 7] < life.upper[at, 7] < value[at, 7]


@pytest.mark.parametrize("factor", [4.0, 0.25])
def test_a_wave_that_all_share_is_nothing(factor: float) -> None:
    value = pods(DAY)
    value[DAY * 3 // 4 :] *= factor
    assert not (Fleet(40).live(value).score >= 1.0).any()


def test_when_many_are_off_it_is_the_group() -> None:
    value = pods(DAY)
    fault = DAY * 3 // 4
    value[fault:, :12] *= 3.0
    life = Fleet(40).live(value)
    assert life.shared[fault + 5 : fault + 30].all()


def test_members_read_a_moment_earlier_than_the_others_are_no_outliers() -> None:
    """A jump of all that three of them show one round before the others."""
    value = pods(DAY)
    jump = DAY * 3 // 4
    value[jump + 1 :] *= 6.0
    value[jump, :3] *= 6.0
    assert not (Fleet(40).live(value).score >= 1.0).any()


def test_cold_newcomers_are_not_compared() -> None:
    value = pods(DAY)
    value[: DAY * 3 // 4, 30:] = np.nan
    cold = np.array([8.0, 6.0, 4.0, 3.0, 2.0, 1.5, 1.2, 1.1, 1.0])
    for member in range(30, 40):
        value[DAY * 3 // 4 : DAY * 3 // 4 + len(cold), member] *= cold
    life = Fleet(40).live(value)
    assert not (life.score >= 1.0).any()
    assert np.isfinite(life.score[-1]).all(), "in the end everybody is"


def test_a_nightly_job_on_one_host_is_off_on_its_first_nights_only() -> None:
    if not JIT:
        pytest.skip("six days of rounds take minutes without the compiler")
    value = pods(6 * 1440)
    for day in range(1, 6):
        value[day * 1440 + 360 : day * 1440 + 380, 7] *= 5.0
    off = (Fleet(40).live(value).score[:, 7] >= 1.0).reshape(6, 1440).any(axis=1)
    assert off[1]
    assert not off[3:].any()
    other_hour = value.copy()
    other_hour[5 * 1440 + 900 : 5 * 1440 + 920, 7] *= 5.0
    assert (Fleet(40).live(other_hour).score[5 * 1440 + 900 : 5 * 1440 + 920, 7] >= 1.0).any()


def test_fewer_than_five_say_nothing() -> None:
    life = Fleet(4).live(pods(200, 4))
    assert not np.isfinite(life.score).any()


def test_a_cut_changes_no_bit_and_groups_do_not_influence_each_other() -> None:
    one, two = pods(200, 7, 1), pods(200, 7, 2)
    alone = Fleet(7).live(one, cuts=3)
    whole, cut = Fleet(7, 2).live(np.hstack([one, two])), Fleet(7, 2).live(np.hstack([one, two]), cuts=4)
    assert whole.state == cut.state
    assert whole.score[:, :7].tobytes() == alone.score.tobytes()


def test_a_frozen_member_teaches_nothing_and_adopting_makes_it_usual() -> None:
    fleet = Fleet(40)
    value = pods(DAY)
    fault = DAY * 3 // 4
    value[fault:, 7] *= 3.0
    fleet.live(value[: fault + 5])
    fleet.members["frozen"][7] = 1
    before = fleet.members["offset"][7]
    life = fleet.live(value[fault + 5 : fault + 30])
    assert (life.score[:, 7] >= 1.0).all()
    assert fleet.members["offset"][7] == before
    peers.adopted(fleet.members[7])
    fleet.members["frozen"][7] = 0
    assert not (fleet.live(value[fault + 30 :]).score[:, 7] >= 1.0).any()


def test_the_state_stays_finite_and_small() -> None:
    fleet = Fleet(9)
    fleet.live(hostile(DAY, 4))
    for name in ("offset", "usual", "residual", "heat", "daily"):
        assert np.isfinite(fleet.members[name]).all()
    assert peer_state.MEMBER.itemsize <= 192


def test_groups_whose_members_come_often_have_their_rounds_together():
    fleet, spare = Fleet(4, groups=3), np.empty(4)
    step = np.repeat([10.0, 15.0, 60.0], 4)
    clocks = step, 30.0, np.zeros(3, np.int64)
    now_ns = START_NS - START_NS % 30_000_000_000 + 17_000_000_000
    state = as_state(fleet.members), as_state(fleet.groups)
    peers.score_rounds(*state, fleet.rounds, clocks, now_ns, fleet.params, as_state(fleet.out), spare)
    assert (clocks[2] - now_ns).tolist() == [13_000_000_000, 13_000_000_000, 54_000_000_000]
    due = np.zeros(3, np.int64)
    assert [peers.find_due(np.arange(3), clocks[2], now_ns + wait * 1_000_000_000, due) for wait in (12, 13, 53, 54)] == [
        0,
        2,
        2,
        3,
    ]
