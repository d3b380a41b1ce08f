"""Reading what `foreshock rca` is given: a wide CSV, a topology, changes."""

from __future__ import annotations

import csv
import gzip
from pathlib import Path
from typing import Any

import numpy as np
import orjson

from engine.correlate.causes import Happening
from engine.correlate.derived import Table
from engine.errors import DecodeError, UsageError
from engine.times import TimeReader, epoch_ns, unit_by_magnitude

_NS = 1_000_000_000
_READER = TimeReader(naive_is_utc=True)
COLUMNS_MAX = 100_000


def read_table(path: Path) -> Table:
    """A wide CSV (`time,<entity>:<metric>,…`, .gz too). A cell that is no number is a missing value. Raises UsageError."""
    try:
        with gzip.open(path, "rt", newline="") if path.suffix == ".gz" else path.open(newline="") as file:
            rows = [row for row in csv.reader(file) if row]
    except (OSError, EOFError, UnicodeDecodeError, csv.Error) as error:
        raise UsageError(f"cannot read {path}: {error}") from error
    if len(rows) < 2 or len(rows[0]) < 2 or len(rows[0]) > COLUMNS_MAX:
        raise UsageError(f"{path} has no series", "the first line should be time,<entity>:<metric>,…")
    width = len(rows[0])
    ragged = next((n for n, row in enumerate(rows, 1) if len(row) != width), 0)
    if ragged:
        raise UsageError(f"{path}, line {ragged}: {len(rows[ragged - 1])} cells where the first line has {width}")
    names = [name.rpartition(":") for name in rows[0][1:]]
    times = np.array([parse_seconds(row[0]) for row in rows[1:]])
    values = _numbers([row[1:] for row in rows[1:]])
    order = np.argsort(times, kind="stable")
    return Table(times[order], tuple(n[0] or n[2] for n in names), tuple(n[2] for n in names), values[order])


def _numbers(rows: list[list[str]]) -> np.ndarray[Any, np.dtype[np.float64]]:
    try:
        values = np.array([[cell or "nan" for cell in row] for row in rows]).astype(np.float64)
    except ValueError:
        values = np.array([[_number(cell) for cell in row] for row in rows])
    return np.where(np.abs(values) < 1e15, values, np.nan)


def _number(cell: str) -> float:
    try:
        return float(cell)
    except ValueError:
        return float("nan")


def parse_seconds(text: str) -> float:
    """Seconds since 1970 of an ISO time, or of an epoch in s, ms, µs or ns (its size tells). Raises UsageError.

    >>> parse_seconds("1772672400"), parse_seconds("1772672400000"), parse_seconds("2026-03-05T01:00:00Z")
    (1772672400.0, 1772672400.0, 1772672400.0)
    """
    try:
        return epoch_ns(text, unit_by_magnitude(float(text))) / _NS
    except (ValueError, DecodeError):
        pass
    try:
        return _READER.rfc3339_ns(text) / _NS
    except DecodeError as error:
        raise UsageError(f"not a time: {text!r}", "write an ISO time or an epoch in s, ms or ns") from error


def read_changes(path: Path) -> list[Happening]:
    """JSON lines with `time`, `entity`, `name` and if need be `text` and `is_change` (default true). Raises UsageError."""
    happenings = []
    try:
        lines = path.read_bytes().splitlines()
    except OSError as error:
        raise UsageError(f"cannot read {path}: {error.strerror}") from error
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            about = orjson.loads(line)
            at = parse_seconds(str(about["time"]))
            entity, name = str(about["entity"]), str(about.get("name", "change"))
        except (orjson.JSONDecodeError, KeyError, TypeError, AttributeError) as error:
            raise UsageError(f"{path}, line {number} is not a change: {error}") from error
        is_change = about.get("is_change", True) is not False
        happenings.append(
            Happening(f"line {number}", int(at * _NS), name, entity, is_change=is_change, text=str(about.get("text", "")))
        )
    return happenings
