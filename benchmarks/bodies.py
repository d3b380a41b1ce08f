"""Bodies of messages as real producers write them, made up: remote write of Prometheus, lines of Telegraf and of Fluent Bit."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import cramjam
import numpy as np
import orjson

from connectors.codecs.proto import prometheus_write_pb2 as wire

START_MS: Final = 1_795_218_875_509
SERIES: Final = 2_000
"""Of one request: what Prometheus sends at once."""
SHARDS: Final = 5
"""Requests by turns of other series."""
LINES: Final = 1_000
_TEXTS: Final = (
    "GET /api/v1/products/{n} 200 {m}ms client=10.0.{a}.{b}",
    "INFO order {h} placed by user {n}, total {m}.{a} EUR",
    "connection to 10.0.{a}.{b}:5432 established in {m} ms",
    "WARN retry {a} of 5 for request {h}: deadline of {m} ms exceeded",
    "cache refreshed, {n} entries, {m} evicted, shard {a}",
)


def remote_write_1(scrapes: int) -> list[bytes]:
    """Requests of version 1, which spells all labels out."""
    return [packed_1(shard, scrape) for scrape in range(scrapes) for shard in range(SHARDS)]


def remote_write_2(scrapes: int) -> list[bytes]:
    """Requests of version 2, whose labels refer to a table of texts, and which declares kinds."""
    return [packed_2(shard, scrape) for scrape in range(scrapes) for shard in range(SHARDS)]


def packed_1(shard: int, scrape: int) -> bytes:
    """One request of version 1."""
    request = wire.Write1()
    for n, labels in enumerate(_labels(shard)):
        series = request.timeseries.add(labels=[wire.Label(name=name, value=text) for name, text in labels])
        series.samples.add(value=_value(n, scrape), timestamp=START_MS + 15_000 * scrape)
    return bytes(cramjam.snappy.compress_raw(request.SerializeToString()))


def packed_2(shard: int, scrape: int) -> bytes:
    """One request of version 2."""
    request, symbols = wire.Write2(), {"": 0}
    for n, labels in enumerate(_labels(shard)):
        references = [symbols.setdefault(text, len(symbols)) for label in labels for text in label]
        series = request.timeseries.add(labels_refs=references, metadata={"type": wire.COUNTER})
        series.samples.add(value=_value(n, scrape), timestamp=START_MS + 15_000 * scrape)
    request.symbols.extend(symbols)
    return bytes(cramjam.snappy.compress_raw(request.SerializeToString()))


def _labels(shard: int) -> Iterator[list[tuple[str, str]]]:
    """Twenty pods with a hundred counters each, sorted by name."""
    for n in range(SERIES):
        pod, metric = n // 100 + 20 * shard, n % 100
        service = f"svc-{pod % 12}"
        yield [
            ("__name__", f"http_server_requests_{metric // 10}_total"),
            ("container", "app"),
            ("endpoint", "http-metrics"),
            ("instance", f"10.0.{pod // 250}.{pod % 250}:8080"),
            ("job", service),
            ("method", ("GET", "POST")[metric % 2]),
            ("namespace", "shop"),
            ("pod", f"{service}-7d9c5b6f4-x{pod:04d}"),
            ("service", service),
            ("status", str(200 + metric % 10)),
        ]


def _value(n: int, scrape: int) -> float:
    """A tenth of the counters have counted nothing yet: a zero is not on the wire."""
    return float(n * 7 + scrape * 31) if n % 10 else 0.0


def influx(scrapes: int) -> list[bytes]:
    """Records of 50 lines as Telegraf's agents write them: four numbers, four tags, a time."""
    return [
        "\n".join(_influx_line(host, plugin, scrape) for plugin in range(10) for host in range(5 * part, 5 * part + 5)).encode()
        for scrape in range(scrapes)
        for part in range(20)
    ]


def _influx_line(host: int, plugin: int, scrape: int) -> str:
    fields = f"usage_user={scrape + host / 8},usage_system={plugin / 3:.4f},reads={scrape * 977 + host}i,time_active={scrape}i"
    return (
        f"plugin{plugin},cpu=cpu{plugin},dc=eu-west-1,host=node-{host:03d},role=web {fields} {START_MS + 10_000 * scrape}000000"
    )


def fluent_bit(count: int) -> list[bytes]:
    """Lines of forty pods as Fluent Bit's kubernetes filter writes them, one a record, pods by turns."""
    rng = np.random.default_rng(7)
    return [_fluent_bit_line(n, rng) for n in range(count * LINES)]


def _fluent_bit_line(n: int, rng: np.random.Generator) -> bytes:
    pod = int(rng.integers(40))
    service = f"svc-{pod % 8}"
    ms = START_MS + n
    drawn = {name: int(rng.integers(top)) for name, top in (("n", 100_000), ("m", 900), ("a", 5), ("b", 250))}
    text = _TEXTS[int(rng.integers(len(_TEXTS)))].format(h=f"{int(rng.integers(1 << 40)):010x}", **drawn)
    return orjson.dumps(
        {
            "@timestamp": ms / 1000 + 123e-6,
            "time": f"2026-11-20T23:54:{ms // 1000 % 60:02d}.{ms % 1000:03d}123456Z",
            "stream": "stdout",
            "_p": "F",
            "log": text,
            "kubernetes": {
                "pod_name": f"{service}-7d9c5b6f4-x{pod:04d}",
                "namespace_name": "shop",
                "pod_id": f"0b7a2f7e-6b57-4a3c-9a2c-2f7d3a9a{pod:04d}",
                "labels": {"app.kubernetes.io/name": service, "pod-template-hash": "7d9c5b6f4"},
                "annotations": {"prometheus.io/scrape": "true"},
                "host": f"ip-10-0-3-{pod}.eu-west-1.compute.internal",
                "pod_ip": f"10.0.3.{pod}",
                "container_name": "app",
                "docker_id": f"6c1f6f4b1d0c{pod:04d}",
                "container_hash": f"registry.example.com/shop/{service}@sha256:0b31b1c02ff458ad9b7b81cbdf8f028bd54699fa151f221d1e8de6817db93427",
                "container_image": f"registry.example.com/shop/{service}:2.14.1",
            },
        }
    )
