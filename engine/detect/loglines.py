"""Log lines: templates of lines, their counts, and those seen for the first time.

A template is judged at ticks only, when its words are the same however the batch was cut: for ten minutes after its birth it may
turn out to matter (severe, or suddenly frequent), then it is one of many.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from detectors.templates import TemplateMiner
from engine.config.tree import Detect
from engine.detect.counts import ERRORS, TEMPLATE, TOTAL, Counts, code_of, counted_series, runs, what_of
from engine.detect.episode import Sighting
from engine.detect.gates import Gate
from engine.detect.novelty import ERROR, FRESH_SECONDS, Births, Fresh, Stream, fresh_score
from engine.detect.redact import redacted
from engine.detect.watch import Step, Watch
from engine.errors import StateError
from engine.metrics import Metric
from engine.ports import Columns
from engine.records import AnomalyKind, Lines, Series

STREAMS_MAX: Final = 10_000
FRESH_MAX: Final = 1000
_SECOND_NS: Final = 1_000_000_000


class Saved(msgspec.Struct):
    """What is saved beside the miner."""

    streams: list[Stream] = []
    fresh: dict[int, Fresh] = {}
    since_ns: int | None = None  # event time from which something can be new: the end of the shard's warm-up


class LogLines:
    """The log side of one shard. The miner is made at the first line: most shards have none."""

    def __init__(self, config: Detect) -> None:
        self._limits = (config.templates_max, config.templates_per_service_max)
        self._warm_up_ns = int(config.warm_up * _SECOND_NS)
        items_max = config.templates_max + 3 * STREAMS_MAX
        self._counts = Counts(config.count_bucket, config.idle_after, items_max, self.series_of)
        self._saved = Saved()
        self._ids: dict[bytes, int] = {}
        self._miner: TemplateMiner | None = None

    @property
    def seen(self) -> bool:
        """Whether this shard has ever had a line."""
        return bool(self._saved.streams)

    # ------------------------------------------------------------------------------------------ lines
    def take(self, lines: Lines, describe: Callable[[bytes], Series], step: Step) -> None:
        """Mine and count the lines of a run of records."""
        stream = self._streams(lines, describe, step)
        kept = stream >= 0
        texts, ts_ns, severity = lines.text, lines.ts_ns, lines.severity
        if not kept.all():
            texts = [text for text, keep in zip(texts, kept.tolist(), strict=True) if keep]
            stream, ts_ns, severity = stream[kept], ts_ns[kept], severity[kept]
        if not texts:
            return
        step.stats.count(Metric.LINES, len(texts))
        miner = self._miner = self._miner or TemplateMiner(*self._limits)
        known, overflowed = len(miner), miner.overflowed
        template = miner.mine(texts, stream)
        if miner.overflowed > overflowed:
            step.stats.count(Metric.LIMITS_REACHED, miner.overflowed - overflowed, "templates_max")
        bucket = ts_ns // self._counts.bucket_ns
        late = self._count(stream, template, bucket, severity)
        if late:
            step.stats.count(Metric.SAMPLES_DROPPED, late, "late")
        if len(miner) > known:
            self._births(known, template, stream, ts_ns)
        if self._saved.fresh:
            self._watch_fresh(template, severity)
        for number, lines_of in zip(*(part.tolist() for part in np.unique(stream, return_counts=True)), strict=True):
            self._saved.streams[number].lines += lines_of

    def _streams(self, lines: Lines, describe: Callable[[bytes], Series], step: Step) -> NDArray[np.int64]:
        """The number of each line's stream; -1 when there are too many streams."""
        get = self._ids.get
        found = [get(key, -1) for key in lines.key]
        if -1 in found:
            for i, key in enumerate(lines.key):
                if found[i] < 0:
                    found[i] = self._stream(key, int(lines.ts_ns[i]), describe, step)
        return np.array(found, np.int64)

    def _stream(self, key: bytes, ts_ns: int, describe: Callable[[bytes], Series], step: Step) -> int:
        known = self._ids.get(key)
        if known is not None:
            return known
        if len(self._saved.streams) >= STREAMS_MAX:
            step.stats.count(Metric.LIMITS_REACHED, 1, "streams_max")
            return -1
        if self._saved.since_ns is None:
            self._saved.since_ns = ts_ns + self._warm_up_ns
        number = self._ids[key] = len(self._saved.streams)
        self._saved.streams.append(Stream(describe(key), ts_ns + self._warm_up_ns, Births(self._saved.since_ns)))
        return number

    def _count(
        self, stream: NDArray[np.int64], template: NDArray[np.int32], bucket: NDArray[np.int64], severity: NDArray[np.int8]
    ) -> int:
        """Put all into buckets; returns how many lines came after theirs had closed."""
        total = stream << 32
        errors, mined = severity >= ERROR, template >= 0
        codes = (total, total[errors] | ERRORS, total[mined] | (TEMPLATE + template[mined].astype(np.int64)))
        buckets = (bucket, bucket[errors], bucket[mined])
        late = 0
        for at, code, count in runs(np.concatenate(codes), np.concatenate(buckets)):
            if not self._counts.add(code, at, count) and what_of(code) == TOTAL:
                late += count
        return late

    def series_of(self, code: int) -> Series:
        """What a code counts. Templates are named by the id they were born with, so that their series never changes."""
        stream = self._saved.streams[code >> 32].series
        what = what_of(code)
        if what < TEMPLATE:
            return counted_series(stream, "log_errors" if what == ERRORS else "log_lines")
        return counted_series(stream, "log_lines", self._mined().describe(what - TEMPLATE).born_id)

    def _mined(self) -> TemplateMiner:
        if self._miner is None:
            raise ValueError("no line was ever mined")
        return self._miner

    # ------------------------------------------------------------------------------------------ births
    def _births(self, known: int, template: NDArray[np.int32], stream: NDArray[np.int64], ts_ns: NDArray[np.int64]) -> None:
        """Remember the templates that were born in this run, in the order of their first lines."""
        first: dict[int, int] = {}
        for i in np.flatnonzero(template >= known).tolist():
            first.setdefault(int(template[i]), i)
        for index, i in first.items():
            self._born(index, int(stream[i]), int(ts_ns[i]), int(np.count_nonzero(stream[:i] == stream[i])))

    def _born(self, index: int, number: int, ts_ns: int, lines_before: int) -> None:
        stream = self._saved.streams[number]
        interval = stream.births.interval_seconds(ts_ns)
        if len(self._saved.fresh) < FRESH_MAX:
            self._saved.fresh[index] = Fresh(number, ts_ns, interval, stream.lines + lines_before)
        if ts_ns >= stream.warm_ns:
            stream.births.born(ts_ns)

    def _watch_fresh(self, template: NDArray[np.int32], severity: NDArray[np.int8]) -> None:
        for index, fresh in self._saved.fresh.items():
            mine = template == index
            lines = int(np.count_nonzero(mine))
            if lines:
                fresh.lines += lines
                fresh.severity = max(fresh.severity, int(severity[mine].max()))

    # ------------------------------------------------------------------------------------------ ticks
    def _judge(self, watermark_ns: int, watch: Watch, row: int, step: Step) -> None:
        """Tell of young templates that matter, and let the others grow old."""
        saved = self._saved
        for index in sorted(saved.fresh):
            fresh = saved.fresh[index]
            score = fresh_score(fresh, saved.streams[fresh.stream].lines)
            old = watermark_ns - fresh.born_ns > int(FRESH_SECONDS * _SECOND_NS)
            if (old or score >= 1.0) and not self._is_warm(fresh):
                step.stats.count(Metric.GATED, 1, Gate.WARMING_UP)
            elif score >= 1.0:
                self._tell(index, fresh, score, watch, row, step)
            elif old:
                step.stats.count(Metric.GATED, 1, Gate.ORDINARY if fresh.lines > 1 else Gate.UNCONFIRMED)
            if old or score >= 1.0:
                del saved.fresh[index]

    def _is_warm(self, fresh: Fresh) -> bool:
        """A new stream brings many new templates: only its errors are told from the beginning."""
        stream = self._saved.streams[fresh.stream]
        return fresh.born_ns >= (stream.births.since_ns if fresh.severity >= ERROR else stream.warm_ns)

    def _tell(self, index: int, fresh: Fresh, score: float, watch: Watch, row: int, step: Step) -> None:
        miner = self._mined()
        if int(miner.resolve(np.array([index], np.int32))[0]) != index:  # it turned out to be a known one
            return
        item = self._counts.item(code_of(fresh.stream, TEMPLATE + index), step)
        if item is None:
            return
        template = miner.describe(index)
        seen = Sighting(
            AnomalyKind.NEW_TEMPLATE,
            fresh.born_ns,
            score,
            max(fresh.severity, 9),
            template.text,
            redacted(template.example),
            float(fresh.lines),
        )
        watch.sighted(item.series, seen, row, step)
        item.sighted = True

    def tick(self, watermark_ns: int, watch: Watch, row: int, step: Step) -> None:
        """Judge what is new, and close the buckets that are complete. Directly after `watch.settle`."""
        self._judge(watermark_ns, watch, row, step)
        if self._counts.due(watermark_ns):
            self._fold(watch, row, step)
            self._counts.close(watermark_ns, watch, row, step)

    def _fold(self, watch: Watch, row: int, step: Step) -> None:
        """Counts of templates that were merged go to those that stand for them."""
        tally = self._counts.tally
        counted: list[Iterable[int]] = [tally.items, *tally.open.values()]
        ordered = sorted({code for codes in counted for code in codes if what_of(code) >= TEMPLATE})
        index = np.array([what_of(code) - TEMPLATE for code in ordered], np.int32)
        survivor = self._mined().resolve(index)
        for at in np.flatnonzero(survivor != index).tolist():
            code = ordered[at]
            self._merge(code, code_of(code >> 32, TEMPLATE + int(survivor[at])), watch, row, step)
            self._saved.fresh.pop(int(index[at]), None)

    def _merge(self, code: int, into: int, watch: Watch, row: int, step: Step) -> None:
        tally = self._counts.tally
        for counts in tally.open.values():
            moved = counts.pop(code, 0)
            if moved:
                counts[into] = counts.get(into, 0) + moved
        if code not in tally.items:
            return
        self._counts.drop(code, watch, row, step)
        item = tally.items.get(into)
        if item is not None and item.slot >= 0:  # it counts more from now on: its old rate says nothing any more
            watch.tell(watch.episodes.retire(item.series.key, step.moment(row)), step, row)
            watch.release(item.slot)
            item.slot = watch.admit(item.series, step.stats)

    def __len__(self) -> int:
        """Templates ever born."""
        return len(self._miner) if self._miner is not None else 0

    # ------------------------------------------------------------------------------------------ snapshots
    def snapshot(self) -> Columns:
        columns = {
            "saved": np.frombuffer(msgspec.json.encode(self._saved), np.uint8).copy(),
            "counts": np.frombuffer(self._counts.snapshot(), np.uint8).copy(),
        }
        if self._miner is not None:
            columns |= {f"miner.{name}": column for name, column in self._miner.snapshot().items()}
        return columns

    def restore(self, columns: Columns) -> None:
        """Raises StateError. Only a side just made may be restored."""
        parts = {name.removeprefix("miner."): column for name, column in columns.items() if name.startswith("miner.")}
        try:
            self._saved = msgspec.json.decode(columns["saved"].tobytes(), type=Saved)
            self._counts.restore(columns["counts"].tobytes())
            if parts:
                self._miner = TemplateMiner(*self._limits)
                self._miner.restore(parts)
        except (msgspec.DecodeError, ValueError) as error:
            raise StateError(f"the log templates cannot be read back: {error}") from error
        self._ids = {stream.series.key: number for number, stream in enumerate(self._saved.streams)}
