"""A short way for the commonest JSON: one flat object with a name, an object of labels, a whole number as time and one number.

    {"name": "cpu_usage", "labels": {"host": "h1"}, "ts": 1772409600000, "value": 51.4}

Documents of known series are read by one compiled pass over the bytes of the batch (`flat_scan`): a series is known by its
name and the bytes of its labels, once the general reader has read a document with just these. Whatever is unusual (a further
member, a time as text, a name or labels not met before, anything that is not valid) is left to the general reader, so that this
way changes what decoding costs and nothing of what comes out.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final

import msgspec
import numpy as np
import orjson
from numpy.typing import NDArray

from connectors.codecs import flat_scan, json_faults
from connectors.codecs.columns import VALUE_MAX, ColumnsBuilder
from connectors.codecs.heads import Heads
from connectors.codecs.json_faults import BROKEN
from detectors.pairs import PADDING
from engine.config.tree import Mapping
from engine.errors import Reject
from engine.records import Coded, Record, Rejected, Run
from engine.times import LATEST_NS, NANOSECONDS, Unit

_PADDING: Final = bytes(PADDING)
_new: Final = tuple.__new__
"""Of a named tuple half the time that its own constructor takes."""
_UNUSUAL_FIRST: Final = 64
"""Unusual records of a batch that are read before its first new series are known; with each further portion twice as many."""
_BROKEN_AMONG: Final = 4
"""For each of these so many may be looked at: most may be broken."""
_REFUSED: Final = {
    json_faults.INFINITE: (Reject.NOT_FINITE, "a number beyond the range of float64"),
    json_faults.EMPTY: (Reject.EMPTY, "no payload"),
    json_faults.NO_OBJECT: (Reject.WRONG_TYPE, "not an object"),
    json_faults.NO_TIME: (Reject.BAD_TIME, "no time at its path"),
    json_faults.TIME_TYPE: (Reject.BAD_TIME, "not a number in the declared unit"),
    json_faults.NO_NAME_TYPE: (Reject.WRONG_TYPE, "no name of a metric at its path"),
    json_faults.NO_NUMBER: (Reject.WRONG_TYPE, "no number at any path of values"),
    json_faults.VALUE_TYPE: (Reject.WRONG_TYPE, "not a number: the value"),
    json_faults.NAMELESS: (Reject.WRONG_TYPE, "a number without a name"),
}
"""In the words of the general reader."""


class FlatReader:
    """Decodes batches for one mapping and one catalog."""

    def __init__(
        self, mapping: Mapping, general: Callable[[int, Record, ColumnsBuilder], None], series_max: int, *, is_json: bool
    ) -> None:
        """`general` puts one record into the columns the general way; `series_max` series may be live. `is_json`: nothing else is in records."""
        self._general = general
        self._is_json = is_json
        self._reads_text = mapping.numeric_strings
        self._scale = NANOSECONDS[Unit(mapping.time_unit)]
        self._latest = LATEST_NS // self._scale
        self._labels_member = b'"%s"' % str(mapping.labels).encode()
        self._read: Callable[[Any], Any] = msgspec.json.Decoder(_struct(mapping)).decode
        encoded = [path.encode() for path in _paths(mapping)]
        text = np.frombuffer(b"".join(encoded) + _PADDING, np.uint8)
        self._names = flat_scan.Names(text, np.cumsum([len(name) for name in encoded]).astype(np.int64))
        self._heads = Heads(series_max)
        four = [np.zeros(4, np.int64) for _ in range(3)]
        self._form = flat_scan.Form(np.zeros(flat_scan.FORM_MAX + len(_PADDING), np.uint8), np.zeros(5, np.int64), *four)

    def decode(self, records: Sequence[Record], out: ColumnsBuilder) -> None:
        """Put all records of a batch, in order."""
        run = Run.of(records)
        joined, ends = run.joined()
        self._heads.renew()
        begin, most = 0, _UNUSUAL_FIRST
        while begin < len(run):
            begin, learned = self._decode_portion(begin, most, joined[ends[begin] :], ends[begin:], run, out)
            most = 2 * most if learned else len(run)

    def _decode_portion(
        self, first: int, most: int, joined: NDArray[np.uint8], ends: NDArray[np.int64], run: Run, out: ColumnsBuilder
    ) -> tuple[int, int]:
        """Put the records from `first` on, with at most so many unusual ones: where it ends, and how many of them taught a head, which is known from there on."""
        points, unusual_count = self._scan(joined, ends[1:] - ends[0], _BROKEN_AMONG * most)
        if not unusual_count:
            end = first + len(points.code)
            keys = Coded(self._heads.words, points.code)
            out.bulk(np.arange(first, end, dtype=np.int32), keys, points.time * self._scale, points.value)
            return end, 0
        usable = points.code >= 0
        for place in np.flatnonzero(usable & np.isnan(points.value)).tolist():
            value = float(joined[points.digits[place] : points.digits_end[place]].tobytes())
            points.value[place] = value
            usable[place] = abs(value) < VALUE_MAX
        unusual = np.flatnonzero(~usable)
        fault, at = self._faults(joined, ends[1:] - ends[0], unusual)
        unread = unusual[fault <= 0]
        if len(unread) > most:
            end = int(unread[most])
            usable, unread = usable[:end], unread[:most]
            broken = (fault > 0) & (unusual < end)
        else:
            broken = fault > 0
        known = np.flatnonzero(usable)
        keys = Coded(self._heads.words, points.code[known])
        out.bulk((known + first).astype(np.int32), keys, points.time[known] * self._scale, points.value[known])
        found = zip((unusual[broken] + first).tolist(), fault[broken].tolist(), at[broken].tolist(), strict=True)
        out.rejected += [
            _new(Rejected, (row, Reject.MALFORMED, f"not JSON at character {place}") if why == BROKEN else (row, *_REFUSED[why]))
            for row, why, place in found
        ]
        places: list[int] = (unread + first).tolist()
        taught = [head for place in places if (head := self._put_unusual(place, run[place], out)) is not None]
        return first + len(usable), self._heads.add(taught) if taught else 0

    def _faults(
        self, joined: NDArray[np.uint8], end: NDArray[np.int64], rows: NDArray[np.int64]
    ) -> tuple[NDArray[np.int8], NDArray[np.int64]]:
        """What can be seen to be wrong with these records, and at which character."""
        fault, at = np.zeros(len(rows), np.int8), np.zeros(len(rows), np.int64)
        if self._is_json and len(rows):
            names, scratch = self._names, np.empty((json_faults.MEMBERS_MAX + 1, 4), np.int64)
            options = (self._latest, self._reads_text, scratch)
            json_faults.find_faults(joined, end, rows, names.text, names.end, *options, fault, at)
        return fault, at

    def _scan(self, joined: NDArray[np.uint8], end: NDArray[np.int64], most: int) -> tuple[flat_scan.Points, int]:
        """What each document says, as far as at most so many unusual ones among them go, and how many these are."""
        n = len(end)
        numbers = (np.empty(n, np.int64), np.empty(n, np.int64), np.empty(n), np.empty(n, np.int64), np.empty(n, np.int64))
        points = flat_scan.Points(*numbers)
        heads = flat_scan.Heads(self._heads.known.table, self._heads.code, self._heads.next)
        read, unusual = flat_scan.scan(joined, end, self._names, heads, self._form, self._latest, most, points)
        return points if read == n else flat_scan.Points._make(column[:read] for column in points), unusual

    def _put_unusual(self, row: int, record: Record, out: ColumnsBuilder) -> tuple[bytes, bytes] | None:
        """Put a record the general way; if only its head was new: that head, and the key of its series."""
        rejected, samples = len(out.rejected), len(out.sample_keys)
        self._general(row, record, out)
        if len(out.sample_keys) == samples + 1 and len(out.rejected) == rejected:  # of this mapping there is nothing else
            head = self._head(record.value or b"")
            return None if head is None else (head, out.sample_keys[-1])
        return None

    def _head(self, payload: bytes) -> bytes | None:
        """The bytes of name and labels as they stand in the document; None when it is not one of the four members."""
        if b"\\" in payload or payload.count(self._labels_member) != 1:  # of two, the first would go unchecked
            return None
        try:
            point = self._read(payload)
        except (ValueError, TypeError, RecursionError):  # msgspec's own errors are of the first kind
            return None
        head: bytes = point.name.encode() + bytes(point.labels)
        return head if len(head) <= flat_scan.HEAD_BYTES_MAX else None


def is_flat(mapping: Mapping) -> bool:
    """Whether the documents of a mapping are of this form."""
    if not isinstance(mapping.values, dict) or len(mapping.values) != 1 or not isinstance(mapping.labels, str):
        return False
    paths = _paths(mapping)
    plain = all(path.isascii() and path.isidentifier() for path in paths) and len(set(paths)) == len(paths)
    return plain and mapping.time_unit != "auto_iso" and not (mapping.kind or mapping.records or mapping.split_entity)


def specimen(mapping: Mapping) -> bytes:
    """A document of this form."""
    return orjson.dumps(dict(zip(_paths(mapping), ("warm-up", {"host": "none"}, 1, 1.0), strict=True)))


def _paths(mapping: Mapping) -> tuple[str, str, str, str]:
    (value,) = mapping.values.values() if isinstance(mapping.values, dict) else ("",)
    return mapping.name, str(mapping.labels), mapping.time, value


def _struct(mapping: Mapping) -> Any:
    """The four members under the names that they have in the document."""
    types = (("name", str), ("labels", msgspec.Raw), ("time", int), ("value", float))
    names = {field: path for (field, _), path in zip(types, _paths(mapping), strict=True)}
    return msgspec.defstruct("Flat", types, rename=names, forbid_unknown_fields=True, gc=False)
