"""What `line_numbers` reads, in plain Python: written to be obvious, never to be fast. Nothing but tests calls it."""

from __future__ import annotations

import re
from typing import Final

from detectors.line_numbers import DIGITS_MAX, LINE_BYTES_MAX, NO_MEASURE, NUMBERS_MAX, UNITS, WORD_BYTES_MAX

_WORD: Final = re.compile(rb"[A-Za-z\x80-\xff0-9_.-]+")
_NUMBER: Final = re.compile(rb"([0-9]+(?:\.[0-9]+)?)(.*)", re.DOTALL)
_UNIT: Final = re.compile(rb" ?(?:(%)|([A-Za-z\x80-\xff]+)(?![A-Za-z\x80-\xff0-9]))", re.DOTALL)
_NAME: Final = re.compile(rb'([A-Za-z\x80-\xff]+)"?[=:]"? ?$', re.DOTALL)


def naive_numbers(line: bytes) -> list[float]:
    """The first few numbers of a line that measure something."""
    line = line[:LINE_BYTES_MAX]
    found = []
    for word in _WORD.finditer(line):
        number = _NUMBER.fullmatch(word[0])
        if number is None:
            continue
        digits = number[1].replace(b".", b"")
        end = word.start() + len(number[1])
        unit = _UNIT.match(line, end)
        has_unit = unit is not None and (unit[1] is not None or unit[2].lower() in UNITS.split())
        alone = not number[2] and line[end : end + 1] not in (b":", b"/")
        name = _NAME.search(line, 0, word.start())
        measures = name is not None and name[1][-WORD_BYTES_MAX:].lower() not in NO_MEASURE.split()
        if len(digits) <= DIGITS_MAX and (has_unit or (alone and measures)):
            found.append(float(number[1]))
    return found[:NUMBERS_MAX]
