"""Timestamps as text or numbers → int64 nanoseconds UTC. Nothing is guessed: a number's unit is always said by the caller.

>>> rfc3339_ns("1970-01-01T00:00:01.5Z")
1500000000
>>> rfc3339_ns("2026-11-20 23:54:36 +0200")
1795211676000000000
>>> epoch_ns("1795218875.509123456", Unit.S)
1795218875509123456
"""

from __future__ import annotations

import re
from datetime import date
from enum import StrEnum

from engine.errors import DecodeError, Reject

EARLIEST_NS, LATEST_NS = -(2**63), 2**63 - 1
_EPOCH_DAY = date(1970, 1, 1).toordinal()
_MINUTE = re.compile(r"(\d{4})-(\d\d)-(\d\d)[Tt ](\d\d):(\d\d):", re.ASCII)
_TAIL = re.compile(r"(\d\d)(?:[.,](\d{1,9})\d*)?(?: ?([Zz]|UTC|GMT|[+-]\d\d(?::?\d\d)?))?", re.ASCII)
_DECIMAL = re.compile(r"(-?)(\d{1,19})(?:\.(\d{0,9})\d*)?", re.ASCII)
_MINUTES_MAX = 4096


class Unit(StrEnum):
    """The unit of a numeric timestamp."""

    S = "s"
    MS = "ms"
    US = "us"
    NS = "ns"


NANOSECONDS = {Unit.S: 1_000_000_000, Unit.MS: 1_000_000, Unit.US: 1_000, Unit.NS: 1}
_MICROSECONDS = {Unit.S: 1_000_000.0, Unit.MS: 1_000.0, Unit.US: 1.0, Unit.NS: 0.001}
_MAGNITUDES = ((10**11, Unit.S), (10**14, Unit.MS), (10**17, Unit.US))


class TimeReader:
    """Reads RFC 3339 text fast: the part down to the minute is remembered, as neighbours in a log share it."""

    def __init__(self, *, naive_is_utc: bool = False) -> None:
        self._naive_is_utc = naive_is_utc
        self._minutes: dict[str, int] = {}

    def rfc3339_ns(self, text: str) -> int:
        """Nanoseconds; more than nine fraction digits are cut. A space may stand for the T and before the offset.

        Raises DecodeError(BAD_TIME) for anything else, for a time without zone (unless naive is UTC), and beyond 64 bits.
        """
        head = text[:17]
        seconds = self._minutes.get(head)
        if seconds is None:
            seconds = self._remember(head)
        tail = text[17:]
        # Nearly every producer writes `SS.fffZ`; the pattern below is for all the rest.
        if len(tail) > 4 and tail[-1] == "Z" and tail[2] == "." and len(tail) <= 13 and tail.isascii():
            whole, fraction = tail[:2], tail[3:-1]
            if whole.isdigit() and fraction.isdigit() and whole < "60":
                nanoseconds = (seconds + int(whole)) * 1_000_000_000 + int(fraction) * 10 ** (9 - len(fraction))
                return _fitting(nanoseconds)
        return _fitting(seconds * 1_000_000_000 + self._tail_ns(tail))

    def _remember(self, head: str) -> int:
        match = _MINUTE.fullmatch(head)
        if match is None:
            raise DecodeError(Reject.BAD_TIME, "not an RFC 3339 time")
        year, month, day, hour, minute = (int(part) for part in match.groups())
        if hour > 23 or minute > 59:
            raise DecodeError(Reject.BAD_TIME, "no such time of day")
        try:
            days = date(year, month, day).toordinal() - _EPOCH_DAY
        except ValueError as error:
            raise DecodeError(Reject.BAD_TIME, "no such day") from error
        if len(self._minutes) >= _MINUTES_MAX:
            self._minutes.clear()
        self._minutes[head] = seconds = days * 86_400 + hour * 3600 + minute * 60
        return seconds

    def _tail_ns(self, tail: str) -> int:
        match = _TAIL.fullmatch(tail)
        if match is None or match[1] > "60":  # 60 is a leap second: the first of the next minute
            raise DecodeError(Reject.BAD_TIME, "not an RFC 3339 time")
        zone = match[3]
        if zone is None and not self._naive_is_utc:
            raise DecodeError(Reject.BAD_TIME, "a time without a zone")
        seconds = int(match[1]) - _offset_seconds(zone or "Z")
        return seconds * 1_000_000_000 + int((match[2] or "").ljust(9, "0"))


def _offset_seconds(zone: str) -> int:
    if zone[0] not in "+-":
        return 0
    digits = zone[1:].replace(":", "").ljust(4, "0")
    hours, minutes = int(digits[:2]), int(digits[2:])
    if hours > 23 or minutes > 59:
        raise DecodeError(Reject.BAD_TIME, "no such offset from UTC")
    return (hours * 3600 + minutes * 60) * (-1 if zone[0] == "-" else 1)


def _fitting(nanoseconds: int) -> int:
    if not EARLIEST_NS <= nanoseconds <= LATEST_NS:
        raise DecodeError(Reject.BAD_TIME, "beyond 64 bits of nanoseconds")
    return nanoseconds


def rfc3339_ns(text: str) -> int:
    """One timestamp; who reads many keeps a `TimeReader`. Raises DecodeError(BAD_TIME)."""
    return TimeReader().rfc3339_ns(text)


def epoch_ns(value: object, unit: Unit) -> int:
    """A number, or a decimal number as text, in a stated unit.

    Floats are good for microseconds and are rounded to them (1795218875.509123 s stands for …509123 µs, not for what binary
    fractions make of it); integers and text are exact. Raises DecodeError(BAD_TIME).
    """
    kind = type(value)
    if kind is int:
        return _fitting(value * NANOSECONDS[unit])  # type: ignore[operator]
    if kind is float:
        micros = value * _MICROSECONDS[unit]  # type: ignore[operator]
        if not -9.3e15 < micros < 9.3e15:  # also NaN
            raise DecodeError(Reject.BAD_TIME, "beyond 64 bits of nanoseconds")
        return _fitting(round(micros) * 1000)
    if isinstance(value, str) and (match := _DECIMAL.fullmatch(value)):
        scale = NANOSECONDS[unit]
        fraction = int((match[3] or "").ljust(9, "0")) * scale // 1_000_000_000
        nanoseconds = int(match[2]) * scale + fraction
        return _fitting(-nanoseconds if match[1] else nanoseconds)
    raise DecodeError(Reject.BAD_TIME, "not a number in the declared unit")


def unit_by_magnitude(value: float) -> Unit:
    """Seconds below 1e11, then milliseconds, microseconds, nanoseconds. For files only, where it is the contract; never for topics."""
    size = abs(value)
    return next((unit for limit, unit in _MAGNITUDES if size < limit), Unit.NS)
