r"""A snapshot as bytes: typed little-endian columns in chunks with checksums, and a manifest that describes them.

    manifest   `foreshock-snapshot 1 <crc32> <bytes>\n` and JSON: shard, offset, kernel, meta, schema, chunks
    chunk n    bytes n·CHUNK_BYTES … of all columns, one after the other

Nothing in it is code: dtypes come from an allow-list, lengths are checked before anything is made of them, and whatever
is not exactly what was written raises StateError. The manifest is written last, so its presence means the whole is there.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from engine.errors import StateError
from engine.ports import Saved, Snapshot
from engine.records import Shard

FORMAT: Final = 1
CHUNK_BYTES: Final = 900_000  # fits a Kafka message under the default limit
MANIFEST_BYTES_MAX: Final = 64 * 2**20
COLUMNS_MAX: Final = 4096
BODY_BYTES_MAX: Final = 16 * 2**30
FIELDS_MAX: Final = 512
ITEM_BYTES_MAX: Final = 2**20
DEPTH_MAX: Final = 4
_MAGIC: Final = b"foreshock-snapshot"
_KINDS: Final = "biufSU"  # bool, integers, floats, fixed-width bytes and text; no objects, ever
_PLAIN: Final = re.compile(rf"[<|][{_KINDS}][1-9][0-9]{{0,6}}")
"""How numpy writes such a dtype. Nothing else reaches its parser, which takes whole expressions and fails in ways of its own."""


class ColumnSchema(msgspec.Struct, frozen=True):
    """One column. `dtype` is numpy's short text (`<f8`) or, for a structured one, its fields."""

    name: str
    dtype: Any
    rows: int


class ChunkSum(msgspec.Struct, frozen=True):
    """Length and checksum of one chunk."""

    bytes: int
    crc32: int


class Manifest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What the manifest says."""

    format: int
    topic: str
    partition: int
    offset: int
    kernel_id: str
    meta: dict[str, Any]
    columns: list[ColumnSchema]
    chunks: list[ChunkSum]


_DECODER = msgspec.json.Decoder(Manifest)


# ------------------------------------------------------------------------------------------------------ writing
def encode(saved: Saved) -> tuple[bytes, list[bytes]]:
    """The manifest and the chunks. Raises StateError for a dtype or a meta that cannot be written."""
    schemas, pieces = [], []
    for name, values in saved.snapshot.columns.items():
        column = _little_endian(np.asarray(values), name)
        schemas.append(ColumnSchema(name, _describe(column.dtype, 0), len(column)))
        if len(column):
            pieces.append(column.view(np.uint8).data)
    chunks = list(_cut(pieces))
    manifest = Manifest(
        format=FORMAT,
        topic=saved.shard.topic,
        partition=saved.shard.partition,
        offset=saved.offset,
        kernel_id=saved.kernel_id,
        meta=saved.snapshot.meta,
        columns=schemas,
        chunks=[ChunkSum(len(chunk), zlib.crc32(chunk)) for chunk in chunks],
    )
    try:
        body = msgspec.json.encode(manifest)
    except (TypeError, ValueError, OverflowError, msgspec.MsgspecError) as error:
        raise StateError(f"the state's meta is not JSON: {error}") from error
    return b"%s %d %08x %d\n" % (_MAGIC, FORMAT, zlib.crc32(body), len(body)) + body, chunks


def _cut(pieces: Iterable[memoryview]) -> Iterator[bytes]:
    """All pieces, one after the other, in chunks: copied once, however large they are."""
    chunk = bytearray()
    for piece in pieces:
        start = 0
        while start < len(piece):
            taken = piece[start : start + CHUNK_BYTES - len(chunk)]
            chunk += taken
            start += len(taken)
            if len(chunk) == CHUNK_BYTES:
                yield bytes(chunk)
                chunk.clear()
    if chunk:
        yield bytes(chunk)


def _little_endian(values: NDArray[Any], name: str) -> NDArray[Any]:
    if values.ndim != 1:
        raise StateError(f"column {name} has {values.ndim} dimensions, not 1")
    return np.ascontiguousarray(values.astype(values.dtype.newbyteorder("<"), copy=False))


def _describe(dtype: np.dtype[Any], depth: int) -> Any:
    """A dtype as JSON: text, `[base, shape]` for a sub-array, or `{"bytes", "fields": [[name, dtype, offset]]}`."""
    if depth > DEPTH_MAX:
        raise StateError("a dtype is nested too deeply")
    if dtype.subdtype is not None:
        base, shape = dtype.subdtype
        return [_describe(base, depth + 1), list(shape)]
    if dtype.names is not None and dtype.fields is not None:
        if len(dtype.fields) != len(dtype.names):
            raise StateError("a field with a title, a second name, cannot be in a snapshot")
        fields = [[name, _describe(dtype.fields[name][0], depth + 1), dtype.fields[name][1]] for name in dtype.names]
        return {"bytes": dtype.itemsize, "fields": fields}
    if dtype.kind not in _KINDS:
        raise StateError(f"a column of dtype {dtype} cannot be in a snapshot")
    return dtype.str


# ------------------------------------------------------------------------------------------------------ reading
def read_manifest(raw: bytes) -> Manifest:
    """Check and parse a manifest. Raises StateError."""
    head, found, body = raw[:100].partition(b"\n")
    parts = head.split(b" ")
    if not found or len(parts) != 4 or parts[0] != _MAGIC or parts[1] != b"%d" % FORMAT:
        raise StateError("not a snapshot of a format we know")
    body = raw[len(head) + 1 :]
    if parts[2:] != [b"%08x" % zlib.crc32(body), b"%d" % len(body)] or len(body) > MANIFEST_BYTES_MAX:
        raise StateError("the manifest is damaged")
    try:
        manifest = _DECODER.decode(body)
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        raise StateError(f"the manifest does not parse: {error}") from error
    _check_limits(manifest)
    return manifest


def _check_limits(manifest: Manifest) -> None:
    sizes = [chunk.bytes for chunk in manifest.chunks]
    if manifest.format != FORMAT or manifest.offset < 0 or len(manifest.columns) > COLUMNS_MAX:
        raise StateError("the manifest is beyond the limits")
    if any(not 0 < size <= CHUNK_BYTES for size in sizes) or sum(sizes) > BODY_BYTES_MAX:
        raise StateError("the manifest's chunks are beyond the limits")


def decode(manifest: Manifest, read_chunk: Callable[[int], bytes]) -> Saved:
    """The snapshot behind a manifest; `read_chunk(n)` gives the bytes of chunk n. Raises StateError."""
    schemas = [(column, _dtype(column.dtype, 0)) for column in manifest.columns]
    if any(column.rows < 0 for column, _ in schemas):
        raise StateError("a column has a negative length")
    if sum(column.rows * dtype.itemsize for column, dtype in schemas) != sum(chunk.bytes for chunk in manifest.chunks):
        raise StateError("the columns and the chunks differ in length")
    body = b"".join(_checked(read_chunk(n), chunk) for n, chunk in enumerate(manifest.chunks))
    columns, start = {}, 0
    for column, dtype in schemas:
        # The copy makes it writable, and lets go of the rest of the body.
        columns[column.name] = np.frombuffer(body, dtype, column.rows, start).copy() if column.rows else np.empty(0, dtype)
        start += column.rows * dtype.itemsize
    if len(columns) != len(schemas):
        raise StateError("two columns have the same name")
    shard = Shard(manifest.topic, manifest.partition)
    return Saved(shard, manifest.offset, manifest.kernel_id, Snapshot(manifest.meta, columns))


def _checked(chunk: bytes, expected: ChunkSum) -> bytes:
    if len(chunk) != expected.bytes or zlib.crc32(chunk) != expected.crc32:
        raise StateError("a chunk is damaged")
    return chunk


def _dtype(described: Any, depth: int) -> np.dtype[Any]:
    """The inverse of `_describe`. Raises StateError for anything that it would not have written."""
    if depth > DEPTH_MAX:
        raise StateError("a dtype is nested too deeply")
    try:
        dtype = _built(described, depth)
    except (TypeError, ValueError, KeyError, IndexError, OverflowError) as error:
        raise StateError(f"not a dtype: {error}") from error
    if not 0 < dtype.itemsize <= ITEM_BYTES_MAX or dtype.hasobject:
        raise StateError(f"a dtype of {dtype.itemsize} bytes is beyond the limits")
    return dtype


def _built(described: Any, depth: int) -> np.dtype[Any]:
    if isinstance(described, str):
        dtype: np.dtype[Any] | None = np.dtype(described) if _PLAIN.fullmatch(described) else None
        if dtype is None or dtype.str != described:
            raise StateError(f"dtype {described!r} is not allowed")
        return dtype
    if isinstance(described, list):
        base, shape = described
        return np.dtype((_dtype(base, depth + 1), tuple(int(n) for n in shape)))
    fields = described["fields"]
    if len(fields) > FIELDS_MAX:
        raise StateError("a dtype has too many fields")
    return np.dtype(
        {
            "names": [str(name) for name, _, _ in fields],
            "formats": [_dtype(inner, depth + 1) for _, inner, _ in fields],
            "offsets": [int(offset) for _, _, offset in fields],
            "itemsize": int(described["bytes"]),
        }
    )
