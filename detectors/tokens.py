"""One pass over the bytes of a log line: tokens, with everything that is obviously a value masked.

Tokens are separated by white space. Inside a token a *word* is a maximal run of letters, digits and bytes >= 0x80; all
else is punctuation. When a word ends it is judged:

    digits only                                          a value
    hexadecimal digits with a digit, 4 bytes or more     a value      (cafe1, 7f3a)
    0x and hexadecimal digits                            a value
    two runs of digits or more, 6 bytes or more          a value      (ids, base 36)
    any other word with digits                           letters stay, each run of digits is a value   (blk_12, eth0)
    hexadecimal digits joined by punctuation to a value  a value      (the rest of a UUID)

Values joined by one of `.:-,/_` are one value (addresses, times, versions), and a sign before a value belongs to it. Each
value is written `<*>`. A token's hash is the hash of that masked spelling, so lines that differ in values only have equal
hashes. Adjacent equal masked tokens count as one: lists of any length look alike.

`naive_templates.mask` says the same in plain Python, and the tests hold the two together.
"""

from __future__ import annotations

from typing import Any, Final, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from detectors.kernel import device, kernel

U64: TypeAlias = Any
I64: TypeAlias = Any
F64: TypeAlias = Any
Flag: TypeAlias = Any
"""What numba makes of a kernel's scalars; the stubs of numpy cannot follow arithmetic between its scalars and Python's."""

TOKENS_MAX: Final = 128
"""Tokens of a line that are looked at; what follows does not matter."""
LINE_BYTES_MAX: Final = 65_536
"""Bytes of a line that are looked at."""
VALUES_MAX: Final = 1_024
"""Masked spans of a line that are remembered for its text; values beyond are hashed as values and shown as they are."""
MASK: Final = b"<*>"

SPACE, DIGIT, HEX, LETTER, PUNCTUATION = range(5)


def _classes() -> NDArray[np.uint8]:
    table = np.full(256, PUNCTUATION, np.uint8)
    table[0x80:] = LETTER
    for members, kind in ((b" \t\r\n\x0b\x0c", SPACE), (b"0123456789", DIGIT)):
        table[list(members)] = kind
    for code in (*range(ord("A"), ord("Z") + 1), *range(ord("a"), ord("z") + 1)):
        table[code] = HEX if chr(code) in "abcdefABCDEF" else LETTER
    return table


CLASS: Final = _classes()


def bytes_in(members: bytes) -> NDArray[np.bool_]:
    """A table that is true at these bytes."""
    table = np.zeros(256, np.bool_)
    table[list(members)] = True
    return table


JOINS: Final = bytes_in(b".:-,/_")  # between two values they make one
SIGNS: Final = bytes_in(b"+-")
HOST_BYTES: Final = bytes_in(b".:-_")  # all the punctuation of a host name with a port
ODD_BYTES: Final = bytes_in(b"@\\")

# 64-bit FNV-1a over the bytes, then two rounds of a multiplicative mix. The constants are FNV's and the golden ratio.
SEED: Final = np.uint64(0xCBF29CE484222325)
PRIME: Final = np.uint64(0x100000001B3)
GOLDEN: Final = np.uint64(0x9E3779B97F4A7C15)
VALUE_BYTE: Final = np.uint64(0x1F3)  # stands for a whole value; no byte has this code
ZERO, ONE, THREE, FOUR, SIX = (np.uint64(n) for n in (0, 1, 3, 4, 6))
HALF: Final = np.uint64(32)
SHIFT: Final = np.uint64(29)


def raw_hash(spelling: bytes) -> int:
    """The hash of a masked spelling before `finish`, in plain integers: for tables that kernels look into."""
    h = int(SEED)
    for k, constant in enumerate(spelling.split(MASK)):
        for code in constant if k == 0 else (int(VALUE_BYTE), *constant):
            h = (h ^ code) * int(PRIME) % (1 << 64)
    return h


def masked_hash(spelling: bytes) -> int:
    """The hash of the token with this masked spelling, in plain integers."""
    h = raw_hash(spelling)
    h = (h ^ (h >> int(HALF))) * int(GOLDEN) % (1 << 64)
    return (h ^ (h >> int(SHIFT))) | 1


def hash_table(words: bytes) -> NDArray[np.uint64]:
    """The raw hashes of words by open addressing on the lowest bits, at most half full."""
    hashes = {raw_hash(word) for word in words.split()}
    table = np.zeros(1 << (2 * len(hashes) - 1).bit_length(), np.uint64)
    for h in sorted(hashes):
        place = h % table.size
        while table[place]:
            place = (place + 1) % table.size
        table[place] = h
    return table


DATES: Final = hash_table(
    b"Mon Tue Wed Thu Fri Sat Sun Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec UTC GMT CET EST EDT CST CDT MST MDT PST PDT"
)
SIZE_ENDS: Final = hash_table(b"B) kB) KB) MB) GB) TB) KiB) MiB) GiB)")
TIME_UNITS: Final = hash_table(b"us ms s sec secs second min minute")

VALUE: Final = np.uint64(raw_hash(MASK))
BYTES: Final = np.uint64(raw_hash(b"bytes"))
OPENED: Final = np.uint64(raw_hash(b"(" + MASK))
LESS: Final = np.uint64(raw_hash(b"<" + MASK))

MASKED: Final = 1  # flag: the token holds a value
ODD: Final = 2  # flag: it looks like a value: a path, a host name or package, an at sign, a backslash
SMALL: Final = 4  # flag: all it holds of values are single digits beside letters, which may belong to a name: ssh2, eth0
DATE: Final = 8  # flag: a date, or another value of several words, taken as one token
LETTERS: Final = 16  # flag: two letters or more outside values


class Tokens(NamedTuple):
    """Room for the tokens of one line, reused from line to line. `start` and `end` are byte offsets into the buffer."""

    hash: NDArray[np.uint64]  # TOKENS_MAX, of the masked spelling
    key: NDArray[np.uint64]  # TOKENS_MAX, hash of what stands before the first `=`, 0 none
    digits: NDArray[np.uint64]  # TOKENS_MAX, the digits of a SMALL token, 0 otherwise
    start: NDArray[np.int64]  # TOKENS_MAX
    end: NDArray[np.int64]  # TOKENS_MAX, with the equal neighbours that the token stands for
    flags: NDArray[np.uint16]  # TOKENS_MAX
    kind: NDArray[np.int64]  # TOKENS_MAX, room for what words a search finds in each
    value: NDArray[np.int64]  # 2 * VALUES_MAX, start and end of each masked span


def tokens_room() -> Tokens:
    """Empty room for one line."""
    dtypes = (np.uint64, np.uint64, np.uint64, np.int64, np.int64, np.uint16, np.int64)
    columns: list[NDArray[Any]] = [np.zeros(TOKENS_MAX, dtype) for dtype in dtypes]
    return Tokens._make([*columns, np.zeros(2 * VALUES_MAX, np.int64)])


@device
def finish(h: U64) -> U64:
    """Spread the bits of an FNV hash."""
    h = (h ^ (h >> HALF)) * GOLDEN
    return h ^ (h >> SHIFT)


@device
def fold(h: U64, part: U64) -> U64:
    """Take one more hash into a running hash; order matters."""
    h = (h ^ part) * GOLDEN
    return h ^ (h >> SHIFT)


@device
def _letters(buffer: NDArray[np.uint8], i: U64, end: U64, h: np.uint64) -> tuple[U64, U64, U64, I64]:
    """Letters from `i`: (where they end, hash, how many letters, how many of them not hexadecimal)."""
    first, others = i, 0
    while i < end:
        c = buffer[i]
        kind = CLASS[c]
        if not HEX <= kind <= LETTER:
            break
        h = (h ^ np.uint64(c)) * PRIME
        others += kind == LETTER
        i += ONE
    return i, h, i - first, others


@device
def _mixed(buffer: NDArray[np.uint8], i: U64, end: U64, h: np.uint64) -> tuple[U64, U64, U64, I64, I64, I64, bool]:
    """The rest of a word from its first digit, each run of digits hashed as one value.

    (where it ends, hash, how many letters, how many of them not hexadecimal, digits, runs of digits, whether a digit is last)
    """
    letters, others, digits, runs, digit = ZERO, 0, 0, 0, False
    while i < end:
        c = buffer[i]
        kind = CLASS[c]
        if kind == DIGIT:
            if not digit:
                runs += 1
                h = (h ^ VALUE_BYTE) * PRIME
            digits += 1
            digit = True
        elif HEX <= kind <= LETTER:
            h = (h ^ np.uint64(c)) * PRIME
            letters += ONE
            others += kind == LETTER
            digit = False
        else:
            break
        i += ONE
    return i, h, letters, others, digits, runs, digit


@device
def _is_value(length: U64, letters: U64, others: int, runs: int, prefixed: bool) -> Flag:
    """Whether a word that holds a digit is a value as a whole."""
    if letters == ZERO:
        return True
    if others == 0:
        return length >= FOUR
    return (others == 1 and prefixed) or (runs >= 2 and length >= SIX)


@device
def word_at(buffer: NDArray[np.uint8], at: U64, end: U64, h: U64, joined: bool) -> tuple[U64, U64, U64, I64, I64, bool, bool]:
    """A word from `at`: (where it ends, hash, letters, digits, runs of digits, whether a digit is last, whether it is a value)."""
    i, h, letters, others = _letters(buffer, at, end, h)
    if i >= end or CLASS[buffer[i]] != DIGIT:
        return i, h, letters, 0, 0, False, joined and others == 0
    i, h, more, more_others, digits, runs, digit_last = _mixed(buffer, i, end, h)
    letters += more
    others += more_others
    prefixed = i - at > ONE and buffer[at] == 48 and (buffer[at + ONE] | 32) == 120
    is_value = _is_value(i - at, letters, others, runs, prefixed) or (joined and others == 0)
    return i, h, letters, digits, runs, digit_last, is_value


@device
def _cut(value: NDArray[np.int64], values: int, start: U64, stop: U64) -> I64:
    """Remember one more masked span; the new number of them."""
    if values < VALUES_MAX:
        value[2 * values] = start
        value[2 * values + 1] = stop
    return values + 1


@device
def _cut_digits(buffer: NDArray[np.uint8], i: U64, end: U64, value: NDArray[np.int64], values: int) -> tuple[int, U64]:
    """Remember each run of digits in a word whose letters stay: (number of masked spans, hash of the last digit and its place)."""
    at, spelled = i, ZERO
    while i < end:
        first = i
        while i < end and CLASS[buffer[i]] == DIGIT:
            spelled = np.uint64(buffer[i]) + (i - at) * HALF
            i += ONE
        if i > first:
            values = _cut(value, values, first, i)
        else:
            i += ONE
    return values, spelled


@device
def _flags(masked: bool, small: bool, odd: bool, letters: U64) -> I64:
    flags = 0
    if masked:
        flags |= MASKED
    if small:
        flags |= SMALL
    if odd:
        flags |= ODD
    if letters > ONE:
        flags |= LETTERS
    return flags


@device
def _token(
    buffer: NDArray[np.uint8], i: U64, end: U64, values: int, value: NDArray[np.int64]
) -> tuple[U64, U64, U64, U64, int, int]:
    """One token from `i`: (where it ends, raw hash, key, digits if small, flags, masked spans of the line so far)."""
    joined: Flag
    host: Flag
    odd: Flag
    first, first_value, h, key, digits = i, values, SEED, ZERO, ZERO
    before_join, before_sign, sign_at, last, last_is_value = SEED, SEED, i, np.int64(0), False
    after_value, joined, after_word, slash, odd, large, host = False, False, False, False, False, False, True
    dots, letters = 0, ZERO
    while i < end:
        c = buffer[i]
        kind = CLASS[c]
        if kind == SPACE:
            break
        if kind == PUNCTUATION:
            slash |= c == 47
            odd |= ODD_BYTES[c]
            host &= HOST_BYTES[c]
            if c == 61 and key == ZERO and i > first:
                key = h | ONE
            joined = after_value and JOINS[c]
            last = np.int64(c)
            if not (after_word or joined):
                last = -last  # it follows other punctuation or begins the token
            if joined:
                before_join = h
            before_sign, sign_at = h, i
            h = (h ^ np.uint64(c)) * PRIME
            after_value, after_word = False, False
            i += ONE
            continue
        dots += last == 46
        at = i
        i, spelled, more, count, runs, digit_last, last_is_value = word_at(buffer, at, end, h, joined)
        if not last_is_value:
            h, letters, after_value = spelled, letters + more, digit_last
            if runs:
                values, spelled = _cut_digits(buffer, at, i, value, values)
                digits = fold(digits, spelled)
                large |= count > 1
        elif joined:
            h, after_value, large = before_join, True, True
            if values <= VALUES_MAX:
                value[2 * values - 1] = i
        else:
            if last < 0 and SIGNS[-last]:
                h, at = before_sign, sign_at
            h = (h ^ VALUE_BYTE) * PRIME
            values, after_value, large = _cut(value, values, at, i), True, True
        joined, after_word = False, True
    if host and dots >= 2 and last == 58 and last_is_value:
        h, letters, values = VALUE, ZERO, _cut(value, first_value, first, i)
    small = digits != ZERO and not large
    odd |= dots >= 2 or (slash and letters > ZERO)
    return i, h, key, (digits | ONE) if small else ZERO, _flags(values > first_value, small, odd, letters), values


@device
def _holds(table: NDArray[np.uint64], h: U64) -> Flag:
    """Whether a hash table of words holds the raw hash."""
    last = np.uint64(table.size - 1)
    place = h & last
    while table[place] != ZERO and table[place] != h:
        place = (place + ONE) & last
    return table[place] != ZERO


@device
def _is_date(buffer: NDArray[np.uint8], i: U64, end: U64, h: U64, after_date: bool) -> Flag:
    """Whether a word of three letters that ends at `i` with raw hash `h` is part of a date: another part is beside it."""
    if not _holds(DATES, h):
        return False
    if after_date:
        return True
    while i < end and CLASS[buffer[i]] == SPACE:
        i += ONE
    if i >= end:
        return False
    if CLASS[buffer[i]] == DIGIT:
        return True
    if i + FOUR > end or not 65 <= buffer[i] <= 90 or CLASS[buffer[i + THREE]] != SPACE:
        return False
    return HEX <= CLASS[buffer[i + ONE]] <= LETTER and HEX <= CLASS[buffer[i + ONE + ONE]] <= LETTER


@kernel
def tokenise(buffer: NDArray[np.uint8], begin: int, finish_at: int, tokens: Tokens) -> tuple[int, U64, int, U64]:
    """Cut `buffer[begin:finish_at]` into `tokens`: (how many, hash of the masked line, masked spans, hash of its small digits).

    Unsigned places spare the compiler the care for negative indices; each byte is read once, those of mixed words twice.
    """
    i, end = np.uint64(begin), np.uint64(min(finish_at, begin + LINE_BYTES_MAX))
    told_bytes: Flag
    count, values, small, dated, told_bytes = 0, 0, ZERO, False, False
    line, line_before, previous = ZERO, ZERO, ZERO  # hashes: of the line, of the line but for its last token, of that token
    while True:
        while i < end and CLASS[buffer[i]] == SPACE:
            i += ONE
        if i >= end:
            break
        start = i
        i, h, key, digits, flags, values = _token(buffer, i, end, values, tokens.value)
        if i - start == THREE and flags == LETTERS and _is_date(buffer, i, end, h, dated):
            h, flags = VALUE, MASKED | DATE
        elif previous == OPENED and told_bytes and _holds(SIZE_ENDS, h):
            count, line, previous = count - 1, line_before, BYTES  # "2731 bytes (2.66 KB)": the size is told twice
            tokens.end[count - 1] = i
            continue
        elif previous == LESS and _holds(TIME_UNITS, h):
            count, line, previous = count - 1, line_before, LESS  # "<1 sec": a value of two words
            start, h, flags = np.uint64(tokens.start[count]), VALUE, MASKED | DATE
        if flags & MASKED and h == previous:
            dated |= flags & DATE != 0
            tokens.end[count - 1] = i
            tokens.flags[count - 1] |= flags
            continue
        if count == TOKENS_MAX:
            break
        told_bytes, dated = previous == BYTES, flags & DATE != 0
        previous, line_before = h, line
        h = finish(h) | ONE
        tokens.hash[count] = h
        tokens.key[count] = key
        tokens.digits[count] = digits
        tokens.flags[count] = flags
        tokens.start[count] = start
        tokens.end[count] = i
        line = fold(line, h)
        if digits != ZERO:
            small = fold(small, digits)
        count += 1
    return count, line, values, small
