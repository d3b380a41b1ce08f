"""What a runner knows of its own health, for the probes. Liveness never depends on Kafka: an outage is no reason to restart."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

STALLED_SECONDS: Final = 60.0
"""A loop that has not come round for this long is stuck: the same as `max.poll.interval.ms`, after which the group drops us."""
COMMITS_FAILED_MAX: Final = 5
"""So many failed commits in a row, and the stage is not ready."""


@dataclass(slots=True)
class Health:
    """Written by the runner's thread, read by any other: each field is one assignment. Times are monotonic seconds."""

    stage: str
    beat_seconds: float = 0.0
    """When the loop last came round; 0 before the first time."""
    joined: bool = False
    """Whether the group has given us an assignment at least once (it may be empty)."""
    shards_assigned: int = 0
    shards_live: int = 0
    commits_failed: int = 0
    """In a row."""
    ended: str = ""
    """Why the runner ended; empty while it runs."""
    ended_in_error: bool = False

    def live(self, now_seconds: float) -> tuple[bool, str]:
        """Whether the loop still turns, and why not."""
        if self.ended_in_error:
            return False, f"{self.stage}: {self.ended}"
        silent = now_seconds - self.beat_seconds
        if self.beat_seconds and silent > STALLED_SECONDS and not self.ended:
            return False, f"{self.stage}: the loop has not come round for {silent:.0f} s"
        return True, ""

    def ready(self) -> tuple[bool, str]:
        """Whether every shard that is ours is being processed and committed, and why not."""
        if self.ended:
            return False, f"{self.stage}: {self.ended}"
        if not self.joined:
            return False, f"{self.stage}: no assignment from the group yet"
        if self.shards_live < self.shards_assigned:
            return False, f"{self.stage}: {self.shards_assigned - self.shards_live} shards are still being restored"
        if self.commits_failed >= COMMITS_FAILED_MAX:
            return False, f"{self.stage}: {self.commits_failed} commits in a row have failed"
        return True, ""

    def started(self) -> tuple[bool, str]:
        """Whether the loop has come round at least once."""
        return (True, "") if self.beat_seconds else (False, f"{self.stage}: not started")
