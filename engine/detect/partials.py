"""Lines that come in pieces are put together before anything else sees them.

Container runtimes cut long lines at 16 kB, and whatever writes a stack trace writes it line by line. Where a source says how
its pieces are known, the pieces of one origin (a container and its stream) are held until the last one is there; what is held is
bounded in number, bytes and log time, and let go as it is when a bound is reached. Lines that continue the one before them
(frames of a stack trace) are not lines of their own: they are dropped behind a line of the same origin.
"""

from __future__ import annotations

import re
from typing import Any, Final

import msgspec
import numpy as np
from msgspec import structs
from numpy.typing import NDArray

from detectors.logclock import TICK
from engine.errors import StateError
from engine.line_fields import joined_fields
from engine.metrics import Metric
from engine.ports import StepStats
from engine.records import NO_FIELDS, Fields, Lines, Pieces

ORIGINS_MAX: Final = 4096
"""Lines held at a time, and origins of which the latest line is remembered."""
BYTES_MAX: Final = 16 * 2**20
"""Bytes held at a time, of all lines."""
HOLD_NS: Final = 60 * 1_000_000_000
"""Log time for which a line waits for its end, and a stack trace for its next frame."""
_CONTINUES: Final = re.compile(rb"[ \t]+\S|Caused by: |\.\.\. \d+ (?:more|common frames)|Traceback \(most recent call last\):")


class Held(msgspec.Struct):
    """What has come of one line so far."""

    key: bytes
    ts_ns: int
    severity: int
    since_ns: int  # log time with its first piece
    text: bytes
    fields: Fields = NO_FIELDS


class Saved(msgspec.Struct):
    """The one that has waited longest comes first in each."""

    held: dict[bytes, Held] = {}
    heads: dict[bytes, int] = {}  # origin → log time of its latest line that continued no other


class _Out:
    """Columns of lines that are put together anew."""

    def __init__(self) -> None:
        self.row: list[int] = []
        self.key: list[bytes] = []
        self.ts_ns: list[int] = []
        self.severity: list[int] = []
        self.text: list[bytes] = []
        self.fields: list[Fields] = []

    def put(self, row: int, held: Held) -> None:
        self.row.append(row)
        self.key.append(held.key)
        self.ts_ns.append(held.ts_ns)
        self.severity.append(held.severity)
        self.text.append(held.text)
        self.fields.append(held.fields)

    def lines(self) -> Lines:
        return Lines(
            np.array(self.row, np.int32),
            self.key,
            np.array(self.ts_ns, np.int64),
            np.array(self.severity, np.int8),
            self.text,
            None,
            self.fields if any(fields is not NO_FIELDS for fields in self.fields) else None,
        )


class Partials:
    """The pieces of one shard."""

    def __init__(self, line_bytes_max: int) -> None:
        self._line_bytes_max = line_bytes_max
        self._saved = Saved()
        self._bytes = 0

    def take(self, lines: Lines, log_ns: NDArray[np.int64], due: NDArray[np.int8], stats: StepStats) -> Lines:
        """Whole lines of a batch, in the order of their last pieces. `log_ns` and `due` are by record.

        What is let go unfinished because its time is over comes with the record of a tick, so that the cut of batches has no say.
        """
        pieces, saved = lines.pieces, self._saved
        if not saved.held and (pieces is None or not (pieces.folds or pieces.more.any())):
            return lines if pieces is None else lines._replace(pieces=None)
        if pieces is None:
            pieces = Pieces([b""] * len(lines.key), np.zeros(len(lines.key), np.bool_), lines.text, _unchanged)
        out = _Out()
        ticks: list[int] = np.flatnonzero(due & TICK).tolist()
        rows, times, levels, more = lines.row.tolist(), lines.ts_ns.tolist(), lines.severity.tolist(), pieces.more.tolist()
        fields = lines.fields or [NO_FIELDS] * len(rows)
        continued = 0
        for i, row in enumerate(rows):
            while ticks and ticks[0] < row:
                tick = ticks.pop(0)
                self._expire(tick, int(log_ns[tick]), out)
            now_ns, origin, raw = int(log_ns[row]), pieces.origin[i], pieces.raw[i]
            piece = Held(lines.key[i], times[i], levels[i], now_ns, raw, fields[i])
            if more[i] and origin:
                self._hold(origin, piece, row, out, stats)
            elif origin in saved.held:
                held = self._release(origin)
                text, level, inner = pieces.whole(held.text + raw)
                whole = structs.replace(
                    held, severity=level or held.severity, text=text, fields=joined_fields(held.fields, inner)
                )
                out.put(row, whole)
            elif pieces.folds and self._continues(origin, raw, now_ns):
                continued += 1
            else:
                piece.text = lines.text[i]
                out.put(row, piece)
        for tick in ticks:
            self._expire(tick, int(log_ns[tick]), out)
        if continued:
            stats.count(Metric.SAMPLES_DROPPED, continued, "continued")
        return out.lines()

    def _hold(self, origin: bytes, piece: Held, row: int, out: _Out, stats: StepStats) -> None:
        held = self._saved.held.setdefault(origin, piece)
        added = piece.text[: self._line_bytes_max]
        if held is not piece:
            added = piece.text[: max(0, self._line_bytes_max - len(held.text))]
            held.text += added
        else:
            held.text = added
        self._bytes += len(added)
        while len(self._saved.held) > ORIGINS_MAX or self._bytes > BYTES_MAX:
            stats.count(Metric.LIMITS_REACHED, 1, "partial_lines_max")
            self._give_up(next(iter(self._saved.held)), row, out)

    def _release(self, origin: bytes) -> Held:
        held = self._saved.held.pop(origin)
        self._bytes -= len(held.text)
        return held

    def _give_up(self, origin: bytes, row: int, out: _Out) -> None:
        held = self._release(origin)
        out.put(row, structs.replace(held, text=held.text.decode("utf-8", "ignore").strip().encode()))

    def _expire(self, row: int, now_ns: int, out: _Out) -> None:
        over = [origin for origin, held in self._saved.held.items() if held.since_ns < now_ns - HOLD_NS]
        for origin in over:
            self._give_up(origin, row, out)

    def _continues(self, origin: bytes, raw: bytes, now_ns: int) -> bool:
        heads = self._saved.heads
        before_ns = heads.get(origin)
        found = _CONTINUES.match(raw) is not None
        follows = found and before_ns is not None and now_ns - before_ns <= HOLD_NS
        if found and not follows and raw[:1] in b" \t":  # programs that indent every line are none of this
            return False
        heads.pop(origin, None)
        heads[origin] = now_ns
        if len(heads) > ORIGINS_MAX:
            del heads[next(iter(heads))]
        return follows

    # ------------------------------------------------------------------------------------------ snapshots
    def snapshot(self) -> NDArray[np.uint8]:
        return np.frombuffer(msgspec.msgpack.encode(self._saved), np.uint8).copy()

    def restore(self, column: NDArray[Any]) -> None:
        """Raises StateError. Nothing at all is an empty state."""
        body = column.tobytes()
        try:
            self._saved = msgspec.msgpack.decode(body, type=Saved) if body else Saved()
        except msgspec.DecodeError as error:
            raise StateError(f"lines in pieces cannot be read back: {error}") from error
        self._bytes = sum(len(held.text) for held in self._saved.held.values())


def _unchanged(text: bytes) -> tuple[bytes, int, Fields]:
    return text, 0, NO_FIELDS
