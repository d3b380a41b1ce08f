"""The detect stage: one topic-partition's records in; alerts, changes, watermarks and dead letters out.

The machine is a pure function of its log. Everything that is not the scoring of a sample happens at *ticks*, the records with
which log time crosses ten seconds: between two ticks samples are scored in one go, and the result is the same however
the log is cut into batches.

    records ─▶ intake ─▶ samples ─▶ watch (models, gates, episodes) ─▶ alerts
                    ├──▶ histograms ─▶ mean, quantiles ─▶ watch
                    ├──▶ lines ──▶ templates, counts ──▶ watch
                    ├──▶ events ─▶ changes, counts ───▶ watch
                    └──▶ spans ──▶ counts, shares, durations ─▶ watch; edges
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import cache
from typing import Any, Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from detectors import logclock
from detectors.logclock import MARK, TICK
from engine.config.slo import Ratio, Slo
from engine.config.tree import Detect, Source
from engine.detect.drafts import Drafts, Moment, Phase
from engine.detect.episode import Words
from engine.detect.happenings import Happenings
from engine.detect.intake import NO_TIME, Batch, Intake
from engine.detect.loglines import LogLines
from engine.detect.points import Step
from engine.detect.spans import Spans
from engine.detect.tallies import Tallies
from engine.detect.watch import Watch
from engine.errors import StateError
from engine.metrics import Metric
from engine.ports import Catalog, Codec, Columns, Snapshot, StepResult, StepStats
from engine.records import Lines, Record, Run, Samples, Series, Shard, Signal, Stamp, Watermark, digest

VERSION: Final = 7
_SECOND_NS: Final = 1_000_000_000


class Marks(msgspec.Struct):
    """How far the shard has come. Times are ns; the last record's are kept for `finish`."""

    watermark_ns: int = NO_TIME
    told_ns: int = NO_TIME  # the newest watermark that was sent
    active: int = 0  # series watched, as of the last tick
    offset: int = -1
    ts_ns: int = 0
    log_ns: int = 0
    seq: int = 0  # of the next output of the last record


class DetectMachine:
    """Implements ports.Machine."""

    def __init__(
        self,
        shard: Shard,
        *,
        codec: Codec,
        catalog: Catalog,
        source: Source,
        config: Detect,
        counted: tuple[Sequence[Slo], Sequence[Ratio]] = ((), ()),
    ) -> None:
        """`counted` are the objectives and the ratios whose counters may be on this shard."""
        self.shard = shard
        self._name = str(shard)
        self._config = config
        self._describe = catalog.describe
        self._config_id = digest(config.model_dump_json(), source.model_dump_json())[:16]
        self._lateness_ns = int(config.lateness * _SECOND_NS)
        self._log_lateness_ns = int(max(config.log_lateness, config.lateness) * _SECOND_NS)
        self._new_intake: Callable[[], Intake] = lambda: Intake(codec=codec, catalog=catalog, source=source, config=config)
        self._intake = self._new_intake()
        self._new_watch: Callable[[], Watch] = lambda: Watch(
            config,
            self._config_id,
            source.timezone or "",
            source.domain,
            Tallies(*counted, domain=source.domain, tenant=source.tenant),
        )
        self._watch = self._new_watch()
        self._source = source
        self._lines = LogLines(config, source)
        self._events = Happenings(config)
        self._spans = Spans(config)
        self._watch.episodes.words_of = self._words_of
        self._marks = Marks()
        self._learning = -1  # series that are too young, as of the last tick; -1 not counted since

    def _words_of(self, series: Series) -> Words:
        """What an alert on a series says beside its numbers."""
        return self._spans.words_of(series) if series.signal is Signal.TRACE else self._lines.words_of(series)

    # ------------------------------------------------------------------------------------------ records
    def step(self, records: Sequence[Record]) -> StepResult:
        """See ports.Machine."""
        stats, drafts = StepStats(), Drafts()
        if not records:
            return StepResult([], stats)
        records = Run.of(records)
        batch = self._intake.take(records, drafts, stats)
        watermark_ns, told_ns = self._watermarks(batch)
        step_of = self._steps(batch, records, told_ns, drafts, stats)
        marked: list[int] = np.flatnonzero(batch.due & MARK)[::-1].tolist()
        promises = step_of(Phase.WATERMARK)
        has_more = bool(len(batch.lines.row) or batch.events or batch.distributions or batch.spans or batch.dependencies)
        start, first = 0, 0
        ticks = np.flatnonzero(batch.due & TICK)
        marks_of_ticks = zip(ticks.tolist(), batch.log_ns[ticks].tolist(), watermark_ns[ticks].tolist(), strict=True)
        at_ticks = {row: Moment(row, Phase.TICK, *self.shard, records.offsets[row], *times) for row, *times in marks_of_ticks}
        rows = [*(row + 1 for row in at_ticks), *([] if batch.due[-1] & TICK else [len(batch.due)])]
        lasts = np.searchsorted(batch.samples.row, rows).tolist()
        for end, last in zip(rows, lasts, strict=True):
            at = at_ticks.get(end - 1)
            if first < last:
                self._take_samples(batch.samples, first, last, step_of)
            if has_more:
                self._segment(batch, start, end, step_of)
            self._promise(marked, end if at is None else at.row, watermark_ns, records, promises)
            if at is not None:
                self._tick(at, Step(drafts, stats, lambda _, at=at: at), silence=True)  # type: ignore[misc]
                self._promise(marked, end, watermark_ns, records, promises)
            start, first = end, last
        outputs, seq = drafts.outputs(records.ts_ns)
        marks = self._marks
        marks.offset, marks.ts_ns, marks.log_ns = records.offsets[-1], int(records.ts_ns[-1]), int(batch.log_ns[-1])
        marks.seq = seq
        marks.watermark_ns = int(watermark_ns[-1])
        self._gauge(stats)
        return StepResult(outputs, stats)

    def finish(self) -> StepResult:
        """See ports.Machine. Buckets that are complete close without waiting for late lines; one that is not is left out."""
        stats, drafts = StepStats(), Drafts()
        marks = self._marks
        newest_ns = max(self._intake.newest_ns(), marks.watermark_ns)
        if marks.offset < 0:
            return StepResult([], stats)
        stub = Record(self.shard.topic, self.shard.partition, marks.offset, marks.ts_ns, None, None)
        at = self._moment(stub, 0, Phase.TICK, marks.log_ns, newest_ns)
        self._tick(at, Step(drafts, stats, lambda _: at), silence=False)
        marks.watermark_ns = marks.told_ns = newest_ns
        final = Watermark(source=str(self.shard), ts_ns=newest_ns, stamp=at.stamp(), active=marks.active, final=True)
        drafts.add(at._replace(phase=Phase.WATERMARK), final)
        outputs, marks.seq = drafts.outputs(np.array([stub.ts_ns], np.int64), marks.seq)
        self._gauge(stats)
        return StepResult(outputs, stats)

    def _moment(self, record: Record, row: int, phase: int, log_ns: int, told_ns: int) -> Moment:
        return Moment(row, phase, self.shard.topic, self.shard.partition, record.offset, log_ns, told_ns)

    def _steps(
        self, batch: Batch, records: Run, told_ns: NDArray[np.int64], drafts: Drafts, stats: StepStats
    ) -> Callable[[int], Step]:
        """The step of each phase; its moments know the watermark that was told before their record."""
        topic, partition = self.shard

        @cache
        def step_of(phase: int) -> Step:
            def moment(row: int) -> Moment:
                at = records.offsets[row]
                return Moment(row, phase, topic, partition, at, batch.log_ns.item(row), told_ns.item(row))

            return Step(drafts, stats, moment)

        return step_of

    def _segment(self, batch: Batch, start: int, end: int, step_of: Callable[[int], Step]) -> None:
        """What is no sample of records start … end - 1, between which no tick lies."""
        lines = batch.lines
        if batch.distributions:
            whole = [part for part in batch.distributions if start <= part.row < end]
            self._watch.distributions.points(whole, self._describe, step_of(Phase.SAMPLES).stats)
        if len(lines.row):
            self._take_lines(lines, start, end, step_of)
        if batch.spans:
            spans = [span for span in batch.spans if start <= span.row < end]
            self._spans.take(spans, self._describe, self._watch.dependencies, step_of(Phase.EVENTS))
        if batch.dependencies:
            found = [part for part in batch.dependencies if start <= part.row < end]
            self._watch.dependencies.take(found, step_of(Phase.EVENTS).stats)
        number, before = 0, -1
        for event in batch.events:
            number = number + 1 if event.row == before else 0
            before = event.row
            if start <= event.row < end:
                self._events.take(event, number, self._describe, self._watch, event.row, step_of(Phase.EVENTS))

    def _take_samples(self, samples: Samples, a: int, b: int, step_of: Callable[[int], Step]) -> None:
        part = samples.row[a:b], samples.key[a:b], samples.ts_ns[a:b], samples.value[a:b]
        self._watch.samples(*part, self._describe, step_of(Phase.SAMPLES))

    def _take_lines(self, lines: Lines, start: int, end: int, step_of: Callable[[int], Step]) -> None:
        a, b = np.searchsorted(lines.row, (start, end)).tolist()
        if a < b:
            self._lines.take(lines.between(a, b), self._describe, step_of(Phase.EVENTS))

    def _tick(self, at: Moment, step: Step, *, silence: bool) -> None:
        """What is due by log time. `at.told_ns` is the watermark here: nothing that is said now is older."""
        watermark_ns = at.told_ns
        self._learning = -1
        self._watch.settle(watermark_ns)
        if watermark_ns == NO_TIME:
            return
        self._watch.derive(watermark_ns, at.row, step)
        self._lines.tick(watermark_ns, self._watch, at.row, step)
        self._events.tick(watermark_ns, self._watch, at.row, step)
        self._spans.tick(watermark_ns, self._watch, at.row, step)
        self._watch.tally(watermark_ns, at.row, step)
        self._watch.dependencies.tick(at, self._watch.table, step.drafts)
        if silence:
            self._watch.silence(watermark_ns, at.row, step)
        self._watch.compare(watermark_ns, at.row, step)
        self._watch.foresee(watermark_ns, at.row, step)
        self._watch.leases(at.row, step)
        self._watch.evict(watermark_ns, at.row, step)
        self._marks.active = len(self._watch.table)

    # ------------------------------------------------------------------------------------------ watermarks
    def _watermarks(self, batch: Batch) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """The watermark with each record, and the one that was told before it."""
        if self._lines.seen or self._spans.seen:
            first = 0
        else:
            first = min([*batch.lines.row[:1].tolist(), *(span.row for span in batch.spans[:1])], default=len(batch.due))
        watermark_ns, told_ns = np.empty_like(batch.reached_ns), np.empty_like(batch.reached_ns)
        lateness = self._lateness_ns, self._log_lateness_ns, first
        before = self._marks.watermark_ns, self._marks.told_ns
        self._marks.told_ns = logclock.promise(batch.reached_ns, batch.due, lateness, before, watermark_ns, told_ns)
        return watermark_ns, told_ns

    def _promise(self, marked: list[int], end: int, watermark_ns: NDArray[np.int64], records: Run, step: Step) -> None:
        """Tell the watermarks that are due with records before `end`; `marked` are the rows with which one is still due, the next one last."""
        topic, partition = self.shard
        while marked and marked[-1] < end:
            row = marked.pop()
            ts_ns = watermark_ns.item(row)
            if ts_ns > NO_TIME:
                stamp = Stamp(topic, partition, records.offsets[row], 0)
                mark = Watermark(source=self._name, ts_ns=ts_ns, stamp=stamp, active=self._marks.active)
                step.drafts.put(row, Phase.WATERMARK, mark)

    def _gauge(self, stats: StepStats) -> None:
        shard = str(self.shard)
        stats.gauge(Metric.SERIES_ACTIVE, len(self._watch.table), shard)
        if self._learning < 0:  # to count them takes longer than to score a batch, when they are a million
            self._learning = self._watch.bank.learning()
        stats.gauge(Metric.SERIES_LEARNING, self._learning, shard)
        stats.gauge(Metric.ALERTS_FIRING, self._watch.episodes.firing() + self._watch.forecasts.episodes.firing(), shard)
        self._watch.forecasts.gauge(stats, shard)
        stats.gauge(Metric.TEMPLATES_ACTIVE, len(self._lines), shard)
        if self._marks.watermark_ns > NO_TIME:
            stats.gauge(Metric.WATERMARK, self._marks.watermark_ns / _SECOND_NS, "detect", shard)

    # ------------------------------------------------------------------------------------------ snapshots
    def snapshot(self) -> Snapshot:
        """See ports.Machine."""
        watch = self._watch
        columns: dict[str, Any] = {}
        for prefix, part in (
            ("bank", watch.bank.snapshot()),
            ("pools", watch.pools.snapshot()),
            ("table", watch.table.snapshot()),
            ("groups", watch.groups.snapshot()),
            ("peers", watch.peers.snapshot()),
            ("entities", watch.entities.snapshot()),
            ("priors", watch.priors.snapshot()),
            ("forecasts", watch.forecasts.snapshot()),
            ("distributions", watch.distributions.snapshot()),
            ("intake", self._intake.snapshot()),
            ("lines", self._lines.snapshot()),
            ("events", self._events.snapshot()),
            ("spans", self._spans.snapshot()),
            ("dependencies", watch.dependencies.snapshot()),
            ("tallies", watch.tallies.snapshot()),
        ):
            columns |= {f"{prefix}.{name}": column for name, column in part.items()}
        columns["episodes"] = np.frombuffer(watch.episodes.snapshot(), np.uint8).copy()
        meta: dict[str, object] = {
            "version": VERSION,
            "shard": str(self.shard),
            "kernel_id": watch.bank.kernel_id,
            "config_id": self._config_id,
            "count_bucket": self._config.count_bucket,
            "marks": msgspec.to_builtins(self._marks),
        }
        return Snapshot(meta, columns)

    def restore(self, snapshot: Snapshot) -> None:
        """See ports.Machine. Rules and limits may have changed since; detectors and the length of buckets may not."""
        meta, columns = snapshot
        if meta.get("version") != VERSION or meta.get("shard") != str(self.shard):
            raise StateError("the snapshot is of another version or of another shard")
        if meta.get("count_bucket") != self._config.count_bucket:
            raise StateError("lines were counted in buckets of another length", hint="Set count_bucket back, or start anew.")
        watch, lines, events = self._new_watch(), LogLines(self._config, self._source), Happenings(self._config)
        spans = Spans(self._config)
        watch.episodes.words_of = self._words_of
        intake = self._new_intake()
        try:
            watch.bank.restore(_part(columns, "bank"))
            watch.pools.restore(_part(columns, "pools"))
            watch.table.restore(_part(columns, "table"))
            watch.episodes.restore(columns["episodes"].tobytes())
            watch.groups.restore(_part(columns, "groups"))
            watch.peers.restore(_part(columns, "peers"))
            watch.entities.restore(_part(columns, "entities"))
            watch.priors.restore(_part(columns, "priors"))
            watch.river.rejoin(watch.table.all())
            watch.forecasts.restore(_part(columns, "forecasts"))
            watch.distributions.restore(_part(columns, "distributions"))
            intake.restore(_part(columns, "intake"))
            lines.restore(_part(columns, "lines"))
            events.restore(_part(columns, "events"))
            spans.restore(_part(columns, "spans"))
            watch.dependencies.restore(_part(columns, "dependencies"))
            watch.tallies.restore(_part(columns, "tallies"))
            marks = msgspec.convert(meta.get("marks"), Marks)
        except (KeyError, msgspec.DecodeError, msgspec.ValidationError) as error:
            raise StateError("the snapshot is torn") from error
        self._watch, self._lines, self._events, self._intake, self._marks = watch, lines, events, intake, marks
        self._spans, self._learning = spans, -1


def _part(columns: Columns, prefix: str) -> Columns:
    return {name.removeprefix(f"{prefix}."): column for name, column in columns.items() if name.startswith(f"{prefix}.")}


def _segments(due: NDArray[np.int8]) -> Iterator[tuple[int, int]]:
    """Ends of the runs of records between ticks, and 1 where the run ends with the record of a tick."""
    for row in np.flatnonzero(due & TICK).tolist():
        yield row + 1, 1
    if not due[-1] & TICK:
        yield len(due), 0
