"""A daily profile in sixteen bits a slot: whole multiples of a unit that is a power of two.

A profile of 32-bit floats is the largest part of a series' state and needs no such precision: its slots are averages of noisy
samples, all of about one size. The unit is chosen so that the largest slot takes at least twelve bits; it grows when a value does
not fit and shrinks at midnight when all have become small. Code 0 is a slot that was never seen; 1, 2, … are 0, 1, … units and
-1, -2, … are as many below nothing.
"""

from __future__ import annotations

import math
from typing import Final

from detectors.contract import Row
from detectors.kernel import device

SLOTS: Final = 288
CODE_MAX: Final = 32_000.0
"""In units; what is larger takes a larger unit, …"""
CODE_FIRST: Final = 2_000.0
"""… and the first value gets so many."""
CODE_LOW: Final = 4_000.0
"""A profile whose largest slot is smaller gets a smaller unit."""
UNIT_MIN: Final = 1e-34


@device
def value_of(code: int, unit: float) -> float:
    return (code - 1) * unit if code > 0 else code * unit


@device
def code_of(value: float, unit: float) -> int:
    """The nearest code. `unit` 0: there was nothing but zeros yet."""
    if unit <= 0.0:
        return 1
    units = math.floor(value * (1.0 / unit) + 0.5)  # exactly `value / unit`, for that is a power of two, and not waited for
    return int(units) + 1 if units >= 0.0 else int(units)


@device
def change_unit(row: Row, unit: float) -> None:
    """Write all slots in another unit."""
    before = float(row.unit)
    for k in range(SLOTS):
        code = int(row.daily[k])
        if code != 0:
            row.daily[k] = code_of(value_of(code, before), unit)
    row.unit = unit


@device
def make_room(row: Row, value: float) -> None:
    """See that a value fits."""
    size = abs(value)
    unit = float(row.unit)
    if size <= CODE_MAX * unit:
        return
    if unit == 0.0:
        unit = 1.0
        while size < CODE_FIRST * unit and unit > UNIT_MIN:
            unit *= 0.5
    while size > 2.0 * CODE_FIRST * unit:
        unit *= 2.0
    change_unit(row, unit)


@device
def shrink(row: Row) -> None:
    """Take a smaller unit when all slots are small."""
    most = 0.0
    for k in range(SLOTS):
        most = max(most, abs(value_of(int(row.daily[k]), 1.0)))
    if most >= CODE_LOW:
        return
    if most == 0.0:  # the next value that is something chooses
        row.unit = 0.0
        return
    unit = float(row.unit)
    while most < CODE_LOW and unit > UNIT_MIN:
        most *= 2.0
        unit *= 0.5
    change_unit(row, unit)


@device
def read(row: Row, slot: int) -> float:
    """What a slot holds; 0 when it was never seen."""
    return value_of(int(row.daily[slot]), float(row.unit))


@device
def write(row: Row, slot: int, value: float) -> None:
    make_room(row, value)
    row.daily[slot] = code_of(value, float(row.unit))


@device
def lift(row: Row, by: float) -> None:
    """Add to every slot that was seen."""
    most = 0.0
    for k in range(SLOTS):
        if row.daily[k] != 0:
            most = max(most, abs(read(row, k) + by))
    make_room(row, most)
    unit = float(row.unit)
    for k in range(SLOTS):
        if row.daily[k] != 0:
            row.daily[k] = code_of(read(row, k) + by, unit)
