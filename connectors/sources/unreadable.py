"""Batches that the client cannot read: unpacked they would be larger than it may receive, or they are no batches at all.

The client then says so at the same offset for ever, and one batch of 3 kB would keep its partition where it is. What lies behind is found by
seeking ahead in growing steps, and back by halves to its first record, so that no readable record is passed over. Only this partition
waits meanwhile. What was passed over is told by a record without a value in its place, with the offsets in a header; so it
comes to the dead letters, and again when the log is read again.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from confluent_kafka import KafkaError

from engine.records import Run, Shard

CODES: Final = frozenset({KafkaError._BAD_COMPRESSION, KafkaError._BAD_MSG, KafkaError.INVALID_MSG})  # noqa: SLF001  # the client's own names
HEADER: Final = "foreshock.unreadable"


@dataclass(slots=True)
class Search:
    """Where the first readable record behind an unreadable one is looked for."""

    first: int  # the first that was unreadable
    last: int  # all from there to here are
    probe: int  # sought now
    ceiling: int | None = None  # behind `last`, the nearest of which something is known
    ceiling_end: int | None = None  # the ceiling begins a batch that is unreadable to here; None: it is readable
    step: int = 1


class Unreadable:
    """The searches of one consumer's partitions. Each answer is an offset to seek."""

    def __init__(self) -> None:
        self._searches: dict[Shard, Search] = {}

    def failed(self, shard: Shard, offset: int, begins: int, end: int) -> int:
        """What is at this offset, the next to be read, cannot be, and its batch begins there; `end` is that of the log. What to seek now."""
        search = self._searches.setdefault(shard, Search(offset, offset, offset))
        if begins <= search.last + 1:
            search.last = max(search.last, offset)
        elif search.ceiling is None or begins < search.ceiling:
            search.ceiling, search.ceiling_end = begins, offset
        return _next_probe(search, end)

    def passed(self, shard: Shard, run: Run, end: int) -> Run | int:
        """These records of a shard were read. They, the passed-over told of before them; or what to seek before any is believed to be the first."""
        search = self._searches.get(shard)
        if search is None:
            return run
        if search.probe - search.last <= 1:  # from there to the first of these nothing is left, if they do not begin there
            del self._searches[shard]
            return _told(search, run)
        search.ceiling, search.ceiling_end = search.probe, None
        return _next_probe(search, end)

    def forget(self, shard: Shard) -> None:
        """Whoever reads the shard begins elsewhere."""
        self._searches.pop(shard, None)


def _next_probe(search: Search, end: int) -> int:
    """Ahead while nothing else is known, at most to the last record of the log, and behind it when that is none; then between."""
    if search.ceiling is not None and search.ceiling_end is not None and search.ceiling - search.last <= 1:
        search.last, search.ceiling, search.ceiling_end = search.ceiling_end, None, None
    if search.ceiling is None:
        search.probe = max(min(search.last + search.step, end - 1), search.last + 1)
        search.step *= 2
    else:
        search.probe = search.last + max((search.ceiling - search.last) // 2, 1)
    return search.probe


def _told(search: Search, run: Run) -> Run:
    """The records with one before them that tells what was passed over."""
    headers = ((HEADER, b"%d-%d" % (search.first, run.offsets[0] - 1)),)
    return Run(
        run.shard,
        [search.first, *run.offsets],
        np.concatenate((run.ts_ns[:1], run.ts_ns)),
        [None, *run.keys],
        [None, *run.values],
        [headers, *run.headers],
    )
