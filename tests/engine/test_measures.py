"""Which names measure, and what is a number."""

from __future__ import annotations

import pytest

from engine.measures import measures, number_of


@pytest.mark.parametrize(
    "name",
    [
        "duration_ms",
        "elapsedMs",
        "elapsedMS",
        "event.duration",
        "request_time",
        "upstream_response_time",
        "http.response.bytes",
        "retryCount",
        "latency.p99",
        "memory.used",
        "response_size",
        "rows",
        "gc.pauseSeconds",
        "TotalBytes",
    ],
)
def test_names_that_measure(name):
    assert measures(name)


@pytest.mark.parametrize(
    "name",
    [
        "status",
        "status_code",
        "order_id",
        "user",
        "port",
        "level",
        "severity",
        "ts",
        "time",
        "start_time",
        "@timestamp",
        "log.offset",
        "process.pid",
        "line",
        "rows.id",
        "sizeId",
        "version",
        "x",
        "7",
        ".",
        "a..b",
        "",
        "日本",
    ],
)
def test_names_that_do_not(name):
    assert not measures(name)


@pytest.mark.parametrize(
    ("value", "number"),
    [
        (5, 5.0),
        (-2.5, -2.5),
        ("350ms", 0.35),
        ("1m2.5s", 62.5),
        ("2h", 7200.0),
        ("12µs", 12e-6),
        ("5", None),
        ("m", None),
        ("--5s", None),
    ],
)
def test_numbers_and_durations(value, number):
    assert number_of(value, texts=False) == (None if number is None else pytest.approx(number))


@pytest.mark.parametrize(
    ("text", "number"), [("5", 5.0), ("-5.25", -5.25), ("5.", None), ("0x5", None), ("5" * 19, None), ("1" * 18, None)]
)
def test_numbers_that_are_texts_where_they_are_asked_for(text, number):
    assert number_of(text, texts=True) == number
