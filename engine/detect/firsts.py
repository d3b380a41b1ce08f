"""Log templates that are seen for the first time, or again after long: which of them matter.

A template is judged at ticks only, when its words are the same however the batch was cut: for ten minutes after its birth, or its return, it
may turn out to matter (severe, or suddenly frequent), then it is one of many.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

from engine.detect.gates import Gate
from engine.detect.novelty import ERROR, FRESH_SECONDS, Fresh, News, Stream, fresh_score, rank_of
from engine.metrics import Metric
from engine.ports import StepStats
from engine.records import AnomalyKind, Series

FRESH_MAX: Final = 1000
RARE_QUIET_NS: Final = 21_600_000_000_000
"""A template that was not seen for this long, and was never frequent, is news again."""
RARE_LINES_MAX: Final = 500
"""What came more often was frequent; what stops and begins again by the day is told by its rate."""
_SECOND_NS: Final = 1_000_000_000


class Found(NamedTuple):
    """A template that matters."""

    template: int
    fresh: Fresh
    score: float
    kind: AnomalyKind


class Saved(msgspec.Struct):
    """What is saved beside the miner."""

    streams: list[Stream] = []
    fresh: dict[int, Fresh] = {}
    since_ns: int | None = None  # event time from which something can be new: the end of the shard's warm-up
    returns: list[News] = []  # of each stream: what came back


class Firsts:
    """All log streams of one shard, and what is new in them."""

    def __init__(self, warm_up_ns: int) -> None:
        self._warm_up_ns = warm_up_ns
        self.saved = Saved()
        self.seen = np.zeros((0, 3), np.int64)
        """Of each template: its number, ascending, the time of its newest line, and how many lines there were."""
        self._born = 0

    def add_stream(self, series: Series, ts_ns: int) -> int:
        """A stream was heard for the first time; its number."""
        saved = self.saved
        if saved.since_ns is None:
            saved.since_ns = ts_ns + self._warm_up_ns
        saved.streams.append(Stream(series, ts_ns + self._warm_up_ns, News(saved.since_ns)))
        saved.returns.append(News(saved.since_ns))
        return len(saved.streams) - 1

    # ------------------------------------------------------------------------------------------ lines
    def take(self, template: NDArray[np.int32], stream: NDArray[np.int64], ts_ns: NDArray[np.int64], born: int) -> None:
        """The lines of a run: remember the templates that were born or are back, in the order of their lines. `born`: how many there ever were."""
        mined = template >= 0
        if not mined.any():
            return
        self._grow(born)
        place = np.searchsorted(self.seen[:, 0], np.maximum(template, 0))
        place[place == len(self.seen)] = 0  # of lines without a template
        last_ns, lines = self.seen[place, 1], self.seen[place, 2]
        for i in np.flatnonzero(mined & ((lines == 0) | (ts_ns - last_ns >= RARE_QUIET_NS))).tolist():
            self._look(i, template, stream, ts_ns)
        np.maximum.at(self.seen[:, 1], place[mined], ts_ns[mined])
        np.add.at(self.seen[:, 2], place[mined], 1)

    def _grow(self, born: int) -> None:
        """Make room for the templates with the numbers below `born`."""
        if born > self._born:
            fresh = np.zeros((born - self._born, 3), np.int64)
            fresh[:, 0] = np.arange(self._born, born)
            self.seen = np.concatenate((self.seen, fresh))
            self._born = born

    def _place(self, number: int) -> int:
        """Where a template is in `seen`; -1 when it was forgotten."""
        place = int(np.searchsorted(self.seen[:, 0], number))
        return place if place < len(self.seen) and self.seen[place, 0] == number else -1

    def forget(self, held: NDArray[np.int32]) -> None:
        """Keep what is known of the templates with these numbers only."""
        self.seen = self.seen[np.isin(self.seen[:, 0], held)]

    def restore(self, saved: Saved, seen: NDArray[np.int64], born: int) -> None:
        """`born`: how many templates there ever were."""
        self.saved, self.seen, self._born = saved, seen, born

    def _look(self, i: int, template: NDArray[np.int32], stream: NDArray[np.int64], ts_ns: NDArray[np.int64]) -> None:
        """Whether line `i` is the first of its template, or the first after long: as if the lines before it had been learned."""
        index = int(template[i])
        if index in self.saved.fresh:
            return
        mine = np.flatnonzero(template[:i] == index)
        _, last_ns, lines = self.seen[self._place(index)].tolist()
        lines += len(mine)
        if len(mine):
            last_ns = max(last_ns, int(ts_ns[mine].max()))
        quiet_ns = int(ts_ns[i]) - last_ns
        if lines == 0:
            quiet_ns = 0
        elif quiet_ns < RARE_QUIET_NS or lines > RARE_LINES_MAX:
            return
        self._note(index, int(stream[i]), int(ts_ns[i]), int(np.count_nonzero(stream[:i] == stream[i])), quiet_ns / _SECOND_NS)

    def _note(self, index: int, number: int, ts_ns: int, lines_before: int, quiet: float) -> None:
        if len(self.saved.fresh) < FRESH_MAX:
            lines = self.saved.streams[number].lines + lines_before
            self.saved.fresh[index] = Fresh(number, ts_ns, 0.0, lines, quiet_seconds=quiet)

    def watch(self, template: NDArray[np.int32], severity: NDArray[np.int8]) -> None:
        """Count the lines of young templates."""
        for index, fresh in self.saved.fresh.items():
            mine = template == index
            lines = int(np.count_nonzero(mine))
            if lines:
                fresh.lines += lines
                fresh.severity = max(fresh.severity, int(severity[mine].max()))

    # ------------------------------------------------------------------------------------------ ticks
    def judge(self, watermark_ns: int, stats: StepStats) -> Iterator[Found]:
        """Young templates that matter; the others grow old."""
        saved = self.saved
        for index in sorted(saved.fresh):
            fresh = saved.fresh[index]
            self._confirm(fresh)
            score = fresh_score(fresh, saved.streams[fresh.stream].lines)
            old = watermark_ns - fresh.born_ns > int(FRESH_SECONDS * _SECOND_NS)
            if (old or score >= 1.0) and not self._is_warm(fresh):
                stats.count(Metric.GATED, 1, Gate.WARMING_UP)
            elif score >= 1.0:
                yield Found(index, fresh, score, AnomalyKind.RARE_TEMPLATE if fresh.quiet_seconds else AnomalyKind.NEW_TEMPLATE)
            elif old:
                stats.count(Metric.GATED, 1, Gate.ORDINARY if fresh.lines > 1 else Gate.UNCONFIRMED)
            if old or score >= 1.0:
                del saved.fresh[index]

    def _confirm(self, fresh: Fresh) -> None:
        """Hold a young template against the news of its stream as soon as it is more than a line that comes once, and count it among them."""
        rank = rank_of(fresh.severity)
        if not fresh.is_confirmed or rank <= fresh.rank:
            return
        stream = self.saved.streams[fresh.stream]
        news = self.saved.returns[fresh.stream] if fresh.quiet_seconds else stream.news
        interval = news.interval_seconds(rank, fresh.born_ns)
        fresh.interval_seconds = min(interval, fresh.quiet_seconds) if fresh.quiet_seconds else interval
        fresh.rank = rank
        if fresh.born_ns >= stream.warm_ns:
            news.born(rank, fresh.born_ns)

    def _is_warm(self, fresh: Fresh) -> bool:
        """A new stream brings many new templates: only its errors are told from the beginning."""
        stream = self.saved.streams[fresh.stream]
        return fresh.born_ns >= (stream.news.since_ns if fresh.severity >= ERROR else stream.warm_ns)

    def merged(self, index: int, into: int) -> None:
        """A template turned out to be another one."""
        self.saved.fresh.pop(index, None)
        before, after = self._place(index), self._place(into)
        if before >= 0 and after >= 0:
            self.seen[after, 1] = max(self.seen[after, 1], self.seen[before, 1])
            self.seen[after, 2] += self.seen[before, 2]
