"""Partitions that have more to give and do not give it: the client may lose one between a pause and a resume.

librdkafka throws away a pause or a resume that another operation overtook (confluentinc/librdkafka #2190, #5591). The
partition is then fetched no more, with no error, until it is assigned again. What stands still is found here by its offset;
seeking it anew mends it, and disturbs nothing where the broker was merely slow.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from engine.records import Shard

PATIENCE_SECONDS: Final = 3.0
"""How long an offset may stand still. Doubles with each vain try: the log's end may hold nothing but transaction markers."""
PATIENCE_MAX_SECONDS: Final = 300.0
_LOOK_SECONDS: Final = 0.5


class Stuck:
    """Watches the offsets of one consumer's partitions."""

    def __init__(self) -> None:
        self._seen: dict[Shard, tuple[int, float, float]] = {}  # offset, since when, the patience with it
        self._look_at = 0.0

    def is_time(self, now: float) -> bool:
        """Whether to look again: not at every poll."""
        if now < self._look_at:
            return False
        self._look_at = now + _LOOK_SECONDS
        return True

    def find(self, waited_for: Mapping[Shard, int], now: float) -> list[Shard]:
        """Those of the partitions with more to give, by their next offset, that have stood still for too long."""
        stuck = []
        seen, self._seen = self._seen, {}
        for shard, offset in waited_for.items():
            at, since, patience = seen.get(shard, (offset, now, PATIENCE_SECONDS))
            if at != offset:
                since, patience = now, PATIENCE_SECONDS
            elif now - since >= patience:
                stuck.append(shard)
                since, patience = now, min(2 * patience, PATIENCE_MAX_SECONDS)
            self._seen[shard] = (offset, since, patience)
        return stuck
