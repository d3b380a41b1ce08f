"""Times as nearly every producer writes them, `2026-11-20T23:54:36.123456Z`, for many at once in one compiled pass.

Of other files only functions of `detectors` are called, whose sources name the folder of numba's cache (detectors/kernel.py).
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from detectors.kernel import device, kernel

BY_HAND: Final = -1
_SIZE_MIN, _SIZE_MAX = 20, 30
_FIRST_YEAR, _LAST_YEAR = 1970, 2261
"""Nanoseconds of these years fit into 64 bits."""
_NS: Final = 1_000_000_000


@device
def _digits(buffer: NDArray[np.uint8], at: int, size: int) -> int:
    """A number of so many digits; BY_HAND where something else stands."""
    value: Any = 0
    for k in range(at, at + size):
        if buffer[k] < 48 or buffer[k] > 57:
            return BY_HAND
        value = value * 10 + np.int64(buffer[k] - 48)
    return int(value)


@device
def _days(year: int, month: int, day: int) -> int:
    """Days since 1970-01-01; BY_HAND for one that there is not, and for a year that is not read here."""
    is_leap = year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)
    longest = 30 + (month + month // 8) % 2 if month != 2 else 28 + is_leap
    if not (_FIRST_YEAR <= year <= _LAST_YEAR and 1 <= month <= 12 and 1 <= day <= longest):
        return BY_HAND
    since_march = (month + 9) % 12
    years = year - (month <= 2)
    return 365 * years + years // 4 - years // 100 + years // 400 + (153 * since_march + 2) // 5 + day - 1 - 719_468


@device
def _time(buffer: NDArray[np.uint8], at: int, end: int) -> int:
    """Nanoseconds since 1970; BY_HAND for a time in any other form."""
    size = end - at
    if not _SIZE_MIN <= size <= _SIZE_MAX or size == _SIZE_MIN + 1 or buffer[end - 1] != 90:
        return BY_HAND
    if buffer[at + 4] != 45 or buffer[at + 7] != 45 or buffer[at + 10] not in (84, 116, 32):
        return BY_HAND
    if buffer[at + 13] != 58 or buffer[at + 16] != 58 or (size > _SIZE_MIN and buffer[at + 19] != 46):
        return BY_HAND
    days = _days(_digits(buffer, at, 4), _digits(buffer, at + 5, 2), _digits(buffer, at + 8, 2))
    hour, minute, second = _digits(buffer, at + 11, 2), _digits(buffer, at + 14, 2), _digits(buffer, at + 17, 2)
    digits = size - _SIZE_MIN - 1 if size > _SIZE_MIN else 0
    fraction = _digits(buffer, at + 20, digits)
    if days < 0 or not (0 <= hour <= 23 and 0 <= minute <= 59 and 0 <= second <= 59) or fraction < 0:
        return BY_HAND
    for _ in range(9 - digits):
        fraction *= 10
    return (days * 86_400 + hour * 3_600 + minute * 60 + second) * _NS + fraction


@kernel
def times(buffer: NDArray[np.uint8], start: NDArray[np.int64], end: NDArray[np.int64], ts_ns: NDArray[np.int64]) -> None:
    """Put the time that stands at each of these places; BY_HAND for one in another form."""
    for i in range(start.shape[0]):
        ts_ns[i] = _time(buffer, start[i], end[i])
