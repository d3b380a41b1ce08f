"""Surprise against the hour of the day: a profile of 24 slots that must prove itself before it is believed.

What is expected is `offset + profile(time of day)`: the profile is interpolated between the middles of hours by civil time; the
offset follows the series within half a day. Whether a series has a day at all is measured: the same offset without a
profile predicts beside it, and only after two full days, and with errors a fifth smaller, is the profile adopted. Until
then the detector has no opinion. It is given up again when its errors are no smaller any more.

After: additive seasonal smoothing (Winters 1960), with bounded influence and event time in place of sample counts.
"""

from __future__ import annotations

import math
from typing import Annotated, Final, NamedTuple

import numpy as np
from annotated_types import Gt, Le
from numpy.typing import NDArray

from detectors.contract import Row
from detectors.kernel import device, kernel
from detectors.portable import tail_decades

SLOTS: Final = 24
DAY_NS: Final = 86_400_000_000_000
STATE: Final = np.dtype(
    [
        ("profile", np.float64, SLOTS),  # distance from the offset in the middle of each hour
        ("weight", np.float64, SLOTS),  # samples each slot has learned from, at most 1e6
        ("offset", np.float64),
        ("plain", np.float64),  # the offset that knows no profile
        ("scale", np.float64),  # mean absolute error with the profile
        ("plain_scale", np.float64),  # and without
        ("age", np.float64),  # seconds of data learned
        ("adopted", np.float64),  # 1 while the profile is believed
    ],
    align=True,
)


class Params(NamedTuple):
    """Times in seconds."""

    offset_seconds: Annotated[float, Gt(0)] = 43_200.0
    profile_days: Annotated[float, Gt(1)] = 5.0
    """Days a slot remembers."""
    prove_seconds: Annotated[float, Gt(0)] = 172_800.0
    gain: Annotated[float, Gt(0), Le(1)] = 0.8
    """The profile is adopted when its errors are below this share of the errors without it."""
    bound: Annotated[float, Gt(1), Le(20)] = 4.0


@device
def shape_of(row: Row, civil_ns: int) -> float:
    """The profile at a time of day, linear between the middles of two hours."""
    place = (civil_ns % DAY_NS) / DAY_NS * SLOTS - 0.5
    lower = math.floor(place)
    part = place - lower
    first = int(lower) % SLOTS
    second = (first + 1) % SLOTS
    here: float = row.profile[first] * (1.0 - part) + row.profile[second] * part
    return here


@device
def floor_of(row: Row) -> float:
    floor: float = 0.05 * row.plain_scale + 1e-9 * abs(row.plain) + 1e-12
    return floor


@device
def learn(row: Row, sample: Row, params: Params) -> None:
    value, dt, seen = sample.value, sample.dt, sample.seen
    if seen == 0.0:
        row.offset = value
        row.plain = value
        return
    row.age += min(dt, 3600.0)
    error = value - row.offset - shape_of(row, sample.civil_ns)
    plain_error = value - row.plain
    if seen > 10.0:
        limit = params.bound * (1.25 * row.scale + floor_of(row))
        if row.adopted > 0.0:
            error = min(max(error, -limit), limit)
        plain_limit = params.bound * 1.25 * row.plain_scale + floor_of(row)
        plain_error = min(max(plain_error, -plain_limit), plain_limit)
    alpha = max(dt / (params.offset_seconds + dt), 1.0 / (seen + 1.0))
    row.offset += alpha * error
    row.plain += alpha * plain_error
    slot = int((sample.civil_ns % DAY_NS) // (DAY_NS // SLOTS))
    row.weight[slot] = min(row.weight[slot] + 1.0, 1e6)
    in_slot = min(dt, 3600.0)
    step = max(in_slot / (params.profile_days * 3600.0 + in_slot), 1.0 / (row.weight[slot] + 1.0))
    row.profile[slot] += step * (1.0 - alpha) * error
    memory = max(min(dt / (2.0 * params.prove_seconds + dt), 0.2), 1.0 / seen)
    row.scale += memory * (abs(error) - row.scale)
    row.plain_scale += memory * (abs(plain_error) - row.plain_scale)
    if row.scale < 1e-30:
        row.scale = 0.0
    if row.plain_scale < 1e-30:
        row.plain_scale = 0.0
    if row.age >= params.prove_seconds:
        bar = params.gain if row.adopted == 0.0 else 1.0
        row.adopted = 1.0 if row.scale < bar * row.plain_scale else 0.0


@kernel
def score_season(state: NDArray[np.void], feed: NDArray[np.void], params: Params, verdict: NDArray[np.void]) -> None:
    """See contract.py. Expects nothing (NaN) until the profile is adopted."""
    for i in range(feed.shape[0]):
        sample = feed[i]
        if sample.read < 0:
            continue
        row = state[sample.read]
        out = verdict[i]
        out.decades = 0.0
        out.expected = np.nan
        out.scale = np.nan
        out.direction = 0
        out.since = 0.0
        if row.adopted > 0.0:
            out.expected = row.offset + shape_of(row, sample.civil_ns)
            out.scale = 1.25 * row.scale + floor_of(row)
            out.decades = tail_decades(abs(sample.value - out.expected) / out.scale)
            out.direction = 1 if sample.value > out.expected else (-1 if sample.value < out.expected else 0)
        if sample.write >= 0:
            learn(state[sample.write], sample, params)
