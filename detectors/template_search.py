"""How a line finds its template: which places may differ, and how well they agree."""

from __future__ import annotations

from typing import Any, Final

from detectors.kernel import device
from detectors.template_index import COMPARED, CROWDED, KNOWN, PLAIN, POLAR, SIMILAR, SOFT, WILD, Index
from detectors.template_judge import is_known
from detectors.template_probe import first_of, has_place, place_key, word_key
from detectors.tokens import F64, LETTERS, SEED, SMALL, U64, ZERO, Flag, Tokens, fold

YIELDING = SOFT | CROWDED | KNOWN  # flags of a token that may stand where a template has another word
AS_IS: Final = 10.0  # a similarity from here on: the line fits without any change
COMPARED_MAX: Final = 32
"""Templates that one line is compared with at most: it takes a flood of lines without a shape to get there."""


@device
def _may_differ(slot: Any, j: int, seed: U64, tokens: Tokens, index: Index) -> Flag:
    """Whether place `j` is soft: one side looks like a value, both are names with a number, or both were values before."""
    if (slot.marks | tokens.flags[j]) & (SOFT | CROWDED):
        return True
    if slot.marks & tokens.flags[j] & SMALL:
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
            if s.key != ZERO:
                if s.key != tokens.key[j]:
                    return -1.0
                anchors += 1
                equal += 0.5
        elif s.key != ZERO and s.key == tokens.key[j]:
            anchors += 1
            equal += 1.0
            differ += 0.25
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

    First those with the line's own word at their probe; only when none of these fits as it is, those that a value of the line may meet. A
    line of values only never changes a template, so that only one that is equal can be its own.
    Of very many that may fit only some are compared.
    """
    template: Any = index.template
    best, similarity, whole, anchored = -1, 0.0, SEED, False
    key, last = index.bucket_key[bucket], index.counts[COMPARED] + COMPARED_MAX
    for j in range(length):
        whole = fold(whole, tokens.hash[j])
        anchored |= tokens.flags[j] & PLAIN == LETTERS or tokens.key[j] != ZERO
    for place in range(length, -1, -1):
        if place == length or has_place(bucket, place, index):
            i = first_of(word_key(key, place, whole if place == length else tokens.hash[place]), index)
            while i >= 0 and index.counts[COMPARED] < last:
                best, similarity = _better(i, length, seed, tokens, index, best, similarity)
                i = template[i].alike
    if similarity >= AS_IS or not anchored:
        return best, similarity
    for place in range(length, -1, -1):
        if place == length or (has_place(bucket, place, index) and tokens.flags[place] & YIELDING):
            i = first_of(place_key(key, place), index)
            while i >= 0 and index.counts[COMPARED] < last:
                best, similarity = _better(i, length, seed, tokens, index, best, similarity)
                i = template[i].beside
    return best, similarity
