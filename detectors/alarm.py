"""When an alarm starts: what is new to the series itself, told once.

A score says how surprising a sample is, against one scale for all series. A person wants fewer things: what this series does
each day is no news, however surprising each single time. So an alarm starts where several detectors find a sample rare
among their own surprises of late. Each detector's decades get a tail of their own (tails.py) that learns fast; clipped and
summed they are the novelty. Records count double: what went beyond everything seen is news by itself. A very high score
starts an alarm alone. After an alarm, for a while, only something newer starts another.

What learns so fast must never touch the score: it would rank the second half of a fault below the first.
"""

from __future__ import annotations

from typing import Annotated, Final, NamedTuple

import numpy as np
from annotated_types import Gt
from numpy.typing import NDArray

from detectors import tails
from detectors.contract import Row
from detectors.kernel import device, kernel

WEIGHTS: Final = {"level": 1.0, "rate": 1.0, "reach": 2.0, "projection": 0.5}
"""The detectors that can tell news, by name; the others only score."""
STATE: Final = np.dtype([("threshold", np.float64), ("excess", np.float64), ("weight", np.float64)], align=True)
"""One row for each detector."""
THRESHOLD_FIRST: Final = 1.0
EXCESS_FIRST: Final = 0.5
CLIP: Final = 3.0
"""Decades that one detector may give."""
SEEN_MIN: Final = 30
"""Samples before novelty means anything."""
MEMORY_SAMPLES: Final = 10_000.0


class Params(NamedTuple):
    """When an alarm starts."""

    novelty: Annotated[float, Gt(0)] = 6.5
    """The weighted decades that start one; chosen on the development half of NAB."""
    score: Annotated[float, Gt(0)] = 1.7
    """The score that starts one alone: a stuck value is no record."""
    quiet_seconds: Annotated[float, Gt(0)] = 21_600.0
    """After an alarm, for so long, only something newer starts another."""


def state_of(detectors: tuple[str, ...]) -> NDArray[np.void]:
    """An empty state for detectors in this order; (0,) when none is given: then every score is news."""
    state = np.zeros(len(detectors), STATE)
    state["threshold"] = THRESHOLD_FIRST
    state["excess"] = EXCESS_FIRST
    state["weight"] = [WEIGHTS.get(name, 0.0) for name in detectors]
    return state


@device
def learn(row: Row, y: float, seen: int) -> None:
    alpha = max(1.0 / (seen + 40.0), 1.0 / MEMORY_SAMPLES)
    threshold = tails.learned_threshold(row.threshold, row.excess, y, alpha)
    row.excess = tails.learned_excess(row.threshold, row.excess, y, alpha)
    row.threshold = threshold


@device
def novelty_of(state: NDArray[np.void], factors: NDArray[np.float64], seen: int) -> float:
    """The weighted, clipped decades of one sample under the detectors' own tails, which learn it then."""
    novelty = 0.0
    for d in range(state.shape[0]):
        row = state[d]
        decades = tails.tail_surprise(row.threshold, row.excess, factors[d])
        novelty += row.weight * min(decades, CLIP)
        learn(row, factors[d], seen)
    return novelty if seen >= SEEN_MIN else 0.0


@kernel
def alarms(
    state: NDArray[np.void],
    ts_ns: NDArray[np.int64],
    score: NDArray[np.float64],
    factors: NDArray[np.float64],
    params: Params,
    out: NDArray[np.float64],
) -> None:
    """Write the score where an alarm starts, else 0. `factors` (n, D) are the detectors' decades of one series' samples.

    With D = 0 the score itself is the novelty.
    """
    newest = -1.0
    newest_ns = np.int64(0)
    for i in range(ts_ns.shape[0]):
        out[i] = 0.0
        novelty = novelty_of(state, factors[i], i)
        if not score[i] >= 0.0:
            continue
        if state.shape[0] == 0:
            novelty = score[i]
        elif novelty < params.novelty and score[i] < params.score:
            continue
        if novelty > newest or (ts_ns[i] - newest_ns) * 1e-9 > params.quiet_seconds:
            out[i] = score[i]
            newest = novelty
            newest_ns = ts_ns[i]
