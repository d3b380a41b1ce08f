"""Where a shard begins after it was assigned: which snapshot, from which offset, in silence up to where.

    low ─────── S ─────────────── C ─────────── high           S snapshot, C commit
                 └─ silent replay ─┘└─ live

Every way to begin has a name, which is logged: nothing is lost, skipped or begun anew in silence.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Final, Literal, NamedTuple

import msgspec

from engine.errors import StateError
from engine.ports import Assigned, Machine, Saved, Snapshot, StateStore
from engine.records import Shard
from engine.shard.commit import Chain, Mark, read_mark

LOOK_BACK_MAX: Final = 100
"""Snapshots that are tried before a shard begins without one."""


class Begin(StrEnum):
    """How a shard began."""

    RESTORED = "restored"  # snapshot, then the log from it
    STATELESS = "stateless"  # a stage that keeps no snapshots: from the commit
    COLD_EARLIEST = "cold_earliest"  # never seen before: from the start of the log
    BACKFILLED = "backfilled"  # never seen before: what the log holds of the past is learned in silence up to its end
    COLD_LATEST = "cold_latest"  # never seen before: from the end of the log
    REBUILT = "rebuilt"  # a commit but no usable snapshot: learned anew from what the log still holds
    GAP = "gap"  # the log no longer holds all that is needed: state is kept, records are missing
    TRUNCATED = "truncated"  # the commit lies beyond the end: it is another log, everything begins anew

    @property
    def is_loss(self) -> bool:
        """Whether somebody should look: records or learned state are not what they would have been."""
        return self in {Begin.REBUILT, Begin.GAP, Begin.TRUNCATED}


class Start(NamedTuple):
    """What restoring decided. The machine that was passed in is already in the state that belongs to `position`."""

    begin: Begin
    position: int
    """First offset to step."""
    silent_until: int
    """Outputs of records before this offset were published in a former life."""
    committed: int | None
    """The group's offset, as far as it is one of this log's. None: the first commit says where we began."""
    chain: Chain
    expected: Chain | None
    """The chain that the replay must arrive at, when that can be said."""
    snapshot: int | None
    skipped: int
    """Snapshots that were passed over: torn, of another kind, or refused by the machine."""


class Envelope(msgspec.Struct, frozen=True):
    """The runner's own part of a snapshot's meta, around the machine's."""

    chain: Chain
    machine: dict[str, object]


def wrap(snapshot: Snapshot, chain: Chain) -> Snapshot:
    """A machine's snapshot with the chain of its outputs."""
    return Snapshot({"chain": list(chain), "machine": snapshot.meta}, snapshot.columns)


def unwrap(snapshot: Snapshot) -> tuple[Snapshot, Chain]:
    """The inverse of `wrap`. Raises StateError."""
    try:
        envelope = msgspec.convert(snapshot.meta, Envelope)
    except msgspec.ValidationError as error:
        raise StateError(f"the snapshot was not written by a runner: {error}") from error
    return Snapshot(envelope.machine, snapshot.columns), envelope.chain


def begin_shard(
    machine: Machine,
    assigned: Assigned,
    store: StateStore | None,
    *,
    kernel_id: str,
    start: Literal["earliest", "latest"],
    past: int | None = None,
) -> Start:
    """Restore `machine` as far as it can be and say where to read from. `store` None: the stage has no state to restore.

    `past` is the offset from which a shard that was never seen before learns in silence; None: it learns nothing of the past.
    """
    low, high, committed = assigned.low, assigned.high, assigned.committed
    if committed is not None and committed > high:
        return _plain(Begin.TRUNCATED, low, low, None)
    if store is None:
        return _stateless(assigned, start)
    found = _newest_usable(machine, assigned.shard, store, high if committed is None else committed, kernel_id)
    if found.saved is None:
        if assigned.committed is None and past is not None and past < high:
            return _plain(Begin.BACKFILLED, max(past, low), high, None, found.skipped)
        return _without_snapshot(assigned, start, kernel_id, found.skipped)
    until = found.saved.offset if committed is None else committed
    if found.saved.offset < low:
        return Start(Begin.GAP, low, max(low, until), committed, Chain(low), None, found.saved.offset, found.skipped)
    expected = _expected(read_mark(assigned.metadata), kernel_id, found.chain.origin)
    return Start(Begin.RESTORED, found.saved.offset, until, committed, found.chain, expected, found.saved.offset, found.skipped)


def _plain(begin: Begin, position: int, until: int, committed: int | None, skipped: int = 0) -> Start:
    return Start(begin, position, until, committed, Chain(position), None, None, skipped)


def _stateless(assigned: Assigned, start: str) -> Start:
    if assigned.committed is None:
        return _without_snapshot(assigned, start, "", 0)
    if assigned.committed < assigned.low:
        return _plain(Begin.GAP, assigned.low, assigned.low, assigned.committed)
    return _plain(Begin.STATELESS, assigned.committed, assigned.committed, assigned.committed)


def _without_snapshot(assigned: Assigned, start: str, kernel_id: str, skipped: int) -> Start:
    """No usable snapshot. With a commit, the state must be learned again: an empty state at the commit would be a lie."""
    low, high, committed = assigned.low, assigned.high, assigned.committed
    if committed is not None:
        if committed < low:
            return _plain(Begin.GAP, low, low, committed, skipped)
        expected = _expected(read_mark(assigned.metadata), kernel_id, low)
        return Start(Begin.REBUILT, low, committed, committed, Chain(low), expected, None, skipped)
    if start == "earliest":
        return _plain(Begin.COLD_EARLIEST, low, low, None, skipped)
    return _plain(Begin.COLD_LATEST, high, high, None, skipped)


def _expected(mark: Mark | None, kernel_id: str, origin: int) -> Chain | None:
    """The chain of the commit, when it is the same machine's and counts from the same origin."""
    if mark is None or mark.chain is None or mark.kernel_id != kernel_id or mark.chain.origin != origin:
        return None
    return mark.chain


class _Found(NamedTuple):
    saved: Saved | None
    chain: Chain
    skipped: int


def _newest_usable(machine: Machine, shard: Shard, store: StateStore, at_most: int, kernel_id: str) -> _Found:
    """Restore the newest snapshot at or before `at_most` that is whole, of this kernel, and that the machine takes."""
    torn_before, refused = store.skipped, 0
    for _ in range(LOOK_BACK_MAX):
        saved = store.load(shard, at_most)
        if saved is None:
            break
        chain = _restored(machine, saved, kernel_id)
        if chain is not None:
            return _Found(saved, chain, refused + store.skipped - torn_before)
        refused += 1
        at_most = saved.offset - 1
    return _Found(None, Chain(0), refused + store.skipped - torn_before)


def _restored(machine: Machine, saved: Saved, kernel_id: str) -> Chain | None:
    if saved.kernel_id != kernel_id:
        return None
    try:
        snapshot, chain = unwrap(saved.snapshot)
        machine.restore(snapshot)
    except StateError:
        return None
    return chain
