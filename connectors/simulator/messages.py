"""The bytes: one span of the shop as Kafka messages in time order, in the formats that real producers use.

shop.metrics   influx lines (Telegraf): counters and gauges, one message for an entity and tick
shop.latency   JSON with the quantiles of a histogram, one message for a service and tick
shop.logs      Fluent Bit JSON with Kubernetes metadata
shop.events    Kubernetes events as the event exporter writes them
shop.deploys   CDEvents in structured CloudEvents
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import orjson

from connectors.simulator import log_lines, shop_events
from connectors.simulator.scenario import START_SECONDS, STEP_SECONDS, Scenario
from connectors.simulator.shop import BY_NAME, NODES, SERVICES
from connectors.simulator.signals import Span, simulate

METRICS, LATENCY, LOGS, EVENTS, DEPLOYS = "shop.metrics", "shop.latency", "shop.logs", "shop.events", "shop.deploys"
TOPICS: dict[str, int] = {METRICS: 3, LATENCY: 1, LOGS: 2, EVENTS: 1, DEPLOYS: 1}
"""Topic → partitions."""


class Message(NamedTuple):
    """One message to produce; `ts_ms` becomes its Kafka timestamp (CreateTime)."""

    topic: str
    key: bytes
    value: bytes
    ts_ms: int
    headers: tuple[tuple[str, bytes], ...] = ()


class Counters:
    """The running totals that a scrape would see; a restart sets a service's back to zero."""

    def __init__(self) -> None:
        self._totals: dict[tuple[str, str], float] = {}

    def add(self, service: str, name: str, amount: float, *, restarted: bool) -> int:
        """The total after this tick, as a counter shows it."""
        place = (service, name)
        total = (0.0 if restarted else self._totals.get(place, 0.0)) + amount
        self._totals[place] = total
        return int(total)


def messages(scenario: Scenario, first: int, ticks: int, counters: Counters) -> Iterator[Message]:
    """All messages of `ticks` ticks from tick number `first`, ascending in time. `counters` carries over from span to span."""
    span = simulate(scenario, first, ticks)
    for n in range(len(span.times)):
        seconds = int(span.times[n])
        rng = np.random.default_rng([scenario.seed, 11, seconds])
        yield from _metrics(span, n, counters)
        for offset, key, value in sorted(log_lines.lines(scenario, span, n, rng), key=lambda line: line[0]):
            yield Message(LOGS, key, value, seconds * 1000 + offset)
        for value in shop_events.kubernetes(scenario, span, n, rng):
            yield Message(EVENTS, b"cluster", value, seconds * 1000)
        for value in shop_events.deliveries(scenario, seconds, rng):
            yield Message(DEPLOYS, b"ci", value, seconds * 1000, ((shop_events.CONTENT_TYPE),))


def _metrics(span: Span, n: int, counters: Counters) -> Iterator[Message]:
    seconds = int(span.times[n])
    ts_ms, stamp = seconds * 1000, f" {seconds}000000000\n"
    for service in SERVICES:
        name = service.name
        if not span.present[name][n]:
            continue
        restarted = bool(span.restarted[name][n])
        count = span.requests[name][n] * STEP_SECONDS
        total = counters.add(name, "requests", count, restarted=restarted)
        errors = counters.add(name, "errors", count * span.errors[name][n], restarted=restarted)
        fields = (
            f"requests_total={total}i,errors_total={errors}i,error_ratio={span.errors[name][n]:.5f},"
            f"cpu_cores={span.cpu[name][n]:.4f},memory_bytes={int(span.memory[name][n])}i"
        )
        if name in span.connections:
            fields += f",connections={int(span.connections[name][n])}i"
        head = f"app,layer={service.layer},node={service.node},service={name} "
        yield Message(METRICS, name.encode(), (head + fields + stamp).encode(), ts_ms)
        yield Message(LATENCY, name.encode(), _latency(span, name, n, int(count)), ts_ms)
    for node in NODES:
        line = (
            f"node,node={node} cpu_share={span.cpu[node][n]:.4f},memory_share={span.memory[node][n]:.4f},"
            f"disk_used_percent={span.disk[node][n]:.3f}{stamp}"
        )
        yield Message(METRICS, node.encode(), line.encode(), ts_ms)


def _latency(span: Span, name: str, n: int, count: int) -> bytes:
    """A histogram as libraries push it: quantiles over the last interval, and how many requests they stand for."""
    median, tail = float(span.latency[name][n]), float(span.tail[name][n])
    return orjson.dumps(
        {
            "timestamp": int(span.times[n]),
            "name": "request_duration_seconds",
            "tags": {"service": name, "layer": str(BY_NAME[name].layer)},
            "count": count,
            "quantiles": {"p50": round(median, 6), "p90": round(median + (tail - median) * 0.45, 6), "p99": round(tail, 6)},
        }
    )


def ticks_of(scenario: Scenario) -> int:
    """How many ticks the scenario lasts."""
    return (scenario.end - START_SECONDS) // STEP_SECONDS
