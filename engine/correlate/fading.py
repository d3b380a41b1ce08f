"""Edges that telemetry and people tell of are learned here, and let go when nobody has seen them for long."""

from __future__ import annotations

from heapq import heappush
from typing import Final

from engine.correlate.state import CorrelateState
from engine.correlate.topology import Topology

FADE: Final = "edges"
"""The key of the timer among those of incidents."""
_EACH_NS: Final = 1_800 * 1_000_000_000


class Fading:
    """The learned edges of one shard. Moves the topology and its timer, nothing else."""

    def __init__(self, state: CorrelateState, topology: Topology) -> None:
        self._state = state
        self._topology = topology

    def learn(self, caller: str, callee: str, kind: str, ts_ns: int) -> bool:
        """Somebody needs somebody. False: refused, the table is full."""
        if not self._state.fade_ns:
            self._look_at(max(self._state.now_ns, ts_ns) + _EACH_NS)
        return self._topology.observe(caller, callee, kind, ts_ns)

    def fade(self, at_ns: int) -> None:
        """It is time to look for edges that were not seen for too long."""
        self._topology.forget(at_ns)
        self._state.fade_ns = 0
        if self._topology.observed():
            self._look_at(at_ns + _EACH_NS)

    def _look_at(self, at_ns: int) -> None:
        self._state.fade_ns = at_ns
        heappush(self._state.due, (at_ns, FADE))
