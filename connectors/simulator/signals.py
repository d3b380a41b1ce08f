"""The numbers: load, errors, latency, CPU, memory and disk of every entity for a run of ticks, happenings included.

Deterministic in (seed, scenario): noise of a tick depends on the tick alone, so any cut into spans gives the same shop.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from connectors.simulator.scenario import DAY_SECONDS, START_SECONDS, STEP_SECONDS, Happening, Scenario, What
from connectors.simulator.shop import BY_NAME, MEMORY_LIMIT_RATIO, NODES, SERVICES

Floats = NDArray[np.float64]
_ORDER = tuple(reversed(SERVICES))
"""Callees before callers: effects travel from the data layer to the edge."""


@dataclass(slots=True)
class Span:
    """`times` are Unix seconds, shape (n,). Every other array is (n,), by entity. `present` false: the exporter is silent."""

    times: NDArray[np.int64]
    requests: dict[str, Floats]  # a second
    errors: dict[str, Floats]  # share of requests, 0..1
    latency: dict[str, Floats]  # median, seconds
    tail: dict[str, Floats]  # 99th percentile, seconds
    cpu: dict[str, Floats]  # cores (service) or share (node)
    memory: dict[str, Floats]  # bytes (service) or share (node)
    connections: dict[str, Floats]  # data layer only
    disk: dict[str, Floats]  # nodes only, per cent used
    present: dict[str, NDArray[np.bool_]]
    restarted: dict[str, NDArray[np.bool_]]


def simulate(scenario: Scenario, first: int, ticks: int) -> Span:
    """The shop from tick number `first` (0 = START_SECONDS) for `ticks` ticks."""
    number = np.arange(first, first + ticks)
    times = START_SECONDS + number * STEP_SECONDS
    span = Span(times, {}, {}, {}, {}, {}, {}, {}, {}, {}, {})
    load = _daily(times) * _today(scenario, times)
    for index, service in enumerate(_ORDER):
        noise = _Noise(scenario.seed, index, number)
        _service(span, scenario, service.name, load, noise)
    for index, node in enumerate(NODES):
        _node(span, scenario, node, _Noise(scenario.seed, 100 + index, number))
    return span


class _Noise:
    """Independent columns of noise for one entity; the value at a tick depends on (seed, entity, column, tick) only."""

    BLOCK = 1440

    def __init__(self, seed: int, entity: int, number: NDArray[np.int64]) -> None:
        self._seed = seed
        self._entity = entity
        self._number = number
        self._column = 0

    def normal(self, scale: float, smooth: int = 1) -> Floats:
        """Gaussian noise; `smooth` averages so many ticks, keeping the scale, to make it wander instead of jump."""
        self._column += 1
        first = int(self._number[0]) - smooth + 1
        last = int(self._number[-1])
        raw = np.concatenate([self._block(b) for b in range(first // self.BLOCK, last // self.BLOCK + 1)])
        offset = first - (first // self.BLOCK) * self.BLOCK
        raw = raw[offset : offset + last - first + 1]
        if smooth == 1:
            return scale * raw
        return np.asarray(scale * np.convolve(raw, np.full(smooth, 1.0 / np.sqrt(smooth)), "valid"))

    def _block(self, block: int) -> Floats:
        return np.random.default_rng([self._seed, 7, self._entity, self._column, block + 2]).standard_normal(self.BLOCK)


def _daily(times: NDArray[np.int64]) -> Floats:
    """The shape of a day: low at night, a lunch shoulder, a peak at 20:00; weekends a little higher."""
    hour = (times % DAY_SECONDS) / 3600.0
    wave = 1.0 + 0.55 * np.cos((hour - 20.0) / 24.0 * 2 * np.pi) + 0.12 * np.cos((hour - 12.5) / 12.0 * 2 * np.pi)
    weekday = (times // DAY_SECONDS + 3) % 7
    return np.asarray(wave * np.where(weekday >= 5, 1.06, 1.0))


def _today(scenario: Scenario, times: NDArray[np.int64]) -> Floats:
    """Days differ by a few per cent; the traffic peak lifts one evening by 6 to 10 %, which is still within its season."""
    out = np.ones(len(times))
    for day in np.unique(times // DAY_SECONDS):
        out[times // DAY_SECONDS == day] = 1.0 + 0.03 * float(np.random.default_rng([scenario.seed, 5, int(day)]).uniform(-1, 1))
    for h in _of(scenario, What.TRAFFIC_PEAK):
        rise = np.clip((times - h.start) / 1800.0, 0, 1) * np.clip((h.end - times) / 1800.0, 0, 1)
        out *= 1.0 + (0.05 + 0.05 * h.size) * rise
    return out


def _of(scenario: Scenario, what: What, entity: str = "") -> list[Happening]:
    return [h for h in scenario.happenings if h.what is what and (not entity or h.entity == entity)]


def _inside(h: Happening, times: NDArray[np.int64], delay: int = 0) -> NDArray[np.bool_]:
    return np.asarray((times >= h.start + delay) & (times < h.end))


def _service(span: Span, scenario: Scenario, name: str, load: Floats, noise: _Noise) -> None:
    service = BY_NAME[name]
    times = span.times
    requests = service.requests * load * (1.0 + noise.normal(0.03) + noise.normal(0.02, 30))
    strain = np.clip(load / 1.6, 0, 1.3)
    own = 1.0 + 0.25 * strain**2 + noise.normal(0.04) + noise.normal(0.03, 20)
    errors = np.clip(0.002 + noise.normal(0.0006) + noise.normal(0.0004, 15), 0.0002, 1)
    cpu = service.requests / 100.0 * (0.35 + 0.65 * load) * (1.0 + noise.normal(0.03))
    memory = service.memory * (1.0 + 0.05 * load + noise.normal(0.01) + noise.normal(0.015, 60))
    spread = 3.2 * (1.0 + np.abs(noise.normal(0.07)))
    connections = 40.0 + 60.0 * load * (1.0 + noise.normal(0.05))
    present = np.ones(len(times), np.bool_)
    restarted = np.zeros(len(times), np.bool_)

    for h in _of(scenario, What.BAD_DEPLOY, name):
        bad = _inside(h, times, 120)
        errors = np.where(bad, errors + 0.06 + 0.16 * h.size + np.abs(noise.normal(0.01)), errors)
        own = np.where(bad, own * (1.6 + 1.4 * h.size), own)
        cpu = np.where(bad, cpu * 1.35, cpu)
        restarted |= (times == h.start) | (times == h.end)
    for h in (*_of(scenario, What.NEW_ERROR, name), *_of(scenario, What.GOOD_DEPLOY, name)):
        restarted |= times == h.start
    for h in _of(scenario, What.SLOW_DATABASE, name):
        bad = _inside(h, times)
        rise = np.clip((times - h.start) / 300.0, 0.2, 1)
        own = np.where(bad, own * (1.0 + (3.0 + 6.0 * h.size) * rise), own)
        cpu = np.where(bad, cpu * (1.5 + 0.3 * h.size), cpu)
        connections = np.where(bad, connections * (1.0 + (1.2 + 0.8 * h.size) * rise), connections)
    for h in _of(scenario, What.MEMORY_LEAK, name):
        leaked = np.clip((times - h.start) / (h.end - 900 - h.start), 0, 1)
        leaked = np.where(times >= h.end - 900, 0.0, leaked)
        memory = memory + leaked * (MEMORY_LIMIT_RATIO - 1.0) * service.memory
        own = own * (1.0 + 1.5 * np.clip(leaked - 0.7, 0, 1) / 0.3)
        restarted |= times == h.end - 900
    for h in _of(scenario, What.SILENT_EXPORTER, name):
        present &= ~_inside(h, times)
    for h in _of(scenario, What.PLANNED_RESTART, name):
        present &= ~((times >= h.start) & (times < h.start + 180))
        restarted |= times == h.start
        young = np.clip((times - h.start) / 1200.0, 0, 1)
        memory = np.where(times >= h.start, memory * (0.7 + 0.3 * young), memory)
    for h in _disks_of(scenario, service.node):
        full = np.clip(_filled(h, times) - 0.85, 0, 1) / 0.15
        own = own * (1.0 + (0.8 if name.endswith("-db") else 0.1) * np.clip(full, 0, 1))

    wait = sum(
        (_share(callee) * (span.latency[callee] - BY_NAME[callee].latency) for callee in service.calls), np.zeros(len(times))
    )
    carried = sum((_share(callee) * np.clip(span.errors[callee] - 0.004, 0, 1) for callee in service.calls), np.zeros(len(times)))
    slow = np.clip((wait - 3.0 * service.latency) / (6.0 * service.latency), 0, 0.06)
    span.requests[name] = np.maximum(requests, 0.1)
    span.errors[name] = np.clip(errors + carried + slow, 0, 1)
    span.latency[name] = np.maximum(service.latency * own + 2.0 * wait, 1e-4)
    span.tail[name] = span.latency[name] * spread
    span.cpu[name] = cpu
    span.memory[name] = np.minimum(memory, service.memory * MEMORY_LIMIT_RATIO)
    if name.endswith("-db"):
        span.connections[name] = np.round(connections)
    span.present[name] = present
    span.restarted[name] = restarted


def _share(callee: str) -> float:
    """How much of a caller's requests wait for this callee."""
    return 0.8 if callee.endswith("-db") else 0.5


def _disks_of(scenario: Scenario, node: str) -> list[Happening]:
    return _of(scenario, What.DISK_FILLING, node)


def _filled(h: Happening, times: NDArray[np.int64]) -> Floats:
    """Share of the free space that is gone, 0..1, back to 0 when somebody has cleaned up."""
    gone = np.clip((times - h.start) / (h.end - 600 - h.start), 0, 1)
    return np.asarray(np.where(times >= h.end, 0.0, gone))


def _node(span: Span, scenario: Scenario, node: str, noise: _Noise) -> None:
    here = [s for s in SERVICES if s.node == node]
    times = span.times
    cores = sum((span.cpu[s.name] for s in here), np.zeros(len(times)))
    total = sum(s.requests / 100.0 for s in here) * 2.2
    span.cpu[node] = np.clip(cores / total + noise.normal(0.01), 0, 1)
    span.memory[node] = np.clip(
        sum((span.memory[s.name] for s in here), np.zeros(len(times))) / (sum(s.memory for s in here) * 1.8)
        + noise.normal(0.004),
        0,
        1,
    )
    base = 48.0 + 6.0 * ((times % DAY_SECONDS) / DAY_SECONDS) + noise.normal(0.15) + noise.normal(0.4, 120)
    for h in _disks_of(scenario, node):
        base = base + _filled(h, times) * (97.0 - 54.0)
    span.disk[node] = np.clip(base, 0, 98.5)
    span.present[node] = np.ones(len(times), np.bool_)
    span.restarted[node] = np.zeros(len(times), np.bool_)
