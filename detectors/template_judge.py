"""What the tokens of a line are like: which hold a polar word, which are values by their looks, their place or their past.

Only a line that is not known yet is judged.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from detectors.kernel import device
from detectors.template_index import CROWDED, FAN_WORDS, FANS, KNOWN, NAMED, POLAR, SOFT, UNIT, VALUES, Index, place_of
from detectors.tokens import (
    CLASS,
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
    bytes_in,
    finish,
    fold,
    masked_hash,
)
from detectors.words import IS_BOOLEAN, IS_NAMING, IS_POLAR, IS_UNIT, NEITHER, RECORD_BOOLEANS, kind_of_token

FOR, FROM = (np.uint64(masked_hash(word)) for word in (b"for", b"from"))  # `for root from`: who, and where from
COLON, EQUALS, UNDERSCORE = (ord(c) for c in ":=_")
AROUND: Final = bytes_in(b"()[]{}<>,.;:")
QUOTES: Final = bytes_in(b"'\"`")
LOW_HALF = np.uint64(0xFFFFFFFF)


@device
def _kinds(buffer: NDArray[np.uint8], length: int, tokens: Tokens) -> int:
    """Find the kind of each token; how many booleans the line holds."""
    booleans = 0
    for j in range(length):
        kind = kind_of_token(buffer, tokens.start[j], tokens.end[j])
        tokens.kind[j] = kind
        if kind >= IS_BOOLEAN:
            booleans += 1 if kind == IS_BOOLEAN else RECORD_BOOLEANS
    return booleans


@device
def judge_tokens(buffer: NDArray[np.uint8], length: int, seed: U64, tokens: Tokens, index: Index) -> None:
    """Add to the flags of a line's tokens what only a search needs: POLAR, SOFT, NAMED, UNIT, KNOWN, CROWDED."""
    named = False
    record = _kinds(buffer, length, tokens) >= RECORD_BOOLEANS
    for j in range(length):
        flags, kind, before = tokens.flags[j], tokens.kind[j], tokens.flags[j - 1] if j else 0
        plain = flags & (MASKED | LETTERS) == LETTERS
        if kind == IS_POLAR or (kind >= IS_BOOLEAN and not record):
            flags |= POLAR
        elif kind >= IS_BOOLEAN:
            flags |= NAMED | SOFT
        elif named and kind == NEITHER and plain:
            flags |= NAMED | SOFT
            learn_word(seed, tokens.hash[j], index)
        elif kind == IS_UNIT and before & MASKED and not flags & MASKED:
            flags |= UNIT | SOFT
        between = plain and 0 < j < length - 1 and tokens.hash[j - 1] == FOR and tokens.hash[j + 1] == FROM
        if (
            flags & ODD
            or flags & (MASKED | SMALL) == MASKED
            or between
            or (j > 0 and plain and _is_name(buffer, tokens.start[j], tokens.end[j]))
        ):
            flags |= SOFT
        elif j > 0 and _is_crowded(seed, length, j, tokens, index):
            flags |= CROWDED
        if is_known(seed, tokens.hash[j], index):
            flags |= KNOWN
        tokens.flags[j] = flags
        named = tokens.key[j] == ZERO and kind == IS_NAMING
        if not flags & POLAR and tokens.key[j] != ZERO:
            learn_value(buffer, tokens.start[j], tokens.end[j], seed, index)


@device
def _is_name(buffer: NDArray[np.uint8], start: int, end: int) -> Flag:
    """Whether a token is a value by its looks: one quoted word, perhaps after `key=`, or a name of letters joined by underscores.

    Brackets round it and punctuation after it do not matter, but `do_this:` with a colon says who speaks.
    """
    colon = buffer[end - 1] == COLON
    while end > start and AROUND[buffer[end - 1]]:
        end -= 1
    while start < end and AROUND[buffer[start]]:
        start += 1
    if end - start < 3:
        return False
    quote, at = buffer[end - 1], start
    if QUOTES[quote]:
        while buffer[at] != quote:
            at += 1
        return at < end - 1 and (at == start or buffer[at - 1] == EQUALS)
    joints = 0
    for i in range(start, end):
        joints += buffer[i] == UNDERSCORE
        if buffer[i] != UNDERSCORE and not HEX <= CLASS[buffer[i]] <= LETTER:
            return False
    return joints > 0 and not colon and buffer[start] != UNDERSCORE and buffer[end - 1] != UNDERSCORE


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
