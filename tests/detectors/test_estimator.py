"""Our detectors in river's manner: the engine's scores, and score before learn."""

from __future__ import annotations

import doctest
import math
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from metric_corpus import CORPUS, START_NS, noise

from detectors import estimator
from detectors.contract import Tier
from detectors.estimator import SeriesDetector
from engine.config.tree import Detect
from engine.detect.bank import Bank
from engine.records import AnomalyKind

ROOT = Path(__file__).parent.parent.parent
SECONDS = (CORPUS["noise"][0] - START_NS) / 1e9


def test_its_example_is_true() -> None:
    found = doctest.testmod(estimator)
    assert (found.failed, found.attempted > 3) == (0, True)


def test_the_page_shows_what_its_example_prints(tmp_path: Path) -> None:
    page = (ROOT / "docs" / "estimators.md").read_text()
    code, output = re.search(r"```python\n(.*?)```.*?```text\n(.*?)```", page, re.DOTALL).groups()
    example = tmp_path / "example.py"
    example.write_text(code)
    done = subprocess.run([sys.executable, str(example)], cwd=ROOT, capture_output=True, text=True, timeout=120, check=False)
    assert done.stdout == output, done.stderr


@pytest.mark.parametrize("name", ["noise", "ramp", "two_valued", "hostile"])
def test_its_scores_are_those_of_the_engine(name: str) -> None:
    """To the bit, with kinds and onsets: samples one by one are a batch."""
    ts_ns, value = CORPUS[name]
    seconds = (ts_ns - START_NS) / 1e9
    bank = Bank(Detect())
    bank._reserve(1)
    rounded = np.array([round(t * 1e9) for t in seconds.tolist()], np.int64)
    scored = bank.score(np.zeros(len(value), np.int64), rounded, value)
    model = SeriesDetector()
    for i, (x, t) in enumerate(zip(value.tolist(), seconds.tolist(), strict=True)):
        explained = model.explain_one(x, t) if i % 50 == 0 else None
        score = model.score_learn_one(x, t)
        assert np.float64(score).tobytes() == scored.score[i].tobytes() or (math.isnan(score) and math.isnan(scored.score[i]))
        if explained is not None:
            assert explained.score == score or (math.isnan(score) and math.isnan(explained.score))
            assert explained.kind == Bank.KINDS[scored.kind[i]]
            assert explained.onset == pytest.approx(scored.onset_ts_ns[i] * 1e-9)


def test_scoring_changes_nothing() -> None:
    model = SeriesDetector()
    for x, t in zip(noise()[1][:200].tolist(), SECONDS.tolist(), strict=False):
        model.learn_one(x, t)
    before = model.to_bytes()
    assert model.score_one(500.0, 12_000.0) == model.score_one(500.0, 12_000.0) > 1.0
    assert model.to_bytes() == before


def test_score_then_learn_is_the_two_calls_in_that_order() -> None:
    one, two = SeriesDetector(), SeriesDetector()
    for x, t in zip(noise()[1][:200].tolist(), SECONDS.tolist(), strict=False):
        score = one.score_one(x, t)
        one.learn_one(x, t)
        assert np.float64(two.score_learn_one(x, t)).tobytes() == np.float64(score).tobytes()
    assert one.to_bytes() == two.to_bytes()


@pytest.mark.parametrize(("x", "t"), [(math.nan, 1e6), (math.inf, 1e6), (1e200, 1e6), (100.0, 0.0), (100.0, 11_940.0)])
def test_what_is_no_number_or_late_gets_no_opinion_and_teaches_nothing(x: float, t: float) -> None:
    model = SeriesDetector()
    for value, second in zip(noise()[1][:200].tolist(), SECONDS.tolist(), strict=False):
        model.learn_one(value, second)
    before = model.to_bytes()
    opinion = model.explain_one(x, t)
    assert math.isnan(opinion.score)
    assert (opinion.kind, opinion.factors) == (AnomalyKind.NONE, {})
    model.learn_one(x, t)
    assert model.to_bytes() == before


@pytest.mark.parametrize("t", [math.nan, math.inf, -math.inf, 1e12])
def test_a_time_that_is_none_is_refused(t: float) -> None:
    with pytest.raises(ValueError, match="no time"):
        SeriesDetector().score_one(1.0, t)


def test_it_goes_on_from_saved_bytes() -> None:
    one, two = SeriesDetector(Tier.LIGHT), SeriesDetector(Tier.LIGHT)
    for x, t in zip(noise()[1][:200].tolist(), SECONDS.tolist(), strict=False):
        one.learn_one(x, t)
    two.from_bytes(one.to_bytes())
    assert two.score_learn_one(130.0, 12_000.0) == one.score_learn_one(130.0, 12_000.0)
    with pytest.raises(ValueError, match="bytes"):
        SeriesDetector(Tier.STANDARD).from_bytes(one.to_bytes())


def test_until_it_is_warm_it_has_no_opinion() -> None:
    model = SeriesDetector(warm_up=600.0, samples_min=20)
    scores = [model.score_learn_one(float(minute * 7 % 5), minute * 60.0) for minute in range(40)]
    assert [math.isnan(score) for score in scores] == [True] * 20 + [False] * 20
