"""A Kafka broker inside this process: librdkafka's mock cluster, over real TCP and the real protocol.

For the demo, the tests and a laptop. What it cannot do (measured on librdkafka 2.16): it keeps at most 5 MiB and 100,000
batches of a partition and drops the oldest in silence; it compacts nothing, fences nobody, hides no aborted transaction,
answers no admin request and no search by time; it never wakes a waiting fetch, so clients should wait briefly
(`fetch.wait.max.ms` 10). Its data die with it. Several processes may use it.

The C functions are exported by the shared library in the confluent-kafka wheel and are declared experimental there; this
is the only file that knows them.

    python -m connectors.broker.embedded --topics metrics:4,logs:2      # prints its address, lives until stdin closes
"""

from __future__ import annotations

import argparse
import ctypes
import sys
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import confluent_kafka

from engine.errors import Unreachable, UsageError

CLIENT: Mapping[str, str | int] = {"session.timeout.ms": 3000, "heartbeat.interval.ms": 500, "fetch.wait.max.ms": 10}
"""Client settings that suit this broker: a rebalance takes it as long as a session may be silent."""

_PRODUCER = 0  # RD_KAFKA_PRODUCER: the handle that owns the cluster
_POINTER, _TEXT, _INT, _INT32 = ctypes.c_void_p, ctypes.c_char_p, ctypes.c_int, ctypes.c_int32
_ERROR_BYTES = 512

_SIGNATURES: Mapping[str, tuple[Any, tuple[Any, ...]]] = {
    "rd_kafka_conf_new": (_POINTER, ()),
    "rd_kafka_conf_set": (_INT, (_POINTER, _TEXT, _TEXT, _TEXT, ctypes.c_size_t)),
    "rd_kafka_new": (_POINTER, (_INT, _POINTER, _TEXT, ctypes.c_size_t)),
    "rd_kafka_destroy": (None, (_POINTER,)),
    "rd_kafka_err2str": (_TEXT, (_INT,)),
    "rd_kafka_mock_cluster_new": (_POINTER, (_POINTER, _INT)),
    "rd_kafka_mock_cluster_destroy": (None, (_POINTER,)),
    "rd_kafka_mock_cluster_bootstraps": (_TEXT, (_POINTER,)),
    "rd_kafka_mock_group_initial_rebalance_delay_ms": (None, (_POINTER, _INT32)),
    "rd_kafka_mock_topic_create": (_INT, (_POINTER, _TEXT, _INT, _INT)),
    "rd_kafka_mock_partition_delete_records": (_INT, (_POINTER, _TEXT, _INT32, ctypes.c_int64)),
    "rd_kafka_mock_broker_set_down": (_INT, (_POINTER, _INT32)),
    "rd_kafka_mock_broker_set_up": (_INT, (_POINTER, _INT32)),
}


@cache
def _library() -> ctypes.CDLL:
    """The very librdkafka that the Python client is linked to."""
    package = Path(confluent_kafka.__file__).parent
    bundled = [
        *(package.parent / "confluent_kafka.libs").glob("librdkafka*.so*"),
        *(package / ".dylibs").glob("librdkafka*.dylib"),
    ]
    try:
        library = ctypes.CDLL(str(bundled[0]) if bundled else "librdkafka.so.1")
        for name, (result, arguments) in _SIGNATURES.items():
            function = getattr(library, name)
            function.restype = result
            function.argtypes = list(arguments)
    except (OSError, AttributeError) as error:
        raise Unreachable(
            f"this build of librdkafka has no mock cluster: {error}", "Give the address of a real Kafka broker instead."
        ) from error
    return library


class EmbeddedBroker:
    """One broker on 127.0.0.1 at a free port, alive until `close`. `bootstrap` is its address."""

    bootstrap: str

    def __init__(self) -> None:
        self._library = _library()
        self._cluster: int | None = None
        error = ctypes.create_string_buffer(_ERROR_BYTES)
        settings = self._library.rd_kafka_conf_new()
        # The owning handle itself never connects anywhere; without an address it would log a complaint.
        for name, value in ((b"bootstrap.servers", b"127.0.0.1:1"), (b"log_level", b"0")):
            self._library.rd_kafka_conf_set(settings, name, value, error, _ERROR_BYTES)
        self._owner = self._library.rd_kafka_new(_PRODUCER, settings, error, _ERROR_BYTES)
        if not self._owner:
            raise Unreachable(f"the embedded broker does not start: {error.value.decode()}")
        self._cluster = self._library.rd_kafka_mock_cluster_new(self._owner, 1)
        if not self._cluster:
            self._library.rd_kafka_destroy(self._owner)
            raise Unreachable("the embedded broker does not start", "Is a port on 127.0.0.1 free?")
        self._library.rd_kafka_mock_group_initial_rebalance_delay_ms(self._cluster, 0)
        self.bootstrap = self._library.rd_kafka_mock_cluster_bootstraps(self._cluster).decode()

    def create_topic(self, name: str, partitions: int = 1) -> None:
        """Raises UsageError when there is such a topic already, or the name or number will not do."""
        self._check(self._library.rd_kafka_mock_topic_create(self._alive(), name.encode(), partitions, 1), f"topic {name}")

    def delete_records(self, topic: str, partition: int, before: int) -> None:
        """Move a partition's low watermark up to `before`, as retention would."""
        code = self._library.rd_kafka_mock_partition_delete_records(self._alive(), topic.encode(), partition, before)
        self._check(code, f"records of {topic}-{partition}")

    def set_reachable(self, *, reachable: bool) -> None:
        """Take the broker off the network and back; what it holds stays."""
        switch = self._library.rd_kafka_mock_broker_set_up if reachable else self._library.rd_kafka_mock_broker_set_down
        self._check(switch(self._alive(), 1), "broker 1")

    def close(self) -> None:
        """End it, with everything it holds. Closing twice is allowed."""
        if self._cluster is not None:
            self._library.rd_kafka_mock_cluster_destroy(self._cluster)
            self._library.rd_kafka_destroy(self._owner)
            self._cluster = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def _alive(self) -> int:
        if self._cluster is None:
            raise UsageError("the embedded broker is closed")
        return self._cluster

    def _check(self, code: int, what: str) -> None:
        if code:
            raise UsageError(f"{what}: {self._library.rd_kafka_err2str(code).decode()}")


def _topics(text: str) -> dict[str, int]:
    """`a:4,b` as {a: 4, b: 1}."""
    topics = {}
    for part in filter(None, text.split(",")):
        name, _, partitions = part.partition(":")
        topics[name] = int(partitions or 1)
    return topics


def main(arguments: list[str] | None = None) -> int:
    """Serve until standard input closes: a parent process owns the pipe, so no broker outlives it."""
    parser = argparse.ArgumentParser(prog="python -m connectors.broker.embedded", description="Kafka in memory, for a laptop.")
    parser.add_argument("--topics", type=_topics, default={}, help="NAME:PARTITIONS,...")
    options = parser.parse_args(arguments)
    with EmbeddedBroker() as broker:
        for name, partitions in options.topics.items():
            broker.create_topic(name, partitions)
        sys.stdout.write(f"{broker.bootstrap}\n")
        sys.stdout.flush()
        sys.stdin.read()
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
