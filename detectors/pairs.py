"""Texts in two pieces, numbered as they came: each piece is kept once, however many texts it is a part of.

A million series have a few thousand names, and all metrics of one host have the same labels: kept as (name, labels) a key takes some
16 bytes beside its share of the pieces, and no object. What is looked up is compared byte by byte, not by hash alone; the hash
is keyed (SipHash-1-3; Aumasson and Bernstein 2012), so that nobody can make up keys that collide, and numbers do not depend on it.

Nothing here allocates: who learns makes room first. Tables are at most half full.
"""

from __future__ import annotations

from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from detectors.kernel import device, kernel
from detectors.octets import eight, equal, last

MISSED: Final = -1
PADDING: Final = 8
"""Bytes that must follow a buffer, so that eight may be read at any place of it."""
_INITIAL: Final = (0x736F6D6570736575, 0x646F72616E646F6D, 0x6C7967656E657261, 0x7465646279746573)
_FINAL: Final = 0xFF
_MIX: Final = (0xBF58476D1CE4E5B9, 0x94D049BB133111EB)
_BRACE: Final = 123


class Pairs(NamedTuple):
    """Pieces and texts, each found by open addressing. Places are powers of two, MISSED where they are free."""

    secret: NDArray[np.uint64]  # 2
    piece_at: NDArray[np.int32]  # by place: a piece
    start: NDArray[np.int64]  # by piece, and one more: where its bytes begin in the arena
    arena: NDArray[np.uint8]
    text_at: NDArray[np.int32]  # by place: a text
    first: NDArray[np.int32]  # by text: its pieces
    second: NDArray[np.int32]
    used: NDArray[np.int64]  # pieces, texts


def table(pieces: int, texts: int, arena_bytes: int, secret: tuple[int, int]) -> Pairs:
    """An empty table for so many pieces and texts, powers of two, and so many bytes of pieces with PADDING."""
    return Pairs(
        np.array(secret, np.uint64),
        np.full(2 * pieces, MISSED, np.int32),
        np.zeros(pieces + 1, np.int64),
        np.zeros(arena_bytes, np.uint8),
        np.full(2 * texts, MISSED, np.int32),
        np.zeros(texts, np.int32),
        np.zeros(texts, np.int32),
        np.zeros(2, np.int64),
    )


@device
def _turned(word: Any, bits: int) -> Any:
    return (word << np.uint64(bits)) | (word >> np.uint64(64 - bits))


@device
def _round(a: Any, b: Any, c: Any, d: Any) -> tuple[Any, Any, Any, Any]:
    """One SipRound."""
    a += b
    c += d
    b, d = _turned(b, 13) ^ a, _turned(d, 16) ^ c
    a = _turned(a, 32) + d
    c += b
    b, d = _turned(b, 17) ^ c, _turned(d, 21) ^ a
    return a, b, _turned(c, 32), d


@device
def keyed_hash(buffer: NDArray[np.uint8], start: int, end: int, secret: NDArray[np.uint64]) -> Any:
    """SipHash-1-3 of the bytes from `start` to `end`."""
    a, b = secret[0] ^ np.uint64(_INITIAL[0]), secret[1] ^ np.uint64(_INITIAL[1])
    c, d = secret[0] ^ np.uint64(_INITIAL[2]), secret[1] ^ np.uint64(_INITIAL[3])
    at = start
    while at + 8 <= end:
        word = eight(buffer, np.uint64(at))
        d ^= word
        a, b, c, d = _round(a, b, c, d)
        a ^= word
        at += 8
    word = np.uint64(end - start) << np.uint64(56)
    if at < end:
        word |= last(buffer, at, end - at)
    d ^= word
    a, b, c, d = _round(a, b, c, d)
    a ^= word
    c ^= np.uint64(_FINAL)
    for _ in range(3):
        a, b, c, d = _round(a, b, c, d)
    return a ^ b ^ c ^ d


@device
def _mixed(first: int, second: int, secret: NDArray[np.uint64]) -> Any:
    """A number of 64 bits for two pieces: the end of splitmix64 (Steele, Lea and Flood 2014), keyed."""
    word = (np.uint64(first) << np.uint64(32) | np.uint64(second)) ^ secret[0]
    word = (word ^ word >> np.uint64(30)) * np.uint64(_MIX[0]) + secret[1]
    word = (word ^ word >> np.uint64(27)) * np.uint64(_MIX[1])
    return word ^ word >> np.uint64(31)


@device
def _piece(pairs: Pairs, buffer: NDArray[np.uint8], start: int, end: int, learn: int) -> int:
    """The number of a piece; MISSED when it is new, or, where it is to be learned, when there is no room for it."""
    mask = pairs.piece_at.shape[0] - 1
    place: Any = np.int64(keyed_hash(buffer, start, end, pairs.secret) & np.uint64(mask))
    while pairs.piece_at[place] != MISSED:
        piece = np.int64(pairs.piece_at[place])
        begin = pairs.start[piece]
        if pairs.start[piece + 1] - begin == end - start and equal(buffer, start, pairs.arena, begin, end - start):
            return int(piece)
        place = (place + 1) & mask
    number = pairs.used[0]
    begin = pairs.start[number]
    if not learn or number + 1 >= pairs.start.shape[0] or begin + end - start + PADDING > pairs.arena.shape[0]:
        return MISSED
    for k in range(end - start):
        pairs.arena[begin + k] = buffer[start + k]
    pairs.piece_at[place] = number
    pairs.start[number + 1] = begin + end - start
    pairs.used[0] = number + 1
    return int(number)


@device
def _text(pairs: Pairs, first: int, second: int, learn: int) -> int:
    """The number of a text of two known pieces; MISSED as in `_piece`."""
    mask = pairs.text_at.shape[0] - 1
    place: Any = np.int64(_mixed(first, second, pairs.secret) & np.uint64(mask))
    while pairs.text_at[place] != MISSED:
        text = pairs.text_at[place]
        if pairs.first[text] == first and pairs.second[text] == second:
            return int(text)
        place = (place + 1) & mask
    number = pairs.used[1]
    if not learn or number >= pairs.first.shape[0]:
        return MISSED
    pairs.text_at[place] = number
    pairs.first[number], pairs.second[number] = first, second
    pairs.used[1] = number + 1
    return int(number)


@device
def find(pairs: Pairs, buffer: NDArray[np.uint8], first: tuple[int, int], second: tuple[int, int], learn: int) -> int:
    """The number of the text whose pieces begin and end there; MISSED when it is new, or, where it is to be learned, for want of room."""
    left = _piece(pairs, buffer, first[0], first[1], learn)
    if left < 0:
        return MISSED
    right = _piece(pairs, buffer, second[0], second[1], learn)
    return _text(pairs, left, right, learn) if right >= 0 else MISSED


@kernel
def number_texts(pairs: Pairs, buffer: NDArray[np.uint8], end: NDArray[np.int64], learn: int, number: NDArray[np.int64]) -> None:
    """The number of each of n texts that end at `end` in `buffer`; their second piece begins with the first brace."""
    begin = 0
    for i in range(end.shape[0]):
        middle = begin
        while middle < end[i] and buffer[middle] != _BRACE:
            middle += 1
        number[i] = find(pairs, buffer, (begin, middle), (middle, end[i]), learn)
        begin = end[i]


@kernel
def translate(old: Pairs, which: NDArray[np.int64], new: Pairs, learn: int, number: NDArray[np.int64]) -> None:
    """The numbers that some texts of one table have in another, as `number_texts` gives them."""
    for i in range(which.shape[0]):
        first, second = np.int64(old.first[which[i]]), np.int64(old.second[which[i]])
        left, right = (old.start[first], old.start[first + 1]), (old.start[second], old.start[second + 1])
        number[i] = find(new, old.arena, left, right, learn)


@kernel
def copy(old: Pairs, new: Pairs) -> None:
    """Put all of one table into an empty one of the same secret that is as large at least: all keep their numbers."""
    pieces, texts = old.used[0], old.used[1]
    for k in range(old.start[pieces]):
        new.arena[k] = old.arena[k]
    mask: Any = new.piece_at.shape[0] - 1
    for piece in range(pieces):
        new.start[piece + 1] = old.start[piece + 1]
        place: Any = np.int64(keyed_hash(new.arena, new.start[piece], new.start[piece + 1], new.secret) & np.uint64(mask))
        while new.piece_at[place] != MISSED:
            place = (place + 1) & mask
        new.piece_at[place] = piece
    mask = new.text_at.shape[0] - 1
    for text in range(texts):
        new.first[text], new.second[text] = old.first[text], old.second[text]
        place = np.int64(_mixed(new.first[text], new.second[text], new.secret) & np.uint64(mask))
        while new.text_at[place] != MISSED:
            place = (place + 1) & mask
        new.text_at[place] = text
    new.used[0], new.used[1] = pieces, texts
