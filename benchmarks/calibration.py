"""Does a score of 1.0 keep its budget? False alerts a quiet series and month, on made-up months in which nothing happens.

Each series is scored as shipped. After half of it, runs of samples at 1.0 and above are counted: what stays up counts again after
fifteen samples. The budget is one a month. Then all series go through the detect stage as one topic: what its gates let through, the
alerts that people would see, is counted too.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from itertools import groupby
from operator import itemgetter
from typing import Final

import numpy as np
import orjson
from numpy.typing import NDArray

from benchmarks.made_up import Made, several
from benchmarks.report import machine
from benchmarks.told import alerts_of
from engine.config.tree import Detect, Format, Mapping, Source
from engine.detect.bank import Bank
from engine.records import Record, Series, Shard

AGAIN: Final = 15
"""Samples after which what is still up is told again."""
MONTH: Final = 30 * 86_400
SHARD: Final = Shard("quiet", 0)
SOURCE: Final = Source(
    name="quiet",
    topics=["quiet"],
    format=Format.JSON,
    mapping=Mapping(time="t", time_unit="s", records="r", name="n", values="v", labels="l"),
)
SHAPES: Final = ((60, 60), (300, 60))
"""(seconds between samples, days)."""


def false_alerts(made: Made) -> float:
    """False alerts a month in the second half of one series."""
    bank = Bank(Detect())
    bank.admit(0, Series(key=made.name.encode(), name=made.name, labels=(), entity=""))
    score = bank.score(np.zeros(len(made.ts), np.int64), made.ts * 1_000_000_000, made.value).score
    return alerts(score[len(score) // 2 :]) / months(made)


def months(made: Made) -> float:
    """How long the second half of a series is. Its last sample stands for a step too: one alert in a month is not more than one a month."""
    half = len(made.ts) // 2
    step = float(np.median(np.diff(made.ts)))
    return (float(made.ts[-1] - made.ts[half]) + step) / MONTH


def alerts(score: NDArray[np.float64]) -> int:
    """How often people are told: at the first sample at 1.0, and again while it stays there."""
    told, last = 0, -AGAIN
    for place in np.flatnonzero(score >= 1.0).tolist():
        if place - last >= AGAIN:
            told += 1
            last = place
    return told


def records(made: Sequence[Made]) -> Iterator[Record]:
    """A record for each time at which any series has a sample."""
    rows = sorted((int(ts), one.name, float(value)) for one in made for ts, value in zip(one.ts, one.value, strict=True))
    for offset, (ts, samples) in enumerate(groupby(rows, key=itemgetter(0))):
        parts = [{"t": ts, "n": name.split("-")[0], "v": value, "l": {"service": name}} for _, name, value in samples]
        yield Record(*SHARD, offset, ts * 10**9, None, orjson.dumps({"r": parts}))


def alerts_told(made: Sequence[Made]) -> NDArray[np.float64]:
    """Alerts a month of each series, in the second half, by the detect stage with its gates."""
    told = dict.fromkeys((one.name for one in made), 0)
    halves = {one.name: int(one.ts[len(one.ts) // 2]) for one in made}
    for alert in alerts_of(records(made), SHARD, SOURCE, Detect()):
        told[alert.entity] += alert.ts_ns // 10**9 >= halves[alert.entity]
    return np.array([told[one.name] / months(one) for one in made])


def shares(monthly: NDArray[np.float64]) -> dict[str, float]:
    """Of false alerts a month, one number for each series."""
    return {
        "share_over_budget": round(float((monthly > 1.0 + 1e-9).mean()), 3),
        "mean": round(float(monthly.mean()), 2),
        "median": round(float(np.median(monthly)), 2),
        "worst": round(float(monthly.max()), 1),
    }


def run(*, quick: bool, options: list[str]) -> dict[str, object]:
    """For each distance of samples, by scores and by alerts: the share of series-months over the budget, and how many there are in a month."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks calibration", description=__doc__)
    parser.add_argument("--series", type=int, default=48)
    parser.add_argument("--seed", type=int, default=20_000)
    about = parser.parse_args(options)
    figures: dict[str, object] = {}
    for step, days in SHAPES:
        made = several(8 if quick else about.series, step=step, days=days, seed=about.seed, quiet=True)
        scores = np.array([false_alerts(one) for one in made])
        figures[f"every {step} s"] = {
            "series": len(made),
            "scores at 1.0": shares(scores),
            "alerts": shares(alerts_told(made)),
        }
    return {**figures, "machine": machine()}
