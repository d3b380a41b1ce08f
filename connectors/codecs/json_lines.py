"""The short way for log lines in JSON: documents that say nothing new beside text and time by `line_scan`, all else by the general reader.

What the general reader reads teaches the short way: the stream, the level and the fields of a document are those of every other whose members
are the same, but for text, time, what nobody asks for, and sessions and measurements, which are read of each. It is taken where text and time stand at the root of a document under plain names. When a
table is full it begins anew. This way changes what decoding costs and nothing of what comes out.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final, NamedTuple

import numpy as np
import orjson
from numpy.typing import NDArray

from connectors.codecs import iso_scan, level_scan, line_scan
from connectors.codecs.columns import ColumnsBuilder
from connectors.codecs.json_logs import LogReader, tidy
from connectors.codecs.json_paths import Document, alternatives
from connectors.codecs.known_parts import KNOWN, ODD, KnownParts, left
from connectors.codecs.line_scan import BY_HAND, CARRIED, CARRIED_MAX, IDLE, NOT_ASCII, TEXT, TEXTS_MAX, TIME
from detectors import parts
from engine import severity
from engine.config.expressions import expression_of
from engine.config.tree import Mapping
from engine.errors import DecodeError
from engine.line_fields import FieldReader
from engine.records import NO_FIELDS, Fields, Lines, Record, Run
from engine.times import NANOSECONDS, Unit
from engine.words import Words

NAMES_MAX: Final = 1_024
"""Names of members that nobody asks for; further ones are looked up with what they say."""
LEARNED_MAX: Final = 256
"""Documents that are learned without any that was known: where each says something new there is nothing to learn, and learning costs."""
KNOWN_PER_LEARNED: Final = 8
"""So many that were known allow one more to be learned."""
_PORTION_FIRST: Final = 64
_PORTION_MAX: Final = 1_024
"""Records that are read at once: their bytes stay in the processor's cache from one step to the next."""
_PADDING: Final = bytes(parts.PADDING)


class Beside(NamedTuple):
    """What a document says beside its text and its time."""

    stream: bytes
    level: int
    fields: Fields


class Names:
    """Which names of a document's root are those of the time and the texts, and which are asked for by a mapping at all."""

    def __init__(self, mapping: Mapping, keep: Sequence[str]) -> None:
        self.fields = FieldReader(mapping)
        self.time = mapping.time
        self.texts = alternatives(mapping.message)
        self._own = [*self.texts, *([self.time] if self.time else [])]
        labels = [mapping.labels] if isinstance(mapping.labels, str) else [*mapping.labels.values()]
        named = [mapping.severity, *labels, *mapping.origin, mapping.partial, mapping.partial_last]
        self._paths = [*keep, *(path for text in named for path in alternatives(text) if path and not path.startswith("="))]

    def usable(self) -> bool:
        """Whether documents can be read the short way: text and time are members that nothing else looks at."""
        plain = all(name.isascii() and name.replace("@", "_").isidentifier() for name in self._own)
        others = not any(path == "." or expression_of(path) is not None for path in self._paths)
        return plain and others and len(set(self._own)) == len(self._own) <= TEXTS_MAX and not any(map(self.asks, self._own))

    def asks(self, name: str) -> bool:
        """Whether a text or a number with this name may tell anything."""
        return self.names_path(name) or self.fields.reads(name)

    def names_path(self, name: str) -> bool:
        """Whether a path of the mapping leads to this name, or through it."""
        return any(path == name or path.startswith(f"{name}.") for path in self._paths)


def is_plain(mapping: Mapping, keep: Sequence[str]) -> bool:
    """Whether the documents of a mapping can be read the short way."""
    if not mapping.message or mapping.records or (mapping.origin and (mapping.partial or mapping.stack_traces)):
        return False
    return Names(mapping, keep).usable()


class LineReader:
    """Decodes batches for one mapping and one catalog; `general` puts one record into the columns the general way."""

    def __init__(
        self,
        mapping: Mapping,
        keep: Sequence[str],
        reader: LogReader,
        time_of: Callable[[Any], int],
        general: Callable[[int, Record, ColumnsBuilder], None],
    ) -> None:
        self._names = Names(mapping, keep)
        self._reader, self._time_of, self._general = reader, time_of, general
        self._embedded = mapping.embedded_json
        self._carries = np.zeros(0, np.bool_)
        scale = 0 if mapping.time_unit == "auto_iso" else NANOSECONDS[Unit(mapping.time_unit)]
        self._options = int(bool(mapping.time)), scale, int(mapping.embedded_json)
        self._roles = KnownParts()
        for place, name in enumerate(self._names.texts):
            self._name(name, TEXT + place)
        if mapping.time:
            self._name(mapping.time, TIME)
        self._credit = float(LEARNED_MAX)
        self._known = KnownParts()
        self._words: Words | None = None
        self._beside: list[Beside] = []
        self._streams: list[bytes] = []
        self._levels = np.zeros(0, np.int8)
        texts, time = np.zeros(3 * TEXTS_MAX, np.int64), np.zeros(2, np.int64)
        carried = np.zeros(1 + 2 * CARRIED_MAX, np.int64)
        self._span = line_scan.Span(texts, time, np.zeros(1, np.int64), np.zeros(1, np.int64), carried)

    def decode(self, records: Sequence[Record], out: ColumnsBuilder) -> None:
        """Put all records of a batch."""
        if not records:
            return
        run = Run.of(records)
        begin, size = 0, _PORTION_FIRST
        while begin < len(run):
            rows = range(begin, min(begin + size, len(run)))
            unusual = self._take(run, rows, out)
            self._credit = min(self._credit + 1 + (len(rows) - len(unusual)) / KNOWN_PER_LEARNED, LEARNED_MAX)
            for row, is_new in unusual:
                self._put_unusual(row, run[row], out, is_new=is_new and self._credit >= 1)
            teaches = self._credit >= 1 and any(is_new for _, is_new in unusual)
            begin, size = rows.stop, min(2 * size, _PORTION_MAX) if teaches else _PORTION_MAX

    def _take(self, run: Run, rows: range, out: ColumnsBuilder) -> list[tuple[int, bool]]:
        """Put the lines of the documents of these rows that are known; the rows of the others, and whether each was only new."""
        payloads = run.payloads[rows.start : rows.stop]
        joined = b"".join([*payloads, _PADDING])
        lines, verdict = self._scan(joined, run.sizes[rows.start : rows.stop], learn=False)
        if not self._options[0]:
            lines.ts_ns[:] = run.ts_ns[rows.start : rows.stop]
        self._check(payloads, joined, lines, verdict)
        by_hand = self._by_hand(joined, lines, verdict)
        carried = self._carried(joined, lines, verdict)
        place = np.flatnonzero(verdict == KNOWN)
        out.bulk_lines(self._lines(place, joined, lines, (by_hand, carried), rows.start))
        return left(verdict, rows.start)

    def _lines(
        self,
        place: NDArray[np.intp],
        joined: bytes,
        lines: line_scan.Lines,
        others: tuple[dict[int, bytes], dict[int, Fields]],
        first_row: int,
    ) -> Lines:
        """The lines of the documents at these places; `others` are by place texts that are not what stands there, and fields."""
        by_hand, carried = others
        start, end = lines.start[place], lines.end[place]
        code = self._known.table.code[lines.node[place]]
        level = self._levels[code]
        unsaid = np.flatnonzero(level == 0)
        level[unsaid] = _levels_of(joined, start[unsaid], end[unsaid])
        codes = code.tolist()
        fields = [self._beside[n].fields for n in codes] if carried or self._carries[code].any() else None
        if fields is not None and carried:
            fields = [carried.get(at, part) for at, part in zip(place.tolist(), fields, strict=True)]
        texts = [joined[first:last] for first, last in zip(start.tolist(), end.tolist(), strict=True)]
        for n in np.flatnonzero(lines.flags[place] & BY_HAND).tolist() if by_hand else ():
            texts[n] = by_hand[int(place[n])]
            level[n] = self._levels[code[n]] or severity.in_text(texts[n])
        row = (place + first_row).astype(np.int32)
        return Lines(row, [self._streams[n] for n in codes], lines.ts_ns[place], level, texts, None, fields)

    def _carried(self, joined: bytes, lines: line_scan.Lines, verdict: NDArray[np.int8]) -> dict[int, Fields]:
        """By place the fields that lines say anew. ODD where there are others, that are said again and again, too."""
        if len(self._levels) != len(self._beside):
            self._streams = [part.stream for part in self._beside]
            self._levels = np.array([part.level for part in self._beside], np.int8)
            self._carries = np.array([part.fields is not NO_FIELDS for part in self._beside], np.bool_)
        found: dict[int, Fields] = {}
        place = np.flatnonzero(verdict == KNOWN)
        place = place[lines.carried[place, 0] > 0]
        others = self._carries[self._known.table.code[lines.node[place]]]
        verdict[place[others]] = ODD
        place = place[~others]
        for at, spans in zip(place.tolist(), lines.carried[place].tolist(), strict=True):
            ends = range(1, 1 + 2 * spans[0], 2)
            members = b",".join([joined[spans[k] : spans[k + 1]] for k in ends])
            found[at] = self._names.fields.read(orjson.loads(b"{%s}" % members))
        return found

    def _by_hand(self, joined: bytes, lines: line_scan.Lines, verdict: NDArray[np.int8]) -> dict[int, bytes]:
        """By place the texts that are not what stands there. ODD for one that is no text, and for one that may be a document itself."""
        found: dict[int, bytes] = {}
        for at in np.flatnonzero((lines.flags & BY_HAND != 0) & (verdict == KNOWN)).tolist():
            try:
                text = found[at] = tidy(orjson.loads(b'"%s"' % joined[lines.start[at] : lines.end[at]])).encode()
            except ValueError:
                verdict[at] = ODD
                continue
            if self._embedded and text[:1] == b"{":
                verdict[at] = ODD
        return found

    def _scan(self, joined: bytes, sizes: NDArray[np.int64], *, learn: bool) -> tuple[line_scan.Lines, NDArray[np.int8]]:
        n = len(sizes)
        spans = np.empty(n, np.int64), np.empty(n, np.int64), np.empty(n, np.int64), np.empty(n, np.int64)
        nodes = np.empty(n, np.int64), np.empty(n, np.int64)
        carried = np.empty((n, 1 + 2 * CARRIED_MAX), np.int64)
        lines = line_scan.Lines(*nodes, *spans, np.empty(n, np.int64), np.empty(n, np.int8), carried)
        verdict = np.empty(n, np.int8)
        tables = self._roles.table, self._known.table
        buffer = np.frombuffer(joined, np.uint8)
        line_scan.scan(buffer, np.cumsum(sizes), tables, (int(learn), *self._options), self._span, lines, verdict)
        return lines, verdict

    def _check(self, payloads: Sequence[bytes], joined: bytes, lines: line_scan.Lines, verdict: NDArray[np.int8]) -> None:
        """What is not looked at byte by byte: that all is UTF-8, and times that are not read there. ODD for what is not right."""
        for at in np.flatnonzero((lines.flags & NOT_ASCII != 0) & (verdict == KNOWN)).tolist():
            if not _is_utf8(payloads[at]):
                verdict[at] = ODD
        place = np.flatnonzero((lines.time_start >= 0) & (verdict == KNOWN))
        if self._options[1] == 0:
            place = _read_times(joined, lines, place)
        for at in place.tolist():
            try:
                lines.ts_ns[at] = self._time_of(orjson.loads(joined[lines.time_start[at] : lines.time_end[at]]))
            except (DecodeError, ValueError):
                verdict[at] = ODD

    def _put_unusual(self, row: int, record: Record, out: ColumnsBuilder, *, is_new: bool) -> None:
        """Put a record the general way, and learn what is only new in it."""
        marks, lines = out.marks(), len(out.line_rows)
        self._general(row, record, out)
        if is_new and len(out.line_rows) == lines + 1 and out.marks() == marks + 1:
            self._credit -= 1
            self._learn(record.value or b"")

    def _learn(self, payload: bytes) -> None:
        """Remember what a document says beside text and time, and which of its members nobody asks for."""
        document = orjson.loads(payload)
        self._learn_names(document)
        if not self._known.make_room(line_scan.MEMBERS_MAX + 2, 2 * len(payload)):
            return
        if self._known.words is not self._words:
            self._words, self._beside, self._levels = self._known.words, [], np.zeros(0, np.int8)
        lines, verdict = self._scan(payload + _PADDING, np.array([len(payload)]), learn=True)
        if verdict[0] == ODD or lines.node[0] < 0:
            return
        spans = lines.carried[0].tolist()
        for k in range(1, 1 + 2 * spans[0], 2):
            for name in orjson.loads(b"{%s}" % payload[spans[k] : spans[k + 1]]):
                document.pop(name, None)
        beside = Beside(*self._reader.beside(document))
        code = self._known.words.code(repr(beside).encode())
        if code == len(self._beside):
            self._beside.append(beside)
        self._known.table.code[lines.node[0]] = code
        if lines.rest[0] >= 0:
            self._known.table.code[lines.rest[0]] = code

    def _learn_names(self, document: Document) -> None:
        """What the names of members stand for that no path leads to. What was learned before any of them is learned anew: it may be among it."""
        named = len(self._roles.words)
        for name, value in document.items():
            is_plain = value is not None and not isinstance(value, (dict, list))
            if is_plain and len(self._roles.words) < NAMES_MAX and not self._names.names_path(name):
                self._name(name, CARRIED if self._names.fields.reads(name) else IDLE)
        if len(self._roles.words) > named and self._known.table.used[0]:
            self._known = KnownParts()

    def _name(self, name: str, role: int) -> None:
        """Say what a name stands for, if nothing is said of it yet."""
        raw = name.encode("utf-8", "surrogatepass")
        if not self._roles.make_room(1, len(raw)):
            return
        node = parts.add(self._roles.table, np.frombuffer(raw + _PADDING, np.uint8), len(raw))
        if node >= 0 and self._roles.table.code[node] < 0:
            self._roles.table.code[node] = role
            self._roles.words.code(raw)


def _read_times(joined: bytes, lines: line_scan.Lines, place: NDArray[np.intp]) -> NDArray[np.intp]:
    """Read the times that are texts at these places; those that are left."""
    found = np.empty(len(place), np.int64)
    start, end = (
        lines.time_start[place] + 1,
        lines.time_end[place] - 1,
    )  # without quotes; of a number nothing is left that is a time
    iso_scan.times(np.frombuffer(joined, np.uint8), start, end, found)
    lines.ts_ns[place] = found
    left_over: NDArray[np.intp] = place[found == iso_scan.BY_HAND]
    return left_over


def _levels_of(joined: bytes, start: NDArray[np.int64], end: NDArray[np.int64]) -> NDArray[np.int8]:
    """The level that each of these texts names itself."""
    found = np.empty(len(start), np.int8)
    level_scan.levels(np.frombuffer(joined, np.uint8), start, end, severity.LOOK_AT, level_scan.WORDS, found)
    for at in np.flatnonzero(found == level_scan.BY_HAND).tolist():
        found[at] = severity.in_text(joined[start[at] : end[at]])
    return found


def _is_utf8(payload: bytes) -> bool:
    try:
        payload.decode()
    except UnicodeDecodeError:
        return False
    return True
