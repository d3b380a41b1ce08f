"""What must hold on any broker: a subclass names the broker, pytest collects the laws."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Protocol
from uuid import uuid4

import pytest
from log_world import TallyMachine, Told, once

from connectors.publishers.kafka import KafkaPublisher
from connectors.sources.kafka import KafkaSource
from connectors.stores.folder import FolderStore
from engine.clock import SystemClock
from engine.config.tree import Kafka
from engine.errors import Permanent, Unreachable
from engine.ports import Assigned, Place, Revoked, StepStats
from engine.records import ALL_PARTITIONS, Output, Record, Shard, Topic
from engine.runner import Runner, RunnerOptions
from engine.shard.commit import read_mark

PATIENCE_SECONDS = 90.0
"""After which a test is given up: nothing is ever measured."""


class Broker(Protocol):
    bootstrap: str
    client: Mapping[str, str | int]

    def create_topic(self, name: str, partitions: int) -> None: ...


def until(done: Callable[[], bool], step: Callable[[], object]) -> None:
    """Step until it is done."""
    end = time.monotonic() + PATIENCE_SECONDS
    while not done():
        assert time.monotonic() < end, "the broker did not come round"
        step()


def kafka_on(broker: Broker, partitions: Mapping[str, int] | None = None) -> Kafka:
    """A configuration with topics of its own, so that tests can share a broker."""
    kafka = Kafka(
        bootstrap=broker.bootstrap,
        topic_prefix=f"t{uuid4().hex[:8]}.",
        client=dict(broker.client),
        start="earliest",
        batch_records_max=23,
    )
    for name, count in {"in": 2, "alerts": 1, **(partitions or {})}.items():
        broker.create_topic(kafka.topic_prefix + name, count)
    return kafka


def feed(kafka: Kafka, values: int, partitions: int = 2, start: int = 0) -> None:
    """Numbers on the input topic, the same on every partition but for a factor."""
    publisher = KafkaPublisher(kafka)
    for offset in range(start, values):
        for partition in range(partitions):
            value = b"%d" % ((7 * offset * (partition + 1)) % 23)
            publisher.send_record(Record(f"{kafka.topic_prefix}in", partition, -1, (offset + 1) * 10**9, None, value))
    publisher.flush(30)
    publisher.close()


def read_topic(kafka: Kafka, name: str) -> list[Record]:
    """Everything on a topic."""
    source = KafkaSource([f"{kafka.topic_prefix}{name}"], group=f"reader-{uuid4().hex}", kafka=kafka)
    found: list[Record] = []
    ends: dict[Shard, int] = {}

    def step() -> None:
        polled = source.poll(0.1)
        for event in polled.events:
            if isinstance(event, Assigned):
                source.seek(event.shard, event.low)
                ends[event.shard] = event.high - event.low
        for records in polled.records.values():
            found.extend(records)

    until(lambda: bool(ends) and len(found) >= sum(ends.values()), step)
    source.close()
    return sorted(found, key=lambda record: (record.partition, record.offset))


def taken(kafka: Kafka) -> dict[int, list[bytes]]:
    """What a reader with high-water marks takes from the alerts topic, by the source's partition."""
    records = read_topic(kafka, "alerts")
    outputs = [Output(Topic.ALERTS, r.key or b"", r.value, r.ts_ns) for r in records]
    by_partition: dict[int, list[bytes]] = {}
    for body in once(outputs):
        by_partition.setdefault(int(body.split(b",")[1]), []).append(body)
    return by_partition


class Member:
    """One engine process: what it holds in memory dies with it."""

    def __init__(self, kafka: Kafka, state: Path, options: RunnerOptions | None = None) -> None:
        self.kafka = kafka
        self.told = Told()
        self.source = KafkaSource([f"{kafka.topic_prefix}in"], group=f"{kafka.topic_prefix}g", kafka=kafka)
        self.publisher = KafkaPublisher(kafka)
        self.runner = Runner(
            "detect",
            self.source,
            self.publisher,
            FolderStore(state),
            TallyMachine,
            options or RunnerOptions("tally", "earliest", poll_seconds=0.05, commit_interval_s=0.0, snapshot_interval_s=0.1),
            observe=self._observe,
            log=self.told,
            clock=SystemClock(),
        )
        self.counts: dict[str, float] = {}

    def _observe(self, stats: StepStats) -> None:
        for (metric, _labels), amount in stats.counts.items():
            self.counts[metric] = self.counts.get(metric, 0) + amount

    def position(self) -> int:
        return sum(tenure.position for tenure in self.runner._tenures.values())

    def committed(self) -> int:
        return sum(max(0, tenure.committed) for tenure in self.runner._tenures.values())

    def run_until(self, committed: int) -> None:
        until(lambda: self.committed() >= committed, self.runner.step_once)

    def stop(self) -> None:
        self.runner.drain()
        self.runner._close()

    def die(self) -> None:
        """No commit, no snapshot; the group is left, so that a test need not wait for the session to run out."""
        self.runner._close()


RECORDS = 300


class KafkaLaws:
    """Subclasses have a fixture `broker`."""

    @pytest.fixture
    def kafka(self, broker: Broker) -> Kafka:
        return kafka_on(broker)

    @pytest.fixture
    def expected(self) -> dict[int, list[bytes]]:
        """What one machine for each partition says, with no broker at all."""
        said: dict[int, list[bytes]] = {}
        for partition in (0, 1):
            machine = TallyMachine(Shard("x", partition))
            values = [b"%d" % ((7 * n * (partition + 1)) % 23) for n in range(RECORDS)]
            outputs = machine.step([Record("x", partition, n, 0, None, value) for n, value in enumerate(values)]).outputs
            said[partition] = [output.value or b"" for output in outputs]
        return said

    @staticmethod
    def named(kafka: Kafka, expected: dict[int, list[bytes]]) -> dict[int, list[bytes]]:
        name = f'"{kafka.topic_prefix}in"'.encode()
        return {partition: [body.replace(b'"x"', name) for body in bodies] for partition, bodies in expected.items()}

    def test_a_record_comes_back_as_it_was_published(self, kafka: Kafka) -> None:
        publisher = KafkaPublisher(kafka)
        headers = (("a", b"1"), ("a", b"\xff"), ("b", b""))
        publisher.publish([
            Output(Topic.ALERTS, b"key", b"value", 1_700_000_000_123_000_000, headers),
            Output(Topic.ALERTS, b"key", None, 1_700_000_000_124_999_999),
        ])  # fmt: skip
        publisher.flush(30)
        publisher.close()
        topic = f"{kafka.topic_prefix}alerts"
        assert read_topic(kafka, "alerts") == [
            Record(topic, 0, 0, 1_700_000_000_123_000_000, b"key", b"value", headers),
            Record(topic, 0, 1, 1_700_000_000_124_000_000, b"key", None),
        ]

    def test_an_output_for_all_partitions_is_on_each(self, broker: Broker) -> None:
        kafka = kafka_on(broker, {"alerts": 3})
        publisher = KafkaPublisher(kafka)
        publisher.publish([Output(Topic.ALERTS, b"k", b"%d" % n, 10**18, (), ALL_PARTITIONS) for n in range(2)])
        publisher.flush(30)
        publisher.close()
        found = [(r.partition, r.value) for r in read_topic(kafka, "alerts")]
        assert found == [(partition, value) for partition in range(3) for value in (b"0", b"1")]

    def test_nothing_is_delivered_before_the_first_seek(self, kafka: Kafka) -> None:
        feed(kafka, 50)
        source = KafkaSource([f"^{kafka.topic_prefix}i.*"], group=f"{kafka.topic_prefix}g", kafka=kafka)
        events: list[Assigned | Revoked] = []
        records: dict[Shard, list[Record]] = {}

        def step() -> None:
            polled = source.poll(0.05)
            events.extend(polled.events)
            for shard, batch in polled.records.items():
                records.setdefault(shard, []).extend(batch)

        until(lambda: len(events) == 2, step)
        for _ in range(10):
            step()
        assert records == {}
        first, second = sorted(event.shard for event in events)
        source.seek(second, 40)
        until(lambda: len(records.get(second, [])) == 10, step)
        assert [r.offset for r in records[second]] == list(range(40, 50))
        assert first not in records
        assert source.lag(second) == 0
        source.pause(second)
        source.seek(first, 49)
        until(lambda: first in records, step)
        source.seek(second, 48)
        until(lambda: len(records[second]) == 12, step)
        assert [r.offset for r in records[second][-2:]] == [48, 49]
        source.close()

    def test_a_commit_and_its_metadata_come_back_with_the_assignment(self, kafka: Kafka) -> None:
        feed(kafka, 20)
        shard = Shard(f"{kafka.topic_prefix}in", 1)

        def assigned(source: KafkaSource) -> dict[Shard, Assigned]:
            found: dict[Shard, Assigned] = {}
            until(
                lambda: len(found) == 2,
                lambda: found.update({e.shard: e for e in source.poll(0.05).events if isinstance(e, Assigned)}),
            )
            return found

        source = KafkaSource([shard.topic], group=f"{kafka.topic_prefix}g", kafka=kafka)
        before = assigned(source)[shard]
        assert (before.committed, before.metadata, before.low, before.high) == (None, "", 0, 20)
        source.commit({shard: Place(7, "m" * 1000)})
        source.close()
        source = KafkaSource([shard.topic], group=f"{kafka.topic_prefix}g", kafka=kafka)
        after = assigned(source)
        source.close()
        assert (after[shard].committed, after[shard].metadata) == (7, "m" * 1000)
        assert after[Shard(shard.topic, 0)].committed is None

    def test_a_planned_restart_in_the_middle_repeats_nothing(
        self, kafka: Kafka, expected: dict[int, list[bytes]], tmp_path: Path
    ) -> None:
        feed(kafka, RECORDS)
        first = Member(kafka, tmp_path)
        first.run_until(committed=RECORDS // 2)
        first.stop()
        second = Member(kafka, tmp_path)
        second.run_until(committed=2 * RECORDS)
        second.stop()
        assert [began["how"] for began in second.told.all("shard_began")] == ["restored", "restored"]
        assert second.counts.get("foreshock_records_replayed_total", 0) == 0
        assert taken(kafka) == self.named(kafka, expected)
        assert len(read_topic(kafka, "alerts")) == sum(map(len, expected.values()))

    def test_crashes_give_stamped_repeats_only(self, kafka: Kafka, expected: dict[int, list[bytes]], tmp_path: Path) -> None:
        feed(kafka, RECORDS)
        for stage in (1, 2, 3):
            member = Member(kafka, tmp_path)
            member.run_until(committed=stage * RECORDS // 2)
            member.runner._commit_is_due = lambda: False  # from here on it works without committing
            start = member.position()
            until(lambda m=member, s=start: m.position() >= min(s + 40, 2 * RECORDS), member.runner.step_once)
            member.publisher.flush(30)
            member.die()
        last = Member(kafka, tmp_path)
        last.run_until(committed=2 * RECORDS)
        last.stop()
        assert "foreshock_determinism_violations_total" not in last.counts
        assert taken(kafka) == self.named(kafka, expected)
        assert len(read_topic(kafka, "alerts")) > sum(map(len, expected.values()))

    def test_a_lost_state_folder_is_learned_again_in_silence(
        self, kafka: Kafka, expected: dict[int, list[bytes]], tmp_path: Path
    ) -> None:
        feed(kafka, RECORDS)
        first = Member(kafka, tmp_path / "a")
        first.run_until(committed=RECORDS)
        first.stop()
        second = Member(kafka, tmp_path / "b")
        second.run_until(committed=2 * RECORDS)
        second.stop()
        assert {str(began["how"]) for began in second.told.all("shard_began")} == {"rebuilt"}
        assert "foreshock_determinism_violations_total" not in second.counts
        assert taken(kafka) == self.named(kafka, expected)
        assert len(read_topic(kafka, "alerts")) == sum(map(len, expected.values()))

    def test_a_second_member_takes_a_shard_over_and_gives_it_back(
        self, kafka: Kafka, expected: dict[int, list[bytes]], tmp_path: Path
    ) -> None:
        feed(kafka, RECORDS // 2)
        first = Member(kafka, tmp_path)
        first.run_until(committed=RECORDS)
        second = Member(kafka, tmp_path)

        def both() -> None:
            first.runner.step_once()
            second.runner.step_once()

        until(lambda: len(second.runner._tenures) == 1 and len(first.runner._tenures) == 1, both)
        assert second.told.all("shard_began")[0]["how"] == "restored"
        assert second.counts.get("foreshock_records_replayed_total", 0) == 0
        feed(kafka, RECORDS, start=RECORDS // 2)
        until(lambda: first.committed() + second.committed() >= 2 * RECORDS, both)
        second.stop()
        until(lambda: len(first.runner._tenures) == 2, first.runner.step_once)
        first.stop()
        assert taken(kafka) == self.named(kafka, expected)
        assert len(read_topic(kafka, "alerts")) == sum(map(len, expected.values()))

    def test_the_metadata_of_a_commit_names_the_snapshot(self, kafka: Kafka, tmp_path: Path) -> None:
        feed(kafka, RECORDS)
        member = Member(kafka, tmp_path)
        member.run_until(committed=2 * RECORDS)
        member.stop()
        source = KafkaSource([f"{kafka.topic_prefix}in"], group=f"{kafka.topic_prefix}g", kafka=kafka)
        found: list[Assigned] = []
        until(lambda: len(found) == 2, lambda: found.extend(e for e in source.poll(0.05).events if isinstance(e, Assigned)))
        source.close()
        for event in found:
            mark = read_mark(event.metadata)
            assert mark is not None
            assert mark.chain is not None
            assert (event.committed, mark.kernel_id) == (RECORDS, "tally")
            assert FolderStore(tmp_path).load(event.shard, RECORDS).offset == RECORDS

    def test_a_missing_topic_is_said_at_once(self, kafka: Kafka) -> None:
        with pytest.raises(Unreachable, match="no such topic: nowhere"):
            KafkaSource(["nowhere"], group="g", kafka=kafka)

    def test_an_output_too_large_is_refused_and_a_dead_letter_is_cut(self, broker: Broker) -> None:
        kafka = kafka_on(broker, {"dead-letters": 1})
        publisher = KafkaPublisher(kafka)
        large = b"x" * 1_500_000
        with pytest.raises(Permanent, match="at most"):
            publisher.publish([Output(Topic.ALERTS, b"k", large, 10**18)])
        publisher.publish([Output(Topic.DEAD_LETTERS, b"k", large, 10**18, (("reason", b"too_large"),))])
        publisher.flush(30)
        publisher.close()
        (letter,) = read_topic(kafka, "dead-letters")
        assert letter.headers == (("reason", b"too_large"), ("foreshock-value-cut", b"true"))
        assert large.startswith(letter.value)
