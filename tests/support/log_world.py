"""A small world to crash in: logs, commits and topics in memory, and a machine whose every output is stamped.

The world outlives the runners: what it holds is what a broker and a disk would hold after a power cut.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

import msgspec
import numpy as np

from engine.errors import StateError, Unreachable
from engine.ports import Assigned, Place, Polled, Revoked, Saved, Snapshot, StepResult, StepStats
from engine.records import Output, Record, Shard, Topic
from engine.shard import snapshot as codec

STATE = np.dtype([("key", "<i8"), ("total", "<f8"), ("count", "<u4")])
COLUMNS = 8


class Crash(Exception):
    """The process dies here."""


class TallyMachine:
    """Adds numbers up by key. Each third record of a key gives an output, each fifth of the shard a second one."""

    def __init__(self, shard: Shard) -> None:
        self.shard = shard
        self.table = np.zeros(COLUMNS, STATE)
        self.seen = 0

    def step(self, records: Sequence[Record]) -> StepResult:
        outputs: list[Output] = []
        for record in records:
            outputs.extend(self._one(record))
        return StepResult(outputs, StepStats())

    def _one(self, record: Record) -> Iterator[Output]:
        value = float(record.value or b"0")
        row = self.table[int(value) % COLUMNS]
        row["total"] = row["total"] * 0.9 + value / 3.0
        row["count"] += 1
        self.seen += 1
        seq = itertools.count()
        if row["count"] % 3 == 0:
            yield self._output(record, next(seq), float(row["total"]))
        if self.seen % 5 == 0:
            yield self._output(record, next(seq), float(self.table["total"].max()))

    def _output(self, record: Record, seq: int, total: float) -> Output:
        body = msgspec.json.encode({"stamp": [self.shard.topic, self.shard.partition, record.offset, seq], "total": total})
        return Output(Topic.ALERTS, b"k", body, record.ts_ns)

    def finish(self) -> StepResult:
        return StepResult([], StepStats())

    def snapshot(self) -> Snapshot:
        return Snapshot({"seen": self.seen}, {"table": self.table.copy()})

    def restore(self, snapshot: Snapshot) -> None:
        if snapshot.columns["table"].dtype != STATE:
            raise StateError("another table")
        self.table = snapshot.columns["table"].copy()
        self.seen = int(str(snapshot.meta["seen"]))


class World:
    """What is durable."""

    def __init__(self, logs: dict[Shard, list[Record]]) -> None:
        self.logs = logs
        self.low = dict.fromkeys(logs, 0)
        self.commits: dict[Shard, tuple[int, str]] = {}
        self.out: list[Output] = []
        self.snapshots: dict[Shard, dict[int, tuple[bytes, list[bytes]]]] = {}

    def forget_before(self, shard: Shard, offset: int) -> None:
        """Retention."""
        self.low[shard] = offset


def numbers(shard: Shard, values: Iterable[int]) -> list[Record]:
    """A log of numbers, one a second."""
    return [Record(*shard, offset, (offset + 1) * 10**9, None, b"%d" % value) for offset, value in enumerate(values)]


Failpoint = Callable[[str], None]


def nowhere(_point: str) -> None:
    """No crash."""


class WorldSource:
    """Implements `ports.Source` on a world. `cut` says how many records each poll brings of each shard."""

    def __init__(self, world: World, cut: Iterable[int] = (), failpoint: Failpoint = nowhere) -> None:
        self.world = world
        self.next: dict[Shard, int] = {}
        self.paused: set[Shard] = set()
        self.events: list[Assigned | Revoked] = []
        self.committable = True
        self._cut = itertools.chain(cut, itertools.repeat(7))
        self._fail = failpoint
        for epoch, shard in enumerate(world.logs, start=1):
            self.assign(shard, epoch)

    def assign(self, shard: Shard, epoch: int) -> None:
        offset, metadata = self.world.commits.get(shard, (None, ""))
        self.events.append(Assigned(shard, offset, metadata, self.world.low[shard], len(self.world.logs[shard]), epoch))

    def poll(self, timeout_seconds: float) -> Polled:
        events, self.events = self.events, []
        records, size = {}, next(self._cut)
        for shard, start in self.next.items():
            if shard in self.paused or (batch := self.world.logs[shard][start : start + size]) == []:
                continue
            records[shard] = batch
            self.next[shard] = batch[-1].offset + 1
        return Polled(records, events)

    def seek(self, shard: Shard, offset: int) -> None:
        assert offset >= self.world.low[shard]
        self.next[shard] = offset

    def commit(self, places: Mapping[Shard, Place]) -> Mapping[Shard, Unreachable]:
        for shard, place in places.items():
            self._fail("before_commit")
            if not self.committable:
                raise Unreachable("the broker is away")
            assert len(place.metadata) < 1000
            self.world.commits[shard] = tuple(place)
            self._fail("after_commit")
        return {}

    def pause(self, shard: Shard) -> None:
        self.paused.add(shard)

    def resume(self, shard: Shard) -> None:
        self.paused.discard(shard)

    def lag(self, shard: Shard) -> int:
        return len(self.world.logs[shard]) - self.next.get(shard, 0)

    def done(self) -> bool:
        return not self.events and all(self.lag(shard) == 0 for shard in self.next)

    def close(self) -> None:
        self.next.clear()


class WorldPublisher:
    """Implements `ports.Publisher`: unacknowledged outputs die with the process, or arrive all the same."""

    def __init__(self, world: World, failpoint: Failpoint = nowhere) -> None:
        self.world = world
        self.waiting: list[Output] = []
        self.reachable = True
        self._fail = failpoint

    def publish(self, outputs: Sequence[Output]) -> None:
        for output in outputs:
            self.waiting.append(output)
            self._fail("publishing")

    def arrive(self, count: int) -> None:
        """Some messages reach the broker before anybody waits for them."""
        self.world.out += self.waiting[:count]
        del self.waiting[:count]

    def flush(self, deadline_seconds: float) -> None:
        self._fail("before_flush")
        if not self.reachable:
            raise Unreachable("the broker is away")
        self.arrive(len(self.waiting))
        self._fail("after_flush")

    def close(self) -> None:
        self.waiting.clear()


class WorldStore:
    """Implements `ports.StateStore` with the real encoding; a crash may leave a snapshot torn or damaged."""

    def __init__(self, world: World, failpoint: Failpoint = nowhere, keep: int = 3) -> None:
        self.world = world
        self.skipped = 0
        self._fail = failpoint
        self._keep = keep

    def save(self, saved: Saved) -> int:
        manifest, chunks = codec.encode(saved)
        of_shard = self.world.snapshots.setdefault(saved.shard, {})
        of_shard[saved.offset] = (manifest[: len(manifest) // 2], chunks)  # torn, until the next line
        self._fail("torn_snapshot")
        of_shard[saved.offset] = (manifest, chunks)
        for old in sorted(of_shard)[: -self._keep]:
            del of_shard[old]
        return len(manifest)

    def load(self, shard: Shard, at_most: int) -> Saved | None:
        for offset, (manifest, chunks) in sorted(self.world.snapshots.get(shard, {}).items(), reverse=True):
            if offset > at_most:
                continue
            try:
                return codec.decode(codec.read_manifest(manifest), chunks.__getitem__)
            except StateError:
                self.skipped += 1
        return None

    def close(self) -> None:
        pass


class StillClock:
    """Implements `ports.Clock`; moves only when asked how late it is, by a fixed step."""

    def __init__(self, step_seconds: float = 0.3) -> None:
        self.now = 0.0
        self._step = step_seconds

    def now_ns(self) -> int:
        return int(self.now * 1e9)

    def monotonic_seconds(self) -> float:
        self.now += self._step
        return self.now


class Told:
    """Implements `watch.Log`: keeps what was told."""

    def __init__(self) -> None:
        self.events: list[tuple[str, dict[str, object]]] = []

    def info(self, event: str, /, **fields: object) -> None:
        self.events.append((event, fields))

    warning = info
    error = info

    def all(self, event: str) -> list[dict[str, object]]:
        return [fields for name, fields in self.events if name == event]


def once(outputs: Iterable[Output]) -> list[bytes]:
    """What a reader with high-water marks takes: for each source, only what is above the highest stamp seen."""
    marks: dict[tuple[str, int], tuple[int, int]] = {}
    taken = []
    for output in outputs:
        body = output.value or b""
        topic, partition, offset, seq = msgspec.json.decode(body)["stamp"]
        if (offset, seq) > marks.get((topic, partition), (-1, -1)):
            marks[topic, partition] = (offset, seq)
            taken.append(body)
    return taken
