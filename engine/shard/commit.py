"""What is left with a commit: which outputs had been made by then, as a chain of digests.

A shard's outputs form a chain: each link is the hash of the link before it and of one output. The chain's state is kept
in the snapshot and, with each commit, in the commit's metadata. Whoever restores the snapshot and steps the log again up
to the commit must arrive at the same link; if not, the machine is not deterministic (or is not the same machine).
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterable
from hashlib import blake2b
from typing import Final, NamedTuple

import msgspec

from engine.records import Output

METADATA_VERSION = 2
METADATA_BYTES_MAX = 4096  # the broker's default `offset.metadata.max.bytes`
_encode: Final = msgspec.msgpack.Encoder().encode
"""Each text, byte string and sequence with its length: no two outputs give the same bytes. One call: to hash part after part cost more than all else
that is done with a dead letter."""


class Chain(NamedTuple):
    """The digest of all outputs since `origin`. Two chains can be compared only when their origins are the same."""

    origin: int
    """The offset at which the shard's state was empty."""
    outputs: int = 0
    digest: str = ""

    def extend(self, outputs: Iterable[Output]) -> Chain:
        """The chain after these outputs; the same however they are cut into calls."""
        count, digest = self.outputs, self.digest
        for output in outputs:
            count += 1
            digest = blake2b(digest.encode() + _encode(output), digest_size=8).hexdigest()
        return Chain(self.origin, count, digest)


class Mark(msgspec.Struct, frozen=True, kw_only=True):
    """A commit's metadata. `chain` is None when the commit lags behind what was stepped (effects still pending)."""

    v: int = METADATA_VERSION
    epoch: int
    kernel_id: str
    snapshot: int | None = None  # offset of the newest snapshot that is known to be written
    chain: Chain | None = None


_DECODER = msgspec.json.Decoder(Mark)


def write_mark(mark: Mark) -> str:
    """The mark as text for the broker: base64 of JSON, at most a few hundred bytes."""
    return base64.b64encode(msgspec.json.encode(mark)).decode()


def read_mark(metadata: str) -> Mark | None:
    """The mark in a commit's metadata; None when there is none, or it is not one of ours."""
    if not metadata or len(metadata) > METADATA_BYTES_MAX:
        return None
    try:
        mark = _DECODER.decode(base64.b64decode(metadata, validate=True))
    except (binascii.Error, ValueError, msgspec.DecodeError):
        return None
    return mark if mark.v == METADATA_VERSION else None
