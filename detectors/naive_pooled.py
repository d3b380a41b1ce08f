"""The oracle of `pooled`: one series, its buckets in a dictionary, by the words of that module's docstring."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from detectors.pooled import BUCKETS_MIN, CLIP, DUE_MIN, MEMORY_BUCKETS, POOL, PRIOR_BUCKETS


def signed_root(came: float, due: float) -> float:
    """How far a count is from what was due."""
    deviance = 2.0 * ((came * math.log(came / due) if came else 0.0) - (came - due))
    return math.copysign(math.sqrt(max(deviance, 0.0)), came - due)


def decades_of(z: float) -> float:
    """Of the upper tail of a normal distribution; exact, where the kernel's is within a tenth."""
    return -math.log10(0.5 * math.erfc(z / math.sqrt(2.0)))


@dataclass
class NaivePool:
    """One series."""

    kept: dict[int, tuple[float, float]] = field(default_factory=dict)  # bucket → (came, due)
    excess: float = 0.0
    judged: int = 0
    awaited: float = 0.0

    def observe(self, bucket: int, value: float, expected: float, weight: float, *, learns: bool) -> float:
        """Decades of surprise of the pool that this bucket completes; an expectation that is not known says nothing."""
        known = not math.isnan(expected)
        if known:
            self.kept[bucket] = value * weight, max(expected, 0.0) * weight
        self.awaited = 0.0 if known and value > 0.0 else self.awaited + (max(expected, 0.0) * weight if known else 0.0)
        if not known:
            return 0.0
        z = self.statistic(bucket)
        decades = decades_of(abs(z) / math.sqrt(1.0 + max(self.excess, 0.0)))
        if learns:
            usual = 1.0 + self.excess
            pace = max(1.0 / MEMORY_BUCKETS, 1.0 / (self.judged + PRIOR_BUCKETS))
            self.excess += pace * (min(z * z, CLIP * max(usual, 1.0)) - usual)
            self.judged += 1
        return decades

    def statistic(self, bucket: int) -> float:
        """Of the buckets up to this one: signed, 0 when they say nothing."""
        some = [self.kept[at] for at in range(bucket - POOL + 1, bucket + 1) if at in self.kept]
        came, due = (sum(part) for part in zip(*some, strict=True))
        if len(some) < BUCKETS_MIN or not due:
            return 0.0
        side = 1.0 if came > due else -1.0
        some += [(0.0, 0.0)] * (POOL - len(some))
        some.sort(key=lambda one: side * (one[1] - one[0]))
        rest = some[1:] if side > 0.0 else some[2:]
        z = signed_root(sum(came for came, _ in rest), max(sum(due for _, due in rest), DUE_MIN))
        return z if z * side > 0.0 else 0.0
