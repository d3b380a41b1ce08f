"""From a record's producer to what our detect stage says with it, on one machine: milliseconds, at half of the most it bears.

The detect stage runs in a process of its own, as shipped. What is timed are watermarks, which go the way of alerts: each names the record
that caused it. The time is that from the producer's call to the arrival at a consumer of the alerts topic, both in this process.
The most that is borne is looked for first: rates go up step by step until what is said comes late, or the producer does.
"""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
import time
from array import array
from contextlib import closing
from typing import Any, Final

import numpy as np
import orjson
from confluent_kafka import Consumer, Producer

from benchmarks.brokers import broker
from benchmarks.load import SERIES, payload
from benchmarks.pipeline import ROOT, TOPIC
from benchmarks.report import machine
from connectors.broker.embedded import CLIENT

PARTITIONS: Final = 8
RATE_STEP: Final = 50_000
MOST: Final = 1_000_000
LATE_SECONDS: Final = 1.0
"""Where the median of a step is later than this, records wait longer and longer."""
WHILE_SECONDS: Final = 3.0
SLICE_SECONDS: Final = 0.01
READY_SECONDS: Final = 300.0
ALERTS: Final = "foreshock.alerts"


def run(*, quick: bool, options: list[str]) -> dict[str, object]:
    """Percentiles at the rate the first option names, in messages a second, else at half of the highest rate that was borne."""
    seconds = 3.0 if quick else 30.0
    with closing(broker(embedded=quick)) as kafka:
        kafka.create_topic(TOPIC, PARTITIONS)
        command = [sys.executable, "-m", "benchmarks.contender", "live", kafka.bootstrap, TOPIC, "0"]
        stage = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL)
        try:
            with closing(_Timing(kafka.bootstrap)) as timing:
                steps = {} if options else timing.climb(seconds / 3)
                rate = int(options[0]) if options else max(map(int, steps), default=RATE_STEP) // 2
                found = timing.measure(rate, seconds)
        finally:
            stage.send_signal(signal.SIGTERM)
            stage.wait(30)
    return {
        "broker": type(kafka).__name__,
        "median_milliseconds_by_rate_borne": steps,
        "messages_per_second": rate,
        "seconds": seconds,
        "outputs_timed": len(found),
        "milliseconds": {f"p{q}": round(float(np.percentile(found, q)) * 1e3, 1) for q in (50, 90, 99, 100)},
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
        self._sent = [array("d") for _ in range(PARTITIONS)]
        self._pieces = [payload(number, 0, 50.0 + number % 7).partition(b'"ts":0') for number in range(SERIES)]
        self._found: list[float] = []
        self._heard, self._over = threading.Event(), threading.Event()
        self._counting = False
        self._behind = 0.0
        self._listener = threading.Thread(target=self._listen, daemon=True)
        self._listener.start()
        until = time.monotonic() + READY_SECONDS
        while not self._heard.is_set():
            if time.monotonic() > until:
                raise SystemExit("the detect stage does not answer")
            self._send(100)
            time.sleep(0.1)

    def climb(self, seconds: float) -> dict[str, float]:
        """Milliseconds in the median by messages a second, for each rate that was borne that long; the last is the most."""
        borne: dict[str, float] = {}
        for rate in range(RATE_STEP, MOST + 1, RATE_STEP):
            found = self.measure(rate, seconds)
            late = float(np.median(found)) if found else LATE_SECONDS
            if late >= LATE_SECONDS or self._behind > LATE_SECONDS:
                break
            borne[str(rate)] = round(late * 1e3, 1)
        return borne

    def measure(self, rate: int, seconds: float) -> list[float]:
        """Seconds for each output at a steady rate, after a while of it that does not count."""
        self._counting = False
        self._pace(rate, WHILE_SECONDS)
        self._found = []
        self._counting = True
        self._pace(rate, seconds)
        self._producer.flush(10)
        time.sleep(LATE_SECONDS)
        return self._found

    def close(self) -> None:
        """Stop listening."""
        self._over.set()
        self._listener.join(10)

    def _pace(self, rate: int, seconds: float) -> None:
        began, sent = time.perf_counter(), 0
        while (passed := time.perf_counter() - began) < seconds:
            due = int(rate * passed) - sent
            self._send(due)
            sent += due
            time.sleep(SLICE_SECONDS)
        self._behind = (time.perf_counter() - began) - sent / rate

    def _send(self, count: int) -> None:
        ts_ms = time.time_ns() // 1_000_000
        ts = b'"ts":%d' % ts_ms
        for number in range(count):
            partition = number % PARTITIONS
            head, _, tail = self._pieces[number % SERIES]
            self._sent[partition].append(time.perf_counter())
            self._producer.produce(TOPIC, head + ts + tail, partition=partition, timestamp=ts_ms)
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
            if self._counting:
                self._found.append(now - self._sent[partition][offset])
        self._consumer.close()
