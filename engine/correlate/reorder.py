"""Putting messages of many sources back into one order of event time, from the log alone.

Each source (a shard of a detect stage) promises by its watermarks what it will not send any more. Messages wait until the
slowest live source has promised, and leave sorted by (event time, source, offset, number), so that how the log happened to
interleave its sources changes nothing (RELIABILITY.md §2.5).
"""

from __future__ import annotations

from collections.abc import Iterator
from heapq import heappop, heappush

import msgspec

from engine.records import Alert, Change, Edge, Stamp, Tally, Watermark

Waiting = Alert | Change | Edge | Tally
BUFFER_MAX = 200_000
SOURCES_MAX = 10_000
_AHEAD_MAX = 64
"""How many changes of what a source watches are known, for times that are not there yet."""
_TURNS = 4.0
_FADE = 0.9


class Held(msgspec.Struct, array_like=True, order=True):
    """One waiting message; (event time, source, offset, number) is unique, so comparison never reaches the message."""

    ts_ns: int
    topic: str
    partition: int
    offset: int
    seq: int
    message: Waiting


class SourceState(msgspec.Struct):
    """What one source has promised. `moved_at_ns`: how far the furthest source was when this one last moved.

    `turn_ns` is how far the others usually get between two moves of this one (a fading maximum): while a backlog is read,
    sources take long turns, and one that waits for its turn has not stopped. `watched` are (event time, series it watches from then on).
    """

    watermark_ns: int = 0
    moved_at_ns: int = 0
    turn_ns: int = 0
    final: bool = False
    watched: list[tuple[int, int]] = []
    counted: int = 0  # of them so many are in the sum of all sources

    def watches(self, active: int, ts_ns: int) -> bool:
        """Note how many series it has. False: that is no news, or there are too many times ahead and the last of them takes it."""
        if self.watched and self.watched[-1][1] == active:
            return False
        if len(self.watched) >= _AHEAD_MAX:
            self.watched[-1] = (self.watched[-1][0], active)
            return False
        self.watched.append((ts_ns, active))
        return True

    def advance(self, now_ns: int) -> int:
        """Let time pass: by how much what it watches has changed since it was counted. What is over is forgotten."""
        past = sum(since_ns <= now_ns for since_ns, _ in self.watched)
        del self.watched[: max(0, past - 1)]
        before, self.counted = self.counted, self.watched[0][1] if past else 0
        return self.counted - before


class Reorder(msgspec.Struct):
    """The waiting room. `marks` hold the highest (offset, number) taken from each source: what is not above is a repeat."""

    patience_ns: int
    marks: dict[str, tuple[int, int]] = {}
    sources: dict[str, SourceState] = {}
    heap: list[Held] = []
    lead_ns: int = 0
    due_ns: int = 0  # everything older may leave and has not yet; 0: nothing is left of it
    watching: int = 0  # series that all sources watch at the event time that was asked for last
    changes: list[tuple[int, str]] = []  # heap: from when on a source watches more or fewer

    def is_repeat(self, stamp: Stamp) -> bool:
        """Whether this output was taken before; if not it counts as taken from now on."""
        source = f"{stamp.topic}-{stamp.partition}"
        place = (stamp.offset, stamp.seq)
        mark = self.marks.get(source)
        if mark is not None and place <= mark:
            return True
        self.marks[source] = place
        return False

    def hold(self, message: Waiting) -> bool:
        """Keep a message until it may leave. False: the room is full, and the earliest must leave first."""
        stamp = message.stamp
        self._source(f"{stamp.topic}-{stamp.partition}")
        heappush(self.heap, Held(message.ts_ns, stamp.topic, stamp.partition, stamp.offset, stamp.seq, message))
        return len(self.heap) <= BUFFER_MAX

    def promise(self, mark: Watermark) -> None:
        """Take a watermark. One that steps back is ignored; a source that speaks again after its end is live again."""
        source = self._source(mark.source)
        if not self.lead_ns:  # the first promise of all: nobody has stood still yet
            for other in self.sources.values():
                other.moved_at_ns = mark.ts_ns
        self.lead_ns = max(self.lead_ns, mark.ts_ns)
        source.final = mark.final
        if mark.ts_ns > source.watermark_ns:
            if source.watermark_ns:
                source.turn_ns = max(self.lead_ns - source.moved_at_ns, int(source.turn_ns * _FADE))
            source.watermark_ns = mark.ts_ns
            source.moved_at_ns = self.lead_ns
            if source.watches(mark.active, mark.ts_ns):
                heappush(self.changes, (mark.ts_ns, mark.source))

    def _source(self, name: str) -> SourceState:
        source = self.sources.get(name)
        if source is None:
            if len(self.sources) >= SOURCES_MAX:
                self.watching -= self.sources.pop(next(iter(self.sources))).counted
            source = self.sources[name] = SourceState(moved_at_ns=self.lead_ns)
        return source

    def stalled(self) -> list[str]:
        """Sources that stood still for longer than the patience while the others moved on: they are not waited for."""
        return [name for name, source in self.sources.items() if not source.final and self._is_stalled(source)]

    def _is_stalled(self, source: SourceState) -> bool:
        return self.lead_ns - source.moved_at_ns > max(self.patience_ns, int(_TURNS * source.turn_ns))

    def complete_until(self) -> int:
        """The event time before which nothing more is expected: everything older may leave."""
        live = [s.watermark_ns for s in self.sources.values() if not s.final and not self._is_stalled(s)]
        if live:
            return min(live)
        return self.lead_ns + 1 if self.sources else 0

    def watched(self, now_ns: int) -> int:
        """How many series all sources together watch at an event time that is complete and does not go back; 0: not known."""
        while self.changes and self.changes[0][0] <= now_ns:
            source = self.sources.get(heappop(self.changes)[1])
            if source is not None:
                self.watching += source.advance(now_ns)
        return self.watching

    def is_left(self, before_ns: int) -> bool:
        """Whether a message older than that still waits."""
        return bool(self.heap) and self.heap[0].ts_ns < before_ns

    def leave(self, before_ns: int) -> Iterator[Waiting]:
        """Messages older than `before_ns`, in order, and for a room over its limit the earliest beyond that."""
        while self.heap and (self.heap[0].ts_ns < before_ns or len(self.heap) > BUFFER_MAX):
            yield heappop(self.heap).message
