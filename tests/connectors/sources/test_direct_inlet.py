"""Messages read from the client's own buffers are those that it gives as objects."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import closing

import confluent_kafka
import numpy as np
import pytest
from confluent_kafka import Consumer, Producer

from connectors.broker.embedded import CLIENT, EmbeddedBroker
from connectors.sources import direct
from connectors.sources.direct import DirectInlet
from connectors.sources.kafka import KafkaSource
from detectors.kernel import JIT
from engine.config.tree import Kafka
from engine.ports import Assigned
from engine.records import PADDING, Packed, Record, Run, Shard

pytestmark = pytest.mark.skipif(not JIT, reason="addresses are followed by compiled code only")
COUNT = 3_000


@pytest.fixture(scope="module")
def broker() -> Iterator[EmbeddedBroker]:
    """Two topics of records of every shape: with and without a key, a value, headers; empty ones, and large ones."""
    with closing(EmbeddedBroker()) as started:
        producer = Producer({"bootstrap.servers": started.bootstrap})
        for name, partitions in (("first", 3), ("second", 1)):
            started.create_topic(name, partitions)
            for n in range(COUNT):
                value = None if n % 7 == 0 else b"" if n % 11 == 0 else b"x" * 40_000 if n % 500 == 1 else b"value %d" % n
                key = None if n % 5 == 0 else b"" if n % 13 == 0 else b"key %d" % n
                headers = [("trace", b"t%d" % n), ("none", None), ("trace", b""), ("ü", "é")] if n % 4 == 0 else None
                producer.produce(name, value, key, n % partitions, timestamp=1_700_000_000_000 + n, headers=headers)
            producer.flush(30)
        yield started


def _read(
    broker: EmbeddedBroker, topics: list[str], *, directly: bool, count: int, batch: int = 700
) -> dict[Shard, list[Record]]:
    kafka = Kafka(bootstrap=broker.bootstrap, client=dict(CLIENT), direct=directly, batch_records_max=batch)
    found: dict[Shard, list[Record]] = {}
    with closing(KafkaSource(topics, group=f"g{time.time_ns()}", kafka=kafka)) as source:
        assert isinstance(source._inlet, DirectInlet) is directly
        until = time.monotonic() + 60
        while sum(map(len, found.values())) < count and time.monotonic() < until:
            polled = source.poll(0.2)
            for event in polled.events:
                if isinstance(event, Assigned):
                    source.seek(event.shard, 5)
            for shard, run in polled.records.items():
                found.setdefault(shard, []).extend(run)
    return found


def test_both_ways_give_the_same_records(broker: EmbeddedBroker) -> None:
    count = 2 * COUNT - 4 * 5
    topics = ["first", "second"]
    plain = _read(broker, topics, directly=False, count=count)
    assert sum(map(len, plain.values())) == count
    assert _read(broker, topics, directly=True, count=count) == plain


def test_a_batch_of_one_is_a_batch(broker: EmbeddedBroker) -> None:
    found = _read(broker, ["second"], directly=True, count=50, batch=1)
    assert [record.offset for record in found[Shard("second", 0)]][:50] == list(range(5, 55))


@pytest.mark.parametrize("directly", [True, False])
def test_an_offset_that_is_gone_is_told_as_the_client_tells_it(broker: EmbeddedBroker, *, directly: bool) -> None:
    kafka = Kafka(bootstrap=broker.bootstrap, client=dict(CLIENT), direct=directly)
    epochs: list[int] = []
    with closing(KafkaSource(["second"], group=f"g{time.time_ns()}", kafka=kafka)) as source:
        until = time.monotonic() + 60
        while len(epochs) < 2 and time.monotonic() < until:
            for event in source.poll(0.2).events:
                if isinstance(event, Assigned):
                    if not epochs:
                        source.seek(event.shard, COUNT + 1_000)  # there is no such record
                    epochs.append(event.epoch)
    assert len(epochs) == 2
    assert epochs[1] > epochs[0]


def test_a_client_of_another_version_is_used_the_ordinary_way(broker: EmbeddedBroker, monkeypatch: pytest.MonkeyPatch) -> None:
    consumer = Consumer({"bootstrap.servers": broker.bootstrap, "group.id": "unknown"})
    with closing(consumer):
        assert isinstance(DirectInlet.over(consumer, 10), DirectInlet)
        monkeypatch.setattr(direct, "__version__", "3.0.0")
        assert DirectInlet.over(consumer, 10) is None
        monkeypatch.setattr(direct, "__version__", f"{confluent_kafka.__version__}rc1")
        assert DirectInlet.over(consumer, 10) is not None


def test_an_object_that_is_no_client_is_not_followed() -> None:
    class Stranger:
        pass

    assert DirectInlet.over(Stranger(), 10) is None  # type: ignore[arg-type]


def test_packed_values_are_a_sequence_like_any_other() -> None:
    plain = [b"ab", None, b"", b"cde", None, b"f"]
    body = np.frombuffer(b"abcdef" + bytes(PADDING), np.uint8)
    packed = Packed(body, np.array([2, -1, 0, 3, -1, 1], np.int64))
    assert list(packed) == plain
    assert [packed[at] for at in range(-6, 6)] == plain + plain
    assert list(packed[1:5]) == plain[1:5]
    assert list(packed[2:5][1:]) == plain[3:5]
    assert list(packed[5:2]) == []
    for column, at in ((packed, [4, 0, 3, 2]), (packed[1:5], [0, 2, 3]), (packed, [1, 2]), (packed, [])):
        assert column.taken(np.array(at, np.int64)) == [column[row] for row in at]
    with pytest.raises(IndexError):
        packed[6]
    with pytest.raises(ValueError, match="runs only"):
        packed[::2]


def test_a_run_joins_its_values_alike_however_they_are_kept() -> None:
    body = np.frombuffer(b"abcdef" + bytes(PADDING), np.uint8)
    packed = Packed(body, np.array([2, -1, 0, 3, -1, 1], np.int64))
    for first, last in ((0, 6), (1, 4), (3, 6)):
        shard, offsets, ts_ns = Shard("t", 0), range(6), np.zeros(6, np.int64)
        ours = Run(shard, offsets, ts_ns, [None] * 6, packed, [()] * 6)[first:last]
        plain = Run(shard, offsets, ts_ns, [None] * 6, list(packed), [()] * 6)[first:last]
        (buffer, ends), (expected, places) = ours.joined(), plain.joined()
        assert len(buffer) == len(expected)
        assert buffer[: ends[-1]].tobytes() == expected[: places[-1]].tobytes()
        assert ends.tolist() == places.tolist()
        assert buffer.flags.writeable == expected.flags.writeable  # compiled code knows them apart
        assert ours.sizes.tolist() == plain.sizes.tolist()
        assert ours.payloads == plain.payloads


def test_seeking_is_obeyed_to_the_record_though_batches_are_taken_ahead(broker: EmbeddedBroker) -> None:
    kafka = Kafka(bootstrap=broker.bootstrap, client=dict(CLIENT), direct=True, batch_records_max=100)
    rng = np.random.default_rng(5)
    expected: dict[Shard, int] = {}
    seeks, until = 0, time.monotonic() + 120
    with closing(KafkaSource(["first"], group=f"g{time.time_ns()}", kafka=kafka)) as source:
        while (seeks < 200 or len(expected) < 3) and time.monotonic() < until:
            polled = source.poll(0.2)
            for event in polled.events:
                if isinstance(event, Assigned):
                    expected[event.shard] = 0
                    source.seek(event.shard, 0)
            for shard, run in polled.records.items():
                offsets = [record.offset for record in run]
                assert offsets == list(range(expected[shard], expected[shard] + len(offsets)))
                assert all(
                    record.ts_ns == (1_700_000_000_000 + 3 * record.offset + shard.partition) * 1_000_000 for record in run
                )
                expected[shard] += len(offsets)
            for shard, at in expected.items():
                if polled.records and (at >= 900 or rng.random() < 0.5):
                    expected[shard] = int(rng.integers(900))
                    source.seek(shard, expected[shard])
                    seeks += 1
                elif rng.random() < 0.2:
                    source.pause(shard)
                    source.resume(shard)
    assert seeks >= 200
