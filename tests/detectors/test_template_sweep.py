"""The laws of forgetting: only what is idle, only where it is crowded, never a number twice, wherever the stream is cut."""

from __future__ import annotations

import numpy as np

from detectors.template_index import LINES
from detectors.template_sweep import IDLE_LINES, IDLE_TIMES_MAX, SWEEP_LINES
from detectors.templates import FORGOTTEN, NO_TEMPLATE, TemplateMiner


def named(*names: str) -> list[bytes]:
    return [f"q{name} r{name} s{name}".encode() for name in names]


FLOOD = named("aa", "bb", "cc", "dd", "ee")
LATER = named("vv", "ww")


def mined(subject: TemplateMiner, lines: list[bytes], service: int = 0) -> list[int]:
    return subject.mine(lines, np.full(len(lines), service, np.int64)).tolist()


def many_lines_later(subject: TemplateMiner, lines: int = 8 * IDLE_LINES) -> TemplateMiner:
    """As if that many lines of other templates had come."""
    subject._index.counts[LINES] += lines
    return subject


def test_a_flood_does_not_blind_a_service_for_good() -> None:
    subject = TemplateMiner(100, 5)
    assert mined(subject, FLOOD + LATER) == [0, 1, 2, 3, 4, NO_TEMPLATE, NO_TEMPLATE]
    many_lines_later(subject)
    assert mined(subject, LATER) == [5, 6]
    assert len(subject) == 7
    assert subject.describe(6).text == "qww rww sww"
    assert subject.describe(0) == FORGOTTEN
    assert subject.resolve(np.array([0, 5, NO_TEMPLATE], np.int32)).tolist() == [0, 5, NO_TEMPLATE]


def test_what_was_seen_lately_is_kept() -> None:
    subject = TemplateMiner(100, 5)
    mined(subject, FLOOD)
    many_lines_later(subject)
    assert mined(subject, FLOOD[1:3]) == [1, 2]
    assert mined(subject, LATER) == [5, 6]
    assert mined(subject, FLOOD[1:3]) == [1, 2]
    assert [subject.describe(number).lines for number in (1, 2)] == [3, 3]
    many_lines_later(subject, SWEEP_LINES // 2)
    assert mined(subject, FLOOD[3:] + FLOOD[:1]) == [7, NO_TEMPLATE, NO_TEMPLATE]


def test_what_was_seen_often_is_kept_longer() -> None:
    subject = TemplateMiner(100, 5)
    mined(subject, FLOOD + FLOOD[:1] * IDLE_TIMES_MAX)
    many_lines_later(subject)
    assert mined(subject, LATER + FLOOD[:1]) == [5, 6, 0]
    many_lines_later(subject, 2 * IDLE_TIMES_MAX * IDLE_LINES)
    mined(subject, FLOOD[1:])
    assert subject.describe(0) == FORGOTTEN


def test_a_crowded_service_costs_no_other_a_template() -> None:
    subject = TemplateMiner(100, 5)
    assert mined(subject, FLOOD[:2], service=1) == [0, 1]
    mined(subject, FLOOD)
    many_lines_later(subject)
    assert mined(subject, LATER) == [7, 8]
    assert mined(subject, FLOOD[:2], service=1) == [0, 1]


def test_in_a_full_shard_those_with_more_than_their_share_pay() -> None:
    subject = TemplateMiner(6, 5)
    mined(subject, FLOOD[:1], service=1)
    mined(subject, FLOOD)
    many_lines_later(subject)
    assert mined(subject, LATER, service=2) == [6, 7]
    assert mined(subject, FLOOD[:1], service=1) == [0]


def test_a_template_that_stands_for_others_is_as_young_as_the_youngest() -> None:
    subject = TemplateMiner(100, 8)
    lines = [b"shipping parcel for %s today" % word for word in (b"anna", b"bert", b"carl", b"dora", b"emil")]
    index = mined(subject, lines)
    mined(subject, named("aa", "bb", "cc", "dd"))
    many_lines_later(subject, 4 * IDLE_LINES)
    assert mined(subject, lines[1:2]) == [0]
    many_lines_later(subject, 4 * IDLE_LINES)
    assert mined(subject, LATER)[-1] >= 0
    assert mined(subject, lines) == [0] * 5
    assert subject.resolve(np.array(index, np.int32)).tolist()[0] == 0


def test_neither_cuts_nor_a_restart_show() -> None:
    whole, parts = TemplateMiner(100, 5), TemplateMiner(100, 5)
    mined(whole, FLOOD)
    mined(parts, FLOOD)
    many_lines_later(whole)
    restarted = TemplateMiner(100, 5)
    restarted.restore(many_lines_later(parts).snapshot())
    lines = FLOOD[3:] + LATER + FLOOD[:2] + LATER
    assert [mined(restarted, [line])[0] for line in lines] == mined(whole, lines)
    before, after = whole.snapshot(), restarted.snapshot()
    assert all(np.array_equal(before[name], after[name]) for name in before)
    again = TemplateMiner(100, 5)
    again.restore(before)
    assert mined(again, lines) == mined(whole, lines)


def test_a_template_is_new_after_all_numbers_that_were_ever_given() -> None:
    subject = TemplateMiner(100, 5)
    mined(subject, FLOOD)
    many_lines_later(subject)
    template = subject.mine([b"took 7 ms"], np.zeros(1, np.int64))
    assert template.tolist() == [5]
