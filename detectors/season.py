"""What the time of day and of the week explains: two profiles that must prove themselves before they are believed, and one of surprise.

What is expected is `offset + daily(time of day)`, and on a weekday that differs `offset + shift + (1 + stretch) * daily(time of day)`: a
Sunday is lower, and its waves are smaller. The daily profile has a slot for each five minutes, fine enough for a job that starts on
the minute. When it is first believed its offset becomes the one that knows no profile, so that half a belief lies half-way between both: a series that began in the midst
of its nightly batch has an offset from then, and all other slots far below it. Both go by the clocks of the configured zone. Whether a series has a day at all is measured: the same offset
without a profile predicts beside it, and only after two full days, and with errors a tenth smaller, is the profile believed; the
week likewise beside the day alone, after two weeks. Belief comes and goes within hours, never at once.

The other detectors see the value less what is believed (`feed.seasonal`): what the hour explains is no surprise to anybody. What
surprises at the same minute every day all the same is usual too: `calibration` learns it, into the field `usual`, and how restless each
hour is, into `hours` and `unrest`.

After: additive seasonal smoothing (Winters 1960), with bounded influence and event time in place of sample counts.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Final, NamedTuple

import numpy as np
from annotated_types import Gt, Le
from numpy.typing import NDArray

from detectors import profile, restless, usual
from detectors.ahead import LINE_BYTES, ask
from detectors.blocks import BLOCK, alike, repeat, room
from detectors.contract import Row
from detectors.kernel import inlined as device
from detectors.kernel import kernel
from detectors.portable import tail_decades

SLOTS: Final = profile.SLOTS
WEEKDAYS: Final = 7
DAY_NS: Final = 86_400_000_000_000
SLOT_NS: Final = DAY_NS // SLOTS
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
        ("unrest", np.float64),  # how restless all hours are (`restless`)
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
        ("hours", np.int16, restless.HOURS),  # how restless each hour is
    ],
    align=True,
)
_FIELDS: Final[Mapping[str, Any]] = STATE.fields or {}
_DAILY: Final = _FIELDS["daily"][1]
_USUAL: Final = _FIELDS["usual"][1]
_HOURS: Final = _FIELDS["hours"][1]


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
    return int((civil_ns % DAY_NS) // SLOT_NS)


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
def weekly_of(row: Row, day: int, daily: float) -> float:
    """What the weekday adds to the daily profile."""
    return float(row.shift[day]) + float(row.stretch[day]) * daily


@device
def place_of(civil_ns: int) -> tuple[int, int, int]:
    """Where a slot begins, which one of the day it is, and the weekday."""
    return int(civil_ns // SLOT_NS) * SLOT_NS, slot_of(civil_ns), weekday_of(civil_ns)


@device
def shape_of(row: Row, slot: int, day: int) -> float:
    """What is believed of both profiles, where something is."""
    daily = daily_of(row, slot)
    shape = float(row.trust) * daily
    if row.week_trust > 0.0:
        shape += float(row.week_trust) * weekly_of(row, day, daily)
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
def centre(row: Row) -> None:
    """Put the offset where it would be without a profile; what both say together stays."""
    by = row.offset - row.plain
    profile.lift(row, by)
    row.offset = row.plain
    # Its mean square is an average of the days before, about another centre: it may become wrong by what it was moved.
    row.power = tiny_as_zero(max(float(row.power) - by * by, 1e-3 * float(row.power)))


@device
def believe(row: Row, pace: float, params: Params) -> None:
    """Move both beliefs towards what the errors say."""
    age, scale, week_scale, plain_scale = row.age, float(row.scale), float(row.week_scale), float(row.plain_scale)
    trust, week_trust = float(row.trust), float(row.week_trust)
    bar = params.gain if trust <= 0.0 else 1.0
    best = min(scale, week_scale) if week_trust > 0.0 else scale
    before = trust
    trust = moved(trust, pace, age >= params.prove_seconds and best < bar * plain_scale)
    if before <= 0.0 < trust:
        centre(row)
    row.trust = trust
    bar = params.gain if week_trust <= 0.0 else 1.0
    proven = row.trust > 0.0 and age >= params.prove_week_seconds and week_scale < bar * scale
    row.week_trust = moved(week_trust, pace, proven)


class Paces(NamedTuple):
    """How much each sample of a block moves what is learned, as far as that follows from its time alone; a column each."""

    offset: NDArray[np.float64]
    errors: NDArray[np.float64]
    power: NDArray[np.float64]
    slot: NDArray[np.float64]  # of the daily profile, …
    dense: NDArray[np.float64]  # … and how many samples it gets a day
    trust: NDArray[np.float64]


@device
def paces_of(feed: NDArray[np.void], params: Params, paces: Paces) -> None:
    n = feed.shape[0]
    for i in range(n):
        paces.offset[i] = feed[i].dt
        paces.errors[i] = feed[i].seen
        paces.dense[i] = feed[i].step
    same = alike(n, paces.offset, paces.errors, paces.dense)
    for i in range(1 if same else n):
        dt, seen, step = paces.offset[i], paces.errors[i], paces.dense[i]
        paces.offset[i] = max(dt / (params.offset_seconds + dt), 1.0 / (seen + 1.0))
        paces.errors[i] = max(min(dt / (2.0 * params.prove_seconds + dt), 0.2), 1.0 / seen)
        spent = min(dt, DAY_SECONDS)
        paces.power[i] = spent / (DAY_SECONDS + spent)
        spent = min(dt, SLOT_SECONDS)
        paces.slot[i] = spent / (params.profile_days * SLOT_SECONDS + spent)
        paces.dense[i] = max(SLOT_SECONDS / max(step, 1e-3), 1.0)
        paces.trust[i] = dt / params.trust_seconds
    if same:
        repeat(n, paces.offset)
        repeat(n, paces.errors)
        repeat(n, paces.power)
        repeat(n, paces.slot)
        repeat(n, paces.dense)
        repeat(n, paces.trust)


@device
def learn_week(row: Row, day: int, spent: float, daily: float, week_error: float, power: float, params: Params) -> None:
    """The weekday's shift and stretch follow what it leaves, by normalised least mean squares. `power`: the mean square of the profile."""
    age = row.age
    if age <= 0.4 * params.prove_week_seconds:
        return
    weeks = min(params.profile_weeks, YOUNG * age / (7.0 * DAY_SECONDS))
    pace = spent / (weeks * DAY_SECONDS + spent)
    row.shift[day] = tiny_as_zero(float(row.shift[day]) + pace * week_error)
    if daily * daily > 1e-6 * power:
        leverage = min(daily * daily / power, LEVERAGE_MAX)
        stretch = float(row.stretch[day]) + pace * leverage * week_error / daily
        row.stretch[day] = tiny_as_zero(held(stretch, STRETCH_MAX))


@device
def learn_day(row: Row, day: int, slot: int, daily: float, error: float, pace: float) -> None:
    """One slot moves from `daily` towards `error`. A flat weekday teaches no shape."""
    if row.daily[slot] == 0:
        pace = 1.0
    gain = 1.0 + np.float64(row.week_trust) * np.float64(row.stretch[day])
    pace *= min(max(gain, 0.0), 1.0)
    profile.write(row, slot, tiny_as_zero(daily + pace * error))


@device
def learn(row: Row, sample: Row, i: int, at: tuple[int, int, int], params: Params, paces: Paces) -> None:
    """Learn sample `i` of a block; `at` as of `place_of`. What of the state is needed more than once is read once."""
    value, dt, seen = sample.value, sample.dt, sample.seen
    start_ns, slot, day = at
    if seen == 0.0:
        row.offset = value
        row.plain = value
        return
    if dt * 1e9 >= float(slot * SLOT_NS + sample.civil_ns - start_ns + 1):  # the sample before was yesterday's
        profile.shrink(row)
    age = min(row.age + min(dt, 3600.0), AGE_MAX)
    row.age = age
    offset, plain, plain_scale = row.offset, row.plain, float(row.plain_scale)
    daily = daily_of(row, slot)
    weekly = weekly_of(row, day, daily)
    error = value - offset - daily
    week_error = error - weekly
    plain_error = value - plain
    if row.trust > 0.0:
        limit = params.bound * size_of(row)
        error = held(error, limit + abs(weekly))
        week_error = held(week_error, limit)
    if seen > 10.0:
        plain_error = held(plain_error, params.bound * 1.25 * plain_scale + floor_of(row))
    known = week_error if row.week_trust > 0.0 else error
    alpha, memory = paces.offset[i], paces.errors[i]
    scale = averaged(float(row.scale), abs(error), memory)
    week_scale = averaged(float(row.week_scale), abs(week_error), memory)
    power = averaged(float(row.power), daily * daily, paces.power[i])
    row.offset = offset + alpha * known
    row.plain = plain + alpha * plain_error
    row.power = power
    row.scale = scale
    row.week_scale = week_scale
    row.plain_scale = averaged(plain_scale, abs(plain_error), memory)
    learn_week(row, day, min(dt, DAY_SECONDS), daily, week_error, power, params)
    count = age / DAY_SECONDS * paces.dense[i]
    # As far as an average over all its samples would move it at first, then over some days.
    learn_day(row, day, slot, daily, (1.0 - alpha) * known, max(paces.slot[i], 1.0 / (count + 2.0)))
    believe(row, paces.trust[i], params)


@device
def look_ahead(row: Row, slot: int) -> None:
    """Ask for what will be needed of a row, if that will be at about the same time."""
    for at in range(0, _DAILY, LINE_BYTES):
        ask(row, at)
    ask(row, _DAILY + 2 * slot)
    ask(row, _USUAL + 4 * (slot * (usual.MINUTES // SLOTS) // usual.IN_A_WORD))
    ask(row, _HOURS + 2 * (slot * restless.HOURS // SLOTS))


@device
def expect(
    state: NDArray[np.void],
    feed: NDArray[np.void],
    params: Params,
    verdict: NDArray[np.void],
    paces: Paces,
    apart: NDArray[np.float64],
    size: NDArray[np.float64],
) -> int:
    """Expectations of a block, how far its samples are from them and what is usual there; learn. Gives how many are believed."""
    believed = 0
    start_ns, slot, day = place_of(feed[0].civil_ns)
    for i in range(feed.shape[0]):
        sample = feed[i]
        apart[i] = 0.0
        size[i] = 1.0
        if sample.read < 0:
            continue
        if not 0 <= sample.civil_ns - start_ns < SLOT_NS:  # it is mostly the same slot
            start_ns, slot, day = place_of(sample.civil_ns)
        look_ahead(state[sample.next], slot)
        row = state[sample.read]
        out = verdict[i]
        out.decades = 0.0
        out.expected = np.nan
        out.scale = np.nan
        out.direction = 0
        out.since = 0.0
        sample.seasonal = 0.0
        if row.trust > 0.0:
            seasonal = shape_of(row, slot, day)
            expected = row.offset + seasonal
            usual_size = size_of(row)
            sample.seasonal = seasonal
            apart[i] = abs(sample.value - expected)
            size[i] = usual_size
            out.expected = expected
            out.scale = usual_size
            out.direction = int(sample.value > expected) - int(sample.value < expected)
            believed += 1
        if sample.write >= 0:
            learn(state[sample.write], sample, i, (start_ns, slot, day), params, paces)
    return believed


@kernel
def score_season(state: NDArray[np.void], feed: NDArray[np.void], params: Params, verdict: NDArray[np.void]) -> None:
    """See contract.py. Writes `feed.seasonal` too, so it must run first. Expects nothing (NaN) until a profile is believed."""
    apart, size = room(BLOCK, np.float64), room(BLOCK, np.float64)
    paces = Paces(
        room(BLOCK, np.float64),
        room(BLOCK, np.float64),
        room(BLOCK, np.float64),
        room(BLOCK, np.float64),
        room(BLOCK, np.float64),
        room(BLOCK, np.float64),
    )
    for start in range(0, feed.shape[0], BLOCK):
        some, out = feed[start : start + BLOCK], verdict[start : start + BLOCK]
        n = some.shape[0]
        paces_of(some, params, paces)
        if expect(state, some, params, out, paces, apart, size) == 0:
            continue
        for i in range(n):
            apart[i] = tail_decades(apart[i] / size[i])
        for i in range(n):
            if some[i].read >= 0:
                out[i].decades = apart[i]
