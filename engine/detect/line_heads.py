"""Headers of lines: a time near the beginning of a line and what loggers write after it (numbers of processes and threads, a level, one part in
brackets, who speaks).

    2015-10-18 18:01:47,978 INFO [main] org.apache.hadoop.mapreduce.Job: map 10 %     ─▶  map 10 %

Nothing here belongs to one program's log. A line that has none of this is its own message.
"""

from __future__ import annotations

import re
from typing import Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from engine import severity

HEADER_BYTES_MAX: Final = 384
"""Bytes of a line that a header may take."""
LOOKED_AT: Final = 64
"""Lines of a stream by which it is decided whether its lines have headers: looking for one takes longer than mining a line."""
AGAIN_AFTER: Final = 8192
"""Lines of a stream after which that is decided anew."""

ENDS_MAX: Final = 4096
"""Beginnings of lines of which it is remembered where their headers end; when full, all are forgotten."""
_ANY_DIGIT: Final = bytes.maketrans(b"23456789", b"00000000")
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
_LEVEL_WORD: Final = re.compile(rb"(?<![\w.])(?:((?i:" + _LEVELS[3:-1] + rb"))(?![\w.])|([DIWEF])(?= +[\w.$]+ *: *$|\d{4} ))")
_DASH: Final = re.compile(rb" +[-|]+(?= )")
_PIPED: Final = re.compile(rb"\|[^|\s]{1,64}\|\d+\|")
_BEFORE_LEVEL: Final = (_NUMBERS, _HOST, _SPEAKER, _DASH)
_BEHIND_LEVEL: Final = (_DASH, _BRACKETS, _SPEAKER, _BRACKETS, _DASH)


def after_header(line: bytes) -> bytes:
    """The line without its header; the whole line where there is none."""
    return _message(line, header_end(line[:HEADER_BYTES_MAX]))


def _message(line: bytes, end: int) -> bytes:
    return (line[end:].lstrip() or line) if end else line


def header_end(head: bytes) -> int:
    """Where the header ends in the first HEADER_BYTES_MAX bytes of a line; 0 where there is none. It is the same whatever the digits but 1 are."""
    begin = _BEGIN.match(head)
    parts: tuple[re.Pattern[bytes], ...] = _BEFORE_LEVEL
    if begin is None:
        begin, parts = _EPOCH.match(head), (_NUMBERS,)
        if begin is None:
            return 0
    at = begin.end()
    while again := _TIME_AGAIN.match(head, at):
        at, parts = again.end(), _BEFORE_LEVEL
    piped = _PIPED.match(head, at)
    if piped is not None:
        return piped.end()
    level = _TO_LEVEL.match(head, at)
    if level is not None:
        at, parts = level.end(), _BEHIND_LEVEL
    for part in parts:
        found = part.match(head, at)
        if found is not None:
            at = found.end()
    return at


def level_of(header: bytes) -> int:
    """The level that a header names, in any case of its letters; 0 when it names none."""
    found = _LEVEL_WORD.search(header)
    if found is None:
        return 0
    word: bytes = found[1] or found[2]
    return severity.of_value(word.decode(), "otel")


class Head(msgspec.Struct, array_like=True):
    """What is known of one stream's headers."""

    lines: int = 0
    found: int = 0  # headers among those that were looked at last
    has: bool = False  # its lines have headers


class Heads:
    """Takes the headers off the lines of streams that have them. Whether a line is looked at depends on the lines of its stream before it only."""

    def __init__(self) -> None:
        self.saved: dict[int, Head] = {}
        self._ends: dict[bytes, int] = {}  # of beginnings of lines whose digits do not count; nothing depends on what is in it

    def strip(self, texts: list[bytes], stream: NDArray[np.int64]) -> list[bytes]:
        """The lines without their headers; one that has none is the same object."""
        messages = list(texts)
        for number, lines in zip(*(part.tolist() for part in np.unique(stream, return_counts=True)), strict=True):
            head = self.saved.setdefault(number, Head())
            at = head.lines % AGAIN_AFTER
            if head.has or at < LOOKED_AT or at + lines > AGAIN_AFTER:
                for i in np.flatnonzero(stream == number).tolist():
                    messages[i] = self._next(head, texts[i])
            else:
                head.lines += lines
        return messages

    def _next(self, head: Head, text: bytes) -> bytes:
        at = head.lines % AGAIN_AFTER
        is_first = head.lines < LOOKED_AT
        head.lines += 1
        if at >= LOOKED_AT:
            return self._after_header(text) if head.has else text
        message = self._after_header(text)
        head.found = (head.found if at else 0) + (message is not text)
        if at == LOOKED_AT - 1:
            head.has = 2 * head.found >= LOOKED_AT
        return message if head.has or is_first else text

    def _after_header(self, line: bytes) -> bytes:
        """As `after_header`; most lines of a log begin like one that came a moment ago."""
        start = line[:HEADER_BYTES_MAX].translate(_ANY_DIGIT)
        end = self._ends.get(start, -1)
        if end < 0:
            if len(self._ends) >= ENDS_MAX:
                self._ends.clear()
            end = self._ends[start] = header_end(start)
        return _message(line, end)
