"""What a log document says of the line it carries a piece of: where it came from, and whether it goes on."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from connectors.codecs.columns import ColumnsBuilder, PieceColumns, cut
from connectors.codecs.json_paths import Document, compile_path, scalar_text
from engine.config.tree import Mapping
from engine.records import Fields

Opened = Callable[[bytes], tuple[bytes, int, Fields]]
_TRUE = frozenset({"true", "True", "1", "P"})


class PieceReader:
    """Reads documents of one mapping."""

    def __init__(self, mapping: Mapping) -> None:
        self._origin = [compile_path(path) for path in mapping.origin]
        self._partial = compile_path(mapping.partial)
        self._last = compile_path(mapping.partial_last)
        self._folds = mapping.stack_traces

    def read(self, document: Document, message: Any, text: bytes, out: ColumnsBuilder, opened: Opened) -> None:
        """Put what belongs beside the line of this document. `text` is its line where `message` is no plain text."""
        if out.pieces is None:
            out.pieces = PieceColumns(lambda raw: _whole(raw, out.line_bytes_max, opened), folds=self._folds)
        parts = [scalar_text(getter(document)) for getter in self._origin]
        origin = "\0".join(part or "" for part in parts).encode() if any(parts) else b""
        more = _says(self._partial(document)) and not _says(self._last(document))
        out.pieces.piece(origin, more, message.encode() if type(message) is str else text)


def _says(value: Any) -> bool:
    """CRI writes P, or P with further tags behind a colon; Docker writes true."""
    return value is True or (type(value) is str and (value in _TRUE or value.startswith("P:")))


def _whole(raw: bytes, line_bytes_max: int, opened: Opened) -> tuple[bytes, int, Fields]:
    text, level, fields = opened(raw.decode("utf-8", "ignore").lstrip("\ufeff ").rstrip().encode())
    return (cut(text, line_bytes_max) if len(text) > line_bytes_max else text), level, fields
