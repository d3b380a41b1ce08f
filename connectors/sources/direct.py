"""Messages from the client's C interface: a batch is columns at once, and no message becomes an object.

The client stays the ordinary one, which does all that is rare (group, offsets, seeking, errors). Only the queues of the partitions
that are read are led to a queue of ours, and what is in it is copied out and given back to the client within one call. Nothing of
this is the client's promise to Python, so it is looked at before it is trusted; where anything is not as it was when this was written,
`DirectInlet.over` says so with None, and messages are taken as objects.
"""

from __future__ import annotations

import ctypes
import logging
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, Final, NamedTuple

import numpy as np
from confluent_kafka import Consumer, KafkaError, __version__, cimpl
from numpy.typing import NDArray

from connectors.sources import pointers
from connectors.sources.inlet import Taken
from connectors.sources.pointers import Functions, Heads, Parts
from detectors.kernel import JIT
from engine.records import PADDING, Packed, PackedHeaders, Run, Shard

_VERSIONS: Final = range(12, 17)
"""Of confluent-kafka 2.x: where the address of the client lies in its object was looked up in each of these."""
_CLIENT_WORD: Final = 2
PORTION: Final = 1000
_Address = ctypes.c_void_p
LOG: Final = logging.getLogger("librdkafka")


class Failure(NamedTuple):
    """An error that came in the place of a message: what of a client's message is asked of it."""

    shard: Shard
    code: int
    at: int

    def topic(self) -> str:
        """Of the partition."""
        return self.shard.topic

    def partition(self) -> int:
        """Its number."""
        return self.shard.partition

    def offset(self) -> int:
        """Of what it is about, where it is about a message."""
        return self.at

    def error(self) -> KafkaError:
        """In the client's words."""
        return KafkaError(self.code)


class DirectInlet:
    """A queue of ours that the partitions of one consumer are led to. Implements `inlet.Inlet`."""

    def __init__(self, consumer: Consumer, client: int, library: Any, records_max: int) -> None:
        """Use `over`. `client` is the address of its rd_kafka_t."""
        self._consumer, self._client, self._library = consumer, client, library
        self._queue = library.rd_kafka_queue_new(client)
        self._functions = Functions(
            *(
                ctypes.cast(getattr(library, f"rd_kafka_{name}"), ctypes.c_void_p).value or 0
                for name in ("message_timestamp", "message_headers", "header_get_all", "message_destroy")
            )
        )
        self._messages = np.zeros(records_max, np.int64)
        self._heads = Heads(np.zeros(records_max, np.int32), *np.zeros((7, records_max), np.int64))
        self._spare = np.zeros(3, np.int64)
        self._taker = ThreadPoolExecutor(1, "kafka-ahead")
        self._ahead: Future[Taken] | None = None

    @classmethod
    def over(cls, consumer: Consumer, records_max: int) -> DirectInlet | None:
        """None where the client is not the one this was written for, or nothing is compiled."""
        major, minor = (int(part) for part in str(__version__).split(".")[:2])
        if not JIT or ctypes.sizeof(_Address) != 8 or major != 2 or minor not in _VERSIONS:
            return None
        words = (ctypes.c_size_t * (_CLIENT_WORD + 1)).from_address(id(consumer))
        kind = type(consumer)
        if words[_CLIENT_WORD - 1] != id(kind) or not words[_CLIENT_WORD]:
            return None
        try:
            library = _library()
        except (OSError, AttributeError) as error:
            LOG.warning("the client's C interface cannot be used: %s", error)
            return None
        if b"#consumer-" not in library.rd_kafka_name(words[_CLIENT_WORD]):
            return None
        pointers.warm()
        return cls(consumer, words[_CLIENT_WORD], library, records_max)

    def adopt(self, shard: Shard) -> None:
        """Messages of this partition, which is paused, come here from now on; what was taken of it before is forgotten."""
        if self._ahead is not None:
            runs, strays = self._ahead.result()
            runs = {other: run for other, run in runs.items() if other != shard}
            kept: Future[Taken] = Future()
            kept.set_result(Taken(runs, [one for one in strays if Shard(one.topic(), one.partition()) != shard]))
            self._ahead = kept
        queue = self._library.rd_kafka_queue_get_partition(self._client, shard.topic.encode(), shard.partition)
        if not queue:
            raise RuntimeError(f"the client does not know {shard}")
        self._library.rd_kafka_queue_forward(queue, self._queue)
        self._library.rd_kafka_queue_destroy(queue)

    def take(self, timeout_seconds: float, bytes_max: int) -> Taken:
        """See `inlet.Inlet`. Where there was much, the next batch is taken while this one is worked on."""
        stray = self._consumer.poll(0.0)
        ahead, self._ahead = self._ahead, None
        waits = 0 if stray is not None else int(1000 * timeout_seconds)
        runs, strays = self._take(waits, bytes_max) if ahead is None else ahead.result()
        if sum(map(len, runs.values())) >= len(self._messages) // 2:
            self._ahead = self._taker.submit(self._take, 0, bytes_max)
        return Taken(runs, strays if stray is None else [*strays, stray])

    def _take(self, milliseconds: int, bytes_max: int) -> Taken:
        taken = self._fill(1, milliseconds, bytes_max)
        messages, heads = self._messages[:taken], Heads._make(column[:taken] for column in self._heads)
        try:
            return Taken(self._runs(messages, heads) if taken else {}, self._failures(heads))
        finally:
            pointers.release(self._functions, messages)

    def _fill(self, most: int, milliseconds: int, bytes_max: int) -> int:
        """Take the first, at most `most`, messages and look at their heads; then what else there is. How many there are."""
        taken, size, room = 0, 0, len(self._messages)
        while taken < room and size < bytes_max:
            at = self._messages.ctypes.data + self._messages.itemsize * taken
            came = max(0, int(self._library.rd_kafka_consume_batch_queue(self._queue, milliseconds, at, most)))
            new = slice(taken, taken + came)
            pointers.read_heads(self._functions, self._messages[new], self._spare, Heads._make(c[new] for c in self._heads))
            size += int(self._heads.value_bytes[new].sum())
            taken += came
            if came < most:
                break
            most, milliseconds = min(PORTION, room - taken), 0
        return taken

    def _failures(self, heads: Heads) -> list[Failure]:
        places = np.flatnonzero(heads.error).tolist()
        return [Failure(self._shard(heads, place), int(heads.error[place]), int(heads.offset[place])) for place in places]

    def _shard(self, heads: Heads, place: int) -> Shard:
        topic = int(heads.topic[place])
        return Shard(self._library.rd_kafka_topic_name(topic).decode() if topic else "", int(heads.partition[place]))

    def _runs(self, messages: NDArray[np.int64], heads: Heads) -> dict[Shard, Run]:
        """The messages that are none of the errors, by shard, in the order of offsets."""
        breaks = (heads.topic[1:] != heads.topic[:-1]) | (heads.partition[1:] != heads.partition[:-1])
        begins = np.concatenate(([0], np.flatnonzero(breaks) + 1, [len(messages)]))
        places: dict[Shard, list[NDArray[np.int64]]] = {}
        for begin, end in zip(begins[:-1].tolist(), begins[1:].tolist(), strict=True):
            places.setdefault(self._shard(heads, begin), []).append(np.arange(begin, end))
        runs = {}
        for shard, parts in places.items():
            wanted = np.concatenate(parts)
            wanted = wanted[heads.error[wanted] == 0]
            if len(wanted):
                runs[shard] = self._run(shard, messages, heads, wanted)
        return runs

    def _run(self, shard: Shard, messages: NDArray[np.int64], heads: Heads, wanted: NDArray[np.int64]) -> Run:
        sizes = heads.value_bytes[wanted], heads.key_bytes[wanted], heads.headers_bytes[wanted]
        parts = Parts(*(np.empty(int(np.maximum(size, 0).sum()) + PADDING, np.uint8) for size in sizes))
        pointers.copy(self._functions, messages, heads, wanted, self._spare, parts)
        for part in parts:
            part[-PADDING:] = 0
        values, keys, headers = (Packed(part, size) for part, size in zip(parts, sizes, strict=True))
        offsets = heads.offset[wanted]
        first, last = int(offsets[0]), int(offsets[-1])
        whole: Sequence[int] = range(first, last + 1) if last - first + 1 == len(offsets) else offsets.tolist()
        ts_ns = np.maximum(heads.ms[wanted], 0) * 1_000_000
        return Run(shard, whole, ts_ns, keys, values, PackedHeaders(headers))

    def close(self) -> None:
        """Let go of the queue: before the consumer closes."""
        self._taker.shutdown()
        if self._queue:
            self._library.rd_kafka_queue_destroy(self._queue)
            self._queue = 0


def _library() -> Any:
    """The C interface of the very library that the client is linked with."""
    library = ctypes.CDLL(cimpl.__file__)
    for name, result, arguments in (
        ("name", ctypes.c_char_p, [_Address]),
        ("topic_name", ctypes.c_char_p, [_Address]),
        ("queue_new", _Address, [_Address]),
        ("queue_get_partition", _Address, [_Address, ctypes.c_char_p, ctypes.c_int32]),
        ("queue_forward", None, [_Address, _Address]),
        ("queue_destroy", None, [_Address]),
        ("consume_batch_queue", ctypes.c_ssize_t, [_Address, ctypes.c_int, _Address, ctypes.c_size_t]),
    ):
        function = getattr(library, f"rd_kafka_{name}")
        function.restype, function.argtypes = result, arguments
    return library
