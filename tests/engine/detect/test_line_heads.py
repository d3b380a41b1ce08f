"""The laws of headers: what one is, and which streams have them."""

from __future__ import annotations

import itertools

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.detect.line_heads import AGAIN_AFTER, LOOKED_AT, Head, Heads, after_header, header_end, level_of

HEADED = {
    "web server": b"[Sun Dec 04 04:47:44 2005] [notice] workers are ok",
    "log4j with thread": b"2015-10-18 18:01:47,978 INFO [main] org.apache.hadoop.mapreduce.Job: workers are ok",
    "log4j with dashes": b"2015-07-29 17:41:44,747 - WARN  [QuorumPeer[myid=1]/0:0:0:0:2181:Election@774] - workers are ok",
    "request in brackets": b"2017-05-16 00:00:00.008 25746 INFO nova.osapi.wsgi.server [req-381 113d3 - - -] workers are ok",
    "short date": b"17/06/09 20:10:40 INFO executor.Backend: workers are ok",
    "six digits": b"081109 203615 148 INFO dfs.DataNode$Xceiver: workers are ok",
    "syslog": b"Jun  9 06:06:01 combo crond(pam_unix)[2915]: workers are ok",
    "times in three forms": b"- 1131566461 2005.11.09 dn228 Nov 9 12:01:01 dn228/dn228 crond[2915]: workers are ok",
    "columns": b"2016-09-28 04:30:30, Info                  CBS    workers are ok",
    "level letter": b"03-17 16:13:38.811  1702  2395 D WindowManager: workers are ok",
    "zulu": b"2024-01-02T03:04:05.123Z ERROR workers are ok",
    "level first": b"ERROR 2024-01-02 11:11:11 workers are ok",
    "file and line": b"I0102 15:04:05.123456 1 main.go:22] workers are ok",
    "time zone": b"2024-01-02 03:04:05.123 UTC [1234] LOG:  workers are ok",
    "pipes": b"20171223-22:15:29:606|Step_LSC|30002312|workers are ok",
    "program": b"[10.30 16:49:06] chrome.exe *64 - workers are ok",
    "seconds since 1970": b"2594656 node-D0 fan switch 1074279038 1 workers are ok",
}


@pytest.mark.parametrize("line", HEADED.values(), ids=HEADED.keys())
def test_a_header_is_left_out(line: bytes) -> None:
    assert after_header(line) == b"workers are ok"


@pytest.mark.parametrize(
    "line",
    [
        b"workers are ok",
        b"",
        b"took 12 ms in all",
        b"1365301360 alignment exceptions",
        b"ALERT exited abnormally with [1]",
        b"connection from 10.0.0.1 at Sat Jul  9 12:16:49 2005",
    ],
)
def test_a_line_without_a_header_is_left_alone(line: bytes) -> None:
    assert after_header(line) == line or b"Sat Jul" in line


def strip(heads: Heads, lines: list[bytes], stream: int = 0) -> list[bytes]:
    return heads.strip(lines, np.full(len(lines), stream, np.int64))


def test_headers_are_not_looked_for_in_a_stream_that_has_none() -> None:
    lines = [b"workers are ok"] * LOOKED_AT + [HEADED["syslog"]]
    assert strip(Heads(), lines) == lines
    assert strip(Heads(), [HEADED["syslog"]] * 100) == [b"workers are ok"] * 100


def test_each_stream_has_headers_or_none_of_its_own() -> None:
    lines = [HEADED["syslog"], b"workers are ok"] * 200
    stream = np.arange(len(lines)) % 2
    messages = Heads().strip(lines, stream)
    assert messages == [b"workers are ok"] * len(lines)
    mixed = Heads()
    assert strip(mixed, [HEADED["syslog"], *[b"x"] * 2] * 100)[LOOKED_AT:] == ([HEADED["syslog"], *[b"x"] * 2] * 100)[LOOKED_AT:]


def test_it_is_decided_anew_after_so_many_lines() -> None:
    lines = [b"x"] * AGAIN_AFTER + [HEADED["syslog"]] * 100 + [b"x"] * AGAIN_AFTER + [HEADED["syslog"]]
    messages = strip(Heads(), lines)
    before = AGAIN_AFTER + LOOKED_AT - 1
    assert messages[:before] == lines[:before]
    assert messages[before : AGAIN_AFTER + 100] == [b"workers are ok"] * (100 - LOOKED_AT + 1)
    assert messages[-1] == HEADED["syslog"]


@settings(deadline=None, max_examples=50)
@given(
    parts=st.lists(st.tuples(st.sampled_from(["syslog", "zulu", ""]), st.integers(0, 2), st.integers(1, 60)), max_size=20),
    cuts=st.sets(st.integers(0, 400)),
)
def test_neither_the_cut_nor_a_restore_changes_what_is_stripped(parts: list[tuple[str, int, int]], cuts: set[int]) -> None:
    lines = [HEADED.get(name, b"plain") for name, _, count in parts for _ in range(count)]
    stream = np.array([number for _, number, count in parts for _ in range(count)], np.int64)
    heads, messages = Heads(), []
    edges = [0, *sorted(cut for cut in cuts if 0 < cut < len(lines)), len(lines)]
    for start, end in itertools.pairwise(edges):
        messages += heads.strip(lines[start:end], stream[start:end])
        saved, heads = msgspec.json.encode(heads.saved), Heads()
        heads.saved = msgspec.json.decode(saved, type=dict[int, Head])
    assert messages == Heads().strip(lines, stream)


@pytest.mark.parametrize(
    ("name", "level"),
    [
        ("web server", 10),
        ("log4j with thread", 9),
        ("log4j with dashes", 13),
        ("syslog", 0),
        ("columns", 9),
        ("level letter", 5),
        ("zulu", 17),
        ("level first", 17),
        ("file and line", 9),
        ("pipes", 0),
    ],
)
def test_a_header_names_the_level(name: str, level: int) -> None:
    assert level_of(HEADED[name].removesuffix(b"workers are ok")) == level


WORDS = st.sampled_from(
    [
        "2024-01-02",
        "12:13:14.567",
        "INFO",
        "[main]",
        "c.shop.Job:",
        "Jan",
        " 7",
        "42",
        "-",
        "|x|19|",
        "1131566461",
        "E0203",
        "host",
        "(a)",
        ":",
    ]
)


@settings(deadline=None)
@given(st.lists(WORDS, max_size=8).map(" ".join), st.text("0123456789", min_size=10, max_size=10))
def test_a_header_ends_in_the_same_place_whatever_its_digits_are(line: str, digits: str) -> None:
    """All but 1: seconds since 1970 begin with it."""
    other = line.translate({ord(str(n)): digits[n] if digits[n] != "1" else "0" for n in range(10) if n != 1})
    assert header_end(line.encode()) == header_end(other.encode())
    assert strip(Heads(), [line.encode()]) == [after_header(line.encode())]


@settings(deadline=None)
@given(st.binary(max_size=300))
def test_any_bytes_have_a_message_that_ends_the_line(line: bytes) -> None:
    assert line.endswith(after_header(line))
