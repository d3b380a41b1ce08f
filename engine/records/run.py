"""Consecutive records of one shard, kept as columns: a thousand tuples cost more than what is done with them."""

from __future__ import annotations

from abc import abstractmethod
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from functools import cached_property
from typing import Any, Final, Protocol, overload, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from engine.records.log import Record, Shard

Headers = tuple[tuple[str, bytes], ...]
PADDING: Final = 8
"""Bytes that follow a buffer of values, so that a kernel may read eight at any place of it."""


class Joined(Sequence[bytes | None]):
    """Values that lie in one buffer already."""

    @property
    @abstractmethod
    def sizes(self) -> NDArray[np.int64]:
        """(n,) bytes of each value."""

    @abstractmethod
    def joined(self) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
        """As `Run.joined`."""


@runtime_checkable
class Takes(Protocol):
    """A column that gives what some rows have faster than one after the other."""

    def taken(self, rows: NDArray[np.int64]) -> Sequence[Any]:
        """In the order of `rows`."""
        ...


class Run(Sequence[Record]):
    """A sequence of records of one shard, offsets ascending. A `Record` is made when one is asked for; nothing may be changed."""

    def __init__(
        self,
        shard: Shard,
        offsets: Sequence[int],
        ts_ns: NDArray[np.int64],
        keys: Sequence[bytes | None],
        values: Sequence[bytes | None],
        headers: Sequence[Headers],
    ) -> None:
        """All columns are of one length; `ts_ns` is the log's time of each record."""
        self.shard = shard
        self.offsets = offsets
        self.ts_ns = ts_ns
        self.keys = keys
        self.values = values
        self.headers = headers

    @classmethod
    def of(cls, records: Sequence[Record]) -> Run:
        """The same records as a run; they are of one shard, and at least one."""
        if isinstance(records, Run):
            return records
        topics, partitions, offsets, ts_ns, keys, values, headers = zip(*records, strict=True)
        return cls(Shard(topics[0], partitions[0]), offsets, np.array(ts_ns, np.int64), keys, list(values), headers)

    def __len__(self) -> int:
        return len(self.values)

    @overload
    def __getitem__(self, at: int) -> Record: ...

    @overload
    def __getitem__(self, at: slice) -> Run: ...

    def __getitem__(self, at: int | slice) -> Record | Run:
        if isinstance(at, slice):
            return Run(self.shard, self.offsets[at], self.ts_ns[at], self.keys[at], self.values[at], self.headers[at])
        return Record(*self.shard, self.offsets[at], int(self.ts_ns[at]), self.keys[at], self.values[at], self.headers[at])

    def __iter__(self) -> Iterator[Record]:
        topic, partition = self.shard
        columns = zip(self.offsets, self.ts_ns.tolist(), self.keys, self.values, self.headers, strict=True)
        return (Record(topic, partition, *rest) for rest in columns)

    def place(self, offset: int) -> int:
        """How many of the records are before `offset`."""
        return 0 if self.offsets[0] >= offset else bisect_left(self.offsets, offset)

    def chosen(self, rows: NDArray[np.int64]) -> Iterator[tuple[int, int, bytes | None, bytes | None, Headers]]:
        """Offset, time, key, value and headers of some rows."""
        at: list[int] = rows.tolist()
        offsets = self.offsets
        columns = [
            column.taken(rows) if isinstance(column, Takes) else [column[row] for row in at]
            for column in (self.keys, self.values, self.headers)
        ]
        return zip([offsets[row] for row in at], self.ts_ns[rows].tolist(), *columns, strict=True)

    @cached_property
    def payloads(self) -> list[bytes]:
        """All values; b"" where there is none."""
        values = list(self.values)
        return values if None not in values else [value or b"" for value in values]  # type: ignore[return-value]

    @cached_property
    def sizes(self) -> NDArray[np.int64]:
        """(n,) bytes of each value."""
        if isinstance(self.values, Joined):
            return self.values.sizes
        return np.fromiter(map(len, self.payloads), np.int64, len(self.values))

    def joined(self) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
        """All values as one buffer with PADDING bytes behind, and where they begin and end in it (n + 1)."""
        if isinstance(self.values, Joined):
            return self.values.joined()
        buffer = np.frombuffer(b"".join((*self.payloads, bytes(PADDING))), np.uint8)
        return buffer, np.concatenate((np.zeros(1, np.int64), np.cumsum(self.sizes)))
