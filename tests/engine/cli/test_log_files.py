"""The laws of what is mined of a line of a log file: no header, the message of a structured line; never an error."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.cli.log_files import HEADERS_LOOKED_FOR, Headers, after_header, message_of

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


def test_headers_are_not_looked_for_in_a_file_that_has_none() -> None:
    lines = [b"workers are ok"] * HEADERS_LOOKED_FOR + [HEADED["syslog"]]
    whole, parts = Headers(), Headers()
    assert whole.strip(lines) == lines
    assert parts.strip(lines[:10]) + parts.strip(lines[10:]) == lines
    assert Headers().strip([HEADED["syslog"]] * 100) == [b"workers are ok"] * 100


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (b'{"ts":1,"level":"info","msg":"user 7 logged in"}', b"user 7 logged in"),
        (b'{"body":{"stringValue":"disk full"},"severityNumber":17}', b"disk full"),
        (b'{"kind":"tick","n":[1,2]}', b"kind=tick n=[1,2]"),
        (b'{"broken": ', b'{"broken": '),
        (b"[1,2]", b"[1,2]"),
        (b"{" * 50_000, b"{" * 50_000),
        (b'{"a":' * 20_000 + b"1" + b"}" * 20_000, b'{"a":' * 20_000 + b"1" + b"}" * 20_000),
        (b'level=info msg="request \\"GET\\" done" status=200', b'request "GET" done'),
        (b"level=info msg=done status=200", b"done"),
        (b'he said msg="x" and left', b'he said msg="x" and left'),
    ],
)
def test_of_a_structured_line_the_message_is_mined(line: bytes, message: bytes) -> None:
    assert message_of(line) == message


@settings(deadline=None)
@given(st.binary(max_size=300))
def test_any_bytes_have_a_message(line: bytes) -> None:
    assert isinstance(message_of(after_header(line)), bytes)
