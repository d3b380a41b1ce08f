"""Traces of OpenTelemetry, as OTLP/protobuf and as OTLP/JSON: each finished span.

Whom a span calls is taken from its attributes, in the names of today and of some years ago: a service that is named, a
messaging system and its destination, a database, a host by name. Source: opentelemetry-proto, trace.proto; semantic conventions 1.20 to 1.37.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

from opentelemetry.proto.trace.v1.trace_pb2 import TracesData

from connectors.codecs import otlp_json
from connectors.codecs.columns import ColumnsBuilder
from connectors.codecs.json_logs import STREAMS_MAX
from connectors.codecs.otlp_common import Labels, Parser, facts_of, json_parser, labels_of, protobuf_parser, span_id, time_of
from engine.config.tree import Source
from engine.errors import DecodeError, Reject
from engine.ports import Catalog
from engine.records import Decoded, Record, Span

OPERATION_MAX: Final = 200
PEER_MAX: Final = 200
HOST_MAX: Final = 255
INTERNAL: Final = "internal"
KINDS: Final = (INTERNAL, INTERNAL, "server", "client", "producer", "consumer")
CALLS: Final = frozenset({"client", "producer", "consumer"})
"""Kinds of spans that need somebody else."""
LASTS_MAX_NS: Final = 86_400_000_000_000
_ERROR: Final = 2
_SERVICES: Final = (
    "service.name",
    "k8s.deployment.name",
    "k8s.statefulset.name",
    "k8s.daemonset.name",
    "k8s.pod.name",
    "host.name",
)
_HOSTS: Final = ("server.address", "net.peer.name", "http.host", "network.peer.address", "net.sock.peer.name")
_SYSTEMS: Final = ("db.system.name", "db.system")
_DATABASES: Final = ("db.namespace", "db.name")
_DESTINATIONS: Final = ("messaging.destination.template", "messaging.destination.name", "messaging.destination")
_ADDRESS: Final = re.compile(r"[\d.]+|.*:.*:.*")  # IPv4 and IPv6
_LOCAL: Final = frozenset({"localhost", ""})


class OtlpTracesCodec:
    """Stateless but for a cache: attributes of a resource → stream key and service. `parse` says which encoding it is."""

    def __init__(self, source: Source, parse: Parser) -> None:
        self._parse = parse
        self._source = source
        self._streams: dict[Labels, tuple[bytes, str]] = {}
        self._catalog: Catalog | None = None

    def decode(self, records: Sequence[Record], catalog: Catalog) -> Decoded:
        """As `ports.Codec`."""
        if catalog is not self._catalog:
            self._streams.clear()
            self._catalog = catalog
        out = ColumnsBuilder(self._source.line_bytes_max)
        for row, record in enumerate(records):
            before = out.marks()
            try:
                for part in self._parse(record.value or b"").resource_spans:
                    _read_part(row, part, self._stream(labels_of(part.resource.attributes), catalog), out)
            except DecodeError as error:
                out.reject(row, error.reason, error.detail)
            if out.marks() == before:
                out.reject(row, Reject.EMPTY, "no spans")
        return out.build()

    def _stream(self, resource: Labels, catalog: Catalog) -> tuple[bytes, str]:
        found = self._streams.get(resource)
        if found is None:
            named = dict(resource)
            service = next((named[label] for label in _SERVICES if named.get(label)), self._source.name)
            found = catalog.stream(named if named.get("service.name") else {**named, "service": service}), service
            if len(self._streams) >= STREAMS_MAX:
                self._streams.clear()
            self._streams[resource] = found
        return found


def traces_protobuf(source: Source) -> OtlpTracesCodec:
    """The codec of `otlp_traces`."""
    return OtlpTracesCodec(source, protobuf_parser(TracesData))


def traces_json(source: Source) -> OtlpTracesCodec:
    """The codec of `otlp_traces_json`."""
    return OtlpTracesCodec(source, json_parser(otlp_json.TracesData))


def _read_part(row: int, part: Any, place: tuple[bytes, str], out: ColumnsBuilder) -> None:
    for span in (span for scope in part.scope_spans for span in scope.spans):
        _read(row, *place, span, out)


def _read(row: int, stream: bytes, service: str, span: Any, out: ColumnsBuilder) -> None:
    try:
        ts_ns, start_ns = time_of(span.end_time_unix_nano), time_of(span.start_time_unix_nano)
    except DecodeError as error:
        out.reject(row, error.reason, error.detail)
        return
    if not 0 <= ts_ns - start_ns <= LASTS_MAX_NS:
        out.reject(row, Reject.BAD_TIME, "a span that ends before it begins, or lasts for more than a day")
        return
    kind = KINDS[span.kind] if 0 <= span.kind < len(KINDS) else INTERNAL
    out.spans.append(
        Span(
            row=row,
            ts_ns=ts_ns,
            stream=stream,
            service=service,
            operation=operation_of(span.name),
            kind=kind,
            seconds=(ts_ns - start_ns) * 1e-9,
            is_error=span.status.code == _ERROR,
            trace_id=span_id(span.trace_id),
            span_id=span_id(span.span_id),
            parent_id=span_id(span.parent_span_id),
            peer=peer_of(facts_of(span.attributes))[:PEER_MAX] if kind in CALLS else "",
        )
    )


_QUERY: Final = re.compile(r"[?#]\S*")
_PART: Final = re.compile(r"(?<=/)(?!v\d{1,3}(?:[/\s]|$))[^/\s]*\d[^/\s]*")
_NUMBER: Final = re.compile(r"\b(?:\d+|[0-9a-f]{16,}|[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})\b")


def operation_of(name: str) -> str:
    """A span's name without what is different each time: parts of a path that have digits (but v1), numbers, ids, the query.

    >>> [operation_of(name) for name in ("GET /api/v1/orders/8f14e45f/items?page=2", "job 1742", "SELECT orders", "oauth2 token")]
    ['GET /api/v1/orders/*/items', 'job *', 'SELECT orders', 'oauth2 token']
    """
    name = name[: 4 * OPERATION_MAX]
    if "/" in name:
        name = _PART.sub("*", _QUERY.sub("", name))
    return _NUMBER.sub("*", name).strip()[:OPERATION_MAX]


def peer_of(facts: Mapping[str, str]) -> str:
    """Whom a span calls, as an entity; "" when it does not say.

    >>> peer_of({"db.system": "postgresql", "server.address": "orders-db.shop.svc.cluster.local"})
    'orders-db'
    >>> peer_of({"db.system": "redis", "server.address": "10.0.3.17"}), peer_of({"messaging.system": "kafka", "messaging.destination": "orders"})
    ('redis', 'kafka/orders')
    """
    if facts.get("peer.service"):
        return facts["peer.service"]
    messaging = facts.get("messaging.system", "")
    if messaging:
        destination = _first(facts, _DESTINATIONS)
        return f"{messaging}/{operation_of(destination)}" if destination else messaging
    host = host_of(_first(facts, _HOSTS))
    if host:
        return host
    system = _first(facts, _SYSTEMS)
    database = _first(facts, _DATABASES) if system else ""
    return f"{system}/{database}" if database else system


def host_of(address: str) -> str:
    """A host by its name, of a Kubernetes service the service; "" for addresses, which say nothing of their own.

    >>> [host_of(a) for a in ("cart.shop.svc.cluster.local:8080", "api.example.com:443", "10.0.0.1:80", "[::1]", "localhost")]
    ['cart', 'api.example.com', '', '', '']
    """
    address = address[:HOST_MAX]
    host = address if address.count(":") > 1 else address.partition(":")[0]
    host = host.rstrip(".").lower()
    if host in _LOCAL or _ADDRESS.fullmatch(host):
        return ""
    parts = host.split(".")
    return parts[0] if "svc" in parts[1:3] else host


def _first(facts: Mapping[str, str], names: Sequence[str]) -> str:
    return next((facts[name] for name in names if facts.get(name)), "")
