"""How messages come out of the client: as objects, the ordinary way."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple, Protocol

import numpy as np
from confluent_kafka import Consumer, Message

from connectors.sources.messages import gathered, parted, run_of, stretches
from engine.records import Run, Shard

PORTION: Final = 500


class Taken(NamedTuple):
    """What came in one batch."""

    runs: Mapping[Shard, Run]
    strays: Sequence[Any] = ()
    """What came in the place of messages: objects with `topic`, `partition` and `error`, as the client's messages have."""


class Inlet(Protocol):
    """Messages of one consumer, by partition."""

    def adopt(self, shard: Shard) -> None:
        """A partition that was assigned, and is still paused, is going to be read."""

    def take(self, timeout_seconds: float, bytes_max: int) -> Taken:
        """Wait for the first message, then take what is there, up to a batch or about so many bytes. Serves the client's callbacks.

        Raises KafkaException as the client does.
        """

    def close(self) -> None:
        """Before the consumer is closed."""


class ObjectInlet:
    """Implements `Inlet` with the client's own calls."""

    def __init__(self, consumer: Consumer, records_max: int) -> None:
        self._consumer, self._batch = consumer, records_max
        self._topics: set[str] = set()

    def adopt(self, shard: Shard) -> None:
        """See `Inlet`."""
        self._topics.add(shard.topic)

    def close(self) -> None:
        """Nothing needs to be done."""

    def take(self, timeout_seconds: float, bytes_max: int) -> Taken:
        """See `Inlet`. In portions that the client hands over fastest."""
        first = self._consumer.poll(timeout_seconds)
        if first is None:
            return Taken({})
        messages, size = [first], len(first)
        while len(messages) < self._batch and size < bytes_max:
            wanted = min(PORTION, self._batch - len(messages))
            portion = self._consumer.consume(wanted, 0)
            messages += portion
            size += sum(map(len, portion))
            if len(portion) < wanted:
                break
        return _taken(messages, next(iter(self._topics)) if len(self._topics) == 1 else "")


def _taken(messages: list[Message], topic: str) -> Taken:
    """Messages as runs by shard. `topic` is that of all of them; "" when there may be several."""
    errors, stamps = parted(messages)
    milliseconds = stamps[:, 1]
    runs = {}
    for shard, parts in gathered(stretches(messages, topic=topic)).items() if messages else ():
        some = [message for part in parts for message in messages[part]] if len(parts) > 1 else messages[parts[0]]
        runs[shard] = run_of(shard, some, np.concatenate([milliseconds[part] for part in parts]))
    return Taken(runs, errors)
