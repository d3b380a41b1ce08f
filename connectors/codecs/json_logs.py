"""A JSON document's text → one log line, by the mapping of its source."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import orjson

from connectors.codecs.columns import ColumnsBuilder
from connectors.codecs.json_paths import Document, compile_labels, compile_path
from connectors.codecs.json_pieces import PieceReader
from engine import severity
from engine.config.tree import Mapping
from engine.errors import DecodeError, Reject
from engine.line_fields import FieldReader, joined_fields
from engine.line_labels import kept_labels
from engine.ports import Catalog
from engine.records import NO_FIELDS, Fields

STREAMS_MAX = 200_000
"""Streams remembered; when full, all are forgotten."""
_MESSAGES = ("msg", "message", "log", "@message", "event")
_LEVELS = ("level", "severity", "lvl", "log.level", "levelname", "@level")


class LogReader:
    """Reads documents that carry one log line each."""

    def __init__(self, mapping: Mapping, catalog: Catalog, keep: Sequence[str] = ()) -> None:
        """`keep` names members that split streams beside the labels of the mapping."""
        self._message = compile_path(mapping.message)
        self._severity = compile_path(mapping.severity)
        self._scale = mapping.severity_scale
        self._labels = compile_labels(mapping.labels)
        self._keep = [name for name in keep if not isinstance(mapping.labels, dict) or name not in mapping.labels]
        self._embedded = mapping.embedded_json
        self._fields = FieldReader(mapping)
        self._streams: dict[tuple[tuple[str, str], ...], bytes] = {}
        self._catalog = catalog
        self._pieces = PieceReader(mapping) if mapping.origin and (mapping.partial or mapping.stack_traces) else None

    def read(self, row: int, ts_ns: int, document: Document, out: ColumnsBuilder) -> None:
        """Put the line of one document. Raises DecodeError when it has none, or too many labels."""
        message = self._message(document)
        if message is None:
            raise DecodeError(Reject.WRONG_TYPE, "no text at the path of the message")
        text = _text(message)
        level, labels, fields = self._beside(document)
        if self._pieces is not None:
            self._pieces.read(document, message, text, out, self._opened)
        if self._embedded and text[:1] == b"{":
            text, inner, members = embedded(text, self._scale)
            level, fields = level or inner, joined_fields(fields, self._fields.read(members))
            labels = (*kept_labels(members, self._keep), *labels)
        out.line(row, self._stream(labels), ts_ns, level or severity.in_text(text), text, fields)

    def beside(self, document: Document) -> tuple[bytes, int, Fields]:
        """What a document says beside its text: the stream, the level, and what else it carries. Raises DecodeError for too many labels."""
        level, labels, fields = self._beside(document)
        return self._stream(labels), level, fields

    def _beside(self, document: Document) -> tuple[int, tuple[tuple[str, str], ...], Fields]:
        level = severity.of_value(self._severity(document), self._scale)
        labels = (*kept_labels(document, self._keep), *self._labels(document))
        return level, labels, self._fields.read(document)

    def _opened(self, text: bytes) -> tuple[bytes, int, Fields]:
        """A line of any length → the text that counts, the level that it names itself, and what it carries beside the text."""
        level, fields = 0, NO_FIELDS
        if self._embedded and text[:1] == b"{":
            text, level, members = embedded(text, self._scale)
            fields = self._fields.read(members)
        return text, level or severity.in_text(text), fields

    def _stream(self, labels: tuple[tuple[str, str], ...]) -> bytes:
        key = self._streams.get(labels)
        if key is None:
            key = self._catalog.stream(dict(labels))
            if len(self._streams) >= STREAMS_MAX:
                self._streams.clear()
            self._streams[labels] = key
        return key


def _text(message: Any) -> bytes:
    """The line in UTF-8, without the byte order mark, leading blanks and trailing newline that syslog and Docker leave."""
    if type(message) is str:
        return tidy(message).encode()
    if type(message) is list and all(type(byte) is int and 0 <= byte <= 255 for byte in message):
        return tidy(bytes(message).decode("utf-8", "replace")).encode()  # journald: text that is not clean UTF-8
    if type(message) is list and all(type(part) is str for part in message):
        return tidy("\n".join(message)).encode()  # journald: a field that came more than once
    if type(message) in (dict, list):
        return _dumped(message)
    raise DecodeError(Reject.WRONG_TYPE, "the message is not a text")


def _dumped(message: Any) -> bytes:
    try:
        return orjson.dumps(message)
    except TypeError as error:  # JSON may be read at a depth at which it cannot be written
        raise DecodeError(Reject.WRONG_TYPE, "a message that is nested too deeply") from error


def tidy(text: str) -> str:
    """Without a byte order mark, leading blanks and trailing white space."""
    return text.lstrip("\ufeff ").rstrip()


def embedded(text: bytes, scale: str) -> tuple[bytes, int, Document]:
    """The text, the level and the members of a message that is JSON itself; the message as it is, 0 and none when it is not."""
    try:
        inner = orjson.loads(text)
    except orjson.JSONDecodeError:
        return text, 0, {}
    words = next((inner[name] for name in _MESSAGES if type(inner.get(name)) is str), None)
    levels = (severity.of_value(inner.get(name), scale) for name in _LEVELS)
    return (text if words is None else tidy(words).encode()), next((level for level in levels if level), 0), inner
