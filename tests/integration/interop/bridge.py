"""HTTP to Kafka, as plain as can be: the body of each request is a record, as it is. What remote write needs to get onto a topic."""

from __future__ import annotations

import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self

from confluent_kafka import Producer

DELIVERY_SECONDS = 30.0
BODY_BYTES_MAX = 8 << 20


class Serving:
    """An HTTP server on a free port of this machine, in a thread of its own. `address` is host:port."""

    def __init__(self, handler: type[BaseHTTPRequestHandler]) -> None:
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self._server.daemon_threads = False  # closing it waits for the requests that it is answering
        self.address = f"127.0.0.1:{self._server.server_address[1]}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,))
        self._thread.start()

    def close(self) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()


class Bridge(Serving):
    """Answers 204 when the record is on the topic, 503 when it is not: Prometheus then sends it again."""

    def __init__(self, bootstrap: str, topic: str) -> None:
        producer = Producer({"bootstrap.servers": bootstrap, "linger.ms": 0, "log_level": 0})

        class Post(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(min(int(self.headers["Content-Length"]), BODY_BYTES_MAX))
                failed: list[Any] = []
                headers = [(name, self.headers[name]) for name in ("Content-Encoding", "Content-Type") if self.headers[name]]
                producer.produce(topic, body, headers=headers, on_delivery=lambda error, _: failed.append(error))
                unsent = producer.flush(DELIVERY_SECONDS)
                self.send_response(503 if unsent or any(error is not None for error in failed) else 204)
                self.end_headers()

            def log_message(self, *_: object) -> None:
                """Nothing is said of what goes well."""

        super().__init__(Post)
