"""Laws of our own log lines."""

from __future__ import annotations

import io
import logging
import re
from collections.abc import Iterator

import orjson
import pytest
import structlog

from engine.config.tree import Log
from engine.logs import configure_logging, get_logger


@pytest.fixture(autouse=True)
def _as_before() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    structlog.reset_defaults()
    root.handlers[:], root.level = handlers, level


def lines(stream: io.StringIO) -> list[dict[str, object]]:
    return [orjson.loads(line) for line in stream.getvalue().splitlines()]


def test_each_event_is_one_json_line_with_time_level_event_and_logger_first() -> None:
    stream = io.StringIO()
    configure_logging(Log(), stream)
    get_logger("runner").info("shard_restored", topic="metrics", partition=3)
    (line,) = lines(stream)
    assert list(line) == ["ts", "level", "event", "logger", "topic", "partition"]
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", str(line["ts"]))
    assert line["logger"] == "runner"


def test_the_standard_library_takes_the_same_way() -> None:
    stream = io.StringIO()
    configure_logging(Log(), stream)
    logging.getLogger("some.library").warning("slow %s", "answer")
    (line,) = lines(stream)
    assert (line["event"], line["level"], line["logger"]) == ("slow answer", "warning", "some.library")


def test_the_level_is_obeyed() -> None:
    stream = io.StringIO()
    configure_logging(Log(level="warning"), stream)
    get_logger("a").info("unheard")
    logging.getLogger("b").info("unheard")
    get_logger("a").warning("heard")
    assert [line["event"] for line in lines(stream)] == ["heard"]


@pytest.mark.parametrize("format", ["json", "console"])
def test_control_characters_never_come_out_raw(format: str) -> None:
    stream = io.StringIO()
    configure_logging(Log.model_validate({"format": format}), stream)
    get_logger("a").info("seen", text="\x1b[31mred\nforged line\x00")
    raw = stream.getvalue()
    assert "\x1b[31mred" not in raw
    assert "\x00" not in raw
    assert raw.count("\n") == 1


def test_a_failure_brings_its_traceback() -> None:
    stream = io.StringIO()
    configure_logging(Log(), stream)
    try:
        int("broken")
    except ValueError:
        get_logger("a").exception("step_failed")
    (line,) = lines(stream)
    assert "ValueError: invalid literal" in str(line["exception"])


def test_a_value_is_cut_before_it_can_carry_a_payload_away() -> None:
    stream = io.StringIO()
    configure_logging(Log(), stream)
    get_logger("a").info("seen", text="x" * 100_000)
    assert len(stream.getvalue()) < 10_000
