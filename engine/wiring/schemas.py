"""The schema registries of a configuration: one book for each, shared by the codecs that read by it and the source that fetches for them."""

from __future__ import annotations

from collections.abc import Iterable

from connectors.kafka_client import topic_name
from connectors.schemas import Book, SchemaId, Schemas, framed
from connectors.sources.schooled import Schooled
from engine.config import Config
from engine.config.registry import Registry
from engine.config.topic_patterns import owners
from engine.config.tree import Format, Source
from engine.detect.rekey import rekeyed
from engine.errors import Unreachable
from engine.logs import get_logger
from engine.ports import Source as Log
from engine.records import Record


class Library:
    """Books by registry, made when they are first needed."""

    def __init__(self, config: Config) -> None:
        self._sources = [source for source in config.sources if source.format is Format.SCHEMA_REGISTRY]
        self._rekeyed = {source.name: topic_name(config.kafka, rekeyed(source.name)) for source in self._sources}
        self._books: dict[Registry, Book] = {}
        self._by_topic: dict[str, Book | None] = {}

    def schemas(self, source: Source) -> Schemas | None:
        """Those that the codec of a source reads by; None for a source that needs none."""
        return self._book(source.registry) if source.format is Format.SCHEMA_REGISTRY and source.registry.url else None

    def through(self, log: Log) -> Log:
        """The log of our sources with its schemas fetched; the log itself where none is needed."""
        tell = get_logger("schemas").warning
        return Schooled(log, self.need_of, lambda failure: tell("schema_awaited", error=failure)) if self._sources else log

    def need_of(self, record: Record) -> tuple[Book, SchemaId] | None:
        """The schema that a record needs, and the book to look it up in."""
        topic = record.topic
        if topic not in self._by_topic:
            found = [s for s in self._sources if s.rekey and topic == self._rekeyed[s.name]] or owners(self._sources, topic)
            self._by_topic[topic] = self._book(found[0].registry) if found else None
        book = self._by_topic[topic]
        need = framed(record) if book is not None else None
        return (book, need.schema) if book is not None and need is not None else None

    def fetch(self, records: Iterable[Record]) -> None:
        """Every schema that these records need, at once: for logs that are all here. Raises Unreachable when a registry does not answer."""
        for record in records:
            need = self.need_of(record)
            if need is not None and not need[0].learn(need[1]):
                raise Unreachable(need[0].failure or "the schema registry is asked for too many schemas at once")

    def close(self) -> None:
        """Leave no connection open."""
        for book in self._books.values():
            book.close()

    def _book(self, registry: Registry) -> Book:
        if registry not in self._books:
            self._books[registry] = Book(registry)
        return self._books[registry]
