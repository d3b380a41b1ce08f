"""The slow, obvious oracle of `tokens` and `shapes`: the same masking with regular expressions, one token at a time."""

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


JOINT: Final = re.compile(rb"([.:,/_-])([A-Za-z0-9\x80-\xff]+)")
Joints = tuple[int, bytes, bool]


def joined_values(line: bytes, end: int) -> tuple[int, Joints]:
    """The values joined to one that ends at `end`: (where they end, how many dots up to two, the last joint, whether one is no host's)."""
    dots, last, odd = 0, b"", False
    while match := JOINT.match(line, end):
        joint, word = match.groups()
        if not is_value(word) and HEXADECIMAL.fullmatch(word) is None:
            break
        dots, last, odd = min(dots + (joint == b"."), 2), joint, odd or joint in b",/"
        end = match.end()
    return end, (dots, last, odd)


def shape(line: bytes) -> list[object]:
    """All that decides what a line is masked to: its text, marks for values, words with digits."""
    out: list[object] = []
    end = 0
    for match in WORD.finditer(line):
        word, digits = match.group(), DIGITS.search(match.group())
        if match.start() < end or not digits:
            continue
        if is_value(word):
            out.append(line[end : match.start()])
            end, joints = joined_values(line, match.end())
            out.append((digits.start() > 0, joints))
        else:
            only = digits.group() if len(b"".join(DIGITS.findall(word))) == 1 else b""
            out += (line[end : match.start() + digits.start()], DIGITS.sub(b"<*>", word), only)
            end = match.end()
    return [*out, line[end:]]


NUMBER: Final = re.compile(rb"[+-]?(?:0|[1-9][0-9]*)(?:\.[0-9]*)?")


def number(before: bytes, value: bytes) -> float | None:
    """The number that a masked value stands for, `before` being the byte in front of it (none at the beginning of a line); None for no number."""
    if before not in b" \t=:([{<\"',;|@~" or not NUMBER.fullmatch(value) or len(re.sub(rb"[^0-9]", b"", value)) > 15:
        return None
    return float(value)
