"""Forecasts: how many values lie within their intervals, what is told falsely, and how soon a leak is.

Series are made up from a seed: noise, walks, waves of days and weeks, steps, sawteeth. With --data FOLDER the coverage of real series (CSV
files of `timestamp,value`) is measured too. Nothing is tuned on those.
"""

from __future__ import annotations

import argparse
import csv
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from benchmarks.report import machine
from detectors import exhaustion, forecast
from detectors.kernel import as_state
from engine.detect.ahead import Horizons, is_over, score_ends, score_trends
from engine.detect.forecasts import CALM, CONFIRM_END, CONFIRM_TREND

Floats = NDArray[np.float64]
START: Final = 1_760_054_400
STEP: Final = 120.0
HORIZONS: Final = {"1h": 6, "6h": 36, "24h": 144, "7d": 1008}
LEARNED_CELLS: Final = 7 * 144
PARAMS: Final = forecast.Params()
LIMITS: Final = Horizons(24.0, 96.0, 72.0)


class Trace(NamedTuple):
    """What was said at the end of each cell: forecasts (cells, horizons, 3) and outlooks, beside the cells' averages."""

    cell: NDArray[np.int64]
    average: Floats
    told: Floats
    outlook: NDArray[np.void]


def red(rng: np.random.Generator, rows: int, hours: float, size: float) -> Floats:
    """Noise that forgets in so many hours."""
    keep = float(np.exp(-STEP / 3600.0 / hours))
    out, x = np.empty(rows), 0.0
    for i, e in enumerate(rng.normal(0.0, size * np.sqrt(1.0 - keep * keep), rows).tolist()):
        x = keep * x + e
        out[i] = x
    return out


def wave(hour: Floats) -> Floats:
    return np.sin((hour - 8.0) / 24.0 * 2.0 * np.pi)


def office(hour: Floats) -> Floats:
    return np.where((hour % 24.0 >= 8.0) & (hour % 24.0 < 18.0), 1.0, -1.0)


def week(hour: Floats) -> Floats:
    return np.where(hour // 24.0 % 7.0 >= 5.0, 0.4, 1.0)


def steps(rng: np.random.Generator, hour: Floats) -> Floats:
    at = np.cumsum(rng.exponential(72.0, 100))
    heights = np.concatenate([[0.0], np.cumsum(rng.normal(0.0, 15.0, 100))])
    return np.asarray(heights[np.searchsorted(at, hour)])


Make = Callable[[np.random.Generator, Floats], Floats]
KINDS: Final[dict[str, Make]] = {
    "noise": lambda rng, h: 100.0 + rng.normal(0.0, 5.0, len(h)),
    "random walk": lambda rng, h: 100.0 + np.cumsum(rng.normal(0.0, 0.4, len(h))),
    "random walk, heavy tails": lambda rng, h: 100.0 + np.cumsum(0.3 * rng.standard_t(3, len(h))),
    "AR(1) of an hour": lambda rng, h: 100.0 + red(rng, len(h), 1.0, 5.0),
    "AR(1) of six hours": lambda rng, h: 100.0 + red(rng, len(h), 6.0, 5.0),
    "AR(1) of a day": lambda rng, h: 100.0 + red(rng, len(h), 24.0, 5.0),
    "daily wave": lambda rng, h: 100.0 + 30.0 * wave(h) + rng.normal(0.0, 4.0, len(h)),
    "daily wave that wanders": lambda rng, h: (
        100.0 + 30.0 * wave(h) * (1.0 + 0.1 * red(rng, len(h), 24.0, 1.0)) + red(rng, len(h), 2.0, 4.0)
    ),
    "office hours": lambda rng, h: 100.0 + 30.0 * office(h) + rng.normal(0.0, 4.0, len(h)),
    "weekly wave": lambda rng, h: (100.0 + 60.0 * wave(h)) * week(h) + rng.normal(0.0, 4.0, len(h)),
    "weekly office hours": lambda rng, h: (100.0 + 60.0 * office(h)) * week(h) + red(rng, len(h), 1.0, 4.0),
    "growth": lambda rng, h: 100.0 + 0.1 * h + rng.normal(0.0, 3.0, len(h)),
    "growth on a wave": lambda rng, h: 100.0 + 0.1 * h + 10.0 * wave(h) + red(rng, len(h), 2.0, 3.0),
    "sawtooth of a day": lambda rng, h: 40.0 + 1.5 * ((h + rng.uniform(0.0, 24.0)) % 24.0) + rng.normal(0.0, 0.5, len(h)),
    "sawtooth of five hours": lambda rng, h: 40.0 + 6.0 * ((h + rng.uniform(0.0, 5.0)) % 5.0) + rng.normal(0.0, 0.5, len(h)),
    "steps": lambda rng, h: 100.0 + steps(rng, h) + rng.normal(0.0, 2.0, len(h)),
}
LEAKING: Final = ("noise", "AR(1) of an hour", "AR(1) of six hours", "daily wave", "daily wave that wanders", "growth on a wave")


def hours(days: float) -> Floats:
    return np.asarray(np.arange(round(days * 86_400.0 / STEP)) * (STEP / 3600.0))


def trace(seconds: Floats, value: Floats, bound: float = np.nan) -> Trace:
    """Play one series, cell by cell."""
    cell = (seconds // 600.0).astype(np.int64)
    ends = np.flatnonzero(np.diff(cell)) + 1
    starts = np.concatenate([[0], ends])
    average = (np.add.reduceat(value, starts) / np.diff(np.append(starts, len(value))))[: len(ends)]
    state, closed, zero = as_state(np.zeros(1, forecast.STATE)), np.zeros(1, np.int8), np.zeros(len(value), np.int64)
    told, outlook = np.empty((len(ends), len(HORIZONS), 3)), np.zeros(len(ends), exhaustion.OUTLOOK)
    ts_ns = (seconds * 1e9).astype(np.int64)
    until, begun = (np.array([bound]), np.array([1.0])), 0
    for i, end in enumerate(ends.tolist()):
        part = slice(begun, end + 1)  # the first sample of the next cell closes this one
        forecast.learn_forecasts(state, zero[part], ts_ns[part], value[part], PARAMS, closed)
        begun = end + 1
        for k, cells in enumerate(HORIZONS.values()):
            forecast.forecast(state, zero[:1], cells, PARAMS, told[i, k : k + 1])
        exhaustion.judge(state, zero[:1], *until, PARAMS, as_state(outlook[i : i + 1]))
    return Trace(cell[ends - 1], average, told, outlook)


def covered(played: Trace) -> list[list[bool]]:
    """For each horizon, whether the average of each cell lay within what was said so long before; after a week."""
    place = {cell: i for i, cell in enumerate(played.cell.tolist())}
    found: list[list[bool]] = [[] for _ in HORIZONS]
    for i, cell in enumerate(played.cell.tolist()):
        for k, cells in enumerate(HORIZONS.values() if cell >= played.cell[0] + LEARNED_CELLS else ()):
            later = place.get(cell + cells)
            if later is not None:
                _, lower, upper = played.told[i, k]
                found[k].append(bool(lower <= played.average[later] <= upper))
    return found


def alerts(score: Floats, played: Trace, bound: float, confirm: int) -> Iterator[int]:
    """Places at which an alert would begin."""
    run = calm = 0
    told = False
    for i in range(len(score)):
        if played.outlook["held"][i]:
            continue
        if told:
            calm = calm + 1 if is_over(played.outlook[i], bound, 1.0, LIMITS) else 0
            told, run = calm < CALM, 0
            continue
        run = run + 1 if score[i] >= 1.0 else 0
        if run >= confirm:
            told, calm = True, 0
            yield i


def trends(played: Trace) -> list[int]:
    return list(alerts(score_trends(played.outlook, np.ones(len(played.cell)), LIMITS), played, np.nan, CONFIRM_TREND))


def quiet(seeds: int, days: float) -> dict[str, object]:
    """Coverage, and alerts a series and month, of each kind: without a bound, and with one a seventh of the range above the highest value."""
    figures: dict[str, object] = {}
    for name, make in KINDS.items():
        held: list[list[bool]] = [[] for _ in HORIZONS]
        unbounded = bounded = 0
        for seed in range(seeds):
            at = hours(days)
            value = make(np.random.default_rng([seed, 1]), at)
            played = trace(START + at * 3600.0, value)
            for k, some in enumerate(covered(played)):
                held[k] += some
            unbounded += len(trends(played))
            end = float(value.max() + np.ptp(value) / 7.0)
            near = trace(START + at * 3600.0, value, end)
            bounded += len(list(alerts(score_ends(near.outlook, LIMITS), near, end, CONFIRM_END)))
        months = seeds * days / 30.0
        figures[name] = {
            "coverage": {label: round(float(np.mean(some)), 3) for label, some in zip(HORIZONS, held, strict=True) if some},
            "trends_a_month": round(unbounded / months, 3),
            "ends_a_month": round(bounded / months, 3),
        }
    return figures


def leaks(seeds: int) -> dict[str, object]:
    """Of leaks that double the level in 12, 24 and 40 hours: the share that is told before they end, and after how many hours (median)."""
    figures: dict[str, object] = {}
    for name in LEAKING:
        for length in (12.0, 24.0, 40.0):
            delays = []
            for seed in range(seeds):
                at, start = hours(13.0), 245.0 + 5.0 * seed
                value = KINDS[name](np.random.default_rng([seed, 2]), at)
                value = value + float(np.mean(value)) * np.clip((at - start) / length, 0.0, 1.0)
                played = trace(START + at * 3600.0, value)
                hour = (played.cell * 600.0 - START) / 3600.0
                delays.append(next((hour[i] - start for i in trends(played) if hour[i] > start), np.inf))
            soon = [delay for delay in delays if delay < length]
            figures[f"{name}, {length:.0f} h"] = {
                "told": round(len(soon) / seeds, 2),
                "after_hours": round(float(np.median(soon)), 1) if soon else None,
            }
    return figures


def real(folder: Path) -> dict[str, object]:
    """Coverage over all files, cells pooled."""
    held: list[list[bool]] = [[] for _ in HORIZONS]
    files = 0
    for path in sorted(folder.rglob("*.csv")):
        with path.open() as lines:
            rows = list(csv.reader(lines))[1:]
        try:
            seconds = np.array([row[0] for row in rows], "datetime64[s]").astype(np.int64).astype(np.float64)
            value = np.array([float(row[1]) for row in rows])
        except (ValueError, IndexError):
            continue
        order = np.argsort(seconds, kind="stable")
        keep = np.isfinite(value[order])
        files += 1
        for k, some in enumerate(covered(trace(seconds[order][keep], value[order][keep]))):
            held[k] += some
    return {
        "files": files,
        "coverage": {label: round(float(np.mean(some)), 3) for label, some in zip(HORIZONS, held, strict=True) if some},
    }


def run(*, quick: bool, options: list[str]) -> dict[str, object]:
    """Coverage of nine-in-ten intervals, alerts a series and month on series without faults, delays of leaks; all with the shipped limits."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks forecasts", description=__doc__)
    parser.add_argument("--data", type=Path)
    about = parser.parse_args(options)
    figures: dict[str, Any] = {"quiet": quiet(2 if quick else 8, 14.0 if quick else 30.0), "leaks": leaks(2 if quick else 6)}
    if about.data is not None:
        figures["real"] = real(about.data)
    return {**figures, "machine": machine()}
