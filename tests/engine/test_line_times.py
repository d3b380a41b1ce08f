"""Laws of times with which lines begin."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.line_times import LineTimes

SECOND_NS = 1_000_000_000


def ns(text: str) -> int:
    return round(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()) * SECOND_NS


RECORD_NS = ns("2026-11-20T23:54:40")
SAID_NS = ns("2026-11-20T23:54:36")


@pytest.mark.parametrize(
    ("line", "behind_ms"),
    [
        ("2026-11-20T23:54:36Z [notice] up", 0),
        ("2026-11-20 23:54:36,120 WARN  [worker-3] c.shop.Orders - queue is long", 120),
        ("2026/11/20 23:54:36 [error] 31#31: *7 connect() failed", 0),
        ("2026-11-21T01:54:36.120+02:00 INFO up", 120),
        ("2026-11-20 18:54:36 -0500 INFO up", 0),
        ("WARN  [2026-11-20 23:54:36,500] main - slow", 500),
        ("Nov 20 23:54:36 web-07 sshd[2211]: Failed password", 0),
        ("<34>Nov 20 23:54:36 web-07 sshd[2211]: Failed password", 0),
        ("[Fri Nov 20 23:54:36 2026] [error] mod_jk child", 0),
        ('10.0.0.7 - - [21/Nov/2026:01:54:36 +0200] "GET / HTTP/1.1" 200 31', 0),
        ("I1120 23:54:36.120000   17 main.cc:31] up", 120),
        ("261120 235436 148 INFO dfs.DataNode: served", 0),
        ("order 7 complete", None),
        ("03/04/2026 23:54:36 up", None),  # the third of April, or the fourth of March
        ("certificate until 2027-11-20 23:54:36 is good", None),  # what it tells of
        ("2026-13-45 23:54:36 up", None),
        ("2026-02-30 23:54:36 up", None),
        ("2026-11-20 25:54:36 up", None),
        ("", None),
    ],
)
def test_what_lines_begin_with(line, behind_ms):
    read = LineTimes("UTC").read(line.encode(), RECORD_NS)
    assert read == (RECORD_NS if behind_ms is None else SAID_NS + behind_ms * 1_000_000)


def test_a_time_without_a_zone_is_one_of_the_clocks_of_the_source():
    assert LineTimes("Europe/Berlin").read(b"2026-11-21 00:54:36 up", RECORD_NS) == SAID_NS
    assert LineTimes("Europe/Berlin").read(b"2026-11-20T23:54:36Z up", RECORD_NS) == SAID_NS


def test_of_an_hour_that_comes_twice_it_is_the_one_nearer_to_the_record():
    times, line = LineTimes("Europe/Berlin"), b"2026-10-25 02:30:00 up"
    assert times.read(line, ns("2026-10-25T00:30:10")) == ns("2026-10-25T00:30:00")
    assert times.read(line, ns("2026-10-25T01:30:10")) == ns("2026-10-25T01:30:00")


def test_a_year_that_is_not_written_is_the_one_that_is_near():
    times = LineTimes("UTC")
    assert times.read(b"Dec 31 23:59:59 web-07 kernel: up", ns("2027-01-01T00:00:03")) == ns("2026-12-31T23:59:59")
    assert times.read(b"Jan  1 00:00:01 web-07 kernel: up", ns("2026-12-31T23:59:58")) == ns("2027-01-01T00:00:01")
    assert times.read(b"Feb 29 10:00:00 web-07 kernel: up", ns("2028-02-29T10:00:01")) == ns("2028-02-29T10:00:00")


def test_a_line_cannot_be_from_long_before_its_record_or_from_behind_it():
    times = LineTimes("UTC")
    for record in ("2026-11-22T00:00:00", "2026-11-20T23:40:00"):
        assert times.read(b"2026-11-20 23:54:36 up", ns(record)) == ns(record)


@given(st.binary(max_size=200), st.integers(0, 2**62))
def test_any_bytes_are_read_without_harm(line, record_ns):
    read = LineTimes("America/New_York").read(line, record_ns)
    assert record_ns - 86_400 * SECOND_NS <= read <= record_ns + 300 * SECOND_NS
