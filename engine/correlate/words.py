"""Words for people: sizes, times and movements. Everything here is for reading, nothing is parsed again."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import lru_cache

_NS = 1_000_000_000
_TEXT_MAX = 80
_MANY = 1_000


def moved(direction: int, value: float | None, expected: float | None) -> str:
    """How a value moved: `up 4.2x`, `down to 12 %`, `changed`.

    >>> moved(1, 84.0, 20.0), moved(-1, 2.0, 20.0), moved(0, None, None)
    ('up 4.2x', 'down to 10 %', 'changed')
    """
    word = {1: "up", -1: "down"}.get(direction, "changed")
    if value is None or expected is None or expected <= 0 or value < 0:
        return word
    if direction > 0 and value >= 1.05 * expected:
        ratio = value / expected
        return f"up {ratio:.1f}x" if ratio < 100 else f"up {ratio:.0f}x"
    if direction < 0 and value <= 0.95 * expected:
        return f"down to {100 * value / expected:.0f} %"
    return word


def clean(text: str) -> str:
    """Text from outside, on one line, without control characters, cut to a readable length."""
    flat = " ".join("".join(c if c.isprintable() else " " for c in text).split())
    return flat if len(flat) <= _TEXT_MAX else flat[: _TEXT_MAX - 1] + "…"


def clock(ts_ns: int) -> str:
    """Time of day in UTC: `14:03:05`."""
    return _clock(ts_ns // _NS)


@lru_cache(maxsize=4_096)
def _clock(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%H:%M:%S")


def when(ts_ns: int) -> str:
    """A moment in UTC, to the minute: `2026-03-05 14:03 UTC`.

    >>> when(1_772_719_380_000_000_000)
    '2026-03-05 14:03 UTC'
    """
    try:
        return datetime.fromtimestamp(ts_ns // _NS, UTC).strftime("%Y-%m-%d %H:%M UTC")
    except (OverflowError, ValueError, OSError):
        return "a time out of range"


def number(value: float) -> str:
    """A number with as many digits as a person reads.

    >>> number(0.012345), number(1234567.0), number(42.0)
    ('0.0123', '1.23e+06', '42')
    """
    return f"{value:.3g}"


def deviations(count: float, digits: int = 0) -> str:
    """How many usual deviations something is off. Of what hardly ever moved more than a thousand says nothing more.

    >>> deviations(-137.2), deviations(1.23, 1), deviations(3.7e12)
    ('137 usual deviations', '1.2 usual deviations', 'more than 1,000 usual deviations')
    """
    many = abs(count)
    return f"more than {_MANY:,} usual deviations" if many > _MANY else f"{many:.{digits}f} usual deviations"


def span(seconds: float) -> str:
    """A length of time for people.

    >>> span(45), span(420), span(9000)
    ('45 s', '7 min', '2.5 h')
    """
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
