"""Input formats. One codec for each `Format`; a source's configuration says which, the bytes are never asked."""

from __future__ import annotations

from collections.abc import Callable

from connectors.codecs.alertmanager import AlertmanagerCodec
from connectors.codecs.cloudevents import CloudEventsCodec
from connectors.codecs.collectd import CollectdCodec
from connectors.codecs.graphite import GraphiteCodec
from connectors.codecs.header_times import HeaderTimesCodec
from connectors.codecs.influx import InfluxCodec
from connectors.codecs.json_mapping import JsonCodec
from connectors.codecs.logfmt import LogfmtCodec
from connectors.codecs.messagepack import MessagePackCodec
from connectors.codecs.otlp_logs import logs_json, logs_protobuf
from connectors.codecs.otlp_metrics import metrics_json, metrics_protobuf
from connectors.codecs.otlp_traces import traces_json, traces_protobuf
from connectors.codecs.packed import PackedCodec
from connectors.codecs.remote_write import RemoteWriteCodec
from connectors.codecs.schema_registry import SchemaRegistryCodec
from connectors.codecs.syslog import SyslogCodec
from connectors.codecs.text import TextCodec
from connectors.schemas import Schemas
from engine.config.tree import Format, Source
from engine.config.values import Compression
from engine.ports import Codec

CODECS: dict[Format, Callable[[Source], Codec]] = {
    Format.JSON: JsonCodec,
    Format.INFLUX: InfluxCodec,
    Format.CLOUDEVENTS: CloudEventsCodec,
    Format.TEXT: TextCodec,
    Format.OTLP_METRICS: metrics_protobuf,
    Format.OTLP_METRICS_JSON: metrics_json,
    Format.OTLP_LOGS: logs_protobuf,
    Format.OTLP_LOGS_JSON: logs_json,
    Format.OTLP_TRACES: traces_protobuf,
    Format.OTLP_TRACES_JSON: traces_json,
    Format.PROMETHEUS_REMOTE_WRITE: RemoteWriteCodec,
    Format.COLLECTD: CollectdCodec,
    Format.GRAPHITE: GraphiteCodec,
    Format.SYSLOG: SyslogCodec,
    Format.LOGFMT: LogfmtCodec,
    Format.MESSAGEPACK: MessagePackCodec,
    Format.SCHEMA_REGISTRY: SchemaRegistryCodec,
    Format.ALERTMANAGER: AlertmanagerCodec,
}


def build_codec(source: Source, schemas: Schemas | None = None) -> Codec:
    """A new codec, for one shard of the source. `schemas` are those that its messages name.

    Raises ConfigError when its mapping does not say what a document is.
    """
    codec = _of_format(source, schemas)
    return codec if source.header_times is None else HeaderTimesCodec(codec, source.header_times)


def _of_format(source: Source, schemas: Schemas | None) -> Codec:
    if schemas is not None and source.format is Format.SCHEMA_REGISTRY:
        return SchemaRegistryCodec(source, schemas)
    codec = CODECS[source.format](source)
    return codec if source.compression is Compression.NONE else PackedCodec(codec, source)
