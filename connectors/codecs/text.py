"""Plain text: the whole value of a record is one log line, at the record's own time.

The line belongs to the service that the record's key names; without a key to the source itself. A byte that is not UTF-8
costs only itself: it becomes the replacement character.
"""

from __future__ import annotations

from collections.abc import Sequence

from connectors.codecs.columns import ColumnsBuilder
from connectors.codecs.json_logs import tidy
from engine import severity
from engine.config.tree import Source
from engine.errors import DecodeError, Reject
from engine.ports import Catalog
from engine.records import Decoded, Record

SERVICES_MAX = 10_000


class TextCodec:
    """Stateless but for a cache: record key → stream key."""

    def __init__(self, source: Source) -> None:
        self._name = source.name
        self._line_bytes_max = source.line_bytes_max
        self._streams: dict[bytes, bytes] = {}
        self._catalog: Catalog | None = None

    def decode(self, records: Sequence[Record], catalog: Catalog) -> Decoded:
        """As `ports.Codec`."""
        if catalog is not self._catalog:
            self._streams.clear()
            self._catalog = catalog
        out = ColumnsBuilder(self._line_bytes_max)
        for row, record in enumerate(records):
            text = tidy((record.value or b"").decode("utf-8", "replace")).encode()
            if not text:
                out.reject(row, Reject.EMPTY, "no text")
                continue
            try:
                out.line(row, self._stream(record.key or b"", catalog), record.ts_ns, severity.in_text(text), text)
            except DecodeError as error:
                out.reject(row, error.reason, error.detail)
        return out.build()

    def _stream(self, key: bytes, catalog: Catalog) -> bytes:
        stream = self._streams.get(key)
        if stream is None:
            stream = catalog.stream({"service": key.decode("utf-8", "replace") or self._name})
            if len(self._streams) >= SERVICES_MAX:
                self._streams.clear()
            self._streams[key] = stream
        return stream
