"""What of a shard's lines is mined: the message, without a header, out of a body of JSON or logfmt; and what else they say.

    2026-03-02T10:00:00Z warn {"msg":"order complete","trace_id":"4bf92f35","took_ms":31}

is mined as `order complete`, is a warning, belongs to that trace, and took 31. Sessions still look for keys in the whole line.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from engine.config.logs import Logs
from engine.config.mapping import Mapping
from engine.detect import line_bodies, line_heads
from engine.detect.line_heads import Heads
from engine.line_fields import FieldReader, joined_fields
from engine.line_labels import kept_labels
from engine.records import NO_FIELDS, Fields, Labels, Lines

_UNKNOWN: Final = 0


class Read(NamedTuple):
    """What was made of some lines."""

    lines: Lines
    messages: list[bytes]  # of each line
    labels: dict[int, Labels]  # by place: what splits the stream of a line, from its body


class Messages:
    """The lines of one shard."""

    def __init__(self, config: Logs, mapping: Mapping, keep: Sequence[str] = ()) -> None:
        """`keep` names members of bodies that split the stream of their line."""
        self._config = config
        self._keep = keep
        self._fields = FieldReader(mapping)
        self._text_fields = FieldReader(mapping.model_copy(update={"numeric_strings": True}))  # of logfmt, where all is text
        self.heads = Heads()

    def read(self, lines: Lines, stream: NDArray[np.int64]) -> Read:
        """The lines with the levels and fields that their headers and bodies add, and the message of each. All of one length."""
        texts = lines.text
        if self._config.headers:
            texts = self.heads.strip(texts, stream)
            lines = _with_levels(lines, texts)
        if self._config.bodies and line_bodies.may_open(b"\n".join(texts)):
            return self._opened(lines, texts)
        return Read(lines, texts, {})

    def _opened(self, lines: Lines, texts: list[bytes]) -> Read:
        labels: dict[int, Labels] = {}
        severity, fields, messages = lines.severity.copy(), list(lines.fields or [NO_FIELDS] * len(texts)), list(texts)
        for i, text in enumerate(texts):
            messages[i], members = line_bodies.opened(text)
            if members:
                severity[i] = line_bodies.level_of(members) or severity[i]
                fields[i] = joined_fields(fields[i], self._read(text, members))
                kept = kept_labels(members, self._keep)
                if kept:
                    labels[i] = kept
        given = any(of_line is not NO_FIELDS for of_line in fields)
        return Read(lines._replace(severity=severity, fields=fields if given else None), messages, labels)

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
