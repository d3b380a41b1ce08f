"""Reads the shards of a source at one pace of log time, so that a backlog does not let one run hours ahead of another.

A shard's outputs depend on its log alone, so pace changes nothing of them; but the next stage waits for its slowest source,
and takes one that lags far behind the others for silent. Records are held back, a bounded number for each shard, until
every shard that has more to give has come as far.
"""

from __future__ import annotations

from collections import deque
from itertools import takewhile

from connectors.sources.holding import HELD_MAX, Holding
from engine.ports import Clock, Polled, Source
from engine.records import Record, Shard

TURN_NS = 60_000_000_000
"""The most log time that is let go at once: a shard that gives hours in one piece runs ahead although all of them are here."""
PATIENCE_SECONDS = 2.0
"""How long a shard that has more, but does not give it, is waited for before the others take another turn: its broker may be slow."""


class Aligned(Holding):
    """Implements `ports.Source`, `ports.HandsOver` and `ports.SearchesTime` over another source."""

    def __init__(self, source: Source, clock: Clock) -> None:
        super().__init__(source, resume_at=HELD_MAX // 2 - 1)
        self._clock = clock
        self._reached: dict[Shard, int] = {}  # log time of the newest record let go
        self._stuck_since: float | None = None

    # ------------------------------------------------------------------------------------------- reading
    def poll(self, timeout_seconds: float) -> Polled:
        """See `ports.Source`. Does not wait while records that may go are held."""
        waiting = any(held for shard, held in self._held.items() if shard not in self._asked)
        polled = self._source.poll(0.0 if waiting else timeout_seconds)
        self._turn_over(polled.events)
        for shard, records in polled.records.items():
            self._held.setdefault(shard, deque()).extend(records)
        released = self._release()
        self._throttle()
        return Polled(released, polled.events, polled.ended and not any(self._held.values()))

    def _release(self) -> dict[Shard, list[Record]]:
        """What every shard with more to give has come as far as; or, when one keeps us waiting, a turn of the earliest shard."""
        waiting = {shard: held for shard, held in self._held.items() if held and shard not in self._asked}
        horizon_ns = self._horizon_ns()
        if len(self._held) > 1 and waiting:
            turn_ns = min(held[0].ts_ns for held in waiting.values()) + TURN_NS
            horizon_ns = turn_ns if horizon_ns is None else min(horizon_ns, turn_ns)
        released = {shard: self._take(held, horizon_ns) for shard, held in waiting.items()}
        released = {shard: records for shard, records in released.items() if records}
        if released or not waiting:
            self._stuck_since = None
        elif self._is_stuck():
            earliest = min(waiting, key=lambda shard: waiting[shard][0].ts_ns)
            released = {earliest: self._take(waiting[earliest], waiting[earliest][0].ts_ns + TURN_NS)}
            self._stuck_since = None
        for shard, records in released.items():
            self._reached[shard] = max(self._reached.get(shard, 0), records[-1].ts_ns)
        return released

    def _horizon_ns(self) -> int | None:
        """The log time up to which records may go; None when no shard has more than what is here."""
        limits = [
            held[-1].ts_ns if held else self._reached.get(shard, 0)
            for shard, held in self._held.items()
            if shard in self._paused or self._source.lag(shard) > 0
        ]
        return min(limits, default=None)

    @staticmethod
    def _take(held: deque[Record], horizon_ns: int | None) -> list[Record]:
        records = list(held) if horizon_ns is None else list(takewhile(lambda record: record.ts_ns <= horizon_ns, held))
        for _ in records:
            held.popleft()
        return records

    def _is_stuck(self) -> bool:
        now = self._clock.monotonic_seconds()
        if self._stuck_since is None:
            self._stuck_since = now
        return now - self._stuck_since >= PATIENCE_SECONDS

    def _forget(self, shard: Shard) -> None:
        super()._forget(shard)
        self._reached.pop(shard, None)
