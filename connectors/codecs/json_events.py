"""A JSON document → one discrete event, by the mapping of its source."""

from __future__ import annotations

from connectors.codecs.columns import ColumnsBuilder
from connectors.codecs.json_paths import Document, compile_labels, compile_path, scalar_text
from engine import severity
from engine.config.tree import Mapping
from engine.errors import DecodeError, Reject
from engine.ports import Catalog
from engine.records import Event

TEXT_MAX = 500
ATTRIBUTES_MAX = 16
ATTRIBUTE_MAX = 500
NAME_MAX = 200


class EventReader:
    """Reads documents that tell of one event each. Events are rare: nothing is remembered."""

    def __init__(self, mapping: Mapping, catalog: Catalog) -> None:
        self._event = compile_path(mapping.event)
        self._prefix = mapping.event_prefix
        self._text = compile_path(mapping.event_text)
        self._severity = compile_path(mapping.severity)
        self._scale = mapping.severity_scale
        self._labels = compile_labels(mapping.labels)
        self._attributes = [(name, compile_path(path)) for name, path in mapping.attributes.items()][:ATTRIBUTES_MAX]
        self._is_change = mapping.is_change
        self._catalog = catalog

    def read(self, row: int, ts_ns: int, document: Document, out: ColumnsBuilder) -> None:
        """Put the event of one document. Raises DecodeError when it has no name, or too many labels."""
        word = self._event(document)
        if type(word) is not str or not word:
            raise DecodeError(Reject.WRONG_TYPE, "no name of an event at its path")
        name = (self._prefix + word)[:NAME_MAX]
        key, entity = self._catalog.event(name, dict(self._labels(document)))
        out.events.append(
            Event(
                row=row,
                ts_ns=ts_ns,
                name=name,
                entity=entity,
                key=key,
                is_change=changes(self._is_change, word),
                severity=severity.of_value(self._severity(document), self._scale) or severity.INFO,
                text=(scalar_text(self._text(document)) or "")[:TEXT_MAX],
                attributes=self._read_attributes(document),
            )
        )

    def _read_attributes(self, document: Document) -> dict[str, str]:
        found = ((name, scalar_text(getter(document))) for name, getter in self._attributes)
        return {name: text[:ATTRIBUTE_MAX] for name, text in found if text}


def changes(rule: bool | list[str], word: str) -> bool:
    """Whether an event of this name is a change: the rule is for all events, or names those that are."""
    return rule if isinstance(rule, bool) else word in rule
