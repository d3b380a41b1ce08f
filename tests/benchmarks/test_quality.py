"""What the quality benchmark hands to the scorer are the scores of the tier that was asked for."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from metric_corpus import SECOND_NS, noise

from benchmarks import quality
from engine.config.tree import Detect
from engine.detect.bank import Bank
from engine.records import Series

SCORER = """
import argparse, csv, json, pathlib

parser = argparse.ArgumentParser()
for option in ("--data", "--scores", "--output"):
    parser.add_argument(option, type=pathlib.Path)
with open(parser.parse_args().scores / "a.csv") as stream:
    print(json.dumps([row["score"] for row in csv.DictReader(stream)]))
"""
"""A scorer that hands back what it was given."""


@pytest.mark.parametrize(("options", "tier"), [([], "standard"), (["--tier", "light"], "light")])
def test_scores_are_those_of_the_tier(options: list[str], tier: str, tmp_path: Path) -> None:
    ts_ns, value = noise(400, seed=31)
    seconds = ts_ns // SECOND_NS
    lines = [f"{t},{v!r}" for t, v in zip(seconds.tolist(), value.tolist(), strict=True)]
    (tmp_path / "a.csv").write_text("\n".join(["timestamp,value", *lines]))
    (tmp_path / "scorer.py").write_text(SCORER)
    figures = quality.run(quick=False, options=["--data", str(tmp_path), "--scorer", str(tmp_path / "scorer.py"), *options])
    bank = Bank(Detect(tier=tier))
    bank.admit(0, Series(key=b"", name="", labels=(), entity=""))
    score = bank.score(np.zeros(400, np.int64), seconds * SECOND_NS, value).score
    assert (figures["tier"], figures["rows"]) == (tier, 400)
    assert figures["judged"] == ["" if np.isnan(s) else f"{s:.9g}" for s in score.tolist()]


def test_an_unknown_tier_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        quality.run(quick=True, options=["--data", str(tmp_path), "--tier", "heavy"])
    assert "invalid choice: 'heavy'" in capsys.readouterr().err
