"""Time zones as tables, so that compiled loops know the hour that people's clocks show.

They are read from the package `tzdata`, whose version is locked with ours, never from the machine: a replay elsewhere must see the
same hours.

>>> [offset_ns // 3_600_000_000_000 for start_ns, offset_ns in spans("Europe/Berlin") if 1_767e15 < start_ns < 1_798e15]
[2, 1]
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import cache
from importlib.resources import files
from typing import Final
from zoneinfo import ZoneInfo

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_YEARS: Final = 130
_PROBE_SECONDS: Final = 43_200
"""Clocks never changed twice within so long since 1970."""
_SECOND_NS: Final = 1_000_000_000
_FIRST_NS: Final = -(2**63)


@cache
def names() -> frozenset[str]:
    """Every zone there is, by its IANA name."""
    return frozenset(files("tzdata").joinpath("zones").read_text("utf-8").split())


@cache
def spans(name: str) -> tuple[tuple[int, int], ...]:
    """The zone from 1970 to 2100: (from when, UTC; how far its clocks are ahead of UTC from then on), both in ns, ascending.

    The first and the last have no end. A quarter of a second for a zone whose clocks change; then remembered. Raises ValueError
    for a name that is none.
    """
    if name not in names():
        raise ValueError(f"{name!r} is no time zone")
    if name == "UTC":
        return ((_FIRST_NS, 0),)
    with files("tzdata").joinpath("zoneinfo", *name.split("/")).open("rb") as file:
        zone = ZoneInfo.from_file(file, key=name)
    before = _offset(zone, 0)
    found = [(_FIRST_NS, before * _SECOND_NS)]
    for second in range(_PROBE_SECONDS, _YEARS * 31_556_952, _PROBE_SECONDS):
        offset = _offset(zone, second)
        if offset != before:
            found.append((_change(zone, second - _PROBE_SECONDS, second) * _SECOND_NS, offset * _SECOND_NS))
            before = offset
    return tuple(found)


def _offset(zone: ZoneInfo, second: int) -> int:
    """Seconds that the zone's clocks are ahead of UTC."""
    offset = (_EPOCH + timedelta(seconds=second)).astimezone(zone).utcoffset()
    return 0 if offset is None else round(offset.total_seconds())


def _change(zone: ZoneInfo, low: int, high: int) -> int:
    """The first second of the offset at `high`, which is another than that at `low`."""
    after = _offset(zone, high)
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if _offset(zone, middle) == after else (middle, high)
    return high
