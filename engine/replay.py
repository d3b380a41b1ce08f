"""Whole logs through every stage, and what came of them.

`through_memory` needs no broker. `through_kafka` writes the same records to a broker's topics and lets the daemon's own
runner read them back; the alerts are the same to the byte, because a shard's outputs depend on its log alone.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import msgspec
import orjson

from engine.errors import Unreachable, UsageError
from engine.offline import Pipeline, run
from engine.ports import Assigned, MachineFactory, Place, Polled, Source, StepStats
from engine.records import Record, Shard, Topic, decode_action, decode_incident, encode

Logs = Mapping[Shard, Sequence[Record]]
"""Whole logs, each in offset order."""

_REASON = "foreshock.error.code"


class Results:
    """Collects what the stages publish. Alerts and dead letters are kept as messages, incidents and actions as their latest state."""

    def __init__(self) -> None:
        self.records = 0
        self._alerts: list[bytes] = []
        self._dead: list[bytes] = []
        self._incidents: dict[str, bytes] = {}
        self._actions: dict[str, bytes] = {}
        self._counts: Counter[str] = Counter()

    def tap(self, topic: Topic, record: Record) -> None:
        """One message that a stage published. A tombstone says nothing, but as a dead letter: then the input was one."""
        if topic is Topic.DEAD_LETTERS:
            self._dead.append(_dead_letter(record))
        elif record.value is None:
            return
        elif topic is Topic.ALERTS:
            self._alerts.append(record.value)
        elif topic is Topic.INCIDENTS:
            incident = decode_incident(record.value)
            self._incidents[incident.id] = encode(incident)
        elif topic is Topic.ACTIONS:
            action = decode_action(record.value)
            self._actions[action.id] = encode(action)

    def observe(self, stats: StepStats) -> None:
        """Add up what the stages counted."""
        for (metric, labels), amount in stats.counts.items():
            self._counts["|".join((metric, *labels))] += amount  # type: ignore[assignment]

    def files(self) -> dict[str, list[bytes]]:
        """File name → lines."""
        return {
            "alerts.jsonl": list(self._of_type("alert")),
            "changes.jsonl": list(self._of_type("change")),
            "incidents.jsonl": list(self._incidents.values()),
            "actions.jsonl": list(self._actions.values()),
            "dead-letters.jsonl": self._dead,
        }

    def count(self, name: str) -> int:
        """Lines of one of the files."""
        return len(self.files()[name])

    def statistics(self) -> dict[str, Any]:
        """Every counter of every stage, by metric name and label values."""
        return {"counters": {name: round(amount, 6) for name, amount in sorted(self._counts.items())}}

    def _of_type(self, kind: str) -> Iterator[bytes]:
        """Messages of one type in the order of their stamps: partitions interleave as they please, their contents do not."""
        mark = f'{{"type":"{kind}"'.encode()
        chosen = [value for value in self._alerts if value.startswith(mark)]
        return iter(sorted(chosen, key=_stamp))


class _Stamped(msgspec.Struct):
    stamp: tuple[str, int, int, int]


_STAMPED = msgspec.json.Decoder(_Stamped)


def _stamp(value: bytes) -> tuple[str, int, int, int]:
    return _STAMPED.decode(value).stamp


def _dead_letter(record: Record) -> bytes:
    headers = {name: raw.decode(errors="replace") for name, raw in record.headers}
    return orjson.dumps(
        {
            "reason": headers.get(_REASON, ""),
            "key": (record.key or b"").decode(errors="replace"),
            "value": (record.value or b"").decode(errors="replace"),
            "headers": headers,
        }
    )


def through_memory(factories: Mapping[str, MachineFactory], logs: Logs, topic_prefix: str) -> Results:
    """Every stage in this thread, no broker."""
    results = Results()
    pipeline = Pipeline(factories, tap=results.tap, observe=results.observe, topic_prefix=topic_prefix)
    results.records = run(pipeline, logs.values())
    return results


def refuse_half_a_log(shard: Shard, first_offset: int) -> None:
    """Raises UsageError when a log that was just written does not begin at 0: a part of it would give other alerts."""
    if first_offset > 0:
        raise UsageError(
            f"the broker has dropped the first {first_offset:,} records of {shard}: it is too small for this",
            "Give the address of a Kafka broker instead, or leave --kafka out.",
        )


class Bounded:
    """A source that ends where it was told to, so that a daemon's runner stops there as it does at the end of a file."""

    def __init__(self, source: Source, ends: Mapping[Shard, int]) -> None:
        self._source = source
        self._left = {shard for shard, end in ends.items() if end > 0}
        self._ends = ends

    def poll(self, timeout_seconds: float) -> Polled:
        """As the source's, with `ended` once every shard has given its last record. Raises UsageError for a log without its first."""
        polled = self._source.poll(timeout_seconds)
        for event in polled.events:
            if isinstance(event, Assigned):
                refuse_half_a_log(event.shard, event.low)
        for shard, records in polled.records.items():
            if records and records[-1].offset + 1 >= self._ends.get(shard, 0):
                self._left.discard(shard)
        return polled._replace(ended=not self._left)

    def seek(self, shard: Shard, offset: int) -> None:
        self._source.seek(shard, offset)

    def commit(self, places: Mapping[Shard, Place]) -> Mapping[Shard, Unreachable]:
        return self._source.commit(places)

    def pause(self, shard: Shard) -> None:
        self._source.pause(shard)

    def resume(self, shard: Shard) -> None:
        self._source.resume(shard)

    def lag(self, shard: Shard) -> int:
        return self._source.lag(shard)

    def close(self) -> None:
        self._source.close()
