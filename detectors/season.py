"""What the time of day and of the week explains: two profiles that must prove themselves before they are believed, and one of surprise.

What is expected is `offset + daily(time of day) + weekly(time of week)`. The daily profile has a slot for each five minutes, fine
enough for a job that starts on the minute; the weekly one a slot for each six hours, between whose middles it is interpolated.
Both go by the clocks of the configured zone. Whether a series has a day at all is measured: the same offset
without a profile predicts beside it, and only after two full days, and with errors a tenth smaller, is the profile believed; the
week likewise beside the day alone, after two weeks. Belief comes and goes within hours, never at once.

The other detectors see the value less what is believed (`feed.seasonal`): what the hour explains is no surprise to anybody. What
surprises at the same minute every day all the same is usual too: `calibration` learns it, into the field `usual`.

After: additive seasonal smoothing (Winters 1960), with bounded influence and event time in place of sample counts.
"""

from __future__ import annotations

import math
from typing import Annotated, Final, NamedTuple

import numpy as np
from annotated_types import Gt, Le
from numpy.typing import NDArray

from detectors import profile, usual
from detectors.contract import Row
from detectors.kernel import device, kernel
from detectors.portable import tail_decades

SLOTS: Final = profile.SLOTS
WEEK_SLOTS: Final = 28
DAY_NS: Final = 86_400_000_000_000
SLOT_SECONDS: Final = 300.0
WEEK_SLOT_SECONDS: Final = 21_600.0
MONDAY_NS: Final = 4 * DAY_NS
"""The first Monday after the epoch, which was a Thursday."""
GAP_SLOTS: Final = 12
"""A slot that was never seen takes the value of the nearest earlier one within an hour."""
AGE_MAX: Final = 1e7
STATE: Final = np.dtype(
    [
        ("offset", np.float64),
        ("plain", np.float64),  # the offset that knows no profile
        ("unit", np.float64),  # of the daily profile
        ("daily", np.int16, SLOTS),  # distance from the offset, in units (`profile`)
        ("weekly", np.float32, WEEK_SLOTS),  # what the day leaves
        ("usual", np.uint32, usual.WORDS),  # levels of usual surprise, ten in a word
        ("scale", np.float32),  # mean absolute error with the daily profile
        ("week_scale", np.float32),  # with both
        ("plain_scale", np.float32),  # and with none
        ("age", np.float32),  # seconds of data learned, held at AGE_MAX
        ("trust", np.float32),  # 0 … 1, belief in the daily profile
        ("week_trust", np.float32),  # and in the weekly one
    ],
    align=True,
)


class Params(NamedTuple):
    """Times in seconds."""

    offset_seconds: Annotated[float, Gt(0)] = 43_200.0
    profile_days: Annotated[float, Gt(1)] = 5.0
    """Days a slot remembers."""
    profile_weeks: Annotated[float, Gt(1)] = 2.0
    prove_seconds: Annotated[float, Gt(0)] = 172_800.0
    prove_week_seconds: Annotated[float, Gt(0)] = 1_209_600.0
    gain: Annotated[float, Gt(0), Le(1)] = 0.9
    """A profile is believed when its errors are below this share of the errors without it."""
    bound: Annotated[float, Gt(1), Le(20)] = 4.0
    trust_seconds: Annotated[float, Gt(0)] = 21_600.0
    """How long it takes to believe, or to stop."""


@device
def slot_of(civil_ns: int) -> int:
    return int((civil_ns % DAY_NS) // (DAY_NS // SLOTS))


@device
def daily_of(row: Row, slot: int) -> float:
    """The daily profile in a slot; that of the nearest earlier one where it was never seen."""
    for back in range(GAP_SLOTS):
        if row.daily[slot - back] != 0:  # a negative index is yesterday's evening
            return profile.read(row, slot - back)
    return 0.0


@device
def weekly_of(row: Row, civil_ns: int) -> float:
    """The weekly profile, linear between the middles of its slots."""
    place = ((civil_ns - MONDAY_NS) % (7 * DAY_NS)) / (7 * DAY_NS) * WEEK_SLOTS - 0.5
    lower = math.floor(place)
    part = place - lower
    first = int(lower) % WEEK_SLOTS
    return float(row.weekly[first]) * (1.0 - part) + float(row.weekly[(first + 1) % WEEK_SLOTS]) * part


@device
def shape_of(row: Row, civil_ns: int) -> float:
    """What is believed of both profiles at a time."""
    if row.trust <= 0.0:
        return 0.0
    shape = float(row.trust) * daily_of(row, slot_of(civil_ns))
    if row.week_trust > 0.0:
        shape += float(row.week_trust) * weekly_of(row, civil_ns)
    return shape


@device
def floor_of(row: Row) -> float:
    return 0.05 * float(row.plain_scale) + 1e-9 * abs(float(row.plain)) + 1e-12


@device
def size_of(row: Row) -> float:
    """A usual error of what is believed."""
    scale = float(row.week_scale) if row.week_trust > 0.0 else float(row.scale)
    return 1.25 * scale + floor_of(row)


@device
def tiny_as_zero(x: float) -> float:
    """Small magnitudes are zero: denormals are slow."""
    return x if abs(x) >= 1e-30 else 0.0


@device
def averaged(scale: float, error: float, memory: float) -> float:
    return tiny_as_zero(scale + memory * (error - scale))


@device
def held(x: float, limit: float) -> float:
    return min(max(x, -limit), limit)


@device
def moved(trust: float, pace: float, proven: bool) -> float:
    return min(trust + pace, 1.0) if proven else max(trust - pace, 0.0)


@device
def believe(row: Row, dt: float, params: Params) -> None:
    """Move both beliefs towards what the errors say."""
    age, scale, week_scale = float(row.age), float(row.scale), float(row.week_scale)
    pace = dt / params.trust_seconds
    bar = params.gain if row.trust <= 0.0 else 1.0
    best = min(scale, week_scale) if row.week_trust > 0.0 else scale
    row.trust = moved(float(row.trust), pace, age >= params.prove_seconds and best < bar * float(row.plain_scale))
    bar = params.gain if row.week_trust <= 0.0 else 1.0
    proven = row.trust > 0.0 and age >= params.prove_week_seconds and week_scale < bar * scale
    row.week_trust = moved(float(row.week_trust), pace, proven)


@device
def learn_profiles(row: Row, sample: Row, error: float, week_error: float, params: Params) -> None:
    """One slot of each profile moves: as far as an average over all its samples would at first, then over some days or weeks."""
    spent = min(sample.dt, SLOT_SECONDS)
    count = float(row.age) / 86_400.0 * max(SLOT_SECONDS / max(sample.step, 1e-3), 1.0)
    pace = max(spent / (params.profile_days * SLOT_SECONDS + spent), 1.0 / (count + 2.0))
    slot = slot_of(sample.civil_ns)
    if row.daily[slot] == 0:
        pace = 1.0
    profile.write(row, slot, tiny_as_zero(daily_of(row, slot) + pace * error))
    if row.age > 0.4 * params.prove_week_seconds:
        spent = min(sample.dt, WEEK_SLOT_SECONDS)
        pace = spent / (params.profile_weeks * WEEK_SLOT_SECONDS + spent)
        place = int(((sample.civil_ns - MONDAY_NS) % (7 * DAY_NS)) // (DAY_NS // 4))
        row.weekly[place] = tiny_as_zero(float(row.weekly[place]) + pace * week_error)


@device
def learn(row: Row, sample: Row, params: Params) -> None:
    value, dt, seen = sample.value, sample.dt, sample.seen
    if seen == 0.0:
        row.offset = value
        row.plain = value
        return
    if (sample.civil_ns - int(dt * 1e9)) // DAY_NS != sample.civil_ns // DAY_NS:
        profile.shrink(row)
    row.age = min(float(row.age) + min(dt, 3600.0), AGE_MAX)
    error = value - row.offset - daily_of(row, slot_of(sample.civil_ns))
    weekly = weekly_of(row, sample.civil_ns)
    week_error = error - weekly
    plain_error = value - row.plain
    if row.trust > 0.0:
        limit = params.bound * size_of(row)
        error = held(error, limit + abs(weekly))
        week_error = held(week_error, limit)
    if seen > 10.0:
        plain_error = held(plain_error, params.bound * 1.25 * float(row.plain_scale) + floor_of(row))
    known = week_error if row.week_trust > 0.0 else error
    alpha = max(dt / (params.offset_seconds + dt), 1.0 / (seen + 1.0))
    row.offset += alpha * known
    row.plain += alpha * plain_error
    learn_profiles(row, sample, (1.0 - alpha) * known, week_error, params)
    memory = max(min(dt / (2.0 * params.prove_seconds + dt), 0.2), 1.0 / seen)
    row.scale = averaged(float(row.scale), abs(error), memory)
    row.week_scale = averaged(float(row.week_scale), abs(week_error), memory)
    row.plain_scale = averaged(float(row.plain_scale), abs(plain_error), memory)
    believe(row, dt, params)


@kernel
def score_season(state: NDArray[np.void], feed: NDArray[np.void], params: Params, verdict: NDArray[np.void]) -> None:
    """See contract.py. Writes `feed.seasonal` too, so it must run first. Expects nothing (NaN) until a profile is believed."""
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
        sample.seasonal = shape_of(row, sample.civil_ns)
        if row.trust > 0.0:
            out.expected = row.offset + sample.seasonal
            out.scale = size_of(row)
            out.decades = tail_decades(abs(sample.value - out.expected) / out.scale)
            out.direction = int(sample.value > out.expected) - int(sample.value < out.expected)
        if sample.write >= 0:
            learn(state[sample.write], sample, params)
