"""The formats that a source may name."""

from __future__ import annotations

from enum import StrEnum


class Format(StrEnum):
    """Input formats; `connectors.codecs` has one codec for each."""

    JSON = "json"
    INFLUX = "influx"
    CLOUDEVENTS = "cloudevents"
    TEXT = "text"  # the whole value is one log line
    PROMETHEUS_REMOTE_WRITE = "prometheus_remote_write"  # bodies of remote write, versions 1 and 2
    COLLECTD = "collectd"  # JSON, as its write_kafka plugin writes it
    GRAPHITE = "graphite"  # lines of path, value and time
    # OpenTelemetry: what the Collector's Kafka exporter writes as `otlp_proto` and as `otlp_json`
    OTLP_METRICS = "otlp_metrics"
    OTLP_METRICS_JSON = "otlp_metrics_json"
    OTLP_LOGS = "otlp_logs"
    OTLP_LOGS_JSON = "otlp_logs_json"
    OTLP_TRACES = "otlp_traces"
    OTLP_TRACES_JSON = "otlp_traces_json"
    SYSLOG = "syslog"  # RFC 5424 and RFC 3164 as they stand
    LOGFMT = "logfmt"  # lines of key=value, by mapping
    MESSAGEPACK = "messagepack"  # documents, by mapping
    SCHEMA_REGISTRY = "schema_registry"  # Avro, Protobuf and JSON whose schemas a registry keeps, by mapping
    ALERTMANAGER = "alertmanager"  # webhook version 4, and what its event recorder writes
