"""The one place where wall time is read. Only sinks, health and log lines use it; no machine ever sees a clock."""

from __future__ import annotations

import time


class SystemClock:
    """Implements `ports.Clock` with the machine's own clocks."""

    def now_ns(self) -> int:
        """Nanoseconds since 1970, UTC."""
        return time.time_ns()

    def monotonic_seconds(self) -> float:
        """Seconds that never run backwards, from an arbitrary start."""
        return time.monotonic()
