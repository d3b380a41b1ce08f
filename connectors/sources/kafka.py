"""Records from Kafka: one consumer of one group, read from any offset.

The client's callbacks only write down what happened. A shard that was just assigned is held (paused, at no offset that
matters) until its first `seek`, so that nothing is ever delivered onto a state that is not yet restored. What the broker
knows of it, the committed offset, what we left with it and the two watermarks, is asked for afterwards, in `poll`, where
a failure can simply be tried again.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from confluent_kafka import OFFSET_END, Consumer, KafkaException, TopicPartition

from connectors.kafka_client import LOG, NOT_TAKEN_UP, OFFSET_GONE, PASSING, cause, consumer_settings, topic_name, unreachable
from connectors.sources.direct import DirectInlet
from connectors.sources.inlet import Inlet, ObjectInlet
from connectors.sources.stuck import Stuck
from connectors.sources.unreadable import CODES, Unreadable
from connectors.sources.wanted import REFRESH_SECONDS, Wanted
from engine.config.tree import Kafka
from engine.errors import Unreachable, UsageError
from engine.ports import Assigned, Place, Polled, Revoked
from engine.records import Record, Run, Shard, Topic

ASK_SECONDS: Final = 5.0
"""How long one question to the broker may take; an unanswered one is asked again at the next poll."""
SEEK_TRIES: Final = 200
SEEK_PAUSE_SECONDS: Final = 0.01
START_SECONDS: Final = 15.0
CLOSE_SECONDS: Final = 5.0
BATCH_BYTES_MAX: Final = 16 << 20
"""A batch that has so many bytes is not filled further."""


class KafkaSource:
    """Implements `ports.Source`, `ports.HandsOver` and `ports.SearchesTime`. Topics may be patterns: they then begin with `^`.

    Of a pattern's topics `refuse` says with a sentence which must not be read: a reason not to start; later a new one is left alone.

    `timeout_seconds` of `poll` bounds the wait for the first record; a question about a new shard may add `ASK_SECONDS`.
    """

    def __init__(self, topics: Sequence[str], *, group: str, kafka: Kafka, refuse: Callable[[str], str] = lambda _: "") -> None:
        settings = consumer_settings(kafka, group)
        strategy = str(settings.get("partition.assignment.strategy", ""))
        self._incremental = "cooperative" in strategy or settings.get("group.protocol") == "consumer"
        self._epoch = 0
        self._arrived: dict[Shard, int] = {}  # assigned, not yet announced: the epoch of the assignment
        self._held: set[Shard] = set()  # announced, waiting for the first seek
        self._next: dict[Shard, int] = {}  # delivering: the next offset we expect
        self._ends: dict[Shard, int] = {}
        self._paused: set[Shard] = set()
        self._stuck = Stuck()
        self._unreadable = Unreadable()
        self._events: list[Assigned | Revoked] = []
        self._hook: Callable[[Sequence[Shard]], None] | None = None
        self._consumer = Consumer(settings, logger=LOG)
        self._waiting = ObjectInlet(self._consumer, kafka.batch_records_max)
        direct = DirectInlet.over(self._consumer, kafka.batch_records_max) if kafka.direct else None
        if kafka.direct and direct is None:
            LOG.info("kafka.direct is of no use with this client: each message is taken as an object")
        self._inlet: Inlet = direct or self._waiting
        refresh_seconds = float(str(settings.get("topic.metadata.refresh.interval.ms", 1000 * REFRESH_SECONDS))) / 1000
        ours = [topic_name(kafka, role) for role in Topic]
        self._wanted = Wanted(
            topics, ours=ours, refuse=refuse, refresh_seconds=refresh_seconds, our_head=topic_name(kafka, "rekeyed.")
        )
        self._start()

    # ------------------------------------------------------------------------------------------- reading
    def poll(self, timeout_seconds: float) -> Polled:
        """Wait for the first record, then drain what is there. Raises Unreachable for what only a person can mend."""
        inlet = self._inlet if self._next else self._waiting
        try:
            runs, strays = inlet.take(timeout_seconds, BATCH_BYTES_MAX)
        except KafkaException as error:
            raise unreachable("reading", error) from error
        for stray in strays:
            self._complain(stray)
        records = self._wanted_of(runs)
        self._skip(strays)
        if self._arrived:
            self._announce()
        now = time.monotonic()
        if self._stuck.is_time(now):
            self._mend(now)
        if self._wanted.is_time(now):
            self._look_for_topics()
        events, self._events = self._events, []
        return Polled(records, events)

    def _wanted_of(self, runs: Mapping[Shard, Run]) -> dict[Shard, Sequence[Record]]:
        """The records from where each shard is to go on: anything of one that is not delivering, or from before its seek, is dropped."""
        found: dict[Shard, Sequence[Record]] = {}
        for shard, run in runs.items():
            expected = self._next.get(shard)
            before = len(run) if expected is None else run.place(expected)
            if before == len(run):
                continue
            self._next[shard] = end = run.offsets[-1] + 1
            wanted = self._unreadable.passed(shard, run[before:] if before else run, end)
            if isinstance(wanted, Run):
                found[shard] = wanted
            else:
                self._go_to(shard, wanted)
        return found

    def _skip(self, strays: Sequence[Any]) -> None:
        """Look behind what cannot be read; what came before it has been taken by now."""
        errors = [stray for stray in strays if stray.error() is not None and stray.error().code() in CODES]
        begins = {Shard(str(error.topic()), int(error.partition())): int(error.offset()) for error in errors}
        for shard in begins.keys() & self._next.keys():
            at = self._next[shard]
            LOG.warning("%s cannot be read at offset %d", shard, at)
            self._go_to(shard, self._unreadable.failed(shard, at, begins[shard], at + self.lag(shard)))

    def _mend(self, now: float) -> None:
        """Seek anew what has more to give and stands still."""
        waited_for = {shard: at for shard, at in self._next.items() if shard not in self._paused}
        for shard in self._stuck.find({s: at for s, at in waited_for.items() if self.lag(s)}, now):
            LOG.warning("%s stands still at offset %d of %d: seeking it anew", shard, self._next[shard], self._ends[shard])
            try:
                self._go_to(shard, self._next[shard])
            except Unreachable as error:  # tried again in a while
                LOG.warning("%s", error)

    def _complain(self, message: Any) -> None:
        """Act on an error that came in the place of a message."""
        error = message.error()
        if error is None:  # a message that came past our queue: it comes once more, in its place
            shard = Shard(message.topic(), message.partition())
            if shard in self._next:
                self.seek(shard, self._next[shard])
            return
        code = error.code()
        if code in OFFSET_GONE:  # retention or an operator took the log away under us: the shard begins anew
            shard = Shard(message.topic(), message.partition())
            if shard in self._held or self._next.pop(shard, None) is not None:
                self._consumer.pause([TopicPartition(*shard)])
                self._arrived[shard] = self._new_epoch()
        elif error.fatal() or code not in PASSING | CODES:
            raise unreachable(f"reading {message.topic() or 'the log'}", error)

    # ------------------------------------------------------------------------------------------- the assignment
    def before_revoke(self, hook: Callable[[Sequence[Shard]], None]) -> None:
        """See `ports.HandsOver`."""
        self._hook = hook

    def _on_assign(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        """Take them, paused. The offset is a stand-in that is valid on any log; `seek` gives the real one."""
        held = [TopicPartition(p.topic, p.partition, OFFSET_END) for p in partitions]
        if self._incremental:
            consumer.incremental_assign(held)
        else:
            consumer.assign(held)
        if held:
            consumer.pause(held)
        epoch = self._new_epoch()
        self._arrived.update({Shard(p.topic, p.partition): epoch for p in partitions})

    def _on_revoke(self, _consumer: Consumer, partitions: list[TopicPartition]) -> None:
        leaving = [Shard(p.topic, p.partition) for p in partitions]
        if self._hook is not None and leaving:
            self._hook(leaving)
        self._leave(leaving, lost=False)

    def _on_lost(self, _consumer: Consumer, partitions: list[TopicPartition]) -> None:
        self._leave([Shard(p.topic, p.partition) for p in partitions], lost=True)

    def _leave(self, shards: Sequence[Shard], *, lost: bool) -> None:
        """Forget everything about them: a pause or a position must not survive into the next assignment."""
        for shard in shards:
            self._arrived.pop(shard, None)
            self._held.discard(shard)
            self._next.pop(shard, None)
            self._ends.pop(shard, None)
            self._paused.discard(shard)
            self._unreadable.forget(shard)
            self._events.append(Revoked(shard, lost))

    def _announce(self) -> None:
        """Ask the broker about the shards that came, and tell of them. An unanswered question is asked again later."""
        shards = list(self._arrived)
        try:
            committed = self._consumer.committed([TopicPartition(*shard) for shard in shards], timeout=ASK_SECONDS)
            for shard, place in zip(shards, committed, strict=True):
                self._announce_one(shard, place)
        except KafkaException as error:
            if cause(error).fatal() or not (cause(error).retriable() or cause(error).code() in PASSING):
                raise unreachable("asking for committed offsets", error) from error
            LOG.warning("committed offsets not answered: %s", cause(error).str())

    def _announce_one(self, shard: Shard, place: TopicPartition) -> None:
        if place.error is not None:
            raise KafkaException(place.error)
        low, high = self._consumer.get_watermark_offsets(TopicPartition(*shard), timeout=ASK_SECONDS)
        epoch = self._arrived.pop(shard)
        self._held.add(shard)
        self._ends[shard] = high
        known = place.offset >= 0
        self._events.append(
            Assigned(shard, place.offset if known else None, (place.metadata or "") if known else "", low, high, epoch)
        )

    def _new_epoch(self) -> int:
        self._epoch += 1
        return self._epoch

    # ------------------------------------------------------------------------------------------- control
    def seek(self, shard: Shard, offset: int) -> None:
        """Deliver from `offset` on. The client takes a moment to take up a new partition; that is waited for, bounded."""
        self._unreadable.forget(shard)
        self._go_to(shard, offset)

    def _go_to(self, shard: Shard, offset: int) -> None:
        place = TopicPartition(shard.topic, shard.partition, offset)
        self._consumer.pause([place])
        self._inlet.adopt(shard)
        for attempt in range(SEEK_TRIES):
            try:
                self._consumer.seek(place)
                break
            except KafkaException as error:
                if cause(error).code() != NOT_TAKEN_UP or attempt == SEEK_TRIES - 1:
                    raise unreachable(f"seeking {shard}", error) from error
                time.sleep(SEEK_PAUSE_SECONDS)
        self._held.discard(shard)
        self._paused.discard(shard)
        self._next[shard] = offset
        self._consumer.resume([place])

    def commit(self, places: Mapping[Shard, Place]) -> Mapping[Shard, Unreachable]:
        """See `ports.Source`. One request for all of them."""
        wanted = [TopicPartition(*shard, *place) for shard, place in places.items()]
        try:
            done = self._consumer.commit(offsets=wanted, asynchronous=False) or []
        except KafkaException as error:
            raise unreachable(f"committing {', '.join(map(str, places))}", error) from error
        refused = ((Shard(answer.topic, answer.partition), answer.error) for answer in done if answer.error is not None)
        return {shard: unreachable(f"committing {shard}", error) for shard, error in refused}

    def pause(self, shard: Shard) -> None:
        """Stop delivering, but for one batch that may have been taken already; the position stays."""
        if shard in self._next and shard not in self._paused:
            self._paused.add(shard)
            self._consumer.pause([TopicPartition(*shard)])

    def resume(self, shard: Shard) -> None:
        """Go on delivering; no effect on a shard that still waits for its first seek."""
        if shard in self._paused:
            self._paused.discard(shard)
            self._consumer.resume([TopicPartition(*shard)])

    def lag(self, shard: Shard) -> int:
        """From the watermark that came with the last fetch: costs no request."""
        if shard not in self._next:
            return 0
        try:
            _, high = self._consumer.get_watermark_offsets(TopicPartition(*shard), cached=True)
        except KafkaException:
            high = -1
        self._ends[shard] = max(high, self._ends.get(shard, 0))
        return max(0, self._ends[shard] - self._next[shard])

    def offset_at(self, shard: Shard, ts_ns: int) -> int | None:
        """See `ports.SearchesTime`. The embedded broker finds nothing."""
        place = TopicPartition(shard.topic, shard.partition, ts_ns // 1_000_000)
        try:
            found = self._consumer.offsets_for_times([place], timeout=ASK_SECONDS)[0]
        except KafkaException as error:
            raise unreachable(f"searching {shard} by time", error) from error
        if found.error is not None:
            raise unreachable(f"searching {shard} by time", found.error)
        return int(found.offset) if found.offset >= 0 else None

    def close(self) -> None:
        """Leave the group. Shards still held are revoked on the way, without a last commit.

        Bounded: with its broker away the client may not come back from this; it is then left to the end of the process.
        """
        self._hook = None
        leaving = threading.Thread(target=self._quit, name="kafka-close", daemon=True)
        leaving.start()
        leaving.join(CLOSE_SECONDS)

    def _quit(self) -> None:
        """Give the shards back before the end: the client's own revocation while it closes can wait for its ended self with the lock of Python in hand."""
        until = time.monotonic() + CLOSE_SECONDS / 2
        try:
            self._consumer.unsubscribe()
            while self._consumer.assignment() and time.monotonic() < until:
                self._consumer.poll(0.01)
        except KafkaException as error:
            LOG.warning("leaving the group: %s", error)
        self._inlet.close()
        self._consumer.close()

    # ------------------------------------------------------------------------------------------- the start
    def _start(self) -> None:
        """Fail at once, and in plain words, on what would otherwise be a quiet wait: no broker, no such topic."""
        try:
            known = self._consumer.list_topics(timeout=START_SECONDS).topics
        except KafkaException as error:
            self._consumer.close()
            raise unreachable("connecting to Kafka", error) from error
        missing = [name for name in self._wanted.named if name not in known]
        if missing:
            self._consumer.close()
            raise Unreachable(f"no such topic: {', '.join(missing)}", "Create it, or correct sources[].topics.")
        _, refused = self._wanted.settle(known)
        if refused:
            self._consumer.close()
            raise UsageError("; ".join(refused), "Make the patterns of sources[].topics narrower.")
        self._wanted.is_time(time.monotonic())
        self._subscribe()

    def _subscribe(self) -> None:
        if self._wanted.current:
            self._consumer.subscribe(
                self._wanted.current, on_assign=self._on_assign, on_revoke=self._on_revoke, on_lost=self._on_lost
            )

    def _look_for_topics(self) -> None:
        """Take up what a pattern means by now. A broker that does not answer is asked again in a while."""
        try:
            known = self._consumer.list_topics(timeout=ASK_SECONDS).topics
        except KafkaException as error:
            LOG.warning("looking for topics: %s", error)
            return
        changed, refused = self._wanted.settle(known)
        for sentence in refused:
            LOG.warning("%s", sentence)
        if changed:
            self._subscribe()
