"""Alerts into incidents: do those of one problem come together, beside the usual groupings in the same run?

    python -m benchmarks grouping [--data FOLDER]

FOLDER holds folders named `<density>-<number>` with `alerts.jsonl`, `truth.jsonl` (`id`, `incident`; null is a false alarm) and `topology.json`; figures
are means over a density. Without it, made-up streams. Pairwise F1: of pairs of alerts said to be of one incident, a pair with a false alarm being wrong; ARI and V-measure:
over alerts that are of an incident; `recovered`: incidents of two alerts or more of which one group holds three fifths and is so for three fifths;
`compression`: one less groups by alerts.
"""

from __future__ import annotations

import argparse
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Hashable, Iterable, Sequence
from functools import partial
from math import log
from pathlib import Path
from statistics import mean
from typing import NamedTuple

import numpy as np
import orjson

from benchmarks.report import machine
from benchmarks.rivals.group_by import GROUPERS
from engine.correlate.grouping import Grouper, Onset
from engine.correlate.topology import Topology, read_edges

WINDOW_SECONDS = 300.0
MOSTLY = 0.6
_NS = 1_000_000_000
Keys = Sequence[Hashable]


class Stream(NamedTuple):
    """Alerts in order of time, what each truly belongs to (None: nothing), and the calls between entities."""

    onsets: list[Onset]
    truth: list[str | None]
    topology: Topology


def run(*, quick: bool, options: list[str]) -> dict[str, object]:
    """Figures by density and method. `quick` takes one stream of each density."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks grouping", description=__doc__)
    parser.add_argument("--data", type=Path)
    about = parser.parse_args(options)
    streams: dict[str, list[Stream]] = defaultdict(list)
    for density, stream in read(about.data) if about.data else made_up(1 if quick else 4):
        if not quick or not streams[density]:
            streams[density].append(stream)
    return {
        "densities": {density: _compare(some) for density, some in streams.items()},
        "machine": machine(),
    }


def _compare(streams: Sequence[Stream]) -> dict[str, dict[str, float]]:
    methods: dict[str, Callable[[Stream], Keys]] = {"foreshock": foreshock}
    methods |= {name: partial(_rival, method) for name, method in GROUPERS.items()}
    figures = {}
    for name, method in methods.items():
        began = time.thread_time()
        told = [method(stream) for stream in streams]
        took = time.thread_time() - began
        rows = [judge(stream.truth, keys) for stream, keys in zip(streams, told, strict=True)]
        figures[name] = {key: round(mean(row[key] for row in rows), 3) for key in rows[0]}
        figures[name]["us an alert"] = round(1e6 * took / sum(len(s.onsets) for s in streams), 1)
    return figures


def _rival(method: Callable[[Sequence[Onset]], Keys], stream: Stream) -> Keys:
    return method(stream.onsets)


def foreshock(stream: Stream) -> Keys:
    """As `foreshock correlate` does it."""
    grouper = Grouper(stream.topology, WINDOW_SECONDS)
    groups = [grouper.place(onset, str(n)) for n, onset in enumerate(stream.onsets)]
    return [grouper.survivor(group) for group in groups]


# ------------------------------------------------------------------------------------------------------ figures
def judge(truth: Sequence[str | None], told: Keys) -> dict[str, float]:
    """All figures of one stream."""
    named: list[Hashable] = [name if name is not None else ("alone", n) for n, name in enumerate(truth)]
    both, true, said = _pairs(zip(named, told, strict=True)), _pairs(named), _pairs(told)
    precision, recall = both / max(1.0, said), both / max(1.0, true)
    members = [n for n, name in enumerate(truth) if name is not None]
    ours, theirs = [told[n] for n in members], [named[n] for n in members]
    return {
        "pair precision": precision,
        "pair recall": recall,
        "pair F1": _harmonic(precision, recall),
        "ARI": adjusted_rand(theirs, ours),
        "V-measure": v_measure(theirs, ours),
        "recovered": recovered(truth, told),
        "compression": 1.0 - len(set(told)) / max(1, len(told)),
    }


def _pairs(names: Iterable[Hashable]) -> float:
    return sum(count * (count - 1) / 2 for count in Counter(names).values())


def _harmonic(one: float, other: float) -> float:
    return 2.0 * one * other / max(one + other, 1e-9)


def adjusted_rand(true: Keys, said: Keys) -> float:
    """Agreement of two partitions on pairs, less what chance gives (Hubert and Arabie, 1985)."""
    both, of_true, of_said = _pairs(zip(true, said, strict=True)), _pairs(true), _pairs(said)
    expected = of_true * of_said / max(1.0, len(true) * (len(true) - 1) / 2)
    return (both - expected) / max((of_true + of_said) / 2 - expected, 1e-9)


def v_measure(true: Keys, said: Keys) -> float:
    """Harmonic mean of homogeneity and completeness (Rosenberg and Hirschberg, 2007)."""
    of_true, of_said, joint = _entropy(true), _entropy(said), _entropy(list(zip(true, said, strict=True)))
    homogeneity = 1.0 - (joint - of_said) / of_true if of_true > 0 else 1.0
    completeness = 1.0 - (joint - of_true) / of_said if of_said > 0 else 1.0
    return _harmonic(homogeneity, completeness)


def _entropy(names: Keys) -> float:
    return -sum(count / len(names) * log(count / len(names)) for count in Counter(names).values())


def recovered(truth: Sequence[str | None], told: Keys) -> float:
    """Share of true incidents that one group mostly holds and mostly is."""
    sizes = Counter(told)
    groups_of: dict[str, Counter[Hashable]] = defaultdict(Counter)
    for name, group in zip(truth, told, strict=True):
        if name is not None:
            groups_of[name][group] += 1
    found = []
    for groups in groups_of.values():
        group, hits = groups.most_common(1)[0]
        if groups.total() >= 2:
            found.append(hits >= MOSTLY * groups.total() and hits >= MOSTLY * sizes[group])
    return mean(found) if found else 0.0


# ------------------------------------------------------------------------------------------------------ streams
def read(folder: Path) -> Iterable[tuple[str, Stream]]:
    """The streams of a folder with their densities."""
    for path in sorted(folder.glob("*/alerts.jsonl")):
        alerts = [orjson.loads(line) for line in path.read_bytes().splitlines()]
        truth = {row["id"]: row["incident"] for row in map(orjson.loads, (path.parent / "truth.jsonl").read_bytes().splitlines())}
        graph = path.parent / "topology.json"
        topology = Topology(read_edges(graph) if graph.exists() else ())
        yield path.parent.name.rpartition("-")[0], Stream([_onset(a) for a in alerts], [truth[a["id"]] for a in alerts], topology)


def _onset(alert: dict[str, str | float]) -> Onset:
    return Onset(
        entity=str(alert["entity"]),
        ts_ns=int(float(alert["ts"]) * _NS),
        step_seconds=float(alert["step_seconds"]),
        domain=str(alert["system"]),
        series=str(alert["series"]),
        score=float(alert["score"]),
    )


_DENSITIES: dict[str, float] = {"sparse": 3_600.0, "medium": 900.0, "dense": 400.0}
"""Mean seconds between two incidents of one system."""
_HOURS = 12
_STEPS = (1.0, 15.0, 60.0, 300.0)
_METRICS = ("latency_p95", "latency_p50", "errors_total", "cpu_seconds", "memory_bytes")


def made_up(count: int) -> Iterable[tuple[str, Stream]]:
    """Streams of four systems with incidents that spread from a service to its callers, and lone false alarms."""
    for density, gap_seconds in _DENSITIES.items():
        for number in range(count):
            rng = np.random.default_rng([number, int(gap_seconds)])
            told: list[tuple[Onset, str | None]] = []
            edges: list[tuple[str, str]] = []
            for system, step in enumerate(_STEPS):
                edges += _system(rng, f"m{system}", step, gap_seconds, told)
            told.sort(key=lambda t: t[0].ts_ns)
            yield density, Stream([onset for onset, _ in told], [name for _, name in told], Topology(edges))


def _system(
    rng: np.random.Generator, system: str, step: float, gap_seconds: float, told: list[tuple[Onset, str | None]]
) -> list[tuple[str, str]]:
    """Add the alerts of one system to `told`; gives its calls."""
    names = [f"{system}/{k}" for k in range(14)]
    edges = [(names[int(rng.integers(max(0, k - 4), k))], names[k]) for k in range(1, len(names))]
    graph = Topology(edges)
    at, number = float(rng.exponential(gap_seconds)), 0
    while at < 3_600.0 * _HOURS:
        root = names[int(rng.integers(1, len(names)))]
        for entity, far in graph.upstream(root).items():
            for metric in _METRICS[: int(rng.integers(1, 6))] if rng.random() < 0.8 else ():
                late = rng.exponential(20.0 + 20.0 * far) + rng.uniform(0.0, step)
                told.append((_made(entity, metric, at + late, step, system), f"{system}#{number}"))
        at, number = at + float(rng.exponential(gap_seconds)), number + 1
    false = [(float(at), names[int(rng.integers(len(names)))]) for at in rng.uniform(0.0, 3_600.0 * _HOURS, 40)]
    told += [(_made(entity, "cpu_seconds", at, step, system), None) for at, entity in false]
    return edges


def _made(entity: str, metric: str, ts: float, step: float, system: str) -> Onset:
    return Onset(entity, int(ts * _NS), step, system, f"{entity}_{metric}")
