"""The slow, obvious oracle of `tokens`: the same masking with regular expressions, one token at a time."""

from __future__ import annotations

import re
from typing import Final

WORD: Final = re.compile(rb"[A-Za-z0-9\x80-\xff]+")
DIGITS: Final = re.compile(rb"[0-9]+")
HEXADECIMAL: Final = re.compile(rb"[0-9A-Fa-f]+")
PREFIXED: Final = re.compile(rb"0[xX][0-9A-Fa-f]*")


def is_value(word: bytes) -> bool:
    """Whether a word stands for a value as a whole."""
    runs = DIGITS.findall(word)
    if not runs:
        return False
    if runs == [word] or PREFIXED.fullmatch(word):
        return True
    if HEXADECIMAL.fullmatch(word):
        return len(word) >= 4
    return len(runs) >= 2 and len(word) >= 6


def mask(token: bytes) -> bytes:
    """The token with each value written `<*>`."""
    out = b""
    end = 0
    after_value = False
    for match in WORD.finditer(token):
        word, gap = match.group(), token[end : match.start()]
        joined = after_value and len(gap) == 1 and gap in b".:-,/_"
        whole = is_value(word) or (joined and HEXADECIMAL.fullmatch(word) is not None)
        if whole and joined:
            pass  # the value before goes on
        elif whole:
            signed = gap[-1:] in (b"+", b"-") and (len(gap) > 1 or end == 0)
            out += (gap[:-1] if signed else gap) + b"<*>"
        else:
            out += gap + DIGITS.sub(b"<*>", word)
        after_value = whole or word[-1:].isdigit()
        end = match.end()
    return out + token[end:]


def mask_line(line: bytes) -> list[bytes]:
    """The masked tokens of a line, adjacent equal ones that hold a value taken as one."""
    tokens: list[bytes] = []
    previous = b""
    for token in re.split(rb"[ \t\r\n\x0b\x0c]+", line):
        if not token:
            continue
        masked = mask(token)
        if masked == previous and masked != token:
            continue
        tokens.append(masked)
        previous = masked
    return tokens


NUMBER: Final = re.compile(rb"[+-]?(?:0|[1-9][0-9]*)(?:\.[0-9]*)?")


def number(before: bytes, value: bytes) -> float | None:
    """The number that a masked value stands for, `before` being the byte in front of it (none at the beginning of a line); None for no number."""
    if before not in b" \t=:([{<\"',;|@~" or not NUMBER.fullmatch(value) or len(re.sub(rb"[^0-9]", b"", value)) > 15:
        return None
    return float(value)
