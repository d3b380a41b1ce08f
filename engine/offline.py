"""The same stages with no broker: files, backtests and `why-not` take this path, so what is measured offline is what runs.

    records ─▶ detect (one machine a shard) ─▶ alerts ─▶ correlate ─▶ incidents ─▶ respond ─▶ actions

Topics are in-memory logs of one partition each. Each record goes to its shard's machine; whatever the stages put on a
topic is handed on at once, so that nothing waits and nothing is kept but the machines' own state.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from heapq import merge
from itertools import groupby, islice
from operator import attrgetter

from engine.ports import Machine, MachineFactory, StepResult, StepStats
from engine.records import Output, Record, Shard, Topic

Tap = Callable[[Topic, Record], None]
"""Told of every message that a stage puts on a topic, in order."""

BATCH_RECORDS = 512
TURN_NS = 60_000_000_000
"""How far in log time one of several shards may run ahead: less than `correlate.source_timeout`, or the others seem silent."""


class Pipeline:
    """All stages in one thread. `factories` builds a machine for a shard by stage: `detect`, `correlate`, `respond`."""

    _READS: Mapping[Topic, str] = {Topic.ALERTS: "correlate", Topic.INCIDENTS: "respond"}

    def __init__(
        self, factories: Mapping[str, MachineFactory], *, tap: Tap, observe: Callable[[StepStats], None], topic_prefix: str
    ) -> None:
        self._detect = factories["detect"]
        self._shards: dict[Shard, Machine] = {}
        self._prefix = topic_prefix
        self._ends = dict.fromkeys(Topic, 0)
        self._readers = {
            topic: factories[stage](Shard(self._name(topic), 0)) for topic, stage in self._READS.items() if stage in factories
        }
        self._tap = tap
        self._observe = observe

    def _name(self, topic: Topic) -> str:
        return f"{self._prefix}{topic}"

    def feed(self, records: Sequence[Record]) -> None:
        """Take records of any shards; those of one shard in offset order."""
        by_shard: dict[Shard, list[Record]] = {}
        for record in records:
            by_shard.setdefault(Shard(record.topic, record.partition), []).append(record)
        for shard, run_of in by_shard.items():
            if shard not in self._shards:
                self._shards[shard] = self._detect(shard)
            self._pass_on(self._shards[shard].step(run_of))

    def relay(self, topic: Topic, records: Sequence[Record]) -> None:
        """Take records that a detect stage elsewhere has already put on one of our topics."""
        for record in records:
            self._tap(topic, record)
        self._ends[topic] = max((self._ends[topic], *(record.offset + 1 for record in records)))
        reader = self._readers.get(topic)
        if reader is not None:
            for batch in batches(records):
                self._pass_on(reader.step(batch))

    def finish(self) -> None:
        """The input has ended: let every stage, in the order of the flow, give what it held back."""
        for machine in self._shards.values():
            self._pass_on(machine.finish())
        for machine in self._readers.values():
            self._pass_on(machine.finish())

    def _pass_on(self, result: StepResult) -> None:
        self._observe(result.stats)
        for topic, outputs in groupby(result.outputs, key=attrgetter("topic")):
            records = [self._append(output) for output in outputs]
            reader = self._readers.get(topic)
            if reader is not None:
                self._pass_on(reader.step(records))

    def _append(self, output: Output) -> Record:
        topic = Topic(output.topic)
        offset = self._ends[topic]
        self._ends[topic] = offset + 1
        record = Record(self._name(topic), 0, offset, output.ts_ns, output.key, output.value, output.headers)
        self._tap(topic, record)
        return record


def in_time_order(logs: Iterable[Iterable[Record]]) -> Iterator[Record]:
    """Many logs as one, by log time; each keeps its own order (as a set of partitions read at the same pace would)."""
    return merge(*logs, key=attrgetter("ts_ns"))


def batches(records: Iterable[Record], size: int = BATCH_RECORDS) -> Iterator[list[Record]]:
    """Cut a stream into lists of at most `size`."""
    iterator = iter(records)
    while batch := list(islice(iterator, size)):
        yield batch


def turns(records: Iterable[Record], span_ns: int = TURN_NS, size: int = BATCH_RECORDS) -> Iterator[list[Record]]:
    """Cut a stream into lists of at most `size`, each of at most `span_ns` of log time: what live shards give side by side."""
    turn: list[Record] = []
    for record in records:
        if turn and (len(turn) == size or record.ts_ns - turn[0].ts_ns > span_ns):
            yield turn
            turn = []
        turn.append(record)
    if turn:
        yield turn


def run(pipeline: Pipeline, logs: Collection[Iterable[Record]]) -> int:
    """Feed whole logs through a pipeline; returns how many records there were."""
    count = 0
    cut = turns if len(logs) > 1 else batches
    for batch in cut(in_time_order(logs)):
        pipeline.feed(batch)
        count += len(batch)
    pipeline.finish()
    return count
