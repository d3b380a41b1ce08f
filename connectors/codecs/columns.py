"""Where codecs put what they read: rows in, columns out. Checks here what every codec must promise of its columns."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from operator import itemgetter

import numpy as np
from numpy.typing import NDArray

from engine.errors import Reject
from engine.records import (
    NO_FIELDS,
    Coded,
    Decoded,
    Dependency,
    Distribution,
    Event,
    Fields,
    Lines,
    Pieces,
    Rejected,
    Samples,
    Span,
)
from engine.words import Words

VALUE_MAX = 1e15
"""Larger values are no measurements; beyond 2^53 a float64 cannot count by ones any more."""
BAD_LINES_MAX = 128
"""Lines of one record that are refused one by one; after so many bad ones the rest of it is not read."""
TOO_BAD = f"more than {BAD_LINES_MAX} bad lines: the rest was not read"
NOT_FINITE = "not a finite number below 1e15"
_DETAIL_MAX = 200


class PieceColumns:
    """For each line of a batch, from a source whose lines may come in pieces: its origin, whether it goes on, and its text as it stood."""

    __slots__ = ("_whole", "folds", "more", "origin", "raw")

    def __init__(self, whole: Callable[[bytes], tuple[bytes, int, Fields]], *, folds: bool) -> None:
        self._whole = whole
        self.folds = folds
        self.origin: list[bytes] = []
        self.more: list[bool] = []
        self.raw: list[bytes] = []

    def piece(self, origin: bytes, more: bool, raw: bytes) -> None:
        """Beside each call of `ColumnsBuilder.line`."""
        self.origin.append(origin)
        self.more.append(more)
        self.raw.append(raw)

    def build(self) -> Pieces:
        return Pieces(self.origin, np.array(self.more, np.bool_), self.raw, self._whole, self.folds)


class ColumnsBuilder:
    """Collects what one batch gives and what of it is rejected, in the order of its records."""

    __slots__ = (
        "_beyond",
        "_bulks",
        "dependencies",
        "distributions",
        "events",
        "line_bytes_max",
        "line_fields",
        "line_keys",
        "line_rows",
        "line_severities",
        "line_texts",
        "line_times",
        "pieces",
        "rejected",
        "sample_keys",
        "sample_places",
        "sample_rows",
        "sample_times",
        "sample_values",
        "spans",
    )

    def __init__(self, line_bytes_max: int, *, beyond: Reject = Reject.NOT_FINITE) -> None:
        """`beyond` is the reason for infinities and numbers of 1e15 and more."""
        self.line_bytes_max = line_bytes_max
        self._beyond = beyond
        self.sample_rows: list[int] = []
        self.sample_keys: list[bytes] = []
        self.sample_times: list[int] = []
        self.sample_values: list[float] = []
        self.sample_places: list[int] = []
        self.line_rows: list[int] = []
        self.line_keys: list[bytes] = []
        self.line_times: list[int] = []
        self.line_severities: list[int] = []
        self.line_texts: list[bytes] = []
        self.line_fields: dict[int, Fields] = {}  # by the line's place; most have none
        self.pieces: PieceColumns | None = None
        self.events: list[Event] = []
        self.rejected: list[Rejected] = []
        self.distributions: list[Distribution] = []
        self.spans: list[Span] = []
        self._bulks: list[_Bulk] = []
        self.dependencies: list[Dependency] = []

    def sample(self, row: int, key: bytes, ts_ns: int, value: float, place: int = 0) -> None:
        """Any number: those that are not finite, or not below 1e15, become rejections in `build`. `place` is where it stands in its record, for who uses `bulk`."""
        self.sample_rows.append(row)
        self.sample_keys.append(key)
        self.sample_times.append(ts_ns)
        self.sample_values.append(value)
        self.sample_places.append(place)

    def bulk(
        self,
        rows: NDArray[np.int32],
        keys: Coded,
        ts_ns: NDArray[np.int64],
        values: NDArray[np.float64],
        places: NDArray[np.int64] | None = None,
    ) -> None:
        """Many samples at once, rows ascending, all finite and below 1e15. Without `places` their rows give no samples in any other way."""
        if len(rows):
            self._bulks.append((rows, keys, ts_ns, values, places if places is not None else np.zeros(len(rows), np.int64)))

    def line(self, row: int, key: bytes, ts_ns: int, severity: int, text: bytes, fields: Fields = NO_FIELDS) -> None:
        """`text` is valid UTF-8; what is beyond `line_bytes_max` is cut off, never inside a character."""
        if len(text) > self.line_bytes_max:
            text = cut(text, self.line_bytes_max)
        if fields is not NO_FIELDS:
            self.line_fields[len(self.line_rows)] = fields
        self.line_rows.append(row)
        self.line_keys.append(key)
        self.line_times.append(ts_ns)
        self.line_severities.append(severity)
        self.line_texts.append(text)

    def bulk_lines(self, lines: Lines) -> None:
        """Many lines at once, as `line`, rows ascending; those of other rows may follow, `build` puts all in order."""
        if lines.fields is not None:
            before = len(self.line_rows)
            self.line_fields |= {before + n: fields for n, fields in enumerate(lines.fields) if fields is not NO_FIELDS}
        size = self.line_bytes_max
        self.line_rows.extend(lines.row.tolist())
        self.line_keys.extend(lines.key)
        self.line_times.extend(lines.ts_ns.tolist())
        self.line_severities.extend(lines.severity.tolist())
        self.line_texts.extend([cut(text, size) if len(text) > size else text for text in lines.text])

    def reject(self, row: int, reason: Reject, detail: str) -> None:
        """`detail` is for people: names of fields, never what is in them."""
        self.rejected.append(Rejected(row, reason, detail[:_DETAIL_MAX]))

    def marks(self) -> int:
        """Grows with everything that is put in: equal before and after means that nothing was."""
        rare = len(self._bulks) + len(self.distributions) + len(self.spans) + len(self.dependencies)
        return len(self.sample_rows) + len(self.line_rows) + len(self.events) + len(self.rejected) + rare

    def build(self) -> Decoded:
        """The columns. Rejections come in the order of their records."""
        samples, lines = self._samples(), self._lines()
        self.rejected.sort(key=itemgetter(0))
        return Decoded(samples, lines, self.events, self.rejected, self.distributions, self.spans, self.dependencies)

    def _lines(self) -> Lines:
        lines = Lines(
            np.array(self.line_rows, dtype=np.int32),
            self.line_keys,
            np.array(self.line_times, dtype=np.int64),
            np.array(self.line_severities, dtype=np.int8),
            self.line_texts,
            self.pieces.build() if self.pieces is not None else None,
            self._fields(),
        )
        return lines if (lines.row[1:] >= lines.row[:-1]).all() else lines.at(np.argsort(lines.row, kind="stable"))

    def _fields(self) -> list[Fields] | None:
        if not self.line_fields:
            return None
        get = self.line_fields.get
        return [get(place, NO_FIELDS) for place in range(len(self.line_rows))]

    def _samples(self) -> Samples:
        rows = np.array(self.sample_rows, dtype=np.int32)
        times = np.array(self.sample_times, dtype=np.int64)
        values = np.array(self.sample_values, dtype=np.float64)
        keys = self.sample_keys
        good = np.abs(values) < VALUE_MAX  # False for NaN too
        if not good.all():
            bad = np.flatnonzero(~good)
            places = np.array(self.sample_places, np.int64)[bad]
            for n in bad[np.lexsort((places, rows[bad]))].tolist():
                reason = Reject.NOT_FINITE if np.isnan(values[n]) else self._beyond
                self.reject(self.sample_rows[n], reason, f"{keys[n].decode()}: {NOT_FINITE}")
            keys = [keys[n] for n in np.flatnonzero(good)]
            rows, times, values = rows[good], times[good], values[good]
        if not self._bulks:
            return Samples(rows, keys, times, values)
        return _merged(self._bulks, Samples(rows, keys, times, values), np.array(self.sample_places, np.int64)[good])


_Bulk = tuple[NDArray[np.int32], Coded, NDArray[np.int64], NDArray[np.float64], NDArray[np.int64]]


def _merged(bulks: list[_Bulk], others: Samples, places: NDArray[np.int64]) -> Samples:
    """All samples in the order of their records, and in a record by their places."""
    if len(bulks) == 1 and not len(others.row):
        return Samples(*bulks[0][:4])
    words = bulks[0][1].words
    if len(others.row):
        bulks = [*bulks, (others.row, _in(words, others.key), others.ts_ns, others.value, places)]
    rows = np.concatenate([bulk[0] for bulk in bulks])
    codes = np.concatenate([_in(words, bulk[1]).codes for bulk in bulks])
    times, values = np.concatenate([bulk[2] for bulk in bulks]), np.concatenate([bulk[3] for bulk in bulks])
    if not len(others.row) and (rows[1:] >= rows[:-1]).all():  # one portion after the other
        return Samples(rows, Coded(words, codes), times, values)
    order = np.lexsort((np.concatenate([bulk[4] for bulk in bulks]), rows))
    return Samples(rows[order], Coded(words, codes[order]), times[order], values[order])


def _in(words: Words, keys: Sequence[bytes]) -> Coded:
    """The keys as numbers of these words."""
    if isinstance(keys, Coded) and keys.words is words:
        return keys
    return Coded(words, words.codes(keys))


def cut(text: bytes, size: int) -> bytes:
    while size and text[size] & 0xC0 == 0x80:  # a continuation byte: the character began before
        size -= 1
    return text[:size]
