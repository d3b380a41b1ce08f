"""The key that tells which session a log line belongs to, found by its form while reading the line's bytes once.

    trace_id=4bf92f3577b34da6   the value after a name that is known, `=` or `:` between them     (best)
    req-7f1c44de-0a6b-…         a request
    blk_-1608999687919862906    a block
    2d9a4f0e-9c1b-4a3e-…        a UUID by itself                                                  (last)

A value that a line carries beside its text is the key before all of these. The best of a line counts; of equals the first. A key is a hash of its bytes and of the line's stream, so equal on every machine.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from detectors.kernel import device, kernel
from detectors.tokens import PRIME, SEED, fold

NAMED, REQUEST, BLOCK, UUID, NONE = 4, 3, 2, 1, 0
VALUE_BYTES_MIN: Final = 4
VALUE_BYTES_MAX: Final = 64
UUID_BYTES: Final = 36
LINE_BYTES_MAX: Final = 4096
"""Bytes of a line that are looked at: keys stand near its beginning."""
OTHER, JOIN, LETTER, HEX_LETTER, DIGIT = range(5)


def _classes() -> NDArray[np.uint8]:
    table = np.full(256, OTHER, np.uint8)
    table[list(b"=:\"' \t[")] = JOIN
    for code in (*range(ord("a"), ord("z") + 1), *range(ord("A"), ord("Z") + 1), *b"_-."):
        table[code] = HEX_LETTER if chr(code) in "abcdefABCDEF" else LETTER
    table[list(b"0123456789")] = DIGIT
    return table


CLASS: Final = _classes()


def name_hashes(names: list[str]) -> NDArray[np.uint64]:
    """The hashes of names, in any case of their letters, sorted."""
    return np.array(sorted({_hash_of(name.lower().encode()) for name in names}), np.uint64)


def _hash_of(word: bytes) -> int:
    h = int(SEED)
    for code in word:
        h = (h ^ code) * int(PRIME) % (1 << 64)
    return h


@device
def _is_uuid(buffer: NDArray[np.uint8], start: int, end: int) -> Any:
    if end - start != UUID_BYTES:
        return False
    for i in range(UUID_BYTES):
        c = buffer[start + i]
        if i in (8, 13, 18, 23):
            if c != ord("-"):
                return False
        elif CLASS[c] < HEX_LETTER:
            return False
    return True


@device
def _is_block(buffer: NDArray[np.uint8], start: int, end: int) -> Any:
    if end - start < 8 or buffer[start + 1] != ord("l") or buffer[start + 2] != ord("k") or buffer[start + 3] != ord("_"):
        return False
    for i in range(start + 5, end):
        if CLASS[buffer[i]] != DIGIT:
            return False
    return buffer[start + 4] == ord("-") or CLASS[buffer[start + 4]] == DIGIT


@device
def _form(buffer: NDArray[np.uint8], start: int, end: int, digits: int) -> Any:
    """What a word looks like."""
    first = buffer[start]
    if first == ord("b") and _is_block(buffer, start, end):
        return BLOCK
    is_request = first == ord("r") and end - start >= 12 and buffer[start + 1] == ord("e") and buffer[start + 2] == ord("q")
    if is_request and buffer[start + 3] == ord("-") and digits >= 4:
        return REQUEST
    return UUID if _is_uuid(buffer, start, end) else NONE


@device
def _holds(names: NDArray[np.uint64], h: Any) -> Any:
    held = False
    for i in range(names.shape[0]):
        held |= names[i] == h
    return held


@kernel
def find_keys(
    buffer: NDArray[np.uint8],
    offset: NDArray[np.int64],
    stream: NDArray[np.int64],
    names: NDArray[np.uint64],
    key: NDArray[np.uint64],
) -> None:
    """Write the key of each line `buffer[offset[r]:offset[r + 1]]`; 0 where it has none."""
    for r in range(key.shape[0]):
        i, stop = offset[r], min(offset[r + 1], offset[r] + LINE_BYTES_MAX)
        best, found, armed = NONE, np.uint64(0), False
        while i < stop and best < NAMED:
            kind = CLASS[buffer[i]]
            if kind <= JOIN:
                armed = armed and kind == JOIN
                i += 1
                continue
            start, digits, lower, exact = i, 0, SEED, SEED
            while i < stop and CLASS[buffer[i]] > JOIN:
                c = np.uint64(buffer[i])
                exact = (exact ^ c) * PRIME
                is_capital = np.uint64(65) <= c <= np.uint64(90)
                lower = (lower ^ (c | np.uint64(32) if is_capital else c)) * PRIME
                digits += CLASS[buffer[i]] == DIGIT
                i += 1
            form = _form(buffer, start, i, digits)
            if armed and digits > 0 and VALUE_BYTES_MIN <= i - start <= VALUE_BYTES_MAX:
                form = NAMED
            if form > best:
                best, found = form, exact
            armed = _holds(names, lower)
        key[r] = np.uint64(0) if best == NONE else fold(found, np.uint64(stream[r] + 1)) | np.uint64(1)


@kernel
def keys_of(buffer: NDArray[np.uint8], offset: NDArray[np.int64], stream: NDArray[np.int64], key: NDArray[np.uint64]) -> None:
    """Write the key that each value `buffer[offset[r]:offset[r + 1]]` is, the same as if a line's text named it; 0 for an empty one."""
    for r in range(key.shape[0]):
        h = SEED
        for i in range(offset[r], offset[r + 1]):
            h = (h ^ np.uint64(buffer[i])) * PRIME
        key[r] = np.uint64(0) if offset[r] == offset[r + 1] else fold(h, np.uint64(stream[r] + 1)) | np.uint64(1)
