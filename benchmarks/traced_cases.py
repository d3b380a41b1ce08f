"""Made-up faults of which metrics show little: systems of some sixty services whose logs and spans are columns of the table, too.

A service has its processor, memory and bytes; `log_<template>` counts its lines, `self_p90` is the time it spends itself, `latency_p90` with its callees, `calls` how
often it was asked; ways between services are measured at both ends of a call by the caller (`latency_client_<callee>`, `latency_server_<callee>`), as their
difference by the callee (`gap_<caller>`), or not at all. Where a template has no lines in a minute there is a zero or nothing. Requests are of a few kinds,
each of which goes down its own part of the call graph. Half an hour before the fault and three minutes of it are known.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from benchmarks.fault_cases import Case
from engine.correlate.derived import Floats, Table
from engine.correlate.families import Family
from engine.correlate.topology import Topology

STEP_SECONDS = 60.0
SIGNALS = ("metrics", "logs", "spans")
_START = 1_772_672_400.0
_BEFORE, _AFTER = 30, 3
_KINDS = 12
"""Kinds of requests."""
_CALLS_MOST = 3
_WAYS = ("pairs", "gaps", "")
_FAULTS: tuple[tuple[str, Family], ...] = (
    ("busy", Family.CPU),  # the processor has less time for it than it needs
    ("delay", Family.EDGE),  # the way to and from it is slow
    ("exception", Family.LOG),  # one kind of its requests fails with a message
    ("wrong", Family.LOG),  # one kind of its requests ends early and says nothing
)


@dataclass(frozen=True, slots=True)
class _System:
    names: list[str]
    callees: list[list[int]]
    trees: list[dict[int, list[int]]]  # for each kind of request, whom a service asks
    rates: Floats  # requests a minute of each kind
    work: Floats  # seconds that a service works for a request
    telling: Floats  # whether callers of a service log that it failed
    ways: str  # how ways between services are measured
    has_zeros: bool
    late: float  # the share of lines that come a minute later


def make_traced(seed: int, count: int, services: int = 60, signals: Sequence[str] = SIGNALS) -> list[Case]:
    """Faults of one made-up system. `signals` are kept of what is measured; the faults and all series are the same whichever are."""
    rng = np.random.default_rng([seed, 41])
    system = _make_system(rng, seed, services)
    edges = [(system.names[a], system.names[b]) for a, callees in enumerate(system.callees) for b in callees]
    return [_make_case(np.random.default_rng([seed, 43, k]), system, edges, k, signals) for k in range(count)]


def _make_system(rng: np.random.Generator, seed: int, services: int) -> _System:
    callees: list[list[int]] = [[] for _ in range(services)]
    for k in range(1, services):
        for caller in {int(rng.integers(max(0, k // 3 - 2), max(1, k // 2 + 1))) for _ in range(1 + int(rng.random() < 0.4))}:
            callees[caller].append(k)
    trees = []
    for _ in range(_KINDS):
        tree: dict[int, list[int]] = {}
        queue = [0]
        for service in queue:
            if service not in tree and len(tree) < services // 3:
                options = callees[service]
                most = min(len(options), _CALLS_MOST)
                tree[service] = [int(c) for c in rng.choice(options, most, replace=False)] if most else []
                queue += tree[service]
        trees.append({a: [b for b in below if b in tree] for a, below in tree.items()})
    names = [f"v{seed}-{k}" for k in range(services)]
    rates = rng.lognormal(3.0, 0.8, _KINDS)
    work, telling = rng.lognormal(-4.5, 0.8, services), (rng.random(services) < 0.7).astype(float)
    return _System(
        names, callees, trees, rates, work, telling, _WAYS[seed % len(_WAYS)], seed % 2 == 0, float(rng.uniform(0.0, 0.05))
    )


def _make_case(
    rng: np.random.Generator, system: _System, edges: list[tuple[str, str]], number: int, signals: Sequence[str]
) -> Case:
    fault, kind = _FAULTS[number % len(_FAULTS)]
    used = sorted({s for tree in system.trees for s in tree if s})
    root = int(rng.choice(used))
    columns = _Columns(rng, system, fault, root)
    columns.measure()
    kept = [(key, values) for key, values in columns.values.items() if columns.signal[key] in signals]
    times = np.asarray(_START + STEP_SECONDS * np.arange(_BEFORE + _AFTER), np.float64)
    at = float(times[_BEFORE]) - float(rng.uniform(0.0, STEP_SECONDS))
    values = np.asarray(np.round(np.column_stack([v for _, v in kept]), 6), np.float64)
    table = Table(times, tuple(key[0] for key, _ in kept), tuple(key[1] for key, _ in kept), values)
    return Case(f"{fault}-{number}", table, at, system.names[root], kind, Topology(edges), 0)


class _Columns:
    """All series of one case, by (entity, metric)."""

    def __init__(self, rng: np.random.Generator, system: _System, fault: str, root: int) -> None:
        self._rng = rng
        self._system = system
        self._fault = fault
        self._root = root
        self._rows = _BEFORE + _AFTER
        self._during = np.arange(self._rows) >= _BEFORE
        self._bad = int(rng.choice([k for k, tree in enumerate(system.trees) if root in tree]))
        self._worse = float(rng.uniform(0.4, 1.0))  # the share of these requests that it takes
        self.values: dict[tuple[str, str], Floats] = {}
        self.signal: dict[tuple[str, str], str] = {}

    def measure(self) -> None:
        """Let requests go through the system and count what each service shows of them."""
        services = len(self._system.names)
        asked = np.zeros((len(self._system.trees), services, self._rows))
        failed = np.zeros_like(asked)
        for kind, tree in enumerate(self._system.trees):
            load = self._rng.poisson(self._system.rates[kind] * (1.0 + 0.1 * np.sin(np.arange(self._rows) / 9.0 + kind)))
            self._send(asked, failed, kind, tree, load.astype(float))
        own = self._own_times()
        whole = self._whole_times(own)
        for service in range(services):
            if asked[:, service].any():
                self._service(service, asked[:, service], failed[:, service], own[service], whole[service])

    def _send(self, asked: Floats, failed: Floats, kind: int, tree: dict[int, list[int]], load: Floats) -> None:
        """What each service is asked, callers first; where the fault ends a request its callees are not asked and its callers fail."""
        asked[kind, 0] = load
        breaks = self._fault in ("exception", "wrong") and kind == self._bad
        for service, below in tree.items():
            share = 1.0 - self._worse * self._during * (breaks and service == self._root)
            for callee in below:
                asked[kind, callee] = np.maximum(asked[kind, callee], np.floor(asked[kind, service] * share))
        if not breaks:
            return
        failed[kind, self._root] = np.floor(asked[kind, self._root] * self._worse * self._during)
        for service in reversed(list(tree)):
            for callee in tree[service]:
                if self._fault == "exception" or callee != self._root:
                    handed_on = failed[kind, callee] * self._system.telling[service]
                    failed[kind, service] = np.minimum(asked[kind, service], np.maximum(failed[kind, service], handed_on))

    def _own_times(self) -> Floats:
        times = self._system.work[:, None] * np.exp(0.1 * self._rng.normal(size=(len(self._system.names), self._rows)))
        if self._fault == "busy":
            times[self._root] *= 1.0 + self._during * self._rng.uniform(0.8, 4.0)
        return np.asarray(times)

    def _whole_times(self, own: Floats) -> Floats:
        whole = own.copy()
        for service in reversed(range(len(own))):  # callees have higher numbers
            for callee in self._system.callees[service]:
                whole[service] += whole[callee] + self._way(service, callee)
        return whole

    def _way(self, caller: int, callee: int) -> Floats:
        slow = self._fault == "delay" and self._root in (caller, callee)
        return np.asarray(0.001 + 0.05 * slow * self._during)

    def _service(self, service: int, asked: Floats, failed: Floats, own: Floats, whole: Floats) -> None:
        name, rng = self._system.names[service], self._rng
        total = asked.sum(axis=0)
        busy = self._fault == "busy" and service == self._root
        cpu = (5.0 + total * self._system.work[service] * 30.0) * np.exp(0.25 * rng.normal(size=self._rows))
        self._put(name, "cpu", "metrics", cpu * (1.0 + 0.6 * busy * self._during * (rng.random() < 0.4)))
        self._put(name, "mem", "metrics", 300.0 * np.exp(0.02 * rng.normal(size=self._rows)))
        self._put(name, "netrx", "metrics", (50.0 + total * 4.0) * np.exp(0.15 * rng.normal(size=self._rows)))
        self._put(name, "nettx", "metrics", (50.0 + total * 6.0) * np.exp(0.15 * rng.normal(size=self._rows)))
        if service == 0:
            self._put(name, "success_rate", "metrics", 100.0 - 100.0 * failed.sum(axis=0) / np.maximum(total, 1.0))
            self._put(name, "latency_p99", "metrics", 3.0 * whole * np.exp(0.1 * rng.normal(size=self._rows)))
        self._put(name, "calls", "spans", total)
        there = np.where(total > 0, 1.0, np.nan)
        self._put(name, "self_p90", "spans", own * there * np.exp(0.05 * rng.normal(size=self._rows)))
        self._put(name, "latency_p90", "spans", whole * there * np.exp(0.05 * rng.normal(size=self._rows)))
        self._ways(service, there)
        self._log(service, asked, failed)

    def _ways(self, service: int, there: Floats) -> None:
        name, ways = self._system.names[service], self._system.ways
        for callee in self._system.callees[service] if ways else ():
            other, way = self._system.names[callee], self._way(service, callee)
            if ways == "gaps":
                self._put(other, f"gap_{name}", "spans", way * there * np.exp(0.2 * self._rng.normal(size=self._rows)))
                continue
            at_server = self._whole_of(callee, there)
            self._put(name, f"latency_client_{other}", "spans", at_server + way)
            self._put(name, f"latency_server_{other}", "spans", at_server)

    def _whole_of(self, callee: int, there: Floats) -> Floats:
        slower = 3.0 if self._fault == "busy" and callee == self._root else 1.0
        base = self._system.work[callee] * 3.0
        return np.asarray(base * there * np.where(self._during, slower, 1.0) * np.exp(0.05 * self._rng.normal(size=self._rows)))

    def _log(self, service: int, asked: Floats, failed: Floats) -> None:
        """A line as each kind of request comes and one as it ends, a few that come by themselves, and of failures one of their own."""
        name = self._system.names[service]
        for kind in np.flatnonzero(asked.sum(axis=1)):
            self._lines(name, f"{service}a{kind}", asked[kind])
            self._lines(name, f"{service}b{kind}", asked[kind] - failed[kind])
            wrong_here = self._fault == "wrong" and service == self._root
            if failed[kind].any() and not wrong_here:
                self._lines(name, f"{service}f{kind}", failed[kind])
        for number in range(3):
            self._lines(name, f"{service}r{number}", self._rng.poisson(0.15, self._rows).astype(float))

    def _lines(self, name: str, template: str, counts: Floats) -> None:
        later = self._rng.binomial(counts.astype(int), self._system.late)
        counts = counts - later + np.concatenate(([0], later[:-1]))
        self._put(name, f"log_{template}", "logs", counts if self._system.has_zeros else np.where(counts > 0, counts, np.nan))

    def _put(self, entity: str, metric: str, signal: str, values: Floats) -> None:
        self.values[entity, metric] = np.asarray(values, np.float64)
        self.signal[entity, metric] = signal
