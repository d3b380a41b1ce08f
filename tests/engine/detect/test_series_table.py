"""Laws of the table of series."""

import numpy as np
import pytest

from engine.config.tree import Detect
from engine.detect.doorkeeper import Refusal
from engine.detect.gates import Policies
from engine.detect.series import ASIDE, SeriesTable
from engine.detect.titles import REFUSED
from engine.errors import StateError
from engine.records import Coded, Series
from engine.words import Words

MINUTE_NS = 60_000_000_000


def table(series_max: int = 100) -> SeriesTable:
    return SeriesTable(series_max, Policies(Detect()))


def series(name: str) -> Series:
    return Series(key=name.encode(), name=name, labels=(("a", "b"),), entity="cart")


def test_slots_are_given_lowest_first_and_given_back():
    t = table()
    assert [t.admit(series(n)) for n in "abc"] == [0, 1, 2]
    t.release(1)
    t.release(0)
    assert [t.admit(series(n)) for n in "de"] == [0, 1]
    assert t.lookup([b"c", b"a", b"e"]).tolist() == [2, REFUSED, 1]


def test_what_is_set_aside_is_found_by_its_number_however_keys_come_and_takes_no_slot():
    t, words = table(1), Words()
    keys = Coded(words, np.array([words.code(b"a"), words.code(b"b")]))
    assert t.lookup(keys).tolist() == [REFUSED, REFUSED]
    t.set_aside(b"b", ASIDE - 7)
    assert t.admit(series("a")) == 0
    assert t.lookup(keys).tolist() == t.lookup(list(keys)).tolist() == [0, ASIDE - 7]
    t.set_aside(b"b", ASIDE - 8)
    assert (t.lookup(keys)[1], len(t)) == (ASIDE - 8, 1)
    t.take_back(b"b")
    assert t.lookup(keys).tolist() == t.lookup(list(keys)).tolist() == [0, REFUSED]


def test_a_full_table_refuses():
    t = table(2)
    assert [t.admit(series(n)) for n in "abc"] == [0, 1, Refusal.FULL]
    assert len(t) == 2


def test_it_grows_and_keeps_what_it_has():
    t = table(1000)
    for n in range(1000):
        assert t.admit(series(f"s{n}")) == n
        t.rows["silent"][n] = n % 100
    assert t.rows["silent"].tolist() == [n % 100 for n in range(1000)]
    assert t.at(999).name == "s999"


def test_an_empty_slot_has_no_series():
    t = table()
    t.admit(series("a"))
    t.release(0)
    with pytest.raises(ValueError, match="empty"):
        t.at(0)


def test_the_hand_finds_every_idle_series_in_time():
    t = table(5000)
    for n in range(3000):
        t.admit(series(f"s{n}"))
        t.rows["values"]["last_ns"][n] = n * 10 * MINUTE_NS
    found = set()
    for turn in range(4):
        found |= set(t.idle(14_991 * MINUTE_NS + turn * MINUTE_NS))
    assert found == set(range(1500))


def test_saved_and_restored_it_is_the_same():
    t = table()
    for n in "abcde":
        t.admit(series(n))
    t.release(3)
    t.release(1)
    other = table()
    other.restore(t.snapshot())
    assert other.snapshot().keys() == t.snapshot().keys()
    assert all(np.array_equal(column, t.snapshot()[name]) for name, column in other.snapshot().items())
    assert other.admit(series("x")) == t.admit(series("x")) == 1


def test_a_table_larger_than_allowed_is_refused():
    t = table()
    for n in "abcde":
        t.admit(series(n))
    with pytest.raises(StateError):
        table(3).restore(t.snapshot())
