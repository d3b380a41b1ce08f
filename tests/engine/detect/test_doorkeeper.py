"""Who gets a place in the table of series, and who does not."""

from engine.config.tree import Detect
from engine.detect.doorkeeper import CALM_MAX, MET_MAX, Doorkeeper, Refusal
from engine.detect.gates import Policies
from engine.detect.series import REFUSED, SeriesTable
from engine.records import Series, Signal, series_key


def series(name, host="h", signal=Signal.METRIC):
    labels = (("host", host),)
    return Series(key=series_key(name, labels), name=name, labels=labels, entity=host, signal=signal)


def table(series_max, per_name_max):
    return SeriesTable(series_max, Policies(Detect()), Doorkeeper(series_max, per_name_max))


def test_a_name_that_explodes_takes_no_place_from_others():
    t = table(100, 10)
    told = [t.admit(series("session", f"s{n}")) for n in range(50)]
    assert told == [*range(10), *[Refusal.NAME_FULL] * 40]
    assert [t.admit(series("cpu", f"h{n}")) for n in range(5)] == [10, 11, 12, 13, 14]


def test_a_place_that_is_given_back_is_there_for_its_name_again():
    t = table(100, 2)
    assert [t.admit(series("m", f"h{n}")) for n in range(3)] == [0, 1, Refusal.NAME_FULL]
    t.release(0)
    assert t.admit(series("m", "h2")) == 0


def test_when_half_is_taken_a_series_must_come_twice():
    t = table(2 * CALM_MAX, 2 * CALM_MAX)
    assert [t.admit(series("m", f"h{n}")) for n in range(CALM_MAX)] == list(range(CALM_MAX))
    assert t.admit(series("m", "late")) is Refusal.MET_ONCE
    assert t.admit(series("m", "later")) is Refusal.MET_ONCE
    assert t.admit(series("m", "late")) == CALM_MAX


def test_series_of_our_own_need_not_come_twice():
    t = table(4, 4)
    told = [t.admit(series("log", f"h{n}", Signal.LOG)) for n in range(6)]
    assert told == [0, 1, 2, 3, Refusal.FULL, Refusal.FULL]


def test_names_made_up_for_one_sample_take_no_more_than_half_and_no_memory():
    t = table(2 * CALM_MAX, 2 * CALM_MAX)
    for n in range(3 * MET_MAX):
        t.admit(series("attack", f"x{n}"))
    assert len(t) == CALM_MAX
    saved = t.snapshot()
    assert len(saved["met"]) + len(saved["met_before"]) <= 2 * MET_MAX
    assert t.admit(series("cpu", "new")) is Refusal.MET_ONCE
    assert t.admit(series("cpu", "new")) == CALM_MAX


def test_what_came_once_is_known_after_a_restart():
    t = table(3 * CALM_MAX, 2 * CALM_MAX)
    for n in range(3 * CALM_MAX // 2):
        t.admit(series("m", f"h{n}"))
    t.admit(series("m", "late"))
    again = table(3 * CALM_MAX, 3 * CALM_MAX // 2 + 1)
    again.restore(t.snapshot())
    assert again.admit(series("m", "other")) is Refusal.MET_ONCE
    assert again.admit(series("m", "late")) == 3 * CALM_MAX // 2
    assert again.admit(series("m", "other")) is Refusal.NAME_FULL
    assert again.slot_of(series("m", "other").key) == REFUSED
