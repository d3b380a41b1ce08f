"""When an alarm starts: what is new to the series itself, told once.

A score says how surprising a sample is, against one scale for all series. A person wants fewer things: what this series does
each day is no news, however surprising each single time. Nine witnesses that forget nothing look at the value for that:

    ever     how often a value like this was seen (places.py)
    quarter  the same in this quarter of the day: low at noon is news where low at night is none
    hour     and in this hour
    lately   and the average of the last six samples in this hour
    record   how far beyond everything seen, as a part of the range
    gap      how far from the nearest value known, as a part of the range: between two levels is news too (density.py)
    slow     how rare the average of the last 48 samples is: a level that moves, where no single sample is strange
    quiet    how much less than usual the value changes: what stands still
    shape    how far the last 24 samples are from all shapes known (shapes.py); counts half

Each becomes decades by its rank among all that it said before (ranks.py), and the sum of all, each held at two and a half, is the
news: half of them have to agree. An old series is asked for somewhat more of it than a young one. An alarm starts where the news is
greater than that of any alarm within the last hundred samples that were some news at all. So that a fault's second half is not ranked
below its first, nothing of this touches the score. What was tried: docs/decisions/0010.
"""

from __future__ import annotations

from typing import Annotated, Final, NamedTuple

import numpy as np
from annotated_types import Gt
from numpy.typing import NDArray

from detectors import density, places, ranks, shapes
from detectors.contract import VALUE_MAX, Row
from detectors.kernel import device, kernel
from detectors.portable import ln, log10

WITNESSES: Final = 9
STATE: Final = np.dtype(
    [
        ("seen", np.int64),
        ("last", np.float64),  # the sample before
        ("lowest", np.float64),
        ("highest", np.float64),
        ("lately", np.float64),  # the average of the last six samples
        ("slow", np.float64),  # and of many
        ("moves", np.float64),  # mean absolute change of the last samples
        ("usual", np.float64),  # and of many
        ("newest", np.float64),  # the news of the last alarm
        ("since", np.int64),  # samples with any news since then
        ("ranks", ranks.STATE, WITNESSES),
        ("places", places.STATE),
        ("averages", places.STATE),
        ("values", density.STATE),
        ("levels", density.STATE),
        ("shapes", shapes.STATE),
    ],
    align=True,
)
WARM: Final = 150
"""Samples before anything is news."""
SPANNED: Final = 20
"""Samples before the range means anything."""
CLIP: Final = 2.5
"""Decades that one witness may give in full."""
BEYOND: Final = 0.05
"""What counts of all the others, so that the greater of two clear news is the greater."""
LATELY: Final = 6.0
"""Samples that one hour is judged by together."""
SLOW: Final = 48.0
"""Samples that a level is the average of."""
MOVES: Final = 12.0
"""Samples over which the value is said to change little, and over which it usually does."""
USUAL: Final = 300.0
STILL: Final = 1e-4
"""A change that is so small a part of the range is none."""
AGE: Final = 3000.0
"""Samples after which news counts as it is."""
ASKED: Final = 0.075
"""What a history ten times as long asks more of the news: a rank among few is never far, and the longer one looks the more there is to see."""


class Params(NamedTuple):
    """When an alarm starts."""

    news: Annotated[float, Gt(0)] = 11.5
    """Decades of news that make an alarm's score 1.0; chosen on NAB's development files."""
    quiet_samples: Annotated[int, Gt(0)] = 100
    """For so many samples only greater news start another; a sample that is no news at all does not count."""


@device
def recorded(row: Row, value: float) -> float:
    """Widen the range; how far the value was beyond it, as a part of it."""
    if row.seen == 0:
        row.lowest, row.highest = value, value
        return 0.0
    span = row.highest - row.lowest
    beyond = max(value - row.highest, row.lowest - value, 0.0)
    row.lowest = min(row.lowest, value)
    row.highest = max(row.highest, value)
    return beyond / span if row.seen > SPANNED and span > 0.0 else 0.0


@device
def stilled(row: Row, value: float) -> float:
    """Learn a change; -ln of how much the value moves of late, as a part of what it usually does. 0 when it moves more."""
    if row.seen == 0:
        row.last = value
        return 0.0
    change = abs(value - row.last)
    row.last = value
    row.moves += max(1.0 / MOVES, 1.0 / row.seen) * (change - row.moves)
    least = STILL * (row.highest - row.lowest)
    quiet = 0.0
    if row.seen > 3.0 * MOVES and least > 0.0:
        quiet = max(-ln((row.moves + least) / (row.usual + least)), 0.0)
    row.usual += max(1.0 / USUAL, 1.0 / row.seen) * (change - row.usual)
    return quiet


@device
def averaged(row: Row, value: float) -> None:
    row.lately += max(1.0 / LATELY, 1.0 / (row.seen + 1.0)) * (value - row.lately)
    row.slow += max(1.0 / SLOW, 1.0 / (row.seen + 1.0)) * (value - row.slow)


@device
def said(row: Row, witness: int, surprise: float) -> float:
    """Decades of one witness, as they count."""
    decades = ranks.decades_of(row.ranks[witness], surprise, row.seen)
    return min(decades, CLIP) + BEYOND * max(decades - CLIP, 0.0)


@device
def news_of_places(row: Row, hour: int, value: float) -> float:
    """What the four say that know where the series has been."""
    place = places.bin_of(row.places, value)
    average = places.bin_of(row.averages, row.lately)
    news = said(row, 0, places.rareness(row.places, places.EVER, place))
    news += said(row, 1, places.rareness(row.places, places.QUARTERS + hour // places.QUARTER, place))
    news += said(row, 2, places.rareness(row.places, hour, place))
    news += said(row, 3, places.rareness(row.averages, hour, average))
    places.remember(row.places, hour, place)
    places.remember(row.averages, hour, average)
    return news


@device
def news_of(row: Row, hour: int, value: float) -> float:
    """The news in a sample, in decades as a history of usual age would give them; learns it."""
    averaged(row, value)
    news = news_of_places(row, hour, value)
    news += said(row, 4, recorded(row, value))
    gap = density.gap(row.values, value)
    news += said(row, 5, gap if row.seen > SPANNED else 0.0)
    news += said(row, 6, density.rarity(row.levels, row.slow))
    news += said(row, 7, stilled(row, value))
    news += 0.5 * said(row, 8, shapes.newness(row.shapes, max(row.highest - row.lowest, 1e-9), value))
    row.seen += 1
    return news / (1.0 + ASKED * log10(row.seen / AGE)) if row.seen > WARM else 0.0


@device
def starts(row: Row, news: float, params: Params) -> bool:
    """Whether news is greater than what was told of late, and is told."""
    row.since += 1
    if news <= row.newest and row.since <= params.quiet_samples:
        return False
    row.newest = news
    row.since = 0
    return True


@kernel
def alarms(
    state: NDArray[np.void], ts_ns: NDArray[np.int64], value: NDArray[np.float64], params: Params, out: NDArray[np.float64]
) -> None:
    """Write the alarm's score where one may start (1.0: it does), else 0. `ts_ns` and `value` (n,) are one series' samples, in order.

    A value that is not finite or huge starts nothing and teaches nothing. Bytes that are all zero are an empty `state`.
    """
    row = state[0]
    for i in range(value.shape[0]):
        out[i] = 0.0
        if not abs(value[i]) < VALUE_MAX:
            continue
        news = news_of(row, ts_ns[i] // places.HOUR_NS % places.HOURS, value[i])
        if news > 0.0 and starts(row, news, params):
            out[i] = news / params.news


@kernel
def worst(score: NDArray[np.float64], params: Params, out: NDArray[np.float64]) -> None:
    """The same where there is no one value to look at, an entity's: what is told is the score, where it is greater than any of late."""
    newest = -1.0
    since = 0
    for i in range(score.shape[0]):
        out[i] = 0.0
        since += 1
        if score[i] >= 0.0 and (score[i] > newest or since > params.quiet_samples):
            out[i] = score[i]
            newest = score[i]
            since = 0
