"""One shard while it is ours: a machine, its place in the log, and what may be committed.

    ASSIGNED ──▶ REPLAYING ──▶ LIVE ──▶ DRAINING ──▶ GONE
        └───────────────────────▲

A tenure is made when a shard is assigned and thrown away when it leaves; nothing of it survives into the next one.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from engine.enums import Word
from engine.metrics import Metric
from engine.ports import Machine, Resettles, Saved, Settles, StepResult, StepStats
from engine.records import Record, Run, Shard
from engine.shard.commit import Chain, Mark, write_mark
from engine.shard.restore import Begin, Start, wrap

NEVER: Final = -1
"""No offset of this log is committed yet: even the place where we began is worth a commit."""


class Phase(Word):
    ASSIGNED = "assigned"  # ours, not yet restored: no record may reach it
    REPLAYING = "replaying"  # restored, stepping records whose outputs are already out
    LIVE = "live"
    DRAINING = "draining"  # being handed over: steps no more, may still commit
    GONE = "gone"


_MAY_BECOME: Final = {
    Phase.ASSIGNED: {Phase.REPLAYING, Phase.LIVE, Phase.GONE},
    Phase.REPLAYING: {Phase.LIVE, Phase.DRAINING, Phase.GONE},
    Phase.LIVE: {Phase.DRAINING, Phase.GONE},
    Phase.DRAINING: {Phase.GONE},
    Phase.GONE: set[Phase](),
}


class Tenure:
    """Holds the machine of one shard for one assignment (`epoch`). Not shared between threads."""

    def __init__(self, machine: Machine, *, stage: str, epoch: int, kernel_id: str) -> None:
        self.machine = machine
        self.settles = machine if isinstance(machine, Settles) else None
        self.epoch = epoch
        self.phase = Phase.ASSIGNED
        self.position = 0  # next offset to step
        self.committed = NEVER  # everything before it is committed
        self.snapshot_offset: int | None = None  # of the newest snapshot that is known to be written
        self.gaps = 0  # offsets that the log does not hold: compacted away, or transaction markers
        self._stage = stage
        self._kernel_id = kernel_id
        self._silent_until = 0
        self._learns_until = 0  # before this offset nothing may be committed: who takes over must begin where we began
        self._chain = Chain(0)
        self._expected: Chain | None = None

    @property
    def shard(self) -> Shard:
        return self.machine.shard

    def begin(self, start: Start) -> StepStats:
        """Take the place in the log that restoring decided."""
        stats = StepStats()
        self.position = start.position
        self.committed = NEVER if start.committed is None else start.committed
        self.snapshot_offset = start.snapshot
        self._chain, self._expected, self._silent_until = start.chain, start.expected, start.silent_until
        if start.begin is Begin.BACKFILLED:
            self._learns_until = start.silent_until
        if start.skipped:
            stats.count(Metric.SNAPSHOTS_SKIPPED, start.skipped, self._stage)
        if start.position < start.silent_until:
            self._become(Phase.REPLAYING)
        else:
            self._go_live(stats)
        return stats

    def step(self, records: Sequence[Record]) -> StepResult:
        """Step the records that are new to us. Outputs of a replay are compared, counted and kept back."""
        if self.phase not in {Phase.REPLAYING, Phase.LIVE}:
            return StepResult([], StepStats())
        fresh = _since(Run.of(records), self.position) if records else None
        if not fresh:
            return StepResult([], StepStats())
        self.gaps += fresh.offsets[-1] + 1 - self.position - len(fresh)
        stats = StepStats()
        if self.phase is Phase.REPLAYING:
            fresh = self._replay(fresh, stats)
        if not fresh:
            return StepResult([], stats)
        result = self.machine.step(fresh)
        self._advance(fresh, result)
        _add(stats, result.stats)
        return StepResult(result.outputs, stats)

    def _replay(self, records: Run, stats: StepStats) -> Run:
        """Step what lies before the commit in silence; returns the rest."""
        old = records[: records.place(self._silent_until)]
        if old:
            result = self.machine.step(old)
            self._advance(old, result)
            stats.gauges.update(result.stats.gauges)  # the counts were counted in a former life
            stats.count(Metric.REPLAYED, len(old), self._stage)
        rest = records[len(old) :]
        if rest or self.position >= self._silent_until:
            self._go_live(stats)
        return rest

    def _advance(self, records: Run, result: StepResult) -> None:
        self.position = records.offsets[-1] + 1
        self._chain = self._chain.extend(result.outputs)

    def _go_live(self, stats: StepStats) -> None:
        if self._expected is not None and self._expected != self._chain:
            stats.count(Metric.DETERMINISM_VIOLATIONS, 1, self._stage)
        self._expected = None
        if isinstance(self.machine, Resettles):
            self.machine.assume_settled(self._silent_until)
        self._become(Phase.LIVE)

    def drain(self) -> None:
        """Step no more; what was stepped may still be committed and saved."""
        if self.phase in {Phase.LIVE, Phase.REPLAYING}:
            self._become(Phase.DRAINING)

    def leave(self) -> None:
        """The shard is not ours any more."""
        if self.phase is not Phase.GONE:
            self._become(Phase.GONE)

    def _become(self, phase: Phase) -> None:
        if phase not in _MAY_BECOME[self.phase]:
            raise AssertionError(f"{self.shard} cannot become {phase} from {self.phase}")
        self.phase = phase

    # ------------------------------------------------------------------------------------------- commit and snapshot
    def committable(self) -> int:
        """Everything before this offset is done: stepped, and its effects outside Kafka had. Never moves backwards."""
        if self.position < self._learns_until:
            return self.committed
        settled = self.position if self.settles is None else self.settles.next_offset()
        done = self.position if settled is None else min(settled, self.position)
        return max(done, self.committed)

    def metadata(self, offset: int) -> str:
        """What to leave with a commit at `offset`."""
        chain = self._chain if offset == self.position else None
        return write_mark(Mark(epoch=self.epoch, kernel_id=self._kernel_id, snapshot=self.snapshot_offset, chain=chain))

    def may_save(self) -> bool:
        """Only at a commit point is the state that of an offset that is also committed; and only new state is worth it."""
        at_commit = self.position == self.committed and self.phase in {Phase.LIVE, Phase.DRAINING}
        return at_commit and self.position != self.snapshot_offset

    def saved(self) -> Saved:
        """The state as it is now, to be written."""
        return Saved(self.shard, self.position, self._kernel_id, wrap(self.machine.snapshot(), self._chain))


def _since(run: Run, offset: int) -> Run:
    before = run.place(offset)
    return run[before:] if before else run


def _add(total: StepStats, part: StepStats) -> None:
    for place, amount in part.counts.items():
        total.counts[place] = total.counts.get(place, 0) + amount
    total.gauges.update(part.gauges)
    total.observations.extend(part.observations)
