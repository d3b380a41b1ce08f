"""Runs one stage over one source: the loop around the machines, and the order of steps that makes it crash-safe.

    poll ─▶ step each shard ─▶ publish ─▶ settle          again and again
    every commit interval, in this order, which is the delivery guarantee:
        1  publisher.flush      every output is acknowledged
        2  source.commit        the input is done; fenced by the group
        3  store.save           at a commit point only: position = commit = snapshot

A crash between any two of them repeats stamped outputs, which the next stage drops, and loses nothing. When 1 or 2 fails,
nothing is committed, state is kept, and reading pauses until it works again.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal, Unpack

from engine.errors import ForeshockError, Unreachable
from engine.health import Health
from engine.metrics import Metric
from engine.ports import (
    Assigned,
    HandsOver,
    MachineFactory,
    Place,
    Publisher,
    Revoked,
    SearchesTime,
    Source,
    StateStore,
    StepStats,
)
from engine.records import Output, Record, Run, Shard
from engine.shard.restore import begin_shard
from engine.shard.saver import Saver
from engine.shard.shard import Phase, Tenure
from engine.watch import Watch, Watching

EXIT_FAILED: Final = 1


@dataclass(frozen=True, slots=True)
class RunnerOptions:
    """How often and how long; none of it changes what comes out."""

    kernel_id: str = ""
    """Which machine wrote a snapshot: one of another kernel is not restored."""
    start: Literal["earliest", "latest"] = "latest"
    backfill_seconds: float = 0.0
    """A shard without a committed offset and without a snapshot first learns so much of its past, in silence."""
    poll_seconds: float = 0.2
    commit_interval_s: float = 1.0
    commit_records: int = 500_000
    """Commit earlier when so many records were stepped since the last commit."""
    snapshot_interval_s: float = 15.0
    settle_seconds: float = 2.0
    flush_seconds: float = 5.0
    drain_seconds: float = 9.0
    """For everything that a stop or a revocation does."""
    commits_failed_max: int = 60
    """Give up, and let a new process try, when so many commits in a row failed although records kept coming."""


class Runner:
    """One thread, one source, one machine for each shard. `health` may be read from anywhere.

    Owns its source and its publisher and closes both; `store` None is for a stage whose state is its committed offset.
    """

    def __init__(
        self,
        stage: str,
        source: Source,
        publisher: Publisher,
        store: StateStore | None,
        factory: MachineFactory,
        options: RunnerOptions,
        **watching: Unpack[Watching],
    ) -> None:
        self.health = Health(stage)
        self._stage = stage
        self._source = source
        self._publisher = publisher
        self._store = store
        self._factory = factory
        self._options = options
        self._watch = watch = Watch(**watching)
        self._observe, self._log, self._clock = watch.observe, watch.log, watch.clock
        self._tenures: dict[Shard, Tenure] = {}
        self._saver = Saver(stage, store, watch, options.snapshot_interval_s) if store is not None else None
        self._blocked = False  # outputs wait to be acknowledged: nothing more is read
        self._commit_at = 0.0
        self._stepped = 0  # records since the last commit
        if isinstance(source, HandsOver):
            source.before_revoke(self._hand_over)

    # ------------------------------------------------------------------------------------------- the outermost loop
    def run(self, stop: threading.Event) -> int:
        """Until `stop` is set or the source ends; returns the exit code. The one place where any exception is caught."""
        code = 0
        self._log.info("runner_started", stage=self._stage)
        try:
            while not stop.is_set() and self.step_once():
                pass
            self.drain()
        except ForeshockError as error:
            code = error.exit_code
            self._fail(error, error.hint)
        except Exception as error:  # noqa: BLE001 - the process ends with its reason; its state is what was committed
            code = EXIT_FAILED
            self._fail(error, "This is a defect: please report it.")
        finally:
            self._close()
        self._log.info("runner_stopped", stage=self._stage, code=code)
        return code

    def _fail(self, error: Exception, hint: str) -> None:
        self.health.ended, self.health.ended_in_error = f"{type(error).__name__}: {error}", True
        self._log.error("runner_failed", stage=self._stage, error=self.health.ended, hint=hint, exc_info=error)

    def _close(self) -> None:
        for tenure in self._tenures.values():
            tenure.leave()
        self._tenures.clear()
        self.health.ended = self.health.ended or "stopped"
        self.health.shards_assigned = self.health.shards_live = 0
        self._source.close()
        self._publisher.close()
        if self._saver is not None:
            self._saver.close()

    # ------------------------------------------------------------------------------------------- one round
    def step_once(self) -> bool:
        """One round of the loop; False when the source has ended for good and everything is out."""
        self.health.beat_seconds = self._clock.monotonic_seconds()
        polled = self._source.poll(self._options.poll_seconds)
        for event in polled.events:
            self._assignment_changed(event)
        for shard, records in polled.records.items():
            self._step(shard, records)
        self._settle(self._options.settle_seconds)
        if polled.ended:
            self._finish()
        if self._blocked or polled.ended or self._commit_is_due():
            self._commit(self._options.flush_seconds)
        return not polled.ended

    def _step(self, shard: Shard, records: Sequence[Record]) -> None:
        tenure = self._tenures.get(shard)
        if tenure is None or not records:  # not ours (any more)
            return
        records = Run.of(records)
        began = self._clock.monotonic_seconds()
        result = tenure.step(records)
        took = self._clock.monotonic_seconds() - began
        self._stepped += len(records)
        self._publish_outputs(result.outputs)
        stats, topic = result.stats, shard.topic
        stats.count(Metric.RECORDS_CONSUMED, len(records), self._stage, topic)
        stats.count(Metric.BYTES_CONSUMED, int(records.sizes.sum()), self._stage, topic)
        stats.observe(Metric.STEP_SECONDS, took, self._stage)
        stats.gauge(Metric.EVENT_LAG, (self._clock.now_ns() - int(records.ts_ns[-1])) / 1e9, self._stage, topic)
        stats.gauge(Metric.CONSUMER_LAG, self._source.lag(shard), self._stage, topic, str(shard.partition))
        self._told(tenure, stats)
        self._count_live()

    def _told(self, tenure: Tenure, stats: StepStats) -> None:
        if (Metric.DETERMINISM_VIOLATIONS, (self._stage,)) in stats.counts:
            self._log.error("replay_differed", stage=self._stage, shard=str(tenure.shard), position=tenure.position)
        self._observe(stats)

    def _publish_outputs(self, outputs: Sequence[Output]) -> None:
        if not outputs:
            return
        try:
            self._publisher.publish(outputs)
        except Unreachable as error:  # the publisher has kept them
            self._block(error)

    def _settle(self, seconds: float) -> None:
        """Let machines with effects outside Kafka push them. Never in a replay: there, they were had in a former life."""
        for tenure in self._tenures.values():
            if tenure.settles is not None and tenure.phase is Phase.LIVE:
                self._observe(tenure.settles.settle(seconds))

    def _finish(self) -> None:
        """The log has ended for good: let every machine give what it held back."""
        for tenure in self._tenures.values():
            result = tenure.machine.finish()
            self._publish_outputs(result.outputs)
            self._observe(result.stats)
        self._settle(self._options.drain_seconds)

    # ------------------------------------------------------------------------------------------- back-pressure
    def _block(self, why: Unreachable) -> None:
        """Read nothing more until everything is acknowledged; go on polling, which keeps us in the group."""
        if not self._blocked:
            self._log.warning("publisher_blocked", stage=self._stage, error=str(why), hint=why.hint)
            for shard in self._tenures:
                self._source.pause(shard)
        self._blocked = True

    def _unblock(self) -> None:
        if self._blocked:
            self._log.info("publisher_unblocked", stage=self._stage)
            for shard in self._tenures:
                self._source.resume(shard)
        self._blocked = False

    # ------------------------------------------------------------------------------------------- commit
    def _commit_is_due(self) -> bool:
        return self._clock.monotonic_seconds() >= self._commit_at or self._stepped >= self._options.commit_records

    def _commit(self, flush_seconds: float) -> bool:
        """Steps 1 to 3 of the protocol for every shard. False: outputs are not acknowledged, nothing was committed."""
        self._commit_at = self._clock.monotonic_seconds() + self._options.commit_interval_s
        stats = StepStats()
        if not self._flush(flush_seconds):
            self._commit_failed(stats)
            self._observe(stats)
            return False
        self._unblock()
        self._commit_each(list(self._tenures.values()), stats)
        self._stepped = 0
        if self._saver is not None:
            self._saver.save_due(self._tenures.values())
        self._observe(stats)
        return True

    def _flush(self, seconds: float) -> bool:
        try:
            self._publisher.flush(seconds)
        except Unreachable as error:
            self._block(error)
            return False
        return True

    def _commit_each(self, tenures: Sequence[Tenure], stats: StepStats) -> None:
        """Commit all shards that have something new, in one request: a broker that is away costs its time once."""
        places = {}
        for tenure in tenures:
            offset = tenure.committable()
            if offset > tenure.committed:
                places[tenure.shard] = Place(offset, tenure.metadata(offset))
        if not places:
            return
        try:
            refused: Mapping[Shard, Unreachable] = self._source.commit(places)
        except Unreachable as error:
            refused = dict.fromkeys(places, error)
        for tenure in tenures:
            if tenure.shard in places and tenure.shard not in refused:
                tenure.committed = places[tenure.shard].offset
                stats.count(Metric.COMMITS, 1, self._stage, "ok")
        for shard, why in refused.items():
            self._log.warning("commit_failed", stage=self._stage, shard=str(shard), error=str(why), hint=why.hint)
        if refused:
            self._commit_failed(stats)
        else:
            self.health.commits_failed = 0

    def _commit_failed(self, stats: StepStats) -> None:
        stats.count(Metric.COMMITS, 1, self._stage, "failed")
        self.health.commits_failed += 1
        if self.health.commits_failed >= self._options.commits_failed_max and self._stepped:
            raise Unreachable(
                f"{self.health.commits_failed} commits in a row have failed while records kept coming",
                "A new process takes over from the last commit.",
            )

    # ------------------------------------------------------------------------------------------- the assignment
    def _assignment_changed(self, event: Assigned | Revoked) -> None:
        self.health.joined = True
        stats = StepStats()
        if isinstance(event, Assigned):
            stats.count(Metric.REBALANCES, 1, self._stage, "assigned")
            self._take(event)
        else:
            stats.count(Metric.REBALANCES, 1, self._stage, "lost" if event.lost else "revoked")
            self._drop(event.shard, lost=event.lost)
        self._observe(stats)
        self._count_live()

    def _take(self, event: Assigned) -> None:
        """Restore and begin. A shard that is assigned again (its log was cut under us) begins anew as well."""
        self._drop(event.shard, lost=True)
        machine = self._factory(event.shard)
        options = self._options
        start = begin_shard(machine, event, self._store, kernel_id=options.kernel_id, start=options.start, past=self._past(event))
        tenure = Tenure(machine, stage=self._stage, epoch=event.epoch, kernel_id=options.kernel_id)
        self._tenures[event.shard] = tenure
        self._told(tenure, tenure.begin(start))
        self._source.seek(event.shard, start.position)
        if self._blocked:
            self._source.pause(event.shard)
        if self._saver is not None:
            self._saver.add(event.shard)
        tell = self._log.warning if start.begin.is_loss else self._log.info
        tell(
            "shard_began",
            stage=self._stage,
            shard=str(event.shard),
            how=str(start.begin),
            position=start.position,
            replay_until=start.silent_until,
            committed=event.committed,
            low=event.low,
            high=event.high,
            snapshot=start.snapshot,
            snapshots_skipped=start.skipped,
        )

    def _past(self, event: Assigned) -> int | None:
        """Where the past that a new shard learns begins: the oldest record when the log cannot be searched by time. None: it learns nothing."""
        if self._options.backfill_seconds <= 0.0 or event.committed is not None:
            return None
        since_ns = self._clock.now_ns() - int(self._options.backfill_seconds * 1e9)
        found = self._source.offset_at(event.shard, since_ns) if isinstance(self._source, SearchesTime) else None
        return event.low if found is None else found

    def _drop(self, shard: Shard, *, lost: bool) -> None:
        """Forget a shard: nothing of it survives into its next assignment."""
        tenure = self._tenures.pop(shard, None)
        if tenure is None:
            return
        tenure.leave()
        if self._saver is not None:
            self._saver.remove(shard)
        self._watch.forget(shard)
        self._log.info("shard_left", stage=self._stage, shard=str(shard), lost=lost, committed=tenure.committed)

    def _hand_over(self, shards: Sequence[Shard]) -> None:
        """Called while they are still ours: flush, commit and save within one deadline, then let go."""
        leaving = [self._tenures[shard] for shard in shards if shard in self._tenures]
        self._commit_and_save(leaving)
        for shard in shards:
            self._drop(shard, lost=False)

    def _commit_and_save(self, tenures: Sequence[Tenure]) -> None:
        deadline = self._clock.monotonic_seconds() + self._options.drain_seconds
        stats = StepStats()
        for tenure in tenures:
            tenure.drain()
        if tenures and self._flush(self._options.drain_seconds / 2):
            self._commit_each(tenures, stats)
            if self._saver is not None:
                self._saver.save_now(tenures, deadline)
        self._observe(stats)

    def drain(self) -> None:
        """Stop in order: what was read is done; flush, commit, snapshot, all within `drain_seconds`."""
        self._settle(min(self._options.settle_seconds, self._options.drain_seconds / 4))
        self._commit_and_save(list(self._tenures.values()))

    def _count_live(self) -> None:
        self.health.shards_assigned = len(self._tenures)
        self.health.shards_live = sum(tenure.phase is Phase.LIVE for tenure in self._tenures.values())
        stats = StepStats()
        stats.gauge(Metric.SHARDS_LIVE, self.health.shards_live, self._stage)
        self._observe(stats)
