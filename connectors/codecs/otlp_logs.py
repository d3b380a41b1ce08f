"""Logs of OpenTelemetry, as OTLP/protobuf and as OTLP/JSON: lines, and events where the record is one.

A record is an event when it has a name and belongs to no trace (one that does is a part of some request, and there may be
thousands a second), and when it is a Kubernetes event, from the Collector's k8sevents receiver or from its k8sobjects receiver.
All others are lines of the stream of their resource. Source: opentelemetry-proto, logs.proto.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import orjson
from opentelemetry.proto.logs.v1.logs_pb2 import LogsData

from connectors.codecs import otlp_json
from connectors.codecs.columns import ColumnsBuilder
from connectors.codecs.json_events import ATTRIBUTE_MAX, ATTRIBUTES_MAX, NAME_MAX, TEXT_MAX, changes
from connectors.codecs.json_logs import STREAMS_MAX, embedded, tidy
from connectors.codecs.json_paths import Document
from connectors.codecs.otlp_common import (
    Labels,
    Parser,
    facts_of,
    json_parser,
    labels_of,
    members_of,
    plain,
    protobuf_parser,
    span_id,
    time_of,
)
from engine import severity
from engine.config.tree import Source
from engine.errors import DecodeError, Reject
from engine.line_fields import FieldReader, joined_fields
from engine.line_labels import kept_labels
from engine.ports import Catalog
from engine.records import NO_FIELDS, Decoded, Event, Fields, Record
from engine.workloads import workload_of

REASON: Final = "k8s.event.reason"
CHANGES: Final = ["ScalingReplicaSet", "SuccessfulRescale"]
"""Kubernetes events that say that somebody or something changed the system, unless the source's mapping says which do."""
_TEXTS: Final = ("exception.message", "exception.type")
_EVENT_FACTS: Final = {"k8s.event.action": "action", "k8s.event.count": "count", "k8s.namespace.name": "namespace"}
_OBJECT_FACTS: Final = {"k8s.object.kind": "kind", "k8s.object.name": "object", "k8s.node.name": "node"}
_WORDS: Final = {"warning": severity.WARN, "normal": severity.INFO}


class OtlpLogsCodec:
    """Stateless but for a cache: attributes of a resource → stream key. `parse` says which encoding it is."""

    def __init__(self, source: Source, parse: Parser) -> None:
        self._parse = parse
        self._line_bytes_max = source.line_bytes_max
        self._embedded = source.mapping.embedded_json
        self._fields = FieldReader(source.mapping)
        self._keep = source.keep_log_labels
        self._is_change = source.mapping.is_change
        self._streams: dict[Labels, bytes] = {}
        self._catalog: Catalog | None = None

    def decode(self, records: Sequence[Record], catalog: Catalog) -> Decoded:
        """As `ports.Codec`."""
        if catalog is not self._catalog:
            self._streams.clear()
            self._catalog = catalog
        out = ColumnsBuilder(self._line_bytes_max)
        for row, record in enumerate(records):
            before = out.marks()
            try:
                for part in self._parse(record.value or b"").resource_logs:
                    self._read_part(row, record.ts_ns, part, out)
            except DecodeError as error:
                out.reject(row, error.reason, error.detail)
            if out.marks() == before:
                out.reject(row, Reject.EMPTY, "no log records")
        return out.build()

    def _read_part(self, row: int, record_ts_ns: int, part: Any, out: ColumnsBuilder) -> None:
        if not part.scope_logs:  # a few bytes each: a hostile JSON document has thousands
            return
        resource = labels_of(part.resource.attributes)
        for log in (log for scope in part.scope_logs for log in scope.log_records):
            self._read(row, record_ts_ns, resource, log, out)

    def _read(self, row: int, record_ts_ns: int, resource: Labels, log: Any, out: ColumnsBuilder) -> None:
        try:
            ts_ns = time_of(log.time_unix_nano or log.observed_time_unix_nano or record_ts_ns)
            event = self._event(row, ts_ns, resource, log)
            if event is not None:
                out.events.append(event)
                return
            text, level, members = _line(log)
            if self._embedded and text[:1] == b"{":
                text, inner, members = embedded(text, "otel")
                level = level or inner
            if not text:
                out.reject(row, Reject.EMPTY, "no text")
                return
            stream = self._stream((*self._kept(log, members), *resource) if self._keep else resource)
            out.line(row, stream, ts_ns, level or severity.in_text(text), text, self._carried(log, members))
        except DecodeError as error:
            out.reject(row, error.reason, error.detail)

    def _stream(self, resource: Labels) -> bytes:
        key = self._streams.get(resource)
        if key is None:
            key = self._known().stream(dict(resource))
            if len(self._streams) >= STREAMS_MAX:
                self._streams.clear()
            self._streams[resource] = key
        return key

    def _carried(self, log: Any, members: Document) -> Fields:
        """What a record carries beside its text: in its body, its attributes, and the trace that it belongs to."""
        if not self._fields.wanted:
            return NO_FIELDS
        attributes = members_of(log.attributes)
        trace = span_id(log.trace_id)
        if trace:
            attributes["trace_id"] = trace.hex()
        return joined_fields(self._fields.read(attributes), self._fields.read(members) if members else NO_FIELDS)

    def _kept(self, log: Any, members: Document) -> Labels:
        """The attributes of a record and the members of its body that split the stream of its resource."""
        attributes = {name: text for name, text in labels_of(log.attributes) if name in self._keep}
        return (*kept_labels(members, self._keep), *attributes.items())

    def _known(self) -> Catalog:
        if self._catalog is None:
            raise ValueError("nothing was decoded yet")
        return self._catalog

    def _event(self, row: int, ts_ns: int, resource: Labels, log: Any) -> Event | None:
        """The event that a record is; None when it is a line."""
        if log.body.WhichOneof("value") == "kvlist_value":
            found = _object_of(plain(log.body))
            if found:
                return self._kubernetes(row, ts_ns, found, _severity(log) or _WORDS.get(str(found.get("type")).lower(), 0))
        name = log.event_name
        if name and not span_id(log.trace_id):
            return self._named(row, ts_ns, resource, name[:NAME_MAX], log)
        attributes = facts_of(log.attributes) if len(log.attributes) > 0 else {}
        if not attributes.get(REASON):
            return None
        facts = {"reason": attributes[REASON], "message": _line(log)[0].decode()}
        facts |= {short: attributes[name] for name, short in _EVENT_FACTS.items() if attributes.get(name)}
        facts |= {short: text for name, text in resource if (short := _OBJECT_FACTS.get(name))}
        return self._kubernetes(row, ts_ns, facts, _severity(log))

    def _kubernetes(self, row: int, ts_ns: int, facts: Mapping[str, str], level: int) -> Event:
        reason = facts["reason"]
        owner = workload_of(facts.get("object", ""), facts.get("kind", "Pod"))
        labels = {"service": owner, "namespace": facts.get("namespace", ""), "node": facts.get("node", "")}
        name = f"k8s.{reason}"[:NAME_MAX]
        key, entity = self._known().event(name, {label: text for label, text in labels.items() if text})
        return Event(
            row=row,
            ts_ns=ts_ns,
            name=name,
            entity=entity,
            key=key,
            is_change=changes(self._is_change or CHANGES, reason),
            severity=level or severity.INFO,
            text=facts.get("message", "")[:TEXT_MAX],
            attributes={
                fact: text[:ATTRIBUTE_MAX] for fact, text in facts.items() if text and fact not in ("reason", "message", "type")
            },
        )

    def _named(self, row: int, ts_ns: int, resource: Labels, name: str, log: Any) -> Event:
        key, entity = self._known().event(name, dict(resource))
        facts = [(fact, text[:ATTRIBUTE_MAX]) for fact, text in labels_of(log.attributes) if text]
        return Event(
            row=row,
            ts_ns=ts_ns,
            name=name,
            entity=entity,
            key=key,
            is_change=changes(self._is_change, name),
            severity=_severity(log) or severity.INFO,
            text=_line(log)[0].decode()[:TEXT_MAX],
            attributes=dict(facts[:ATTRIBUTES_MAX]),
        )


def logs_protobuf(source: Source) -> OtlpLogsCodec:
    """The codec of `otlp_logs`."""
    return OtlpLogsCodec(source, protobuf_parser(LogsData))


def logs_json(source: Source) -> OtlpLogsCodec:
    """The codec of `otlp_logs_json`."""
    return OtlpLogsCodec(source, json_parser(otlp_json.LogsData))


def _severity(log: Any) -> int:
    """As the record says, in numbers or in words; 0 unknown."""
    return severity.of_number(log.severity_number, "otel") or severity.of_value(log.severity_text, "otel")


def _line(log: Any) -> tuple[bytes, int, Document]:
    """The text of a record, its level, and the members of its body. Of an object the member that is its message, else all of it as JSON."""
    level = _severity(log)
    which = log.body.WhichOneof("value")
    if which == "string_value":
        return tidy(log.body.string_value).encode(), level, {}
    body = plain(log.body)
    if body is None:
        attributes = facts_of(log.attributes)
        body = next((attributes[name] for name in _TEXTS if attributes.get(name)), log.event_name)
    if isinstance(body, dict):
        text, inner, members = embedded(orjson.dumps(body, default=str), "otel")
        return text, level or inner, members
    return (body.encode() if isinstance(body, str) else orjson.dumps(body, default=str)), level, {}


def _object_of(body: dict[str, Any]) -> dict[str, str]:
    """The facts of a Kubernetes event that was sent as an object, or as what a watch says of one; {} when it is none."""
    found = body.get("object", body)
    if (
        not isinstance(found, dict)
        or found.get("kind") != "Event"
        or not isinstance(found.get("reason"), str)
        or not found["reason"]
    ):
        return {}
    about = found.get("regarding") or found.get("involvedObject")
    about = about if isinstance(about, dict) else {}
    source = found.get("source") or found.get("deprecatedSource")
    facts = {
        "reason": found["reason"],
        "message": found.get("note") or found.get("message"),
        "type": found.get("type"),
        "action": found.get("action"),
        "kind": about.get("kind"),
        "object": about.get("name"),
        "namespace": about.get("namespace"),
        "node": source.get("host") if isinstance(source, dict) else None,
    }
    return {fact: text for fact, text in facts.items() if isinstance(text, str) and text}
