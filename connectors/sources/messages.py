"""From the client's messages to runs of records, with as few calls a message as possible: a call costs more than a kernel's work on it.

What is rarely asked for (keys, headers) stays in the messages until it is.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import chain, compress, pairwise
from operator import methodcaller
from typing import Any, Final, TypeVar, overload

import numpy as np
from confluent_kafka import Message
from numpy.typing import NDArray

from engine.records import Record, Run, Shard
from engine.records.run import Headers

Column = TypeVar("Column")
_topic, _partition, _timestamp, _value = map(methodcaller, ("topic", "partition", "timestamp", "value"))
_offset: Final = methodcaller("offset")
_NO_TIME: Final = 0
"""The kind of time that an error has, and a record whose time the broker does not know."""


class Lazy(Sequence[Column]):
    """A column that is read from its messages when it is asked for."""

    __slots__ = ("_messages", "_read")

    def __init__(self, messages: list[Message], read: Callable[[Message], Column]) -> None:
        self._messages, self._read = messages, read

    def __len__(self) -> int:
        return len(self._messages)

    @overload
    def __getitem__(self, at: int) -> Column: ...

    @overload
    def __getitem__(self, at: slice) -> Lazy[Column]: ...

    def __getitem__(self, at: int | slice) -> Column | Lazy[Column]:
        return Lazy(self._messages[at], self._read) if isinstance(at, slice) else self._read(self._messages[at])

    def __iter__(self) -> Iterator[Column]:
        return map(self._read, self._messages)


def parted(messages: list[Message]) -> tuple[list[Message], NDArray[np.int64]]:
    """(those that are none, the kind and the time in ms of the rest (n, 2)); `messages` keeps the rest.

    An error that comes in the place of a message has no time, so only what has none is asked.
    """
    stamps = np.fromiter(chain.from_iterable(map(_timestamp, messages)), np.int64, 2 * len(messages)).reshape(-1, 2)
    timeless = np.flatnonzero(stamps[:, 0] == _NO_TIME).tolist()
    wrong = [at for at in timeless if messages[at].error() is not None]
    if not wrong:
        return [], stamps
    errors = [messages[at] for at in wrong]
    good = np.ones(len(messages), np.bool_)
    good[wrong] = False
    messages[:] = compress(messages, good.tolist())
    return errors, stamps[good]


def stretches(messages: list[Message], *, topic: str) -> Iterator[tuple[Shard, int, int]]:
    """Where consecutive messages of one shard begin and end. `topic` is that of all of them; "" when there may be several."""
    partitions = np.fromiter(map(_partition, messages), np.int64, len(messages))
    breaks = partitions[1:] != partitions[:-1]
    if not topic:
        topics: list[Any] = list(map(_topic, messages))
        breaks |= np.fromiter((one != other for one, other in zip(topics[1:], topics[:-1], strict=True)), np.bool_, len(breaks))
    begins: list[int] = [0, *(np.flatnonzero(breaks) + 1).tolist(), len(messages)]
    for begin, end in pairwise(begins):
        yield Shard(topic or str(messages[begin].topic()), int(partitions[begin])), begin, end


def run_of(shard: Shard, messages: list[Message], milliseconds: NDArray[np.int64]) -> Run:
    """At least one message of a shard, without an error, as records. A time that the broker does not know is 0."""
    return Run(
        shard,
        _offsets(messages),
        np.maximum(milliseconds, 0) * 1_000_000,
        Lazy(messages, _key),
        list(map(_value, messages)),
        Lazy(messages, _headers),
    )


def record_of(message: Message) -> Record:
    """One message without an error as a record."""
    milliseconds = np.array([message.timestamp()[1]], np.int64)
    return run_of(Shard(str(message.topic()), int(message.partition() or 0)), [message], milliseconds)[0]


def _offsets(messages: list[Message]) -> Sequence[int]:
    """Offsets ascend: where the last is as far from the first as it can be near, nothing is left out between them."""
    first, last = _offset(messages[0]), _offset(messages[-1])
    whole = last - first + 1 == len(messages)
    return range(first, last + 1) if whole else list(map(_offset, messages))


def _key(message: Message) -> bytes | None:
    key = message.key()
    return key.encode() if isinstance(key, str) else key


def _headers(message: Message) -> Headers:
    pairs: Iterable[tuple[str, Any]] = message.headers() or ()  # type: ignore[assignment]
    return tuple((name, value or b"") for name, value in pairs)


def gathered(stretch: Iterable[tuple[Shard, int, int]]) -> dict[Shard, list[slice]]:
    """The stretches of each shard, in order."""
    parts: dict[Shard, list[slice]] = {}
    for shard, begin, end in stretch:
        parts.setdefault(shard, []).append(slice(begin, end))
    return parts
