"""Fault cases with a known cause: those of a folder, and made-up ones of systems that nobody has seen.

A folder holds a folder for each system; in it a folder for each case with `case.json` (`at`, `root`, if known `root_kind` and
`entry`) and `metrics.csv.gz`, and a `topology.json` for the case or for all of them.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import orjson

from engine.correlate.derived import Floats, Table
from engine.correlate.families import Family, family_of
from engine.correlate.tablefile import read_table
from engine.correlate.topology import Topology, read_edges

STEP_SECONDS = 60.0
_ROWS = 150
_ONSET = 120
_START = 1_772_672_400.0
_KINDS: dict[str, Family] = {
    "cpu": Family.CPU,
    "mem": Family.MEMORY,
    "memory": Family.MEMORY,
    "disk": Family.DISK,
    "net": Family.NETWORK,
    "network": Family.NETWORK,
    "lat": Family.LATENCY,
    "err": Family.ERRORS,
}


@dataclass(frozen=True, slots=True)
class Case:
    """One fault. `kind` is the family of the metrics that show it, "" when the truth does not say; `entry` a column of the table or -1."""

    name: str
    table: Table
    at: float
    root: str
    kind: str
    topology: Topology
    entry: int = -1


def read_cases(folder: Path, most: int | None = None) -> list[Case]:
    """The cases of one system, by name."""
    return [_read_case(path.parent, folder) for path in sorted(folder.glob("*/case.json"))[:most]]


def _read_case(path: Path, folder: Path) -> Case:
    about = orjson.loads((path / "case.json").read_bytes())
    graph = next((f for f in (path / "topology.json", folder / "topology.json") if f.exists()), None)
    table = read_table(path / "metrics.csv.gz")
    kind = _KINDS.get(about.get("root_kind") or "", "")
    entry = _entry(table, about.get("entry"))
    return Case(path.name, table, float(about["at"]), about["root"], kind, Topology(read_edges(graph) if graph else ()), entry)


def _entry(table: Table, entry: list[str] | None) -> int:
    """The column of the violated signal: of the named entity the first whose family is the named kind's."""
    if not entry:
        return -1
    entity, kind = entry
    wanted = (Family.ERRORS, Family.AVAILABILITY) if kind == "err" else (_KINDS.get(kind, Family.LATENCY),)
    names = zip(table.entities, table.metrics, strict=True)
    return next((k for k, (e, m) in enumerate(names) if e == entity and family_of(m) in wanted), -1)


# ------------------------------------------------------------------------------------------------------ made up
_FAULTS: tuple[tuple[str, Family], ...] = (
    ("cpu", Family.CPU),
    ("memory", Family.MEMORY),
    ("disk", Family.DISK),
    ("delay", Family.LATENCY),
    ("errors", Family.ERRORS),
)
_NAMES: dict[str, tuple[str, ...]] = {
    "latency": ("latency_p95", "request_duration_seconds.p99", "response_time_ms", "rt_avg"),
    "errors": ("errors_total", "http_5xx", "failed_requests", "error_ratio"),
    "load": ("requests_total", "rps", "throughput", "http_hits"),
    "cpu": ("cpu_seconds", "container_cpu_usage_seconds_total", "cpu_percent", "process_cpu_time"),
    "memory": ("memory_bytes", "container_memory_rss", "heap_used", "mem_percent"),
    "disk": ("disk_io_time", "fs_writes_bytes", "volume_latency", "io_wait"),
    "network": ("network_retransmits", "net_rx_dropped", "tcp_segments", "packets_out"),
}
_QUIET = ("threads", "gc_runs", "cache_entries", "open_files")
_MISSING = 0.25
_BYSTANDERS = 0.5


def make_cases(seed: int, count: int, services: int = 12, extra: int = 0) -> list[Case]:
    """Faults of one made-up system: services that call each other, each with up to seven metrics and `extra` that mean nothing."""
    rng = np.random.default_rng([seed, 17])
    names = [f"s{seed}-{k}" for k in range(services)]
    edges = [(names[int(rng.integers(max(0, k - 4), k))], names[k]) for k in range(1, services)]
    edges += [(names[int(rng.integers(0, k))], names[k]) for k in range(2, services) if rng.random() < 0.4]
    spoken = {kind: words[int(rng.integers(len(words)))] for kind, words in _NAMES.items()}
    system = _System(names, sorted(set(edges)), spoken, extra)
    return [_make_case(rng, system, k) for k in range(count)]


def seen_by_users(case: Case, seed: int) -> Case:
    """The same with a place outside the call graph at which users' latency and errors are measured: what the first service shows, once more."""
    rng = np.random.default_rng([seed, 31])
    table, first = case.table, case.table.entities[0]
    felt = [
        k
        for k, (entity, metric) in enumerate(zip(table.entities, table.metrics, strict=True))
        if entity == first and family_of(metric) in (Family.LATENCY, Family.ERRORS)
    ]
    seen = table.values[:, felt] * rng.lognormal(0.0, 0.03, (len(table.times), len(felt)))
    entities = (*table.entities, *("users" for _ in felt))
    metrics = (*table.metrics, *(table.metrics[k] for k in felt))
    return replace(case, table=Table(table.times, entities, metrics, np.hstack((table.values, seen))))


@dataclass(frozen=True, slots=True)
class _System:
    names: list[str]
    edges: list[tuple[str, str]]
    spoken: dict[str, str]  # what it calls each of its metrics
    extra: int


def _make_case(rng: np.random.Generator, system: _System, number: int) -> Case:
    """A fault of one service and what its callers feel of it; in half of the cases something else happens to another one meanwhile."""
    fault, kind = _FAULTS[number % len(_FAULTS)]
    root, other = (int(k) for k in rng.choice(np.arange(1, len(system.names)), 2, replace=False))
    rise = np.clip((np.arange(_ROWS) - _ONSET + 1.0) / rng.choice([1.0, 4.0]), 0.0, 1.0)
    ramp = rise * rng.lognormal(-0.3, 0.7)
    load = np.exp(0.2 * np.sin(np.arange(_ROWS) / 40.0 + rng.random()) + 0.05 * rng.normal(size=_ROWS))
    felt = _felt(system, root, rng)
    columns: dict[tuple[str, str], Floats] = {}
    for k, name in enumerate(system.names):
        metrics = _service(rng, load, felt[k] * ramp, fault)
        if k == root and fault in metrics:
            metrics[fault] = metrics[fault] * (1.0 + rng.uniform(0.3, 1.5) * ramp)
        if k == other and rng.random() < _BYSTANDERS:
            metrics["cpu"] = metrics["cpu"] * (1.0 + 0.3 * rise)
        columns |= {(name, system.spoken[metric]): series for metric, series in metrics.items()}
        columns |= {(name, f"{_QUIET[n % 4]}_{n}"): _noise(rng, 50.0, 0.2) for n in range(system.extra)}
    times = np.asarray(_START + STEP_SECONDS * np.arange(_ROWS), np.float64)
    entities, metrics_of = zip(*columns, strict=True)
    table = Table(times, entities, metrics_of, np.asarray(np.round(np.column_stack(list(columns.values())), 6), np.float64))
    return Case(f"{fault}-{number}", table, float(times[_ONSET]), system.names[root], kind, Topology(system.edges), 0)


def _felt(system: _System, root: int, rng: np.random.Generator) -> Floats:
    """How much of the trouble each service shows: the root itself in full, those that need it the less, the farther they are."""
    steps = Topology(system.edges).upstream(system.names[root])
    return np.array([rng.uniform(0.4, 1.1) ** steps[name] if name in steps else 0.0 for name in system.names])


def _noise(rng: np.random.Generator, level: float, spread: float) -> Floats:
    """A series about its level that remembers its last values, as real ones do; now and then it has a spike or moves for good."""
    shocks = rng.normal(0.0, spread * rng.uniform(0.1, 1.0), _ROWS)
    series = np.zeros(_ROWS)
    memory = rng.uniform(0.0, 0.8)
    for k in range(1, _ROWS):
        series[k] = memory * series[k - 1] + shocks[k]
    series[rng.random(_ROWS) < 0.01] += 4.0 * spread
    if rng.random() < 0.1:
        series[int(rng.integers(_ROWS // 2, _ROWS)) :] += rng.normal(0.0, 2.0 * spread)
    return np.asarray(level * np.exp(series))


def _service(rng: np.random.Generator, load: Floats, felt: Floats, fault: str) -> dict[str, Floats]:
    """What one service measures: what it feels in latency or errors, and resources of which some are not measured."""
    busy = load ** rng.uniform(0.5, 1.2)
    fails = fault == "errors"
    metrics = {
        "latency": _noise(rng, 0.1, 0.1) * (1.0 + (0.1 if fails else 0.8) * felt),
        "errors": rng.poisson(0.4 + (4.0 if fails else 0.4) * felt).astype(float),
        "load": _noise(rng, 300.0, 0.05) * busy * (1.0 - 0.1 * np.clip(felt, 0.0, 3.0)),
        "cpu": _noise(rng, 0.4, 0.1) * busy,
        "memory": _noise(rng, 2e8, 0.03),
        "disk": _noise(rng, 0.02, 0.5),
        "network": rng.poisson(3.0, _ROWS).astype(float),
    }
    resources = ("memory", "disk", "network")
    return {name: series for name, series in metrics.items() if name not in resources or rng.random() >= _MISSING}
