"""Laws of the keys of log lines."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from detectors.naive_session_keys import naive_key
from detectors.session_keys import LINE_BYTES_MAX, find_keys, keys_of, name_hashes

NAMES = name_hashes(["trace_id", "Request-ID"])
UUID = b"2d9a4f0e-9c1b-4a3e-8f11-0123456789ab"


def keys(*lines: bytes, streams: tuple[int, ...] = ()) -> list[int]:
    offset = np.cumsum([0, *map(len, lines)]).astype(np.int64)
    found = np.empty(len(lines), np.uint64)
    stream = np.array(streams or [0] * len(lines), np.int64)
    find_keys(np.frombuffer(b"".join(lines), np.uint8), offset, stream, NAMES, found)
    return found.tolist()


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (b"Receiving block blk_-1608999 src: /10.0.0.1", b"PacketResponder 1 for block blk_-1608999 terminating"),
        (b"[req-7f1c44de-0a6b tenant] GET /v2", b"done (req-7f1c44de-0a6b)"),
        (b"[instance: " + UUID + b"] VM started", UUID + b" is up"),
        (b'{"trace_id":"4bf92f3577b3","n":1}', b"late TRACE_ID=4bf92f3577b3 42 ms"),
        (b"request-id: ab12 begins", b"x trace_id = 'ab12'"),
        (b"trace_id=ab12 for " + UUID, b"trace_id=ab12 for blk_123456789"),
    ],
)
def test_lines_of_one_session_have_one_key(one, other):
    first, second = keys(one, other)
    assert first
    assert first == second


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"served 1234 requests",
        b"trace_id= none",
        b"trace_id, ab12",
        b"blk_",
        b"blk_12ab34cd56",
        b"request-id",
        b"\xff\x00\x1b",
        b"req-",
    ],
)
def test_what_is_no_key_is_none(line):
    assert keys(line) == [0]


def test_different_keys_and_different_streams_differ():
    found = keys(b"blk_12345678", b"blk_12345679", b"blk_12345678", b"blk_-12345678", streams=(0, 0, 1, 0))
    assert len(set(found)) == 4
    assert 0 not in found


@given(st.lists(st.binary(max_size=40), min_size=1, max_size=8), st.integers(0, 3))
def test_a_value_beside_a_text_is_the_key_that_a_text_would_have(values, stream):
    texts = [b"blk_12345678", b"x", *values]
    given_, offset = np.empty(len(texts), np.uint64), np.cumsum([0, *map(len, texts)]).astype(np.int64)
    keys_of(np.frombuffer(b"".join(texts), np.uint8), offset, np.full(len(texts), stream, np.int64), given_)
    assert given_[0] == keys(b"of blk_12345678", streams=(stream,))[0]
    assert [key == 0 for key in given_.tolist()] == [text == b"" for text in texts]
    assert [[a == b for b in given_] for a in given_] == [[a == b for b in texts] for a in texts]


def test_what_stands_far_behind_is_not_looked_at():
    assert keys(b"x" * LINE_BYTES_MAX + b" blk_12345678") == [0]


@given(st.lists(st.binary(max_size=80), min_size=1, max_size=8))
def test_any_bytes_are_read_line_by_line(lines):
    assert keys(*lines) == [keys(line)[0] for line in lines]


PIECES = st.sampled_from(
    [
        b"trace_id",
        b"Request-ID",
        b"=",
        b": ",
        b'"',
        b" ",
        b",",
        b"req-",
        b"req-12ab34cd",
        b"blk_",
        b"blk_-1234",
        b"blk_99",
        UUID,
        b"ab12",
        b"-",
        b"7",
        b"x",
        b"\xff",
    ]
)


@given(st.lists(st.lists(PIECES, max_size=9).map(b"".join), min_size=2, max_size=6))
def test_kernel_and_oracle_agree(lines):
    """Lines have equal keys exactly where the words are equal, and none where there is none."""
    found, words = keys(*lines), [naive_key(line, {b"trace_id", b"request-id"}) for line in lines]
    assert [key == 0 for key in found] == [word == b"" for word in words]
    assert [[a == b for b in found] for a in found] == [[a == b for b in words] for a in words]
