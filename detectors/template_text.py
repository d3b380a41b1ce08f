"""Template texts for people: built once when a template is born, rendered when somebody asks."""

from __future__ import annotations

import hashlib
from typing import Final

import numpy as np
from numpy.typing import NDArray

from detectors.tokens import LINE_BYTES_MAX, MASK, VALUES_MAX, Tokens, tokenise

TEXT_BYTES_MAX: Final = 4_096
"""Bytes of a masked line that are kept as the text of its template."""
EXAMPLE_BYTES_MAX: Final = 512
"""Bytes of the first line of a template that are kept as its example."""

# Control characters could clear a terminal, and bidirectional ones could make a line read as another; tabs are spaces by now.
_CONTROLS: Final = dict.fromkeys(
    (*range(0x20), *range(0x7F, 0xA0), *range(0x200B, 0x2010), *range(0x2028, 0x202F), *range(0x2066, 0x206A), 0xFEFF), "\ufffd"
)


def readable(raw: bytes) -> str:
    """UTF-8 as text that is safe to show: what is no UTF-8, and what is no character, becomes U+FFFD."""
    return raw.decode("utf-8", "replace").translate(_CONTROLS)


def masked_text(line: bytes, room: Tokens) -> bytes:
    """The masked spelling of a line, tokens separated by one space, at most TEXT_BYTES_MAX."""
    line = line[:LINE_BYTES_MAX]
    count, _, values = tokenise(np.frombuffer(line, np.uint8), 0, len(line), room)
    if not count:
        return b""
    end, at, pieces = int(room.end[count - 1]), 0, []
    for start, stop in room.value[: 2 * min(values, VALUES_MAX)].reshape(-1, 2).tolist():
        if start >= end:
            break
        pieces += (line[at:start], MASK)
        at = stop
    pieces.append(line[at:end])
    return b" ".join(b"".join(pieces).split())[:TEXT_BYTES_MAX]


def template_text(masked: bytes, repeats: NDArray[np.int32], wild: NDArray[np.bool_]) -> str:
    """The text of a template: the masked spelling of its first line, with `<*>` where it has become general since.

    `repeats` says for how many tokens of the spelling each slot stands.
    """
    tokens = masked.split(b" ")
    for k in np.flatnonzero(np.repeat(wild, repeats)[: len(tokens)]).tolist():
        tokens[k] = MASK
    return readable(b" ".join(tokens))


def template_id(text: str) -> int:
    """The 64-bit hash that names a template, equal wherever the text is equal."""
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "big")
