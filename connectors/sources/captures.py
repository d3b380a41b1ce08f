"""Captured messages in files: what was on a topic, for a look without a broker.

    .jsonl .ndjson .txt .log .influx .lp .graphite    each line is one record, each of them also with .gz
    .kafka.json                                       a list of objects with value, and key, headers, partition, ts
    .json                                             the whole file is one record if it is one document, else each line is
    anything else (.bin, …)                           the whole file is one record

A line that is what `kcat -J` prints (topic, partition, offset, payload) is opened: its payload is the record.
"""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any, BinaryIO, Final, cast

import orjson

from engine.errors import UsageError
from engine.records import Record

LINES: Final = frozenset({".jsonl", ".ndjson", ".txt", ".log", ".influx", ".lp", ".graphite"})
LINE_BYTES_MAX: Final = 16 * 2**20
_MILLISECOND_NS: Final = 1_000_000
_ENVELOPE: Final = frozenset({"topic", "partition", "offset", "payload"})


def captured(path: Path, topic: str, *, records_max: int, bytes_max: int) -> list[Record]:
    """The records of one file, the first ones where there are more. A record without a time of its own has 0.

    Raises UsageError when it cannot be read.
    """
    found: list[Record] = []
    size = 0
    try:
        for number, record in enumerate(islice(_records(path, topic), records_max)):
            found.append(record if record.offset >= 0 else record._replace(offset=number))
            size += len(record.value or b"")
            if size >= bytes_max:
                break
    except (OSError, EOFError, zlib.error) as error:
        raise UsageError(f"{path.name}: cannot be read: {error}") from error
    except orjson.JSONDecodeError as error:
        raise UsageError(f"{path.name}: not a JSON list of messages") from error
    return found


def _records(path: Path, topic: str) -> Iterator[Record]:
    name = path.name.removesuffix(".gz")
    with cast("BinaryIO", gzip.open(path, "rb") if path.suffix == ".gz" else path.open("rb")) as file:
        if name.endswith(".kafka.json"):
            yield from _messages(file.read(LINE_BYTES_MAX), topic)
        elif Path(name).suffix.lower() in LINES or (name.endswith(".json") and not _is_document(file)):
            yield from _lines(file, topic)
        else:
            yield Record(topic, 0, -1, 0, None, file.read(LINE_BYTES_MAX))


def _is_document(file: BinaryIO) -> bool:
    """Whether a file is one JSON document; it is at its beginning before and after."""
    try:
        orjson.loads(file.read(LINE_BYTES_MAX))
    except orjson.JSONDecodeError:
        return False
    finally:
        file.seek(0)
    return True


def _lines(file: BinaryIO, topic: str) -> Iterator[Record]:
    while line := file.readline(LINE_BYTES_MAX):
        value = line.rstrip(b"\r\n")
        if value.strip():
            yield _opened(value, topic) or Record(topic, 0, -1, 0, None, value)


def _opened(line: bytes, topic: str) -> Record | None:
    """The message in an envelope of kcat's; None for a line that is none."""
    if not line.startswith(b"{") or b'"payload"' not in line:
        return None
    try:
        found = orjson.loads(line)
    except orjson.JSONDecodeError:
        return None
    if type(found) is not dict or not found.keys() >= _ENVELOPE:
        return None
    return _message({**found, "value": found["payload"]}, topic)


def _messages(body: bytes, topic: str) -> Iterator[Record]:
    found = orjson.loads(body)
    for message in found if type(found) is list else [found]:
        if type(message) is not dict:
            raise UsageError("a list of messages holds objects with a value")
        yield _message(message, topic)


def _message(message: dict[str, Any], topic: str) -> Record:
    """Whatever of it is not of the type that it should be is as if it were not there."""
    partition, offset, ts_ms = (message.get(name) for name in ("partition", "offset", "ts"))
    headers = message.get("headers")
    pairs = headers if type(headers) is list else []
    if all(type(part) is str for part in pairs):  # kcat writes names and values by turns
        pairs = list(zip(pairs[::2], pairs[1::2], strict=False))
    return Record(
        topic,
        partition if type(partition) is int and 0 <= partition < 2**31 else 0,
        offset if type(offset) is int and 0 <= offset < 2**63 else -1,
        ts_ms * _MILLISECOND_NS if type(ts_ms) is int and 0 < ts_ms < 2**43 else 0,
        _bytes(message.get("key")),
        _bytes(message.get("value")),
        tuple((str(pair[0]), _bytes(pair[1]) or b"") for pair in pairs if isinstance(pair, (list, tuple)) and len(pair) == 2),
    )


def _bytes(value: object) -> bytes | None:
    if value is None:
        return None
    return value.encode("utf-8", "surrogatepass") if isinstance(value, str) else orjson.dumps(value)
