"""Surprise at silence: a series that has not been heard for much longer than it ever is.

The usual distance between samples is learned with the series' clock; here the longest gap of late. A series is overdue after
five usual distances or one and a half of its longest gaps, whichever is longer, and never before half a minute:
scrapes are delayed, pods restart. Its surprise is the silence divided by that.
"""

from __future__ import annotations

from typing import Annotated, Any, Final, NamedTuple

import numpy as np
from annotated_types import Gt
from numpy.typing import NDArray

from detectors.contract import Row
from detectors.kernel import device, kernel

STATE: Final = np.dtype([("longest", np.float64)], align=True)  # seconds, the longest gap of late
SAMPLES_MIN: Final = 20
_NEVER: Final[Any] = np.int64(2**62)


class Params(NamedTuple):
    """Times in seconds."""

    longest_seconds: Annotated[float, Gt(0)] = 259_200.0
    """How long a long gap is remembered."""
    steps: Annotated[float, Gt(1)] = 5.0
    gaps: Annotated[float, Gt(1)] = 1.5
    least_seconds: Annotated[float, Gt(0)] = 30.0


@device
def learn(row: Row, sample: Row, params: Params) -> None:
    dt = sample.dt
    row.longest -= min(dt / params.longest_seconds, 0.5) * row.longest
    row.longest = max(row.longest, dt)


@kernel
def score_absence(state: NDArray[np.void], feed: NDArray[np.void], params: Params, verdict: NDArray[np.void]) -> None:
    """See contract.py. Only learns: a sample that arrived is no absence."""
    for i in range(feed.shape[0]):
        sample = feed[i]
        if sample.read < 0:
            continue
        out = verdict[i]
        out.decades = 0.0
        out.expected = np.nan
        out.scale = np.nan
        out.direction = 0
        out.since = 0.0
        if sample.write >= 0:
            learn(state[sample.write], sample, params)


@kernel
def silence(
    state: NDArray[np.void], clock: NDArray[np.void], now_ns: int, params: Params, surprise: NDArray[np.float64]
) -> tuple[int, int]:
    """Write for each row how overdue it is at `now_ns`: 1 at the boundary, growing with the silence; 0 for an unknown rhythm.

    `clock` has `last_ns`, `step` (seconds) and `seen` for the same rows. Returns how many are overdue, and before which time no row can be, whatever
    comes: long ago while one of them has not been heard yet.
    """
    overdue, oldest_ns = 0, _NEVER
    for i in range(state.shape[0]):
        row = state[i]
        time = clock[i]
        surprise[i] = 0.0
        oldest_ns = min(oldest_ns, time.last_ns)
        if time.seen < SAMPLES_MIN or now_ns <= time.last_ns:
            continue
        allowed = max(params.steps * time.step, params.gaps * row.longest)
        allowed = max(allowed, params.least_seconds)
        surprise[i] = (now_ns - time.last_ns) * 1e-9 / allowed
        overdue += surprise[i] >= 1.0
    return overdue, oldest_ns + int(params.least_seconds * 1e9)
