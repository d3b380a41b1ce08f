"""The laws of the numbers in lines: what is one, which slots are read, that nothing depends on how lines are cut into calls."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from detectors import naive_templates
from detectors.template_numbers import NUMBERS_MAX, number_at
from detectors.templates import TemplateMiner

VALUE = st.from_regex(r"[+-]?[0-9]{0,17}[.:,]?[0-9]{0,3}", fullmatch=True).filter(bool)


def mined(subject: TemplateMiner, lines: list[bytes]) -> list[tuple[int, int, float]]:
    template = subject.mine(lines, np.zeros(len(lines), np.int64))
    found = subject.numbers(lines, template)
    return list(zip(found.row.tolist(), found.slot.tolist(), found.value.tolist(), strict=True))


def test_a_slot_with_a_number_is_a_series() -> None:
    subject = TemplateMiner(100, 100)
    assert mined(subject, [b"request took 5321 ms", b"request took 12.5 ms", b"nothing here"]) == [(0, 2, 5321.0), (1, 2, 12.5)]
    assert subject.slot_name(0, 2) == "took <*> ms"


@settings(deadline=None)
@given(st.sampled_from(["", " ", "=", "(", "a", "_", "-", "/"]), VALUE)
def test_a_number_is_what_the_oracle_says(before: str, value: str) -> None:
    raw = (before + value).encode()
    got = number_at(np.frombuffer(raw, np.uint8), len(before), len(raw), 0)
    expected = naive_templates.number(before.encode(), value.encode())
    assert (expected is None and np.isnan(got)) or got == pytest.approx(expected, rel=1e-15)


@pytest.mark.parametrize(
    "line",
    [
        b"from 10.0.0.1",
        b"at 12:30:01",
        b"id 0x7f",
        b"on eth0",
        b"blk_17 gone",
        b"code 007",
        b"uuid 7f3a-12",
        b"n 12345678901234567",
    ],
)
def test_what_is_no_number(line: bytes) -> None:
    assert mined(TemplateMiner(100, 100), [line]) == []


def test_of_many_numbers_those_that_say_they_are_quantities_are_read_first() -> None:
    line = b"try 1 of 2 at 3 by 4 on 5 took 6 ms size=7 used 8"
    found = mined(TemplateMiner(100, 100), [line])
    assert len(found) == NUMBERS_MAX
    assert {6.0, 7.0} < {value for _, _, value in found}


@settings(deadline=None)
@given(
    st.lists(st.sampled_from([b"took %d ms", b"took %d s", b"size=%d b", b"no", b"a %d b %d"]), max_size=20), st.integers(0, 20)
)
def test_cuts_of_the_stream_do_not_show(forms: list[bytes], cut: int) -> None:
    lines = [form % ((k,) * form.count(b"%d")) for k, form in enumerate(forms)]
    whole, parts = TemplateMiner(100, 100), TemplateMiner(100, 100)
    expected = mined(whole, lines)
    first, second = mined(parts, lines[:cut]), mined(parts, lines[cut:])
    offset = min(cut, len(lines))
    assert first + [(row + offset, slot, value) for row, slot, value in second] == expected


@settings(deadline=None)
@given(st.lists(st.binary(max_size=200), max_size=10))
def test_any_bytes_may_be_asked_about(lines: list[bytes]) -> None:
    assert all(np.isfinite(value) for _, _, value in mined(TemplateMiner(100, 100), lines))
