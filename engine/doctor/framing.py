"""What the first bytes of a record say where no format reads it: schemas of a registry, packed bodies."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Final

from engine.config.values import Compression
from engine.records import Record

SCHEMA_HEADERS: Final = frozenset({"__value_schema_id", "__key_schema_id"})
_AVRO_FILE: Final = b"Obj\x01"


def framing_of(record: Record) -> str:
    """What the bytes look like, in words; "" for nothing that is known."""
    value = record.value or b""
    if any(name in SCHEMA_HEADERS for name, _ in record.headers):
        return "messages of a schema registry, with the schema's id in a header"
    if value[:1] == b"\x00" and len(value) > 5:
        return f"messages of a schema registry (Confluent's framing, schema {int.from_bytes(value[1:5], 'big')})"
    if value[:2] == b"\xc3\x01":
        return "Avro with a fingerprint of its schema (single-object encoding)"
    if value[:4] == _AVRO_FILE:
        return "whole files of Avro"
    return ""


def framings(records: Iterable[Record]) -> Counter[str]:
    """How often each is seen."""
    return Counter(filter(None, map(framing_of, records)))


def ways_to_open(records: Iterable[Record]) -> list[Compression]:
    """How bodies may have been packed, to be tried in this order. What a header or the first bytes say comes first."""
    marked = said = False
    for record in records:
        value = record.value or b""
        marked |= value[:2] == b"\x1f\x8b" or value[:4] == b"\x28\xb5\x2f\xfd"
        said |= any(name.lower() == "content-encoding" for name, _ in record.headers)
    first = [Compression.AUTO] if marked else [Compression.NONE, *([Compression.AUTO] if said else [])]
    return [*first, Compression.SNAPPY]
