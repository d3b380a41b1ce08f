"""The log lines of the shop: a few templates a service, more with load, and those that only a fault writes."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import orjson

from connectors.simulator.scenario import Happening, Scenario, What
from connectors.simulator.shop import JOBS, SERVICES, pod
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
_PARTNER: dict[str, str] = {
    "catalog": "picture {h} fetched from the image store in {n} ms",
    "cart": "price of voucher {h} checked by the loyalty service in {n} ms",
    "checkout": "invoice {h} rendered in {n} ms",
    "search": "synonyms of query {h} refreshed from the dictionary in {n} ms",
    "payment": "fraud score of payment {h} received in {n} ms",
    "shipping": "label {h} printed by the carrier in {n} ms",
    "inventory": "stock of article {i} confirmed by the warehouse in {n} ms",
    "users": "picture of user {i} resized in {n} ms",
    "recommend": "profile {h} scored in {n} ms",
}
"""What each service does beside its requests, by somebody else: no request waits for it."""
_PARTNER_RATE = 0.5
_JOB: dict[str, str] = {
    "email": "newsletter digest: {i} recipients queued",
    "inventory": "stock export finished: {i} articles written",
    "search": "index rebuilt: {i} documents",
}
_NEW_ERROR = "cannot attach receipt to order {h}: field vat_id of schema 7 is not known"
_GOOD_NEWS = "delivery window {d} offered for order {h}"

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
    now = {h.what: h for h in scenario.happenings if h.start <= seconds < h.end}
    for service in SERVICES:
        if _is_down(service.name, seconds, now):
            continue
        load = float(span.requests[service.name][n]) / service.requests
        for level, text, rate in _USUAL.get(service.name, ()):
            yield from _many(int(rng.poisson(rate * load)), seconds, service.name, level, text, rng)
        yield from _from_partner(service.name, seconds, now, load, rng)
    yield from _from_jobs(seconds, now, rng)
    yield from _from_faults(now, seconds, rng)
    yield from _from_log_faults(scenario, now, seconds, rng)


def _is_down(service: str, seconds: int, now: dict[What, Happening]) -> bool:
    """A service that is being restarted writes nothing."""
    restart = now.get(What.PLANNED_RESTART)
    return restart is not None and restart.entity == service and restart.start < seconds < restart.start + 180


def _from_partner(
    service: str, seconds: int, now: dict[What, Happening], load: float, rng: np.random.Generator
) -> Iterator[Line]:
    text = _PARTNER.get(service)
    if text is None:
        return
    slow = now.get(What.SLOW_PARTNER)
    factor = 4.0 + 8.0 * slow.size if slow is not None and slow.entity == service else 1.0
    for _ in range(int(rng.poisson(_PARTNER_RATE * load))):
        yield _line(seconds, service, "info", text, rng, factor)


def _from_jobs(seconds: int, now: dict[What, Happening], rng: np.random.Generator) -> Iterator[Line]:
    stopped = now.get(What.JOB_STOPPED)
    for service, minutes in JOBS.items():
        runs = seconds % (60 * minutes) == 0
        if runs and not (stopped is not None and stopped.entity == service):
            yield _line(seconds, service, "info", _JOB[service], rng)


def _from_log_faults(scenario: Scenario, now: dict[What, Happening], seconds: int, rng: np.random.Generator) -> Iterator[Line]:
    """What a deploy brings: an error that nobody sees elsewhere, or a line that is only new and stays."""
    bad = now.get(What.NEW_ERROR)
    if bad is not None and seconds >= bad.start + 120:
        yield from _many(int(rng.poisson(1.0 + 2.0 * bad.size)), seconds, bad.entity, "error", _NEW_ERROR, rng)
    for h in scenario.happenings:
        if h.what in (What.GOOD_DEPLOY, What.NEW_ERROR) and seconds == h.start:
            yield _line(seconds, h.entity, "info", "version 2.14.0 started in {n} ms", rng)
        if h.what is What.GOOD_DEPLOY and seconds > h.start:
            yield from _many(int(rng.poisson(0.6)), seconds, h.entity, "info", _GOOD_NEWS, rng)


def _from_faults(now: dict[What, Happening], seconds: int, rng: np.random.Generator) -> Iterator[Line]:
    for h in now.values():
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


def _line(seconds: int, service: str, level: str, text: str, rng: np.random.Generator, slower: float = 1.0) -> Line:
    offset = int(rng.integers(0, 1000))
    words = text.format(
        i=int(rng.integers(1000, 99999)),
        n=int(rng.gamma(4.0, 8.0) * slower) + 1,
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
