"""Receivers to test sinks against: a real HTTP server that answers as it is told, and a topic in memory."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import NamedTuple

import msgspec

from engine.records import Change, Evidence, Hint, Incident, IncidentState, Member, Stamp

NS = 1_000_000_000
START = 1_795_218_875 * NS


class Request(NamedTuple):
    method: str
    path: str
    headers: dict[str, str]
    body: bytes


class Receiver:
    """A server on loopback. `answers` is consumed one for each request; after that everything is 200.

    An answer is a status, a status with headers, `drop` (close without a word), `hang` (until the end of the test) or `drip`
    (a byte of a header each 20 ms, without end).
    """

    def __init__(self) -> None:
        self.answers: list[object] = []
        self.requests: list[Request] = []
        self.over = threading.Event()
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers.get("content-length", 0)))
                headers = {k.lower(): v for k, v in self.headers.items()}
                receiver.requests.append(Request(self.command, self.path, headers, body))
                receiver._answer(self)

            def log_message(self, *args: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.port = self._server.server_address[1]
        self.url = f"http://127.0.0.1:{self.port}/hook?tenant=a"
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01})
        self._thread.start()

    def _answer(self, handler: BaseHTTPRequestHandler) -> None:
        answer = self.answers.pop(0) if self.answers else 200
        if answer == "drop":
            handler.close_connection = True
            handler.connection.close()
            return
        if answer == "hang":
            self.over.wait(30.0)
            return
        if answer == "drip":
            self._drip(handler)
            return
        status, headers = answer if isinstance(answer, tuple) else (answer, {})
        handler.send_response(status)
        for name, text in {"content-length": "0", **headers}.items():
            handler.send_header(name, text)
        handler.end_headers()

    def _drip(self, handler: BaseHTTPRequestHandler) -> None:
        handler.wfile.write(b"HTTP/1.1 200 OK\r\nx-slow: ")
        while not self.over.wait(0.02):
            try:
                handler.wfile.write(b".")
            except OSError:
                return

    def close(self) -> None:
        self.over.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class MemoryTopic:
    """A Kafka producer as the sink sees one; `faults` are raised by `flush`, one each."""

    def __init__(self) -> None:
        self.messages: list[tuple[str, bytes, bytes, list[tuple[str, bytes]]]] = []
        self.faults: list[Exception] = []
        self.closed = 0

    def send(self, topic: str, key: bytes, value: bytes, headers: Sequence[tuple[str, bytes]] = ()) -> None:
        self.messages.append((topic, key, value, list(headers)))

    def flush(self, deadline_seconds: float) -> None:
        if self.faults:
            raise self.faults.pop(0)

    def close(self) -> None:
        self.closed += 1


def incident(**changes: object) -> Incident:
    """An open incident with one hint, one change and one member."""
    base = Incident(
        id="0123456789abcdef0123456789abcdef",
        revision=3,
        state=IncidentState.OPEN,
        domain="default",
        tenant="default",
        title="payments: request latency above expected",
        severity=17,
        started_ts_ns=START - 270 * NS,
        opened_ts_ns=START - 60 * NS,
        ts_ns=START + 509_000_000,
        entities=["payments", "checkout"],
        members=[
            Member(
                id="m1",
                series='latency{service="payments"}',
                entity="payments",
                kind="level_up",
                state="firing",
                onset_ts_ns=START - 270 * NS,
                score=4.2,
            )
        ],
        alerts_total=2,
        firing=2,
        hints=[
            Hint(
                entity="payments",
                metric="latency",
                probability=0.62,
                evidence=[Evidence(kind="onset", text="It began 35 s before every other.", weight=1.2)],
                against=[Evidence(kind="coverage", text="Its database is not watched.", weight=-0.3)],
                missing=["payments-db"],
                change="c1",
            ),
            Hint(entity="checkout", metric="errors", probability=0.2, evidence=[]),
        ],
        changes=[
            Change(
                id="c1",
                ts_ns=START - 300 * NS,
                name="deploy",
                entity="payments",
                domain="default",
                tenant="default",
                is_change=True,
                severity=9,
                text="version 2.3.1",
                attributes={},
                stamp=Stamp("events", 0, 1, 0),
            )
        ],
        stamp=Stamp("foreshock.alerts", 0, 41, 0),
    )
    return msgspec.convert(msgspec.to_builtins(msgspec.structs.replace(base, **changes)), Incident)
