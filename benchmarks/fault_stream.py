"""One system over days, with faults at known times: put together from recorded cases, or made up.

The made-up one has services that call each other on a few nodes: load with a shape of the day, and what follows from it or does not; counts of things that
stay the same for hours; and things that happen on any day and are nobody's business: single spikes, jobs on a node, levels that move for good. Faults come at
random times, an hour or two apart.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.fault_cases import read_cases
from benchmarks.made_up import CLASSES, make
from engine.correlate.families import Family
from engine.correlate.table import Floats
from engine.correlate.topology import Topology, read_edges

_FAULT_SECONDS = 300.0
_DAY = 86_400.0


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault: seconds from `at` to `until`."""

    at: float
    until: float
    root: str
    kind: str


@dataclass(frozen=True, slots=True)
class Stream:
    """Rows of one system. `values` has shape (times, columns), NaN where nothing was measured; times are seconds, ascending."""

    times: Floats
    columns: tuple[str, ...]  # `entity:metric`
    values: Floats
    edges: list[tuple[str, str]]
    faults: list[Fault]

    @property
    def days(self) -> float:
        return float(self.times[-1] - self.times[0]) / _DAY

    def until(self, seconds: float) -> Stream:
        """The same, cut off."""
        keep = self.times <= seconds
        return replace(
            self, times=self.times[keep], values=self.values[keep], faults=[f for f in self.faults if f.until <= seconds]
        )


def read_stream(folder: Path) -> Stream:
    """The stream that the cases of a folder were cut from. Raises ValueError when their columns differ or their times overlap."""
    cases = sorted(read_cases(folder), key=lambda case: case.at)
    columns = [tuple(f"{e}:{m}" for e, m in zip(c.table.entities, c.table.metrics, strict=True)) for c in cases]
    times = np.concatenate([case.table.times for case in cases])
    if len(set(columns)) != 1 or not (np.diff(times) > 0).all():
        raise ValueError(f"{folder}: the cases are not parts of one stream")
    graph = folder / "topology.json"
    return Stream(
        times,
        columns[0],
        np.vstack([case.table.values for case in cases]),
        read_edges(graph) if graph.exists() else [],
        [Fault(case.at, case.at + _FAULT_SECONDS, case.root, case.kind) for case in cases],
    )


# ------------------------------------------------------------------------------------------------------ made up
STEP_SECONDS = 60.0
START = 1_772_672_400.0
SERVICES = 40
NODES = 4
_FIRST_FAULT = 5_400.0
_APART = (3_000.0, 6_600.0)
_LONG = (300.0, 900.0)
_KINDS = (Family.CPU, Family.MEMORY, Family.LATENCY, Family.ERRORS)
_RISE = 3


def make_stream(seed: int, days: float) -> Stream:
    """The same for the same seed: `days` of 40 services with 15 series each and 4 nodes with 8."""
    rng = np.random.default_rng([seed, 29])
    rows = int(days * _DAY / STEP_SECONDS)
    times = np.asarray(START + STEP_SECONDS * np.arange(rows), np.float64)
    names = [f"t{seed}-{k}" for k in range(SERVICES)]
    edges = [(names[int(rng.integers(max(0, k - 6), k))], names[k]) for k in range(1, SERVICES)]
    edges += [(names[int(rng.integers(0, k))], names[k]) for k in range(2, SERVICES) if rng.random() < 0.3]
    edges = sorted(set(edges))
    faults = _faults(rng, times, names)
    columns: dict[str, Floats] = {}
    day = 1.0 + 0.4 * np.sin(2.0 * np.pi * (times / _DAY - 0.35)) + 0.03 * _wander(rng, rows, 0.9)
    felt = {name: _felt(name, faults, edges, times, rng) for name in names}
    for name in names:
        for metric, series in _service(rng, day, felt[name]).items():
            columns[f"{name}:{metric}"] = series
    for k in range(NODES):
        guests = names[k::NODES]
        for metric, series in _node(rng, [columns[f"{g}:container_cpu_usage_seconds_total"] for g in guests]).items():
            columns[f"node-{seed}-{k}:{metric}"] = series
    values = np.round(np.column_stack(list(columns.values())), 6)
    return Stream(times, tuple(columns), np.asarray(values, np.float64), edges, faults)


QUIET_SERVICES = 77
_QUIET_NAMES = (
    "requests_total",
    "orders",
    "net_bytes",
    "request_latency_p99",
    "error_count",
    "success_rate",
    "cpu_usage_percent",
    "batch_rows",
)
"""What the series of each of `made_up.CLASSES` is called."""


def make_quiet(seed: int, days: int) -> Stream:
    """The same for the same seed: 77 services that call each other as a tree, each with eight made-up KPIs, and nothing happens."""
    columns: dict[str, Floats] = {}
    for k in range(QUIET_SERVICES):
        for n, (kind, name) in enumerate(zip(CLASSES, _QUIET_NAMES, strict=True)):
            made = make(kind, seed + 1_000 * k + n, step=int(STEP_SECONDS), days=days, quiet=True)
            columns[f"q{k}:{name}"] = _at_each_minute(made.ts, made.value, days)
    edges = [(f"q{(k - 1) // 2}", f"q{k}") for k in range(1, QUIET_SERVICES)]
    times = make(CLASSES[0], seed, step=int(STEP_SECONDS), days=days, quiet=True).ts
    rows = np.asarray(times[0] + STEP_SECONDS * np.arange(_rows(days)), np.float64)
    return Stream(rows, tuple(columns), np.column_stack(list(columns.values())), edges, [])


def _rows(days: float) -> int:
    return int(days * _DAY / STEP_SECONDS)


def _at_each_minute(ts: NDArray[np.int64], values: Floats, days: int) -> Floats:
    """Samples in the rows of their minutes, NaN where there is none."""
    there = np.full(_rows(days), np.nan)
    place = np.rint((ts - ts[0]) / STEP_SECONDS).astype(int)
    fits = place < len(there)
    there[place[fits]] = values[fits]
    return there


def _faults(rng: np.random.Generator, times: Floats, names: list[str]) -> list[Fault]:
    faults: list[Fault] = []
    at = float(times[0]) + _FIRST_FAULT
    while at + _LONG[1] < times[-1]:
        kind = _KINDS[len(faults) % len(_KINDS)]
        faults.append(Fault(round(at), round(at + rng.uniform(*_LONG)), names[int(rng.integers(1, len(names)))], kind))
        at += rng.uniform(*_APART)
    return faults


def _felt(
    name: str, faults: list[Fault], edges: list[tuple[str, str]], times: Floats, rng: np.random.Generator
) -> dict[str, Floats]:
    """How much of each kind of trouble a service has in each row: its own in full, and what its callees' slowness and errors do to it."""
    felt: dict[str, Floats] = {str(kind): np.zeros(len(times)) for kind in _KINDS}
    graph = Topology(edges)
    for fault in faults:
        steps = graph.upstream(fault.root).get(name)
        if steps is None or (steps and fault.kind in (Family.CPU, Family.MEMORY)):
            continue
        share = rng.uniform(0.5, 1.0) ** steps * rng.uniform(0.6, 1.6)
        there = (times >= fault.at) & (times < fault.until)
        ramp = np.clip((times - fault.at) / STEP_SECONDS / rng.choice([1.0, float(_RISE)]), 0.0, 1.0)
        felt[fault.kind] += share * ramp * there
    return felt


def _wander(rng: np.random.Generator, rows: int, memory: float) -> Floats:
    """Noise of a usual size of one that remembers its last values."""
    shocks = rng.normal(0.0, np.sqrt(1.0 - memory * memory), rows)
    series = np.zeros(rows)
    for k in range(1, rows):
        series[k] = memory * series[k - 1] + shocks[k]
    return np.asarray(series)


def _noise(rng: np.random.Generator, rows: int, level: float, spread: float) -> Floats:
    """About its level; one row in a thousand spikes, and one series in thirty moves for good at some time."""
    series = spread * _wander(rng, rows, rng.uniform(0.0, 0.9))
    series[rng.random(rows) < 0.001] += 5.0 * spread
    if rng.random() < 1.0 / 30.0:
        series[int(rng.integers(rows)) :] += rng.choice([-1.0, 1.0]) * 5.0 * spread
    return np.asarray(level * np.exp(series))


def _things(rng: np.random.Generator, rows: int, usual: int) -> Floats:
    """A number of things: the same for hours, then one more or less; seldom a few more for some minutes."""
    moves = rng.choice([-1.0, 0.0, 1.0], rows, p=[0.002, 0.996, 0.002])
    series = usual + np.clip(np.cumsum(moves), -2.0, 2.0)
    for at in np.flatnonzero(rng.random(rows) < 0.0003):
        series[at : at + int(rng.integers(1, 20))] += float(rng.integers(1, 4))
    return np.asarray(np.maximum(series, 0.0))


def _service(rng: np.random.Generator, day: Floats, felt: dict[str, Floats]) -> dict[str, Floats]:
    rows = len(day)
    load = _noise(rng, rows, float(rng.lognormal(3.0, 1.0)), 0.08) * day
    cpu = _noise(rng, rows, float(rng.lognormal(-3.0, 1.0)), float(rng.uniform(0.02, 0.5))) * day**0.7
    memory = float(rng.lognormal(19.0, 1.0)) * (1.0 + 0.02 * _wander(rng, rows, 0.999))
    busy, full, slow, bad = (felt[kind] for kind in _KINDS)
    return {
        "requests": load * (1.0 - 0.05 * np.clip(slow, 0.0, 1.0)),
        "latency_p95": _noise(rng, rows, float(rng.lognormal(-3.0, 0.7)), 0.12) * (1.0 + 2.0 * slow + 0.3 * busy),
        "error_ratio": rng.poisson(0.3 + 6.0 * bad * (bad > 0), rows) / 200.0,
        "container_cpu_usage_seconds_total": cpu + 0.8 * busy,
        "container_cpu_system_seconds_total": 0.2 * cpu * np.exp(0.1 * rng.normal(size=rows)),
        "container_memory_working_set_bytes": memory + 4e8 * full,
        "container_memory_rss": 0.9 * memory + 4e8 * full,
        "container_memory_cache": _noise(rng, rows, 2e7, 0.02),
        "container_network_receive_bytes": _noise(rng, rows, 2e3, 0.1) * load,
        "container_network_transmit_bytes": _noise(rng, rows, 5e3, 0.1) * load,
        "container_fs_writes_bytes": _noise(rng, rows, 1e4, 0.8) * (rng.random(rows) < 0.3),
        "container_fs_usage_bytes": _noise(rng, rows, 1e8, 0.005),
        "container_processes": _things(rng, rows, int(rng.integers(1, 12))) + 3.0 * (busy > 0),
        "container_file_descriptors": _things(rng, rows, int(rng.integers(20, 200))) + 8.0 * (busy + full > 0),
        "container_threads": _things(rng, rows, int(rng.integers(5, 150))) + 5.0 * (busy > 0),
    }


def _node(rng: np.random.Generator, guests: list[Floats]) -> dict[str, Floats]:
    """Of a node: the sum of what its guests use, and a job now and then that reads and writes for some minutes."""
    used = np.sum(guests, axis=0)
    rows = len(used)
    job = np.zeros(rows)
    for at in np.flatnonzero(rng.random(rows) < 1.0 / 1_000.0):
        job[at : at + int(rng.integers(1, 6))] = rng.uniform(0.5, 3.0)
    return {
        "cpu_usage": 100.0 * (used + _noise(rng, rows, 0.2, 0.1) + 0.1 * job) / 16.0,
        "node_load1": _noise(rng, rows, 0.5, 0.3) + used + 0.5 * job,
        "node_memory_Dirty_bytes": _noise(rng, rows, 2e5, 0.5) * (1.0 + 20.0 * job),
        "node_disk_io_time": _noise(rng, rows, 0.01, 0.5) * (1.0 + 10.0 * job),
        "disk_write_latency": _noise(rng, rows, 0.5, 0.3) * (1.0 + 0.5 * job),
        "disk_usage": 40.0 + np.cumsum(np.abs(rng.normal(0.0, 1e-4, rows))),
        "node_procs_blocked": rng.poisson(0.01 + 0.5 * job).astype(float),
        "node_sockstat_TCP_orphan": rng.poisson(0.003, rows).astype(float),
    }
