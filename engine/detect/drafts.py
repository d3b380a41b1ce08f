"""What the records of one step caused, on its way out: put in any order, numbered and encoded in the order of the records."""

from __future__ import annotations

from collections.abc import Sequence
from operator import itemgetter
from typing import Final, NamedTuple

import numpy as np
from msgspec import structs
from numpy.typing import NDArray

from engine.records import ALL_PARTITIONS, Alert, Change, Edge, Output, Stamp, Tally, Topic, Watermark, encode

Draft = Alert | Change | Watermark | Edge | Tally


class Phase:
    """The order of what one record caused."""

    REJECTS: Final = 0
    SAMPLES: Final = 1
    EVENTS: Final = 2
    TICK: Final = 3
    WATERMARK: Final = 4


_PHASES: Final = 5


class Moment(NamedTuple):
    """Where in the log something happens: `row` of the batch, the stamp's record, log time, and the watermark last told."""

    row: int
    phase: int
    topic: str
    partition: int
    offset: int
    log_ns: int
    told_ns: int

    def stamp(self) -> Stamp:
        """The place; `Drafts.outputs` gives the number."""
        return Stamp(self.topic, self.partition, self.offset, 0)


class Drafts:
    """Outputs of one step."""

    def __init__(self) -> None:
        self._drafts: list[tuple[int, Draft | Output]] = []

    def add(self, moment: Moment, draft: Draft) -> None:
        self.put(moment.row, moment.phase, draft)

    def put(self, row: int, phase: int, draft: Draft) -> None:
        """What record `row` caused."""
        self._drafts.append((row * _PHASES + phase, draft))

    def add_outputs(self, rows: Sequence[int], outputs: Sequence[Output]) -> None:
        """Dead letters of these rows."""
        self._drafts.extend(zip([row * _PHASES + Phase.REJECTS for row in rows], outputs, strict=True))

    def outputs(self, ts_ns: NDArray[np.int64], first_seq: int = 0) -> tuple[list[Output], int]:
        """All outputs in order, and the number that the next one of the last record would have.

        `ts_ns` are the log's times of the records; `first_seq` is for row 0.
        """
        self._drafts.sort(key=itemgetter(0))
        outputs = []
        row, seq = 0, first_seq
        for place, draft in self._drafts:
            if place // _PHASES != row:
                row, seq = place // _PHASES, 0
            outputs.append(draft if isinstance(draft, Output) else _numbered(draft, int(ts_ns[row]), seq))
            seq += 1
        return outputs, seq if row == len(ts_ns) - 1 else 0


def _numbered(draft: Draft, ts_ns: int, seq: int) -> Output:
    if draft.stamp.seq != seq:
        draft = structs.replace(draft, stamp=draft.stamp._replace(seq=seq))
    value = encode(draft)
    if isinstance(draft, Watermark):
        return Output(Topic.ALERTS, b"", value, ts_ns, partition=ALL_PARTITIONS)
    return Output(Topic.ALERTS, draft.domain.encode(), value, ts_ns)
