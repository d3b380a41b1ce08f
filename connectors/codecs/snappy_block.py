"""Snappy's block form with a bound on what comes out: the stated length is looked at before a byte is unpacked."""

from __future__ import annotations

import cramjam

from engine.errors import DecodeError, Reject


def unpacked(value: bytes, bytes_max: int) -> bytes:
    """The content of a block. Raises DecodeError: MALFORMED, or TOO_LARGE when it says that more than `bytes_max` are in it."""
    size = _stated(value)
    if size > bytes_max:
        raise DecodeError(Reject.TOO_LARGE, f"{size} bytes when unpacked, at most {bytes_max} are read")
    try:
        return bytes(cramjam.snappy.decompress_raw(value))
    except cramjam.DecompressionError as error:
        raise DecodeError(Reject.MALFORMED, "not a snappy block") from error


def _stated(value: bytes) -> int:
    """The length of the content: a varint of at most 32 bits at the beginning."""
    size = 0
    for place, byte in enumerate(value[:5]):
        size |= (byte & 0x7F) << (7 * place)
        if byte < 0x80:
            return size
    raise DecodeError(Reject.MALFORMED, "not a snappy block")
