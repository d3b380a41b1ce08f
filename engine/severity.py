"""Levels of every custom → OpenTelemetry severity numbers: TRACE 1, DEBUG 5, INFO 9, WARN 13, ERROR 17, FATAL 21; 0 unknown."""

from __future__ import annotations

import re

TRACE, DEBUG, INFO, NOTICE, WARN, ERROR, CRITICAL, ALERT, FATAL = 1, 5, 9, 10, 13, 17, 18, 19, 21

WORDS: dict[str, int] = {
    "trace": TRACE,
    "finest": TRACE,
    "verbose": TRACE,
    "debug": DEBUG,
    "fine": DEBUG,
    "d": DEBUG,
    "info": INFO,
    "information": INFO,
    "informational": INFO,
    "normal": INFO,
    "i": INFO,
    "notice": NOTICE,
    "warn": WARN,
    "warning": WARN,
    "w": WARN,
    "err": ERROR,
    "error": ERROR,
    "severe": ERROR,
    "e": ERROR,
    "crit": CRITICAL,
    "critical": CRITICAL,
    "c": CRITICAL,
    "alert": ALERT,
    "fatal": FATAL,
    "panic": FATAL,
    "emerg": FATAL,
    "emergency": FATAL,
    "f": FATAL,
}
"""Level words in lower case, also the one-letter ones, and the types of Kubernetes events."""

_SYSLOG = (FATAL, ALERT, CRITICAL, ERROR, WARN, NOTICE, INFO, DEBUG)
_BUNYAN = {10: TRACE, 20: DEBUG, 30: INFO, 40: WARN, 50: ERROR, 60: FATAL}
CAPITALS = ("TRACE", "DEBUG", "INFO", "NOTICE", "WARN", "WARNING", "ERROR", "SEVERE", "CRITICAL", "FATAL", "PANIC")
"""Words that are a level wherever they stand near the beginning of a line."""
LOOK_AT = 160
"""Bytes of a line in which its level is looked for."""
_IN_TEXT = re.compile(
    rb"\b(TRACE|DEBUG|INFO|NOTICE|WARN(?:ING)?|ERROR|SEVERE|CRITICAL|FATAL|PANIC)\b"
    rb"|\b(?:level|lvl|severity)=\"?([A-Za-z]{1,13})\b"
    rb"|^([IWEF])\d{4} "  # klog: E1120 23:54:35.509123
)


def severity_range(number: int) -> str:
    """The word for the range of a severity number.

    >>> [severity_range(n) for n in (0, 9, 13, 18, 24)]
    ['unknown', 'info', 'warning', 'error', 'fatal']
    """
    ranges = ((FATAL, "fatal"), (ERROR, "error"), (WARN, "warning"), (INFO, "info"), (DEBUG, "debug"), (TRACE, "trace"))
    return next((word for least, word in ranges if number >= least), "unknown")


def of_number(number: float, scale: str) -> int:
    """A level number on a scale (`otel`, `syslog`, `bunyan`); 0 when it is not on it."""
    if scale == "syslog":
        return _SYSLOG[int(number)] if 0 <= number <= 7 else 0
    if scale == "bunyan":
        return _BUNYAN.get(int(number) // 10 * 10, 0) if 0 <= number <= 69 else 0
    return int(number) if 1 <= number <= 24 else 0


def of_value(value: object, scale: str) -> int:
    """A level as a document gives it: a word in any case, a number, or a number as text; 0 for all else."""
    if isinstance(value, str):
        word = value.strip().lower()
        found = WORDS.get(word)
        if found is not None:
            return found
        return of_number(int(word), scale) if word.isascii() and word.isdigit() and len(word) <= 2 else 0
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return of_number(value, scale)
    return 0


def in_text(text: bytes) -> int:
    """The level that a line itself names near its beginning, in capitals or as `level=word`; 0 when it names none."""
    match = _IN_TEXT.search(text[:LOOK_AT])
    if match is None:
        return 0
    word = match[1] or match[2] or match[3]
    return WORDS.get(word.decode().lower(), 0)
