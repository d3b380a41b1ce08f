"""Log lines: mined to templates, counted, put into sessions; and everything that is told of them.

lines ─▶ messages ─▶ miner ─┬─▶ counts of streams and templates ──▶ watch (rates)
                            ├─▶ firsts: new templates, rare ones that are back
                            └─▶ sessions: those that went unlike the others, counted too
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Final

import msgspec
import numpy as np
from msgspec import structs
from numpy.typing import NDArray

from detectors.templates import TemplateMiner
from engine.config.tree import Detect, Source
from engine.detect.bursts import Bursts
from engine.detect.bursts import Saved as SavedBursts
from engine.detect.counts import ERRORS, ODD, SEVERE, TEMPLATE, TOTAL, Counts, code_of, counted_series, runs, what_of
from engine.detect.episode import Sighting, Words
from engine.detect.firsts import Firsts, Found, Saved
from engine.detect.line_heads import Head
from engine.detect.messages import Messages
from engine.detect.novelty import ERROR, WARN
from engine.detect.points import Step
from engine.detect.redact import redacted
from engine.detect.sessions import Odd, Sessions
from engine.detect.slots import Saved as SavedSlots
from engine.detect.slots import Slots
from engine.detect.watch import Watch
from engine.errors import StateError
from engine.metrics import Metric
from engine.ports import Columns
from engine.records import Labels, Lines, Series, ValueKind, series_key

STREAMS_MAX: Final = 10_000
FORGOTTEN_MAX: Final = 1024
"""So many templates that the miner has forgotten are remembered here at least."""
PART_CHARS: Final = 160
"""Characters of a template that are shown as one of several."""
_SECOND_NS: Final = 1_000_000_000
_NAMES: Final = {TOTAL: "log_lines", ERRORS: "log_errors", SEVERE: "log_severe_ratio", ODD: "log_odd_sessions"}


class LogLines:
    """The log side of one shard. The miner is made at the first line: most shards have none."""

    def __init__(self, config: Detect, source: Source) -> None:
        self._limits = (config.templates_max, config.templates_per_service_max)
        items_max = config.templates_max + len(_NAMES) * STREAMS_MAX
        self._counts = Counts(config.count_bucket, config.idle_after, items_max, self.series_of, pulses=True)
        self._firsts = Firsts(int(config.warm_up * _SECOND_NS))
        self._messages = Messages(config.logs, source.mapping, source.keep_log_labels)
        self._sessions = Sessions(config.logs, config.adopt_after)
        idle_buckets = int(config.idle_after / config.count_bucket) + 1
        self._slots = Slots(config.logs, self._counts.bucket_ns, idle_buckets, self._named)
        self._bursts = Bursts(self._counts.bucket_ns, int(config.warm_up * _SECOND_NS))
        self._counts.on_close = self._closed
        self._odd: dict[int, Words] = {}  # of a stream: the newest session that went unlike the others
        self._ids: dict[bytes, int] = {}
        self._miner: TemplateMiner | None = None

    @property
    def seen(self) -> bool:
        """Whether this shard has ever had a line."""
        return bool(self._firsts.saved.streams)

    # ------------------------------------------------------------------------------------------ lines
    def take(self, lines: Lines, describe: Callable[[bytes], Series], step: Step) -> None:
        """Mine and count the lines of a run of records."""
        stream = self._streams(lines, describe, step)
        kept = stream >= 0
        if not kept.all():
            lines, stream = lines.kept(kept), stream[kept]
        if not len(stream):
            return
        step.stats.count(Metric.LINES, len(stream))
        lines, messages, labels = self._messages.read(lines, stream)
        for place, found in labels.items():
            stream[place] = self._split(int(stream[place]), found, int(lines.ts_ns[place]), step)
        ts_ns, severity = lines.ts_ns, lines.severity
        miner = self._miner = self._miner or TemplateMiner(*self._limits)
        overflowed = miner.overflowed
        template = miner.mine(messages, stream)
        if miner.overflowed > overflowed:
            step.stats.count(Metric.LIMITS_REACHED, miner.overflowed - overflowed, "templates_max")
        late = self._count(stream, template, ts_ns // self._counts.bucket_ns, severity)
        if late:
            step.stats.count(Metric.SAMPLES_DROPPED, late, "late")
        self._firsts.take(template, stream, ts_ns, len(miner))
        self._firsts.watch(template, severity)
        self._sessions.take(lines, stream, template, step.stats)
        self._slots.take(lines._replace(text=messages), stream, template, step.stats)
        for number, lines_of in zip(*(part.tolist() for part in np.unique(stream, return_counts=True)), strict=True):
            self._firsts.saved.streams[number].lines += lines_of

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
        if len(self._firsts.saved.streams) >= STREAMS_MAX:
            step.stats.count(Metric.LIMITS_REACHED, 1, "streams_max")
            return -1
        number = self._ids[key] = self._firsts.add_stream(describe(key), ts_ns)
        return number

    def _split(self, stream: int, kept: Labels, ts_ns: int, step: Step) -> int:
        """The stream with these labels within another; that one itself when there are too many streams."""
        whole = self._firsts.saved.streams[stream].series
        labels = tuple(sorted((dict(kept) | dict(whole.labels)).items()))
        split = structs.replace(whole, key=series_key(whole.name, labels), labels=labels)
        number = self._stream(split.key, ts_ns, lambda _: split, step)
        return number if number >= 0 else stream

    def _count(
        self, stream: NDArray[np.int64], template: NDArray[np.int32], bucket: NDArray[np.int64], severity: NDArray[np.int8]
    ) -> int:
        """Put all into buckets; returns how many lines came after theirs had closed."""
        total = stream << 32
        errors, severe, mined = severity >= ERROR, severity >= WARN, template >= 0
        templates = total[mined] | (TEMPLATE + template[mined].astype(np.int64))
        codes = (total, total[errors] | ERRORS, total[severe] | SEVERE, templates)
        buckets = (bucket, bucket[errors], bucket[severe], bucket[mined])
        late = 0
        for at, code, count in runs(np.concatenate(codes), np.concatenate(buckets)):
            if not self._counts.add(code, at, count) and what_of(code) == TOTAL:
                late += count
        return late

    # ------------------------------------------------------------------------------------------ words
    def series_of(self, code: int) -> Series | None:
        """What a code counts. Templates are named by the id they were born with, so that their series never changes; None when forgotten."""
        stream = self._firsts.saved.streams[code >> 32].series
        what = what_of(code)
        if what >= TEMPLATE:
            born_id = self._mined().describe(what - TEMPLATE).born_id
            if not born_id:
                return None
            return counted_series(stream, "log_lines", born_id)
        return counted_series(stream, _NAMES[what], kind=ValueKind.GAUGE if what == SEVERE else ValueKind.COUNT)

    def _named(self, stream: int, template: int) -> tuple[Series, str]:
        return self._firsts.saved.streams[stream].series, self._mined().describe(template).born_id

    def words_of(self, series: Series) -> Words:
        """What an alert on a series says: the template with a redacted line, or the newest session that was odd."""
        number = self._slots.template_of(series.key)
        if number is not None:
            words = self._shown(number[0])
            return words._replace(text=f"{number[1]} in '{words.text}'")
        code = self._counts.code_of(series.key)
        if code is None:
            return Words(series.text)
        if what_of(code) == ODD:
            return self._odd.get(code >> 32, Words(series.text))
        if what_of(code) < TEMPLATE:
            return Words(series.text)
        return self._shown(what_of(code) - TEMPLATE)

    def _shown(self, template: int) -> Words:
        """A constant may be a secret too."""
        described = self._mined().describe(template)
        return Words(redacted(described.text), redacted(described.example))

    def _mined(self) -> TemplateMiner:
        if self._miner is None:
            raise ValueError("no line was ever mined")
        return self._miner

    # ------------------------------------------------------------------------------------------ ticks
    def tick(self, watermark_ns: int, watch: Watch, row: int, step: Step) -> None:
        """Judge what is new, and close the buckets that are complete. Directly after `watch.settle`."""
        if self._miner is None:
            return
        for found in self._firsts.judge(watermark_ns, step.stats):
            self._tell(found, watch, row, step)
        self._judge_sessions(watermark_ns, step)
        self._slots.tick()
        self._forget()
        if self._counts.due(watermark_ns):
            self._fold(watch, row, step)
            self._counts.close(watermark_ns, watch, row, step)

    def _forget(self) -> None:
        """Keep nothing of most templates that the miner has forgotten."""
        miner = self._mined()
        if len(self._firsts.seen) > 2 * miner.held + FORGOTTEN_MAX:
            held = miner.held_numbers()
            self._firsts.forget(held)
            self._slots.forget(held)

    def _closed(self, bucket: int, counts: dict[int, int], watch: Watch, row: int, step: Step) -> None:
        """What else is done when a bucket of counts has closed."""
        self._slots.close(bucket, watch, row, step)
        streams = [stream.series for stream in self._firsts.saved.streams]
        self._bursts.close(bucket, counts, streams, (watch, row, step))

    def _tell(self, found: Found, watch: Watch, row: int, step: Step) -> None:
        miner, index, fresh = self._mined(), found.template, found.fresh
        if int(miner.resolve(np.array([index], np.int32))[0]) != index:  # it turned out to be a known one
            return
        item = self._counts.item(code_of(fresh.stream, TEMPLATE + index), step)
        if item is None:
            return
        seen = Sighting(found.kind, fresh.born_ns, found.score, max(fresh.severity, 9), *self._shown(index), float(fresh.lines))
        watch.sighted(item.series, seen, row, step)
        item.sighted = True

    def _judge_sessions(self, watermark_ns: int, step: Step) -> None:
        """Count the sessions that went unlike the others, from when there is an opinion of their stream."""
        if not len(self._sessions):
            return
        bucket = watermark_ns // self._counts.bucket_ns
        for odd in self._sessions.tick(watermark_ns, self._mined().resolve, step.stats):
            self._counts.add(code_of(odd.stream, ODD), bucket)
            self._odd[odd.stream] = self._in_words(odd)
        for stream in self._sessions.judged():
            if code_of(stream, ODD) not in self._counts.tally.items:
                self._counts.add(code_of(stream, ODD), bucket, 0)

    def _in_words(self, odd: Odd) -> Words:
        parts = []
        for template, count, usual in odd.differs:
            text = self._shown(template).text[:PART_CHARS] if template < len(self._mined()) else "other lines"
            parts.append(f"'{text}' {_times(count)}, usually {_times(usual)}")
        if odd.order and not parts:
            parts.append("lines in an order never seen")
        return Words(
            f"sessions unlike the others: {'; '.join(parts) or 'a rare kind'}", redacted(odd.example.decode("utf-8", "replace"))
        )

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
            self._firsts.merged(int(index[at]), int(survivor[at]))
            self._slots.merged(int(index[at]), watch, row, step)

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
        """Templates that there are."""
        return self._miner.held if self._miner is not None else 0

    # ------------------------------------------------------------------------------------------ snapshots
    def snapshot(self) -> Columns:
        columns: dict[str, NDArray[Any]] = {
            "saved": np.frombuffer(
                msgspec.json.encode(
                    (self._firsts.saved, self._odd, self._slots.saved, self._bursts.saved, self._messages.heads.saved)
                ),
                np.uint8,
            ).copy(),
            "seen": self._firsts.seen.reshape(-1).copy(),
            "counts": np.frombuffer(self._counts.snapshot(), np.uint8).copy(),
        }
        columns |= {f"sessions.{name}": column for name, column in self._sessions.snapshot().items()}
        if self._miner is not None:
            columns |= {f"miner.{name}": column for name, column in self._miner.snapshot().items()}
        return columns

    def restore(self, columns: Columns) -> None:
        """Raises StateError. Only a side just made may be restored."""
        parts = _below("miner.", columns)
        try:
            parts_of = tuple[Saved, dict[int, Words], SavedSlots, SavedBursts, dict[int, Head]]
            firsts, self._odd, slots, self._bursts.saved, self._messages.heads.saved = msgspec.json.decode(
                columns["saved"].tobytes(), type=parts_of
            )
            self._slots.restore(slots)
            self._counts.restore(columns["counts"].tobytes())
            self._sessions.restore(_below("sessions.", columns))
            if parts:
                self._miner = TemplateMiner(*self._limits)
                self._miner.restore(parts)
            born = len(self._miner) if self._miner is not None else 0
            self._firsts.restore(firsts, np.array(columns["seen"], np.int64).reshape(-1, 3), born)
        except (msgspec.DecodeError, ValueError) as error:
            raise StateError(f"the log templates cannot be read back: {error}") from error
        self._ids = {stream.series.key: number for number, stream in enumerate(self._firsts.saved.streams)}


def _below(prefix: str, columns: Columns) -> Columns:
    return {name.removeprefix(prefix): column for name, column in columns.items() if name.startswith(prefix)}


def _times(count: int) -> str:
    return "never" if not count else "once" if count == 1 else f"{count} times"
