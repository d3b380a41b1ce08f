"""The numbers that lines hold, as series: "took 5321 ms" has the value 5321 in its slot.

A number is a decimal value at the beginning of a word or behind punctuation, whatever unit follows: `5321`, `5321ms`, `size=12,`, `(0.5`. Addresses,
times, hexadecimal values, and digits behind letters (`eth0`, `blk_17`) are none. Of each template NUMBERS_MAX slots are read: those first that say they
are quantities, by a unit or a key. Which ones is settled when the template is born, so that the numbers of a line do not depend on what came after it.
"""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from detectors.kernel import device, kernel
from detectors.template_index import UNIT, Index
from detectors.tokens import CLASS, DATE, DIGIT, F64, I64, LETTERS, MASKED, VALUES_MAX, ZERO, Flag, Tokens, bytes_in, tokenise

NUMBERS_MAX: Final = 4
"""Slots of one template whose numbers are read."""
DIGITS_MAX: Final = 15
"""Digits of a number: what is longer is a name."""
BEFORE_NUMBER: Final = bytes_in(b" \t=:([{<\"',;|@~")
POINT, PLUS, MINUS = (ord(c) for c in ".+-")
_FIRST_POWER: Final = 10.0


class Numbers(NamedTuple):
    """The numbers of some lines, in their order; all of one length."""

    row: NDArray[np.int64]  # the line among those asked about
    slot: NDArray[np.int16]  # which token of the line
    value: NDArray[np.float64]


@device
def chosen_slots(i: int, index: Index, chosen: NDArray[np.int64]) -> I64:
    """The slots of template `i` whose numbers are read, those of quantities first; how many."""
    first, length, count = index.template[i].first, index.template[i].length, 0
    for quantities in (True, False):
        for j in range(length):
            slot = index.slot[first + j]
            if slot.marks & (MASKED | DATE) != MASKED or count == NUMBERS_MAX:
                continue
            unit = j + 1 < length and index.slot[first + j + 1].marks & UNIT != 0
            if (unit or slot.key != ZERO or slot.marks & LETTERS != 0) == quantities:
                chosen[count] = j
                count += 1
    return count


@device
def number_at(buffer: NDArray[np.uint8], start: int, end: int, begin: int) -> F64:
    """The number that the masked span holds, of a line that begins at `begin`; NaN when it is none."""
    at, value, power, digits = start, 0.0, 1.0, 0
    negative: Flag = buffer[at] == MINUS
    if buffer[at] in (PLUS, MINUS):
        at += 1
    if start > begin and not BEFORE_NUMBER[buffer[start - 1]]:
        return np.nan
    pointed = False
    for k in range(at, end):
        if CLASS[buffer[k]] == DIGIT:
            value = value * 10.0 + (buffer[k] - 48.0)
            digits += 1
            if pointed:
                power *= _FIRST_POWER
        elif buffer[k] == POINT and not pointed and k > at:
            pointed = True
        else:
            return np.nan
    if digits == 0 or digits > DIGITS_MAX or (buffer[at] == 48 and at + 1 < end and buffer[at + 1] != POINT):
        return np.nan
    return -value / power if negative else value / power


@kernel
def read_numbers(
    buffer: NDArray[np.uint8],
    offset: NDArray[np.int64],
    template: NDArray[np.int32],
    tokens: Tokens,
    index: Index,
    chosen: NDArray[np.int64],
    out: Numbers,
) -> int:
    """Write into `out` row, slot and value of each number; how many. `chosen` is room for NUMBERS_MAX."""
    row, slot, value = out
    count = 0
    for r in range(template.size):
        if template[r] < 0:
            continue
        wanted = chosen_slots(template[r], index, chosen)
        if wanted == 0:
            continue
        length, _, values, _ = tokenise(buffer, offset[r], offset[r + 1], tokens)
        spans = min(values, VALUES_MAX)
        for w in range(wanted):
            j = chosen[w]
            if j >= length:
                continue
            k = 0
            while k < spans and tokens.value[2 * k] < tokens.start[j]:
                k += 1
            if k < spans and tokens.value[2 * k + 1] <= tokens.end[j]:
                number = number_at(buffer, tokens.value[2 * k], tokens.value[2 * k + 1], offset[r])
                if number == number:  # noqa: PLR0124 - not NaN
                    row[count], slot[count], value[count] = r, j, number
                    count += 1
    return count
