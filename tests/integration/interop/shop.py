"""A program with metrics, as Prometheus scrapes them: what it says at the n-th scrape is known."""

from __future__ import annotations

from http.server import BaseHTTPRequestHandler
from typing import Final

from bridge import Serving

RESET_AT: Final = 6
"""The scrape with which all counters begin anew."""
GONE_AT: Final = 5
"""The scrape from which on one series is no longer there."""
BOUNDS: Final = ("0.1", "0.5", "+Inf")


def since_start(n: int) -> int:
    """How many scrapes the counters have counted."""
    return n if n < RESET_AT else n - RESET_AT


def values(n: int) -> dict[str, float]:
    """Each series of the n-th scrape, n counting from 0."""
    steps = since_start(n)
    return {
        "scrape_number": n,
        'temperature_celsius{room="Küche \\"3\\"\\\\"}': -3.25 * n,
        "tiny_ratio": 1e-12 * n,
        "large_bytes": 9e14 + n,
        'requests_total{service="cart",code="200"}': 40.0 * steps,
        'requests_total{service="cart",code="500"}': 2.0 * steps,
        "jobs_done": 5.0 * steps,
        **({"leaving": 7.0} if n < GONE_AT else {}),
        **{
            f'request_duration_seconds_bucket{{le="{le}"}}': share * steps for le, share in zip(BOUNDS, (10, 30, 40), strict=True)
        },
        "request_duration_seconds_sum": 8.0 * steps,
        "request_duration_seconds_count": 40.0 * steps,
        'query_seconds{quantile="0.5"}': 0.25,
        "query_seconds_sum": 3.0 * steps,
        "query_seconds_count": 12.0 * steps,
        'idle_seconds{quantile="0.5"}': float("nan"),
        "idle_seconds_sum": 0.0,
        "idle_seconds_count": 0.0,
        "unlimited_bytes": float("inf"),
        "process_virtual_memory_max_bytes": 2.0**64,
    }


KINDS: Final = {
    "counter": ("requests_total", "jobs_done"),
    "histogram": ("request_duration_seconds",),
    "summary": ("query_seconds", "idle_seconds"),
    "gauge": ("scrape_number", "temperature_celsius", "leaving", "process_virtual_memory_max_bytes"),
}


def exposition(n: int) -> bytes:
    """The text of the n-th scrape. `tiny_ratio` and others have no type: Prometheus calls that unknown."""
    lines: list[str] = []
    told: set[str] = set()
    kind_of = {name: kind for kind, names in KINDS.items() for name in names}
    for series, value in values(n).items():
        name = series.partition("{")[0]
        family = next(
            (f for f in kind_of if name == f or (name.startswith(f) and name[len(f) :] in ("_bucket", "_sum", "_count"))), ""
        )
        if family and family not in told:
            told.add(family)
            lines.append(f"# TYPE {family} {kind_of[family]}")
        lines.append(f"{series} {_text(value)}")
    return "\n".join([*lines, ""]).encode()


def _text(value: float) -> str:
    return {"inf": "+Inf", "nan": "NaN"}.get(repr(value), repr(value))


class Shop(Serving):
    """Serves one scrape after another; `scrapes` is how many were asked for."""

    def __init__(self) -> None:
        self.scrapes = 0
        shop = self

        class Metrics(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                body = exposition(shop.scrapes)
                shop.scrapes += 1
                self.send_response(200)
                self.send_header("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                """Nothing is said of what goes well."""

        super().__init__(Metrics)
