"""Words with a meaning of their own in log lines, as tables that kernels can look into.

POLAR words flip what a line says: a template never generalises over one of them, so that "VM started" and "VM paused"
stay two templates however many virtual machines there are. A NAMING word says that a name follows ("user root"), unless a
FUNCTION word does.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from detectors.kernel import device
from detectors.tokens import CLASS, DIGIT, I64, LETTER, ONE, PRIME, SEED, U64, ZERO, raw_hash

POLAR_WORDS: Final = """
    start started starting starts stop stopped stopping stops pause paused pausing resume resumed resuming suspend suspended
    suspending begin began begun beginning end ended ending finish finished complete completed incomplete abort aborted
    cancel canceled cancelled success successful successfully succeeded succeed succeeds failure failures fail failed failing
    fails error errors ok okay good bad healthy unhealthy up down online offline above below over under high low higher lower
    increase increased increasing decrease decreased decreasing yes no on off enable enabled disable disabled
    allow allowed deny denied permit permitted forbid forbidden accept accepted reject rejected refuse refused grant granted
    revoke revoked valid invalid available unavailable reachable unreachable ready unready open opened opening close closed
    closing connect connected disconnect disconnected attach attached detach detached mount mounted unmount unmounted
    lock locked unlock unlocked login logout join joined leave left add added remove removed create created creating delete
    deleted deleting deletion creation insert inserted install installed uninstall uninstalled load loaded unload unloaded
    register registered unregister unregistered deregistered acquire acquired release released send sent receive received
    read write hit miss primary secondary master slave leader follower active inactive alive dead live lost found
    matched unmatched known unknown normal abnormal present absent missing empty full terminated killed crashed recovered
    degraded restored fatal warning critical
"""

BOOLEAN_WORDS: Final = "true false"

UNIT_WORDS: Final = (
    "b kb mb gb tb pb kib mib gib tib byte bytes ns us ms s sec secs second seconds min mins minute minutes hour hours day days"
)

NAMING_WORDS: Final = """
    user username account principal host hostname group container pod namespace topic database interface via
"""

FUNCTION_WORDS: Final = """
    a an the and or nor but not is are was were be been being has have had do does did can cannot could will would shall should
    may might must of in at by to from for with without into onto as than then that this these those it its if when while
    during after before because per against about between through
    name names id ids info data mode space level agent process request requests session sessions list count limit key keys
    table groups input space program adapter controller bus bridge port ports address addresses file files
"""

NEITHER, IS_POLAR, IS_NAMING, IS_FUNCTION, IS_UNIT, IS_BOOLEAN, IS_RECORD = range(7)
RECORD_BOOLEANS: Final = 3
"""Booleans that make a line a record of fields, whose values may be true one time and false another, and no statement."""

_BITS: Final = 10
LETTERS_MAX: Final = max(len(word) for words in (POLAR_WORDS, NAMING_WORDS, UNIT_WORDS, FUNCTION_WORDS) for word in words.split())
"""Letters of the longest of them: what is longer is none of them."""


def _table() -> tuple[NDArray[np.uint64], NDArray[np.uint8]]:
    """Open addressing on the lowest bits, at most half full."""
    keys, kinds = np.zeros(1 << _BITS, np.uint64), np.zeros(1 << _BITS, np.uint8)
    lists = (
        (POLAR_WORDS, IS_POLAR),
        (BOOLEAN_WORDS, IS_BOOLEAN),
        (NAMING_WORDS, IS_NAMING),
        (UNIT_WORDS, IS_UNIT),
        (FUNCTION_WORDS, IS_FUNCTION),
    )
    for words, kind in lists:
        for word in dict.fromkeys(words.split()):
            h = raw_hash(word.encode())
            place = h % keys.size
            while keys[place] not in (0, h):
                place = (place + 1) % keys.size
            if not keys[place]:
                keys[place], kinds[place] = h, kind
    return keys, kinds


_KEYS, _KINDS = _table()
LOW_FIVE: Final = 31
EQUALS: Final = ord("=")


def _lengths() -> NDArray[np.int64]:
    """By the low five bits of a first letter, a bit for each length of a known word: most words are ruled out without a hash."""
    bits = np.zeros(LOW_FIVE + 1, np.int64)
    for words in (POLAR_WORDS, BOOLEAN_WORDS, NAMING_WORDS, UNIT_WORDS, FUNCTION_WORDS):
        for word in words.split():
            bits[ord(word[0]) & LOW_FIVE] |= 1 << len(word)
    return bits


_LENGTHS: Final = _lengths()
_PLACES: Final = np.uint64(_KEYS.size - 1)
_CASE: Final = np.uint64(0x20)


@device
def kind_of_word(h: U64) -> I64:
    """Which table holds the word with this hash of its lower-case letters."""
    place = h & _PLACES
    while _KEYS[place] != ZERO:
        if _KEYS[place] == h:
            return int(_KINDS[place])
        place = (place + ONE) & _PLACES
    return NEITHER


@device
def kind_of_token(buffer: NDArray[np.uint8], start: int, end: int) -> I64:
    """IS_POLAR when a token holds a polar word anywhere (`state=up`, `(failed)`), else IS_RECORD or IS_BOOLEAN, else the kind of its last word.

    What stands before `=` is a name and counts for nothing. IS_RECORD is said of RECORD_BOOLEANS booleans or more.
    """
    found, booleans, at = NEITHER, 0, start
    while at < end:
        if not DIGIT <= CLASS[buffer[at]] <= LETTER:
            at += 1
            continue
        first, pure = at, True
        while at < end and DIGIT <= CLASS[buffer[at]] <= LETTER:
            pure &= CLASS[buffer[at]] != DIGIT
            at += 1
        if not pure or at - first > LETTERS_MAX or (at < end and buffer[at] == EQUALS):
            continue
        found = NEITHER
        if (_LENGTHS[buffer[first] & LOW_FIVE] >> (at - first)) & 1:
            h = SEED
            for i in range(first, at):
                h = (h ^ (np.uint64(buffer[i]) | _CASE)) * PRIME
            found = kind_of_word(h)
        if found == IS_POLAR:
            return IS_POLAR
        booleans += found == IS_BOOLEAN
    if booleans >= RECORD_BOOLEANS:
        return IS_RECORD
    return IS_BOOLEAN if booleans else found
