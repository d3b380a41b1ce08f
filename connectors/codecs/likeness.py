"""How much in the records of a topic speaks for a source block: what `foreshock doctor` compares. Nothing that reads a topic asks this.

A format that says itself what it is counts ten. Of a mapping each path counts by what it is for, and half as much against
the block where nothing is there. OpenTelemetry's three messages are told apart by how many of their bytes each of them knows.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from itertools import compress
from typing import Any, Final, NamedTuple

from google.protobuf.message import DecodeError as ProtobufError
from google.protobuf.message import Message
from opentelemetry.proto.logs.v1.logs_pb2 import LogsData
from opentelemetry.proto.metrics.v1.metrics_pb2 import MetricsData
from opentelemetry.proto.trace.v1.trace_pb2 import TracesData

from connectors.codecs.json_mapping import parse_json
from connectors.codecs.json_paths import Document, alternatives, compile_path
from connectors.codecs.logfmt import parse_line
from connectors.codecs.messagepack import parse_messagepack
from connectors.codecs.schema_registry import reader_of
from connectors.schemas import Schemas, framed
from engine.config.tree import Format, Mapping, Source
from engine.errors import DecodeError
from engine.records import Record
from engine.times import TimeReader, unit_by_magnitude

DOCUMENTS_MAX: Final = 5
"""Documents of one record, where it carries many."""
CERTAIN: Final = 10.0
_LINES: Final = 6.0
_TEXT: Final = 0.5
_KNOWN_SHARE: Final = 0.98
_EARLIEST_S, _LATEST_S = 946_684_800, 4_102_444_800
"""2000 and 2100: a number outside is no time, whatever its unit."""
_SCALE: Final = {"s": 1.0, "ms": 1e3, "us": 1e6, "ns": 1e9}
_HEADER: Final = re.compile(r"<\d{1,3}>|(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec) [ \d]\d \d\d:\d\d:\d\d ", re.ASCII)
_PROTOBUF: Final[dict[Format, type[Message]]] = {
    Format.OTLP_METRICS: MetricsData,
    Format.OTLP_LOGS: LogsData,
    Format.OTLP_TRACES: TracesData,
}
DOCUMENTS: Final = (Format.JSON, Format.MESSAGEPACK, Format.SCHEMA_REGISTRY)
"""Ways to write one and the same document: what is known of a producer's JSON holds for them all."""
_BY_MAPPING: Final = frozenset({*DOCUMENTS, Format.LOGFMT})


class Likeness(NamedTuple):
    """What speaks for a block, and what it expects and is not there."""

    found: float
    missing: float

    @property
    def score(self) -> float:
        """To compare blocks by."""
        return self.found - self.missing / 2

    @property
    def share(self) -> float:
        """How much of what a block expects is there, 0 to 1."""
        return self.found / (self.found + self.missing) if self.found else 0.0


class Evidence:
    """Some records of one topic, looked at once for all blocks that are compared."""

    def __init__(self, records: Sequence[Record], schemas: Schemas | None = None) -> None:
        self._records = records
        self._schemas = schemas
        self._parsed: dict[Format, list[Any]] = {}

    def documents(self, records: str = "", kind: Format = Format.JSON) -> list[Document]:
        """The objects among them, of one way to write documents; `records` as in a mapping."""
        return list(_documents(self._of(kind), records))

    def written(self) -> list[Format]:
        """The ways in which documents are written among them."""
        return [kind for kind in DOCUMENTS if any(isinstance(found, (dict, list)) for found in self._of(kind))]

    def of(self, source: Source, rows: Sequence[bool]) -> Likeness:
        """What speaks for a block in those of the records that it reads."""
        if source.format in _BY_MAPPING:
            return _by_mapping(source.mapping, list(_documents(compress(self._of(source.format), rows), source.mapping.records)))
        by_format = _BY_FORMAT.get(source.format)
        read = [record.value or b"" for record in compress(self._records, rows)]
        share = 1.0 if by_format is None else sum(map(by_format, read)) / max(1, len(read))
        weight = _WEIGHTS.get(source.format, CERTAIN)
        return Likeness(weight * share + self._named(source), weight * (1 - share))

    def fitted(self, source: Source) -> Source:
        """The block with the unit that its time is found to have; the block itself where that is not plain."""
        if source.format not in _BY_MAPPING or not source.mapping.time:
            return source
        path = compile_path(source.mapping.time)
        documents = _documents(self._of(source.format), source.mapping.records)
        units = Counter(time_unit(found) for document in documents if (found := path(document)) is not None)
        unit = units.most_common(1)[0][0] if units else None
        if unit in (None, source.mapping.time_unit):
            return source
        mapping = source.mapping.model_copy(update={"time_unit": unit})
        return source.model_copy(update={"mapping": mapping})

    def _of(self, kind: Format) -> list[Any]:
        if kind not in self._parsed:
            self._parsed[kind] = [self._read(record, kind) for record in self._records]
        return self._parsed[kind]

    def _read(self, record: Record, kind: Format) -> Any:
        if kind is not Format.SCHEMA_REGISTRY:
            return _parsed(record.value, _PARSERS[kind])
        found = framed(record) if self._schemas is not None else None
        schema = self._schemas.known(found.schema) if self._schemas is not None and found is not None else None
        return _parsed(found.body, reader_of(schema)) if found is not None and schema is not None else None

    def _named(self, source: Source) -> float:
        """A little more for a block of events that names those that are there as changes."""
        names = source.mapping.is_change
        if isinstance(names, bool):
            return 0.0
        said = {value for document in self.documents() if type(value := document.get("type")) is str}
        said |= {
            value.decode("utf-8", "replace") for record in self._records for name, value in record.headers if name == "ce_type"
        }
        return 0.5 * bool(said & set(names))


def _by_mapping(mapping: Mapping, documents: Sequence[Document]) -> Likeness:
    if not documents:
        return Likeness(0.0, CERTAIN)
    found = missing = 0.0
    for weight, is_there in _expected(mapping):
        share = sum(map(is_there, documents)) / len(documents)
        found += weight * share
        missing += weight * (1 - share)
    goes_on = compile_path(mapping.partial)
    found += any(goes_on(document) in ("P", True, "true") for document in documents)
    return Likeness(found, missing)


def time_unit(value: object) -> str | None:
    """How a time is written, as `time_unit` of a mapping; None for what is none, or lies outside of 2000 to 2100."""
    if isinstance(value, str):
        try:
            TimeReader().rfc3339_ns(value)
        except DecodeError:
            return _unit_of_number(_number(value))
        return "auto_iso"
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return _unit_of_number(value)
    return None


def _number(text: str) -> float:
    return float(text) if len(text) <= 30 and text.replace(".", "", 1).isdecimal() and text.isascii() else 0.0


def _unit_of_number(value: float) -> str | None:
    unit = str(unit_by_magnitude(value))
    return unit if _EARLIEST_S < value / _SCALE[unit] < _LATEST_S else None


# ------------------------------------------------------------------------------------------------ documents
def _messagepack(value: bytes) -> Any:
    """Objects only: any short text is a number in MessagePack."""
    found = parse_messagepack(value)
    return found if type(found) in (dict, list) and found else None


def _parsed(value: bytes | None, parse: Callable[[bytes], Any]) -> Any:
    try:
        return parse(value or b"")
    except DecodeError:
        return None


def _logfmt(value: bytes) -> Any:
    """The members of a line that begins with one: a sentence with a member somewhere in it is text."""
    text = value.decode("utf-8", "replace")
    return parse_line(text) if "=" in text.split(" ", 1)[0] else None


_PARSERS: Final[dict[Format, Callable[[bytes], Any]]] = {
    Format.JSON: parse_json,
    Format.MESSAGEPACK: _messagepack,
    Format.LOGFMT: _logfmt,
}


def _documents(parsed: Iterable[Any], records: str) -> Iterator[Document]:
    inside = compile_path(records)
    for found in parsed:
        if not records:
            many = [found]
        elif records == ".":
            many = found if type(found) is list else []
        else:
            many = inside(found) if type(found) is dict else []
        if type(many) is list:
            yield from (document for document in many[:DOCUMENTS_MAX] if type(document) is dict)


def _expected(mapping: Mapping) -> Iterator[tuple[float, Callable[[Document], bool]]]:
    """What a mapping expects in a document: its weight, and whether it is there."""
    labels = {"*": mapping.labels} if isinstance(mapping.labels, str) else mapping.labels
    weighted = [
        (1.0, mapping.time),
        (1.0, mapping.name),
        (2.0, mapping.message),
        (2.0, mapping.event),
        (0.5, mapping.severity),
        (0.5, mapping.kind),
        (0.5, mapping.event_text),
        *((0.5, path) for path in (*labels.values(), *mapping.attributes.values(), *mapping.skip)),
    ]
    for weight, path in weighted:
        if path and path != "." and not path.startswith("="):
            yield weight, partial(_any_there, [compile_path(path)])
    if isinstance(mapping.values, dict):
        yield 2.0, partial(_any_there, [compile_path(path) for path in mapping.values.values()])
    elif mapping.values and mapping.values != ".":
        yield 2.0, partial(_any_there, [compile_path(path) for path in alternatives(mapping.values)])


def _any_there(paths: Sequence[Callable[[Document], Any]], document: Document) -> bool:
    return any(path(document) is not None for path in paths)


# ------------------------------------------------------------------------------------------------ formats by themselves
def _knows(kind: type[Message], value: bytes) -> bool:
    """Whether a message of protobuf has a name for nearly all the bytes."""
    try:
        message = kind.FromString(value)
    except ProtobufError:
        return False
    message.DiscardUnknownFields()
    return message.ByteSize() >= _KNOWN_SHARE * len(value)


def _has_header(value: bytes) -> bool:
    return _HEADER.match(value[:40].decode("utf-8", "replace").lstrip("\ufeff")) is not None


def _is_text(value: bytes) -> bool:
    """Words for people: no document, no syslog, and hardly any control characters. Another encoding than UTF-8 is text too."""
    if _has_header(value) or isinstance(_parsed(value, parse_json), (dict, list)):
        return False
    text = value[:4096].decode("utf-8", "replace")
    controls = sum(not character.isprintable() and character not in "\n\r\t\x1b" for character in text)
    return controls <= len(text) // 50 and text.count("\ufffd") <= len(text) // 4


def _is_of_alerts(value: bytes) -> bool:
    """A notification, or what the event recorder writes: the codec takes any other object with `data` for a kind it does not know."""
    found = _parsed(value, parse_json)
    return type(found) is dict and (type(found.get("alerts")) is list or found.keys() >= {"@timestamp", "data"})


_BY_FORMAT: Final[dict[Format, Callable[[bytes], bool]]] = {
    **{name: partial(_knows, kind) for name, kind in _PROTOBUF.items()},
    Format.ALERTMANAGER: _is_of_alerts,
    Format.SYSLOG: _has_header,
    Format.TEXT: _is_text,
}
_WEIGHTS: Final = {Format.TEXT: _TEXT, Format.INFLUX: _LINES, Format.GRAPHITE: _LINES, Format.SYSLOG: _LINES}
