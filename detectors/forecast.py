"""Forecasts of slow quantities: where a series will be in an hour, six hours, a day and a week, and how far off that may be.

Samples are averaged in cells of ten minutes; only their ends cost something. Three straight lines of different age (hours, a day,
days) follow the cells, each a critically damped filter of level and slope; a wave of the day (three harmonics) is taken out first.
The slope that counts is that of the oldest line with which the younger ones agree: the most data that tell one story.

What lies far from the youngest line for three cells in a row is no trend but a step: all lines move over, and the youngest begins anew.
Steps back against the trend (a log that is rotated, a heap that is collected) are counted, and end the forecasts that wait: a sawtooth
is not continued beyond the range that it has kept to, and its errors are those within a tooth. Deviations teach the older lines a bounded amount (Huber, 1964).

How far off a forecast may be is not deduced but measured: at each horizon one forecast at a time waits for its hour, and the usual size of
the errors, bounded and forgotten in ten days, is the scale of the interval and of what slope is worth mentioning.

After: fading-memory polynomial filtering, Morrison 1969, and the longest interval of agreement, Lepski 1991. All state is float32 beside an
origin, 128 bytes a series; it is read into float64 before anything is computed.
"""

from __future__ import annotations

import math
from typing import Annotated, Final, NamedTuple

import numpy as np
from annotated_types import Gt, Le
from numpy.typing import NDArray

from detectors.contract import VALUE_MAX, Row
from detectors.kernel import device, kernel
from detectors.wave import CELLS_DAY, WAVES, learn_wave, tiny, wave_at

CELL_NS: Final = 600_000_000_000
CELLS_HOUR: Final = 6
AGES: Final = 3
HORIZONS: Final = (6, 41, 173)
"""Cells at which errors are measured: an hour, about seven and 29 hours, so that they come to every time of the day."""
ROOTS: Final = (2.449489742783178, 6.4031242374328485, 13.152946437965905)
"""Their square roots."""
STATE: Final = np.dtype(
    [
        ("origin", np.float64),  # the first value; all that follows is counted from it
        ("cell", np.int32),  # number of the open cell since 1970
        ("born", np.int32),  # and of the first one
        ("seen", np.int32),  # cells learned
        ("run", np.int32),  # those since the youngest line began anew
        ("count", np.int16),  # samples in the open cell
        ("gap", np.int16),  # cells from the last closed one to the open one
        ("odd", np.int16),  # cells in a row that lay far from the youngest line
        ("armed", np.int16),  # bit h: a forecast at HORIZONS[h] waits
        ("average", np.float32),  # of the open cell
        ("level", np.float32, AGES),  # of the lines, at the last closed cell
        ("slope", np.float32, AGES),  # a cell
        ("wave", np.float32, 2 * WAVES),  # cosine and sine of each harmonic of the day
        ("unrest", np.float32),  # usual distance of a cell from the youngest line
        ("low", np.float32),  # range of the youngest level of late
        ("high", np.float32),
        ("pending", np.float32, AGES),  # forecasts that wait
        ("error", np.float32, AGES),  # usual size of their errors
        ("resets", np.float32),  # steps back against the trend, forgotten in two weeks
    ],
    align=True,
)
STRANGE: Final = 6.0
"""So many usual distances from the youngest line are far."""
ODD_CELLS: Final = 2
"""So many far cells are waited for; the next one makes it a step."""
SETTLED_CELLS: Final = 6
"""A young line calls nothing strange."""
LOST_CELLS: Final = 7 * CELLS_DAY
"""After a longer silence all begins anew."""
WAVE_GAP_MAX: Final = 18
"""Cells further apart show no wave of the day."""
BOUND: Final = 4.0
"""How many usual errors one cell may teach an older line, and one error its scale."""
SAWTOOTH: Final = 1.5
"""So many resets of late make a sawtooth."""
AGREE: Final = 2.0
"""Slopes that differ by less than so many standard errors agree."""
GAUSS: Final = 1.2533
"""Standard deviations in a mean absolute one, √(π/2)."""
NINETY: Final = 1.645
"""Standard deviations on each side that hold nine in ten."""


class Params(NamedTuple):
    """Rates a cell."""

    hours: Annotated[float, Gt(0), Le(1)] = 1.0 / 12.0
    """Of the youngest line: its slope is on average four hours old."""
    day: Annotated[float, Gt(0), Le(1)] = 1.0 / 60.0
    """Of the middle one: 20 hours."""
    days: Annotated[float, Gt(0), Le(1)] = 1.0 / 360.0
    """Of the oldest: 5 days."""
    error_days: Annotated[float, Gt(0)] = 10.0
    """How long errors of forecasts are remembered."""
    evident: Annotated[float, Gt(0)] = 2.5
    """Of a slope of so many standard errors a forecast follows half; of all others as much as they are evident."""


# ------------------------------------------------------------------------------------------ errors and slopes
@device
def error_at(row: Row, cells: float) -> float:
    """Usual size of the error of a forecast so far ahead; 0 while nothing is known. Grows between horizons as the root of time."""
    first, second, third = np.float64(row.error[0]), np.float64(row.error[1]), np.float64(row.error[2])
    if second == 0.0:
        second = first * ROOTS[1] / ROOTS[0]
    if third == 0.0:
        third = second * ROOTS[2] / ROOTS[1]
    if first == 0.0:
        first = second * ROOTS[0] / ROOTS[1]
    root = math.sqrt(cells)
    if root <= ROOTS[1]:
        return max(first + (second - first) * (root - ROOTS[0]) / (ROOTS[1] - ROOTS[0]), 0.3 * first)
    later: float = second + (third - second) * (root - ROOTS[1]) / (ROOTS[2] - ROOTS[1])
    return max(later, min(second, third))


@device
def last_cell(row: Row) -> int:
    """The last closed cell: where the lines stand."""
    return int(row.cell) - int(row.gap)


@device
def rate_of(row: Row, age: int, params: Params) -> float:
    """By how much a line of an age moves with one cell: more while it is young."""
    rate = params.hours if age == 0 else (params.day if age == 1 else params.days)
    learned: float = row.run if age == 0 else row.seen
    steady: float = rate / (1.0 + rate)
    return max(steady, min(3.0 / (learned + 2.0), 1.0))


@device
def slope_error(row: Row, age: int, params: Params) -> float:
    """Standard error of the slope of a line, if the series wanders as its forecasts have erred, and is as noisy as it is.

    Inf while that is unknown.
    """
    cells = 36.0 if age == 0 else (144.0 if age == 1 else 720.0)
    size = error_at(row, cells)
    if size == 0.0 and row.seen < CELLS_DAY:
        return math.inf
    measured = max(last_cell(row) - row.born - 2 * CELLS_DAY, 0) / HORIZONS[1 if age == 0 else 2]
    doubt = math.sqrt(1.0 + 4.0 / (measured + 1.0))  # the fewer errors were measured, the less is known of their size
    rate = rate_of(row, age, params)
    wander = doubt * GAUSS * size / math.sqrt(cells) * math.sqrt(rate) / 2.0
    noise = GAUSS * np.float64(row.unrest) * rate * math.sqrt(2.0 * rate)
    return math.sqrt(wander * wander + noise * noise) + floor_of(row) / cells


@device
def trend_of(row: Row, params: Params) -> tuple[int, float, float]:
    """The age of the oldest line with which the younger ones agree, its slope a cell, and that slope's standard error."""
    age = 0
    slope, error = np.float64(row.slope[0]), slope_error(row, 0, params)
    for older in range(1, AGES):
        other, its_error = np.float64(row.slope[older]), slope_error(row, older, params)
        if not abs(other - slope) <= AGREE * math.sqrt(error * error + its_error * its_error) or its_error > error:
            break
        age, slope, error = older, other, its_error
    return age, slope, error


@device
def floor_of(row: Row) -> float:
    """The least distance that can be one: rounding is no trend."""
    return 1e-6 * abs(np.float64(row.origin) + np.float64(row.level[0])) + 1e-12


@device
def share_of(slope: float, error: float, params: Params) -> float:
    """How much of a slope a forecast follows, 0 … 1. Never none: errors that a slope explains would else hide it for ever."""
    most = params.evident * error
    return slope * slope / (slope * slope + most * most + 1e-300) if error < math.inf else 0.0


@device
def ahead(row: Row, cells: int, params: Params) -> tuple[float, float]:
    """The forecast for the average of the cell that many cells ahead, from the origin, and the usual size of its error.

    A sawtooth that would leave its range will have been reset by then: it may be anywhere in it; unless its reset is overdue.
    """
    _, slope, error = trend_of(row, params)
    level = np.float64(row.level[0])
    usual = error_at(row, float(cells))
    followed = share_of(slope, error, params)
    point = level + followed * slope * cells
    lack = followed * error / GAUSS * max(cells - CELLS_DAY, 0)  # measured errors hold what a slope may lack within a day
    usual = math.sqrt(usual * usual + lack * lack)
    high, low = np.float64(row.high), np.float64(row.low)
    overdue = max(level - high, low - level) > 0.25 * (high - low)
    if row.resets >= SAWTOOTH and not overdue and (point > max(high, level) or point < min(low, level)):
        point = 0.5 * (high + low)
    return point + wave_at(row, last_cell(row) + cells), usual


# ------------------------------------------------------------------------------------------ closing a cell
@device
def begin(row: Row, level: float) -> None:
    """All lines begin here; what is known of waves and errors stays."""
    for age in range(AGES):
        row.level[age] = level
        row.slope[age] = 0.0
    row.low = level
    row.high = level
    row.seen = 1
    row.run = 1
    row.odd = 0
    row.armed = 0


@device
def check_forecasts(row: Row, cell: int, k: int, params: Params) -> None:
    """Learn the errors of the forecasts for this cell."""
    for h in range(AGES):
        span = HORIZONS[h]
        passed = cell // span - (cell - k) // span
        if passed == 1 and (row.armed >> h) & 1:
            prior = error_at(row, float(span))
            late = (cell % span) * np.float64(row.slope[0])
            error: float = abs(np.float64(row.average) - np.float64(row.pending[h]) - late)
            known = (cell - row.born - 2 * CELLS_DAY) // span  # what a wave cost that was not yet known soon counts no more
            if prior == 0.0:
                prior = error
            if known > 1:
                error = min(error, BOUND * prior + floor_of(row))
            rate = max(span / (params.error_days * CELLS_DAY + span), 3.0 / (max(known, 0) + 5.0))
            row.error[h] = tiny(prior + rate * (error - prior))
        if passed > 0:
            row.armed &= ~(1 << h)


@device
def arm_forecasts(row: Row, cell: int, k: int, params: Params) -> None:
    """At each full horizon the next forecast begins to wait."""
    for h in range(AGES):
        span = HORIZONS[h]
        if cell // span > (cell - k) // span:
            row.pending[h] = tiny(ahead(row, span - cell % span, params)[0])
            row.armed |= 1 << h


@device
def advance(row: Row, k: int) -> None:
    for age in range(AGES):
        row.level[age] = tiny(np.float64(row.level[age]) + k * np.float64(row.slope[age]))


@device
def step_over(row: Row, error: float) -> None:
    """A step: the youngest line begins anew there. The older ones move over only where the series has not been of late."""
    width = np.float64(row.high) - np.float64(row.low)
    landed = np.float64(row.level[0]) + error
    outside = max(landed - np.float64(row.high), np.float64(row.low) - landed)
    if error * np.float64(row.slope[0]) < 0.0 and abs(error) >= 0.3 * width:
        row.resets += np.float32(1.0)
        row.armed = 0  # that it would be reset nobody could say: the errors are those within a tooth
    row.level[0] = tiny(landed)
    row.slope[0] = 0.0
    if outside > 0.5 * width:
        for age in range(1, AGES):
            row.level[age] = tiny(np.float64(row.level[age]) + error)
    row.run = 1
    row.odd = 0


@device
def learn_lines(row: Row, k: int, error: float, limit: float, params: Params) -> float:
    """The lines follow a cell at `error` from the youngest, which stands at it already; returns the oldest line's error."""
    x = np.float64(row.level[0]) + error
    surprise = error
    for age in range(AGES):
        surprise = x - np.float64(row.level[age])
        if age > 0:
            usual = error_at(row, 36.0 if age == 1 else 144.0)
            if usual > 0.0:
                most = BOUND * GAUSS * usual + limit
                surprise = max(min(surprise, most), -most)
        rate = rate_of(row, age, params)
        rate = max(rate, k * rate / (1.0 + k * rate))
        row.level[age] = tiny(np.float64(row.level[age]) + rate * (2.0 - rate) * surprise)
        row.slope[age] = tiny(np.float64(row.slope[age]) + rate * rate / k * surprise)
    return surprise


@device
def follow_range(row: Row, k: int) -> None:
    """The range widens within a day, and narrows within a month."""
    level = np.float64(row.level[0])
    high, low = np.float64(row.high), np.float64(row.low)
    wide, narrow = k / (1.0 * CELLS_DAY + k), k / (30.0 * CELLS_DAY + k)
    row.high = tiny(high + (wide if level > high else narrow) * (level - high))
    row.low = tiny(low + (wide if level < low else narrow) * (level - low))


@device
def close_cell(row: Row, params: Params) -> None:
    """Score the forecasts for the open cell, then learn it."""
    cell, k = int(row.cell), int(row.gap)
    x = np.float64(row.average) - wave_at(row, cell)
    if row.seen == 0 or k > LOST_CELLS:
        if row.seen == 0:
            row.born = cell
        begin(row, tiny(x))
        return
    check_forecasts(row, cell, k, params)
    advance(row, k)
    error = x - np.float64(row.level[0])
    limit = STRANGE * (GAUSS * np.float64(row.unrest) + floor_of(row))
    strange = row.run >= SETTLED_CELLS and abs(error) > limit
    if strange and row.odd < ODD_CELLS:
        row.odd += 1
    elif strange:
        step_over(row, error)
    else:
        row.odd = 0
        bounded = max(min(error, limit), -limit) if row.run >= SETTLED_CELLS else error
        rate = max(k / (3.0 * CELLS_DAY + k), 1.0 / (row.seen + 1.0))
        surprise = learn_lines(row, k, bounded, limit, params)
        row.unrest = tiny(np.float64(row.unrest) + min(rate, 0.2) * (abs(bounded) - np.float64(row.unrest)))
        if k <= WAVE_GAP_MAX:
            learn_wave(row, cell, k, surprise)
        row.seen = min(row.seen + 1, 1_000_000_000)
        row.run = min(row.run + 1, 1_000_000_000)
    row.resets = tiny(np.float64(row.resets) * (1.0 - k / (14.0 * CELLS_DAY + k)))
    follow_range(row, k)
    # The lines stand at this cell now, whatever cell is opened next.
    row.gap = 0
    arm_forecasts(row, cell, k, params)


@device
def open_cell(row: Row, cell: int, value: float) -> None:
    row.gap = min(cell - row.cell, 30_000) if row.seen > 0 else 0
    row.cell = cell
    row.count = 1
    row.average = tiny(value - row.origin)


@kernel
def learn_forecasts(
    state: NDArray[np.void],
    place: NDArray[np.int64],
    ts_ns: NDArray[np.int64],
    value: NDArray[np.float64],
    params: Params,
    closed: NDArray[np.int8],
) -> None:
    """Learn each sample of the series in `place`, in order; `closed` (by place) becomes 1 where a cell was closed.

    Samples before their series' open cell, not finite or beyond 1e15 change nothing.
    """
    for i in range(place.shape[0]):
        row = state[place[i]]
        if not abs(value[i]) < VALUE_MAX:
            continue
        cell = ts_ns[i] // CELL_NS
        if row.count == 0:
            row.origin = value[i]
            open_cell(row, cell, value[i])
        elif cell > row.cell:
            close_cell(row, params)
            open_cell(row, cell, value[i])
            closed[place[i]] = 1
        elif cell == row.cell:
            row.count = min(row.count + 1, 30_000)
            row.average = tiny(np.float64(row.average) + (value[i] - row.origin - np.float64(row.average)) / row.count)


@kernel
def forecast(state: NDArray[np.void], place: NDArray[np.int64], cells: int, params: Params, out: NDArray[np.float64]) -> None:
    """Write into `out` (n, 3) what is expected that many cells ahead of each series' last closed cell: value, lower, upper end.

    Nine in ten averages of ten minutes lie between the ends; a sawtooth may be reset at any time, so its range does too. NaN while
    nothing was learned; the ends are NaN while no error is known.
    """
    for i in range(place.shape[0]):
        row = state[place[i]]
        out[i, 0] = np.nan
        out[i, 1] = np.nan
        out[i, 2] = np.nan
        if row.seen == 0:
            continue
        distance, usual = ahead(row, cells, params)
        point = row.origin + distance
        reach = NINETY * GAUSS * usual
        out[i, 0] = point
        if reach > 0.0:
            out[i, 1] = point - reach
            out[i, 2] = point + reach
        if reach > 0.0 and row.resets >= SAWTOOTH:
            base = row.origin + wave_at(row, last_cell(row) + cells)
            out[i, 1] = min(out[i, 1], base + row.low)
            out[i, 2] = max(out[i, 2], base + row.high)
