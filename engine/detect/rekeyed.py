"""The other end of the rekey stage: a shard of a topic of our own, whose records also name series that are other shards'.

What a record gives here is what belongs on this partition. What no partition is a better place for, that it was refused or an edge
between two services, counts on the first of the partitions that the record went to. Records whose stamp was seen before are dropped.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import compress
from typing import Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from engine.detect.placing import Places, rare_parts
from engine.detect.rekey import STAMP
from engine.errors import StateError
from engine.metrics import Metric
from engine.ports import Catalog, Codec, Machine, Snapshot, StepResult
from engine.records import Decoded, Lines, Record, Samples, only

SOURCES_MAX: Final = 10_000
"""Partitions whose records are told apart; those of further ones are taken without being held against what was seen."""
_META: Final = "rekeyed"


class SharedCodec:
    """Implements ports.Codec around another one: only what belongs on one of so many partitions."""

    def __init__(self, inner: Codec, partition: int, partitions: int) -> None:
        self._inner = inner
        self._partition = partition
        self._partitions = partitions
        self._places: Places | None = None
        self._catalog: Catalog | None = None

    def decode(self, records: Sequence[Record], catalog: Catalog) -> Decoded:
        """As `ports.Codec`."""
        if self._places is None or catalog is not self._catalog:
            self._places, self._catalog = Places(self._partitions, catalog.describe), catalog
        places = self._places
        decoded = self._inner.decode(records, catalog)
        of_samples, of_lines = places.of_all(decoded.samples.key), places.of_all(decoded.lines.key)
        first = np.full(len(records), self._partitions, np.int64)
        np.minimum.at(first, decoded.samples.row, of_samples)
        np.minimum.at(first, decoded.lines.row, of_lines)
        for row, key in rare_parts(decoded):
            first[row] = min(first[row], places.of(key))
        here = (first == self._partition) | (first == self._partitions)
        return Decoded(
            _samples(decoded.samples, of_samples == self._partition),
            _lines(decoded.lines, of_lines == self._partition),
            [event for event in decoded.events if places.of(event.key) == self._partition],
            [part for part in decoded.rejected if here[part.row]],
            [part for part in decoded.distributions if places.of(part.key) == self._partition],
            [span for span in decoded.spans if places.of(span.stream) == self._partition],
            [edge for edge in decoded.dependencies if here[edge.row]],
        )


def _samples(samples: Samples, mine: NDArray[np.bool_]) -> Samples:
    return (
        samples if mine.all() else Samples(samples.row[mine], only(samples.key, mine), samples.ts_ns[mine], samples.value[mine])
    )


def _lines(lines: Lines, mine: NDArray[np.bool_]) -> Lines:
    if mine.all():
        return lines
    pieces = lines.pieces
    if pieces is not None:
        pieces = pieces._replace(
            origin=list(compress(pieces.origin, mine)), more=pieces.more[mine], raw=list(compress(pieces.raw, mine))
        )
    return lines.kept(mine)._replace(pieces=pieces)


class RekeyedMachine:
    """Implements ports.Machine around another one: repeats are dropped before it sees them."""

    def __init__(self, inner: Machine) -> None:
        self.shard = inner.shard
        self._inner = inner
        self._seen: dict[str, tuple[int, int]] = {}  # topic/partition → offset and seq of the newest stamp

    def step(self, records: Sequence[Record]) -> StepResult:
        """See ports.Machine."""
        fresh = [kept for record in records if (kept := self._fresh(record)) is not None]
        result = self._inner.step(fresh)
        if len(fresh) < len(records):
            result.stats.count(Metric.DUPLICATES_DROPPED, len(records) - len(fresh), "detect")
        return result

    def finish(self) -> StepResult:
        """See ports.Machine."""
        return self._inner.finish()

    def snapshot(self) -> Snapshot:
        """See ports.Machine."""
        meta, columns = self._inner.snapshot()
        return Snapshot({**meta, _META: {source: list(mark) for source, mark in self._seen.items()}}, columns)

    def restore(self, snapshot: Snapshot) -> None:
        """See ports.Machine. Raises StateError."""
        meta = dict(snapshot.meta)
        try:
            seen = msgspec.convert(meta.pop(_META), dict[str, tuple[int, int]])
        except (KeyError, msgspec.ValidationError) as error:
            raise StateError("the snapshot is of no rekeyed shard") from error
        self._inner.restore(Snapshot(meta, snapshot.columns))
        self._seen = seen

    def _fresh(self, record: Record) -> Record | None:
        """The record without its stamp; None when it was seen before."""
        if not record.headers or record.headers[-1][0] != STAMP:  # written by somebody else
            return record
        source, mark = _read_stamp(record.headers[-1][1])
        seen = self._seen.get(source)
        if seen is not None and mark <= seen:
            return None
        if source and (seen is not None or len(self._seen) < SOURCES_MAX):
            self._seen[source] = mark
        return record._replace(headers=record.headers[:-1])


def _read_stamp(raw: bytes) -> tuple[str, tuple[int, int]]:
    """The partition that a record came from, and its place there; "" and nothing for what is no stamp."""
    parts = raw.decode("ascii", "replace").rsplit("/", 3)
    if len(parts) != 4 or not all(part.isdecimal() and len(part) <= 19 for part in parts[1:]):
        return "", (0, 0)
    return f"{parts[0]}/{parts[1]}", (int(parts[2]), int(parts[3]))
