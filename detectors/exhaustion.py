"""When a quantity will be used up: the forecast of a series walked hour by hour to its bound, and how evident its trend is.

The bound is met early where the upper end of the forecast's interval (toward the bound) meets it, late where the lower end does.
A trend is *new* by what sets the young lines apart from the oldest one: growth that has always been is no news.
"""

from __future__ import annotations

import math
from typing import Final

import numpy as np
from numpy.typing import NDArray

from detectors.contract import Row
from detectors.forecast import (
    CELL_NS,
    CELLS_HOUR,
    GAUSS,
    NINETY,
    SAWTOOTH,
    Params,
    error_at,
    last_cell,
    slope_error,
    trend_of,
)
from detectors.kernel import device, kernel
from detectors.wave import CELLS_DAY, wave_at

HOURS_MAX: Final = 168
OUTLOOK: Final = np.dtype(
    [
        ("value", np.float64),  # level of the youngest line, the wave of the day left out
        ("usual", np.float64),  # where the oldest line would be
        ("reach", np.float64),  # half the width of nine in ten forecasts a day ahead
        ("slope", np.float64),  # an hour
        ("evident", np.float64),  # standard errors of the slope, positive toward the bound
        (
            "news",
            np.float64,
        ),  # standard errors that set the trend of a day apart from the oldest line's, positive toward the bound
        ("fresh", np.float64),  # the youngest slope as a share of that
        ("going", np.float64),  # the youngest slope as a share of `slope`
        ("beyond", np.float64),  # how far the level has left its range toward the bound, in widths of the range
        ("early", np.float64),  # hours to the bound: at the earliest
        ("middle", np.float64),  # by the forecast itself
        ("late", np.float64),  # at the latest; all three NaN when it is not met within a week
        ("lived", np.float64),  # hours since the first cell
        ("run", np.float64),  # and since the youngest line began anew, in hours of cells
        ("lasted", np.float64),  # hours since `since_ns`
        ("held", np.int64),  # 1 while the last cells lie far from the lines, which wait for what it is
        ("since_ns", np.int64),  # where the trend parts from the line before it
        ("age", np.int64),  # of the line that the slope is taken from
        ("sawtooth", np.int64),  # 1 when the series falls back again and again
    ],
    align=True,
)


@device
def walk(row: Row, bound: float, toward: float, trend: tuple[float, float], out: Row) -> None:
    """Hour by hour to the bound, along a trend of a slope and its standard error; all in distances from the origin."""
    slope, error = trend
    at = last_cell(row)
    for hour in range(HOURS_MAX + 1):
        cells = hour * CELLS_HOUR
        point = toward * (np.float64(row.level[0]) + slope * cells + wave_at(row, at + cells) - bound)
        wander, lack = GAUSS * error_at(row, float(cells)), error * cells
        reach = NINETY * math.sqrt(wander * wander + lack * lack) if hour > 0 else 0.0
        if math.isnan(out.early) and point + reach >= 0.0:
            out.early = hour
        if math.isnan(out.middle) and point >= 0.0:
            out.middle = hour
        if point - reach >= 0.0:
            out.late = hour
            return


@device
def parting(row: Row, slope: float, age: int) -> int:
    """When the present line and the oldest one were in one place, ns; never more than ten days ago, nor before the first cell."""
    at = last_cell(row)
    back: float = np.float64(row.run)
    apart = slope - np.float64(row.slope[2])
    if age < 2 and apart != 0.0:
        back = (np.float64(row.level[0]) - np.float64(row.level[2])) / apart
    back = min(max(back, 1.0), 10.0 * CELLS_DAY, float(at - row.born) + 1.0)
    return (at - int(back)) * CELL_NS


@device
def judge_one(row: Row, bound: float, toward: float, params: Params, out: Row) -> None:
    age, slope, error = trend_of(row, params)
    level = np.float64(row.level[0])
    if toward == 0.0:
        toward = 1.0 if slope > 0.0 else -1.0
    out.value = row.origin + level
    out.usual = row.origin + np.float64(row.level[2])
    out.reach = NINETY * GAUSS * error_at(row, float(CELLS_DAY))
    out.slope = slope * CELLS_HOUR
    out.evident = toward * slope / error
    out.going = np.float64(row.slope[0]) / slope if slope != 0.0 else 0.0
    day = np.float64(row.slope[1]) - np.float64(row.slope[2])
    its_error = slope_error(row, 1, params)
    out.news = toward * day / its_error
    out.fresh = (np.float64(row.slope[0]) - np.float64(row.slope[2])) / day if day != 0.0 else 0.0
    width = np.float64(row.high) - np.float64(row.low) + (0.0 if row.resets >= SAWTOOTH else out.reach)
    out.beyond = (level - np.float64(row.high) if toward > 0.0 else np.float64(row.low) - level) / max(width, 1e-30)
    out.early = np.nan
    out.middle = np.nan
    out.late = np.nan
    out.lived = (last_cell(row) - row.born) / CELLS_HOUR
    out.run = row.run / CELLS_HOUR
    out.held = 1 if row.odd > 0 else 0
    out.since_ns = parting(row, slope, age)
    out.lasted = (last_cell(row) - out.since_ns // CELL_NS) / CELLS_HOUR
    out.age = age
    out.sawtooth = 1 if row.resets >= SAWTOOTH else 0
    if not math.isnan(bound) and (out.evident > params.evident or toward * (level - (bound - row.origin)) >= 0.0):
        walk(row, bound - row.origin, toward, (slope, error), out)


@kernel
def judge(
    state: NDArray[np.void],
    place: NDArray[np.int64],
    bound: NDArray[np.float64],
    toward: NDArray[np.float64],
    params: Params,
    out: NDArray[np.void],
) -> None:
    """Write into `out` (n, OUTLOOK) what is ahead of each series in `place`, as of its last closed cell; it must have one.

    `bound` (n) is NaN where there is none; `toward` (n) is +1 where the series is used up by rising, -1 by falling, 0 either way.
    """
    for i in range(place.shape[0]):
        judge_one(state[place[i]], bound[i], toward[i], params, out[i])
