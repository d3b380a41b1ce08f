"""When to look at an incident again. The heap is the state's; what is pending of it for each live incident is derived, and keeps the heap small."""

from __future__ import annotations

from collections.abc import Container
from heapq import heapify, heappop, heappush

from engine.correlate.state import CorrelateState

STALE_MIN = 1_024
"""So many timers of incidents that are gone, and half of all, are swept out."""


class Looks:
    """Timers of one shard in event time: (time, key), earliest first. `others` are keys that are no incidents."""

    def __init__(self, state: CorrelateState, others: Container[str]) -> None:
        self._state = state
        self._others = others
        self._pending: dict[str, list[int]] = {}
        for at_ns, key in state.due:
            if key in state.incidents:
                self._pending.setdefault(key, []).append(at_ns)

    def exactly(self, key: str, at_ns: int) -> None:
        """Look at that time."""
        times = self._pending.setdefault(key, [])
        if at_ns not in times:
            times.append(at_ns)
            heappush(self._state.due, (at_ns, key))

    def latest(self, key: str, at_ns: int) -> None:
        """Look at that time unless one looks earlier, who then asks again: of alerts that come and go, not each leaves a timer behind."""
        times = self._pending.get(key)
        if not times or min(times) > at_ns:
            self.exactly(key, at_ns)

    def pop(self, until_ns: int) -> tuple[int, str] | None:
        """The next timer that is due by `until_ns`, None when there is none."""
        state = self._state
        if not state.due or state.due[0][0] > until_ns:
            return None
        at_ns, key = heappop(state.due)
        times = self._pending.get(key)
        if times is not None and at_ns in times:
            times.remove(at_ns)
        elif key not in self._others:
            state.stale = max(0, state.stale - 1)
        return at_ns, key

    def forget(self, key: str) -> None:
        """An incident is gone. Its timers go when there are many such."""
        state = self._state
        state.stale += len(self._pending.pop(key, ()))
        if state.stale >= max(STALE_MIN, len(state.due) // 2):
            state.due[:] = [look for look in state.due if look[1] in self._others or look[1] in state.incidents]
            heapify(state.due)
            state.stale = 0
