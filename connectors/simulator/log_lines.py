"""The log lines of the shop: a few templates a service, more with load, and those that only a fault writes."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import orjson

from connectors.simulator.scenario import Scenario, What
from connectors.simulator.shop import SERVICES, pod
from connectors.simulator.signals import Span

_USUAL: dict[str, tuple[tuple[str, str, float], ...]] = {
    "web": (("info", "GET /product/{i} 200 {n}ms ip={ip}", 1.6), ("info", "session {h} opened for user {i}", 0.5)),
    "gateway": (("info", "route {i} upstream=catalog took {n} ms", 1.5), ("warn", "retry 1 of 3 for request {h}", 0.12)),
    "catalog": (("info", "loaded product {i} from cache in {n} us", 1.2), ("debug", "refreshing index segment {i}", 0.3)),
    "cart": (("info", "cart {h} now has {d} items", 1.2), ("info", "cart {h} expired after {n} s", 0.2)),
    "checkout": (("info", "order {h} placed total={n}.{d} EUR", 1.2), ("warn", "coupon {h} is not valid any more", 0.15)),
    "payment": (
        ("info", "payment {h} authorised by provider in {n} ms", 1.1),
        ("warn", "payment {h} declined: insufficient funds", 0.1),
    ),
    "users": (("info", "user {i} logged in from {ip}", 1.0), ("warn", "wrong password for user {i} from {ip}", 0.15)),
    "email": (("info", "sent order confirmation to user {i} in {n} ms", 0.8),),
}
"""Service → (level, text, lines a minute at mean load)."""

_DEPLOY_FAULT = "NullPointerException: cannot invoke Price.discount() on null at PriceRules.apply(PriceRules.java:{d}) order={h}"
_SLOW_QUERY = "slow query on {db}: SELECT took {n} ms, rows={d}"
_POOL = "could not get a connection to {db} within {n} ms"
_HEAP = "GC overhead: pause of {n} ms, old generation {d} % used"
_NO_SPACE = "write to segment {i} failed: no space left on device"

Line = tuple[int, bytes, bytes]
"""(milliseconds into the tick, key, value)."""


def lines(scenario: Scenario, span: Span, n: int, rng: np.random.Generator) -> Iterator[Line]:
    """The lines of tick `n` of the span, in no order."""
    seconds = int(span.times[n])
    for service in SERVICES:
        for level, text, rate in _USUAL.get(service.name, ()):
            load = float(span.requests[service.name][n]) / service.requests
            for _ in range(int(rng.poisson(rate * load))):
                yield _line(seconds, service.name, level, text, rng)
    yield from _from_faults(scenario, seconds, rng)


def _from_faults(scenario: Scenario, seconds: int, rng: np.random.Generator) -> Iterator[Line]:
    for h in scenario.happenings:
        if not h.start <= seconds < h.end:
            continue
        age = (seconds - h.start) / (h.end - h.start)
        if h.what is What.BAD_DEPLOY and seconds >= h.start + 120:
            yield from _many(int(rng.poisson(2 + 6 * h.size)), seconds, h.entity, "error", _DEPLOY_FAULT, rng)
        elif h.what is What.SLOW_DATABASE:
            for caller in (s.name for s in SERVICES if h.entity in s.calls):
                yield from _many(int(rng.poisson(1.5)), seconds, caller, "warn", _SLOW_QUERY.replace("{db}", h.entity), rng)
                yield from _many(int(rng.poisson(0.5 * h.size)), seconds, caller, "error", _POOL.replace("{db}", h.entity), rng)
        elif h.what is What.MEMORY_LEAK and 0.6 < age < 0.95:
            yield from _many(int(rng.poisson(1.2)), seconds, h.entity, "warn", _HEAP, rng)
        elif h.what is What.DISK_FILLING and age > 0.9:
            for name in (s.name for s in SERVICES if s.node == h.entity and s.layer == "data"):
                yield from _many(int(rng.poisson(1.0)), seconds, name, "error", _NO_SPACE, rng)
        elif h.what is What.PLANNED_RESTART and seconds in (h.start, h.start + 180):
            text = "shutting down: draining {d} requests" if seconds == h.start else "started in {n} ms"
            yield _line(seconds, h.entity, "info", text, rng)


def _many(count: int, seconds: int, service: str, level: str, text: str, rng: np.random.Generator) -> Iterator[Line]:
    for _ in range(count):
        yield _line(seconds, service, level, text, rng)


def _line(seconds: int, service: str, level: str, text: str, rng: np.random.Generator) -> Line:
    offset = int(rng.integers(0, 1000))
    words = text.format(
        i=int(rng.integers(1000, 99999)),
        n=int(rng.gamma(4.0, 8.0)) + 1,
        d=int(rng.integers(1, 100)),
        h=f"{int(rng.integers(0, 2**32)):08x}",
        ip=f"10.0.{int(rng.integers(0, 255))}.{int(rng.integers(1, 255))}",
    )
    document = {
        "@timestamp": seconds + offset / 1000.0,
        "stream": "stderr" if level == "error" else "stdout",
        "log": words,
        "level": level,
        "kubernetes": {"pod_name": pod(service), "namespace_name": "shop", "labels": {"app": service}, "container_name": "app"},
    }
    return offset, service.encode(), orjson.dumps(document)
