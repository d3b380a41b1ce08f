"""The standing system: services in three layers, who calls whom, and which node runs what."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Layer(StrEnum):
    EDGE = "edge"
    CORE = "core"
    DATA = "data"


@dataclass(frozen=True, slots=True)
class Service:
    """`requests` a second at the daily mean, `latency` in seconds at the median, `memory` in bytes at rest."""

    name: str
    layer: Layer
    node: str
    requests: float
    latency: float
    memory: float
    calls: tuple[str, ...] = ()
    logs: bool = False


MIB = 2.0**20

SERVICES: tuple[Service, ...] = (
    Service("web", Layer.EDGE, "node-1", 220, 0.090, 700 * MIB, ("gateway",), logs=True),
    Service("mobile-api", Layer.EDGE, "node-2", 160, 0.070, 520 * MIB, ("gateway",)),
    Service(
        "gateway", Layer.EDGE, "node-1", 380, 0.045, 430 * MIB, ("catalog", "cart", "checkout", "search", "users"), logs=True
    ),
    Service("catalog", Layer.CORE, "node-2", 240, 0.022, 900 * MIB, ("catalog-db", "recommend"), logs=True),
    Service("cart", Layer.CORE, "node-3", 120, 0.015, 380 * MIB, ("session-cache", "inventory"), logs=True),
    Service(
        "checkout",
        Layer.CORE,
        "node-3",
        40,
        0.080,
        610 * MIB,
        ("payment", "shipping", "inventory", "orders-db", "queue"),
        logs=True,
    ),
    Service("search", Layer.CORE, "node-4", 150, 0.060, 1500 * MIB, ("catalog-db",)),
    Service("payment", Layer.CORE, "node-4", 38, 0.140, 450 * MIB, ("orders-db",), logs=True),
    Service("shipping", Layer.CORE, "node-5", 36, 0.050, 320 * MIB, ("orders-db",)),
    Service("inventory", Layer.CORE, "node-5", 130, 0.018, 360 * MIB, ("catalog-db",)),
    Service("users", Layer.CORE, "node-2", 110, 0.025, 410 * MIB, ("users-db", "session-cache"), logs=True),
    Service("recommend", Layer.CORE, "node-4", 90, 0.035, 1100 * MIB, ("session-cache",)),
    Service("email", Layer.CORE, "node-5", 20, 0.200, 280 * MIB, ("queue",), logs=True),
    Service("catalog-db", Layer.DATA, "node-1", 520, 0.004, 4200 * MIB),
    Service("orders-db", Layer.DATA, "node-3", 190, 0.005, 3800 * MIB),
    Service("users-db", Layer.DATA, "node-5", 150, 0.004, 2600 * MIB),
    Service("session-cache", Layer.DATA, "node-2", 420, 0.001, 1900 * MIB),
    Service("queue", Layer.DATA, "node-4", 60, 0.002, 800 * MIB),
)

BY_NAME: dict[str, Service] = {service.name: service for service in SERVICES}
NODES: tuple[str, ...] = tuple(sorted({service.node for service in SERVICES}))
CALLS: tuple[tuple[str, str], ...] = tuple((s.name, callee) for s in SERVICES for callee in s.calls)
RUNS_ON: tuple[tuple[str, str], ...] = tuple((s.name, s.node) for s in SERVICES)

JOBS: dict[str, int] = {"email": 20, "inventory": 30, "search": 15}
"""Services with a scheduled job → minutes between two runs."""

MEMORY_LIMIT_RATIO = 2.2
"""A service is killed when its memory reaches this many times its memory at rest."""


def pod(service: str, generation: int = 0) -> str:
    """The name of the (only) pod of a service; every restart or deploy gives it a new suffix."""
    return f"{service}-{generation:03x}"


def callers_of(name: str) -> tuple[str, ...]:
    """Services that call `name` directly."""
    return tuple(s.name for s in SERVICES if name in s.calls)
