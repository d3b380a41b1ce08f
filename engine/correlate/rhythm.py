"""When something comes that comes at its time: each day, or on one day of the week.

>>> monday = 1_772_431_200 * 1_000_000_000  # 06:00 UTC
>>> day = 86_400 * 1_000_000_000
>>> rhythm([monday, monday + day], monday + 2 * day)
'at about 06:00 UTC'
>>> rhythm([monday, monday + 7 * day], monday + 14 * day)
'on Mondays at about 06:00 UTC'
>>> rhythm([monday, monday + day], monday + 2 * day + day // 3)
''
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from engine.correlate.words import clock

NEAR_NS: Final = 20 * 60 * 1_000_000_000
"""How far from the same time of day a beginning may be."""
OFTEN: Final = 2
"""So many times it must have come on other days, at that time."""
_DAY_NS: Final = 86_400 * 1_000_000_000
_DAYS: Final = ("Thursdays", "Fridays", "Saturdays", "Sundays", "Mondays", "Tuesdays", "Wednesdays")
"""The first of January 1970 was a Thursday."""


def rhythm(former_ns: Sequence[int], now_ns: int) -> str:
    """When it comes, in words, if what begins now has begun at this time of other days before; else ""."""
    near = [began for began in former_ns if abs(now_ns - began) > _DAY_NS // 2 and _apart(began, now_ns) <= NEAR_NS]
    if len(near) < OFTEN:
        return ""
    days = {began // _DAY_NS % 7 for began in (*near, now_ns)}
    on = f"on {_DAYS[days.pop()]} " if len(days) == 1 else ""
    return f"{on}at about {clock(_to_five_minutes(near[-1]))[:5]} UTC"


def _apart(one_ns: int, other_ns: int) -> int:
    """Between two times of day, over midnight too."""
    apart = abs(one_ns - other_ns) % _DAY_NS
    return min(apart, _DAY_NS - apart)


def _to_five_minutes(ts_ns: int) -> int:
    step = 300 * 1_000_000_000
    return (ts_ns + step // 2) // step * step
