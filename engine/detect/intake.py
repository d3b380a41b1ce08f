"""From the records of one batch to columns that may be believed: sizes, decoding, clamps on time and value, the clocks.

Whatever cannot be used is counted part by part, and its record goes once to the dead letters, with the first reason. What producers say
on purpose without a value, such as that a series has ended, is counted only.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from itertools import compress
from operator import itemgetter
from typing import Final, NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from detectors import belief, logclock
from detectors.kernel import as_state
from engine.config.tree import Detect, Source
from engine.detect.drafts import Drafts
from engine.detect.partials import Partials
from engine.errors import QUIET, DecodeError, Reject, StateError
from engine.metrics import Metric
from engine.ports import Catalog, Codec, Columns, StepStats
from engine.records import (
    Decoded,
    Dependency,
    Distribution,
    Event,
    Lines,
    Output,
    Rejected,
    Run,
    Samples,
    Span,
    Topic,
    at_rows,
    only,
)
from engine.records.run import Headers

TICK_NS: Final = 10_000_000_000
MARK_NS: Final = 1_000_000_000
MARK_RECORDS: Final = 1000
NO_TIME: Final = logclock.UNKNOWN_NS
DEAD_BYTES_MAX: Final = 65_536
VALUE_MAX: Final = 1e15
_SECOND_NS: Final = 1_000_000_000
_SAME_FOR_ALL: Final = (
    ("__connect.errors.stage", b"VALUE_CONVERTER"),
    ("__connect.errors.exception.class.name", DecodeError.__name__.encode()),
)
_LETTERS: Final = Topic.DEAD_LETTERS
_OFFSET: Final = "__connect.errors.offset"
_new: Final = tuple.__new__
"""Of a named tuple half the time that its own constructor takes."""
Rare = TypeVar("Rare", Event, Distribution, Span, Dependency)


class Batch(NamedTuple):
    """What one batch holds. Arrays with a trailing `r` in their comment are by record."""

    log_ns: NDArray[np.int64]  # r, log time with this record
    reached_ns: NDArray[np.int64]  # r, event time that has been reached; NO_TIME before the first
    due: NDArray[np.int8]  # r, logclock.TICK and MARK
    samples: Samples
    lines: Lines
    events: list[Event]
    distributions: list[Distribution]
    spans: list[Span]
    dependencies: list[Dependency]


class Believed(NamedTuple):
    """What of a batch may be believed."""

    samples: Samples
    lines: Lines
    events: list[Event]
    distributions: list[Distribution]
    spans: list[Span]
    dependencies: list[Dependency]


class Limits(NamedTuple):
    """Between which times what a record says is believed. Arrays by record."""

    ts_ns: NDArray[np.int64]  # as stamped
    log_ns: NDArray[np.int64]
    ahead: NDArray[np.bool_]  # stamped too late to be believed
    future_ns: int
    past_ns: int

    def bounds(self) -> Bounds:
        """The oldest and the latest time of each record."""
        latest, oldest = np.empty_like(self.ts_ns), np.empty_like(self.ts_ns)
        belief.limit(self.ts_ns, self.log_ns, self.ahead, self.future_ns, self.past_ns, oldest, latest)
        return Bounds(oldest, latest)


class Bounds(NamedTuple):
    """See `Limits.bounds`. Arrays by record."""

    oldest: NDArray[np.int64]
    latest: NDArray[np.int64]


class Intake:
    """One shard's reader: codec, catalog and clocks."""

    def __init__(self, *, codec: Codec, catalog: Catalog, source: Source, config: Detect) -> None:
        self._codec = codec
        self._catalog = catalog
        self._record_bytes_max = source.record_bytes_max
        self._future_ns = int(config.future_max * _SECOND_NS)
        self._past_ns = int(config.past_max * _SECOND_NS)
        self._log = np.zeros(1, logclock.STATE)
        self._event = np.zeros(1, logclock.STATE)
        self._pace = np.zeros(1, logclock.PACE)
        self._partials = Partials(source.line_bytes_max)

    def take(self, records: Run, drafts: Drafts, stats: StepStats) -> Batch:
        """Read a batch of at least one record."""
        ts_ns = records.ts_ns
        log_ns, ahead = np.empty_like(ts_ns), np.empty(len(records), np.bool_)
        logclock.read_times(as_state(self._log), ts_ns, self._past_ns, log_ns, ahead)
        due = np.empty(len(records), np.int8)
        logclock.pace(as_state(self._pace), log_ns, TICK_NS, MARK_NS, MARK_RECORDS, due)
        decoded = self._decode(records)
        decoded = decoded._replace(lines=self._partials.take(decoded.lines, log_ns, due, stats))
        believed, refused = _clamped(decoded, Limits(ts_ns, log_ns, ahead, self._future_ns, self._past_ns))
        rejected = decoded.rejected
        if refused:
            rejected = sorted([*rejected, *refused], key=itemgetter(0))  # stable: the codec's own reasons come first
        self._refuse(records, rejected, drafts, stats)
        return Batch(log_ns, self._reached(len(records), believed), due, *believed)

    def _decode(self, records: Run) -> Decoded:
        """Decode all records but the large ones, which are rejected unread."""
        limit = self._record_bytes_max
        if records.sizes.max() <= limit:
            return self._codec.decode(records, self._catalog)
        fits = (records.sizes <= limit).tolist()
        decoded = at_rows(self._codec.decode(list(compress(records, fits)), self._catalog), np.flatnonzero(fits).astype(np.int32))
        large = [
            Rejected(at, Reject.TOO_LARGE, f"{size} bytes, at most {limit} are read")
            for at, size in enumerate(records.sizes.tolist())
            if not fits[at]
        ]
        return decoded._replace(rejected=sorted([*decoded.rejected, *large], key=itemgetter(0)))

    def _reached(self, n: int, believed: Believed) -> NDArray[np.int64]:
        """Event time reached with each record: robust like log time, from the newest time in each record."""
        newest = _newest(n, believed)
        if newest.min() > NO_TIME:
            found, unused = np.empty(n, np.int64), np.empty(n, np.bool_)
            logclock.read_times(as_state(self._event), newest, self._past_ns, found, unused)
            return found
        telling = np.flatnonzero(newest > NO_TIME)
        before = int(self._event["time_ns"][0]) if self._event["filled"][0] else NO_TIME
        found, unused = np.empty(len(telling), np.int64), np.empty(len(telling), np.bool_)
        logclock.read_times(as_state(self._event), newest[telling], self._past_ns, found, unused)
        reached = np.full(n, before, np.int64)
        if len(telling):
            last = np.cumsum(newest > NO_TIME) - 1
            reached = np.where(last >= 0, found[last], before)
        return reached

    def newest_ns(self) -> int:
        """The newest event time of late; NO_TIME when there was none."""
        return int(self._event["newest_ns"][0]) if self._event["filled"][0] else NO_TIME

    def _refuse(self, records: Run, rejected: list[Rejected], drafts: Drafts, stats: StepStats) -> None:
        if not rejected:
            return
        topic = records.shard.topic
        counts = Counter([part.reason for part in rejected])
        told = rejected if QUIET.isdisjoint(counts) else [part for part in rejected if part.reason not in QUIET]
        rows = np.array([part.row for part in told], np.int64)
        again = rows[1:] == rows[:-1]
        if again.any():
            first = np.concatenate(([True], ~again))
            told, rows = list(compress(told, first.tolist())), rows[first]
        drafts.add_outputs(rows.tolist(), DeadLetters(records).of(told, rows))
        for reason, times in counts.items():
            stats.count(Metric.RECORDS_REJECTED, times, topic, reason)
        if told is not rejected:
            counts = Counter([part.reason for part in told])
        for reason, times in counts.items():
            stats.count(Metric.DEAD_LETTERS, times, topic, reason)

    def snapshot(self) -> Columns:
        clocks = {"log": self._log, "event": self._event, "pace": self._pace}
        columns = {name: np.frombuffer(column.tobytes(), np.uint8).copy() for name, column in clocks.items()}
        return columns | {"partials": self._partials.snapshot()}

    def restore(self, columns: Columns) -> None:
        """Raises StateError."""
        try:
            log, event = (np.frombuffer(columns[name].tobytes(), logclock.STATE).copy() for name in ("log", "event"))
            pace = np.frombuffer(columns["pace"].tobytes(), logclock.PACE).copy()
        except ValueError as error:
            raise StateError("the clocks are torn") from error
        if not len(log) == len(event) == len(pace) == 1:
            raise StateError("the clocks are torn")
        self._partials.restore(columns.get("partials", np.empty(0, np.uint8)))
        self._log, self._event, self._pace = log, event, pace


def _newest(n: int, believed: Believed) -> NDArray[np.int64]:
    """The newest time in each of n records; NO_TIME in those that have none."""
    samples, lines = believed.samples, believed.lines
    rare: list[Event | Distribution | Span] = [*believed.events, *believed.distributions, *believed.spans]
    if not (len(lines.row) or rare) and np.array_equal(samples.row, np.arange(n)):
        return samples.ts_ns
    newest = np.full(n, NO_TIME, np.int64)
    if (samples.row[1:] > samples.row[:-1]).all():
        newest[samples.row] = samples.ts_ns
    else:
        np.maximum.at(newest, samples.row, samples.ts_ns)
    np.maximum.at(newest, lines.row, lines.ts_ns)
    for part in rare:
        newest[part.row] = max(newest[part.row], part.ts_ns)
    return newest


def _clamped(decoded: Decoded, limits: Limits) -> tuple[Believed, list[Rejected]]:
    """What lies between the oldest and the latest time of its record and is finite; and what does not."""
    bounds = limits.bounds()
    samples, lines = _typed(decoded.samples), decoded.lines
    refused: list[Rejected] = []
    if belief.doubtful(samples.row, samples.ts_ns, samples.value, bounds.oldest, bounds.latest, VALUE_MAX):
        samples = _usable(samples, bounds, refused)
    if len(lines.row):
        keep = _timely(lines.row, lines.ts_ns, bounds, refused)
        if not keep.all():
            lines = lines.kept(keep)
    events = _timely_parts(decoded.events, bounds, refused)
    distributions = _timely_parts(decoded.distributions, bounds, refused)
    spans = _timely_parts(decoded.spans, bounds, refused)
    dependencies = _timely_parts(decoded.dependencies, bounds, refused)
    return Believed(samples, lines, events, distributions, spans, dependencies), refused


def _typed(samples: Samples) -> Samples:
    """The same; kernels that are bound to types check none."""
    row, key, ts_ns, value = samples
    return Samples(np.asarray(row, np.int32), key, np.asarray(ts_ns, np.int64), np.asarray(value, np.float64))


def _usable(samples: Samples, bounds: Bounds, refused: list[Rejected]) -> Samples:
    usable = np.abs(samples.value) < VALUE_MAX
    refused += [Rejected(int(row), Reject.NOT_FINITE, "a value that is no number") for row in samples.row[~usable]]
    usable[usable] = _timely(samples.row[usable], samples.ts_ns[usable], bounds, refused)
    return Samples(samples.row[usable], only(samples.key, usable), samples.ts_ns[usable], samples.value[usable])


def _timely_parts(parts: Sequence[Rare], bounds: Bounds, refused: list[Rejected]) -> list[Rare]:
    if not parts:
        return []
    row, ts_ns = np.array([part.row for part in parts], np.int32), np.array([part.ts_ns for part in parts], np.int64)
    return list(compress(parts, _timely(row, ts_ns, bounds, refused)))


def _timely(row: NDArray[np.int32], ts_ns: NDArray[np.int64], bounds: Bounds, refused: list[Rejected]) -> NDArray[np.bool_]:
    future, old = ts_ns > bounds.latest[row], ts_ns < bounds.oldest[row]
    for mask, reason, detail in (
        (future, Reject.FUTURE_TIME, "ahead of the log's time by more than future_max"),
        (old, Reject.TOO_OLD, "behind the log's time by more than past_max"),
    ):
        if mask.any():
            refused += [Rejected(at, reason, detail) for at in row[mask].tolist()]
    kept: NDArray[np.bool_] = ~(future | old)
    return kept


class DeadLetters:
    """The refused records of a batch as they came, with headers that say what was wrong, named as Kafka Connect names them."""

    def __init__(self, records: Run) -> None:
        self._records = records
        topic, partition = records.shard
        self._place = (("__connect.errors.topic", topic.encode()), ("__connect.errors.partition", b"%d" % partition))
        self._reasons: dict[tuple[object, ...], Headers] = {}  # of one batch: details may be a stranger's words

    def of(self, parts: Sequence[Rejected], rows: NDArray[np.int64]) -> list[Output]:
        """The records of parts that were refused; `rows` are those of the parts."""
        columns, first, second = self._records.chosen(rows), *self._place
        known = self._reasons
        said = [known.get(part[1:]) or self._learn(part) for part in parts]
        made = [
            _new(Output, (_LETTERS, key or b"", value, ts_ns, (*headers, first, second, (_OFFSET, b"%d" % offset), *why), None))
            for why, (offset, ts_ns, key, value, headers) in zip(said, columns, strict=True)
        ]
        for place in np.flatnonzero(self._records.sizes[rows] > DEAD_BYTES_MAX).tolist():
            value, headers = made[place].value or b"", made[place].headers
            headers = (*headers, ("foreshock.value.truncated", b"%d" % len(value)))
            made[place] = made[place]._replace(value=value[:DEAD_BYTES_MAX], headers=headers)
        return made

    def _learn(self, part: Rejected) -> Headers:
        _, reason, detail = part
        message, code = ("__connect.errors.exception.message", detail.encode()), ("foreshock.error.code", reason.encode())
        said = self._reasons[reason, detail] = (*_SAME_FOR_ALL, message, code)
        return said
