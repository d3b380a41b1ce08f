"""Made-up production KPIs with known events: for figures where no labelled data may be shipped, and for months that are quiet by construction.

`python -m benchmarks made_up --out FOLDER [--quiet] [--series N] [--days D] [--seed S]` writes one CSV a series and `labels.json`, in the
layout that `foreshock score` and the scorers read. A series is what a service's dashboard shows: a day of a few harmonics with a
weekday factor, jobs at fixed minutes, noise that grows with the level, drifting from day to day; or a count of rare errors, a
success rate that hugs 100 %, a latency with a heavy tail, a wandering utilisation. Harmless surprises are not labelled.
"""

from __future__ import annotations

import argparse
import csv
import zlib
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np
import orjson
from numpy.typing import NDArray

Floats = NDArray[np.float64]
DAY: Final = 86_400
START: Final = 1_699_833_600  # a Monday, 00:00 UTC
CLASSES: Final = ("traffic", "traffic", "traffic", "latency", "errors", "success", "utilisation", "jobs")
WARM_SHARE: Final = 0.3
"""The part of a series that is not judged."""


class Event(NamedTuple):
    """Rows [start, stop) of one labelled event, and what happened there."""

    start: int
    stop: int
    kind: str


class Made(NamedTuple):
    """One series: `ts` in seconds and `value`, both (n,); the labelled events; rows that are not judged."""

    name: str
    ts: NDArray[np.int64]
    value: Floats
    events: list[Event]
    warm: int


def make(kind: str, seed: int, *, step: int, days: int, quiet: bool) -> Made:
    """One series of a class, from its seed alone."""
    rng = np.random.default_rng(zlib.crc32(f"{kind}/{seed}/{step}".encode()))
    ts = START + np.arange(0, days * DAY, step, dtype=np.int64)
    usual, noise = _SHAPES[kind](rng, ts, step)
    value = usual + noise
    events: list[Event] = []
    if not quiet:
        events = _events(rng, value, usual, noise, step)
    value = _bounded(kind, value)
    name = f"{kind}-{step}s-{seed:03d}"
    keep = np.ones(len(ts), np.bool_)
    if rng.random() < 0.3:  # lost rows
        keep = rng.random(len(ts)) > 0.002
        for begin in rng.integers(0, len(ts), 2):
            keep[begin : begin + int(rng.integers(2, 3600 // step + 3))] = False
    place = np.cumsum(keep, dtype=np.int64) - keep.astype(np.int64)
    events = [e for e in (Event(int(place[a]), int(place[min(b, len(ts) - 1)]), k) for a, b, k in events) if e.stop > e.start]
    return Made(name, ts[keep], np.round(value[keep], 4), events, int(WARM_SHARE * keep.sum()))


# ------------------------------------------------------------------------------------------------------ usual behaviour
def _day_shape(rng: np.random.Generator, ts: NDArray[np.int64]) -> Floats:
    """A day between 0.1 and 1.5 about a mean of 1, quieter or busier on weekends, each day a little different."""
    phase = (ts % DAY) / DAY * 2 * np.pi
    shape = np.ones(len(ts))
    peak = rng.uniform(0, 2 * np.pi)
    for harmonic, depth in (
        (1, rng.uniform(0.2, 0.7)),
        (2, rng.uniform(0, 0.25)),
        (3, rng.uniform(0, 0.12)),
        (5, rng.uniform(0, 0.06)),
    ):
        shape += depth * np.cos(harmonic * (phase - peak) + rng.uniform(-0.5, 0.5))
    shape = np.maximum(shape, 0.05)
    day = (ts - START) // DAY
    weekend = rng.choice([1.0, 1.0, rng.uniform(0.5, 0.95), rng.uniform(1.05, 1.3)])
    factor = 1 + 0.04 * rng.standard_normal(day[-1] + 2).cumsum() / 2 + rng.uniform(0, 0.05) * rng.standard_normal(day[-1] + 2)
    factor = np.clip(factor, 0.6, 1.6)
    middle = (ts - START) / DAY - 0.5
    smooth = np.interp(middle, np.arange(len(factor)), factor)
    week = np.where(day % 7 >= 5, weekend, 1.0)
    width = max(int(3 * 3600 / max(ts[1] - ts[0], 1)), 1)
    week = np.convolve(np.pad(week, width, mode="edge"), np.ones(2 * width + 1) / (2 * width + 1), "valid")
    return np.asarray(shape * smooth * week)


def _ar(rng: np.random.Generator, n: int, memory: float) -> Floats:
    """Unit-variance noise that remembers so many rows."""
    white = rng.standard_normal(n)
    if memory <= 0:
        return white
    keep = np.exp(-1.0 / memory)
    out = np.empty(n)
    last = white[0]
    for i, w in enumerate(white.tolist()):
        last = keep * last + np.sqrt(1 - keep * keep) * w
        out[i] = last
    return out


def _jobs(rng: np.random.Generator, ts: NDArray[np.int64], step: int, height: float) -> Floats:
    """Peaks at fixed times of the day or minutes of the hour, their heights and lengths varying."""
    out = np.zeros(len(ts))
    for _ in range(int(rng.integers(1, 4))):
        period = int(rng.choice([DAY, DAY, 3600, 6 * 3600]))
        at, length = int(rng.integers(0, period)), int(rng.integers(1, 6)) * max(step, 60)
        inside = ((ts - at) % period) < length
        turn = (ts - at) // period
        tall = rng.uniform(0.6, 1.4, int(turn.max() - turn.min()) + 1)
        out += inside * height * rng.uniform(0.4, 1.5) * tall[turn - turn.min()]
    return out


def _traffic(rng: np.random.Generator, ts: NDArray[np.int64], step: int) -> tuple[Floats, Floats]:
    level = 10 ** rng.uniform(0.5, 5)
    usual = level * _day_shape(rng, ts)
    if rng.random() < 0.35:
        usual += _jobs(rng, ts, step, 0.3 * level)
    relative = rng.uniform(0.01, 0.06)
    noise = relative * np.sqrt(usual * level) * (0.8 * rng.standard_normal(len(ts)) + 0.6 * _ar(rng, len(ts), rng.uniform(3, 60)))
    noise += np.sqrt(usual) * rng.standard_normal(len(ts)) * (level < 1000)
    return usual, noise


def _latency(rng: np.random.Generator, ts: NDArray[np.int64], step: int) -> tuple[Floats, Floats]:  # noqa: ARG001  # one form for all shapes
    level = 10 ** rng.uniform(0.5, 3)
    day = _day_shape(rng, ts)
    usual = level * (1 + rng.uniform(0, 0.3) * (day - 1))
    sigma = rng.uniform(0.03, 0.2)
    z = 0.7 * rng.standard_normal(len(ts)) + 0.7 * _ar(rng, len(ts), rng.uniform(2, 20))
    tail = (rng.random(len(ts)) < rng.uniform(0, 0.003)) * rng.exponential(3 * sigma, len(ts))
    return usual, usual * (np.exp(sigma * z + tail) - 1)


def _errors(rng: np.random.Generator, ts: NDArray[np.int64], step: int) -> tuple[Floats, Floats]:  # noqa: ARG001  # one form for all shapes
    rate = 10 ** rng.uniform(-1, 1.5)
    mean = rate * (0.5 + 0.5 * _day_shape(rng, ts)) * np.exp(0.2 * _ar(rng, len(ts), 30))
    return mean, rng.poisson(mean) - mean


def _success(rng: np.random.Generator, ts: NDArray[np.int64], step: int) -> tuple[Floats, Floats]:  # noqa: ARG001  # one form for all shapes
    usual = np.full(len(ts), 100 - 10 ** rng.uniform(-2, 0.3))
    requests = 10 ** rng.uniform(2, 4.5) * _day_shape(rng, ts)
    failed = rng.poisson(requests * (100 - usual) / 100 * np.exp(0.3 * _ar(rng, len(ts), 20)))
    return usual, 100 - 100 * failed / np.maximum(requests, 1) - usual


def _utilisation(rng: np.random.Generator, ts: NDArray[np.int64], step: int) -> tuple[Floats, Floats]:
    level = rng.uniform(15, 60)
    slow = 6 * _ar(rng, len(ts), rng.uniform(6, 24) * 3600 / step)
    usual = level + slow + rng.uniform(0, 10) * (_day_shape(rng, ts) - 1)
    if rng.random() < 0.5:
        usual += _jobs(rng, ts, step, 12)
    return usual, rng.uniform(0.3, 3) * (0.7 * rng.standard_normal(len(ts)) + 0.7 * _ar(rng, len(ts), rng.uniform(1, 15)))


def _with_jobs(rng: np.random.Generator, ts: NDArray[np.int64], step: int) -> tuple[Floats, Floats]:
    level = 10 ** rng.uniform(1, 4)
    usual = level * (0.4 + 0.2 * _day_shape(rng, ts)) + _jobs(rng, ts, step, level)
    return usual, 0.05 * level * (0.8 * rng.standard_normal(len(ts)) + 0.6 * _ar(rng, len(ts), 10))


_SHAPES: Final = {
    "traffic": _traffic,
    "latency": _latency,
    "errors": _errors,
    "success": _success,
    "utilisation": _utilisation,
    "jobs": _with_jobs,
}


def _bounded(kind: str, value: Floats) -> Floats:
    upper = 100.0 if kind in ("success", "utilisation") else np.inf
    bounded: Floats = np.clip(value, 0.0, upper)
    return np.round(bounded) if kind == "errors" else bounded


# ------------------------------------------------------------------------------------------------------ events
def _events(rng: np.random.Generator, value: Floats, usual: Floats, noise: Floats, step: int) -> list[Event]:
    """Change `value` in place. Sizes are 4 to 20 usual deviations, or a part of the level where that is larger."""
    n = len(value)
    days = n * step / DAY
    wanted = int(rng.poisson(days * rng.uniform(0.25, 0.9))) + 2
    events: list[Event] = []
    scale = float(np.median(np.abs(noise - np.median(noise)))) * 1.5 + 1e-3 * float(np.abs(usual).mean())
    for begin in np.sort(rng.integers(n // 20, n - 2, wanted)).tolist():
        if events and begin < events[-1].stop + 3600 // step + 5:
            continue
        kind = rng.choice(["spike", "spike", "dip", "dip", "shift", "ramp", "noise", "stop", "drop"])
        length = _length(rng, str(kind), step)
        stop = min(begin + length, n)
        size = scale * 10 ** rng.uniform(0.6, 1.3)
        _disturb(rng, value, usual, (begin, stop), str(kind), size)
        events.append(Event(begin, stop, str(kind)))
    return events


def _length(rng: np.random.Generator, kind: str, step: int) -> int:
    """Rows."""
    low, high = {
        "spike": (60, 900),
        "dip": (60, 1800),
        "shift": (1800, 21_600),
        "ramp": (3600, 14_400),
        "noise": (900, 7200),
    }.get(kind, (600, 7200))
    return max(int(np.exp(rng.uniform(np.log(low), np.log(high))) / step), 1)


def _disturb(rng: np.random.Generator, value: Floats, usual: Floats, rows: tuple[int, int], kind: str, size: float) -> None:
    a, b = rows
    n = b - a
    sign = 1.0 if rng.random() < 0.6 else -1.0
    match kind:
        case "spike":
            value[a:b] += size * rng.uniform(0.6, 1.2, n)
        case "dip":
            value[a:b] -= size * rng.uniform(0.6, 1.2, n)
        case "shift":
            value[a:b] += 0.6 * sign * size
        case "ramp":
            value[a:b] += sign * size * np.linspace(0.1, 1, n)
        case "noise":
            value[a:b] += 0.7 * size * rng.standard_normal(n)
        case "stop":
            value[a:b] = value[a] if rng.random() < 0.5 else 0.0
        case _:
            value[a:b] -= usual[a:b] * rng.uniform(0.2, 0.7)


# ------------------------------------------------------------------------------------------------------ writing
def several(count: int, *, step: int, days: int, seed: int, quiet: bool) -> list[Made]:
    """So many series, the classes in turn."""
    return [make(CLASSES[i % len(CLASSES)], seed + i, step=step, days=days, quiet=quiet) for i in range(count)]


def write(folder: Path, made: list[Made]) -> None:
    """One CSV a series, and `labels.json`: for each name its rows, the rows not judged, and the events as [start, stop)."""
    folder.mkdir(parents=True, exist_ok=True)
    labels = {}
    for one in made:
        with (folder / f"{one.name}.csv").open("w", newline="", encoding="utf-8") as target:
            rows = csv.writer(target)
            rows.writerow(("timestamp", "value"))
            rows.writerows(zip(one.ts.tolist(), one.value.tolist(), strict=True))
        labels[one.name] = {
            "rows": len(one.ts),
            "warm": one.warm,
            "events": [e[:2] for e in one.events],
            "kinds": [e.kind for e in one.events],
        }
    (folder / "labels.json").write_bytes(orjson.dumps(labels))


def run(*, quick: bool, options: list[str]) -> dict[str, object]:
    """Write them; returns what was written."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks made_up", description=__doc__)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--series", type=int, default=16)
    parser.add_argument("--days", type=int, default=28)
    parser.add_argument("--step", type=int, default=60)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--quiet", action="store_true", help="no events at all")
    about = parser.parse_args(options)
    made = several(4 if quick else about.series, step=about.step, days=about.days, seed=about.seed, quiet=about.quiet)
    write(about.out, made)
    return {"series": len(made), "rows": sum(len(m.ts) for m in made), "events": sum(len(m.events) for m in made)}
