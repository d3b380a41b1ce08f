"""`foreshock score`: metric files through the daemon's own bank, one row out for each row in."""

from __future__ import annotations

import csv
import gzip
import io
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Final, NamedTuple, TextIO

import numpy as np
import typer
from numpy.typing import NDArray

from detectors import alarm, joint
from detectors.kernel import as_state
from engine.config.load import load_config
from engine.config.tree import Detect
from engine.detect.bank import Bank
from engine.detect.scored import Scored
from engine.errors import DecodeError, UsageError
from engine.records import Series
from engine.times import TimeReader, epoch_ns, unit_by_magnitude

HEADER: Final = "timestamp,score,alarm_score,expected,lower,upper,kind,gate"
_NO_TIME: Final = np.iinfo(np.int64).min


class Table(NamedTuple):
    """One file: `text` and `ts_ns` of n rows (ts_ns is the smallest integer where the time does not parse), `values` (n, m)."""

    metrics: list[str]
    text: list[str]
    ts_ns: NDArray[np.int64]
    values: NDArray[np.float64]


def score(
    files: Annotated[
        list[Path], typer.Argument(help="CSV files with the header timestamp,value or timestamp,<a>,<b>,…; .csv or .csv.gz")
    ],
    out: Annotated[Path, typer.Option(help="folder for the scores, one file of the same name for each")],
    config: Annotated[Path | None, typer.Option(help="configuration; its `detect` block is used")] = None,
) -> None:
    """Score metric files: one row out for each row in, without look-ahead, by the same code as the daemon.

    `alarm_score` is for alarms that are told once: 1.0 and above where one starts, lower for lesser news, 0 in between.
    """
    detect = load_config(config, {}).detect if config else Detect()
    missing = [str(f) for f in files if not f.is_file()]
    if missing:
        raise UsageError(f"no such file: {', '.join(missing)}")
    names = [output_name(f) for f in files]
    if len(set(names)) != len(names):
        raise UsageError("two files have the same name, and so would their scores", hint="Score them into two folders.")
    out.mkdir(parents=True, exist_ok=True)
    for file, name in zip(files, names, strict=True):
        with _open(file) as stream:
            table = read_table(stream, str(file))
        with (out / name).open("w", newline="", encoding="utf-8") as target:
            write_scores(target, table, detect)


def output_name(file: Path) -> str:
    """The name of a file's scores: its own, without `.gz`."""
    return file.name.removesuffix(".gz")


def _open(file: Path) -> TextIO:
    if file.suffix == ".gz":
        return io.TextIOWrapper(gzip.open(file, "rb"), encoding="utf-8-sig", newline="")
    return file.open(encoding="utf-8-sig", newline="")


# ------------------------------------------------------------------------------------------------------ reading
def read_table(stream: TextIO, name: str) -> Table:
    """Read a whole file. An empty or unreadable cell is NaN. Raises UsageError when there is no header."""
    rows = csv.reader(stream)
    header = next(rows, None)
    if header is None or len(header) < 2:
        raise UsageError(f"{name}: the first line must be a header such as timestamp,value")
    width = len(header) - 1
    read_time = _time_reader()
    text: list[str] = []
    times: list[int] = []
    cells: list[list[float]] = []
    for row in rows:
        if not row:
            continue
        text.append(row[0])
        times.append(read_time(row[0]))
        cells.append(_numbers(row, width))
    values = np.array(cells, np.float64).reshape(len(cells), width)
    return Table(header[1:], text, np.array(times, np.int64), values)


def _numbers(row: list[str], width: int) -> list[float]:
    try:
        numbers = [float(cell) if cell else np.nan for cell in row[1 : width + 1]]
    except ValueError:
        numbers = [_number(cell) for cell in row[1 : width + 1]]
    return numbers + [np.nan] * (width - len(numbers))


def _number(cell: str) -> float:
    try:
        return float(cell)
    except ValueError:
        return np.nan


def _time_reader() -> Callable[[str], int]:
    """Nanoseconds of ISO text (UTC unless it says otherwise) or of a number, its unit told by its magnitude; _NO_TIME for neither."""
    iso = TimeReader(naive_is_utc=True)

    def read(text: str) -> int:
        try:
            if text.lstrip("-").replace(".", "", 1).isdigit():
                return epoch_ns(text, unit_by_magnitude(float(text)))
            return iso.rfc3339_ns(text)
        except DecodeError:
            return _NO_TIME

    return read


# ------------------------------------------------------------------------------------------------------ scoring
def write_scores(target: TextIO, table: Table, config: Detect) -> None:
    """Score one file and write it, one line for each of its rows."""
    n, m = table.values.shape
    bank = Bank(config, "UTC")
    for slot, name in enumerate(table.metrics):
        bank.admit(slot, Series(key=name.encode(), name=name, labels=(), entity=""))
    slots = np.tile(np.arange(m, dtype=np.int64), n)
    values = np.where(table.ts_ns[:, None] == _NO_TIME, np.nan, table.values)
    scored = bank.score(slots, np.repeat(table.ts_ns, m), values.reshape(-1))
    place, scores = _of_entity(scored, table.ts_ns, n, m, config)
    starts = np.zeros(n)
    if m == 1:
        alarm.alarms(as_state(np.zeros(1, alarm.STATE)), table.ts_ns, _in_order(table), alarm.Params(), starts)
    else:
        alarm.worst(scores, alarm.Params(), starts)
    gates = _gates(table, scores)
    band = [_cells(column) for column in (scored.expected[place], *scored.band(place).T)]
    kinds = [str(bank.KINDS[k]) for k in scored.kind[place].tolist()]
    target.write(HEADER + "\n")
    columns = zip(table.text, _cells(scores), _cells(starts), *band, kinds, gates, strict=True)
    target.writelines(",".join(row) + "\n" for row in columns)


def _in_order(table: Table) -> NDArray[np.float64]:
    """The first metric, NaN in rows that are not later than all before them."""
    return np.where(table.ts_ns > _newest_before(table.ts_ns), table.values[:, 0], np.nan)


def _newest_before(ts_ns: NDArray[np.int64]) -> NDArray[np.int64]:
    """For each row the newest time above it."""
    return np.maximum.accumulate(np.concatenate(([_NO_TIME], ts_ns)))[:-1]


def _of_entity(
    scored: Scored, ts_ns: NDArray[np.int64], n: int, m: int, config: Detect
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """For each row of the file: the place of the metric that speaks for it among the samples, and the entity's score.

    A metric that is restless at this minute every day is no news; several of an entity at once are, so the joint score takes them as they are.
    """
    if m == 1:
        return np.arange(n), scored.score
    by_metric = scored.among.reshape(n, m)
    said = np.zeros(n, joint.OPINION)
    params = joint.Params(budget_seconds=config.false_alarm_every)
    joint.score_jointly(as_state(np.zeros(1, joint.STATE)), ts_ns, by_metric, params, as_state(said))
    loudest = np.argmax(np.where(np.isnan(by_metric), -1.0, by_metric), axis=1)
    return np.arange(n) * m + loudest, said["score"]


def _gates(table: Table, scores: NDArray[np.float64]) -> list[str]:
    """Why a row has no score; empty where it has one."""
    silent = np.isnan(scores)
    reasons = np.full(len(scores), "", dtype="U12")
    reasons[silent] = "warming_up"
    reasons[silent & (table.ts_ns <= _newest_before(table.ts_ns))] = "late"
    reasons[silent & ~np.isfinite(table.values).any(axis=1)] = "missing"
    reasons[table.ts_ns == _NO_TIME] = "bad_time"
    gates: list[str] = reasons.tolist()
    return gates


def _cells(column: NDArray[np.float64]) -> list[str]:
    return ["" if value != value else f"{value:.9g}" for value in column.tolist()]  # noqa: PLR0124  # NaN is not itself
