"""Fetches the schemas that messages name before their reader sees them, so that decoding waits for nobody and stays a function of the log.

A shard whose next record needs a schema that is not known waits for it, with every record behind it; the others go on. While the registry
does not answer nothing is lost and nothing is skipped: the shard is read no further, and the registry asked again, less and less often.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from typing import Protocol

from connectors.sources.holding import Holding
from engine.ports import Polled, Source
from engine.records import Record, Shard


class Learns(Protocol):
    """Knows schemas, and asks for those that it does not know."""

    failure: str

    def learn(self, schema: int | str) -> bool:
        """False: there is no answer yet."""
        ...


NeedOf = Callable[[Record], tuple[Learns, int | str] | None]
"""The schema that a record of a topic needs, and whom to ask for it; None for a record that needs none."""


class Schooled(Holding):
    """Implements `ports.Source`, `ports.HandsOver` and `ports.SearchesTime` over another source."""

    def __init__(self, source: Source, need_of: NeedOf, tell: Callable[[str], None] = lambda _: None) -> None:
        super().__init__(source, resume_at=0)
        self._need_of = need_of
        self._tell = tell
        self._told = ""

    # ------------------------------------------------------------------------------------------- reading
    def poll(self, timeout_seconds: float) -> Polled:
        """See `ports.Source`."""
        polled = self._source.poll(timeout_seconds)
        self._turn_over(polled.events)
        released = {shard: self._through(shard, records) for shard, records in polled.records.items()}
        for shard, held in self._held.items():
            if held and shard not in polled.records and shard not in self._asked:
                released[shard] = self._release(held)
        self._throttle()
        waiting = any(self._held.values())
        return Polled(
            {shard: records for shard, records in released.items() if records}, polled.events, polled.ended and not waiting
        )

    def _through(self, shard: Shard, records: Sequence[Record]) -> Sequence[Record]:
        """The records as they came where every schema is known, which is nearly always; else those up to the first that is not."""
        held = self._held.get(shard)
        if not held and shard not in self._asked:
            known = self._known(records)
            if known == len(records):
                return records
            self._held.setdefault(shard, deque()).extend(records[known:])
            return records[:known]
        waiting = self._held.setdefault(shard, deque())
        waiting.extend(records)
        return [] if shard in self._asked else self._release(waiting)

    def _release(self, held: deque[Record]) -> list[Record]:
        return [held.popleft() for _ in range(self._known(held))]

    def _known(self, records: Sequence[Record] | deque[Record]) -> int:
        """How many of them need no schema that is not known."""
        for place, record in enumerate(records):
            need = self._need_of(record)
            if need is not None and not need[0].learn(need[1]):
                self._say(need[0].failure)
                return place
        return len(records)

    def _say(self, failure: str) -> None:
        if failure and failure != self._told:
            self._tell(failure)
        self._told = failure
