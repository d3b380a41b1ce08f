"""A source that holds back some of what another gives: what is common to all reasons for it."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping, Sequence
from typing import Final

from engine.errors import Unreachable
from engine.ports import Assigned, HandsOver, Place, Revoked, SearchesTime, Source
from engine.records import Record, Shard

HELD_MAX: Final = 2_000
"""Records of one shard that may wait; beyond, its reading pauses."""


class Holding:
    """All of `ports.Source`, `ports.HandsOver` and `ports.SearchesTime` but `poll`, over another source."""

    def __init__(self, source: Source, *, resume_at: int) -> None:
        """A shard that was paused because too many of its records wait is resumed when only `resume_at` are left."""
        self._source = source
        self._resume_at = resume_at
        self._held: dict[Shard, deque[Record]] = {}
        self._paused: set[Shard] = set()  # by us, because too much is held
        self._asked: set[Shard] = set()  # by the reader: nothing of these may go

    def _turn_over(self, events: Sequence[Assigned | Revoked]) -> None:
        """Nothing of a shard survives into its next assignment."""
        for event in events:
            self._forget(event.shard)
            if isinstance(event, Assigned):
                self._held[event.shard] = deque()

    def _forget(self, shard: Shard) -> None:
        self._held.pop(shard, None)
        self._paused.discard(shard)
        self._asked.discard(shard)

    def _throttle(self) -> None:
        for shard, held in self._held.items():
            if len(held) > HELD_MAX and shard not in self._paused:
                self._paused.add(shard)
                self._source.pause(shard)
            elif len(held) <= self._resume_at and shard in self._paused:
                self._paused.discard(shard)
                if shard not in self._asked:
                    self._source.resume(shard)

    # ------------------------------------------------------------------------------------------- handed on
    def before_revoke(self, hook: Callable[[Sequence[Shard]], None]) -> None:
        """See `ports.HandsOver`."""
        if isinstance(self._source, HandsOver):
            self._source.before_revoke(hook)

    def offset_at(self, shard: Shard, ts_ns: int) -> int | None:
        """See `ports.SearchesTime`."""
        return self._source.offset_at(shard, ts_ns) if isinstance(self._source, SearchesTime) else None

    def seek(self, shard: Shard, offset: int) -> None:
        """See `ports.Source`."""
        self._held.setdefault(shard, deque()).clear()
        self._source.seek(shard, offset)

    def commit(self, places: Mapping[Shard, Place]) -> Mapping[Shard, Unreachable]:
        """See `ports.Source`."""
        return self._source.commit(places)

    def pause(self, shard: Shard) -> None:
        """See `ports.Source`."""
        self._asked.add(shard)
        self._source.pause(shard)

    def resume(self, shard: Shard) -> None:
        """See `ports.Source`. A shard that we hold back ourselves stays so."""
        self._asked.discard(shard)
        if shard not in self._paused:
            self._source.resume(shard)

    def lag(self, shard: Shard) -> int:
        """See `ports.Source`; what is held has not been taken."""
        return self._source.lag(shard) + len(self._held.get(shard, ()))

    def close(self) -> None:
        """See `ports.Source`."""
        self._source.close()
