"""Lines that come regularly, and when one is overdue: a cron job's, a heartbeat's, a consumer's.

Distances are whole buckets. A line is regular when its last twelve distances are nearly equal; the longest rest of the last
days (a night, a weekend) is remembered, so that it is waited for. What comes by chance has no pulse: its rate is watched.
"""

from __future__ import annotations

from typing import Final

import msgspec

GAPS_MAX: Final = 12
GAPS_MIN: Final = 6
UNEVEN: Final = 1.25
"""How much longer than the shortest the longest of the last distances may be, one bucket apart from that."""
LATE: Final = 1.5
"""How much longer than the longest it is waited for, and …"""
LATE_BUCKETS: Final = 2
REST: Final = 1.25
"""Of the longest rest so much, …"""
CHANCE: Final = 2.0
"""… or so much when it is one of a few distances: then lines come by chance, and one that is longer than ever is only a matter of time."""
FEW: Final = 12
REST_NS: Final = 691_200_000_000_000
"""A rest is remembered for eight days: a weekend is followed by one."""
AGE_NS: Final = 86_400_000_000_000
"""A line must have been coming for a day: before, its nights are not known."""
KEPT: Final = 3
"""For so many of its distances a line that does not come is kept in mind."""


class Pulse(msgspec.Struct, omit_defaults=True):
    """When one line comes. All in buckets."""

    born: int = 0
    last: int = 0
    gaps: list[int] = []  # the newest at the end
    rest: int = 0  # the longest distance of late, beyond the last twelve
    rest_at: int = 0
    told: bool = False  # it is overdue, and was said to be

    def beat(self, bucket: int, bucket_ns: int) -> None:
        """It came."""
        self.told = False
        if not self.last:
            self.born = self.last = bucket
            return
        if bucket <= self.last:
            return
        gap, self.last = bucket - self.last, bucket
        self.gaps = [*self.gaps, gap][-GAPS_MAX:]
        if gap >= self.rest or (bucket - self.rest_at) * bucket_ns > REST_NS:
            self.rest, self.rest_at = gap, bucket

    def due(self, bucket_ns: int) -> float:
        """How many buckets after the last one it is overdue; 0 when nothing can be said."""
        if len(self.gaps) < GAPS_MIN or (self.last - self.born) * bucket_ns < AGE_NS:
            return 0.0
        longest = max(self.gaps)
        if longest > UNEVEN * min(self.gaps) + 1:
            return 0.0
        if self.rest <= longest:
            return LATE * longest + LATE_BUCKETS
        return max(LATE * longest + LATE_BUCKETS, (CHANCE if self.rest <= FEW * longest else REST) * self.rest)

    def lateness(self, bucket: int, bucket_ns: int) -> float:
        """How long it is overdue, as a share of the time that it was waited for: 1.0 and more. 0 when it is not, or was told already."""
        if self.told:
            return 0.0
        due = self.due(bucket_ns)
        late = (bucket - self.last) / due if due else 0.0
        return late if late >= 1.0 else 0.0

    def keeps(self, bucket: int, bucket_ns: int) -> bool:
        """Whether it is still to be waited for."""
        return bucket - self.last < KEPT * self.due(bucket_ns)
