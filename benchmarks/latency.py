"""From a record's producer to what our detect stage says with it, on one machine: milliseconds, at a steady rate.

The detect stage runs in a process of its own, as shipped. What is timed are watermarks, which go the way of alerts: each names the record
that caused it. The time is that from the producer's call to the arrival at a consumer of the alerts topic, both in this process.
"""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
import time
from contextlib import closing
from typing import Any, Final

import numpy as np
import orjson
from confluent_kafka import Consumer, Producer

from benchmarks.brokers import broker
from benchmarks.load import payload
from benchmarks.pipeline import ROOT, TOPIC
from benchmarks.report import machine
from connectors.broker.embedded import CLIENT

PARTITIONS: Final = 8
RATE: Final = 50_000
SLICE_SECONDS: Final = 0.01
READY_SECONDS: Final = 300.0
ALERTS: Final = "foreshock.alerts"
Sent = dict[tuple[int, int], float]


def run(*, quick: bool, options: list[str]) -> dict[str, object]:
    """Percentiles at one rate; the first option is messages a second."""
    rate, seconds = int(options[0]) if options else RATE, 3.0 if quick else 30.0
    with closing(broker(embedded=quick)) as kafka:
        kafka.create_topic(TOPIC, PARTITIONS)
        command = [sys.executable, "-m", "benchmarks.contender", "live", kafka.bootstrap, TOPIC, "0"]
        stage = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL)
        try:
            found = _Timing(kafka.bootstrap).measure(rate, seconds)
        finally:
            stage.send_signal(signal.SIGTERM)
            stage.wait(30)
    milliseconds = np.array(found) * 1e3
    return {
        "broker": type(kafka).__name__,
        "messages_per_second": rate,
        "seconds": seconds,
        "outputs_timed": len(found),
        "milliseconds": {f"p{q}": round(float(np.percentile(milliseconds, q)), 1) for q in (50, 90, 99, 100)},
        "machine": machine(),
    }


class _Timing:
    """A producer and a consumer on one clock."""

    def __init__(self, bootstrap: str) -> None:
        self._producer = Producer({"bootstrap.servers": bootstrap, "linger.ms": 1, "queue.buffering.max.messages": 1_000_000})
        self._consumer = Consumer(
            {**CLIENT, "bootstrap.servers": bootstrap, "group.id": "latency", "auto.offset.reset": "earliest"}
        )
        self._consumer.subscribe([ALERTS])
        self._sent: Sent = {}
        self._offsets = [0] * PARTITIONS
        self._found: list[float] = []
        self._heard, self._over = threading.Event(), threading.Event()
        self._counting = False

    def measure(self, rate: int, seconds: float) -> list[float]:
        """Seconds for each output, once the stage answers at all."""
        listener = threading.Thread(target=self._listen, daemon=True)
        listener.start()
        until = time.monotonic() + READY_SECONDS
        while not self._heard.is_set():
            if time.monotonic() > until:
                raise SystemExit("the detect stage does not answer")
            self._send(100)
            time.sleep(0.1)
        for counting, span in ((False, 5.0), (True, seconds)):  # first what it has never seen is learned
            self._counting = counting
            self._pace(rate, span)
        self._producer.flush(10)
        time.sleep(1.0)
        self._over.set()
        listener.join(10)
        return self._found

    def _pace(self, rate: int, seconds: float) -> None:
        began, sent = time.perf_counter(), 0
        while (passed := time.perf_counter() - began) < seconds:
            due = int(rate * passed) - sent
            self._send(due)
            sent += due
            time.sleep(SLICE_SECONDS)

    def _send(self, count: int) -> None:
        ts_ms = time.time_ns() // 1_000_000
        for number in range(count):
            partition = number % PARTITIONS
            value = payload(number % 1_000, ts_ms, 50.0 + number % 7)
            self._sent[partition, self._offsets[partition]] = time.perf_counter()
            self._offsets[partition] += 1
            self._producer.produce(TOPIC, value, partition=partition, timestamp=ts_ms)
        self._producer.poll(0)

    def _listen(self) -> None:
        while not self._over.is_set():
            message = self._consumer.poll(0.1)
            if message is None or message.error() is not None:
                continue
            now = time.perf_counter()
            said: Any = orjson.loads(message.value() or b"{}")
            self._heard.set()
            _, partition, offset, _ = said["stamp"]
            began = self._sent.get((partition, offset))
            if began is not None and self._counting:
                self._found.append(now - began)
        self._consumer.close()
