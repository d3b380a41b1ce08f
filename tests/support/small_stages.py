"""Stages of a few lines each: enough to see what flows where, in which order, and how often."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import numpy as np

from engine.metrics import Metric
from engine.ports import Snapshot, StepResult, StepStats
from engine.records import Output, Record, Shard, Topic


class Repeater:
    """Says each record again on `says`, in its own name; and once more, when the log has ended, how many there were."""

    says = Topic.ALERTS
    name = "detect"

    def __init__(self, shard: Shard) -> None:
        self.shard = shard
        self.seen = 0

    def step(self, records: Sequence[Record]) -> StepResult:
        stats = StepStats()
        stats.count(Metric.SAMPLES, len(records), self.name)
        self.seen += len(records)
        return StepResult([self._said(record, record.value or b"") for record in records], stats)

    def finish(self) -> StepResult:
        last = Record(self.shard.topic, self.shard.partition, self.seen, self.seen, None, None)
        return StepResult([self._said(last, b"%d in all" % self.seen)], StepStats())

    def _said(self, record: Record, what: bytes) -> Output:
        return Output(self.says, record.key or b"", b"%s(%s)" % (self.name.encode(), what), record.ts_ns)

    def snapshot(self) -> Snapshot:
        return Snapshot({"seen": self.seen}, {"none": np.zeros(0)})

    def restore(self, snapshot: Snapshot) -> None:
        self.seen = int(str(snapshot.meta["seen"]))


class Grouper(Repeater):
    says = Topic.INCIDENTS
    name = "correlate"


class Actor(Repeater):
    says = Topic.ACTIONS
    name = "respond"


class Judge(Repeater):
    """Puts odd numbers on the alerts topic, even ones on the dead letters, and a note on the audit topic for each."""

    def step(self, records: Sequence[Record]) -> StepResult:
        outputs = []
        for record in records:
            odd = msgspec.json.decode(record.value or b"0") % 2
            outputs.append(Output(Topic.ALERTS if odd else Topic.DEAD_LETTERS, b"", record.value, record.ts_ns))
            outputs.append(Output(Topic.AUDIT, b"", b"judged", record.ts_ns))
        return StepResult(outputs, StepStats())


STAGES = {"detect": Repeater, "correlate": Grouper, "respond": Actor}


def a_log(shard: Shard, times: Sequence[int]) -> list[Record]:
    """A log with these log times; each record's value says where it stands."""
    return [
        Record(*shard, n, ts_ns, b"k", b"%s%d:%d" % (shard.topic.encode(), shard.partition, n)) for n, ts_ns in enumerate(times)
    ]
