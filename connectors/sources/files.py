"""Files as logs: the records a producer would have put on a topic, the same each time the file is read.

    .csv            one JSON document for each row: {"time": <ns>, "values": {"<entity>:<metric>": number}}
    .jsonl .ndjson  each line is one record
    .influx .lp     each line is one record
    .log .txt       each line is one record (format `text`)

Any of them may be gzip-compressed (`.csv.gz`). Empty lines are no records. Offsets count from 0; the key is the file's name
without endings, so that all of a file goes to one partition. Everything that matters is in key, value and `ts_ns`: the
same records sent to Kafka give the same alerts.
"""

from __future__ import annotations

import csv
import gzip
import zlib
from collections.abc import Iterator
from io import BufferedReader, TextIOWrapper
from math import isfinite
from pathlib import Path
from typing import Any

import msgspec
import orjson

from engine.config.tree import Format, Mapping, Source
from engine.errors import DecodeError, UsageError
from engine.records import Record, Shard
from engine.times import EARLIEST_NS, LATEST_NS, TimeReader, epoch_ns, unit_by_magnitude

START_NS = 1_767_225_600_000_000_000
"""2026-01-01T00:00:00Z: where the time of a file begins that tells none."""
SECOND_NS = 1_000_000_000
_FORMATS = {
    ".csv": Format.JSON,
    ".jsonl": Format.JSON,
    ".ndjson": Format.JSON,
    ".influx": Format.INFLUX,
    ".lp": Format.INFLUX,
    ".log": Format.TEXT,
    ".txt": Format.TEXT,
}
_REST = {10: " 00:00:00", 13: ":00:00", 16: ":00"}
"""What a time lacks that is written down to the day, the hour or the minute only."""
_MISSING = frozenset({"", "nan", "null", "none", "na", "n/a"})
_WIDE_MAPPING = Mapping(time="time", time_unit="ns", values="values", split_entity=True)
_FLAT_MAPPING = Mapping(
    time="timestamp | time | @timestamp | ts",
    name="name | metric",
    values={"": "value"},
    labels={"*": "labels | tags"},
)


# ------------------------------------------------------------------------------------------------ what a file is
def stem(path: Path) -> str:
    """The file's name without its endings: `cpu.csv.gz` → `cpu`."""
    name = path.name.removesuffix(".gz")
    return name.removesuffix(Path(name).suffix)


def ending(path: Path) -> str:
    """The ending that says what is in the file, in lower case, without `.gz`. Raises UsageError for one we do not read."""
    found = Path(path.name.removesuffix(".gz")).suffix.lower()
    if found not in _FORMATS:
        raise UsageError(
            f"{path.name}: not a kind of file that is read", f"known endings: {' '.join(_FORMATS)}, each also with .gz"
        )
    return found


def wide_source(name: str, topic: str) -> Source:
    """The source block for the records that a CSV file becomes."""
    return Source(name=name, topics=[topic], format=Format.JSON, mapping=_WIDE_MAPPING)


WIDE = wide_source("wide", "wide")


def source_for(path: Path, topic: str, name: str = "file") -> Source:
    """A source block for a file when no configuration names one, by its ending. Raises UsageError.

    For JSON lines the documents are taken for flat metrics: name, value, labels and an RFC 3339 time.
    """
    kind = ending(path)
    if kind == ".csv":
        return wide_source(name, topic)
    mapping = _FLAT_MAPPING if _FORMATS[kind] is Format.JSON else Mapping()
    return Source(name=name, topics=[topic], format=_FORMATS[kind], mapping=mapping)


# ------------------------------------------------------------------------------------------------ reading
def read_records(path: Path, topic: str, partition: int = 0, *, start_ns: int = START_NS) -> Iterator[Record]:
    """The records of one file, in its order. `ts_ns` is the event time where the line tells it.

    A line that tells none has the time of the one before it; while none has told any, lines are one second apart from
    `start_ns` on (`.log` and `.txt` never tell). Raises UsageError for an unknown ending, a CSV without a header, and a file
    that cannot be read or whose compression is damaged.
    """
    try:
        yield from _read(path, Shard(topic, partition), start_ns)
    except (OSError, EOFError, zlib.error, csv.Error) as error:
        raise UsageError(f"{path.name}: cannot be read: {error}") from error


def _read(path: Path, shard: Shard, start_ns: int) -> Iterator[Record]:
    kind = ending(path)
    key = stem(path).encode()
    timed = _rows(path) if kind == ".csv" else _timed_lines(path, kind)
    ts_ns, told = start_ns - SECOND_NS, False
    for offset, (own_ns, value) in enumerate(timed):
        if own_ns is not None:
            ts_ns, told = own_ns, True
        elif not told:
            ts_ns += SECOND_NS
        yield Record(shard.topic, shard.partition, offset, ts_ns, key, value)


def _open(path: Path) -> gzip.GzipFile | BufferedReader:
    return gzip.open(path, "rb") if path.suffix == ".gz" else path.open("rb")


def _timed_lines(path: Path, kind: str) -> Iterator[tuple[int | None, bytes]]:
    times = FileTimes()
    with _open(path) as file:
        for line in file:
            value = line.rstrip(b"\r\n")
            if not value.strip():
                continue
            if kind in (".jsonl", ".ndjson"):
                yield times.of_document(value), value
            elif kind in (".influx", ".lp"):
                yield times.of_influx(value), value
            else:
                yield None, value


class _Timed(msgspec.Struct):
    """The members of a JSON document that usually hold its time."""

    time: Any = None
    timestamp: Any = None
    at_timestamp: Any = msgspec.field(default=None, name="@timestamp")
    ts: Any = None


class FileTimes:
    """Times as files write them: ISO 8601 (UTC when no zone is given), or a number whose unit follows from its magnitude."""

    def __init__(self) -> None:
        self._iso = TimeReader(naive_is_utc=True)
        self._document = msgspec.json.Decoder(_Timed)

    def of_cell(self, cell: object) -> int | None:
        """Nanoseconds; None when it cannot be read."""
        try:
            if isinstance(cell, str) and not (number := _number(cell)):
                text = cell.strip()
                return self._iso.rfc3339_ns(text + _REST.get(len(text), ""))
            value = number if isinstance(cell, str) else cell
            if not isinstance(value, (int, float)) or isinstance(value, bool):
                return None
            return epoch_ns(cell if isinstance(cell, str) else value, unit_by_magnitude(value))
        except DecodeError:
            return None

    def of_document(self, line: bytes) -> int | None:
        """The time among the usual members of a JSON document: time, timestamp, @timestamp, ts."""
        try:
            found = self._document.decode(line)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            return None
        values = (found.time, found.timestamp, found.at_timestamp, found.ts)
        return next((ts for value in values if value is not None and (ts := self.of_cell(value)) is not None), None)

    @staticmethod
    def of_influx(line: bytes) -> int | None:
        """The trailing nanoseconds of an influx line."""
        parts = line.rsplit(b" ", 1)
        if len(parts) < 2 or len(parts[1]) > 20 or not parts[1].removeprefix(b"-").isdigit():
            return None
        ts_ns = int(parts[1])
        return ts_ns if EARLIEST_NS < ts_ns < LATEST_NS else None


def _number(text: str) -> float | None:
    try:
        return None if "_" in text else float(text)
    except ValueError:
        return None


# ------------------------------------------------------------------------------------------------ CSV
def series_names(header: list[str], file_stem: str) -> list[str]:
    """The `entity:metric` of each column after the first; a column without an entity belongs to the file's name."""
    return [name if ":" in name else f"{file_stem}:{name}" for name in (column.strip() for column in header[1:])]


def _rows(path: Path) -> Iterator[tuple[int | None, bytes]]:
    times = FileTimes()
    with _open(path) as raw, TextIOWrapper(raw, encoding="utf-8-sig", errors="replace", newline="") as text:
        reader = csv.reader(text)
        header = next(reader, None)
        if header is None or len(header) < 2:
            raise UsageError(
                f"{path.name}: no header", "the first line names the columns: timestamp,value or time,<entity>:<metric>,…"
            )
        names = series_names(header, stem(path))
        for row in reader:
            if row:
                ts_ns = times.of_cell(row[0])
                document = {"time": row[0] if ts_ns is None else ts_ns, "values": _values(names, row)}
                yield ts_ns, orjson.dumps(document)


def _values(names: list[str], row: list[str]) -> dict[str, float | str]:
    """The numbers of a row; missing cells are left out, what is no number stays as it is and is rejected by the codec."""
    values: dict[str, float | str] = {}
    for name, cell in zip(names, row[1:], strict=False):
        number = _number(cell)
        if number is not None and isfinite(number):
            values[name] = number
        elif cell.strip().lower() not in _MISSING:
            values[name] = cell
    return values
