"""Bringing what a batch needs of its rows near the processor, all at once, before any kernel looks at it.

A row of the models is some thirty cache lines, and a kernel waits for each as it comes to it. Here the lines are read one after the
other and nothing depends on any of them, so the processor waits for two dozen at a time. This is for the first chunk of a batch: the
rows of the others were asked for while the chunk before was worked on (`ahead`). Of what is kept by the time of day, more than half
of a row, one line is enough. Of what is opened once in five minutes only, the ring of a cycle, the first will do. Nothing is
computed: results are the same with and without.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from detectors import clock, profile, usual
from detectors.kernel import kernel
from detectors.restless import HOURS

LINE_BYTES: Final = 64
DAY_NS: Final = 86_400_000_000_000
BY_TIME: Final = (
    ("season", "daily", profile.SLOTS),
    ("season", "usual", usual.WORDS),
    ("season", "hours", HOURS),
    ("cycle", "ring", 1),
)
"""(detector, field of its state, slots of a day)."""
PLAN: Final = np.dtype([("first", np.int64), ("end", np.int64), ("slots", np.int64), ("slot_bytes", np.int64)])
"""Bytes first … end - 1 of a row. `slots` 0: all of them are needed; else they are so many slots of a day, of which one is."""


def plan_of(row: np.dtype[Any]) -> NDArray[np.void]:
    """(parts, PLAN) of a row, in order."""
    by_time = []
    fields: Mapping[str, Any] = row.fields or {}
    for detector, field, slots in BY_TIME:
        if detector in fields:
            state, start = fields[detector][:2]
            kept, offset = (state.fields or {})[field][:2]
            by_time.append((start + offset, start + offset + kept.itemsize, slots, kept.itemsize // slots))
    parts, at = [], 0
    for part in sorted(by_time):
        parts += [(at, part[0], 0, 0), part]
        at = part[1]
    return np.array([part for part in (*parts, (at, row.itemsize, 0, 0)) if part[0] < part[1]], PLAN)


@kernel
def fetch_rows(
    table: NDArray[np.uint8],
    width: int,
    plan: NDArray[np.void],
    rows: NDArray[np.int64],
    ts_ns: NDArray[np.int64],
    zone: NDArray[np.void],
    seen: NDArray[np.int64],
) -> None:
    """Read a byte of each needed line of some rows (one at least) of `width` bytes; `seen` takes their sum, lest the compiler leave the reading out."""
    total = 0
    offset_ns = zone[clock.span_of(zone, ts_ns[0], 0)].offset_ns
    for i in range(rows.shape[0]):
        start = rows[i] * width
        for k in range(plan.shape[0]):
            part = plan[k]
            if part.slots > 0:
                slot = (ts_ns[i] + offset_ns) % DAY_NS * part.slots // DAY_NS
                total += table[start + part.first + slot * part.slot_bytes]
                continue
            for at in range(start + part.first, start + part.end, LINE_BYTES):
                total += table[at]
            total += table[start + part.end - 1]
    seen[0] = total
