"""The contracts between the domain and everything around it. Protocols only: nothing here does anything.

    source ──Record──▶ runner ──▶ machine (one for each shard) ──Output──▶ publisher
                                    │   uses a Codec                         (a topic, a file)
                                    └── snapshot ──▶ StateStore

Who implements what: machines live in `engine/{detect,correlate,respond,deliver}`; sources, codecs, publishers, sinks and
stores in `connectors/`. Only `engine/wiring` knows both.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from engine.errors import Unreachable
from engine.metrics import Metric
from engine.records import Decoded, Incident, Output, Record, Series, Shard, Stamp


# ------------------------------------------------------------------------------------------------------ machines
@dataclass(slots=True)
class StepStats:
    """What one step counted. Stages count here; `telemetry` publishes once a batch, never a stage itself."""

    counts: dict[tuple[Metric, tuple[str, ...]], float] = field(default_factory=dict)
    gauges: dict[tuple[Metric, tuple[str, ...]], float] = field(default_factory=dict)
    observations: list[tuple[Metric, tuple[str, ...], float]] = field(default_factory=list)

    def count(self, metric: Metric, amount: float = 1, *labels: str) -> None:
        """Add to a counter; `labels` are the values of the metric's label names, in their order."""
        place = (metric, labels)
        self.counts[place] = self.counts.get(place, 0) + amount

    def gauge(self, metric: Metric, value: float, *labels: str) -> None:
        """Set a gauge to its latest value."""
        self.gauges[metric, labels] = value

    def observe(self, metric: Metric, value: float, *labels: str) -> None:
        """Add one value to a histogram."""
        self.observations.append((metric, labels, value))


class StepResult(NamedTuple):
    """The outputs of one step, in order, and what it counted."""

    outputs: list[Output]
    stats: StepStats


Columns = Mapping[str, NDArray[np.generic]]
"""A snapshot's body: named one-dimensional arrays of fixed-width dtypes (structured ones too), never objects."""


class Snapshot(NamedTuple):
    """The whole state of a machine. `meta` is JSON-able; `columns` hold the rest. Zero bytes are a valid empty state."""

    meta: dict[str, object]
    columns: Columns


class Machine(Protocol):
    """One shard's state and the pure function that moves it: same log, same outputs to the bit, however the log is cut.

    Promises: `step` does no I/O, reads no clock, uses no randomness but the configured seed; it neither keeps nor changes
    the records it is given. It never raises for bad input: that becomes dead-letter outputs. Every output it makes for the
    record at offset o carries the stamp (topic, partition, o, seq), seq counting from 0 for each record.
    """

    shard: Shard

    def step(self, records: Sequence[Record]) -> StepResult:
        """Take the next records of this shard's log, in offset order. An empty sequence is allowed and changes nothing."""
        ...

    def finish(self) -> StepResult:
        """The log has ended for good (files, tests): let everything held back go. Never called for a Kafka shard."""
        ...

    def snapshot(self) -> Snapshot:
        """A copy of the state as it is between two steps; the machine may go on while it is written."""
        ...

    def restore(self, snapshot: Snapshot) -> None:
        """Become the machine that was saved. Raises StateError when that is not possible, and is then unchanged."""
        ...


class MachineFactory(Protocol):
    """Builds the machine of a shard that was just assigned. Cold and empty; the runner restores it."""

    def __call__(self, shard: Shard) -> Machine: ...


@runtime_checkable
class Settles(Protocol):
    """A machine with effects outside Kafka (the deliver stage): the runner calls `settle` between step and commit."""

    def settle(self, deadline_seconds: float) -> StepStats:
        """Push effects for at most that long. Never raises for a receiver's fault; what is not done stays pending."""
        ...

    def next_offset(self) -> int | None:
        """The offset that may be committed: everything before it has had its effect. None: whatever was stepped."""
        ...


@runtime_checkable
class Resettles(Protocol):
    """A machine with effects that can be told, after a restore, which of them were done in its former life."""

    def assume_settled(self, offset: int) -> None:
        """Everything before `offset` has had its effect: the commit says so. Called once, after the silent replay."""
        ...


# ------------------------------------------------------------------------------------------------------ decoding
class Catalog(Protocol):
    """Where codecs turn names and labels into series. Bounded; applies the source's identity and entity rules."""

    series_max: int
    """Series of one shard that may be live: what a codec remembers of each is bounded by it."""

    def metric(self, name: str, labels: Mapping[str, str], *, kind: str = "", unit: str = "") -> bytes:
        """The canonical key of a metric series; registers it when it is new. `kind` as in ValueKind, "" to let the rules decide.

        Raises DecodeError(BAD_LABELS) beyond the limits on labels.
        """
        ...

    def stream(self, labels: Mapping[str, str]) -> bytes:
        """The key of a log stream: one for each entity and the labels that the source's identity rule keeps."""
        ...

    def event(self, name: str, labels: Mapping[str, str]) -> tuple[bytes, str]:
        """The key of an event series, and the entity that the labels name."""
        ...

    def describe(self, key: bytes) -> Series:
        """The series behind a key that this catalog has handed out."""
        ...


class Codec(Protocol):
    """One input format. Stateless but for caches; one instance for each shard."""

    def decode(self, records: Sequence[Record], catalog: Catalog) -> Decoded:
        """All records of a batch, in order. Never raises for bad input: each bad record or part of it is in `rejected`.

        A record may give samples, lines and events at once; a record that gives nothing and is not rejected is a defect.
        """
        ...


# ------------------------------------------------------------------------------------------------------ the log
class Assigned(NamedTuple):
    """A shard is ours from now on. `committed` is the group's offset (None: it has none), `metadata` what we left with it."""

    shard: Shard
    committed: int | None
    metadata: str
    low: int
    high: int
    epoch: int


class Revoked(NamedTuple):
    """A shard is leaving us; what is done may still be committed unless it was `lost`."""

    shard: Shard
    lost: bool


class Polled(NamedTuple):
    """What one poll brought: records grouped by shard, in offset order, and what happened to the assignment before them."""

    records: Mapping[Shard, Sequence[Record]]
    events: list[Assigned | Revoked]
    ended: bool = False  # no source has anything left, for good (files only)


class Place(NamedTuple):
    """How far a shard is done."""

    offset: int  # everything before it
    metadata: str


class Source(Protocol):
    """A log that can be read from any offset. One owner thread; every call is bounded in time."""

    def poll(self, timeout_seconds: float) -> Polled:
        """Wait for the first record, then drain what is there (KAFKA.md: never wait for a full batch)."""
        ...

    def seek(self, shard: Shard, offset: int) -> None:
        """Start (again) at `offset`; nothing is delivered for a shard between Assigned and its first seek."""
        ...

    def commit(self, places: Mapping[Shard, Place]) -> Mapping[Shard, Unreachable]:
        """Durably remember how far each shard is done; returns those that were refused. Raises Unreachable when none was taken.

        Fenced: a shard that is no longer ours is refused.
        """
        ...

    def pause(self, shard: Shard) -> None: ...

    def resume(self, shard: Shard) -> None: ...

    def lag(self, shard: Shard) -> int:
        """Records between our position and the end, as last seen."""
        ...

    def close(self) -> None: ...


@runtime_checkable
class HandsOver(Protocol):
    """A source that lets its reader commit once more while a shard is still ours (Kafka's revocation)."""

    def before_revoke(self, hook: Callable[[Sequence[Shard]], None]) -> None:
        """`hook` is called inside `poll`, before the shards leave; it is bounded in time and raises nothing but defects."""
        ...


@runtime_checkable
class SearchesTime(Protocol):
    """A source that can say where in a log a time is."""

    def offset_at(self, shard: Shard, ts_ns: int) -> int | None:
        """The first offset whose record is at least so new; None when there is none, or the log cannot be searched. Raises Unreachable."""
        ...


class Publisher(Protocol):
    """Takes outputs. Nothing counts as out before `flush` has returned."""

    def publish(self, outputs: Sequence[Output]) -> None:
        """Take all of them, in order. Raises Unreachable when its buffer is full: they are kept, hand it no more until it flushes.

        Raises Permanent, here or in `flush`, when an output can never be delivered: the process must start again.
        """
        ...

    def flush(self, deadline_seconds: float) -> None:
        """Return when every output so far is acknowledged; raise Unreachable when not all are by the deadline."""
        ...

    def close(self) -> None: ...


class Saved(NamedTuple):
    """What a state store knows of one snapshot. `offset` is S: the log before it is in the state."""

    shard: Shard
    offset: int
    kernel_id: str
    snapshot: Snapshot


class StateStore(Protocol):
    """Snapshots, each whole or absent: a manifest written last, a checksum for every part, the newest few kept."""

    skipped: int
    """How many torn or damaged snapshots `load` has passed over so far."""

    def save(self, saved: Saved) -> int:
        """Write atomically; returns the bytes written. Raises StateError when the medium refuses."""
        ...

    def load(self, shard: Shard, at_most: int) -> Saved | None:
        """The newest whole snapshot with offset <= `at_most`; a torn or damaged one is skipped, and counted by the caller."""
        ...

    def close(self) -> None: ...


# ------------------------------------------------------------------------------------------------------ the world
class Sink(Protocol):
    """One receiver of incidents. Level-triggered: it is given the latest revision and may be given the same one twice."""

    name: str

    def deliver(self, incident: Incident, attempt: int) -> None:
        """Hand it over or raise Retry or Permanent. Bounded by the sink's own timeout. Never follows redirects."""
        ...

    def close(self) -> None: ...


class Clock(Protocol):
    """Wall time, for sinks, health and log lines only. No machine ever sees one."""

    def now_ns(self) -> int: ...

    def monotonic_seconds(self) -> float: ...


__all__ = [
    "Assigned",
    "Catalog",
    "Clock",
    "Codec",
    "Columns",
    "HandsOver",
    "Machine",
    "MachineFactory",
    "Polled",
    "Publisher",
    "Resettles",
    "Revoked",
    "Saved",
    "SearchesTime",
    "Settles",
    "Sink",
    "Snapshot",
    "Source",
    "Stamp",
    "StateStore",
    "StepResult",
    "StepStats",
]
