"""The probes of templates: at which place a line must have which word to be worth comparing, and who has such a probe.

Two chains lead through the standing templates of a bucket: those with their probe at the same place, for lines that have there what may be a value;
and of these the ones with the same word. Templates of values only are at the place after the last, with a hash of them all for a word.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np

from detectors.kernel import device
from detectors.template_index import NOWHERE, PLACE_WORDS, PROBES, SOFT, TEMPLATES, WILD, Index, place_of
from detectors.tokens import I64, MASKED, ONE, SEED, U64, ZERO, Flag, fold

WORD_BITS: Final = 6
WORD_LAST: Final = np.uint64(63)


@device
def bucket_key(service: int, length: int) -> U64:
    """The templates of one service and length."""
    return fold(fold(SEED, np.uint64(service)) | ONE, np.uint64(length)) | ONE


@device
def place_key(bucket: U64, place: int) -> U64:
    """The probes of a bucket at a place."""
    return fold(bucket, np.uint64(place)) | ONE


@device
def word_key(bucket: U64, place: int, word: U64) -> U64:
    """The probes of a bucket for a word at a place."""
    return fold(place_key(bucket, place), word) | ONE


@device
def has_place(bucket: int, place: int, index: Index) -> Flag:
    """Whether a template of the bucket may have its probe there."""
    word = index.bucket_places[bucket * PLACE_WORDS + (place >> WORD_BITS)]
    return bool((word >> (np.uint64(place) & WORD_LAST)) & ONE)


@device
def first_of(key: U64, index: Index) -> I64:
    """The first template of a chain, NOWHERE for none."""
    at = place_of(index.probe_key, key)
    return np.int64(index.probe_head[at]) if index.probe_key[at] != ZERO else np.int64(NOWHERE)


@device
def _head(key: U64, index: Index) -> I64:
    """Where the first template of a chain is kept; makes room for it when it is new."""
    at = place_of(index.probe_key, key)
    if index.probe_key[at] == ZERO:
        index.probe_key[at] = key
        index.probe_head[at] = NOWHERE
        index.counts[PROBES] += 1
    return at


@device
def _link(i: int, index: Index) -> None:
    row = index.template[i]
    bucket = bucket_key(row.service, row.length)
    place = row.probe
    at = _head(place_key(bucket, place), index)
    row.beside = index.probe_head[at]
    index.probe_head[at] = i
    at = _head(word_key(bucket, place, row.probe_hash), index)
    row.alike = index.probe_head[at]
    index.probe_head[at] = i
    if place < row.length:
        home = place_of(index.bucket_key, bucket)
        index.bucket_places[home * PLACE_WORDS + (place >> WORD_BITS)] |= ONE << (np.uint64(place) & WORD_LAST)


@device
def unlink(i: int, index: Index) -> None:
    """Take a template out of the chains: it was merged, or its probe changes."""
    template: Any = index.template
    row = template[i]
    if row.probe == NOWHERE:
        return
    bucket = bucket_key(row.service, row.length)
    place = row.probe
    at, before = place_of(index.probe_key, place_key(bucket, place)), NOWHERE
    j: Any = index.probe_head[at]
    while j != i:
        before, j = j, template[j].beside
    if before == NOWHERE:
        index.probe_head[at] = row.beside
    else:
        template[before].beside = row.beside
    at, before = place_of(index.probe_key, word_key(bucket, place, row.probe_hash)), NOWHERE
    j = index.probe_head[at]
    while j != i:
        before, j = j, template[j].alike
    if before == NOWHERE:
        index.probe_head[at] = row.alike
    else:
        template[before].alike = row.alike
    row.probe = NOWHERE


@device
def _link_all_anew(index: Index) -> None:
    """Drop the keys of chains that are empty by now."""
    index.probe_key[:] = ZERO
    index.counts[PROBES] = 0
    for i in range(index.counts[TEMPLATES]):
        if index.template[i].parent == i and index.template[i].probe != NOWHERE:
            _link(i, index)


@device
def aim(i: int, index: Index) -> None:
    """Choose the probe of template `i`: its last slot that only a value or the same word can meet (first places are crowded)."""
    row = index.template[i]
    place, word = row.length, SEED
    for j in range(row.length):
        word = fold(word, index.slot[row.first + j].hash)
    for j in range(row.length - 1, -1, -1):
        slot = index.slot[row.first + j]
        if slot.hash != WILD and slot.key == ZERO and slot.marks & (SOFT | MASKED) == 0:
            place, word = j, slot.hash
            break
    if row.probe == place and row.probe_hash == word:
        return
    unlink(i, index)
    if 2 * index.counts[PROBES] + 4 >= index.probe_key.size:
        _link_all_anew(index)
    row.probe = place
    row.probe_hash = word
    _link(i, index)
