"""Decimal numbers as JSON writes them, read where they lie in a buffer of bytes."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from detectors.kernel import device

MISSED: Final = -1
_DIGITS_MAX: Final = 18
_EXACT_MAX: Final = 2**53
_POWER_MAX: Final = 22


@device
def whole(buffer: NDArray[np.uint8], at: int, end: int) -> tuple[int, int]:
    """(the place after it, a whole number); MISSED for none, a leading zero or more than 18 digits."""
    negative = at < end and buffer[at] == 45
    if negative:
        at += 1
    begin = at
    value: Any = 0
    while at < end and 48 <= buffer[at] <= 57 and at - begin <= _DIGITS_MAX:
        value = value * 10 + np.int64(buffer[at] - 48)
        at += 1
    if at == begin or at - begin > _DIGITS_MAX or (buffer[begin] == 48 and at - begin > 1):
        return MISSED, 0
    return at, -value if negative else value


@device
def number(buffer: NDArray[np.uint8], at: int, end: int) -> tuple[int, float]:
    """(the place after it, a number); MISSED for none, NaN for one that one multiplication or division does not give exactly."""
    negative = at < end and buffer[at] == 45
    if negative:
        at += 1
    begin, power = at, 0
    mantissa: Any = 0
    while at < end and 48 <= buffer[at] <= 57:
        mantissa = mantissa * 10 + np.int64(buffer[at] - 48)
        at += 1
    digits = at - begin
    if digits == 0 or (buffer[begin] == 48 and digits > 1):
        return MISSED, 0.0
    if at < end and buffer[at] == 46:
        at += 1
        begin = at
        while at < end and 48 <= buffer[at] <= 57:
            mantissa = mantissa * 10 + np.int64(buffer[at] - 48)
            at += 1
        if at == begin:
            return MISSED, 0.0
        power = begin - at
        digits += at - begin
    if at < end and (buffer[at] == 101 or buffer[at] == 69):
        at += 1
        down = at < end and buffer[at] == 45
        if at < end and (buffer[at] == 45 or buffer[at] == 43):
            at += 1
        begin = at
        exponent: Any = 0
        while at < end and 48 <= buffer[at] <= 57:
            exponent = min(exponent * 10 + np.int64(buffer[at] - 48), 1_000_000)
            at += 1
        if at == begin:
            return MISSED, 0.0
        power += -exponent if down else exponent
    if negative and mantissa == 0:  # whether there is a negative zero is for the general reader to say
        return MISSED, 0.0
    if digits > _DIGITS_MAX or mantissa > _EXACT_MAX or power < -_POWER_MAX or power > _POWER_MAX:
        return at, np.nan
    scale = 1.0
    for _ in range(abs(power)):
        scale *= 10.0  # exact up to 10^22
    value = np.float64(mantissa) / scale if power < 0 else np.float64(mantissa) * scale
    return at, -value if negative else value
