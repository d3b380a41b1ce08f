"""Turns decisions into messages: stamps them, chains the audit, and keeps what a stranger's consumer needs.

Keys and headers are UTF-8 text and never null: Event-Driven Ansible's Kafka source decodes both without asking.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import msgspec

from engine.metrics import Metric
from engine.ports import StepResult, StepStats
from engine.records import Action, Audit, Output, Record, Shard, Stamp, Topic, digest, encode

ENGINE = "foreshock"
DETAIL_CHARACTERS_MAX = 200
_JSON = ("content-type", b"application/json")


class Writer:
    """The outputs of one step. `turn_to` names the record that causes what follows; `audit` is the chain so far."""

    def __init__(self, shard: Shard, audit: str) -> None:
        self._shard = shard
        self._offset = -1
        self._seq = 0
        self._outputs: list[Output] = []
        self.stats = StepStats()
        self.audit = audit

    def turn_to(self, record: Record) -> None:
        """What is written from here on was caused by this record."""
        self._offset = record.offset
        self._seq = 0

    def result(self) -> StepResult:
        """Everything written, in order."""
        return StepResult(self._outputs, self.stats)

    def action(self, action: Action) -> None:
        """Write an action; its stamp is set here."""
        stamped = msgspec.structs.replace(action, stamp=self._stamp())
        headers = (
            _JSON,
            ("foreshock-state", str(action.state).encode()),
            ("foreshock-mode", action.mode.encode()),
            ("foreshock-action", action.action.encode()),
            ("foreshock-incident", action.incident_id.encode()),
        )
        self._outputs.append(Output(Topic.ACTIONS, action.target.encode(), encode(stamped), action.ts_ns, headers))
        self.stats.count(Metric.ACTIONS, 1, str(action.state), action.reason)

    def note(self, ts_ns: int, actor: str, verb: str, object: str, reason: str, details: Mapping[str, str]) -> None:
        """Append to the audit. All of one writer's records share a key, so they share a partition and a chain."""
        record = Audit(
            ts_ns=ts_ns,
            actor=actor[:DETAIL_CHARACTERS_MAX],
            verb=verb,
            object=object[:DETAIL_CHARACTERS_MAX],
            reason=reason,
            details={name: text[:DETAIL_CHARACTERS_MAX] for name, text in details.items()},
            previous=self.audit,
            stamp=self._stamp(),
        )
        value = encode(record)
        self.audit = digest(value)
        self._outputs.append(Output(Topic.AUDIT, f"respond/{self._shard}".encode(), value, ts_ns, (_JSON,)))

    def dead_letter(self, record: Record, reason: str, detail: str) -> None:
        """The record as it came, with why it was refused in headers that Kafka Connect's tools know."""
        stamp = self._stamp()
        headers = (
            *record.headers,
            ("__connect.errors.topic", record.topic.encode()),
            ("__connect.errors.partition", str(record.partition).encode()),
            ("__connect.errors.offset", str(record.offset).encode()),
            ("__connect.errors.stage", b"respond"),
            ("__connect.errors.exception.message", detail[:DETAIL_CHARACTERS_MAX].encode()),
            ("foreshock.error.code", reason.encode()),
            ("foreshock.stamp", f"{stamp.topic}/{stamp.partition}/{stamp.offset}/{stamp.seq}".encode()),
        )
        self._outputs.append(Output(Topic.DEAD_LETTERS, record.key or b"", record.value, record.ts_ns, headers))
        self.stats.count(Metric.RECORDS_REJECTED, 1, record.topic, reason)
        self.stats.count(Metric.DEAD_LETTERS, 1, record.topic, reason)

    def _stamp(self) -> Stamp:
        seq = self._seq
        self._seq += 1
        return Stamp(self._shard.topic, self._shard.partition, self._offset, seq)


def broken_link(values: Iterable[bytes], previous: str = "") -> int | None:
    """Where an audit chain breaks: the index of the first record that does not name the one before it. None: it holds.

    `values` are the payloads of one key of the audit topic, in order; `previous` is the digest before the first of them.
    """
    for index, value in enumerate(values):
        if msgspec.json.decode(value, type=Audit).previous != previous:
            return index
        previous = digest(value)
    return None
