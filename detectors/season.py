"""What the time of day and of the week explains: two profiles that must prove themselves before they are believed, and one of surprise.

What is expected is `offset + daily(time of day)`, and on a weekday that differs `offset + shift + (1 + stretch) * daily(time of day)`: a
Sunday is lower, and its waves are smaller. The daily profile has a slot for each five minutes, fine enough for a job that starts on
the minute. Both go by the clocks of the configured zone. Whether a series has a day at all is measured: the same offset
without a profile predicts beside it, and only after two full days, and with errors a tenth smaller, is the profile believed; the
week likewise beside the day alone, after two weeks. Belief comes and goes within hours, never at once.

The other detectors see the value less what is believed (`feed.seasonal`): what the hour explains is no surprise to anybody. What
surprises at the same minute every day all the same is usual too: `calibration` learns it, into the field `usual`.

After: additive seasonal smoothing (Winters 1960), with bounded influence and event time in place of sample counts.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Final, NamedTuple

import numpy as np
from annotated_types import Gt, Le
from numpy.typing import NDArray

from detectors import profile, usual
from detectors.ahead import LINE_BYTES, ask
from detectors.contract import Row
from detectors.kernel import inlined as device
from detectors.kernel import kernel
from detectors.portable import tail_decades

SLOTS: Final = profile.SLOTS
WEEKDAYS: Final = 7
DAY_NS: Final = 86_400_000_000_000
SLOT_SECONDS: Final = 300.0
DAY_SECONDS: Final = 86_400.0
STRETCH_MAX: Final = 2.0
YOUNG: Final = 0.4
"""A weekday remembers such a share of its series' life while that is short: the first Saturday teaches most of what Saturdays are."""
LEVERAGE_MAX: Final = 10.0
"""How much more than the mean a slot far from it teaches the stretch."""
MONDAY_NS: Final = 4 * DAY_NS
"""The first Monday after the epoch, which was a Thursday."""
GAP_SLOTS: Final = 12
"""A slot that was never seen takes the value of the nearest earlier one within an hour."""
AGE_MAX: Final = 1e7
STATE: Final = np.dtype(
    [
        ("offset", np.float64),
        ("plain", np.float64),  # the offset that knows no profile
        ("age", np.float64),  # seconds of data learned, held at AGE_MAX
        ("unit", np.float64),  # of the daily profile
        ("shift", np.float32, WEEKDAYS),  # how much higher a weekday is than the others
        ("stretch", np.float32, WEEKDAYS),  # and by which share its daily profile is larger
        ("power", np.float32),  # mean square of the daily profile
        ("scale", np.float32),  # mean absolute error with the daily profile
        ("week_scale", np.float32),  # with both
        ("plain_scale", np.float32),  # and with none
        ("trust", np.float32),  # 0 … 1, belief in the daily profile
        ("week_trust", np.float32),  # and in the weekly one
        ("daily", np.int16, SLOTS),  # distance from the offset, in units (`profile`)
        ("usual", np.uint32, usual.WORDS),  # levels of usual surprise, ten in a word
    ],
    align=True,
)
_FIELDS: Final[Mapping[str, Any]] = STATE.fields or {}
_DAILY: Final = _FIELDS["daily"][1]
_USUAL: Final = _FIELDS["usual"][1]


class Params(NamedTuple):
    """Times in seconds."""

    offset_seconds: Annotated[float, Gt(0)] = 43_200.0
    profile_days: Annotated[float, Gt(1)] = 5.0
    """Days a slot remembers."""
    profile_weeks: Annotated[float, Gt(1)] = 2.0
    """Weeks that a weekday remembers."""
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
def weekday_of(civil_ns: int) -> int:
    """0 is Monday."""
    return int((civil_ns - MONDAY_NS) // DAY_NS % WEEKDAYS)


@device
def weekly_of(row: Row, civil_ns: int, daily: float) -> float:
    """What the weekday adds to the daily profile."""
    day = weekday_of(civil_ns)
    return float(row.shift[day]) + float(row.stretch[day]) * daily


@device
def shape_of(row: Row, civil_ns: int) -> float:
    """What is believed of both profiles at a time."""
    if row.trust <= 0.0:
        return 0.0
    daily = daily_of(row, slot_of(civil_ns))
    shape = float(row.trust) * daily
    if row.week_trust > 0.0:
        shape += float(row.week_trust) * weekly_of(row, civil_ns, daily)
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
    age, scale, week_scale = row.age, float(row.scale), float(row.week_scale)
    pace = dt / params.trust_seconds
    bar = params.gain if row.trust <= 0.0 else 1.0
    best = min(scale, week_scale) if row.week_trust > 0.0 else scale
    row.trust = moved(float(row.trust), pace, age >= params.prove_seconds and best < bar * float(row.plain_scale))
    bar = params.gain if row.week_trust <= 0.0 else 1.0
    proven = row.trust > 0.0 and age >= params.prove_week_seconds and week_scale < bar * scale
    row.week_trust = moved(float(row.week_trust), pace, proven)


@device
def learn_week(row: Row, sample: Row, daily: float, week_error: float, params: Params) -> None:
    """The weekday's shift and stretch follow what it leaves, by normalised least mean squares."""
    spent = min(sample.dt, DAY_SECONDS)
    power = averaged(float(row.power), daily * daily, spent / (DAY_SECONDS + spent))
    row.power = power
    if row.age <= 0.4 * params.prove_week_seconds:
        return
    day = weekday_of(sample.civil_ns)
    weeks = min(params.profile_weeks, YOUNG * row.age / (7.0 * DAY_SECONDS))
    pace = spent / (weeks * DAY_SECONDS + spent)
    row.shift[day] = tiny_as_zero(float(row.shift[day]) + pace * week_error)
    if daily * daily > 1e-6 * power:
        leverage = min(daily * daily / power, LEVERAGE_MAX)
        stretch = float(row.stretch[day]) + pace * leverage * week_error / daily
        row.stretch[day] = tiny_as_zero(held(stretch, STRETCH_MAX))


@device
def learn_day(row: Row, sample: Row, error: float, params: Params) -> None:
    """One slot moves: as far as an average over all its samples would at first, then over some days. A flat weekday teaches no shape."""
    spent = min(sample.dt, SLOT_SECONDS)
    count = row.age / DAY_SECONDS * max(SLOT_SECONDS / max(sample.step, 1e-3), 1.0)
    pace = max(spent / (params.profile_days * SLOT_SECONDS + spent), 1.0 / (count + 2.0))
    slot = slot_of(sample.civil_ns)
    if row.daily[slot] == 0:
        pace = 1.0
    gain = 1.0 + np.float64(row.week_trust) * np.float64(row.stretch[weekday_of(sample.civil_ns)])
    pace *= min(max(gain, 0.0), 1.0)
    profile.write(row, slot, tiny_as_zero(daily_of(row, slot) + pace * error))


@device
def learn(row: Row, sample: Row, params: Params) -> None:
    value, dt, seen = sample.value, sample.dt, sample.seen
    if seen == 0.0:
        row.offset = value
        row.plain = value
        return
    if (sample.civil_ns - int(dt * 1e9)) // DAY_NS != sample.civil_ns // DAY_NS:
        profile.shrink(row)
    row.age = min(row.age + min(dt, 3600.0), AGE_MAX)
    daily = daily_of(row, slot_of(sample.civil_ns))
    error = value - row.offset - daily
    weekly = weekly_of(row, sample.civil_ns, daily)
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
    learn_week(row, sample, daily, week_error, params)
    learn_day(row, sample, (1.0 - alpha) * known, params)
    memory = max(min(dt / (2.0 * params.prove_seconds + dt), 0.2), 1.0 / seen)
    row.scale = averaged(float(row.scale), abs(error), memory)
    row.week_scale = averaged(float(row.week_scale), abs(week_error), memory)
    row.plain_scale = averaged(float(row.plain_scale), abs(plain_error), memory)
    believe(row, dt, params)


@device
def look_ahead(row: Row, civil_ns: int, step: float) -> None:
    """Ask for what will be needed of a row, if that will be at about the same time."""
    for at in range(0, _DAILY, LINE_BYTES):
        ask(row, at)
    ask(row, _DAILY + 2 * slot_of(civil_ns))
    ask(row, _USUAL + 4 * (usual.minute_of(civil_ns, step) // usual.IN_A_WORD))


@kernel
def score_season(state: NDArray[np.void], feed: NDArray[np.void], params: Params, verdict: NDArray[np.void]) -> None:
    """See contract.py. Writes `feed.seasonal` too, so it must run first. Expects nothing (NaN) until a profile is believed."""
    for i in range(feed.shape[0]):
        sample = feed[i]
        if sample.read < 0:
            continue
        look_ahead(state[sample.next], sample.civil_ns, sample.step)
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
