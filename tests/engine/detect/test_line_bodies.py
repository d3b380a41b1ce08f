"""The laws of lines that are JSON or logfmt: their message, their members, their level; never an error."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.detect.line_bodies import PAIRS_MAX, level_of, may_open, opened

DEEP = b'{"a":' * 300 + b"1" + b"}" * 300


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
        (DEEP, DEEP),
        (b'level=info msg="request \\"GET\\" done" status=200', b'request "GET" done'),
        (b"level=info msg=done status=200", b"done"),
        (b'he said msg="x" and left', b'he said msg="x" and left'),
        (b"msg= status=200", b"msg= status=200"),
    ],
)
def test_of_a_structured_line_the_message_is_mined(line: bytes, message: bytes) -> None:
    assert opened(line)[0] == message


def test_the_members_of_a_structured_line() -> None:
    assert opened(b'{"msg":"x","n":{"a":1}}')[1] == {"msg": "x", "n": {"a": 1}}
    assert opened(b'msg="x y" took=31ms n=2 n=3')[1] == {"msg": "x y", "took": "31ms", "n": "2"}
    assert opened(b"plain words")[1] == {}
    many = b"msg=x " + b" ".join(b"k%d=1" % n for n in range(2 * PAIRS_MAX))
    assert len(opened(many)[1]) == PAIRS_MAX


@pytest.mark.parametrize(("members", "level"), [({"level": "warn"}, 13), ({"lvl": "x", "severity": 17}, 17), ({"n": 1}, 0)])
def test_members_name_the_level(members: dict[str, object], level: int) -> None:
    assert level_of(members) == level


@settings(deadline=None)
@given(st.lists(st.binary(max_size=100) | st.sampled_from([b'{"msg":"x"}', b"msg=x a=1"]), max_size=4))
def test_what_may_be_opened_is_never_overlooked(lines: list[bytes]) -> None:
    messages = [opened(line)[0] for line in lines]
    assert all(isinstance(message, bytes) for message in messages)
    assert messages == lines or may_open(b"\n".join(lines))
