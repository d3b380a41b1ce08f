"""What `session_keys` finds, in plain Python: written to be obvious, never to be fast. Nothing but tests calls it."""

from __future__ import annotations

import re
from typing import Final

from detectors.session_keys import BLOCK, LINE_BYTES_MAX, NAMED, NONE, REQUEST, UUID, VALUE_BYTES_MAX, VALUE_BYTES_MIN

_WORD: Final = re.compile(rb"[A-Za-z0-9_.-]+")
_JOIN: Final = re.compile(rb"[=:\"' \t\[]*")
_FORMS: Final = (
    (BLOCK, re.compile(rb"blk_(?=.{4})-?[0-9]*", re.DOTALL)),
    (REQUEST, re.compile(rb"req-(?=(?:[^0-9]*[0-9]){4})(?=.{8}).*", re.DOTALL)),
    (UUID, re.compile(rb"(?i)[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")),
)


def naive_key(line: bytes, names: set[bytes]) -> bytes:
    """The word that is the key of a line; empty where it has none. `names` in small letters."""
    line = line[:LINE_BYTES_MAX]
    best, found, armed, end = NONE, b"", False, 0
    for match in _WORD.finditer(line):
        word = match[0]
        armed = armed and _JOIN.fullmatch(line[end : match.start()]) is not None
        form = next((form for form, pattern in _FORMS if pattern.fullmatch(word)), NONE)
        if armed and re.search(rb"[0-9]", word) and VALUE_BYTES_MIN <= len(word) <= VALUE_BYTES_MAX:
            form = NAMED
        if form > best:
            best, found = form, word
        armed, end = word.lower() in names, match.end()
    return found
