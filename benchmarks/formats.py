"""How many points or lines a second each format gives up: as a library reads it, and by the short way where there is one.

Lines are counted when they have their template: decoding and mining together.

Batches of known series, as they come in steady state: the codec has read the same series before. Figures are of processor time,
medians of five runs in one process. A format is one entry in `FORMATS`: add yours.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import Final, NamedTuple

import numpy as np
import orjson
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.metrics.v1.metrics_pb2 import AggregationTemporality, MetricsData

from benchmarks import bodies
from connectors.codecs import otlp_json
from connectors.codecs.influx import InfluxCodec
from connectors.codecs.json_mapping import JsonCodec
from connectors.codecs.otlp_common import json_parser, protobuf_parser
from connectors.codecs.otlp_metrics import OtlpMetricsCodec
from connectors.codecs.remote_write import RemoteWriteCodec
from detectors.templates import TemplateMiner
from engine.config.mapping import Mapping
from engine.config.tree import Format, Source
from engine.detect.catalog import SourceCatalog
from engine.ports import Codec
from engine.records import Decoded, Record, Run

RUNS: Final = 5
TS_NS: Final = 1_795_218_875_509_000_000


class Sample(NamedTuple):
    """What is measured of one format."""

    values: Sequence[bytes]
    ways: dict[str, Callable[[Source], Codec]]
    format: Format
    mapping: Mapping = Mapping()


def otlp_batch(at: int, services: int, metrics: int, points: int) -> MetricsData:
    """One batch of the Collector: counters with three attributes, as an HTTP server gives them."""
    data = MetricsData()
    for service in range(services):
        part = data.resource_metrics.add()
        facts = {"service.name": f"svc-{service}", "service.namespace": "shop", "k8s.pod.name": f"svc-{service}-7d9c5b6f4-x2k8p"}
        part.resource.attributes.extend(KeyValue(key=key, value=AnyValue(string_value=text)) for key, text in facts.items())
        scope = part.scope_metrics.add(scope={"name": "io.opentelemetry.http", "version": "1.9.0"})
        for number in range(metrics):
            total = scope.metrics.add(
                name=f"http.server.requests.{number}", description="Number of requests", unit="{request}"
            ).sum
            total.aggregation_temporality = AggregationTemporality.AGGREGATION_TEMPORALITY_CUMULATIVE
            total.is_monotonic = True
            for n in range(points):
                point = total.data_points.add(start_time_unix_nano=TS_NS, time_unix_nano=TS_NS + at, as_int=at * 7 + n)
                point.attributes.add(key="http.request.method").value.string_value = "POST"
                point.attributes.add(key="http.route").value.string_value = "/api/v1/checkout"
                point.attributes.add(key="http.response.status_code").value.int_value = 200 + n
    return data


def as_json(data: MetricsData) -> bytes:
    """The same as OTLP/JSON, of the counters that `otlp_batch` makes."""
    return orjson.dumps(
        {
            "resourceMetrics": [
                {
                    "resource": {"attributes": _attributes(part.resource.attributes)},
                    "scopeMetrics": [
                        {
                            "scope": {"name": scope.scope.name},
                            "metrics": [
                                {
                                    "name": metric.name,
                                    "unit": metric.unit,
                                    "sum": {
                                        "aggregationTemporality": 2,
                                        "isMonotonic": True,
                                        "dataPoints": [
                                            {
                                                "attributes": _attributes(point.attributes),
                                                "timeUnixNano": str(point.time_unix_nano),
                                                "asInt": str(point.as_int),
                                            }
                                            for point in metric.sum.data_points
                                        ],
                                    },
                                }
                                for metric in scope.metrics
                            ],
                        }
                        for scope in part.scope_metrics
                    ],
                }
                for part in data.resource_metrics
            ]
        }
    )


def _attributes(attributes: Sequence[KeyValue]) -> list[dict[str, object]]:
    return [
        {
            "key": part.key,
            "value": {"stringValue": part.value.string_value}
            if part.value.string_value
            else {"intValue": str(part.value.int_value)},
        }
        for part in attributes
    ]


def _otlp_metrics(quick: bool) -> Sample:
    batches = [otlp_batch(at, 4, 25, 10).SerializeToString() for at in range(3 if quick else 30)]
    parse = protobuf_parser(MetricsData)
    ways: dict[str, Callable[[Source], Codec]] = {
        "library": lambda source: OtlpMetricsCodec(source, parse),
        "short": lambda source: OtlpMetricsCodec(source, parse, short=True),
    }
    return Sample(batches, ways, Format.OTLP_METRICS)


def _otlp_metrics_json(quick: bool) -> Sample:
    batches = [as_json(otlp_batch(at, 4, 25, 10)) for at in range(3 if quick else 30)]
    parse = json_parser(otlp_json.MetricsData)
    return Sample(batches, {"library": lambda source: OtlpMetricsCodec(source, parse)}, Format.OTLP_METRICS_JSON)


def _remote_write(make: Callable[[int], list[bytes]], quick: bool) -> Sample:
    ways: dict[str, Callable[[Source], Codec]] = {
        "library": lambda source: RemoteWriteCodec(source, short=False),
        "short": RemoteWriteCodec,
    }
    return Sample(make(1 if quick else 5), ways, Format.PROMETHEUS_REMOTE_WRITE)


def _influx(quick: bool) -> Sample:
    ways: dict[str, Callable[[Source], Codec]] = {
        "general": lambda source: InfluxCodec(source, short=False),
        "short": InfluxCodec,
    }
    return Sample(bodies.influx(1 if quick else 20), ways, Format.INFLUX)


def _fluent_bit(quick: bool) -> Sample:
    mapping = Mapping(
        time="@timestamp",
        time_unit="s",
        message="log",
        embedded_json=True,
        severity="level",
        labels={
            "service": "kubernetes.labels.app.kubernetes.io/name | kubernetes.labels.app | kubernetes.container_name",
            "namespace": "kubernetes.namespace_name",
            "pod": "kubernetes.pod_name",
        },
    )
    ways: dict[str, Callable[[Source], Codec]] = {"library": lambda source: JsonCodec(source, short=False), "short": JsonCodec}
    return Sample(bodies.fluent_bit(1 if quick else 20), ways, Format.JSON, mapping)


FORMATS: Final[dict[str, Callable[[bool], Sample]]] = {
    "otlp_metrics": _otlp_metrics,
    "otlp_metrics_json": _otlp_metrics_json,
    "remote_write_1": partial(_remote_write, bodies.remote_write_1),
    "remote_write_2": partial(_remote_write, bodies.remote_write_2),
    "influx": _influx,
    "fluent_bit": _fluent_bit,
}
"""Name → what is measured, small and rough or not."""


class Mined:
    """What becomes of lines: the template of each."""

    def __init__(self) -> None:
        self._miner = TemplateMiner(20_000, 2_000)
        self._streams: dict[bytes, int] = {}

    def take(self, decoded: Decoded) -> None:
        """Mine the lines of a batch."""
        number = self._streams
        streams = [number.setdefault(key, len(number)) for key in decoded.lines.key]
        if streams:
            self._miner.mine(decoded.lines.text, np.array(streams, np.int64))


def measure(sample: Sample, build: Callable[[Source], Codec]) -> tuple[int, float]:
    """Points and lines of all records together, and how many there are a second of processor time."""
    source = Source(name="benchmark", topics=["in"], format=sample.format, mapping=sample.mapping)
    codec, catalog, mined = build(source), SourceCatalog(source), Mined()
    records = [Record("in", 0, n, TS_NS, None, value) for n, value in enumerate(sample.values)]
    mined.take(codec.decode(records, catalog))
    seconds = []
    for _ in range(RUNS):
        run = Run.of(records)
        before = time.process_time()
        decoded = codec.decode(run, catalog)
        mined.take(decoded)
        seconds.append(time.process_time() - before)
    points = len(decoded.samples.row) + len(decoded.lines.row)
    return points, points / statistics.median(seconds)


def run(*, quick: bool, options: list[str]) -> dict[str, object]:
    """Points a second of each format and way; `ratio` is the last way beside the first. `options` may name formats."""
    told: dict[str, object] = {}
    for name in options or list(FORMATS):
        sample = FORMATS[name](quick)
        found = {way: measure(sample, build) for way, build in sample.ways.items()}
        rates = {way: round(rate) for way, (_, rate) in found.items()}
        first, *_, last = [*rates.values(), *rates.values()]
        told[name] = {
            "points": max(points for points, _ in found.values()),
            "bytes_per_record": len(sample.values[0]),
            "points_per_second": rates,
            "ratio": round(last / first, 1),
        }
    return {"formats": told}
