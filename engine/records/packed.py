"""Columns of bytes that lie one after the other: of a thousand values that are read by one kernel none becomes an object."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cached_property
from typing import Final, overload

import numpy as np
from numpy.typing import NDArray

from engine.records.run import PADDING, Headers, Joined

NOTHING: Final = -1
"""The size of what is not there."""


class Packed(Joined):
    """Byte strings of one buffer, in order; None where the size is NOTHING. PADDING bytes follow the last."""

    __slots__ = ("_body", "_ends", "_sizes")

    def __init__(self, body: NDArray[np.uint8], sizes: NDArray[np.int64], ends: NDArray[np.int64] | None = None) -> None:
        """`sizes` (n,); `ends` (n + 1,), from where the first begins on: worked out where it is not given."""
        self._body, self._sizes = body.view(), sizes
        self._body.flags.writeable = False  # like joined bytes: for kernels that is a type of its own
        self._ends = np.concatenate((np.zeros(1, np.int64), np.cumsum(np.maximum(sizes, 0)))) if ends is None else ends

    def __len__(self) -> int:
        return len(self._sizes)

    @overload
    def __getitem__(self, at: int) -> bytes | None: ...

    @overload
    def __getitem__(self, at: slice) -> Packed: ...

    def __getitem__(self, at: int | slice) -> bytes | Packed | None:
        if isinstance(at, slice):
            first, last, step = at.indices(len(self))
            if step != 1:
                raise ValueError("a column of bytes is cut into runs only")
            return Packed(self._body, self._sizes[first:last], self._ends[first : max(first, last) + 1])
        at = at + len(self) if at < 0 else at
        if not 0 <= at < len(self):
            raise IndexError(at)
        return None if self._sizes[at] < 0 else self._body[self._ends[at] : self._ends[at + 1]].tobytes()

    def __iter__(self) -> Iterator[bytes | None]:
        ends = self._ends.tolist()
        all_ = self._body[ends[0] : ends[-1]].tobytes()
        first = ends[0]
        for size, begin, end in zip(self._sizes.tolist(), ends, ends[1:], strict=False):
            yield None if size < 0 else all_[begin - first : end - first]

    def taken(self, rows: NDArray[np.int64]) -> list[bytes | None]:
        """Those of some rows: quicker than to ask for one after the other."""
        body, sizes = self._body.data, self._sizes[rows]
        if not (sizes > 0).any():
            return [b"" if size == 0 else None for size in sizes.tolist()]
        places = zip(sizes.tolist(), self._ends[rows].tolist(), strict=True)
        return [None if size < 0 else bytes(body[begin : begin + size]) for size, begin in places]

    @cached_property
    def sizes(self) -> NDArray[np.int64]:
        """(n,) bytes of each; 0 where there is none."""
        return np.maximum(self._sizes, 0)

    def joined(self) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
        """All of them as one buffer with PADDING bytes behind, and where they begin and end in it (n + 1)."""
        first, last = int(self._ends[0]), int(self._ends[-1])
        return self._body[first : last + PADDING], self._ends - first


class PackedHeaders(Sequence[Headers]):
    """Headers as two sizes of eight bytes, name and value, one after the other; read when they are asked for."""

    __slots__ = ("_packed",)

    def __init__(self, packed: Packed) -> None:
        self._packed = packed

    def __len__(self) -> int:
        return len(self._packed)

    @overload
    def __getitem__(self, at: int) -> Headers: ...

    @overload
    def __getitem__(self, at: slice) -> PackedHeaders: ...

    def __getitem__(self, at: int | slice) -> Headers | PackedHeaders:
        return PackedHeaders(self._packed[at]) if isinstance(at, slice) else tuple(_pairs(self._packed[at] or b""))

    def __iter__(self) -> Iterator[Headers]:
        return (tuple(_pairs(part or b"")) for part in self._packed)

    def taken(self, rows: NDArray[np.int64]) -> list[Headers]:
        """As `Packed.taken`."""
        return [tuple(_pairs(part)) if part else () for part in self._packed.taken(rows)]


def _pairs(raw: bytes) -> Iterator[tuple[str, bytes]]:
    at = 0
    while at < len(raw):
        name, value = (int.from_bytes(raw[at + 8 * k : at + 8 * k + 8], "little") for k in range(2))
        begin = at + 16
        at = begin + name + value
        yield raw[begin : begin + name].decode(errors="replace"), raw[begin + name : at]
