"""Metrics, logs and spans of a small shop as OTLP messages: what each says is known."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from opentelemetry.proto.logs.v1.logs_pb2 import LogsData
from opentelemetry.proto.metrics.v1.metrics_pb2 import MetricsData
from opentelemetry.proto.trace.v1.trace_pb2 import TracesData
from otlp_world import attributes

STEPS: Final = 30
RESET_AT: Final = 20
PODS: Final = ("cart-a", "cart-b")
TRACES: Final = 600
CUMULATIVE, DELTA = 2, 1
NO_RECORDED_VALUE: Final = 1
SECOND_NS: Final = 1_000_000_000
TRACE_EVERY_NS: Final = 500_000_000
TEXTS: Final = ("order %d placed", "größer als %d €, 漢字 🚀", 'said "no" %d times', "trace %d:\n  at a.b.C(D.java:17)")
SEVERITIES: Final = (5, 9, 13, 17)


def level(pod: int, n: int) -> float:
    return 20.5 + pod + 0.125 * n


def orders(n: int) -> int:
    """A cumulative counter, begun anew."""
    return 40 * (n if n < RESET_AT else n - RESET_AT)


def metrics(start_ns: int, n: int) -> MetricsData:
    """The n-th second, of both pods."""
    data = MetricsData()
    ts_ns = start_ns + n * SECOND_NS
    for pod, name in enumerate(PODS):
        part = data.resource_metrics.add()
        part.resource.attributes.extend(attributes(service_name="cart", k8s_pod_name=name, process_pid=7))
        add = part.scope_metrics.add().metrics.add
        at: dict[str, Any] = {
            "time_unix_nano": ts_ns,
            "start_time_unix_nano": start_ns + (RESET_AT * SECOND_NS if n >= RESET_AT else 0),
        }
        add(name="level", unit="Cel").gauge.data_points.add(as_double=level(pod, n), **at)
        add(name="pool.size").gauge.data_points.add(as_int=n, flags=NO_RECORDED_VALUE if n == 7 else 0, **at)
        add(name="limit.bytes").gauge.data_points.add(as_int=2**62, **at)
        total = add(name="orders").sum
        total.is_monotonic, total.aggregation_temporality = True, CUMULATIVE
        total.data_points.add(as_int=orders(n), attributes=attributes(route="/order", ok=True, code=200), **at)
        deltas = add(name="errors").sum
        deltas.is_monotonic, deltas.aggregation_temporality = True, DELTA
        deltas.data_points.add(as_int=n % 3, time_unix_nano=ts_ns, start_time_unix_nano=ts_ns - SECOND_NS)
        _histograms(add, ts_ns)
    return data


def _histograms(add: Any, ts_ns: int) -> None:
    at: dict[str, Any] = {"time_unix_nano": ts_ns, "start_time_unix_nano": ts_ns - SECOND_NS}
    explicit = add(name="wait", unit="s").histogram
    explicit.aggregation_temporality = DELTA
    explicit.data_points.add(count=40, sum=8.0, bucket_counts=[10, 20, 10], explicit_bounds=[0.1, 0.5], **at)
    power = add(name="size", unit="By").exponential_histogram
    power.aggregation_temporality = DELTA
    power.data_points.add(count=30, sum=300.0, scale=2, zero_count=0, positive={"offset": 8, "bucket_counts": [10, 20]}, **at)


def lines(start_ns: int) -> list[tuple[str, int, int, str]]:
    """Service, severity, time and text of every line."""
    return [
        (("cart", "pay")[n % 2], SEVERITIES[n % 4], start_ns + n * 250_000_000, TEXTS[n % len(TEXTS)] % n)
        for n in range(4 * STEPS)
    ]


def logs(start_ns: int) -> Iterator[LogsData]:
    """Each line in a request of its own."""
    for service, severity, ts_ns, text in lines(start_ns):
        data = LogsData()
        part = data.resource_logs.add()
        part.resource.attributes.extend(attributes(service_name=service, k8s_pod_name=f"{service}-a"))
        part.scope_logs.add().log_records.add(
            time_unix_nano=ts_ns, severity_number=severity, body={"string_value": text}, attributes=attributes(thread=3)
        )
        yield data


def spans(start_ns: int) -> Iterator[TracesData]:
    """Each trace is a call of the cart to the payment service, in a request of its own; every tenth fails."""
    for n in range(TRACES):
        data = TracesData()
        at_ns = start_ns + n * TRACE_EVERY_NS
        trace, call, answer = (bytes([kind]) * 8 + n.to_bytes(8, "big") for kind in (1, 2, 3))
        failed = {"status": {"code": 2}} if n % 10 == 0 else {}
        for service, kind, ids, nanoseconds in (
            ("cart", 3, {"span_id": call[-8:]}, 30_000_000),
            ("pay", 2, {"span_id": answer[:4] + answer[-4:], "parent_span_id": call[-8:]}, 20_000_000),
        ):
            part = data.resource_spans.add()
            part.resource.attributes.extend(attributes(service_name=service))
            part.scope_spans.add().spans.add(
                trace_id=trace,
                name="POST /pay",
                kind=kind,
                start_time_unix_nano=at_ns,
                end_time_unix_nano=at_ns + nanoseconds,
                **ids,
                **failed,
            )
        yield data
