"""What of a shard's lines is mined: the message, without a header, out of a body of JSON or logfmt; and what else they say.

    2026-03-02T10:00:00Z warn {"msg":"order complete","trace_id":"4bf92f35","took_ms":31}

is mined as `order complete`, is a warning, belongs to that trace, and took 31. Sessions still look for keys in the whole line.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from engine.config.logs import Logs
from engine.config.mapping import Mapping
from engine.detect import line_bodies, line_heads
from engine.detect.line_heads import Heads
from engine.line_fields import FieldReader, joined_fields
from engine.records import NO_FIELDS, Fields, Lines

_UNKNOWN: Final = 0


class Messages:
    """The lines of one shard."""

    def __init__(self, config: Logs, mapping: Mapping) -> None:
        self._config = config
        self._fields = FieldReader(mapping)
        self._text_fields = FieldReader(mapping.model_copy(update={"numeric_strings": True}))  # of logfmt, where all is text
        self.heads = Heads()

    def read(self, lines: Lines, stream: NDArray[np.int64]) -> tuple[Lines, list[bytes]]:
        """The lines with the levels and fields that their headers and bodies add, and the message of each. All of one length."""
        texts = lines.text
        if self._config.headers:
            texts = self.heads.strip(texts, stream)
            lines = _with_levels(lines, texts)
        if self._config.bodies and line_bodies.may_open(b"\n".join(texts)):
            return self._opened(lines, texts)
        return lines, texts

    def _opened(self, lines: Lines, texts: list[bytes]) -> tuple[Lines, list[bytes]]:
        severity, fields, messages = lines.severity.copy(), list(lines.fields or [NO_FIELDS] * len(texts)), list(texts)
        for i, text in enumerate(texts):
            messages[i], members = line_bodies.opened(text)
            if members:
                severity[i] = line_bodies.level_of(members) or severity[i]
                fields[i] = joined_fields(fields[i], self._read(text, members))
        given = any(of_line is not NO_FIELDS for of_line in fields)
        return lines._replace(severity=severity, fields=fields if given else None), messages

    def _read(self, text: bytes, members: line_bodies.Members) -> Fields:
        return (self._fields if text[:1] == b"{" else self._text_fields).read(members)


def _with_levels(lines: Lines, messages: list[bytes]) -> Lines:
    """Where a line has no level yet, that of its header."""
    unknown = np.flatnonzero(lines.severity == _UNKNOWN).tolist()
    headed = [i for i in unknown if messages[i] is not lines.text[i]]
    if not headed:
        return lines
    severity = lines.severity.copy()
    for i in headed:
        text = lines.text[i]
        severity[i] = line_heads.level_of(text[: len(text) - len(messages[i])])
    return lines._replace(severity=severity)
