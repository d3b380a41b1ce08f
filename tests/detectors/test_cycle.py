"""Laws of the detector of periods: what it finds, what it must never find, and what a missed cycle does."""

from __future__ import annotations

import numpy as np
import pytest
from metric_corpus import Run, every
from numpy.typing import NDArray

from detectors import heirs
from detectors.kernel import JIT
from detectors.registry import DETECTORS
from engine.config.tree import Detect
from engine.detect.bank import Bank

pytestmark = pytest.mark.skipif(not JIT, reason="weeks of samples; the oracle's law runs without the compiler too")
CYCLE = DETECTORS["cycle"]
Floats = NDArray[np.float64]


def hours(days: float, step: float = 300.0) -> Floats:
    return np.arange(int(days * 86_400 / step)) * (step / 3600.0)


def noise(at: Floats, size: float = 1.0, seed: int = 1) -> Floats:
    return np.random.default_rng(seed).normal(0.0, size, len(at))


def wave(at: Floats, period: float) -> Floats:
    return 5.0 * np.sin(2.0 * np.pi * at / period)


def job(at: Floats, period: float) -> Floats:
    return 8.0 * (at / period % 1.0 < 0.15)


def persistent(at: Floats, tau: float, seed: int) -> Floats:
    """Noise that remembers `tau` hours."""
    share = float(np.exp(-(at[1] - at[0]) / tau))
    values = np.zeros(len(at))
    for i, push in enumerate(noise(at, 3.0 * np.sqrt(1.0 - share * share), seed)[1:]):
        values[i + 1] = share * values[i] + push
    return values


def believed(run: Run) -> tuple[float, float]:
    """Hours, and the trust in them."""
    row = run.state[0]
    return float(row["period"]) * int(row["bin_ns"]) / 3.6e12, float(row["trust"])


@pytest.mark.parametrize("shape", [wave, job])
@pytest.mark.parametrize("step", [60.0, 300.0])
@pytest.mark.parametrize(("period", "days"), [(2.5, 4), (7.0, 7), (11.0, 12), (25.0, 18)])
def test_a_period_is_found_within_two_percent(shape, step, period, days):
    at = hours(days, step)
    run = Run(CYCLE)
    run.feed(every(step, len(at)), 100.0 + shape(at, period) + noise(at))
    assert believed(run) == (pytest.approx(period, rel=0.02), 1.0)


def test_samples_of_each_second_and_of_each_minute_teach_the_same():
    found = []
    for step in (1.0, 60.0):
        at, run = hours(2.0, step), Run(CYCLE)
        run.feed(every(step, len(at)), 100.0 + wave(at, 2.5) + noise(at))
        found.append(believed(run))
    assert found[0] == (pytest.approx(found[1][0], rel=0.01), found[1][1])
    assert found[0][1] == 1.0


STRAY = {
    "white": lambda at, seed: noise(at, 1.0, seed),
    "persistent for an hour": lambda at, seed: persistent(at, 1.0, seed),
    "persistent for six hours": lambda at, seed: persistent(at, 6.0, seed),
    "walk": lambda at, seed: np.cumsum(noise(at, 0.1, seed)),
    "rare jobs": lambda at, seed: 20.0 * (np.convolve(noise(at, 1.0, seed) > 2.7, np.ones(12))[: len(at)] > 0),
}


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("values", STRAY.values(), ids=list(STRAY))
def test_what_has_no_period_is_never_believed_to_have_one(values, seed):
    at = hours(60)
    verdict = Run(CYCLE).feed(every(300.0, len(at)), 100.0 + values(at, seed))
    assert np.isnan(verdict["expected"]).all()


def test_the_day_that_the_season_explains_is_not_learned_twice():
    """Nothing but the factor's column is added: scores in `full` are those of `standard` to the bit."""
    at = hours(40)
    values = 100.0 + 2.0 * wave(at, 24.0) + noise(at)
    scores = []
    for tier in ("standard", "full"):
        bank = Bank(Detect(tier=tier, series_max=1))
        bank._reserve(1)
        scores.append(bank.score(np.zeros(len(at), np.int64), every(300.0, len(at)), values).score)
    assert scores[0].tobytes() == scores[1].tobytes()


def missed(at: Floats, period: float, cycles: range) -> Floats:
    """Jobs, but for those of some cycles."""
    return 100.0 + noise(at) + job(at, period) * ~np.isin(at // period, cycles)


def surprised(run: Run, at: Floats, values: Floats, decades: float = 2.0) -> set[int]:
    """The cycles of seven hours in which something was a surprise."""
    verdict = run.feed(every(300.0, len(at)), values)
    return set((at[verdict["decades"] > decades] // 7.0).astype(int).tolist())


def test_a_missed_cycle_surprises_once_and_leaves_no_echo():
    at = hours(28)
    assert surprised(Run(CYCLE), at, missed(at, 7.0, range(70, 71))) == {70}


def test_a_cycle_that_comes_at_the_wrong_time_surprises():
    at = hours(21)
    values = missed(at, 7.0, range(60, 61))
    values[(at >= 423.0) & (at < 424.0)] += 8.0
    run = Run(CYCLE)
    verdict = run.feed(every(300.0, len(at)), values)
    beyond = verdict["decades"] > 2.0
    assert set(verdict["direction"][beyond & (at < 422.0)].tolist()) == {-1}
    assert set(verdict["direction"][beyond & (at >= 422.0)].tolist()) == {1}


def test_a_job_that_may_come_a_bin_late_is_no_news():
    at = hours(28)
    values = 100.0 + noise(at)
    rng = np.random.default_rng(3)
    for cycle in range(96):
        start = cycle * 7.0 + rng.integers(0, 2) / 12.0
        values[(at >= start - 1e-6) & (at < start + 1.0)] += 8.0
    assert surprised(Run(CYCLE), at, values, 3.0) == set()


def test_a_cycle_that_stops_is_a_surprise_once_and_is_unlearned():
    at = hours(35)
    run = Run(CYCLE)
    assert surprised(run, at, missed(at, 7.0, range(70, 200))) == {70}
    assert believed(run) == (0.0, 0.0)


def test_a_gap_longer_than_the_ring_forgets_it():
    at = hours(7)
    run = Run(CYCLE)
    ts_ns = every(300.0, len(at))
    run.feed(ts_ns, missed(at, 7.0, range(0)))
    assert believed(run)[1] == 1.0
    run.feed(ts_ns[:1] + 14 * 86_400 * 10**9, np.array([100.0]))
    assert believed(run) == (0.0, 0.0)
    assert not run.state["ring"].any()


def test_quarantine_keeps_the_belief_and_lets_the_ring_go_on():
    at = hours(14)
    run = Run(CYCLE)
    ts_ns, values = every(300.0, len(at)), missed(at, 7.0, range(40, 100))
    run.feed(ts_ns[:3360], values[:3360])
    before = run.state[0].copy()
    run.clock["shadow"] = -1
    run.feed(ts_ns[3360:], values[3360:])
    after = run.state[0]
    kept = ("period", "trust", "centre", "spread", "scale", "proven")
    assert [after[name] for name in kept] == [before[name] for name in kept]
    assert (after["ring"] != before["ring"]).sum() > 500


def test_what_came_in_quarantine_is_seen_from_the_level_that_was_adopted():
    """Four hours at 40 more: the ring around the new centre shows no step."""
    at = hours(10)
    ts_ns, values = every(300.0, len(at)), missed(at, 7.0, range(0))
    values[-48:] += 40.0
    run = Run(CYCLE, rows=2)
    run.feed(ts_ns[:-48], values[:-48])
    run.state[1] = run.state[0]
    run.clock["shadow"][0] = 2
    run.feed(ts_ns[-48:], values[-48:])
    row, before = run.state[1], run.state[0]
    assert CYCLE.adopted is not None
    CYCLE.adopted(row, before, float(before["centre"]) + 40.0)
    assert abs(row["ring"] * row["unit"]).max() < 12.0
    assert row["centre"] == before["centre"] + 40.0


def test_a_period_is_not_inherited():
    donor, heir = np.zeros(2, CYCLE.state)
    donor["period"], donor["trust"] = 84.0, 1.0
    before = heir.tobytes()
    heirs.inherit("cycle", heir, donor, 5.0, 1.0)
    assert heir.tobytes() == before
