"""How templates change: they give way in soft places, take in what they cover, and unite when they differ in one word."""

from __future__ import annotations

from typing import Any

import numpy as np

from detectors.kernel import device
from detectors.template_index import HOLE_ROOM, HOLE_WORDS, HOLES, PLAIN, POLAR, WILD, Index, place_of, survivor
from detectors.template_judge import learn_word
from detectors.template_probe import aim, unlink
from detectors.tokens import I64, LETTERS, ONE, TOKENS_MAX, U64, ZERO, Flag, Tokens, fold


@device
def _loosen_by(i: int, other: int, index: Index) -> None:
    """Note which small digits of template `i` another one, merged into it, does not have."""
    first, others = index.template[i].first, index.template[other].first
    for j in range(index.template[i].length):
        slot = index.slot[first + j]
        if slot.digits != ZERO and slot.digits != index.slot[others + j].digits:
            slot.digits = ZERO
            index.template[i].open -= 1


@device
def _merge(index: Index, away: int, into: int) -> None:
    index.template[away].parent = into
    unlink(away, index)
    index.template[into].lines += index.template[away].lines
    index.template[into].seen = max(index.template[into].seen, index.template[away].seen)
    _loosen_by(into, away, index)


@device
def _covers(general: Any, slot: Any) -> Flag:
    """Whether all that may stand in a slot may stand in a more general one."""
    if general.hash != WILD:
        return bool(general.hash == slot.hash)
    return bool(slot.marks & POLAR == 0 and general.key in (ZERO, slot.key))


@device
def _widen(slot: Any, key: U64) -> None:
    """Make a slot wild that has met another word; its key stays while all had the same."""
    slot.hash = WILD
    if slot.key != key:
        slot.key = ZERO


@device
def absorb(bucket: int, general: int, index: Index) -> None:
    """Merge every template of the bucket that `general` covers into it; drops merged ones from the list on the way."""
    length, first = index.template[general].length, index.template[general].first
    before, i = -1, index.bucket_head[bucket]
    while i >= 0:
        following = index.template[i].next
        if index.template[i].parent != i:
            if before < 0:
                index.bucket_head[bucket] = following
            else:
                index.template[before].next = following
            i = following
            continue
        before = i
        if i != general:
            other, covered = index.template[i].first, True
            for j in range(length):
                covered = _covers(index.slot[first + j], index.slot[other + j])
                if not covered:
                    break
            if covered:
                _merge(index, i, general)
        i = following


@device
def _whole(seed: U64, i: int, index: Index) -> tuple[U64, int]:
    """A sum over the slots of a template from which one slot can be taken away again, and its anchor words."""
    first, length, total, anchors = index.template[i].first, index.template[i].length, seed, 0
    for j in range(length):
        slot = index.slot[first + j]
        total += fold(slot.key if slot.hash == WILD else slot.hash, np.uint64(j))
        anchors += slot.hash != WILD and slot.marks & PLAIN == LETTERS
    return total, anchors


@device
def _hole(key: U64, index: Index) -> I64:
    """The place of a hole; makes it when it is new, and empties a table that is half full first."""
    at = place_of(index.hole_key, key)
    if index.hole_key[at] == ZERO:
        if 2 * index.counts[HOLES] >= index.hole_key.size:
            index.hole_key[:] = ZERO
            index.counts[HOLES] = 0
            at = place_of(index.hole_key, key)
        index.hole_key[at] = key
        index.hole_size[at] = 0
        index.counts[HOLES] += 1
    return at


@device
def _note_hole(at: int, i: int, place: int, index: Index) -> I64:
    """Count the word of template `i` at `place` among those of a hole; how many different ones there are."""
    size = index.hole_size[at]
    word = index.slot[index.template[i].first + place].hash
    for k in range(size):
        other = index.template[index.hole_template[at * HOLE_ROOM + k]].first
        if index.slot[other + place].hash == word:
            index.hole_template[at * HOLE_ROOM + k] = i
            return size
    if size < HOLE_ROOM:
        index.hole_template[at * HOLE_ROOM + size] = i
        size += 1
        index.hole_size[at] = size
    return size


@device
def _learn_hole(at: int, place: int, seed: U64, index: Index) -> None:
    """Remember the words that met in a hole: they are values, elsewhere too."""
    for k in range(index.hole_size[at]):
        slot = index.slot[index.template[index.hole_template[at * HOLE_ROOM + k]].first + place]
        if slot.hash != WILD:
            learn_word(seed, slot.hash, index)


@device
def _unite(at: int, i: int, place: int, bucket: int, index: Index) -> I64:
    """Make one template of all that met in a hole: the eldest survives, wild at `place`."""
    eldest = i
    for k in range(index.hole_size[at]):
        eldest = min(eldest, survivor(index.template, index.hole_template[at * HOLE_ROOM + k]))
    for k in range(index.hole_size[at]):
        other = survivor(index.template, index.hole_template[at * HOLE_ROOM + k])
        if other != eldest:
            _merge(index, other, eldest)
    if survivor(index.template, i) != eldest:
        _merge(index, i, eldest)
    to, source = index.template[eldest].first, index.template[i].first
    for j in range(index.template[i].length):
        if j == place or index.slot[to + j].hash != index.slot[source + j].hash:
            _widen(index.slot[to + j], index.slot[source + j].key)
    aim(eldest, index)
    absorb(bucket, eldest, index)
    return eldest


@device
def meet(seed: U64, i: int, bucket: int, index: Index) -> I64:
    """Let template `i` meet its siblings in each of its holes; the template that they became, or -1."""
    total, anchors = _whole(seed, i, index)
    first, length = index.template[i].first, index.template[i].length
    for place in range(length):
        slot = index.slot[first + place]
        if slot.hash == WILD or slot.marks & POLAR or anchors - (slot.marks & PLAIN == LETTERS) < 1:
            continue
        key = fold(total - fold(slot.hash, np.uint64(place)), np.uint64(length * TOKENS_MAX + place))
        key = fold(key, slot.key) | ONE  # words after different `key=` are no values of one kind
        at = _hole(key, index)
        if _note_hole(at, i, place, index) >= (HOLE_WORDS if place else HOLE_ROOM):
            _learn_hole(at, place, seed, index)
            return _unite(at, i, place, bucket, index)
    return -1


@device
def generalise(i: int, tokens: Tokens, index: Index) -> None:
    """Make wild what differs between template `i` and the line."""
    first = index.template[i].first
    for j in range(index.template[i].length):
        if index.slot[first + j].hash != tokens.hash[j]:
            _widen(index.slot[first + j], tokens.key[j])
    aim(i, index)


@device
def loosen(i: int, tokens: Tokens, index: Index) -> None:
    """Note which small digits of template `i` the line does not have: they are values, then."""
    first = index.template[i].first
    for j in range(index.template[i].length):
        slot = index.slot[first + j]
        if slot.digits != ZERO and slot.digits != tokens.digits[j]:
            slot.digits = ZERO
            index.template[i].open -= 1
