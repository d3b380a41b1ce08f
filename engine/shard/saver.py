"""Writes snapshots of a runner's shards: copied at a commit point, written in the background, spread over the interval."""

from __future__ import annotations

from collections.abc import Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Final, NamedTuple

from engine.errors import StateError
from engine.metrics import Metric
from engine.ports import Saved, StateStore, StepStats
from engine.records import Shard
from engine.shard.shard import Tenure
from engine.watch import Watch

SPREAD: Final = 16
"""Shards that were assigned together are first saved in so many different parts of the interval."""


class _Written(NamedTuple):
    bytes: int
    seconds: float


class _Pending(NamedTuple):
    tenure: Tenure
    offset: int
    written: Future[_Written]


class Saver:
    """One writer thread; at most one snapshot of a shard at a time. A failed one is told and tried again an interval later."""

    def __init__(self, stage: str, store: StateStore, watch: Watch, interval_s: float) -> None:
        self._stage = stage
        self._store = store
        self._watch = watch
        self._interval = interval_s
        self._due: dict[Shard, float] = {}
        self._added = 0
        self._pending: dict[Shard, _Pending] = {}
        self._writer = ThreadPoolExecutor(max_workers=1, thread_name_prefix=f"{stage}-snapshots")

    def add(self, shard: Shard) -> None:
        """A shard has come: its first snapshot is due within the interval."""
        self._added += 1
        part = (self._added % SPREAD + 1) / SPREAD
        self._due[shard] = self._watch.clock.monotonic_seconds() + self._interval * part

    def remove(self, shard: Shard) -> None:
        """A shard has left; what is being written of it is written to the end."""
        self._due.pop(shard, None)

    def save_due(self, tenures: Iterable[Tenure]) -> None:
        """To be called at a commit point: start what is due, and take note of what is done."""
        self._collect()
        now = self._watch.clock.monotonic_seconds()
        for tenure in tenures:
            if now >= self._due.get(tenure.shard, now + 1) and tenure.may_save() and tenure.shard not in self._pending:
                self._due[tenure.shard] = now + self._interval
                self._start(tenure)

    def save_now(self, tenures: Iterable[Tenure], deadline_seconds: float) -> None:
        """One after the other and to the end, until the deadline; what is not saved is replayed from the one before."""
        for tenure in tenures:
            self.wait(deadline_seconds)
            if tenure.may_save() and self._watch.clock.monotonic_seconds() < deadline_seconds:
                self._start(tenure)
        self.wait(deadline_seconds)

    def wait(self, deadline_seconds: float) -> None:
        """Let what is being written be finished, until the deadline (monotonic seconds)."""
        for pending in list(self._pending.values()):
            left = max(0.0, deadline_seconds - self._watch.clock.monotonic_seconds())
            try:
                pending.written.exception(timeout=left)
            except TimeoutError:
                self._watch.log.warning("snapshot_late", stage=self._stage, shard=str(pending.tenure.shard))
                return
        self._collect()

    def close(self) -> None:
        """Begin nothing more."""
        self._writer.shutdown(wait=False, cancel_futures=True)

    def _start(self, tenure: Tenure) -> None:
        saved = tenure.saved()
        self._pending[tenure.shard] = _Pending(tenure, saved.offset, self._writer.submit(self._write, saved))

    def _write(self, saved: Saved) -> _Written:
        began = self._watch.clock.monotonic_seconds()
        size = self._store.save(saved)
        return _Written(size, self._watch.clock.monotonic_seconds() - began)

    def _collect(self) -> None:
        done = [shard for shard, pending in self._pending.items() if pending.written.done()]
        for shard in done:
            pending = self._pending.pop(shard)
            try:
                written = pending.written.result()
            except StateError as error:
                self._watch.log.warning("snapshot_failed", stage=self._stage, shard=str(shard), error=str(error))
                continue
            pending.tenure.snapshot_offset = pending.offset
            stats = StepStats()
            stats.observe(Metric.SNAPSHOT_SECONDS, written.seconds)
            stats.gauge(Metric.SNAPSHOT_BYTES, written.bytes, self._stage, str(shard))
            stats.gauge(Metric.SNAPSHOT_TIME, self._watch.clock.now_ns() / 1e9, self._stage, str(shard))
            self._watch.observe(stats)
