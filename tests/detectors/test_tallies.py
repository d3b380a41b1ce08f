"""Tallies: the kernel counts what the oracle counts, however the log is cut; counters begin, fall and appear as they do in life."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from detectors import tallies
from detectors.kernel import JIT, as_state
from detectors.naive_tallies import NaiveRole, NaiveSeries, NaiveTallies
from detectors.tallies import OPEN, ROLE, STATE, SUM

MINUTE = 60 * 10**9
EXAMPLES = 150 if JIT else 20
GROUPS = 3
KINDS = ([(0.0, 1.0), (1.0, 0.0)], [(1.0, 1.0)], [(-1.0, 0.0)])


class World:
    """Series with roles, for the kernel."""

    def __init__(self, series: list[NaiveSeries]) -> None:
        self.state = np.zeros(len(series), STATE)
        told = [role for one in series for role in one.roles]
        self.roles = np.zeros(max(len(told), 1), ROLE)
        for number, role in enumerate(told):
            limit = (0.0, 0) if role.at_most is None else (role.at_most, 1)
            self.roles[number] = (role.bad, role.total, *limit)
        at = 0
        for place, one in enumerate(series):
            row = self.state[place]
            row["is_counter"], row["is_young"], row["roles"] = one.is_counter, one.is_young, len(one.roles)
            for k, role in enumerate(one.roles):
                row["group"][k], row["role"][k] = role.group, at
                at += 1
        self.first = np.zeros(1, np.int64)
        self.sums = np.zeros((GROUPS, OPEN), SUM)

    def take(self, samples) -> None:
        place = np.array([place for place, _, _ in samples], np.int64)
        ts_ns = np.array([ts_ns for _, ts_ns, _ in samples], np.int64)
        raw = np.array([raw for _, _, raw in samples], np.float64)
        tallies.take(as_state(self.state), as_state(self.roles), place, ts_ns, raw, MINUTE, self.first, as_state(self.sums))


_role = st.one_of(
    st.builds(NaiveRole, st.integers(0, GROUPS - 1), st.sampled_from([-1.0, 0.0, 1.0]), st.sampled_from([0.0, 1.0])),
    st.builds(NaiveRole, st.integers(0, GROUPS - 1), at_most=st.sampled_from([0.5, 50.0])),
)
_series = st.builds(NaiveSeries, st.lists(_role, max_size=4), st.booleans(), st.booleans())
_sample = st.tuples(st.integers(0, 2), st.integers(-2, 40), st.sampled_from([0.0, 0.25, 7.0, 7.5, 90.0, 1e6]))


@settings(max_examples=EXAMPLES, deadline=None)
@given(st.lists(_series, min_size=3, max_size=3), st.lists(_sample, max_size=60), st.lists(st.integers(0, 60), max_size=3))
def test_sums_are_those_of_the_oracle_however_the_log_is_cut(series, told, cuts):
    samples = [(place, 1000 * MINUTE + half * MINUTE // 2, raw) for place, half, raw in told]
    world, naive = World(series), NaiveTallies(series, MINUTE)
    edges = [0, *sorted(min(cut, len(samples)) for cut in cuts), len(samples)]
    for a, b in pairwise(edges):
        world.take(samples[a:b])
    for sample in samples:
        naive.arrive(*sample)
    expected = np.zeros((GROUPS, OPEN), SUM)
    for (group, bucket), (bad, total) in naive.sums.items():
        expected[group, bucket % OPEN] = (bad, total, 1)
    np.testing.assert_array_equal(world.sums, expected)


def counted(*values, is_young=False):
    """What a lone counter adds, one value a second."""
    world = World([NaiveSeries([NaiveRole(0, 0.0, 1.0)], is_young=is_young)])
    world.take([(0, 1000 * MINUTE + at * 10**9, value) for at, value in enumerate(values, 1)])
    return float(world.sums["total"].sum())


def test_a_counter_counts_from_its_second_value_on_and_through_a_reset():
    assert counted(1000.0) == 0
    assert counted(1000.0, 1005.0) == 5
    assert counted(1000.0, 1005.0, 3.0) == 8


def test_the_first_error_of_a_kind_is_counted_and_an_old_counter_is_not():
    assert counted(1.0, is_young=True) == 1
    assert counted(1e6, is_young=True) == 0


def test_what_is_good_and_what_is_all_may_come_from_different_logs():
    whole = World([NaiveSeries([NaiveRole(0, 1.0, 1.0)]), NaiveSeries([NaiveRole(0, -1.0, 0.0)])])
    parts = [World([NaiveSeries([NaiveRole(0, 1.0, 1.0)])]), World([NaiveSeries([NaiveRole(0, -1.0, 0.0)])])]
    for at, (total, good) in enumerate([(0.0, 0.0), (100.0, 97.0), (250.0, 247.0)], 1):
        whole.take([(0, 1000 * MINUTE + at, total), (1, 1000 * MINUTE + at, good)])
        parts[0].take([(0, 1000 * MINUTE + at, total)])
        parts[1].take([(0, 1000 * MINUTE + at, good)])
    bad = [float(world.sums["bad"].sum()) for world in (whole, *parts)]
    assert bad == [3.0, 250.0, -247.0]


def test_a_sample_at_the_end_of_a_minute_belongs_to_it():
    world = World([NaiveSeries([NaiveRole(0, 0.0, 1.0)], is_counter=False)])
    world.take([(0, 1001 * MINUTE, 4.0), (0, 1001 * MINUTE + 1, 6.0)])
    assert world.sums["total"][0, 1000 % OPEN] == 4.0
    assert world.sums["total"][0, 1001 % OPEN] == 6.0
