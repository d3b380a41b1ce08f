"""The loop over lines: masked, looked up, and only where nothing knows them compared, with what then becomes of the templates."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from detectors.kernel import device, kernel
from detectors.line_shapes import FORGOTTEN, NO_SHAPE, Memo, keep, recalled, shape_of
from detectors.template_growth import is_tight
from detectors.template_index import (
    BORN,
    CACHED,
    CROWDED,
    KNOWN,
    LINES,
    OVERFLOWED,
    SEARCHED,
    SERVICE_MAX,
    SLOTS,
    SWEPT,
    TEMPLATES,
    TEMPLATES_MAX,
    Index,
    place_of,
    survivor,
)
from detectors.template_judge import judge_tokens, note_fans
from detectors.template_merge import absorb, generalise, loosen, meet
from detectors.template_probe import aim, bucket_key
from detectors.template_search import AS_IS, search
from detectors.template_sweep import SWEEP_LINES
from detectors.tokens import I64, ONE, SEED, U64, ZERO, Flag, Tokens, fold, tokenise

NO_TEMPLATE: Final = -1
UNSEEN: Final = -1  # tokens of a line that was not cut into any
LASTING: Final = 0xFFFF ^ CROWDED ^ KNOWN  # flags that belong to a token, not to the moment


@device
def _bear(service: int, length: int, bucket: int, tokens: Tokens, index: Index) -> I64:
    """A new template with the tokens of the line."""
    i, first = index.counts[TEMPLATES], index.counts[SLOTS]
    index.counts[TEMPLATES] += 1
    index.counts[SLOTS] += length
    born = index.template[i]
    born.service = service
    born.number = index.counts[BORN]
    index.counts[BORN] += 1
    born.lines = 0
    born.first = first
    born.length = length
    born.parent = i
    born.open = 0
    born.probe = -1
    born.next = index.bucket_head[bucket]
    index.bucket_head[bucket] = i
    for j in range(length):
        slot = index.slot[first + j]
        slot.hash = tokens.hash[j]
        slot.key = tokens.key[j]
        slot.digits = tokens.digits[j]
        born.open += slot.digits != ZERO
        slot.marks = tokens.flags[j] & LASTING
    aim(i, index)
    return i


@device
def _learn(i: int, seed: U64, bucket: int, index: Index) -> I64:
    """Let a new or changed template meet its siblings, and what they became theirs, until nothing changes."""
    met = i
    while met >= 0:
        i = met
        met = meet(seed, i, bucket, index)
    return i


@device
def _find(buffer: NDArray[np.uint8], service: int, seed: U64, length: int, tokens: Tokens, index: Index) -> I64:
    """The template of a line that the cache does not know: found, made general, or born. -1 when there is no room."""
    index.counts[SEARCHED] += 1
    judge_tokens(buffer, length, seed, tokens, index)
    key = bucket_key(service, length)
    bucket = place_of(index.bucket_key, key)
    if index.bucket_key[bucket] != ZERO:
        best, similarity = search(bucket, length, seed, tokens, index)
        if best >= 0 and similarity >= AS_IS:
            return best
        if best >= 0:
            generalise(best, tokens, index)
            absorb(bucket, best, index)
            return _learn(best, seed, bucket, index)
    home = place_of(index.service_key, seed)
    if not _has_room(index, home, length):
        return NO_TEMPLATE
    if index.bucket_key[bucket] == ZERO:
        index.bucket_key[bucket] = key
        index.bucket_head[bucket] = -1
    index.service_key[home] = seed
    index.service_size[home] += 1
    i = _bear(service, length, bucket, tokens, index)
    note_fans(seed, length, tokens, index)
    return _learn(i, seed, bucket, index)


@device
def _has_room(index: Index, home: int, length: int) -> Flag:
    return bool(
        index.counts[TEMPLATES] < index.counts[TEMPLATES_MAX]
        and index.counts[SLOTS] + length <= index.slot.size
        and index.service_size[home] < index.counts[SERVICE_MAX]
    )


@device
def _remember(key: U64, i: int, index: Index) -> None:
    """Answer lines like this one from the cache from now on. A table that is half full is emptied first."""
    if 2 * index.counts[CACHED] >= index.cache_key.size:
        index.cache_key[:] = ZERO
        index.counts[CACHED] = 0
    at = place_of(index.cache_key, key)
    index.cache_key[at] = key
    index.cache_template[at] = i
    index.counts[CACHED] += 1


@device
def _masked(buffer: NDArray[np.uint8], begin: int, end: int, tokens: Tokens, memo: Memo) -> tuple[int, U64, U64]:
    """(tokens of the line, hash of the masked line, hash of its small digits). Of a line whose shape is remembered, UNSEEN tokens."""
    shape = shape_of(buffer, begin, end)
    at = recalled(shape, memo)
    if at != FORGOTTEN:
        return UNSEEN, memo.entry[at], memo.entry[at + 1]
    length, line, _, small = tokenise(buffer, begin, end, tokens)
    if shape != NO_SHAPE:
        keep(shape, line, small, memo)
    return length, line, small


@kernel
def mine_lines(
    buffer: NDArray[np.uint8],
    offset: NDArray[np.int64],
    service: NDArray[np.int64],
    room: tuple[Tokens, Memo, Index],
    out: tuple[NDArray[np.int32], NDArray[np.int64]],
    at_row: int,
) -> int:
    """Give each line `buffer[offset[r]:offset[r + 1]]` its template `out[0][r]`, from row `at_row` on.

    Returns the row where it stopped: all are done, or there is to be more room before that row, or, as its complement, a sweep.
    `out[1][k]` is the row that the k-th template born in this call was born in.
    """
    i: I64
    tokens, memo, index = room
    assigned, born = out
    before = index.counts[TEMPLATES]
    for r in range(at_row, assigned.size):
        begin, end = offset[r], offset[r + 1]
        length, line, small = _masked(buffer, begin, end, tokens, memo)
        seed = fold(SEED, np.uint64(service[r])) | ONE
        key = fold(seed, line) | ONE
        at = place_of(index.cache_key, key)
        if index.cache_key[at] == key:
            i = index.cache_template[at]
            i = survivor(index.template, i)
        else:
            if is_tight(index):
                return r
            known = index.counts[TEMPLATES]
            if length == UNSEEN:
                length, _, _, _ = tokenise(buffer, begin, end, tokens)
            i = _find(buffer, service[r], seed, length, tokens, index)
            if index.counts[TEMPLATES] > known:
                born[known - before] = r
                index.template[known].digits = small
            if i >= 0:
                _remember(key, i, index)
            elif index.counts[LINES] >= index.counts[SWEPT] + SWEEP_LINES:
                return ~r
        index.counts[LINES] += 1
        if i < 0:
            assigned[r] = NO_TEMPLATE
            index.counts[OVERFLOWED] += 1
            continue
        row: Any = index.template[i]
        row.lines += 1
        row.seen = index.counts[LINES]
        assigned[r] = row.number
        if row.open and row.digits != small:
            if length == UNSEEN:
                tokenise(buffer, begin, end, tokens)
            loosen(i, tokens, index)
    return assigned.size
