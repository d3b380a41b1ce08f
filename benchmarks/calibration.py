"""Does a score of 1.0 keep its budget? False alerts a quiet series and month, on made-up months in which nothing happens.

Each series is scored as shipped. After half of it, runs of samples at 1.0 and above are counted: what stays up counts again after
fifteen samples. The budget is one a month.
"""

from __future__ import annotations

import argparse
from typing import Final

import numpy as np
from numpy.typing import NDArray

from benchmarks.made_up import Made, several
from benchmarks.report import machine
from engine.config.tree import Detect
from engine.detect.bank import Bank
from engine.records import Series

AGAIN: Final = 15
"""Samples after which what is still up is told again."""
MONTH: Final = 30 * 86_400
SHAPES: Final = ((60, 60), (300, 60))
"""(seconds between samples, days)."""


def false_alerts(made: Made) -> float:
    """False alerts a month in the second half of one series."""
    bank = Bank(Detect())
    bank.admit(0, Series(key=made.name.encode(), name=made.name, labels=(), entity=""))
    score = bank.score(np.zeros(len(made.ts), np.int64), made.ts * 1_000_000_000, made.value).score
    half = len(score) // 2
    seconds = float(made.ts[-1] - made.ts[half])
    return alerts(score[half:]) * MONTH / seconds


def alerts(score: NDArray[np.float64]) -> int:
    """How often people are told: at the first sample at 1.0, and again while it stays there."""
    told, last = 0, -AGAIN
    for place in np.flatnonzero(score >= 1.0).tolist():
        if place - last >= AGAIN:
            told += 1
            last = place
    return told


def run(*, quick: bool, options: list[str]) -> dict[str, object]:
    """For each distance of samples: the share of series-months over the budget, and the median and the worst of them."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks calibration", description=__doc__)
    parser.add_argument("--series", type=int, default=48)
    parser.add_argument("--seed", type=int, default=20_000)
    about = parser.parse_args(options)
    figures: dict[str, object] = {}
    for step, days in SHAPES:
        made = several(8 if quick else about.series, step=step, days=days, seed=about.seed, quiet=True)
        months = np.array([false_alerts(one) for one in made])
        figures[f"every {step} s"] = {
            "series": len(made),
            "share_over_budget": round(float((months > 1.0).mean()), 3),
            "median": round(float(np.median(months)), 2),
            "worst": round(float(months.max()), 1),
        }
    return {**figures, "machine": machine()}
