"""Laws of the numbers within log lines."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from detectors.line_numbers import NUMBERS_MAX, read_numbers
from detectors.naive_line_numbers import naive_numbers


def numbers(*lines: bytes) -> list[list[float]]:
    offset = np.cumsum([0, *map(len, lines)]).astype(np.int64)
    value = np.empty((len(lines), NUMBERS_MAX))
    read_numbers(np.frombuffer(b"".join(lines), np.uint8), offset, value)
    return [[x for x in row if x == x] for row in value.tolist()]  # noqa: PLR0124  # not NaN


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
        (b"", []),
    ],
)
def test_numbers_that_measure_something(line, found):
    assert numbers(line) == [found]


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
    assert numbers(*lines) == [pytest.approx(naive_numbers(line), rel=1e-12) for line in lines]


@given(st.lists(st.binary(max_size=60), min_size=1, max_size=5))
def test_any_bytes_are_read(lines):
    assert numbers(*lines) == [pytest.approx(naive_numbers(line), rel=1e-12) for line in lines]
