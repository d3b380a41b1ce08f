"""Messages whose schema a registry keeps, in Confluent's framing: Avro, Protobuf and JSON, read as the source's `mapping` says.

Of which kind a schema is, the registry says; a topic may hold several. The codec never asks it: the schemas have been fetched when a record
gets here (`connectors/sources/schooled.py`). What is still not known then, the registry does not have.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib.util import find_spec
from typing import Any, Final

from connectors.codecs.avro import avro_reader
from connectors.codecs.json_mapping import JsonCodec, parse_json
from connectors.codecs.protobuf_documents import protobuf_reader
from connectors.schemas import NoSchemas, Schema, SchemaId, Schemas, framed
from engine.config.tree import Source
from engine.errors import Complaint, ConfigError, DecodeError, Reject
from engine.records import Record

READERS_MAX: Final = 1_000
"""Schemas made ready; when full, all are forgotten."""
Reader = Callable[[bytes], Any]


class SchemaRegistryCodec(JsonCodec):
    """Stateless but for caches. Raises ConfigError when the extra `registry` is not installed."""

    def __init__(self, source: Source, schemas: Schemas | None = None) -> None:
        if find_spec("fastavro") is None:
            place = f"sources.{source.name}.format"
            raise ConfigError((Complaint(place, "needs the extra `registry`", suggestion="pip install 'foreshock[registry]'"),))
        super().__init__(source)
        self._is_flat = False
        self._schemas = schemas or NoSchemas()
        self._readers: dict[SchemaId, Reader] = {}

    def _parse(self, record: Record) -> Any:
        found = framed(record)
        if found is None:
            raise DecodeError(Reject.MALFORMED, "no id of a schema")
        return self._reader_of(found.schema)(found.body)

    def _reader_of(self, identity: SchemaId) -> Reader:
        reader = self._readers.get(identity)
        if reader is None:
            schema = self._schemas.known(identity)
            if schema is None:
                raise DecodeError(Reject.UNSUPPORTED, f"the registry has no schema {identity}")
            if len(self._readers) >= READERS_MAX:
                self._readers.clear()
            reader = self._readers[identity] = reader_of(schema)
        return reader


def reader_of(schema: Schema) -> Reader:
    """A function from a body to its document, which raises DecodeError; for a schema that cannot be used it always does."""
    try:
        if schema.kind == "AVRO":
            return avro_reader(schema)
        if schema.kind == "PROTOBUF":
            return protobuf_reader(schema)
    except DecodeError as error:
        return _refusing(error.detail)  # remembered: a schema that cannot be used is not tried with each record
    return parse_json if schema.kind == "JSON" else _refusing(f"schemas of the kind {schema.kind[:20]} are not read")


def _refusing(detail: str) -> Reader:
    def refuse(_: bytes) -> Any:
        raise DecodeError(Reject.UNSUPPORTED, detail)

    return refuse
