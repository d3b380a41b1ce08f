"""The load of the pipeline benchmark: one-point JSON messages of about 150 bytes over 1,000 series, a few of them odd."""

from __future__ import annotations

import numpy as np
import orjson
from confluent_kafka import Producer

SERIES = 1_000
STEP_MS = 10_000
START_MS = 1_772_409_600_000
ODD_ONE_IN = 1_000


def produce(bootstrap: str, topic: str, count: int, seed: int) -> int:
    """Write `count` messages in scrape order, keyed by series; returns the bytes of payload."""
    rng = np.random.default_rng(seed)
    producer = Producer({"bootstrap.servers": bootstrap, "linger.ms": 20, "queue.buffering.max.messages": 1_000_000})
    size = 0
    values = rng.normal(50.0, 5.0, count)
    values[rng.random(count) < 1.0 / ODD_ONE_IN] = 150.0
    for n in range(count):
        number = n % SERIES
        host = f"h{number}"
        ts_ms = START_MS + n // SERIES * STEP_MS
        value = payload(number, ts_ms, float(values[n]))
        size += len(value)
        _send(producer, topic, host.encode(), value, ts_ms)
    producer.flush(60)
    return size


def payload(number: int, ts_ms: int, value: float) -> bytes:
    """One point of the series of that number."""
    labels = {"host": f"h{number}", "region": "eu-west-1", "service": f"s{number % 50}", "zone": "a"}
    return orjson.dumps({"name": "cpu_usage", "labels": labels, "ts": ts_ms, "value": round(value, 4)})


def _send(producer: Producer, topic: str, key: bytes, value: bytes, ts_ms: int) -> None:
    while True:
        try:
            producer.produce(topic, key=key, value=value, timestamp=ts_ms)
        except BufferError:
            producer.poll(0.1)
        else:
            return
