"""Raw syslog, RFC 5424 and RFC 3164: one message a record, as relays and rsyslog's raw templates put it on Kafka.

A message becomes a document, which the source's `mapping` then reads as any other:

    {"timestamp": ns, "severity": 0-7, "facility": "auth", "host": …, "app": …, "procid": …, "msgid": …, "message": …,
     "structured_data": {"id": {"name": "value"}}}

What a mapping leaves unsaid is said here, so that none is needed. Of RFC 3164 everything may be missing: text without its
header is a message at the record's own time. Its times have neither year nor zone. The year is the one that lies nearest to the record's
own time, the zone is the source's `timezone`, else UTC; of an hour that clocks show twice the one nearer to the record.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from connectors.codecs.json_mapping import JsonCodec
from connectors.codecs.json_paths import Document
from engine.config.tree import Mapping, Source
from engine.errors import DecodeError, Reject
from engine.records import Record
from engine.times import TimeReader
from engine.zones import spans

ELEMENTS_MAX: Final = 32
"""Elements of structured data, and parameters of each."""
_FACILITIES: Final = (
    *("kern", "user", "mail", "daemon", "auth", "syslog", "lpr", "news", "uucp", "cron", "authpriv", "ftp"),
    *("ntp", "audit", "alert", "clock", "local0", "local1", "local2", "local3", "local4", "local5", "local6", "local7"),
)
_MONTHS: Final = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_PRIORITY: Final = re.compile(r"<(\d{1,3})>", re.ASCII)
_HEADER: Final = re.compile(r"1 (\S{1,64}) (\S{1,255}) (\S{1,255}) (\S{1,255}) (\S{1,255})(?: |$)", re.ASCII)
_DATE: Final = re.compile(
    r"(Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec) ([ \d]?\d)(?: (\d{4}))? (\d\d):(\d\d):(\d\d)(?:\.(\d{1,9}))?:? ", re.ASCII
)
_ISO_DATE: Final = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\S{0,20}) ", re.ASCII)
_HOST: Final = re.compile(r"([^\s:\[\]]{1,255}|\[?[0-9a-fA-F]{0,4}:[0-9a-fA-F]{0,4}:[0-9a-fA-F:.]{0,40}\]?) (?=\S)")
_TAG: Final = re.compile(r"([^\s:\[\]]{1,64})(?:\[([^\]\s]{0,64})\]:?|:)(?: |$)")
_ELEMENT: Final = re.compile(r'\[([^ =\]"]{1,64})((?: [^ =\]"]{1,64}="(?:[^"\\]|\\.)*")*) ?\]', re.DOTALL)
_PARAMETER: Final = re.compile(r' ([^ =\]"]{1,64})="((?:[^"\\]|\\.)*)"', re.DOTALL)
_ESCAPED: Final = re.compile(r'\\(["\\\]])')
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_SECOND_NS: Final = 1_000_000_000
_LABELS: Final = {"service": "app | host", "host": "host"}


class SyslogCodec(JsonCodec):
    """Stateless but for caches."""

    def __init__(self, source: Source) -> None:
        said = source.mapping
        given = {name: getattr(said, name) for name in said.model_fields_set}
        defaults = {"message": "message", "severity": "severity", "severity_scale": "syslog", "labels": _LABELS}
        mapping = Mapping.model_validate({"time": "timestamp", "time_unit": "ns"} | defaults | given)
        super().__init__(source.model_copy(update={"mapping": mapping}))
        self._spans = spans(source.timezone or "UTC")
        self._times = TimeReader()

    def _parse(self, record: Record) -> Any:
        text = (record.value or b"").decode("utf-8", "replace").lstrip("\ufeff").rstrip()
        if not text:
            raise DecodeError(Reject.EMPTY, "no text")
        document: Document = {}
        match = _PRIORITY.match(text)
        if match is not None and int(match[1]) < 192:
            priority = int(match[1])
            document["facility"], document["severity"] = _FACILITIES[priority >> 3], priority & 7
            text = text[match.end() :]
        header = _HEADER.match(text) if match is not None else None
        if header is None:
            self._read_old(text, record.ts_ns, document)
        else:
            self._read_new(text, header, record.ts_ns, document)
        return document

    # ------------------------------------------------------------------------------------------ RFC 5424
    def _read_new(self, text: str, header: re.Match[str], record_ns: int, document: Document) -> None:
        time = header[1]
        document["timestamp"] = record_ns if time == "-" else self._times.rfc3339_ns(time)
        for name, value in zip(("host", "app", "procid", "msgid"), header.groups()[1:], strict=True):
            if value != "-":
                document[name] = value
        document["structured_data"], end = _structured(text, header.end())
        document["message"] = text[end:]

    # ------------------------------------------------------------------------------------------ RFC 3164
    def _read_old(self, text: str, record_ns: int, document: Document) -> None:
        document["timestamp"], start = self._old_time(text, record_ns)
        if not start and "severity" not in document:  # neither a time nor a priority: text, not syslog
            document["message"] = text
            return
        if start:
            host = _HOST.match(text, start)
            if host is not None:
                document["host"], start = host[1].strip("[]"), host.end()
        tag = _TAG.match(text, start)
        if tag is not None:
            document["app"], start = tag[1], tag.end()
            if tag[2]:
                document["procid"] = tag[2]
        document["message"] = text[start:]

    def _old_time(self, text: str, record_ns: int) -> tuple[int, int]:
        """The time at the beginning and where it ends; the record's own and 0 when there is none."""
        match = _DATE.match(text)
        if match is not None:
            return self._resolved(match, record_ns), match.end()
        match = _ISO_DATE.match(text)
        if match is not None:
            return self._times.rfc3339_ns(match[1]), match.end()
        return record_ns, 0

    def _resolved(self, match: re.Match[str], record_ns: int) -> int:
        month, day, year, hour, minute, second, fraction = match.groups()
        if record_ns <= 0 and year is None:
            raise DecodeError(Reject.BAD_TIME, "a time without a year, in a record without a time")
        around = (_EPOCH + timedelta(seconds=record_ns // _SECOND_NS)).year
        years = (int(year),) if year else (around, around - 1, around + 1)
        tail = int((fraction or "").ljust(9, "0"))
        clock = int(hour) * 3600 + int(minute) * 60 + int(second)
        if int(hour) > 23 or int(minute) > 59 or int(second) > 60:
            raise DecodeError(Reject.BAD_TIME, "no such time of day")
        found = []
        for candidate in years:
            try:
                midnight = (datetime(candidate, _MONTHS.index(month) + 1, int(day), tzinfo=UTC) - _EPOCH) // timedelta(seconds=1)
            except ValueError:
                continue  # the 29th of February of another year, or no day at all
            found += [ts_ns + tail for ts_ns in self._instants((midnight + clock) * _SECOND_NS)]
        found = [ts_ns for ts_ns in found if abs(ts_ns) < 2**63]
        if not found:
            raise DecodeError(Reject.BAD_TIME, "no such day")
        return min(found, key=lambda ts_ns: abs(ts_ns - record_ns))

    def _instants(self, local_ns: int) -> list[int]:
        """When the zone's clocks show a time: once, twice, or, where they leap over it, as they went before the leap."""
        starts = [start for start, _ in self._spans]
        near = bisect_right(starts, local_ns)
        offsets = [offset for _, offset in self._spans[max(0, near - 2) : near + 1]]
        found = [local_ns - offset for offset in dict.fromkeys(offsets)]
        real = [ts_ns for ts_ns in found if local_ns - ts_ns == self._spans[bisect_right(starts, ts_ns) - 1][1]]
        return real or found[:1]


def _structured(text: str, start: int) -> tuple[dict[str, dict[str, str]], int]:
    """The elements of structured data and where the message begins. What is not well formed is part of the message."""
    if text[start : start + 1] == "-":
        return {}, start + 1
    elements: dict[str, dict[str, str]] = {}
    while len(elements) < ELEMENTS_MAX:
        match = _ELEMENT.match(text, start)
        if match is None:
            break
        found = elements.setdefault(match[1], {})
        for parameter in _PARAMETER.finditer(match[2]):
            if len(found) < ELEMENTS_MAX:
                found[parameter[1]] = _ESCAPED.sub(r"\1", parameter[2])
        start = match.end()
    return elements, start
