"""When an incident that grew or shrank is told of again: soon, but never so often that a storm of alerts becomes a storm of messages."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from engine.correlate.state import CorrelateState, LiveIncident

_PACE_NS: Final = 10 * 1_000_000_000
_PAUSE: Final = 10
"""Records between two incidents whose growth is told; a watermark ends it."""


class Growth:
    """Revisions of one shard. `speak` is told of each, at the moment it is made."""

    def __init__(self, state: CorrelateState, speak: Callable[[LiveIncident], None]) -> None:
        self._state = state
        self._speak = speak
        self._told_all_at_ns = -1  # event time at which growth was last looked through, -1: something has grown since

    def note(self, incident: LiveIncident, reason: str) -> None:
        """It is told with the others, soon."""
        incident.reason = reason
        self._state.dirty.setdefault(incident.id, None)
        self._told_all_at_ns = -1

    def tell(self, *, hurry: bool) -> None:
        """Tell of the incidents that grew or shrank, each at most every ten seconds of event time (or of all and now, in a hurry).

        One of them after a record, the one that waits longest, and none for some records then: to tell of one takes as long as hundreds of alerts.
        """
        state = self._state
        if state.pause > 0 and not hurry:
            state.pause -= 1
            return
        if (state.now_ns == self._told_all_at_ns or state.reorder.due_ns) and not hurry:
            return
        for key in list(state.dirty):
            incident = state.incidents.get(key)
            if incident is None:
                state.dirty.pop(key)
            elif hurry or state.now_ns - incident.told_ns >= _PACE_NS:
                self.publish(incident)
                if not hurry:
                    state.pause = _PAUSE
                    return
        self._told_all_at_ns = state.now_ns

    def publish(self, incident: LiveIncident) -> None:
        """Make the next revision, now."""
        self._state.dirty.pop(incident.id, None)
        incident.revision += 1
        incident.told_ns = self._state.now_ns
        self._speak(incident)
