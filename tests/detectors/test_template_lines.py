"""The laws of records of several lines: a stack trace is one line, and its place counts, not its numbers."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from detectors.template_lines import one_line
from detectors.templates import TemplateMiner

JAVA = b"java.io.IOException: disk %d full\n\tat a.b.Disk.write(Disk.java:%d)\n\tat a.b.Main.run(Main.java:7)\nCaused by: x\n\t... 3 more"
PYTHON = b'Traceback (most recent call last):\n  File "a.py", line %d, in run\n    write()\nOSError: disk %d full'


@pytest.mark.parametrize("form", [JAVA, PYTHON])
def test_a_stack_trace_is_one_line_and_its_place_counts_not_its_numbers(form: bytes) -> None:
    one, other = one_line(form % (5, 12)), one_line(form % (6, 13))
    assert b"\n" not in one
    assert b"disk" in one
    assert one.split(b" stack:")[1] == other.split(b" stack:")[1]
    elsewhere = one_line(form.replace(b"run", b"stop") % (5, 12))
    assert elsewhere.split(b" stack:")[1] != one.split(b" stack:")[1]


def test_other_records_of_several_lines_stay_as_they_are() -> None:
    assert one_line(b"SELECT a\nFROM b\nWHERE c") == b"SELECT a\nFROM b\nWHERE c"
    assert one_line(b"") == b""


def test_the_miner_sees_a_stack_trace_as_one_line() -> None:
    subject = TemplateMiner(100, 100)
    index = subject.mine([JAVA % (n, n) for n in range(5)], np.zeros(5, np.int64))
    assert set(index.tolist()) == {0}
    assert subject.describe(0).text.startswith("java.io.IOException: disk <*> full stack:")


@settings(deadline=None)
@given(st.binary(max_size=300))
def test_any_bytes_are_one_record(line: bytes) -> None:
    assert isinstance(one_line(line), bytes)
