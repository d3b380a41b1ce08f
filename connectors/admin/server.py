"""The admin port: /metrics for Prometheus, /livez /readyz /startupz for Kubernetes. GET and HEAD, plain text, no state.

Runs in one thread of its own. Liveness asks the process about itself only, never about Kafka: a broker that is away must
not make Kubernetes restart us. `?verbose` says the reason.
"""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable
from typing import Protocol

import uvicorn
from prometheus_client import CollectorRegistry
from prometheus_client.exposition import choose_encoder
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from engine.errors import ForeshockError

STOP_SECONDS = 5.0
CONNECTIONS_MAX = 64
_HEADERS = {"cache-control": "no-store", "x-content-type-options": "nosniff"}

Verdict = tuple[bool, str]
"""Whether it holds, and why or why not in a few words."""


class Probes(Protocol):
    """What the process knows about itself. Called from the admin thread; must return at once."""

    def live(self) -> Verdict:
        """Every worker has shown a sign of life lately. Never depends on anything outside the process."""
        ...

    def ready(self) -> Verdict:
        """Shards are assigned and restored, or this is a standby; and it is not draining."""
        ...

    def started(self) -> Verdict:
        """Every worker has come round once; until then a silent one is no reason to restart."""
        ...


class AdminServer:
    """Serves metrics and probes from `start` until `stop`. Port 0 takes any free one; `port` says which."""

    def __init__(self, host: str, port: int, registry: CollectorRegistry, probes: Probes) -> None:
        self._address = (host, port)
        self._app = admin_app(registry, probes)
        self._server: uvicorn.Server | None = None
        self._thread: threading.Thread | None = None
        self.port = port

    def start(self) -> None:
        """Listen, then return. Raises ForeshockError when the address cannot be had."""
        try:
            listener = socket.create_server(self._address, family=_family(self._address[0]), backlog=CONNECTIONS_MAX)
        except OSError as error:
            host, port = self._address
            raise ForeshockError(
                f"cannot listen on {host}:{port}: {error.strerror}", "set admin.port; 0 takes any free one"
            ) from error
        self.port = int(listener.getsockname()[1])
        config = uvicorn.Config(
            self._app,
            log_config=None,
            access_log=False,
            lifespan="off",
            ws="none",
            server_header=False,
            limit_concurrency=CONNECTIONS_MAX,
            timeout_keep_alive=5,
            timeout_graceful_shutdown=1,
        )
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=self._serve, args=(self._server, listener), name="admin", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Close the port. Harmless when it is closed already."""
        if self._server is None or self._thread is None:
            return
        self._server.should_exit = True
        self._thread.join(STOP_SECONDS)
        self._server = self._thread = None

    @staticmethod
    def _serve(server: uvicorn.Server, listener: socket.socket) -> None:
        with listener:
            server.run(sockets=[listener])


def admin_app(registry: CollectorRegistry, probes: Probes) -> Starlette:
    """The application by itself, for tests and for a console that wants to mount it."""

    def metrics(request: Request) -> Response:
        encode, content_type = choose_encoder(request.headers.get("accept", ""))
        return Response(encode(registry), headers={**_HEADERS, "content-type": content_type})

    return Starlette(
        routes=[
            Route("/metrics", metrics),
            Route("/livez", _probe(probes.live)),
            Route("/readyz", _probe(probes.ready)),
            Route("/startupz", _probe(probes.started)),
        ]
    )


def _probe(ask: Callable[[], Verdict]) -> Callable[[Request], Response]:
    def answer(request: Request) -> Response:
        holds, reason = ask()
        words = "ok" if holds else "not ok"
        if "verbose" in request.query_params:
            words = f"{words}: {reason}"
        return PlainTextResponse(f"{words}\n", status_code=200 if holds else 503, headers=_HEADERS)

    return answer


def _family(host: str) -> socket.AddressFamily:
    return socket.AF_INET6 if ":" in host else socket.AF_INET
