"""MessagePack documents, read as the source's `mapping` says, just like JSON: Fluent Bit writes them with `format msgpack`."""

from __future__ import annotations

from typing import Any, Final

import msgspec

from connectors.codecs.json_mapping import JsonCodec
from connectors.codecs.plain import plain
from engine.config.tree import Source
from engine.errors import DecodeError, Reject
from engine.records import Record

_DECODER: Final = msgspec.msgpack.Decoder(ext_hook=lambda _code, _data: None)
"""What it makes is bounded by what it reads: a length that is larger than the record is refused before anything is made."""


class MessagePackCodec(JsonCodec):
    """Stateless but for the caches of its reader."""

    def __init__(self, source: Source) -> None:
        super().__init__(source)
        self._is_flat = False

    def _parse(self, record: Record) -> Any:
        return parse_messagepack(record.value or b"")


def parse_messagepack(value: bytes) -> Any:
    """The document, as JSON would have it. Raises DecodeError."""
    try:
        return plain(_DECODER.decode(value))
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError, OverflowError, ValueError, TypeError) as error:
        raise DecodeError(Reject.MALFORMED, "not MessagePack") from error
