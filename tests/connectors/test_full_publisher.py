"""A producer without room: what it did not take is given to it later, all of it once and in order."""

from __future__ import annotations

from contextlib import suppress
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.publishers import kafka as publishing
from connectors.publishers.kafka import KafkaPublisher
from engine.config.tree import Kafka
from engine.errors import Unreachable
from engine.records import ALL_PARTITIONS, Output, Topic

PARTITIONS = 3


class Producer:
    """Takes a message when its turn says so. `taken` are (value, partition)."""

    def __init__(self, turns: list[bool]) -> None:
        self.turns = iter(turns)
        self.taken: list[tuple[bytes, int]] = []

    def produce(self, _topic: str, *, value: bytes, partition: int, **_more: Any) -> None:
        if not next(self.turns, True):
            raise BufferError
        self.taken.append((value, partition))

    def poll(self, _seconds: float) -> int:
        return 0

    def flush(self, _seconds: float) -> int:
        return 0

    def list_topics(self, topic: str, timeout: float) -> Any:  # the client's name
        return SimpleNamespace(topics={topic: SimpleNamespace(error=None, partitions=dict.fromkeys(range(PARTITIONS)))})


@settings(max_examples=100, deadline=None)
@given(
    st.lists(st.lists(st.sampled_from([None, ALL_PARTITIONS, 1]), max_size=4), max_size=5), st.lists(st.booleans(), max_size=30)
)
def test_all_is_taken_once_and_in_order(batches: list[list[int | None]], turns: list[bool]) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(publishing, "FULL_SECONDS", 0.0)
        publisher = KafkaPublisher(Kafka(bootstrap="127.0.0.1:1"))
        publisher._producer.close()
        publisher._producer = producer = Producer(turns)  # type: ignore[assignment]
        expected = []
        for number, batch in enumerate(batches):
            outputs = [Output(Topic.ALERTS, b"k", b"%d.%d" % (number, n), 10**18, (), to) for n, to in enumerate(batch)]
            for output, to in zip(outputs, batch, strict=True):
                numbers = range(PARTITIONS) if to == ALL_PARTITIONS else (-1 if to is None else to,)
                expected += [(output.value, one) for one in numbers]
            with suppress(Unreachable):
                publisher.publish(outputs)
            assert producer.taken == expected[: len(producer.taken)]
        producer.turns = iter(())
        publisher.flush(1.0)
        assert producer.taken == expected
