"""Lines that are JSON or logfmt: their message, and the members beside it.

    {"ts":1,"level":"info","msg":"user 7 logged in"}      ─▶  user 7 logged in
    level=info msg="user 7 logged in" took=31ms           ─▶  user 7 logged in

Without a message a JSON line is its members as `key=value`; any other line is its own message. Nothing is an error.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

import orjson

from engine import severity

MESSAGE_KEYS: Final = ("message", "msg", "body", "log", "MESSAGE", "@message", "short_message", "text", "event")
LEVEL_KEYS: Final = ("level", "severity", "lvl", "log.level", "levelname", "@level")
PAIRS_MAX: Final = 256
"""Members of a logfmt line that are read."""
_KEY: Final = rb"[A-Za-z_][\w.]*"
_VALUE: Final = rb'"(?:[^"\\]|\\.)*"|[^\s"]*'
_PAIR: Final = _KEY + rb"=(?:" + _VALUE + rb")"
_LOGFMT: Final = re.compile(_PAIR + rb"(?: +" + _PAIR + rb")+ *")
_MEMBER: Final = re.compile(rb"(" + _KEY + rb")=(" + _VALUE + rb")")
_ESCAPED: Final = re.compile(r"\\(.)", re.DOTALL)

Members = dict[str, Any]


def opened(line: bytes) -> tuple[bytes, Members]:
    """The message of a line that is JSON or logfmt as a whole, and its members; any other line and none."""
    if line[:1] == b"{":
        return _opened_json(line)
    if b"msg=" not in line and b"message=" not in line:
        return line, {}
    return _opened_logfmt(line)


def may_open(lines: bytes) -> bool:
    """Whether one of several lines, joined by newlines, may be JSON or logfmt: quick to say, and never wrongly no."""
    return lines[:1] == b"{" or b"\n{" in lines or b"msg=" in lines or b"message=" in lines


def level_of(members: Mapping[str, Any]) -> int:
    """The level that members name; 0 when they name none."""
    levels = (severity.of_value(members.get(key), "otel") for key in LEVEL_KEYS)
    return next((level for level in levels if level), 0)


def _opened_json(line: bytes) -> tuple[bytes, Members]:
    try:
        members = orjson.loads(line)
        return (_message(members), members) if isinstance(members, dict) else (line, {})
    except (ValueError, TypeError):  # no JSON; or members nested so deeply that they cannot be written again
        return line, {}


def _message(members: Members) -> bytes:
    for key in MESSAGE_KEYS:
        value = members.get(key)
        if isinstance(value, dict):
            value = next((value[inner] for inner in ("stringValue", *MESSAGE_KEYS) if isinstance(value.get(inner), str)), None)
        if isinstance(value, str) and value:
            return value.encode("utf-8", "replace")
    pairs = (
        f"{key}={value if isinstance(value, str) else orjson.dumps(value).decode()}" for key, value in sorted(members.items())
    )
    return " ".join(pairs).encode("utf-8", "replace")


def _opened_logfmt(line: bytes) -> tuple[bytes, Members]:
    if _LOGFMT.fullmatch(line) is None:
        return line, {}
    members: Members = {}
    for match in _MEMBER.finditer(line):
        if len(members) >= PAIRS_MAX:
            break
        members.setdefault(match[1].decode(), _plain(match[2].decode("utf-8", "replace")))
    message = next((members[key] for key in ("msg", "message") if members.get(key)), None)
    return (line, {}) if message is None else (message.encode(), members)


def _plain(value: str) -> str:
    return _ESCAPED.sub(r"\1", value[1:-1]) if value[:1] == '"' else value
