"""Texts in two pieces against a dictionary, and the keyed hash against its definition."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from detectors import pairs

SECRET = (0x0706050403020100, 0x0F0E0D0C0B0A0908)


def _joined(texts):
    buffer = np.frombuffer(b"".join((*texts, bytes(pairs.PADDING))), np.uint8)
    return buffer, np.cumsum(np.fromiter(map(len, texts), np.int64, len(texts)))


def _numbers(table, texts, *, learn):
    number = np.empty(len(texts), np.int64)
    pairs.number_texts(table, *_joined(texts), int(learn), number)
    return number.tolist()


def _siphash_1_3(text, low, high):
    """As its authors define it, over whole numbers of any size."""
    mask = 2**64 - 1
    v = [low ^ 0x736F6D6570736575, high ^ 0x646F72616E646F6D, low ^ 0x6C7967656E657261, high ^ 0x7465646279746573]

    def turn(word, bits):
        return (word << bits | word >> (64 - bits)) & mask

    def round_():
        v[0], v[2] = v[0] + v[1] & mask, v[2] + v[3] & mask
        v[1], v[3] = turn(v[1], 13) ^ v[0], turn(v[3], 16) ^ v[2]
        v[0] = turn(v[0], 32)
        v[2], v[0] = v[2] + v[1] & mask, v[0] + v[3] & mask
        v[1], v[3] = turn(v[1], 17) ^ v[2], turn(v[3], 21) ^ v[0]
        v[2] = turn(v[2], 32)

    padded = text + bytes(-(len(text) + 1) % 8) + bytes([len(text) % 256])
    for at in range(0, len(padded), 8):
        word = int.from_bytes(padded[at : at + 8], "little")
        v[3] ^= word
        round_()
        v[0] ^= word
    v[2] ^= 0xFF
    for _ in range(3):
        round_()
    return v[0] ^ v[1] ^ v[2] ^ v[3]


@given(st.binary(max_size=40))
def test_the_hash_is_siphash(text):
    buffer, _ = _joined([text])
    assert int(pairs.keyed_hash(buffer, 0, len(text), np.array(SECRET, np.uint64))) == _siphash_1_3(text, *SECRET)


TEXTS = st.lists(st.sampled_from([b"", b"{", b"a", b"ab", b"a{", b"a{b", b"a{b{", b"{b", b"ab{b"]) | st.binary(max_size=20))


@settings(max_examples=50)
@given(TEXTS, TEXTS)
def test_texts_have_the_numbers_that_a_dictionary_would_give_them(first, second):
    table, known = pairs.table(256, 128, 1 << 12, SECRET), {}
    expected = [known.setdefault(text, len(known)) for text in first]
    assert _numbers(table, first, learn=True) == expected
    assert _numbers(table, second, learn=False) == [known.get(text, pairs.MISSED) for text in second]


@settings(max_examples=30)
@given(TEXTS)
def test_a_copy_knows_the_same_and_a_table_of_another_secret_finds_what_is_translated(texts):
    table = pairs.table(256, 128, 1 << 12, SECRET)
    numbers = _numbers(table, texts, learn=True)
    copied, other = pairs.table(512, 256, 1 << 13, SECRET), pairs.table(256, 128, 1 << 12, (5, 7))
    pairs.copy(table, copied)
    assert _numbers(copied, texts, learn=False) == numbers
    which, found = np.array(numbers[::-1], np.int64), np.empty(len(texts), np.int64)
    pairs.translate(table, which, other, 1, found)
    assert _numbers(other, texts[::-1], learn=False) == found.tolist()


def test_what_has_no_room_is_missed_and_what_is_known_stays_known():
    table = pairs.table(4, 2, 1 << 6, SECRET)
    assert _numbers(table, [b"a{1}", b"b{1}", b"c{1}", b"a{1}"], learn=True) == [0, 1, pairs.MISSED, 0]
    tight = pairs.table(64, 64, 20 + pairs.PADDING, SECRET)
    assert _numbers(tight, [b"x" * 15, b"y" * 15, b"x" * 15], learn=True) == [0, pairs.MISSED, 0]
