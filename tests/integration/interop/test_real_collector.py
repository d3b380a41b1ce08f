"""A Collector made by its own builder: OTLP that it was sent over HTTP is what is scored, from both encodings of its Kafka exporter."""

from __future__ import annotations

import re
import socket
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from urllib.request import Request, urlopen

import collector
import pytest
import telemetry_sent as sent
from google.protobuf.message import Message
from kafka_server import KafkaServer, free_port
from listening import Heard, Topics, block, hear
from producers import Running, check, filled
from telemetry_sent import PODS, SECOND_NS, STEPS, TRACES

from engine.metrics import Metric

pytestmark = [pytest.mark.interop, pytest.mark.timeout(1800)]

PREFIX = "collector-"
ENCODINGS = {"proto": "", "json": "-json"}


def post(address: str, signal: str, data: Message) -> None:
    request = Request(f"http://{address}/v1/{signal}", data.SerializeToString(), {"Content-Type": "application/x-protobuf"})
    with urlopen(request, timeout=30) as answer:  # noqa: S310 - as above
        assert answer.status == 200


def listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


@pytest.fixture(scope="module")
def start_ns(kafka_server: KafkaServer, tmp_path_factory: pytest.TempPathFactory) -> int:
    """When all of it began; everything was sent, and is on the topics."""
    if not collector.BINARY.exists():
        pytest.skip("the OpenTelemetry Collector was not built: it takes Go and some minutes, and `make interop` tries")
    folder: Path = tmp_path_factory.mktemp("collector")
    Topics(
        kafka_server,
        *(f"{PREFIX}{name}{end}" for name in ("metrics", "logs", "spans") for end in ENCODINGS.values()),
        partitions=3,
    ).close()
    port = free_port()
    address = f"127.0.0.1:{port}"
    file = filled("collector.yaml", folder, {"own": address, "broker": kafka_server.bootstrap, "prefix": PREFIX})
    check([str(collector.BINARY), "validate", f"--config={file}"], "golang")
    begun = (int(time.time()) - TRACES) // 60 * 60 * SECOND_NS
    with Running([str(collector.BINARY), f"--config={file}"], folder) as running:
        running.until(lambda: listens(port))
        for n in range(STEPS):
            post(address, "metrics", sent.metrics(begun, n))
        for signal, requests in (("logs", sent.logs(begun)), ("traces", sent.spans(begun))):
            for data in requests:
                post(address, signal, data)
    return begun


@pytest.fixture(scope="module", params=ENCODINGS)
def encoding(request: pytest.FixtureRequest) -> str:
    return str(request.param)


Hear = Callable[[str, str], Heard]


@pytest.fixture(scope="module")
def hear_of(start_ns: int, encoding: str, kafka_server: KafkaServer, tmp_path_factory: pytest.TempPathFactory) -> Hear:
    def listen(name: str, topic: str) -> Heard:
        end = ENCODINGS[encoding]
        return hear(kafka_server, block(f"{name}{end}", f"{PREFIX}{topic}{end}"), tmp_path_factory.mktemp("state"))

    return listen


@pytest.fixture(scope="module")
def metrics(hear_of: Hear) -> Heard:
    return hear_of("otlp-metrics", "metrics")


@pytest.fixture(scope="module")
def logs(hear_of: Hear) -> Heard:
    return hear_of("otlp-logs", "logs")


@pytest.fixture(scope="module")
def traces(hear_of: Hear) -> Heard:
    return hear_of("otlp-traces", "spans")


# ------------------------------------------------------------------------------------------------ metrics
@pytest.mark.parametrize("pod", range(len(PODS)))
def test_values_are_those_that_were_sent(metrics: Heard, start_ns: int, pod: int) -> None:
    of = {"k8s.pod.name": PODS[pod]}
    assert metrics.values("level", **of) == [sent.level(pod, n) for n in range(STEPS)]
    assert metrics.values("pool.size", **of) == [float(n) for n in range(STEPS) if n != 7]
    assert metrics.values("orders", route="/order", ok="true", code="200", **of) == [float(sent.orders(n)) for n in range(STEPS)]
    assert metrics.values("errors", **of) == [float(n % 3) for n in range(STEPS)]
    times = sorted(s.ts_ns for s in metrics.samples if s.name == "level" and of.items() <= s.labels.items())
    assert times == [start_ns + n * SECOND_NS for n in range(STEPS)]


@pytest.mark.parametrize("pod", PODS)
def test_metrics_are_scored_by_their_kind(metrics: Heard, pod: str) -> None:
    of = {"k8s.pod.name": pod}
    assert metrics.values("level", scored=True, **of) == metrics.values("level", **of)
    assert metrics.values("orders", scored=True, **of) == [40.0] * (
        STEPS - 2
    )  # the first, and the first after the restart, are no rates
    assert metrics.values("errors", scored=True, **of) == [float(n % 3) for n in range(1, STEPS)]
    assert set(metrics.values("wait.mean", scored=True, **of)) == {0.2}
    assert set(metrics.values("size.mean", scored=True, **of)) == {10.0}


def test_nothing_is_lost_and_nothing_is_a_dead_letter(metrics: Heard, encoding: str, tell: Callable[[str], None]) -> None:
    assert Counter(str(part.reason) for part in metrics.rejected) == {"stale": len(PODS), "unlimited": STEPS * len(PODS)}
    assert metrics.count(Metric.DEAD_LETTERS) == 0
    assert metrics.count(Metric.SAMPLES_DROPPED) == 0
    assert len(metrics.distributions) == metrics.count(Metric.HISTOGRAM_SAMPLES) == 2 * STEPS * len(PODS)
    tell(
        f"collector {collector.version()}, otlp_{encoding}: {len(metrics.samples)} points and {len(metrics.distributions)} histograms "
        f"in {len(metrics.records)} messages read, {len(metrics.scored)} scored"
    )


def test_a_resource_stays_on_one_partition(metrics: Heard) -> None:
    """By the key that the exporter makes of all its attributes."""
    partitions: dict[bytes, set[int]] = {}
    for record in metrics.records:
        assert record.key is not None
        partitions.setdefault(record.key, set()).add(record.partition)
    assert len(partitions) == len(PODS)
    assert all(len(found) == 1 for found in partitions.values())


# ------------------------------------------------------------------------------------------------ logs
def test_lines_are_those_that_were_sent(logs: Heard, start_ns: int, encoding: str, tell: Callable[[str], None]) -> None:
    found = sorted((line.labels["service.name"], line.severity, line.ts_ns, line.text) for line in logs.lines)
    assert found == sorted(sent.lines(start_ns))
    assert logs.rejected == []
    assert logs.count(Metric.LINES) == len(logs.lines)
    tell(
        f"collector {collector.version()}, otlp_{encoding}: {len(logs.lines)} lines in {len(logs.records)} messages read, as many mined"
    )


# ------------------------------------------------------------------------------------------------ traces
def test_spans_are_those_that_were_sent(traces: Heard, start_ns: int) -> None:
    assert traces.rejected == []
    found = Counter((s.service, s.kind, s.operation, round(s.seconds, 9), s.is_error) for s in traces.spans)
    assert found == {
        ("cart", "client", "POST /pay", 0.03, False): TRACES * 9 // 10,
        ("cart", "client", "POST /pay", 0.03, True): TRACES // 10,
        ("pay", "server", "POST /pay", 0.02, False): TRACES * 9 // 10,
        ("pay", "server", "POST /pay", 0.02, True): TRACES // 10,
    }
    calls = {s.span_id for s in traces.spans if s.service == "cart"}
    assert {s.parent_id for s in traces.spans if s.service == "pay"} == calls
    assert len({s.trace_id for s in traces.spans}) == len(calls) == TRACES


def test_spans_are_scored_as_rate_errors_and_duration(traces: Heard, encoding: str, tell: Callable[[str], None]) -> None:
    {(re.sub(r"\.p\d+$", "", s.name), str(s.labels), s.value) for s in traces.scored}
    found: dict[tuple[str, str], list[float]] = {}
    for sample in (s for s in traces.scored if s.labels.get("operation") == "POST /pay"):
        found.setdefault((sample.name, sample.labels["service.name"]), []).append(sample.value)
    assert {name for name, _ in found} >= {"span_rate", "span_error_ratio", "span_seconds.p50", "span_seconds.p90"}
    for service, seconds in (("cart", 0.03), ("pay", 0.02)):
        assert found["span_seconds.p50", service] == pytest.approx([seconds] * len(found["span_seconds.p50", service]), rel=0.09)
        assert 0.0 < max(found["span_error_ratio", service]) < 0.5
        assert (
            sum(found["span_rate", service]) == TRACES * 2 / 5
        )  # of five minutes two are to get to know it, and the last is not over
    tell(f"collector {collector.version()}, otlp_{encoding}: {len(traces.spans)} spans in {len(traces.records)} messages read")
