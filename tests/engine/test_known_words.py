"""Words are numbered as they come, are found again, and can be saved, torn and taken over."""

import numpy as np
import pytest

from engine.records import Coded
from engine.words import MISSED, Words

KEYS = [b'cpu{host="a"}', b'cpu{host="b"}', b'mem{host="a"}', b"", b"plain", b'cpu{host="a"}', b"odd{{"]


def test_words_are_numbered_as_they_come_and_found_again():
    words = Words()
    assert words.codes(KEYS).tolist() == [0, 1, 2, 3, 4, 0, 5]
    assert (words.code(b"plain"), words.find(b"plain"), words.find(b"new"), len(words)) == (4, 4, MISSED, 6)
    assert words.words(np.array([5, 0, 3])) == [b"odd{{", KEYS[0], b""]
    coded = Coded(words, words.codes(KEYS))
    assert (list(coded), coded[6], list(coded[1:3])) == (KEYS, b"odd{{", KEYS[1:3])


def test_thousands_keep_their_numbers_while_the_table_grows():
    words, keys = Words(), [b'm%d{h="%d"}' % (n % 20, n) for n in range(5_000)]
    for begin in range(0, len(keys), 700):
        words.codes(keys[begin : begin + 700])
    assert words.find_all(keys).tolist() == list(range(5_000))
    assert words.words(np.arange(4_990, 5_000)) == keys[4_990:]


def test_words_of_another_are_found_and_taken_over():
    one, other = Words(), Words()
    one.codes(KEYS)
    other.codes([b"plain", b"new"])
    assert other.translated(one, np.array([4, 0])).tolist() == [0, MISSED]
    assert other.take(one, np.array([0, 4, 2])).tolist() == [2, 0, 3]
    assert other.words(np.arange(4)) == [b"plain", b"new", KEYS[0], KEYS[2]]


def test_saved_and_restored_they_are_the_same_and_what_is_torn_is_refused():
    one, other = Words(), Words()
    one.codes(KEYS)
    saved = one.saved()
    other.restore(saved)
    assert other.find_all(KEYS).tolist() == one.find_all(KEYS).tolist()
    for name, torn in (
        ("arena", saved["arena"][:-1]),
        ("first", saved["first"][:-1]),
        ("second", saved["second"] + 100),
        ("start", saved["start"][::-1]),
        ("start", saved["start"][:0]),
    ):
        with pytest.raises(ValueError, match="torn"):
            Words().restore({**saved, name: torn})
