"""A short way for the commonest JSON: one flat object with a name, an object of labels, a whole number as time and one number.

    {"name": "cpu_usage", "labels": {"host": "h1"}, "ts": 1772409600000, "value": 51.4}

The four members are read into a typed struct and the labels are left as they stand in the document: a series is known by
its name and the bytes of its labels, once the general reader has read a document with just these. Whatever is unusual (a
further member, a time as text, a name or labels not met before, anything that is not valid) is left to the general reader,
so that this way changes what decoding costs and nothing of what comes out.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final

import msgspec

from connectors.codecs.columns import ColumnsBuilder
from engine.config.tree import Mapping
from engine.records import Record
from engine.times import EARLIEST_NS, LATEST_NS, NANOSECONDS, Unit

ALIASES_MAX: Final = 200_000
"""Series remembered by their raw labels; when full, all are forgotten."""


class FlatReader:
    """Decodes batches for one mapping and one catalog; `general` puts one record into the columns the general way."""

    def __init__(self, mapping: Mapping, general: Callable[[int, Record, ColumnsBuilder], None]) -> None:
        self._general = general
        self._scale = NANOSECONDS[Unit(mapping.time_unit)]
        self._labels_member = b'"%s"' % str(mapping.labels).encode()
        self._decode = msgspec.json.Decoder(_struct(mapping)).decode
        self._keys: dict[tuple[str, bytes], bytes] = {}

    def decode(self, records: Sequence[Record], out: ColumnsBuilder) -> None:
        """Put all records of a batch, in order."""
        known, scale, put = self._keys.get, self._scale, out.sample
        for row, record in enumerate(records):
            alias = point = None
            payload = record.value
            if payload and self._is_plain(payload):
                try:
                    point = self._decode(payload)
                    alias = (point.name, bytes(point.labels))
                except (ValueError, RecursionError):  # msgspec's own errors are of the first kind
                    point = None
            key = known(alias) if alias is not None else None
            if key is not None and point is not None and EARLIEST_NS <= (ts_ns := point.time * scale) <= LATEST_NS:
                put(row, key, ts_ns, point.value)
            else:
                self._learn(alias, row, record, out)

    def _is_plain(self, payload: bytes) -> bool:
        """No escapes and the labels once: of a member that comes twice, the first would go unread, and unchecked."""
        return b"\\" not in payload and payload.count(self._labels_member) == 1

    def _learn(self, alias: tuple[str, bytes] | None, row: int, record: Record, out: ColumnsBuilder) -> None:
        marks, samples = out.marks(), len(out.sample_keys)
        self._general(row, record, out)
        if alias is not None and len(out.sample_keys) == samples + 1 and out.marks() == marks + 1:
            if len(self._keys) >= ALIASES_MAX:
                self._keys.clear()
            self._keys[alias] = out.sample_keys[-1]


def is_flat(mapping: Mapping) -> bool:
    """Whether the documents of a mapping are of this form."""
    if not isinstance(mapping.values, dict) or len(mapping.values) != 1 or not isinstance(mapping.labels, str):
        return False
    paths = _paths(mapping)
    plain = all(path.isascii() and path.isidentifier() for path in paths) and len(set(paths)) == len(paths)
    return plain and mapping.time_unit != "auto_iso" and not (mapping.kind or mapping.records or mapping.split_entity)


def _paths(mapping: Mapping) -> tuple[str, str, str, str]:
    (value,) = mapping.values.values() if isinstance(mapping.values, dict) else ("",)
    return mapping.name, str(mapping.labels), mapping.time, value


def _struct(mapping: Mapping) -> Any:
    """The four members under the names that they have in the document."""
    types = (("name", str), ("labels", msgspec.Raw), ("time", int), ("value", float))
    names = {field: path for (field, _), path in zip(types, _paths(mapping), strict=True)}
    return msgspec.defstruct("Flat", types, rename=names, forbid_unknown_fields=True, gc=False)
