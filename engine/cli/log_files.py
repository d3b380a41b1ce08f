"""What is mined of a line of a log file: its message, without the header, or out of its JSON or logfmt.

    2015-10-18 18:01:47,978 INFO [main] org.apache.hadoop.mapreduce.Job: map 10 %     ─▶  map 10 %
    {"ts":1,"level":"info","msg":"user 7 logged in"}                                  ─▶  user 7 logged in

Nothing here belongs to one program's log: a header is a time near the beginning of a line and what loggers write after it (numbers of processes and
threads, a level, one part in brackets, who speaks). A line that has none of this is its own message.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

import orjson

# ------------------------------------------------------------------------------------------------------ headers
HEADER_BYTES_MAX: Final = 384
"""Bytes of a line that a header may take."""
HEADERS_LOOKED_FOR: Final = 64
"""Lines of a file by which it is decided whether its lines have headers: looking for one takes longer than mining a line."""
_CLOCK: Final = rb"\d{1,2}:\d{1,2}:\d{1,2}(?:[.,:]\d+)?(?:Z|[+-]\d\d:?\d\d)?"
_DATE: Final = rb"\d{4}[-/.]\d\d?[-/.]\d\d?"
_MONTH: Final = rb"(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)"
_WEEKDAY: Final = rb"(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun)"
_TIMES: Final = (
    _DATE + rb"[T _-]" + _CLOCK,
    rb"\d{4}-\d\d-\d\d-\d\d\.\d\d\.\d\d\.\d+",
    rb"(?:\d\d[-/.]){1,2}\d\d " + _CLOCK,
    rb"[DIWEF]?\d{4} " + _CLOCK,
    rb"\d{8}-" + _CLOCK,
    rb"\d{6} \d{6}(?= )",
    rb"(?:" + _WEEKDAY + rb" )?" + _MONTH + rb" {1,2}\d\d? (?:\d{4} )?" + _CLOCK + rb"(?: \d{4})?",
    _CLOCK + rb"(?= )",
)
_TIME: Final = rb"[\[(<]?(?:" + rb"|".join(_TIMES) + rb")(?: (?:UTC|GMT|CES?T|[ECMP][SD]T)(?= ))?[\])>]?,?"
_LEVELS: Final = rb"(?:TRACE|DEBUG|INFO|LOG|NOTICE|WARN|WARNING|ERROR|SEVERE|CRITICAL|FATAL|ALERT|EMERG|PANIC|FAILURE|VERBOSE)"
_LEVEL_HERE: Final = rb"(?i:[\[(<]?" + _LEVELS + rb"[\])>:]?|[DIWEFV](?= [\w.$]+ *:))(?=[ |:]|$)"
_LEVEL_LATER: Final = rb"(?:\S*[^\s:] +){1,3}?[\[(<]?" + _LEVELS + rb"[\])>:]?(?= |$)"

# Before a time may stand a few words: a level, a sequence number, a host. A time in seconds since 1970 needs a number or a dash as the first word.
_BEGIN: Final = re.compile(rb"(?:[^\s]+ +){0,4}?" + _TIME + rb"(?=[ |]|$)")
_EPOCH: Final = re.compile(rb"(?:-|\d+) +(?:[^\s]+ +){0,4}?1\d{9}(?:\d{3})?(?= )")
_TIME_AGAIN: Final = re.compile(rb" (?:\S*\d\S* +)?(?:" + _TIME + rb"|" + _DATE + rb")(?=[ |]|$)")
_TO_LEVEL: Final = re.compile(rb" +(?:" + _LEVEL_HERE + rb"|" + _LEVEL_LATER + rb")")
_NUMBERS: Final = re.compile(rb"(?: +-?\d+)+(?= )")
_HOST: Final = re.compile(rb" +[\w./-]+(?= +[\w./$()-]+(?:\([^)\s]*\))?(?:\[\d+\]| \d[\d.]*)?: )")
_BRACKETS: Final = re.compile(rb" +(?:-+ +)?\[(?:[^\[\]]|\[[^\[\]]*\]){0,200}\](?=[ :]|$):?")
_SPEAKER: Final = re.compile(
    rb" +(?:[\w.$/*-]+(?:\([\w.]+\))?(?:\[\d+\])?:(?= |$)|[A-Za-z_][\w$]*(?:\.[\w$]+){2,}(?= )|[A-Z]{2,8}(?=  )|\w+\.\w+:\d+\]|[\w-]+\.\w+(?: \*\d+)? -(?= )|\w+ \d[\d.]*:(?= ))"
)
_DASH: Final = re.compile(rb" +[-|]+(?= )")
_PIPED: Final = re.compile(rb"\|[^|\s]{1,64}\|\d+\|")
_BEFORE_LEVEL: Final = (_NUMBERS, _HOST, _SPEAKER, _DASH)
_BEHIND_LEVEL: Final = (_DASH, _BRACKETS, _SPEAKER, _BRACKETS, _DASH)


def after_header(line: bytes) -> bytes:
    """The line without its header; the whole line where there is none."""
    head = line[:HEADER_BYTES_MAX]
    begin = _BEGIN.match(head)
    parts: tuple[re.Pattern[bytes], ...] = _BEFORE_LEVEL
    if begin is None:
        begin, parts = _EPOCH.match(head), (_NUMBERS,)
        if begin is None:
            return line
    at = begin.end()
    while again := _TIME_AGAIN.match(head, at):
        at, parts = again.end(), _BEFORE_LEVEL
    piped = _PIPED.match(head, at)
    if piped is not None:
        return line[piped.end() :].lstrip()
    level = _TO_LEVEL.match(head, at)
    if level is not None:
        at, parts = level.end(), _BEHIND_LEVEL
    for part in parts:
        found = part.match(head, at)
        if found is not None:
            at = found.end()
    return line[at:].lstrip() or line


class Headers:
    """Takes the headers off the lines of one file, if its first lines had one."""

    def __init__(self) -> None:
        self._seen, self._found = 0, 0

    def strip(self, lines: Sequence[bytes]) -> list[bytes]:
        """The lines without their headers. Whether later lines are looked at at all depends on lines before them only."""
        stripped: list[bytes] = []
        for line in lines:
            if self._seen >= HEADERS_LOOKED_FOR and 2 * self._found < HEADERS_LOOKED_FOR:
                return stripped + list(lines[len(stripped) :])
            message = after_header(line)
            if self._seen < HEADERS_LOOKED_FOR:
                self._seen += 1
                self._found += message is not line
            stripped.append(message)
        return stripped


# ------------------------------------------------------------------------------------------------------ bodies
MESSAGE_KEYS: Final = ("message", "msg", "body", "log", "MESSAGE", "@message", "short_message", "text", "event")
_PAIR: Final = rb'[A-Za-z_][\w.]*=(?:"(?:[^"\\]|\\.)*"|[^\s"]*)'
_LOGFMT: Final = re.compile(_PAIR + rb"(?: +" + _PAIR + rb")+ *")
_LOGFMT_MESSAGE: Final = re.compile(rb'(?:^| )(?:msg|message)=(?:"((?:[^"\\]|\\.)*)"|(\S+))')


def message_of(line: bytes) -> bytes:
    """The message of a line that is JSON or logfmt as a whole. Without one: its fields as `key=value`; any other line is its own message."""
    if line[:1] == b"{":
        try:
            fields = orjson.loads(line)
        except ValueError:
            return line
        return _message(fields) if isinstance(fields, dict) else line
    if b"msg=" not in line and b"message=" not in line:
        return line
    found = _LOGFMT_MESSAGE.search(line)
    if found is None or _LOGFMT.fullmatch(line) is None:
        return line
    return found[2] if found[1] is None else re.sub(rb"\\(.)", rb"\1", found[1])


def _message(fields: Mapping[str, Any]) -> bytes:
    for key in MESSAGE_KEYS:
        value = fields.get(key)
        if isinstance(value, dict):
            value = next((value[inner] for inner in ("stringValue", *MESSAGE_KEYS) if isinstance(value.get(inner), str)), None)
        if isinstance(value, str) and value:
            return value.encode("utf-8", "replace")
    pairs = (
        f"{key}={value if isinstance(value, str) else orjson.dumps(value).decode()}" for key, value in sorted(fields.items())
    )
    return " ".join(pairs).encode("utf-8", "replace")
