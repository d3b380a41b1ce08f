"""What a detector is: a name, a tier, parameters with ranges, a fixed state, and one kernel.

A kernel is `kernel(state, feed, params, verdict)`: for each row of `feed`, in order, it first scores the row against
`state[read]` and writes `verdict`, then learns. Rows of one series come in time order; rows with read < 0 are no
opinion and are skipped. While a series is quarantined `write` is not `read`: the model of `read` stays as it is and
only what describes the present moment (the last value, a run's length) moves, and the row `write` learns everything.
`write` < 0 means that there is no room for a shadow: nothing is learned.

What has a level, a slope or a shape is `value - seasonal`: the season runs first and writes what it explains. Only what is true of the
value itself (a record, a value that stands still) looks at `value` alone.

To add one: a module with Params, STATE and the kernel, the same in plain Python in `naive.py`, a line in `registry.py`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import IntEnum
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

Row = Any
"""One row of a structured array, fields as attributes; numpy's types do not say so."""

FEED: Final = np.dtype(
    [
        ("read", np.int64),  # the row of the state to score against; -1: skip
        ("next", np.int64),  # the row of a later sample, to be asked for (`ahead`): any row that there is
        ("write", np.int64),  # the row that learns; -1: none
        ("ts_ns", np.int64),  # event time
        ("civil_ns", np.int64),  # event time by the clocks of the configured zone: for what has an hour or a weekday
        ("value", np.float64),  # finite, |value| < 1e15, never denormal
        ("seasonal", np.float64),  # what a believed season explains of it: `value - seasonal` is what has a level
        ("dt", np.float64),  # seconds since the series' previous sample; 0 for its first
        ("step", np.float64),  # learned usual distance between samples in seconds; 0 unknown
        ("seen", np.float64),  # samples learned before this one
    ],
    align=True,
)
VERDICT: Final = np.dtype(
    [
        ("decades", np.float64),  # -log10 of how probable so much surprise is; 0 as usual, never NaN or negative
        ("expected", np.float64),  # what the detector expected; NaN when it expects no value
        ("scale", np.float64),  # robust size of a usual deviation, > 0; NaN with expected
        ("direction", np.int64),  # +1 above what was expected, -1 below, 0 neither
        ("since", np.float64),  # seconds for which it has been going on, as the detector itself can tell; 0 when it cannot
    ],
    align=True,
)
VALUE_MAX: Final = 1e15
"""Values beyond are refused before any state: squares and products of them stay far from the ends of a float."""
VALUE_MIN: Final = 1e-30
"""Smaller magnitudes count as zero: they are no measurement, and denormals are 25 times slower."""


class Tier(IntEnum):
    """How much state a series is worth. A tier holds the detectors of the lower ones too."""

    LIGHT = 0  # at most 256 B a series, all detectors together
    STANDARD = 1  # at most 2 kB
    FULL = 2  # at most 8 kB


@dataclass(frozen=True, slots=True)
class Detector:
    """One entry of the registry."""

    name: str
    tier: Tier
    params: NamedTuple
    state: np.dtype[np.void]
    kernel: Callable[[NDArray[np.void], NDArray[np.void], Any, NDArray[np.void]], None]
    kinds: tuple[str, str, str]  # what a short excursion down, neither, up is called
    lasting: tuple[str, str, str]  # and once it has lasted
    weight: float  # its share in the sum of surprises
    source: str  # the paper or the reason behind it
    voice: float | None = None  # what its decades count for when an excursion gets its name; None: as its weight
    alone: float = 0.0  # the share of its decades that counts without agreement: 1 where no other detector can see the fault
    recurs: bool = False  # learns by the hour: keeps what a short excursion taught it when the rest is put back
    portable: bool = True  # the same bits on every machine
    adopted: Callable[[np.void, np.void, float], None] | None = None
    """Called when a level that lasted becomes the new normal: (row as the shadow learned it, row before, the level now).

    A level, its scale and its averages must begin anew together, or the detector goes on alarming at what was adopted.
    """
