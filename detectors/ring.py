"""The last 1,024 bins of a series in sixteen bits each: means over five minutes, relative to a slow centre.

They are whole multiples of a unit that is a power of two, as in `profile`: half the bytes of 32-bit floats, and their products are whole
numbers, which a processor adds many at a time in any order with the same result. A bin lies in the slot of its time, counted in bins.

Rows have the fields ring, unit, open_bin (event time in bins; what is not yet closed is not in the ring).
"""

from __future__ import annotations

import math
from typing import Final

import numpy as np

from detectors.contract import Row
from detectors.kernel import device

BINS: Final = 1024
VOTES: Final = 3
BIN_NS: Final = 300_000_000_000
UNITS_MAX: Final = 32_000.0
"""A distance in the ring; what is larger takes a larger unit, …"""
UNITS_FIRST: Final = 8_000.0
"""… of which it is so many at most."""
UNIT_MIN: Final = 2.0**-100


@device
def tiny_as_zero(x: float) -> float:
    """Small magnitudes are zero: denormals are slow, and a square of them is one."""
    return x if abs(x) >= 1e-18 else 0.0


@device
def bin_of(step: float) -> int:
    """The nanoseconds of a bin: whole five minutes, of which no sample takes noticeably more than one bin."""
    return BIN_NS * max(math.ceil(step / 300.0 - 0.05), 1)


@device
def empty(row: Row) -> None:
    for i in range(BINS):
        row.ring[i] = 0
    row.unit = 0.0


@device
def pass_over(row: Row, first: int, end: int) -> None:
    """Nothing was heard in the bins `first` … `end` - 1, which are fewer than the ring holds."""
    for silent in range(first, end):
        row.ring[silent % BINS] = 0


@device
def heard_at(row: Row, place: int) -> float:
    """The ring at a time in bins; 0 what it does not hold."""
    if place >= row.open_bin or place < row.open_bin - BINS:
        return 0.0
    held: float = row.unit * row.ring[place % BINS]
    return held


@device
def rescale(row: Row, unit: float) -> None:
    """Write the ring in another unit."""
    for i in range(BINS):
        row.ring[i] = math.floor(row.ring[i] * row.unit / unit + 0.5)
    row.unit = unit


@device
def keep(row: Row, x: float) -> None:
    """Write the open bin; what does not fit takes a larger unit."""
    size = abs(x)
    if size > UNITS_MAX * row.unit:
        unit = row.unit if row.unit > 0.0 else UNIT_MIN
        while size > UNITS_FIRST * unit:
            unit *= 2.0
        rescale(row, unit)
    row.ring[row.open_bin % BINS] = math.floor(x / row.unit + 0.5) if row.unit > 0.0 else 0


@device
def shrink(row: Row) -> None:
    """Take a smaller unit when everything in the ring is small."""
    most = 0
    for i in range(BINS):
        most = max(most, abs(int(row.ring[i])))
    if most == 0:
        row.unit = 0.0
        return
    unit = row.unit
    while 2 * most <= UNITS_FIRST and unit > UNIT_MIN:
        most *= 2
        unit *= 0.5
    if unit < row.unit:
        rescale(row, unit)


@device
def past(row: Row, place: int, back: float) -> float:
    """The ring `back` bins before the middle of a bin: linear between two, and one alone where the other was not heard."""
    ago = math.ceil(back)
    part = ago - back
    first = heard_at(row, place - ago)
    second = heard_at(row, place - ago + 1)
    if first == 0.0:
        return second
    if second == 0.0:
        return first
    return first + part * (second - first)


@device
def middle(a: float, b: float, c: float) -> float:
    """The median of those that are not 0; the mean of two; 0 of none."""
    known = int(a != 0.0) + int(b != 0.0) + int(c != 0.0)
    if known == VOTES:
        return max(min(a, b), min(max(a, b), c))
    return (a + b + c) / max(known, 1)


@device
def correlated(row: Row, first: int, other: int, count: int) -> tuple[int, int, int]:
    """The sums of products, of squares and of the others' squares over `count` slots from `first` and from `other`: whole numbers, any order.

    Of two slices, whose places a processor need not look at one by one: a sixth of the time.
    """
    both = 0
    one = 0
    two = 0
    some, others = row.ring[first : first + count], row.ring[other : other + count]
    for k in range(some.shape[0]):
        x = np.int32(some[k])
        y = np.int32(others[k])
        both += int(x * y)
        one += int(x * x)
        two += int(y * y)
    return both, one, two


@device
def autocorrelation(row: Row, lag: int) -> float:
    """Of the whole ring, whose newest bin is the open one. What was not heard counts as the centre."""
    oldest = (row.open_bin + 1) % BINS
    last = max(oldest, BINS - lag)  # from here on the later one of a pair lies at the beginning of the ring
    a = correlated(row, oldest, oldest + lag, max(BINS - lag - oldest, 0))
    b = correlated(row, last, last + lag - BINS, max(min(BINS, BINS - lag + oldest) - last, 0))
    c = correlated(row, 0, lag, max(oldest - lag, 0))
    squares = float(a[1] + b[1] + c[1]) * float(a[2] + b[2] + c[2])
    return (a[0] + b[0] + c[0]) / math.sqrt(squares) if squares > 0.0 else 0.0


def shift(row: np.void, before: np.void, by: float) -> None:
    """Make `row` a copy of the ring of `before` in which what the two rings hold differently is lower by so much."""
    learned, kept = row["ring"] * float(row["unit"]), before["ring"] * float(before["unit"])
    since = np.abs(learned - kept) > 0.5 * (float(row["unit"]) + float(before["unit"]))
    since |= np.roll(since, -1)  # the bin before: while the first one came both had the same centre
    moved = np.where(since, kept - by, kept)
    unit = max(float(row["unit"]), UNIT_MIN)
    while float(np.abs(moved).max()) > UNITS_MAX * unit:
        unit *= 2.0
    row["ring"] = np.floor(moved / unit + 0.5)
    row["unit"] = unit
