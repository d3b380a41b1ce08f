"""The rekey stage: the records of a producer that does not key by series, once more on a topic of our own that is.

A record goes as it came, with its key, headers and time, to every partition on which one of its series belongs; which of its series are
that partition's, the detect stage there knows by the same rule (`rekeyed`). So a batch of many entities is carried several times and read
where it is needed, in whatever format it is. What says of metrics what they are goes to all; any other record that names no series to one.

Each output carries a stamp in a header. The stage has no state: a crash repeats outputs, which the reader drops.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np

from engine.config.tree import Source
from engine.detect.intake import DeadLetters
from engine.detect.placing import Places, rare_parts
from engine.errors import Reject
from engine.metrics import Metric
from engine.ports import Catalog, Codec, Snapshot, StepResult, StepStats
from engine.records import Output, Record, Rejected, Run, Shard

STAMP: Final = "foreshock-stamp"
RECORD_BYTES_MAX: Final = 850_000
"""Key, headers and value together: what a broker takes by default, less what is added."""
_OVERHEAD: Final = 64


def rekeyed(source_name: str) -> str:
    """The topic of a source behind our prefix."""
    return f"rekeyed.{source_name}"


class RekeyMachine:
    """Implements ports.Machine."""

    def __init__(self, shard: Shard, *, codec: Codec, catalog: Catalog, source: Source) -> None:
        self.shard = shard
        self._codec = codec
        self._catalog = catalog
        self._places = Places(source.rekey, catalog.describe)
        self._everywhere = frozenset(range(source.rekey))
        self._topic = rekeyed(source.name)
        self._bytes_max = source.record_bytes_max

    def step(self, records: Sequence[Record]) -> StepResult:
        """See ports.Machine."""
        outputs: list[Output] = []
        stats = StepStats()
        for record, places in zip(records, self._where(records), strict=True):
            if _size(record) > RECORD_BYTES_MAX:
                refused = Rejected(0, Reject.TOO_LARGE, f"more than {RECORD_BYTES_MAX} bytes cannot be written once more")
                stats.count(Metric.RECORDS_REJECTED, 1, record.topic, refused.reason)
                stats.count(Metric.DEAD_LETTERS, 1, record.topic, refused.reason)
                outputs += DeadLetters(Run.of([record])).of([refused], np.zeros(1, np.int64))
                continue
            for seq, place in enumerate(sorted(places) or [self._places.of_nothing(record)]):
                outputs.append(self._output(record, seq, place))
        return StepResult(outputs, stats)

    def finish(self) -> StepResult:
        """See ports.Machine. Nothing is held back."""
        return StepResult([], StepStats())

    def snapshot(self) -> Snapshot:
        """See ports.Machine."""
        return Snapshot({}, {})

    def restore(self, snapshot: Snapshot) -> None:
        """See ports.Machine."""

    def _where(self, records: Sequence[Record]) -> list[set[int]]:
        """For each record the partitions on which its series belong. What is too large to be read is not."""
        found: list[set[int]] = [set() for _ in records]
        rows = [row for row, record in enumerate(records) if len(record.value or b"") <= self._bytes_max]
        if not rows:
            return found
        decoded = self._codec.decode(Run.of([records[row] for row in rows]), self._catalog)
        for keys, at in ((decoded.samples.key, decoded.samples.row), (decoded.lines.key, decoded.lines.row)):
            for row, place in zip(at.tolist(), self._places.of_all(keys).tolist(), strict=True):
                found[rows[row]].add(place)
        for row, key in rare_parts(decoded):
            found[rows[row]].add(self._places.of(key))
        for part in decoded.rejected:
            if part.reason == Reject.METADATA and not found[rows[part.row]]:
                found[rows[part.row]] |= self._everywhere
        return found

    def _output(self, record: Record, seq: int, place: int) -> Output:
        stamp = f"{record.topic}/{record.partition}/{record.offset}/{seq}".encode()
        headers = (*record.headers, (STAMP, stamp))
        return Output(self._topic, record.key or b"", record.value, record.ts_ns, headers, place)


def _size(record: Record) -> int:
    headers = sum(len(name) + len(value) + _OVERHEAD for name, value in record.headers)
    return len(record.key or b"") + len(record.value or b"") + headers
