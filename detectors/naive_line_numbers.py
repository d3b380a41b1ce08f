"""What `line_numbers` reads, in plain Python: written to be obvious, never to be fast. Nothing but tests calls it."""

from __future__ import annotations

import re
from typing import Final

from detectors.line_numbers import DIGITS_MAX, LINE_BYTES_MAX, NO_MEASURE, NUMBERS_MAX, UNITS, WORD_BYTES_MAX

_WORD: Final = re.compile(rb"[A-Za-z\x80-\xff0-9_.-]+")
_NUMBER: Final = re.compile(rb"([0-9]+(?:\.[0-9]+)?)(.*)", re.DOTALL)
_UNIT: Final = re.compile(rb" ?(?:(%)|([A-Za-z\x80-\xff]+)(?![A-Za-z\x80-\xff0-9=]))", re.DOTALL)
_NAME: Final = re.compile(rb'([A-Za-z\x80-\xff]+)"?[=:]"? ?$', re.DOTALL)


def naive_numbers(line: bytes) -> list[tuple[float, tuple[bytes, int]]]:
    """The first few numbers of a line that measure something, each with its name or else its unit, and how many before it have the same."""
    line = line[:LINE_BYTES_MAX]
    found: list[tuple[float, tuple[bytes, int]]] = []
    for word in _WORD.finditer(line):
        number = _NUMBER.fullmatch(word[0])
        if number is None:
            continue
        digits = number[1].replace(b".", b"")
        end = word.start() + len(number[1])
        unit = _UNIT.match(line, end)
        has_unit = unit is not None and (unit[1] is not None or unit[2].lower() in UNITS.split())
        padded = number[1][:1] == b"0" and number[1][1:2].isdigit()
        alone = not number[2] and line[end : end + 1] not in (b":", b"/") and not padded
        name = _NAME.search(line, 0, word.start())
        called = name[1][-WORD_BYTES_MAX:].lower() if name is not None else b""
        named = called if (has_unit or alone) and called not in NO_MEASURE.split() else b""
        known = named or (unit[0].strip(b" ").lower() if unit is not None and has_unit else b"")
        if len(digits) <= DIGITS_MAX and known and len(found) < NUMBERS_MAX:
            before = sum(other == known for _, (other, _) in found)
            found.append((float(number[1]), (known, before)))
    return found
