"""JSON of any shape, read as the source's `mapping` says: metrics, log lines or events.

The mapping is compiled once into small closures; series are looked up by name and labels as they stand in the document, so
that the catalog is asked once for each (measured: half a million flat documents a second on one core).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Protocol

import orjson

from connectors.codecs.columns import ColumnsBuilder
from connectors.codecs.json_events import EventReader
from connectors.codecs.json_flat import FlatReader, is_flat
from connectors.codecs.json_lines import LineReader, is_plain
from connectors.codecs.json_logs import LogReader
from connectors.codecs.json_metrics import MetricReader
from connectors.codecs.json_paths import Document, alternatives, compile_path
from engine.config.tree import Mapping, Source
from engine.errors import Complaint, ConfigError, DecodeError, Reject
from engine.ports import Catalog
from engine.records import Decoded, Record
from engine.times import TimeReader, Unit, epoch_ns

DOCUMENTS_MAX = 10_000
"""Documents of one record."""


class DocumentReader(Protocol):
    """What a document becomes: one of the three readers, each with its caches for one catalog."""

    def read(self, row: int, ts_ns: int, document: Document, out: ColumnsBuilder) -> None: ...


class JsonCodec:
    """Stateless but for the caches of its reader. Raises ConfigError when the mapping does not say what the document is."""

    def __init__(self, source: Source, *, short: bool = True) -> None:
        self._mapping = mapping = source.mapping
        self._line_bytes_max = source.line_bytes_max
        self._time = EventTime(mapping)
        self._build_reader = _reader_of(source)
        self._reader: DocumentReader | None = None
        self._is_flat = is_flat(mapping)
        self._flat: FlatReader | LineReader | None = None
        self._keep = source.keep_log_labels
        self._is_plain = short and type(self) is JsonCodec and is_plain(mapping, self._keep)
        self._catalog: Catalog | None = None
        self._may_lack = bool(mapping.values)  # a document without any number; one without a message or a name is refused
        self._records = compile_path(mapping.records)
        self._many = bool(mapping.records)
        self._root_is_array = mapping.records == "."

    def decode(self, records: Sequence[Record], catalog: Catalog) -> Decoded:
        """As `ports.Codec`."""
        reader = self._reader
        if reader is None or catalog is not self._catalog:
            reader = self._reader = self._build_reader(self._mapping, catalog)
            self._flat = self._build_short(reader, catalog)
            self._catalog = catalog
        out = ColumnsBuilder(self._line_bytes_max)
        if self._flat is not None:
            self._flat.decode(records, out)
            return out.build()
        for row, record in enumerate(records):
            self._decode_one(row, record, reader, out)
        return out.build()

    def _build_short(self, reader: DocumentReader, catalog: Catalog) -> FlatReader | LineReader | None:
        """What reads the commonest documents of this mapping in one pass over a batch; None where there are none."""

        def general(row: int, record: Record, out: ColumnsBuilder) -> None:
            self._decode_one(row, record, reader, out)

        if self._is_flat:
            return FlatReader(self._mapping, general, catalog.series_max, is_json=type(self) is JsonCodec)
        if self._is_plain and isinstance(reader, LogReader):
            return LineReader(self._mapping, self._keep, reader, self._time.of_value, general)
        return None

    def _decode_one(self, row: int, record: Record, reader: DocumentReader, out: ColumnsBuilder) -> None:
        if not record.value:
            out.reject(row, Reject.EMPTY, "no payload")
            return
        try:
            parsed = self._parse(record)
        except DecodeError as error:
            out.reject(row, error.reason, error.detail)
            return
        if self._many:
            self._read_many(row, record, parsed, reader, out)
        else:
            self._read(row, record, parsed, reader, out)

    def _parse(self, record: Record) -> Any:
        """The document, or the documents, of a record that has a value. Raises DecodeError. Formats of the same shape differ here."""
        return parse_json(record.value or b"")

    def _read_many(self, row: int, record: Record, parsed: Any, reader: DocumentReader, out: ColumnsBuilder) -> None:
        found = parsed if self._root_is_array else self._records(parsed) if type(parsed) is dict else None
        if type(found) is dict:  # an array of one, sent as itself
            found = [found]
        if type(found) is not list:
            out.reject(row, Reject.WRONG_TYPE, "no array at the path of records")
            return
        if not found:
            out.reject(row, Reject.EMPTY, "an array of no documents")
        if len(found) > DOCUMENTS_MAX:
            out.reject(row, Reject.TOO_MANY_FIELDS, f"more than {DOCUMENTS_MAX} documents")
        for document in found[:DOCUMENTS_MAX]:
            self._read(row, record, document, reader, out)

    def _read(self, row: int, record: Record, document: Any, reader: DocumentReader, out: ColumnsBuilder) -> None:
        if type(document) is not dict:
            out.reject(row, Reject.WRONG_TYPE, "not an object")
            return
        before = out.marks() if self._may_lack else 0
        try:
            reader.read(row, self._time.read(document, record.ts_ns), document, out)
        except DecodeError as error:
            out.reject(row, error.reason, error.detail)
        if self._may_lack and out.marks() == before:
            out.reject(row, Reject.EMPTY, "no number at the path of values")


class EventTime:
    """A document's own time, by the mapping."""

    def __init__(self, mapping: Mapping) -> None:
        self._path = compile_path(mapping.time)
        self._own = bool(mapping.time)
        self._may_lack = "" in alternatives(mapping.time)
        self._unit = None if mapping.time_unit == "auto_iso" else Unit(mapping.time_unit)
        self._reader = TimeReader()

    def read(self, document: Document, record_ts_ns: int) -> int:
        """Raises DecodeError(BAD_TIME) when it is missing or of another form than declared."""
        if not self._own:
            return record_ts_ns
        value = self._path(document)
        return record_ts_ns if value is None and self._may_lack else self.of_value(value)

    def of_value(self, value: Any) -> int:
        """Raises DecodeError(BAD_TIME)."""
        if value is None:
            raise DecodeError(Reject.BAD_TIME, "no time at its path")
        if self._unit is not None:
            return epoch_ns(value, self._unit)
        if type(value) is str:
            return self._reader.rfc3339_ns(value)
        raise DecodeError(Reject.BAD_TIME, "the time is not a text: state its time_unit")


def parse_json(value: bytes) -> Any:
    """Raises DecodeError."""
    try:
        return orjson.loads(value)
    except orjson.JSONDecodeError as error:
        raise DecodeError(*_why(error)) from error


def _why(error: orjson.JSONDecodeError) -> tuple[Reject, str]:
    if "infinity" in error.msg:
        return Reject.NOT_FINITE, "a number beyond the range of float64"
    return Reject.MALFORMED, f"not JSON at character {error.pos}"


def _reader_of(source: Source) -> Callable[[Mapping, Catalog], DocumentReader]:
    mapping = source.mapping
    said = [name for name in ("values", "message", "event") if getattr(mapping, name)]
    if len(said) != 1:
        place = f"sources.{source.name}.mapping"
        message = "exactly one of values, message and event says what a JSON document is"
        raise ConfigError((Complaint(place, message, suggestion=f"given: {', '.join(said) or 'none'}"),))
    if mapping.values:
        return MetricReader
    return partial(LogReader, keep=source.keep_log_labels) if mapping.message else EventReader
