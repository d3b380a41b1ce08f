"""Template texts for people: built once when a template is born, rendered when somebody asks."""

from __future__ import annotations

import hashlib
import re
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from detectors.tokens import DATE, MASK, SMALL, VALUES_MAX, Tokens, tokenise

SPELLED_BYTES_MAX: Final = 1_024
"""Bytes of the first line of a template that its text is made of."""
EXAMPLE_BYTES_MAX: Final = 512
"""Bytes of the first line of a template that are kept as its example."""

_WORD_BYTES: Final = b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
_DIGIT: Final = re.compile(rb"[0-9]")

# Control characters could clear a terminal, and bidirectional ones could make a line read as another; tabs are spaces by now.
_CONTROLS: Final = dict.fromkeys(
    (*range(0x20), *range(0x7F, 0xA0), *range(0x200B, 0x2010), *range(0x2028, 0x202F), *range(0x2066, 0x206A), 0xFEFF), "\ufffd"
)


def readable(raw: bytes) -> str:
    """UTF-8 as text that is safe to show: what is no UTF-8, and what is no character, becomes U+FFFD."""
    return raw.decode("utf-8", "replace").translate(_CONTROLS)


def slot_texts(line: bytes, room: Tokens) -> bytes:
    """The masked spelling of a line, one text line for each token, of its first SPELLED_BYTES_MAX bytes. Small digits stay."""
    line = line[:SPELLED_BYTES_MAX]
    count, _, values, _ = tokenise(np.frombuffer(line, np.uint8), 0, len(line), room)
    spans = room.value[: 2 * min(values, VALUES_MAX)].reshape(-1, 2).tolist()
    texts, at = [], 0
    for k in range(count):
        start, end, flags = int(room.start[k]), int(room.end[k]), int(room.flags[k])
        mine = []
        while at < len(spans) and spans[at][0] < end:
            mine.append(spans[at])
            at += 1
        texts.append(MASK if flags & DATE else line[start:end] if flags & SMALL else _spliced(line, start, end, mine))
    return b"\n".join(b" ".join(text.split()) for text in texts)


def _spliced(line: bytes, start: int, end: int, spans: list[list[int]]) -> bytes:
    pieces: list[bytes] = []
    for first, stop in spans:
        pieces += (line[start:first], MASK)
        start = stop
    return b"".join((*pieces, line[start:end]))


class SlotTexts(NamedTuple):
    """What is known of the slots of a template beyond the spelling of its first line. All of one length."""

    wild: NDArray[np.bool_]  # shown as `<*>`, behind its `key=` if it has one
    keyed: NDArray[np.bool_]
    unit: NDArray[np.bool_]  # the unit of the value before it: where it varies, both are one value
    varies: NDArray[np.bool_]  # its small digits are shown as `<*>`


def template_text(spelling: bytes, slots: SlotTexts) -> str:
    """The text of a template: the masked spelling of its first line, with `<*>` where it has become general since."""
    tokens: list[bytes] = []
    for k, token in enumerate(spelling.split(b"\n") if spelling else []):
        if slots.wild[k] and slots.unit[k] and tokens[-1].endswith(MASK):
            tokens[-1] += token.lstrip(_WORD_BYTES)
        elif slots.wild[k]:
            tokens.append(token.split(b"=")[0] + b"=" + MASK if slots.keyed[k] else MASK)
        else:
            tokens.append(_DIGIT.sub(MASK, token) if slots.varies[k] else token)
    return readable(b" ".join(tokens))


def template_id(text: str) -> int:
    """The 64-bit hash that names a template, equal wherever the text is equal."""
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "big")
