"""Samples a second of the detectors: by number of series and order, beside the memory's own limit and beside river.

One thread, and its own time, so that neighbours on the machine disturb less. River scores one series sample by sample, as its interface
asks; the bank gets batches as the daemon does. Two jobs are compared: *how far from usual*, where river's quick scorers stand against our
clock and level kernels, and *how anomalous all in all*, where its trees stand against the whole default set.
"""

from __future__ import annotations

import argparse
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.cost_curve import curve, small_batches, stream_gb_per_second
from benchmarks.report import machine, spread
from benchmarks.warm import LEARNED, START_NS, STEP_NS, Samples, samples
from detectors import assembly, calibration, chain, clock
from detectors.contract import FEED, VERDICT, Tier
from detectors.kernel import bound
from detectors.registry import of_tier
from engine.config.tree import Detect
from engine.detect.bank import Bank

SEED = 1
SERIES = 1_000
"""For kernels one by one: their states stay in the nearest caches."""
PART = 4 * chain.CHUNK
"""Samples a call of one kernel: a call and the clock cost a microsecond, which the kernels of a chain do not pay."""
PARAMS = calibration.Params()
TIERS = {"light": 256, "standard": 2048, "full": 8192}
"""Bytes a series that a tier may take."""


def run(*, quick: bool, options: list[str]) -> dict[str, object]:
    """All figures. Options: --series N,N,… and --tier for the curve."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks kernels", description=__doc__)
    parser.add_argument("--series", default="1000,10000" if quick else "1000,10000,100000,1000000")
    parser.add_argument("--tier", choices=("light", "standard", "full"), default="standard")
    about = parser.parse_args(options)
    rounds = 1 if quick else 5
    sizes = tuple(int(size) for size in about.series.split(","))
    kernels = _kernels(rounds)
    rivals = {name: spread(_river(build, 2_000 if quick else 10_000) for _ in range(rounds)) for name, build in _rivals().items()}
    costs = curve(sizes, rounds, SEED, about.tier)
    whole = max(float(row["samples_per_second"]) for row in costs if row["order"] == "scrape")  # type: ignore[arg-type]
    level = 1e9 / (kernels["clock"] + kernels["level"])
    return {
        "curve": costs,
        "memory_stream_gb_per_second": stream_gb_per_second(),
        "kernel_ns_per_sample": {name: round(ns, 1) for name, ns in kernels.items()},
        "microseconds_a_call_by_samples": small_batches((1, 10, 50, 500), 200 if quick else 2_000, SEED),
        "river_samples_per_second": rivals,
        "ratio_how_far_from_usual": {
            name: round(level / rate["median"], 1) for name, rate in rivals.items() if "Trees" not in name
        },
        "ratio_all_in_all": {name: round(whole / rate["median"], 1) for name, rate in rivals.items()},
        "bytes_per_series": {tier: [Bank(Detect(tier=tier)).bytes_per_series, most] for tier, most in TIERS.items()},  # type: ignore[arg-type]
        "first_score_seconds": _first_score(1 if quick else 3),
        "rounds": rounds,
        "seed": SEED,
        "machine": machine(),
    }


def _kernels(rounds: int) -> dict[str, float]:
    """Nanoseconds a sample of each kernel of the default tier by itself, over warm states of a thousand series."""
    warm = samples(SERIES, LEARNED, start_ns=START_NS, order="scrape", seed=SEED)
    load = samples(SERIES, 100, start_ns=START_NS + LEARNED * STEP_NS, order="scrape", seed=SEED + 1)
    taken: dict[str, list[float]] = {}
    for _ in range(rounds):
        rows = np.zeros(SERIES, assembly.row_type(of_tier(Tier.STANDARD)))
        _alone(rows, warm)
        for name, seconds in _alone(rows, load).items():
            taken.setdefault(name, []).append(seconds / len(load.slot) * 1e9)
    return {name: median(values) for name, values in taken.items()}


def _alone(rows: NDArray[np.void], load: Samples) -> dict[str, float]:
    """Seconds of the clock, of each kernel and of the calibration for a load, one after the other on each part of it."""
    chosen = of_tier(Tier.STANDARD)
    models = chain.models_of(rows, tuple(chosen), assembly.table(chosen, assembly.words_of(chosen)), PARAMS, clock.UTC, far=False)
    feed, verdicts = np.zeros(PART, FEED), np.zeros((len(chosen), PART), VERDICT).T
    factors, result = np.zeros((PART, len(chosen))), np.zeros(PART, calibration.RESULT)
    ends = (models.ends, models.habits, feed, verdicts, models.table, PARAMS, factors, result)
    calls: dict[str, tuple[Callable[..., None], tuple[Any, ...]]] = {
        "clock": (bound(clock.read_clock, models.clocks, *load.part(0, 1), clock.UTC, feed), ())
    }
    for place, d in enumerate(chosen):
        part = (rows[d.name], feed, d.params, verdicts[:, place])
        calls[d.name] = bound(d.kernel, *part), part
    calls["calibration"] = bound(calibration.calibrate, *ends), ends
    taken = dict.fromkeys(calls, 0.0)
    for first in range(0, len(load.slot) - PART + 1, PART):
        calls["clock"] = calls["clock"][0], (models.clocks, *load.part(first, first + PART), clock.UTC, feed)
        began = time.thread_time()
        for name, (call, arguments) in calls.items():
            call(*arguments)
            began, ended = time.thread_time(), began
            taken[name] += began - ended
    return taken


def _rivals() -> dict[str, Callable[[], Any]]:
    from river import anomaly

    return {
        "river StandardAbsoluteDeviation": anomaly.StandardAbsoluteDeviation,
        "river GaussianScorer": partial(anomaly.GaussianScorer, window_size=100),
        "river HalfSpaceTrees": partial(anomaly.HalfSpaceTrees, seed=SEED),
    }


def _river(build: Callable[[], Any], count: int) -> float:
    """Samples a second: score, then learn, one by one. Trees take features, the other scorers a target."""
    scorer = build()
    values = np.random.default_rng(SEED).uniform(0, 1, count).tolist()
    calls = [({"value": value},) for value in values] if hasattr(scorer, "n_trees") else [(None, value) for value in values]
    began = time.thread_time()
    for call in calls:
        scorer.score_one(*call)
        scorer.learn_one(*call)
    return count / (time.thread_time() - began)


def _first_score(rounds: int) -> dict[str, dict[str, float]]:
    """Seconds of a whole process that scores a file of a thousand rows, its kernels compiled by an earlier one.

    By the clock, and of the processor alone: on a shared machine the first is the neighbours' as well.
    """
    with TemporaryDirectory() as folder:
        rows = "".join(f"{1_772_409_600 + 60 * n},{50 + n * 7919 % 11}\n" for n in range(1_000))
        (Path(folder) / "few.csv").write_text("timestamp,value\n" + rows)
        command = [sys.executable, "-m", "engine", "score", f"{folder}/few.csv", "--out", f"{folder}/out"]
        wall, processor = [], []
        for _ in range(rounds + 1):
            began, before = time.perf_counter(), resource.getrusage(resource.RUSAGE_CHILDREN)
            subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            after = resource.getrusage(resource.RUSAGE_CHILDREN)
            wall.append(time.perf_counter() - began)
            processor.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    return {"wall": spread(wall[1:]), "processor": spread(processor[1:])}
