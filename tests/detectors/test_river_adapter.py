"""River's detectors behind our order: score first, then learn; nothing that is not finite; only what the table names."""

from __future__ import annotations

import inspect
from importlib import import_module

import numpy as np
import pytest

from detectors.river_adapter import GRACE, RiverDetector, RiverPart
from detectors.river_names import CLASSES, wrong_with

SCORERS = [name for name, about in CLASSES.items() if about.kind != "drift"]
DRIFTS = [name for name, about in CLASSES.items() if about.kind == "drift"]
QUICK = {
    "half_space_trees": {"seed": 1, "window_size": 50},
    "loda": {"seed": 1, "n_random_cuts": 20},
    "kswin": {"seed": 1},
    "page_hinkley": {"threshold": 5.0},
}


def usual(rows: int, seed: int = 1) -> np.ndarray:
    return np.random.default_rng(seed).uniform(0.3, 0.6, (rows, 1))


@pytest.mark.parametrize("name", [name for name in SCORERS if name != "one_class_svm"])
def test_it_scores_a_spike_higher_than_noise_and_skips_what_is_not_finite(name: str) -> None:
    value = usual(400)
    value[200] = np.nan
    value[399] = 0.999
    score = RiverDetector(name, **QUICK.get(name, {})).score(value)
    assert np.isnan(score[200])
    assert np.isfinite(np.delete(score, 200)).all()
    assert score[399] > np.median(np.delete(score, 200)[100:398])


@pytest.mark.parametrize("name", DRIFTS)
def test_it_tells_a_drift_and_hardly_anything_before(name: str) -> None:
    value = np.concatenate([usual(600), usual(200, seed=2) + 0.4])
    score = RiverDetector(name, **QUICK.get(name, {})).score(value)
    assert score[:600].sum() <= 1
    assert score[600:].sum() >= 1


@pytest.mark.parametrize("name", [name for name in CLASSES if name != "one_class_svm"])
def test_a_part_gives_decades(name: str) -> None:
    """None while it learns, a few in a thousand above three, and more at what is strange than at nearly all that is usual."""
    part = RiverPart(name, **QUICK.get(name, {}))
    value = usual(1000)
    decades = np.array([part.observe(row) for row in value.tolist()])
    assert (decades[:GRACE] == 0.0).all()
    assert (decades >= 0.0).all()
    assert (decades > 3.0).sum() <= 5
    strange = max(part.observe([0.97 + 0.03 * float(x)]) for x in usual(150, seed=3)[:, 0])
    assert strange > max(1.3, np.quantile(decades[400:], 0.98))
    assert part.observe([float("nan")]) == 0.0


@pytest.mark.parametrize("name", list(CLASSES))
def test_the_table_names_what_river_has(name: str) -> None:
    about = CLASSES[name]
    found = getattr(import_module(f"river.{about.module}"), about.name)
    assert set(about.params) <= set(inspect.signature(found).parameters)
    RiverDetector(name, **{key: allowed.least for key, allowed in about.params.items() if name != "kswin"})


@pytest.mark.parametrize(
    ("name", "params", "complaint"),
    [
        ("os.system", {}, "no river detector"),
        ("adwin", {"delta": 0.9}, "from 1e-09 to 0.5"),
        ("adwin", {"clock": 2.5}, "a whole number"),
        ("loda", {"command": 1}, "no parameter 'command'"),
        ("standard_absolute_deviation", {"sub_stat": 1}, "it has: none"),
        ("half_space_trees", {"n_trees": float("nan")}, "from 1 to 100"),
    ],
)
def test_only_what_is_listed_can_be_named(name, params, complaint) -> None:
    assert complaint in wrong_with(name, params)
    with pytest.raises(ValueError, match=complaint.split("'", maxsplit=1)[0]):
        RiverDetector(name, **params)
