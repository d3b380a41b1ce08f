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
_DONE: Final = ("", b"")


class FlatReader:
    """Decodes batches for one mapping and one catalog; `general` puts one record into the columns the general way."""

    def __init__(self, mapping: Mapping, general: Callable[[int, Record, ColumnsBuilder], None]) -> None:
        self._general = general
        self._scale = NANOSECONDS[Unit(mapping.time_unit)]
        self._labels_member = b'"%s"' % str(mapping.labels).encode()
        self._read: Callable[[Any], Any] = msgspec.json.Decoder(_struct(mapping)).decode
        self._keys: dict[tuple[str, bytes], bytes] = {}

    def decode(self, records: Sequence[Record], out: ColumnsBuilder) -> None:
        """Put all records of a batch, in order."""
        if self._decode_all([record.value for record in records], out):
            return
        for row, record in enumerate(records):
            alias = self._decode_one(row, record.value, out)
            if alias is not _DONE:
                self._learn(alias, row, record, out)

    def _decode_all(self, payloads: list[bytes | None], out: ColumnsBuilder) -> bool:
        """Put a batch in which nothing is unusual; False, having put nothing, when something is."""
        try:
            points = list(map(self._read, payloads))
            joined = b"".join(payloads)  # type: ignore[arg-type]
        except (ValueError, TypeError, RecursionError):  # msgspec's own errors are of the first kind
            return False
        if not self._is_plain(joined, len(points)):
            return False
        known = self._keys.get
        keys = [known((point.name, bytes(point.labels))) for point in points]
        times = [point.time * self._scale for point in points]
        if None in keys or not (min(times, default=0) >= EARLIEST_NS and max(times, default=0) <= LATEST_NS):
            return False
        out.sample_rows += range(len(points))
        out.sample_keys += keys  # type: ignore[arg-type]
        out.sample_times += times
        out.sample_values += [point.value for point in points]
        return True

    def _decode_one(self, row: int, payload: bytes | None, out: ColumnsBuilder) -> tuple[str, bytes] | None:
        """Put one document and return _DONE; else what to remember it by, None when it is unusual."""
        try:
            point = self._read(payload)
        except (ValueError, TypeError, RecursionError):
            return None
        ts_ns = point.time * self._scale
        if not self._is_plain(payload or b"", 1) or not EARLIEST_NS <= ts_ns <= LATEST_NS:
            return None
        alias = (point.name, bytes(point.labels))
        key = self._keys.get(alias)
        if key is None:
            return alias
        out.sample(row, key, ts_ns, point.value)
        return _DONE

    def _is_plain(self, text: bytes, documents: int) -> bool:
        """No escapes, and the labels once in each document, all of which have them: of two, the first would go unchecked."""
        return b"\\" not in text and text.count(self._labels_member) == documents

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
