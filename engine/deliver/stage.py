"""The deliver stage: one receiver of incidents. `step` learns what it should know, `settle` tells it.

A restart reads again from before the oldest change that was not told. Telling while it does so could show the receiver an
old revision after a newer one, so nothing is told until the log has been quiet once (or for so long at most).
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from engine.config.tree import Deliver
from engine.deliver.outbox import Outbox, Owed
from engine.errors import Permanent, Reject, Retry, StateError
from engine.metrics import Metric
from engine.ports import Clock, Sink, Snapshot, StepResult, StepStats
from engine.records import Incident, Record, Shard, decode_incident

QUIET_SECONDS = 1.0
CATCH_UP_SECONDS_MAX = 5.0
_CONTROL = b'{"type":"control"'
"""Approvals travel in the same log; they are the respond stage's."""


class DeliverMachine:
    """One partition of the incidents topic and one sink. Not deterministic in what it does, only in what it owes."""

    def __init__(self, shard: Shard, *, sink: Sink, config: Deliver, clock: Clock) -> None:
        self.shard = shard
        self._sink = sink
        self._clock = clock
        self._config = config
        self._outbox = Outbox(config)
        self._caught_up = False
        self._stepped = False
        self._began: float | None = None  # when `settle` was first called
        self._quiet_since = 0.0

    # ------------------------------------------------------------------------------------------------ the machine
    def step(self, records: Sequence[Record]) -> StepResult:
        """Learn the latest revision of each incident. Makes no outputs: what is unreadable is in the dead letters by `respond`."""
        stats = StepStats()
        self._stepped = self._stepped or bool(records)
        for record in records:
            incident = self._read(record, stats)
            if incident is not None:
                self._learn(incident, record.offset, stats)
        self._gauge(stats)
        return StepResult([], stats)

    def _learn(self, incident: Incident, offset: int, stats: StepStats) -> None:
        if not self._outbox.news(incident, offset):
            self._count(stats, "not_needed")
        elif self._outbox.overflow() is not None:
            self._count(stats, "overflow")
            stats.count(Metric.LIMITS_REACHED, 1, "outbox")

    def _read(self, record: Record, stats: StepStats) -> Incident | None:
        if not record.value or record.value.startswith(_CONTROL):
            return None
        try:
            return decode_incident(record.value)
        except msgspec.ValidationError:
            stats.count(Metric.RECORDS_REJECTED, 1, record.topic, Reject.WRONG_TYPE)
        except (msgspec.DecodeError, UnicodeDecodeError):
            stats.count(Metric.RECORDS_REJECTED, 1, record.topic, Reject.MALFORMED)
        return None

    def finish(self) -> StepResult:
        """The log has ended: what is owed is owed by `settle`."""
        self._caught_up = True
        return StepResult([], StepStats())

    def snapshot(self) -> Snapshot:
        """What is owed and what was told."""
        return Snapshot(self._outbox.saved(), {})

    def restore(self, snapshot: Snapshot) -> None:
        """Raises StateError for what is not an outbox."""
        try:
            self._outbox.load(snapshot.meta)
        except msgspec.ValidationError as error:
            raise StateError(f"not an outbox: {error}") from error

    # ------------------------------------------------------------------------------------------------ effects
    def settle(self, deadline_seconds: float) -> StepStats:
        """Tell what is due, oldest change first. Starts nothing after the deadline; the last call may outlast it by the sink's timeout."""
        stats = StepStats()
        end = self._clock.monotonic_seconds() + deadline_seconds
        while self._may_tell() and self._clock.monotonic_seconds() < end:
            owed = self._outbox.due(self._clock.monotonic_seconds())
            if owed is None:
                break
            self._count(stats, self._tell(owed))
        self._gauge(stats)
        self._stepped = False
        return stats

    def next_offset(self) -> int | None:
        """The offset of the oldest change that the receiver has not got."""
        return self._outbox.oldest_offset()

    def assume_settled(self, offset: int) -> None:
        """What lies before the committed offset was told in a former life."""
        self._outbox.assume_told(offset)

    def _may_tell(self) -> bool:
        """Whether the log has been read to its end since the start. Once true it stays so."""
        if self._caught_up:
            return True
        now = self._clock.monotonic_seconds()
        if self._began is None:
            self._began = self._quiet_since = now
        elif self._stepped:
            self._quiet_since = now
        self._caught_up = now - self._quiet_since >= QUIET_SECONDS or now - self._began >= CATCH_UP_SECONDS_MAX
        return self._caught_up

    def _tell(self, owed: Owed) -> str:
        """One delivery; returns its result by name, which is the metric's label."""
        try:
            self._sink.deliver(owed.incident, owed.attempts + 1)
        except Retry as fault:
            gave_up = self._outbox.failed(owed, self._clock.monotonic_seconds(), self._clock.now_ns(), fault.after_seconds)
            return "gave_up" if gave_up else "retry"
        except Permanent as fault:
            if fault.disable:
                self._outbox.disable()
                return "disabled"
            self._outbox.dropped(owed)
            return "permanent"
        self._outbox.succeeded(owed)
        return "delivered"

    def _count(self, stats: StepStats, result: str) -> None:
        stats.count(Metric.DELIVERIES, 1, self._sink.name, result)

    def _gauge(self, stats: StepStats) -> None:
        stats.gauge(Metric.OUTBOX_PENDING, self._outbox.pending, self._sink.name)
