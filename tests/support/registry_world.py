"""A schema registry on loopback, as Confluent's answers; and messages in its framing."""

from __future__ import annotations

import base64
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from io import BytesIO
from typing import Any, Self
from urllib.parse import unquote, urlsplit

import fastavro
import orjson
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory, timestamp_pb2

from connectors.schemas import Schema

POINT = {
    "type": "record",
    "name": "Point",
    "namespace": "shop",
    "fields": [
        {"name": "ts", "type": {"type": "long", "logicalType": "timestamp-millis"}},
        {"name": "metric", "type": "string"},
        {"name": "value", "type": ["null", "double"]},
        {"name": "labels", "type": {"type": "map", "values": "string"}},
    ],
}
TS_MS = 1_795_218_876_000


def frame(identity: int, body: bytes) -> bytes:
    return b"\x00" + identity.to_bytes(4, "big") + body


def avro_point(value: float | None = 1.5, ts_ms: int = TS_MS) -> bytes:
    out = BytesIO()
    document = {"ts": ts_ms, "metric": "queue_depth", "value": value, "labels": {"service": "checkout"}}
    fastavro.schemaless_writer(out, fastavro.parse_schema(POINT), document)
    return out.getvalue()


def point_file() -> descriptor_pb2.FileDescriptorProto:
    """`message Outer { message Point {…} }` with a time, a map, an enum and a number that may be zero."""
    file = descriptor_pb2.FileDescriptorProto(
        name="point.proto", package="shop", syntax="proto3", dependency=["google/protobuf/timestamp.proto"]
    )
    outer = file.message_type.add(name="Outer")
    point = outer.nested_type.add(name="Point")
    kind = descriptor_pb2.FieldDescriptorProto
    point.field.add(
        name="at", number=1, type=kind.TYPE_MESSAGE, type_name=".google.protobuf.Timestamp", label=kind.LABEL_OPTIONAL
    )
    point.field.add(name="metric", number=2, type=kind.TYPE_STRING, label=kind.LABEL_OPTIONAL)
    point.field.add(name="value", number=3, type=kind.TYPE_SINT64, label=kind.LABEL_OPTIONAL)
    point.field.add(
        name="labels", number=4, type=kind.TYPE_MESSAGE, type_name=".shop.Outer.Point.LabelsEntry", label=kind.LABEL_REPEATED
    )
    point.field.add(name="state", number=5, type=kind.TYPE_ENUM, type_name=".shop.Outer.State", label=kind.LABEL_OPTIONAL)
    entry = point.nested_type.add(name="LabelsEntry")
    entry.options.map_entry = True
    entry.field.add(name="key", number=1, type=kind.TYPE_STRING, label=kind.LABEL_OPTIONAL)
    entry.field.add(name="value", number=2, type=kind.TYPE_STRING, label=kind.LABEL_OPTIONAL)
    state = outer.enum_type.add(name="State")
    state.value.add(name="UNKNOWN", number=0)
    state.value.add(name="UP", number=1)
    return file


def protobuf_point(value: int = 7) -> bytes:
    """Message indexes 0, 0 and the message."""
    pool = descriptor_pool.DescriptorPool()
    pool.AddSerializedFile(timestamp_pb2.DESCRIPTOR.serialized_pb)
    pool.Add(point_file())
    point = message_factory.GetMessageClass(pool.FindMessageTypeByName("shop.Outer.Point"))()
    point.at.FromMilliseconds(TS_MS)
    point.metric, point.value, point.state = "queue_depth", value, 1
    point.labels["service"] = "checkout"
    return b"\x04\x00\x00" + point.SerializeToString()


SCHEMAS: dict[int | str, Schema] = {
    1: Schema("AVRO", orjson.dumps(POINT).decode()),
    2: Schema("PROTOBUF", base64.b64encode(point_file().SerializeToString()).decode()),
    3: Schema("JSON", '{"type":"object"}'),
}


class Known:
    """Implements `connectors.schemas.Schemas` with those above."""

    def __init__(self, schemas: dict[int | str, Schema] | None = None) -> None:
        self._schemas = SCHEMAS if schemas is None else schemas

    def known(self, schema: int | str) -> Schema | None:
        return self._schemas.get(schema)


class FakeRegistry:
    """Answers what it is told to: `answers` by path, `refusals` first (status and body), each once."""

    def __init__(self) -> None:
        self.answers: dict[str, dict[str, Any]] = {
            "/schemas/ids/1": {"schema": SCHEMAS[1].text},
            "/schemas/ids/2": {"schema": "syntax …", "schemaType": "PROTOBUF"},
            "/schemas/ids/2?format=serialized": {"schema": SCHEMAS[2].text, "schemaType": "PROTOBUF"},
            "/schemas/ids/3": {"schema": SCHEMAS[3].text, "schemaType": "JSON"},
        }
        self.refusals: list[tuple[int, bytes]] = []
        self.asked: list[tuple[str, str]] = []
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        registry = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                path = unquote(self.path)
                registry.asked.append((urlsplit(path).path, self.headers.get("Authorization", "")))
                status, body = registry.answer(path)
                self.send_response(status)
                if status == 302:
                    self.send_header("Location", f"{registry.url}/schemas/ids/1")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                """Silent."""

        return Handler

    def answer(self, path: str) -> tuple[int, bytes]:
        if self.refusals:
            return self.refusals.pop(0)
        found = self.answers.get(path)
        return (200, orjson.dumps(found)) if found else (404, b'{"error_code":40403,"message":"Schema not found"}')

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
