"""How a line finds its template: what its tokens are like, which places may differ, and how well they agree."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from detectors.kernel import device
from detectors.template_index import (
    COMPARED,
    CROWDED,
    FAN_WORDS,
    FANS,
    KNOWN,
    NAMED,
    PLAIN,
    POLAR,
    SIMILAR,
    SOFT,
    VALUES,
    WILD,
    Index,
    place_of,
)
from detectors.template_probe import first_of, has_place, place_key, word_key
from detectors.tokens import (
    CLASS,
    F64,
    HEX,
    LETTER,
    LETTERS,
    MASKED,
    ODD,
    ONE,
    PRIME,
    SEED,
    SMALL,
    TOKENS_MAX,
    U64,
    ZERO,
    Flag,
    Tokens,
    finish,
    fold,
)
from detectors.words import IS_NAMING, IS_POLAR, NEITHER, kind_of_token

YIELDING = SOFT | CROWDED | KNOWN  # flags of a token that may stand where a template has another word
AS_IS: Final = 10.0  # a similarity from here on: the line fits without any change
COMPARED_MAX: Final = 100
"""Templates that one line is compared with at most: it takes a flood of lines without a shape to get there."""
LOW_HALF = np.uint64(0xFFFFFFFF)


@device
def judge_tokens(buffer: NDArray[np.uint8], length: int, seed: U64, tokens: Tokens, index: Index) -> None:
    """Add to the flags of a line's tokens what only a search needs: POLAR, SOFT, NAMED, KNOWN, CROWDED."""
    naming = False
    for j in range(length):
        flags = tokens.flags[j]
        kind = kind_of_token(buffer, tokens.start[j], tokens.end[j])
        if kind == IS_POLAR:
            flags |= POLAR
        elif naming and kind == NEITHER and flags & (MASKED | LETTERS) == LETTERS:
            flags |= NAMED | SOFT
            learn_word(seed, tokens.hash[j], index)
        if flags & ODD or flags & (MASKED | SMALL) == MASKED:
            flags |= SOFT
        elif j > 0 and _is_crowded(seed, length, j, tokens, index):
            flags |= CROWDED
        if is_known(seed, tokens.hash[j], index):
            flags |= KNOWN
        tokens.flags[j] = flags
        naming = kind == IS_NAMING and tokens.key[j] == ZERO
        if kind != IS_POLAR and tokens.key[j] != ZERO:
            learn_value(buffer, tokens.start[j], tokens.end[j], seed, index)


@device
def is_known(seed: U64, word: U64, index: Index) -> Flag:
    """Whether the service used this word as a value before."""
    return index.value_word[place_of(index.value_word, fold(seed, word) | ONE)] != ZERO


@device
def learn_word(seed: U64, word: U64, index: Index) -> None:
    """Remember a word that a service used as a value; a table that is half full learns no more."""
    key = fold(seed, word) | ONE
    at = place_of(index.value_word, key)
    if index.value_word[at] == ZERO and 2 * index.counts[VALUES] < index.value_word.size:
        index.value_word[at] = key
        index.counts[VALUES] += 1


@device
def learn_value(buffer: NDArray[np.uint8], start: int, end: int, seed: U64, index: Index) -> None:
    """Remember the word after `user=` and the like, when it is letters only."""
    at = start
    while at < end and buffer[at] != 61:
        at += 1
    if kind_of_token(buffer, start, at) != IS_NAMING:
        return
    h = SEED
    for i in range(at + 1, end):
        if CLASS[buffer[i]] != HEX and CLASS[buffer[i]] != LETTER:
            return
        h = (h ^ np.uint64(buffer[i])) * PRIME
    learn_word(seed, finish(h) | ONE, index)


@device
def _fan_key(seed: U64, length: int, j: int, tokens: Tokens) -> U64:
    before = tokens.hash[j - 1] if j > 0 else SEED
    return fold(fold(seed, np.uint64(length * TOKENS_MAX + j)), before) | ONE


@device
def _is_crowded(seed: U64, length: int, j: int, tokens: Tokens, index: Index) -> Flag:
    at = place_of(index.fan_key, _fan_key(seed, length, j, tokens))
    return index.fan_key[at] != ZERO and index.fan_size[at] >= FAN_WORDS


@device
def note_fans(seed: U64, length: int, tokens: Tokens, index: Index) -> None:
    """Count the words of a new template among those seen in their places. A full table learns no new places."""
    for j in range(1, length):
        if tokens.flags[j] & SOFT:
            continue
        key = _fan_key(seed, length, j, tokens)
        at = place_of(index.fan_key, key)
        if index.fan_key[at] == ZERO:
            if 2 * index.counts[FANS] >= index.fan_key.size:
                continue
            index.fan_key[at] = key
            index.fan_size[at] = 0
            index.counts[FANS] += 1
        size, word = index.fan_size[at], np.uint32(tokens.hash[j] & LOW_HALF)
        known = size >= FAN_WORDS
        for k in range(size):
            known |= index.fan_token[at * FAN_WORDS + k] == word
        if not known:
            index.fan_token[at * FAN_WORDS + size] = word
            index.fan_size[at] = size + 1


@device
def _may_differ(slot: Any, j: int, seed: U64, tokens: Tokens, index: Index) -> Flag:
    """Whether place `j` is soft: one side looks like a value, both follow the same `key=`, or both were values before."""
    if (slot.marks | tokens.flags[j]) & (SOFT | CROWDED):
        return True
    if slot.key != ZERO and slot.key == tokens.key[j]:
        return True
    return bool(tokens.flags[j] & KNOWN) and is_known(seed, slot.hash, index)


@device
def _similarity(first: int, length: int, seed: U64, tokens: Tokens, index: Index) -> F64:
    """How well a line fits the template whose slots begin at `first`: -1 not at all, > 10 without any change."""
    equal, differ, anchors = 0.0, 0.0, 0
    for j in range(length):
        s = index.slot[first + j]
        if s.hash == tokens.hash[j]:
            plain = s.marks & PLAIN == LETTERS
            anchors += plain
            equal += 1.0 if plain else (0.5 if s.marks & LETTERS else 0.2)
        elif (s.marks | tokens.flags[j]) & POLAR:
            return -1.0
        elif s.hash == WILD:
            continue
        elif _may_differ(s, j, seed, tokens, index):
            differ += 0.5
        else:
            return -1.0
    if differ == 0.0:
        return AS_IS + equal
    if anchors == 0 or equal < SIMILAR * (equal + differ):
        return -1.0
    return equal / (equal + differ)


@device
def _better(i: int, length: int, seed: U64, tokens: Tokens, index: Index, best: int, similarity: float) -> tuple[int, float]:
    """The better of template `i` and the best so far; of two that are as good, the younger."""
    index.counts[COMPARED] += 1
    other = _similarity(index.template[i].first, length, seed, tokens, index)
    if other > similarity or (other == similarity and i > best >= 0):
        return i, other
    return best, similarity


@device
def search(bucket: int, length: int, seed: U64, tokens: Tokens, index: Index) -> tuple[int, float]:
    """The best template of a bucket and its similarity; (-1, 0) for none.

    First those with the line's own word at their probe; only when none of these fits as it is, those that a value of the line may meet.
    Of very many that may fit only some are compared.
    """
    template: Any = index.template
    best, similarity = -1, 0.0
    key, last = index.bucket_key[bucket], index.counts[COMPARED] + COMPARED_MAX
    for place in range(length - 1, -1, -1):
        if has_place(bucket, place, index):
            i = first_of(word_key(key, place, tokens.hash[place]), index)
            while i >= 0 and index.counts[COMPARED] < last:
                best, similarity = _better(i, length, seed, tokens, index, best, similarity)
                i = template[i].alike
    if similarity >= AS_IS:
        return best, similarity
    for place in range(length, -1, -1):
        if place == length or (has_place(bucket, place, index) and tokens.flags[place] & YIELDING):
            i = first_of(place_key(key, place), index)
            while i >= 0 and index.counts[COMPARED] < last:
                best, similarity = _better(i, length, seed, tokens, index, best, similarity)
                i = template[i].beside
    return best, similarity
