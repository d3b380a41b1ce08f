"""Log lines about ourselves: one JSON object a line, or coloured columns on a terminal. Events are `noun_verb` with fields.

    log = get_logger("runner")
    log.info("shard_restored", topic="metrics", partition=3, seconds=0.41)

What libraries say through `logging` takes the same way. Control characters never reach a terminal raw.
"""

from __future__ import annotations

import logging
import re
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, TextIO, cast

import orjson
import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

from engine.config.tree import Log

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")
_VALUE_CHARACTERS_MAX = 8192


def configure_logging(config: Log, stream: TextIO | None = None) -> None:
    """Send our own events and the standard library's to `stream` (default stderr). May be called again."""
    out = cast("TextIO", _Stderr()) if stream is None else stream
    as_json = config.format == "json" or (config.format == "auto" and not out.isatty())
    shared: list[Processor] = [structlog.contextvars.merge_contextvars, structlog.processors.add_log_level, _time]
    endings = _json_endings() if as_json else _console_endings(colours=out.isatty())
    level = logging.getLevelNamesMapping()[config.level.upper()]
    structlog.configure(
        processors=[*shared, _own_name, *endings],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.WriteLoggerFactory(out),
        cache_logger_on_first_use=False,
    )
    handler = logging.StreamHandler(out)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[*shared, _library_name],
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *endings],
        )
    )
    logging.basicConfig(handlers=[handler], level=max(level, logging.INFO), force=True)


def get_logger(name: str) -> Any:
    """The logger of one part of the program. Cheap; takes whatever configuration is in force when it is used."""
    return structlog.get_logger(part=name)


class _Stderr:
    """Standard error as it is at the time of writing: whoever replaces it gets the lines."""

    def write(self, text: str) -> int:
        return sys.stderr.write(text)

    def flush(self) -> None:
        sys.stderr.flush()

    def isatty(self) -> bool:
        return sys.stderr.isatty()


def _json_endings() -> Sequence[Processor]:
    return [structlog.processors.format_exc_info, _shortened, _json_line]


def _console_endings(*, colours: bool) -> Sequence[Processor]:
    renderer = structlog.dev.ConsoleRenderer(colors=colours, timestamp_key="ts", sort_keys=False)
    return [structlog.processors.format_exc_info, _shortened, _escaped, renderer]


def _time(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """RFC 3339 in UTC with milliseconds."""
    event["ts"] = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return event


def _own_name(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """`logger` cannot be bound under its own name: structlog takes that word for itself."""
    event["logger"] = event.pop("part", "foreshock")
    return event


def _library_name(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    record = event.get("_record")
    event["logger"] = record.name if isinstance(record, logging.LogRecord) else "python"
    return event


def _shortened(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """No value of a line is longer than a screen: a log line must never be how a payload leaves."""
    for key, value in event.items():
        if isinstance(value, str) and len(value) > _VALUE_CHARACTERS_MAX:
            event[key] = value[:_VALUE_CHARACTERS_MAX] + "…"
    return event


def _escaped(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """Text from outside must not steer the terminal. A traceback keeps its line ends."""
    for key, value in event.items():
        if isinstance(value, str):
            lines = value.split("\n") if key == "exception" else [value]
            event[key] = "\n".join(_CONTROL.sub(_escape, line) for line in lines)
    return event


def _escape(match: re.Match[str]) -> str:
    return match[0].encode("unicode_escape").decode()


def _json_line(_logger: WrappedLogger, _method: str, event: EventDict) -> str:
    head = {key: event.pop(key) for key in ("ts", "level", "event", "logger") if key in event}
    return orjson.dumps({**head, **event}, default=str, option=orjson.OPT_NON_STR_KEYS).decode()
