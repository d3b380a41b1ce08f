"""Bodies that were compressed by the program that wrote them: any codec, behind one that unpacks.

(What Kafka compresses itself is none of this; the client undoes it.) What comes out is bounded before it is made: at most
eight times `record_bytes_max`, and at most a hundred times what came in, so that a bomb costs no more than its own size.
One layer is undone, one frame is read; anything behind it is malformed.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator, Sequence
from typing import Final

import cramjam
import numpy as np
import zstandard

from engine.config.tree import Source
from engine.config.values import Compression
from engine.errors import DecodeError, Reject
from engine.ports import Catalog, Codec
from engine.records import Decoded, Record, Rejected, at_rows, joined

UNPACKED_FACTOR: Final = 8
"""An unpacked body may be so many times `record_bytes_max`."""
RATIO_MAX: Final = 100
RATIO_FROM_BYTES: Final = 65_536
"""Up to this size any ratio is allowed: a short body of one repeated line is nobody's attack."""
RUN_BYTES: Final = 16 * 2**20
"""Bodies are handed on when so much is unpacked, not a whole batch of them at once."""
_WINDOW_BYTES: Final = 8 * 2**20
_PIECE_BYTES: Final = 128
"""A zstd block of 4 bytes can hold 128 kB: fed in pieces so small, a frame can overshoot its bound by 4 MB at the most."""
_NAMES: Final = {
    "": Compression.NONE,
    "identity": Compression.NONE,
    "gzip": Compression.GZIP,
    "x-gzip": Compression.GZIP,
    "zstd": Compression.ZSTD,
    "snappy": Compression.SNAPPY,
}
_ENCODING: Final = "content-encoding"


class PackedCodec:
    """Implements ports.Codec around another one."""

    def __init__(self, inner: Codec, source: Source) -> None:
        self._inner = inner
        self._way = source.compression
        self._bytes_max = UNPACKED_FACTOR * source.record_bytes_max

    def decode(self, records: Sequence[Record], catalog: Catalog) -> Decoded:
        """As `ports.Codec`."""
        rejected: list[Rejected] = []
        parts = [
            at_rows(self._inner.decode(run, catalog), np.array(rows, np.int32)) for rows, run in self._runs(records, rejected)
        ]
        decoded = joined(parts) if len(parts) != 1 else parts[0]
        if not rejected:
            return decoded
        return decoded._replace(rejected=sorted([*decoded.rejected, *rejected], key=_row))

    def _runs(self, records: Sequence[Record], rejected: list[Rejected]) -> Iterator[tuple[list[int], list[Record]]]:
        """The records as the other codec is to see them, with their rows; at least one run, so that an empty batch is decoded too."""
        rows: list[int] = []
        run: list[Record] = []
        size = 0
        for row, record in enumerate(records):
            try:
                opened = unpacked(record, self._way, self._bytes_max)
            except DecodeError as error:
                rejected.append(Rejected(row, error.reason, error.detail))
                continue
            rows.append(row)
            run.append(opened)
            size += len(opened.value or b"")
            if size >= RUN_BYTES:
                yield rows, run
                rows, run, size = [], [], 0
        yield rows, run


def unpacked(record: Record, way: Compression, bytes_max: int) -> Record:
    """The record with its body as it was before it was packed, and without the header that said so. Raises DecodeError."""
    value = record.value
    if not value:
        return record
    if way is Compression.AUTO:
        way = _way_of(record)
    if way is Compression.NONE:
        return record
    bound = min(bytes_max, max(RATIO_FROM_BYTES, RATIO_MAX * len(value)))
    headers = tuple(header for header in record.headers if header[0].lower() != _ENCODING)
    return record._replace(value=_UNPACK[way](value, bound), headers=headers)


def _row(part: Rejected) -> int:
    return part.row


def _way_of(record: Record) -> Compression:
    """By the header; without one by the first bytes, which snappy does not have. Raises DecodeError(UNSUPPORTED)."""
    said = [value for name, value in record.headers if name.lower() == _ENCODING]
    if said:
        name = said[-1].decode("utf-8", "replace").strip().lower()
        if len(said) > 1 or name not in _NAMES:
            raise DecodeError(Reject.UNSUPPORTED, "a content-encoding other than gzip, zstd and snappy, or several")
        return _NAMES[name]
    value = record.value or b""
    if value[:2] == b"\x1f\x8b":
        return Compression.GZIP
    return Compression.ZSTD if value[:4] == b"\x28\xb5\x2f\xfd" else Compression.NONE


def _too_large(bound: int) -> DecodeError:
    return DecodeError(Reject.TOO_LARGE, f"more than {bound} bytes when unpacked")


def _gunzip(value: bytes, bound: int) -> bytes:
    stream = zlib.decompressobj(wbits=31)
    try:
        body = stream.decompress(value, bound + 1)
    except zlib.error as error:
        raise DecodeError(Reject.MALFORMED, "not gzip") from error
    if len(body) > bound:
        raise _too_large(bound)
    if not stream.eof or stream.unused_data:
        raise DecodeError(Reject.MALFORMED, "gzip cut off, or with something behind it")
    return body


def _unzstd(value: bytes, bound: int) -> bytes:
    """A frame that states its size is undone at once; any other in small pieces, as the library has no bound for those."""
    try:
        stated = zstandard.frame_content_size(value)
        if stated > bound:
            raise _too_large(bound)
        if stated >= 0:
            return zstandard.ZstdDecompressor(max_window_size=_WINDOW_BYTES).decompress(value, allow_extra_data=False)
        return _unzstd_in_pieces(value, bound)
    except zstandard.ZstdError as error:
        raise DecodeError(Reject.MALFORMED, "not zstd, cut off, of a window over 8 MB, or with something behind it") from error


def _unzstd_in_pieces(value: bytes, bound: int) -> bytes:
    stream = zstandard.ZstdDecompressor(max_window_size=_WINDOW_BYTES).decompressobj()
    parts, size = [], 0
    for start in range(0, len(value), _PIECE_BYTES):
        part = stream.decompress(value[start : start + _PIECE_BYTES])
        parts.append(part)
        size += len(part)
        if size > bound:
            raise _too_large(bound)
        if stream.eof:
            if stream.unused_data or start + _PIECE_BYTES < len(value):
                break
            return b"".join(parts)
    raise DecodeError(Reject.MALFORMED, "zstd cut off, or with something behind it")


def unsnap(value: bytes, bound: int) -> bytes:
    """Snappy's block format, as Prometheus writes it. Raises DecodeError: MALFORMED, or TOO_LARGE beyond `bound` bytes.

    The stated size is looked at first: the library asks for as much memory, and ends the process when there is not so much.
    """
    try:
        if cramjam.snappy.decompress_raw_len(value) > bound:
            raise _too_large(bound)
        return bytes(cramjam.snappy.decompress_raw(value))
    except cramjam.DecompressionError as error:
        raise DecodeError(Reject.MALFORMED, "not a snappy block") from error


_UNPACK: Final[dict[Compression, Callable[[bytes, int], bytes]]] = {
    Compression.GZIP: _gunzip,
    Compression.ZSTD: _unzstd,
    Compression.SNAPPY: unsnap,
}
