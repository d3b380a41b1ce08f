"""Laws of the numbers within log lines."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from detectors.line_numbers import NUMBERS_MAX, read_numbers
from detectors.naive_line_numbers import naive_numbers


def read(*lines: bytes) -> tuple[list[list[float]], list[list[int]]]:
    """The numbers of each line, and what tells them apart."""
    offset = np.cumsum([0, *map(len, lines)]).astype(np.int64)
    value, what = np.empty((len(lines), NUMBERS_MAX)), np.empty((len(lines), NUMBERS_MAX), np.uint64)
    read_numbers(np.frombuffer(b"".join(lines), np.uint8), offset, value, what)
    found = [[x for x in row if x == x] for row in value.tolist()]  # noqa: PLR0124  # not NaN
    return found, [row[: len(some)] for row, some in zip(what.tolist(), found, strict=True)]


def numbers(*lines: bytes) -> list[list[float]]:
    return read(*lines)[0]


def agree(lines: list[bytes]) -> None:
    """The kernel and its oracle: the same numbers, and the same ones told apart."""
    found, what = read(*lines)
    naive = [naive_numbers(line) for line in lines]
    assert found == [pytest.approx([value for value, _ in line], rel=1e-12) for line in naive]
    pairs = {(ours, theirs) for a, b in zip(what, naive, strict=True) for ours, (_, theirs) in zip(a, b, strict=True)}
    assert len(pairs) == len({ours for ours, _ in pairs}) == len({theirs for _, theirs in pairs})
    assert all(ours for ours, _ in pairs)


@pytest.mark.parametrize(
    ("line", "found"),
    [
        (b"request took 5321 ms", [5321.0]),
        (b"served in 12.5ms, 3 retries", [12.5, 3.0]),
        (b'{"duration":17,"rows": 5}', [17.0, 5.0]),
        (b"heap 87% used, pause=0.25 s", [87.0, 0.25]),
        (b"a=1 b=2 c=3 d=4 e=5", [1.0, 2.0, 3.0, 4.0]),
        (b"user 4711 logged in from 10.0.0.7:8080", []),
        (b"user_id=4711 port=80 status: 200 took=9", [9.0]),
        (b"12:30:59 2026-03-02 v1.2.3 block7 0x1f", []),
        (b"n=12345678901234567890 size=12/30", []),
        (b"key=04699517 rows=007 order=17 took 007 ms depth=0 ratio=0.5", [7.0, 0.0, 0.5]),
        (b"", []),
    ],
)
def test_numbers_that_measure_something(line, found):
    assert numbers(line) == [found]


def test_a_number_is_the_same_one_whatever_stands_before_it():
    whole, part = read(b"size=40 sent 3 rows in 12 ms, waited 5 ms", b"size=x sent 3 rows in 12 ms, waited 5 ms")[1]
    assert whole[1:] == part
    assert len(set(whole)) == 4


PIECES = st.sampled_from(
    [
        b"5",
        b"12.5",
        b"0",
        b".",
        b"-",
        b"ms",
        b" ms",
        b"%",
        b" ",
        b"=",
        b":",
        b'"',
        b"took",
        b"user_id",
        b"ID",
        b"rows",
        b"/",
        b"s",
        b"x7",
        b"\xc3\xa9",
        b",",
    ]
)


@given(st.lists(st.lists(PIECES, max_size=10).map(b"".join), min_size=1, max_size=5))
def test_kernel_and_oracle_agree(lines):
    agree(lines)


@given(st.lists(st.binary(max_size=60), min_size=1, max_size=5))
def test_any_bytes_are_read(lines):
    agree(lines)
