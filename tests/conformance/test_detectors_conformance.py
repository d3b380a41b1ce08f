"""The laws that every detector in the registry keeps. A new detector is under them by being registered."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from metric_corpus import CORPUS, SECOND_NS, Run, constant, every, noise
from numpy.typing import NDArray

from detectors import clock
from detectors.contract import Detector, Tier
from detectors.registry import DETECTORS, of_tier

each_detector = pytest.mark.parametrize("detector", DETECTORS.values(), ids=list(DETECTORS))
each_series = pytest.mark.parametrize("series", CORPUS.values(), ids=list(CORPUS))


def floats_of(state: NDArray[np.void]) -> NDArray[np.float64]:
    """Every number of a state, one after the other."""
    parts = [np.asarray(state[name], np.float64).reshape(-1) for name in state.dtype.names or ()]
    return np.concatenate(parts)


@each_detector
@each_series
def test_a_cut_into_batches_changes_no_bit(detector: Detector, series: tuple[NDArray[np.int64], NDArray[np.float64]]) -> None:
    ts_ns, value = series
    whole, cut = Run(detector), Run(detector)
    at_once = whole.feed(ts_ns, value)
    edges = [0, 1, 2, 59, 60, 311, len(value)]
    parts = [cut.feed(ts_ns[a:b], value[a:b]) for a, b in pairwise(edges)]
    assert np.concatenate(parts).tobytes() == at_once.tobytes()
    assert cut.state.tobytes() == whole.state.tobytes()


@each_detector
def test_series_do_not_influence_each_other(detector: Detector) -> None:
    alone = Run(detector)
    ts_ns, value = noise(500, seed=8)
    expected = alone.feed(ts_ns, value)
    together = Run(detector, rows=3)
    other_ts, other = CORPUS["hostile"]
    mixed_ts = np.stack([other_ts[:500], ts_ns, other_ts[:500]], axis=1).reshape(-1)
    mixed = np.stack([other[:500], value, -other[:500]], axis=1).reshape(-1)
    verdicts = together.feed(mixed_ts, mixed, np.tile([0, 1, 2], 500))
    assert verdicts[1::3].tobytes() == expected.tobytes()
    assert together.state[1].tobytes() == alone.state[0].tobytes()


@each_detector
@each_series
def test_states_and_decades_stay_finite(detector: Detector, series: tuple[NDArray[np.int64], NDArray[np.float64]]) -> None:
    run = Run(detector)
    verdict = run.feed(*series)
    numbers = floats_of(run.state)
    assert np.isfinite(numbers).all()
    assert not ((numbers != 0) & (np.abs(numbers) < 1e-300)).any(), "denormals are 25 times slower"
    assert np.isfinite(verdict["decades"]).all()
    assert (verdict["decades"] >= 0).all()
    assert np.isin(verdict["direction"], (-1, 0, 1)).all()
    known = ~np.isnan(verdict["scale"])
    assert (verdict["scale"][known & (run.fed["read"] >= 0)] > 0).all()


@each_detector
@pytest.mark.parametrize("value", [0.0, 5.0, -1e14, 1e-12])
def test_a_constant_series_is_never_surprising(detector: Detector, value: float) -> None:
    assert Run(detector).feed(*constant(2000, value))["decades"].max() == 0.0


@each_detector
def test_a_sample_that_was_refused_leaves_the_state_alone(detector: Detector) -> None:
    run = Run(detector)
    ts_ns, value = noise(300)
    run.feed(ts_ns, value)
    before = run.state.tobytes()
    late = np.array([ts_ns[-1], ts_ns[0], ts_ns[-1] + 1, ts_ns[-1] + 2, ts_ns[-1] + 3])
    run.feed(late, np.array([1.0, 2.0, np.nan, np.inf, 1e200]))
    assert run.state.tobytes() == before


@each_detector
def test_learning_nothing_still_lets_the_present_pass(detector: Detector) -> None:
    """While a series is quarantined a return to normal must look normal, whatever happened in between."""
    run = Run(detector)
    ts_ns, value = noise(3000, seed=9)
    value[2000:2100] += 200.0
    run.feed(ts_ns[:2000], value[:2000])
    run.clock["shadow"] = -1
    verdict = run.feed(ts_ns[2000:], value[2000:])
    assert np.median(verdict["decades"][-300:]) < 1.0


@each_detector
def test_the_sampling_rate_may_change(detector: Detector) -> None:
    """The same noise, sampled each minute and then each second: an hour later it is usual again."""
    run = Run(detector)
    ts_ns, value = noise(3000, seed=10)
    run.feed(ts_ns, value)
    faster = every(1.0, 7200) + (ts_ns[-1] + SECOND_NS - every(1.0, 1)[0])
    verdict = run.feed(faster, np.random.default_rng(11).normal(100.0, 5.0, 7200))
    assert np.median(verdict["decades"][-3600:]) < 1.5


@each_detector
@pytest.mark.parametrize("hours", [2, -7])
def test_hours_and_weekdays_are_those_of_the_zone(detector: Detector, hours: int) -> None:
    """A detector sees the hour in civil time alone: another zone is the same as other times."""
    ts_ns, value = CORPUS["daily"]
    offset_ns = hours * 3600 * SECOND_NS
    zone = np.array([(-(2**63), offset_ns)], clock.SPAN)
    there, here = Run(detector, zone=zone), Run(detector)
    assert there.feed(ts_ns, value).tobytes() == here.feed(ts_ns + offset_ns, value).tobytes()


@each_detector
def test_a_copy_of_the_bytes_goes_on_alike(detector: Detector) -> None:
    one, other = Run(detector), Run(detector)
    ts_ns, value = CORPUS["daily"]
    one.feed(ts_ns[:400], value[:400])
    other.state = np.frombuffer(one.state.tobytes(), detector.state).copy()
    other.clock = one.clock.copy()
    assert one.feed(ts_ns[400:], value[400:]).tobytes() == other.feed(ts_ns[400:], value[400:]).tobytes()


@each_detector
def test_parameters_are_within_their_ranges(detector: Detector) -> None:
    hints = type(detector.params).__annotations__
    for name, chosen in zip(hints, detector.params, strict=True):
        assert isinstance(chosen, float), name
        assert chosen > 0, name


@each_detector
def test_an_entry_names_itself_and_its_source(detector: Detector) -> None:
    assert DETECTORS[detector.name] is detector
    assert detector.source
    assert detector.weight >= 0


@pytest.mark.parametrize(("tier", "bytes_max"), [(Tier.LIGHT, 256), (Tier.STANDARD, 2048), (Tier.FULL, 8192)])
def test_a_tier_keeps_to_its_bytes(tier: Tier, bytes_max: int) -> None:
    from detectors import calibration

    shared = clock.STATE.itemsize + calibration.STATE.itemsize
    assert shared + sum(d.state.itemsize for d in of_tier(tier)) <= bytes_max
