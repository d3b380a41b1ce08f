"""The shape of a line is what its oracle says, decides what the line is masked to, and a memo of shapes forgets but never errs."""

from __future__ import annotations

import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from detectors import naive_templates as naive
from detectors.line_shapes import FORGOTTEN, MEMO_SETS, NO_SHAPE, SPARE_BYTES, Memo, fitting, keep, make_memo, recalled, shape_of
from detectors.octets import digit_marks
from detectors.tokens import LINE_BYTES_MAX, tokenise, tokens_room

PIECES = "a A f g z x 0 1 9 12 345678901 . / : - + _ = , @ ( < abc 7f3a 0x Jun Tue bytes KB) <1 sec eth0 a.b.c:"
LINES = st.lists(
    st.sampled_from([b" ", b"\t", b"\xc3", b"\x00", *(piece.encode() for piece in PIECES.split())]), max_size=14
).map(b"".join)


def shape(line: bytes) -> int:
    with np.errstate(over="ignore"):
        return int(shape_of(np.frombuffer(line + bytes(SPARE_BYTES), np.uint8), 0, len(line)))


def masked(line: bytes) -> tuple[int, int]:
    _, whole, _, small = tokenise(np.frombuffer(line, np.uint8), 0, len(line), tokens_room())
    return int(whole), int(small)


@st.composite
def alike(draw: st.DrawFn) -> tuple[bytes, bytes]:
    """A line, and the same with other numbers."""
    line = draw(LINES)
    return line, re.sub(rb"[0-9]+", lambda _: str(draw(st.integers(0, 12_000))).encode(), line)


@settings(deadline=None)  # the first call compiles
@given(alike())
def test_shapes_are_equal_when_the_oracle_says_so(lines: tuple[bytes, bytes]) -> None:
    one, other = lines
    assert (shape(one) == shape(other)) == (naive.shape(one) == naive.shape(other))


@settings(deadline=None, max_examples=300)
@given(alike())
def test_lines_of_one_shape_are_masked_alike(lines: tuple[bytes, bytes]) -> None:
    one, other = lines
    if shape(one) == shape(other):
        assert masked(one) == masked(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (b"took 12 ms", b"took 9431 ms"),
        (b"block blk_17 of 10.0.0.1:80", b"block blk_998 of 192.168.100.7:8080"),
        (b"id 550e8400-e29b-41d4-a716-446655440000 seen", b"id 123e4567-e89b-12d3-abcd-426614174000 seen"),
        (b"at 2026-11-20T10:00:00.123Z", b"at 1999-01-02T23:59:59.98Z"),
    ],
)
def test_numbers_do_not_change_a_shape(one: bytes, other: bytes) -> None:
    assert shape(one) == shape(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (b"link eth0 up", b"link eth1 up"),  # one digit may belong to a name
        (b"x.10.0.0.1:80", b"x.5"),  # a host with a port is a value as a whole
        (b"in May 12", b"in May cafe1"),  # a month before a number is a date
        (b"a 12", b"a 12\x00"),
        (b"part 1a", b"part 12345a"),  # hexadecimal from four bytes on
    ],
)
def test_what_may_matter_changes_a_shape(one: bytes, other: bytes) -> None:
    assert shape(one) != shape(other)


def test_a_line_too_long_or_too_near_the_end_of_the_buffer_has_none() -> None:
    assert shape(b"x" * LINE_BYTES_MAX) != NO_SHAPE == shape(b"x" * (LINE_BYTES_MAX + 1))
    assert shape_of(np.frombuffer(b"a line" + bytes(SPARE_BYTES - 1), np.uint8), 0, 6) == NO_SHAPE


@given(st.binary(min_size=8, max_size=8))
def test_each_byte_that_is_a_digit_is_marked(raw: bytes) -> None:
    marks = int(digit_marks(np.uint64(int.from_bytes(raw, "little"))))
    assert [marks >> 8 * k & 0xFF for k in range(8)] == [0x80 * (48 <= code < 58) for code in raw]


def asked(one: int, memo: Memo) -> tuple[int, int] | None:
    with np.errstate(over="ignore"):
        at = recalled(np.uint64(one), memo)
    return None if at == FORGOTTEN else (int(memo.entry[at]), int(memo.entry[at + 1]))


def test_a_memo_knows_the_last_shapes_of_each_set() -> None:
    memo = make_memo()
    one, two, three = (1 + 2 * MEMO_SETS[0] * k for k in (1, 2, 3))
    for known in (one, two):
        keep(np.uint64(known), np.uint64(10 * known), np.uint64(known + 5), memo)
    assert asked(one, memo) == (10 * one, one + 5)
    keep(np.uint64(three), np.uint64(0), np.uint64(0), memo)
    assert asked(two, memo) is None
    assert asked(one, memo) == (10 * one, one + 5)
    assert asked(three, memo) == (0, 0)
    assert asked(NO_SHAPE, memo) is None


def test_a_memo_grows_to_its_greatest_size_only() -> None:
    memo, sizes = make_memo(), []
    for _ in range(len(MEMO_SETS)):
        memo.kept[0] = memo.entry.size
        memo = fitting(memo)
        sizes.append(memo.entry.size)
    assert sizes == [8 * MEMO_SETS[1], *[8 * MEMO_SETS[-1]] * (len(MEMO_SETS) - 1)]
    assert fitting(make_memo()).entry.size == 8 * MEMO_SETS[0]
