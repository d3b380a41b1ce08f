"""Small messages of OpenTelemetry."""

from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.logs.v1.logs_pb2 import LogsData
from opentelemetry.proto.metrics.v1.metrics_pb2 import MetricsData
from opentelemetry.proto.trace.v1.trace_pb2 import TracesData

TS_NS = 1_795_218_875_509_000_000


def attributes(**named):
    """Attributes of any type; `service_name` is `service.name`."""
    return [KeyValue(key=name.replace("_", "."), value=any_value(value)) for name, value in named.items()]


def any_value(value):
    field = {bool: "bool_value", int: "int_value", float: "double_value", str: "string_value", bytes: "bytes_value"}[type(value)]
    return AnyValue(**{field: value})


def scope_of(data, **resource):
    """The place for metrics of a new resource and scope."""
    part = data.resource_metrics.add()
    part.resource.attributes.extend(attributes(**resource))
    scope = part.scope_metrics.add()
    scope.scope.name = "lib"
    return scope


def metrics():
    """One metric of every kind, two points each."""
    data = MetricsData()
    scope = scope_of(data, service_name="cart", host_name="a", process_pid=7)
    gauge, total, deltas = scope.metrics.add(name="g", unit="By"), scope.metrics.add(name="t"), scope.metrics.add(name="d")
    total.sum.is_monotonic, total.sum.aggregation_temporality = True, 2
    deltas.sum.is_monotonic, deltas.sum.aggregation_temporality = True, 1
    for n in range(2):
        some = {"attributes": attributes(route="/", code=200 + n, ok=True), "time_unix_nano": TS_NS, "start_time_unix_nano": 5}
        gauge.gauge.data_points.add(as_double=1.5 + n, **some)
        total.sum.data_points.add(as_int=7 + n, **some)
        deltas.sum.data_points.add(as_int=7 + n, **some)
    histogram = scope.metrics.add(name="h", unit="s").histogram
    histogram.aggregation_temporality = 2
    histogram.data_points.add(time_unix_nano=TS_NS, count=6, sum=2.5, bucket_counts=[1, 2, 3], explicit_bounds=[0.1, 1])
    exponential = scope.metrics.add(name="e").exponential_histogram
    exponential.aggregation_temporality = 1
    exponential.data_points.add(
        time_unix_nano=TS_NS, count=6, scale=2, zero_count=1, positive={"offset": -3, "bucket_counts": [1, 0, 4]}
    )
    summary = scope.metrics.add(name="s").summary
    summary.data_points.add(time_unix_nano=TS_NS, count=6, sum=2.5, quantile_values=[{"quantile": 0.99, "value": 3.5}])
    return data


METRICS_JSON = (
    b'{"resourceMetrics":[{"resource":{"attributes":[{"key":"service.name","value":{"stringValue":"cart"}}]},'
    b'"scopeMetrics":[{"scope":{"name":"lib"},"metrics":['
    b'{"name":"t","sum":{"isMonotonic":true,"aggregationTemporality":2,"dataPoints":[{"timeUnixNano":"1795218875509000000",'
    b'"asInt":"7","attributes":[{"key":"code","value":{"intValue":"200"}}]}]}},'
    b'{"name":"g","gauge":{"dataPoints":[{"timeUnixNano":1795218875509000000,"asDouble":1.5}]}},'
    b'{"name":"h","histogram":{"aggregationTemporality":1,"dataPoints":[{"timeUnixNano":"1795218875509000000","count":"3",'
    b'"sum":2.5,"bucketCounts":["1","2"],"explicitBounds":[0.5]}]}}]}]}]}'
)


def logs():
    """A line, a line without its own time, an object, a named event, a Kubernetes event."""
    data = LogsData()
    part = data.resource_logs.add()
    part.resource.attributes.extend(attributes(service_name="cart"))
    records = part.scope_logs.add().log_records
    records.add(time_unix_nano=TS_NS, severity_number=9, body={"string_value": "order 5 placed"}, trace_id=b"\1" * 16)
    records.add(observed_time_unix_nano=TS_NS, severity_text="ERROR", body={"string_value": "no connection"})
    records.add(time_unix_nano=TS_NS).body.kvlist_value.values.extend(attributes(level="warn", msg="slow query", ms=8.5))
    records.add(time_unix_nano=TS_NS, event_name="flag.changed", attributes=attributes(flag="new-cart"))
    event = records.add(time_unix_nano=TS_NS, severity_number=13, body={"string_value": "Back-off"})
    event.attributes.extend(attributes(k8s_event_reason="BackOff", k8s_event_count=7, k8s_namespace_name="shop"))
    return data


LOGS_JSON = (
    b'{"resourceLogs":[{"resource":{"attributes":[{"key":"service.name","value":{"stringValue":"cart"}}]},"scopeLogs":[{"logRecords":['
    b'{"timeUnixNano":"1795218875509000000","severityNumber":17,"body":{"stringValue":"no connection"}},'
    b'{"timeUnixNano":1795218875509000000,"body":{"kvlistValue":{"values":[{"key":"msg","value":{"stringValue":"slow"}}]}}},'
    b'{"timeUnixNano":"1795218875509000000","eventName":"deployed","attributes":[{"key":"v","value":{"intValue":"2"}}]}]}]}]}'
)


def traces():
    """A call from one service to another that asks a database; the second fails."""
    data = TracesData()
    for n, service in enumerate(("cart", "prices")):
        part = data.resource_spans.add()
        part.resource.attributes.extend(attributes(service_name=service))
        spans = part.scope_spans.add().spans
        some = {"trace_id": b"\1" * 16, "start_time_unix_nano": TS_NS, "end_time_unix_nano": TS_NS + 250_000_000}
        parent = bytes([2 * n]) * 8
        spans.add(
            name="GET /prices/17", kind=2, span_id=bytes([10 + n]) * 8, parent_span_id=parent, status={"code": 2 * n}, **some
        )
        call = spans.add(name="call", kind=3, span_id=bytes([2 * n + 2]) * 8, parent_span_id=bytes([10 + n]) * 8, **some)
        call.attributes.extend(attributes(db_system="postgresql") if n else attributes(server_address="prices.shop.svc:80"))
    return data


TRACES_JSON = (
    b'{"resourceSpans":[{"resource":{"attributes":[{"key":"service.name","value":{"stringValue":"cart"}}]},"scopeSpans":[{"spans":['
    b'{"traceId":"5B8EFFF798038103D269B633813FC60C","spanId":"EEE19B7EC3C1B174","parentSpanId":"","name":"GET /cart","kind":2,'
    b'"startTimeUnixNano":"1795218875509000000","endTimeUnixNano":"1795218875559000000","status":{"code":2}}]}]}]}'
)
