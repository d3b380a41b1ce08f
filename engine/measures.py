"""Which members of a document measure something, by their names, and their values as numbers.

    duration_ms, http.response.bytes, upstream_response_time, retryCount     measure
    status, user, order_id, port, level, ts                                  do not: labels, ids, times

What measures is a list of words, because what does not has no end: of an unknown name nothing is guessed, and a mapping may name it.
"""

from __future__ import annotations

import re
from typing import Any, Final

from detectors.line_numbers import NO_MEASURE, UNITS

VALUE_MAX: Final = 1e15
TEXT_CHARS_MAX: Final = 32
"""Longer texts are no numbers."""
_QUANTITIES: Final = (
    b"duration latency elapsed took delay lag age wait waited spent size length len count total sum amount ratio rate pct "
    b"usage used free available depth cost load memory mem cpu temperature failures errors hits misses kilobytes megabytes"
)
MEASURES: Final = frozenset((UNITS + b" " + _QUANTITIES).decode().split())
"""Words one of which stands in a name that measures, in its last part or in the one before."""
_NO_QUANTITIES: Final = b"level severity priority ts at name type lineno"
_NONE: Final = frozenset((NO_MEASURE + b" " + _NO_QUANTITIES).decode().split())
_BEFORE_TIME: Final = (
    b"response request elapsed processing process execution exec query run wait upstream connect service total load render queue "
    b"cpu gc pause lock db call"
)
_TIMED: Final = frozenset(_BEFORE_TIME.decode().split())
"""Words before `time` that make it a duration and no time of day."""
_WORD: Final = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])")
_PLAIN: Final = re.compile(r"-?[0-9]{1,18}(?:\.[0-9]{1,18})?")
_DURATION: Final = re.compile(r"(?:([0-9]{1,6})h)?(?:([0-9]{1,6})m(?!s))?(?:([0-9]{1,12}(?:\.[0-9]{1,12})?)(s|ms|us|µs|μs|ns))?")
_SECONDS: Final = {"s": 1.0, "ms": 1e-3, "us": 1e-6, "µs": 1e-6, "μs": 1e-6, "ns": 1e-9}


def measures(name: str) -> bool:
    """Whether the member with a dotted name measures something.

    >>> [measures(name) for name in ("duration_ms", "elapsedMs", "event.duration", "request_time", "status", "start_time", "rows.id")]
    [True, True, True, True, False, False, False]
    """
    parts = [[word.lower() for word in _WORD.findall(part)] for part in name.split(".")[-2:]]
    words = [word for part in parts for word in part]
    if not parts[-1] or not words:
        return False
    last = words[-1]
    if last == "time":
        return len(words) > 1 and words[-2] in _TIMED
    return last not in _NONE and not MEASURES.isdisjoint(words)


def number_of(value: Any, *, texts: bool) -> float | None:
    """A member's value as a number; None where it is none. Durations as Go writes them (1m2.5s, 350ms) are in seconds; other texts count with `texts` only."""
    if type(value) is int or type(value) is float:
        return float(value) if abs(value) < VALUE_MAX else None
    if type(value) is not str or not value.lstrip("-")[:1].isdecimal() or len(value) > TEXT_CHARS_MAX:
        return None
    return _of_text(value, texts=texts)


def _of_text(text: str, *, texts: bool) -> float | None:
    if _PLAIN.fullmatch(text) is not None:
        number = float(text)
        return number if texts and abs(number) < VALUE_MAX else None
    duration = _DURATION.fullmatch(text)
    if duration is None:
        return None
    hours, minutes, seconds, unit = duration.groups()
    whole = 3600.0 * int(hours or 0) + 60.0 * int(minutes or 0)
    return whole + (float(seconds) * _SECONDS[unit] if seconds else 0.0)
