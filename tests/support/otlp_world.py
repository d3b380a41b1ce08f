"""Small messages of OpenTelemetry."""

from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.metrics.v1.metrics_pb2 import MetricsData

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
