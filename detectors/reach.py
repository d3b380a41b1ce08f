"""Surprise at values beyond everything seen: a new record, by how far it goes and how long the old one stood.

Among n exchangeable samples the next one is a record on one side with probability 1 / (n + 1) (Renyi 1962). Neighbouring samples are
no exchangeable ones, so a record that is hardly one counts little: the surprise is reached in full only by a distance of
a twentieth of the range. The range forgets over a year.
"""

from __future__ import annotations

from typing import Annotated, Final, NamedTuple

import numpy as np
from annotated_types import Gt
from numpy.typing import NDArray

from detectors.ahead import ask_for
from detectors.contract import Row
from detectors.kernel import inlined, kernel
from detectors.portable import log10, tail_decades

STATE: Final = np.dtype([("lowest", np.float64), ("highest", np.float64)], align=True)
SEEN_MIN: Final = 20.0


class Params(NamedTuple):
    """Times in seconds."""

    memory_seconds: Annotated[float, Gt(0)] = 31_536_000.0
    margin: Annotated[float, Gt(0)] = 0.05
    """The share of the range that makes a record a full one."""


@inlined
def record_decades(row: Row, value: float, seen: float, params: Params) -> float:
    beyond = max(value - row.highest, row.lowest - value)
    if beyond <= 0.0 or seen < SEEN_MIN:
        return 0.0
    share = params.margin * (row.highest - row.lowest)
    rarity = log10(min(seen, 10_000.0) * 0.5)
    distance = 0.25 * beyond / (share + 1e-12 + 1e-9 * abs(value))
    decades: float = 0.5 * rarity * beyond / (beyond + share) + tail_decades(distance)
    return decades


@inlined
def learn(row: Row, sample: Row, params: Params) -> None:
    value = sample.value
    if sample.seen == 0.0:
        row.lowest = value
        row.highest = value
        return
    forget = min(sample.dt / params.memory_seconds, 0.1)
    row.lowest = min(row.lowest + forget * (value - row.lowest), value)
    row.highest = max(row.highest + forget * (value - row.highest), value)


@kernel
def score_reach(state: NDArray[np.void], feed: NDArray[np.void], params: Params, verdict: NDArray[np.void]) -> None:
    """See contract.py."""
    for i in range(feed.shape[0]):
        sample = feed[i]
        if sample.read < 0:
            continue
        ask_for(state[sample.next])
        row = state[sample.read]
        out = verdict[i]
        out.expected = np.nan
        out.scale = np.nan
        out.since = 0.0
        out.decades = record_decades(row, sample.value, sample.seen, params)
        out.direction = 0
        if sample.seen > 0.0:
            out.direction = int(sample.value > row.highest) - int(sample.value < row.lowest)
        if sample.write >= 0:
            learn(state[sample.write], sample, params)
