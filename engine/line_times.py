"""The time with which a log line begins, for lines of which nothing but Kafka says when they were written.

    2026-11-20 23:54:36,120 WARN  [worker-3] queue is long      Nov 20 23:54:36 web-07 sshd[2211]: …      [20/Nov/2026:23:54:36 +0200] "GET /
    I1120 23:54:36.120000   17 main.cc:31] …                    [Fri Nov 20 23:54:36 2026] [error] …       081120 235436 148 INFO dfs.DataNode: …

A time without a zone is one of the clocks of the source's zone; one without a year lies in the year that brings it nearest to the record's. Dates of which day
and month cannot be told apart (`03/04/2026`) are not read. A time counts only when a line may have been written then: up to a day before its record, and
up to five minutes after it; what lies elsewhere is a date that the line tells of.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from calendar import isleap
from datetime import UTC, date, datetime
from typing import Final

from engine.zones import spans

HEADER_CHARS: Final = 96
"""Characters of a line in which its time ends."""
BEFORE_NS: Final = 86_400_000_000_000
AFTER_NS: Final = 300_000_000_000
MINUTES_MAX: Final = 4096
"""Minutes that are remembered, as neighbours in a log share them; when full, all are forgotten."""
_SECOND_NS: Final = 1_000_000_000
_EPOCH_DAY: Final = date(1970, 1, 1).toordinal()
_NAMES: Final = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_MONTHS: Final = {name: number for number, name in enumerate(_NAMES, 1)}
_MONTH: Final = rf"(?P<month>{'|'.join(_MONTHS)})"
_CLOCK: Final = (
    r"(?P<minute>\d\d:?\d\d):?(?P<second>\d\d)(?:[.,](?P<fraction>\d{1,9})\d*)?(?: ?(?P<zone>Z|UTC|GMT|[+-]\d\d:?\d\d)(?![\w:]))?"
)
_WORDS: Final = r"(?:<\d{1,3}>(?:1 )?)?(?:[^\s\[]\S* +){0,4}?[\[(<]?"
_FORMS: Final = tuple(
    re.compile(_WORDS + form, re.ASCII)
    for form in (
        rf"(?P<year>\d{{4}})[-/.](?P<month>\d\d)[-/.](?P<day>\d\d)[T _]{_CLOCK}",
        rf"(?P<day>\d\d)/{_MONTH}/(?P<year>\d{{4}}):{_CLOCK}",
        rf"(?:(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun),? )?{_MONTH} {{1,2}}(?P<day>\d\d?) (?:(?P<year>\d{{4}}) )?{_CLOCK}(?: (?P<late_year>\d{{4}})(?!\d))?",
        rf"[DIWEF](?P<month>\d\d)(?P<day>\d\d) {_CLOCK}",
        rf"(?P<year>\d\d)(?P<month>\d\d)(?P<day>\d\d) {_CLOCK}(?= )",
    )
)
_AT_ONCE: Final = re.compile(r"(?P<year>\d{4})-(?P<month>\d\d)-(?P<day>\d\d)[T ]" + _CLOCK, re.ASCII)


class LineTimes:
    """Reads the times of the lines of one source, whose clocks are those of `zone`."""

    def __init__(self, zone: str) -> None:
        self._spans = spans(zone)
        self._starts = [start_ns for start_ns, _ in self._spans]
        self._minutes: dict[tuple[str | None, ...], int] = {}

    def read(self, line: bytes, record_ns: int) -> int:
        """When the line says that it was written, ns; the time of its record where it does not, or cannot have been."""
        head = line[:HEADER_CHARS].decode("ascii", "replace")
        found = _AT_ONCE.match(head) or next((match for form in _FORMS if (match := form.match(head))), None)
        if found is None:
            return record_ns
        parts = found.groupdict()
        try:
            ts_ns = self._time(parts, record_ns)
        except ValueError:  # no such day
            return record_ns
        return ts_ns if record_ns - BEFORE_NS <= ts_ns <= record_ns + AFTER_NS else record_ns

    def _time(self, parts: dict[str, str | None], record_ns: int) -> int:
        second, fraction, zone = int(parts["second"] or 0), parts["fraction"] or "", parts["zone"]
        within_ns = second * _SECOND_NS + int(fraction.ljust(9, "0"))
        minute = (parts["minute"] or "").replace(":", "")
        year = parts.get("year") or parts.get("late_year")
        if year is None:
            now = datetime.fromtimestamp(record_ns // _SECOND_NS, UTC).year
            is_leap_day = parts["day"] == "29" and parts["month"] in ("Feb", "02")
            years = [str(one) for one in (now - 1, now, now + 1) if isleap(one) or not is_leap_day]
            times = [self._placed((one, parts["month"], parts["day"], minute), zone, record_ns) for one in years]
            return min(times, key=lambda ts_ns: abs(ts_ns + within_ns - record_ns)) + within_ns
        return self._placed((year, parts["month"], parts["day"], minute), zone, record_ns) + within_ns

    def _placed(self, civil: tuple[str | None, ...], zone: str | None, record_ns: int) -> int:
        """UTC of a minute of the clocks. Raises ValueError for a day that there is not."""
        civil_ns = self._minutes.get(civil)
        if civil_ns is None:
            civil_ns = _civil_ns(civil)
            if len(self._minutes) >= MINUTES_MAX:
                self._minutes.clear()
            self._minutes[civil] = civil_ns
        return civil_ns - _offset_ns(zone) if zone else self._of_clocks(civil_ns, record_ns)

    def _of_clocks(self, civil_ns: int, record_ns: int) -> int:
        """UTC of a time of the source's clocks; of an hour that comes twice the one nearer to the record."""
        at = bisect_right(self._starts, civil_ns)
        times = {civil_ns - offset_ns for _, offset_ns in self._spans[max(at - 2, 0) : at + 1]}
        true = [ts_ns for ts_ns in times if ts_ns + self._spans[bisect_right(self._starts, ts_ns) - 1][1] == civil_ns]
        return min(true or times, key=lambda ts_ns: (abs(ts_ns - record_ns), ts_ns))


def _civil_ns(civil: tuple[str | None, ...]) -> int:
    year, month, day, minute = (part or "" for part in civil)
    number = _MONTHS.get(month) or int(month)
    hours, minutes = int(minute[:2]), int(minute[2:])
    if hours > 23 or minutes > 59:
        raise ValueError("no such time of day")
    days = date(int(year) + (2000 if len(year) == 2 else 0), number, int(day)).toordinal() - _EPOCH_DAY
    return (days * 1440 + hours * 60 + minutes) * 60 * _SECOND_NS


def _offset_ns(zone: str) -> int:
    """How far the clocks of a written zone are ahead of UTC."""
    if zone[0] not in "+-":
        return 0
    minutes = int(zone[1:3]) * 60 + int(zone[-2:])
    return (-minutes if zone[0] == "-" else minutes) * 60 * _SECOND_NS
