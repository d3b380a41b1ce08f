"""What is known of templates: by their numbers, also when many of them were forgotten."""

from __future__ import annotations

import numpy as np

from engine.detect.firsts import Firsts
from engine.records import Series

MINUTE_NS = 60_000_000_000
SERIES = Series(key=b"s", name="s", labels=(), entity="")


def lines(firsts: Firsts, templates: list[int], minute: int, born: int) -> None:
    count = len(templates)
    firsts.take(np.array(templates, np.int32), np.zeros(count, np.int64), np.full(count, minute * MINUTE_NS), born)


def known() -> Firsts:
    firsts = Firsts(0)
    firsts.add_stream(SERIES, 0)
    lines(firsts, [0, 1, 1, -1, 3], 1, 5)
    return firsts


def test_what_was_forgotten_leaves_the_others_as_they_were():
    firsts = known()
    firsts.forget(np.array([1, 4], np.int32))
    lines(firsts, [1, 5, -1], 2, 6)
    assert firsts.seen.tolist() == [[1, 2 * MINUTE_NS, 3], [4, 0, 0], [5, 2 * MINUTE_NS, 1]]


def test_a_template_that_merged_into_a_forgotten_one_changes_nothing():
    firsts = known()
    firsts.forget(np.array([1], np.int32))
    firsts.merged(0, 1)
    firsts.merged(1, 3)
    assert firsts.seen.tolist() == [[1, MINUTE_NS, 2]]


def test_restored_in_the_middle_it_goes_on_the_same():
    """Also where the newest templates were given to no line, and where the last of all were forgotten."""
    whole, again = known(), Firsts(0)
    whole.forget(np.array([0, 1], np.int32))
    again.restore(whole.saved, whole.seen.copy(), 5)
    for one in (whole, again):
        lines(one, [0, 6], 3, 7)
    assert whole.seen.tolist() == again.seen.tolist()
