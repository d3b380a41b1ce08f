"""Spans as series: rate, share of errors and duration of each operation of each service, and who calls whom.

    span_rate{service.name="cart"}                      spans that came in to the service
    span_rate{service.name="cart",operation="GET /"}    those of one operation; with kind="client" those that went out
    span_error_ratio{…}                                 the share that failed, of at least 20 in a bucket
    span_seconds.p50, .p90, .p99{…}                     how long they lasted

Counted in the fixed buckets of event time in which lines are counted too. Spans inside a service are not counted, or one request
would be many. A caller and its callee meet by the id of the span, whichever comes first, within a minute; a caller that met nobody
needs the peer that it names itself.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

import msgspec
import numpy as np
from msgspec import structs

from engine.config.tree import Detect
from engine.detect.counts import BUCKETS_MIN, LINES_MIN, TEMPLATE, TOTAL, Counts, code_of, what_of
from engine.detect.dependencies import CALLS, Dependencies
from engine.detect.durations import place_of, quantile
from engine.detect.episode import Words
from engine.detect.exemplars import Worst, newest
from engine.detect.points import Points, Step
from engine.detect.watch import Watch
from engine.errors import StateError
from engine.metrics import Metric
from engine.ports import Columns, StepStats
from engine.records import Series, Signal, Span, ValueKind, series_key

STREAMS_MAX: Final = 2_000
"""Services of one shard."""
OPERATIONS_MAX: Final = 200
"""Operations of one service; those beyond are one, called `other`."""
CELLS_MAX: Final = 100_000
"""Operations with durations in open buckets; those beyond are counted only."""
WAITING_MAX: Final = 10_000
"""Spans that wait for the other end of their call; the oldest make way."""
WORST_MAX: Final = 10_000
"""Operations of which the worst requests are remembered."""
WAIT_NS: Final = 60_000_000_000
RATIO_MIN: Final = 20
"""Of fewer spans in a bucket neither the share of errors nor a duration says much."""
P99_MIN: Final = 100
OTHER: Final = "other"
_ERRORS, _P50, _P90, _P99 = range(4)
_NAMES: Final = ("span_error_ratio", "span_seconds.p50", "span_seconds.p90", "span_seconds.p99")
_SHARES: Final = {_P50: (0.5, RATIO_MIN), _P90: (0.9, RATIO_MIN), _P99: (0.99, P99_MIN)}
_OUTGOING: Final = frozenset({"client", "producer"})
_INCOMING: Final = frozenset({"server", "consumer"})
_SECOND_NS: Final = 1_000_000_000


class Service(msgspec.Struct, array_like=True):
    """One stream of spans and the numbers of its operations."""

    series: Series
    operations: dict[str, int] = {}


class Cell(msgspec.Struct, array_like=True):
    """What one operation did in one bucket."""

    errors: int = 0
    durations: dict[int, int] = {}  # place → spans
    worst: Worst = msgspec.field(default_factory=Worst)


class Measure(msgspec.Struct, array_like=True):
    """A series that is worked out of buckets."""

    series: Series
    slot: int = -1
    spans: int = 0
    buckets: int = 0
    last_bucket: int = 0


class Waiting(msgspec.Struct, array_like=True):
    """One end of a call."""

    entity: str
    peer: str
    ts_ns: int
    span_id: bytes = b""  # of a request that came in, and its codes and bucket
    codes: tuple[int, ...] = ()
    bucket: int = 0


class Saved(msgspec.Struct, array_like=True):
    """What is saved beside the counts."""

    services: list[Service] = []
    open: dict[int, dict[int, Cell]] = {}  # bucket → code → cell
    measures: dict[int, Measure] = {}  # by code << 2 | which
    waiting: dict[bytes, Waiting] = {}  # by end and id of the call, oldest first
    worst: dict[int, Worst] = {}  # by code, of the newest bucket that closed


class Spans:
    """The spans of one shard."""

    def __init__(self, config: Detect) -> None:
        items_max = STREAMS_MAX * (OPERATIONS_MAX + 1)
        self._counts = Counts(config.count_bucket, config.idle_after, items_max, self._series_of)
        self._counts.on_close = self._closed
        self._idle_buckets = int(config.idle_after / config.count_bucket) + 1
        self._saved = Saved()
        self._cells = 0
        self._ids: dict[bytes, int] = {}
        self._of_key: dict[bytes, int] = {}

    @property
    def seen(self) -> bool:
        """Whether this shard has ever had a span."""
        return bool(self._saved.services)

    # ------------------------------------------------------------------------------------------ spans
    def take(self, spans: Sequence[Span], describe: Callable[[bytes], Series], edges: Dependencies, step: Step) -> None:
        """Count the spans of a run of records, in order."""
        late = 0
        for span in spans:
            number = self._service(span.stream, describe, step.stats)
            if number < 0:
                continue
            late += not self._count(number, span)
            self._meet(number, span, edges, step.stats)
        if late:
            step.stats.count(Metric.SAMPLES_DROPPED, late, "late")

    def _service(self, key: bytes, describe: Callable[[bytes], Series], stats: StepStats) -> int:
        number = self._ids.get(key)
        if number is None:
            if len(self._saved.services) >= STREAMS_MAX:
                stats.count(Metric.LIMITS_REACHED, 1, "streams_max")
                return -1
            number = self._ids[key] = len(self._saved.services)
            self._saved.services.append(Service(structs.replace(describe(key), signal=Signal.TRACE)))
        return number

    def _count(self, number: int, span: Span) -> bool:
        """False when its bucket has closed."""
        bucket = span.ts_ns // self._counts.bucket_ns
        if span.kind in _OUTGOING:
            return self._count_one(code_of(number, self._operation(number, f"{span.kind} {span.operation}")), bucket, span)
        if span.kind not in _INCOMING and span.parent_id:
            return True
        in_time = self._count_one(code_of(number, TOTAL), bucket, span)
        return self._count_one(code_of(number, self._operation(number, f" {span.operation}")), bucket, span) and in_time

    def _operation(self, number: int, name: str) -> int:
        """The number of an operation, whose name begins with its kind where that matters."""
        operations = self._saved.services[number].operations
        found = operations.get(name)
        if found is None:
            if len(operations) >= OPERATIONS_MAX:
                name = f"{name.partition(' ')[0]} {OTHER}"
                found = operations.get(name)
            if found is None:
                found = operations[name] = TEMPLATE + len(operations)
        return found

    def _count_one(self, code: int, bucket: int, span: Span) -> bool:
        if not self._counts.add(code, bucket):
            return False
        cells = self._saved.open.setdefault(bucket, {})
        cell = cells.get(code)
        if cell is None:
            if self._cells >= CELLS_MAX:
                return True
            self._cells += 1
            cell = cells[code] = Cell()
        cell.errors += span.is_error
        cell.worst.see(span)
        place = place_of(span.seconds)
        cell.durations[place] = cell.durations.get(place, 0) + 1
        return True

    # ------------------------------------------------------------------------------------------ calls
    def _meet(self, number: int, span: Span, edges: Dependencies, stats: StepStats) -> None:
        waiting = self._saved.waiting
        entity = self._saved.services[number].series.entity or span.service
        if not (span.trace_id and span.span_id):  # nobody can be met
            if span.peer:
                edges.see((entity, span.peer, CALLS), span.ts_ns, stats)
        elif span.kind in _OUTGOING:
            place = span.trace_id + span.span_id
            callee = waiting.pop(b"<" + place, None)
            if callee is not None:
                edges.see((entity, callee.entity, CALLS), span.ts_ns, stats)
                self._called(entity, callee, span.trace_id)
            self._wait(b">" + place, Waiting(entity, "" if callee else span.peer, span.ts_ns), edges, stats)
        elif span.kind in _INCOMING:
            if span.peer:
                edges.see((entity, span.peer, CALLS), span.ts_ns, stats)
            place = span.trace_id + span.parent_id
            caller = waiting.get(b">" + place)
            here = Waiting(entity, "", span.ts_ns, span.span_id, self._codes(number, span), span.ts_ns // self._counts.bucket_ns)
            if caller is not None:
                caller.peer = ""  # it is known now, and by its own name
                edges.see((caller.entity, entity, CALLS), span.ts_ns, stats)
                self._called(caller.entity, here, span.trace_id)
            elif span.parent_id:
                self._wait(b"<" + place, here, edges, stats)

    def _codes(self, number: int, span: Span) -> tuple[int, ...]:
        return code_of(number, TOTAL), code_of(number, self._operation(number, f" {span.operation}"))

    def _called(self, caller: str, callee: Waiting, trace_id: bytes) -> None:
        """Who made a request: if it is the one that shows best what is wrong, that is said of it."""
        cells = self._saved.open.get(callee.bucket, {})
        for cell in (cells[code] for code in callee.codes if code in cells):
            cell.worst.called_by(caller, trace_id, callee.span_id)

    def _wait(self, place: bytes, end: Waiting, edges: Dependencies, stats: StepStats) -> None:
        waiting = self._saved.waiting
        if len(waiting) >= WAITING_MAX:
            self._give_up(next(iter(waiting)), edges, stats)
        waiting[place] = end

    def _give_up(self, place: bytes, edges: Dependencies, stats: StepStats) -> None:
        end = self._saved.waiting.pop(place)
        if end.peer:
            edges.see((end.entity, end.peer, CALLS), end.ts_ns, stats)

    # ------------------------------------------------------------------------------------------ ticks
    def tick(self, watermark_ns: int, watch: Watch, row: int, step: Step) -> None:
        """Close the buckets that are complete. Directly after `watch.settle`."""
        if not self.seen:
            return
        for place in [place for place, end in self._saved.waiting.items() if end.ts_ns < watermark_ns - WAIT_NS]:
            self._give_up(place, watch.dependencies, step.stats)
        self._counts.close(watermark_ns, watch, row, step)

    def words_of(self, series: Series) -> Words:
        """A request that shows what an alert on a series says: one that failed, or the slowest, of the newest bucket."""
        code = self._of_key.get(series.key, -1)
        worst = self._saved.worst.get(code >> 2)
        one = None if worst is None else worst.failed if code & 3 == _ERRORS else worst.slow
        return Words(series.text, "" if one is None else one.in_words(series.entity))

    def _series_of(self, code: int) -> Series:
        return self._named(code, "span_rate", ValueKind.COUNT)

    def _named(self, code: int, name: str, kind: ValueKind) -> Series:
        service = self._saved.services[code >> 32]
        labels = dict(service.series.labels)
        if what_of(code) >= TEMPLATE:
            spoken = next(text for text, number in service.operations.items() if number == what_of(code))
            of_kind, _, operation = spoken.partition(" ")
            labels["operation"] = operation
            if of_kind:
                labels["kind"] = of_kind
        pairs = tuple(sorted(labels.items()))
        return structs.replace(service.series, key=series_key(name, pairs), name=name, labels=pairs, kind=kind)

    def _closed(self, bucket: int, counts: dict[int, int], watch: Watch, row: int, step: Step) -> None:
        """What else is done when a bucket of counts has closed: its shares and durations are samples."""
        cells = self._saved.open.pop(bucket, {})
        self._cells -= len(cells)
        self._saved.worst = newest(self._saved.worst, {code: cell.worst for code, cell in cells.items()}, WORST_MAX)
        shares: list[tuple[int, float]] = []
        seconds: list[tuple[int, float]] = []
        for code in sorted(cells):
            spans = counts.get(code, 0)
            if spans < RATIO_MIN:
                continue
            shares += self._measured(code << 2 | _ERRORS, cells[code].errors / spans, (bucket, spans), watch, step)
            for which, (share, spans_min) in _SHARES.items():
                if spans >= spans_min:
                    value = quantile(cells[code].durations, share)
                    seconds += self._measured(code << 2 | which, value, (bucket, spans), watch, step)
        for some in (shares, seconds):
            self._score(some, bucket, watch, row, step)
        if bucket % self._idle_buckets == 0:
            watch.settle((bucket + 1) * self._counts.bucket_ns)
            for code in [code for code, known in self._saved.measures.items() if known.last_bucket < bucket - self._idle_buckets]:
                self._drop(code, watch, row, step)

    def _measured(self, code: int, value: float, in_bucket: tuple[int, int], watch: Watch, step: Step) -> list[tuple[int, float]]:
        """The slot of a series and its value; nothing while it is rare, or when there is no room for it."""
        known = self._saved.measures.get(code)
        if known is None:
            series = self._named(code >> 2, _NAMES[code & 3], ValueKind.GAUGE)
            known = self._saved.measures[code] = Measure(structs.replace(series, unit="s" if code & 3 else ""))
            self._of_key[series.key] = code
        known.last_bucket, spans = in_bucket
        known.spans += spans
        known.buckets += 1
        if known.slot < 0 and known.spans >= LINES_MIN and known.buckets >= BUCKETS_MIN:
            known.slot = watch.admit(known.series, step.stats)
        return [(known.slot, value)] if known.slot >= 0 else []

    def _score(self, found: list[tuple[int, float]], bucket: int, watch: Watch, row: int, step: Step) -> None:
        n = len(found)
        if not n:
            return
        slots, value = np.array([slot for slot, _ in found], np.int64), np.array([number for _, number in found], np.float64)
        pace = np.full(n, self._counts.bucket_ns / _SECOND_NS)
        times = np.full(n, bucket * self._counts.bucket_ns + self._counts.bucket_ns // 2, np.int64)
        step.stats.count(Metric.SAMPLES, n, Signal.TRACE)
        watch.score(Points(np.full(n, row, np.int32), slots, times, value, pace, np.abs(value), np.full(n, np.inf)), step)

    def _drop(self, code: int, watch: Watch, row: int, step: Step) -> None:
        known = self._saved.measures.pop(code)
        self._of_key.pop(known.series.key, None)
        watch.tell(watch.episodes.retire(known.series.key, step.moment(row)), step, row)
        if known.slot >= 0:
            watch.release(known.slot)

    # ------------------------------------------------------------------------------------------ snapshots
    def snapshot(self) -> Columns:
        return {
            "saved": np.frombuffer(msgspec.msgpack.encode(self._saved), np.uint8).copy(),
            "counts": np.frombuffer(self._counts.snapshot(), np.uint8).copy(),
        }

    def restore(self, columns: Columns) -> None:
        """Raises StateError. Only a side just made may be restored."""
        try:
            self._saved = msgspec.msgpack.decode(columns["saved"].tobytes(), type=Saved)
            self._counts.restore(columns["counts"].tobytes())
        except msgspec.DecodeError as error:
            raise StateError(f"the spans cannot be read back: {error}") from error
        self._cells = sum(map(len, self._saved.open.values()))
        self._of_key = {known.series.key: code for code, known in self._saved.measures.items()}
        self._ids = {service.series.key: number for number, service in enumerate(self._saved.services)}
