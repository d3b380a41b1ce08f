"""Alarms, and each of their witnesses, give what the slow, obvious oracle gives."""

from __future__ import annotations

import numpy as np
import pytest
from metric_corpus import CORPUS
from numpy.typing import NDArray

from detectors import alarm, density, places, shapes
from detectors.contract import VALUE_MAX
from detectors.kernel import JIT, as_state
from detectors.naive_alarm import NaiveBins, naive_alarms, naive_news, naive_places, naive_shapes, naive_worst

Floats = NDArray[np.float64]
ROWS = 2000 if JIT else 300
"""Of each series at most; without the compiler a sample takes its time."""


def counts(seed: int = 11) -> Floats:
    """Few whole numbers: most samples are equal to others, and many are no news at all."""
    return np.random.default_rng(seed).poisson(0.5, ROWS).astype(np.float64)


def rounded(seed: int = 12) -> Floats:
    return np.round(np.random.default_rng(seed).normal(50.0, 5.0, ROWS))


def holes(seed: int = 13) -> Floats:
    """Rows without a value, one by one and in runs; a level that moves, and moves back."""
    rng = np.random.default_rng(seed)
    value = rng.normal(50.0, 5.0, ROWS)
    value[ROWS // 2 : ROWS // 2 + 60] += 40.0
    value[rng.random(ROWS) < 0.1] = np.nan
    value[ROWS // 3 : ROWS // 3 + 40] = np.nan
    return value


def heavy(seed: int = 14) -> Floats:
    """Excesses of all sizes around a stretch that stands still."""
    value = np.exp(np.random.default_rng(seed).normal(0.0, 1.5, ROWS))
    value[ROWS // 4 : ROWS // 2] = 0.0
    return value


def wakes(seed: int = 15) -> Floats:
    """Constant for longer than it takes to have an opinion, then not."""
    value = np.full(ROWS, 0.1)
    value[200:] += np.random.default_rng(seed).normal(0.0, 1.0, ROWS - 200)
    return value[:1000]


SERIES: dict[str, Floats] = {
    **{name: value[:ROWS] for name, (_, value) in CORPUS.items()},
    "counts": counts(),
    "rounded": rounded(),
    "holes": holes(),
    "heavy": heavy(),
    "wakes": wakes(),
    "short": rounded()[:149],
}


def usable(value: Floats) -> NDArray[np.bool_]:
    return np.abs(value) < VALUE_MAX


def times(rows: int, step_s: int) -> NDArray[np.int64]:
    return (1_400_000_000 + step_s * np.arange(rows)) * 10**9


@pytest.mark.parametrize("name", list(SERIES))
def test_alarms_and_oracle_agree(name: str) -> None:
    value = SERIES[name]
    ts_ns = times(len(value), 1800)
    used = usable(value)
    news = naive_news(ts_ns[used].tolist(), value[used].tolist())
    for quiet_samples in (100, 1):  # with one, all but each lesser second news is told
        params = alarm.Params(quiet_samples=quiet_samples)
        out = np.full(len(value), np.nan)
        alarm.alarms(as_state(np.zeros(1, alarm.STATE)), ts_ns, value, params, out)
        oracle = np.zeros(len(value))
        oracle[used] = naive_alarms(news, params)
        np.testing.assert_allclose(out, oracle, rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize("step_s", [7, 300, 5000, 86_400])
def test_places_and_oracle_agree(step_s: int) -> None:
    value = heavy()
    ts_ns = times(len(value), step_s) - 2_000_000_000 * 10**9  # before 1970 too
    state = as_state(np.zeros(1, places.STATE))
    row = state[0]
    told = []
    for at, x in zip(ts_ns.tolist(), value.tolist(), strict=True):
        hour = at // places.HOUR_NS % places.HOURS
        place = places.bin_of(row, x)
        parts = (places.EVER, places.QUARTERS + hour // places.QUARTER, hour)
        told.append([places.rareness(row, part, place) for part in parts])
        places.remember(row, hour, place)
    np.testing.assert_allclose(told, naive_places(ts_ns.tolist(), value.tolist()), rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("name", list(SERIES))
def test_density_and_oracle_agree(name: str) -> None:
    value = SERIES[name][usable(SERIES[name])].tolist()
    state = as_state(np.zeros(2, density.STATE))
    rare, far = NaiveBins(), NaiveBins()
    rarities = [density.rarity(state[0], x) for x in value]
    gaps = [density.gap(state[1], x) for x in value]
    np.testing.assert_allclose(rarities, [rare.rarity(x) for x in value], rtol=1e-6, atol=1e-9)
    np.testing.assert_allclose(gaps, [far.gap(x) for x in value], rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("name", list(SERIES))
def test_memory_of_shapes_and_oracle_agree(name: str) -> None:
    value = SERIES[name][usable(SERIES[name])]
    state = as_state(np.zeros(1, shapes.STATE))
    spans = np.maximum(np.maximum.accumulate(value) - np.minimum.accumulate(value), 1e-9)
    distances = [shapes.newness(state[0], span, x) for span, x in zip(spans.tolist(), value.tolist(), strict=True)]
    np.testing.assert_allclose(distances, naive_shapes(value.tolist()), rtol=1e-6, atol=1e-12)


@pytest.mark.parametrize("quiet_samples", [1, 7, 100])
def test_alarms_of_entities_and_oracle_agree(quiet_samples: int) -> None:
    rng = np.random.default_rng(quiet_samples)
    score = np.round(rng.exponential(0.3, 3000), 1)
    score[rng.random(3000) < 0.2] = np.nan
    score[500:700] = np.nan
    params, out = alarm.Params(quiet_samples=quiet_samples), np.empty(3000)
    alarm.worst(score, params, out)
    assert out.tolist() == naive_worst(score.tolist(), params)
