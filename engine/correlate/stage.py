"""The correlate stage: one shard of the alerts topic in, incidents out. A pure function of its log.

    record ─▶ decode ─▶ repeat? ─▶ wait for the slowest source ─▶ in order of event time ─▶ book of incidents ─▶ revisions

Control messages act where they stand in the log; everything else waits (`reorder`).
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice
from pathlib import Path

import msgspec

from engine.config.slo import Slo
from engine.config.tree import Correlate
from engine.correlate import feedback
from engine.correlate.hints import explain
from engine.correlate.incidents import Book
from engine.correlate.leads import ahead, learn
from engine.correlate.objectives import Objectives
from engine.correlate.reorder import Reorder, Waiting
from engine.correlate.state import CorrelateState, LiveIncident
from engine.correlate.suppress import Suppression, windows_from
from engine.correlate.titles import title
from engine.correlate.topology import RUNS_ON, Topology, read_edges
from engine.correlate.unions import merged_from
from engine.errors import Reject, StateError
from engine.metrics import Metric
from engine.ports import Columns, Snapshot, StepResult, StepStats
from engine.records import (
    Alert,
    AlertsMessage,
    Change,
    Control,
    Edge,
    Incident,
    IncidentState,
    Output,
    Record,
    Shard,
    Stamp,
    Tally,
    Topic,
    Watermark,
    decode_alerts_message,
    encode,
)

_FORMAT = 2
_NS = 1_000_000_000
_SEVERITY_MAX = 24
_HEADER_MAX = 200
_AT_ONCE = 100
"""So many waiting messages leave with a watermark, or a fourth of all that wait,"""
_OF_WAITING = 4
_EACH = 8
"""and so many with each further record."""


class CorrelateMachine:
    """Implements ports.Machine for the alerts topic."""

    def __init__(self, shard: Shard, *, config: Correlate, slos: Sequence[Slo] = ()) -> None:
        self.shard = shard
        self._config = config
        self._slos = slos
        reorder = Reorder(int(config.source_timeout * _NS))
        self._become(CorrelateState(reorder, Suppression(windows=windows_from(config.maintenance))), {})

    def _become(self, state: CorrelateState, columns: Columns) -> None:
        config = self._config
        calls = [*config.topology, *(read_edges(Path(config.topology_file)) if config.topology_file else [])]
        topology = Topology(calls, config.runs_on, keep_ns=int(config.edges_keep * _NS))
        topology.recall(state.observed)
        state.observed = []
        book = Book(state, config, topology, self._speak)
        self._objectives = Objectives(self.shard, self._slos, book, columns, self._publish)
        self._book = book
        self._outputs: list[Output] = []

    # ------------------------------------------------------------------------------------------------ the contract
    def step(self, records: Sequence[Record]) -> StepResult:
        """Take the next records of the log."""
        for record in records:
            self._book.state.offset, self._book.state.seq = record.offset, 0
            if self._take(record):
                self._book.tell_growth()
        return self._result()

    def finish(self) -> StepResult:
        """Release everything that waits; what is due by the last event time happens."""
        state = self._book.state
        self._release(state.reorder.lead_ns + 1)
        while state.reorder.heap:
            self._release(state.reorder.heap[0].ts_ns + 1)
        self._book.tell_growth(hurry=True)
        return self._result()

    def snapshot(self) -> Snapshot:
        """The state as JSON-able values; only the counts of objectives are columns."""
        state = self._book.state
        state.observed = self._book.topology.observed()
        meta: dict[str, object] = {"format": _FORMAT, "state": msgspec.to_builtins(state)}
        state.observed = []
        return Snapshot(meta, self._objectives.snapshot())

    def restore(self, snapshot: Snapshot) -> None:
        """Become the machine that was saved. Windows of today's configuration replace those of the snapshot."""
        if snapshot.meta.get("format") != _FORMAT:
            raise StateError(f"a snapshot of the correlate stage has format {snapshot.meta.get('format')!r}, not {_FORMAT}")
        try:
            state = msgspec.convert(snapshot.meta["state"], CorrelateState)
        except (KeyError, msgspec.ValidationError) as error:
            raise StateError(f"a snapshot of the correlate stage does not fit: {error}") from error
        for window in windows_from(self._config.maintenance):
            state.suppression.announce(window)
        self._become(state, snapshot.columns)

    # ------------------------------------------------------------------------------------------------ one record
    def _take(self, record: Record) -> bool:
        """Whether it was news: what was taken before moves nothing."""
        try:
            message = decode_alerts_message(record.value or b"")
        except (msgspec.DecodeError, msgspec.ValidationError) as error:
            self._reject(record, str(error))
            return False
        if isinstance(message, Control):
            feedback.apply(message, self._book)
            return True
        if message.stamp.topic == self.shard.topic:  # what this stage said itself: it is in the book already
            return False
        if self._book.state.reorder.is_repeat(message.stamp):
            self._book.stats.count(Metric.DUPLICATES_DROPPED, 1, "correlate")
            return False
        self._wait(message)
        return True

    def _wait(self, message: AlertsMessage) -> None:
        reorder = self._book.state.reorder
        if isinstance(message, Watermark):
            reorder.promise(message)
            self._book.state.pause = 0
            self._release(reorder.complete_until(), max(_AT_ONCE, len(reorder.heap) // _OF_WAITING))
        elif isinstance(message, Alert | Change | Edge | Tally):
            if not reorder.hold(message):
                self._book.stats.count(Metric.LIMITS_REACHED, 1, "correlate_buffer")
                self._release(0)
            if reorder.due_ns:
                self._release(reorder.due_ns, _EACH)

    def _release(self, before_ns: int, most: int | None = None) -> None:
        """Let go of what is older than `before_ns`, at most so much now: the rest goes with the next records, so that none takes long."""
        reorder = self._book.state.reorder
        for message in islice(reorder.leave(before_ns), most):
            self._book.advance(message.ts_ns)
            self._act(message)
        if reorder.is_left(before_ns):
            reorder.due_ns = max(reorder.due_ns, before_ns)
            return
        if before_ns >= reorder.due_ns:
            reorder.due_ns = 0
        self._book.advance(before_ns - 1)

    def _act(self, message: Waiting) -> None:
        if isinstance(message, Alert):
            self._book.alert(message)
        elif isinstance(message, Tally):
            self._objectives.take(message)
        elif isinstance(message, Change):
            node = message.attributes.get("node", "")
            if node and message.entity and node != message.entity:
                self._learn(message.entity, node, RUNS_ON, message.ts_ns)
            self._book.event(message)
        else:
            self._learn(message.caller, message.callee, message.kind, message.ts_ns)

    def _learn(self, caller: str, callee: str, kind: str, ts_ns: int) -> None:
        if not self._book.edges.learn(caller, callee, kind, ts_ns):
            self._book.stats.count(Metric.LIMITS_REACHED, 1, "edges")

    # ------------------------------------------------------------------------------------------------ outputs
    def _speak(self, incident: LiveIncident) -> None:
        book = self._book
        book.twins.compare(incident, book.state.now_ns)
        incident.ahead = ahead(book.state.leads, incident, book.state.now_ns) if incident.firing else []
        explain(incident, book)
        self._objectives.hurt(incident)
        if incident.state is IncidentState.CLOSED:
            learn(book.state.leads, incident)
            if not book.twins.remember(incident, book.state.now_ns):
                book.stats.count(Metric.LIMITS_REACHED, 1, "kinds_max")
        message = self._public(incident)
        self._put(Topic.INCIDENTS, incident.id.encode(), encode(message), message.ts_ns)

    def _publish(self, alert: Alert) -> None:
        """Tell of an alert that this stage made itself."""
        self._book.stats.count(Metric.ALERTS, 1, str(alert.state))
        self._put(Topic.ALERTS, alert.domain.encode(), encode(alert), alert.ts_ns)

    def _put(
        self, topic: Topic, key: bytes, value: bytes | None, ts_ns: int, headers: tuple[tuple[str, bytes], ...] = ()
    ) -> None:
        self._outputs.append(Output(topic, key, value, ts_ns, headers))
        self._book.state.seq += 1

    def _public(self, incident: LiveIncident) -> Incident:
        state = self._book.state
        wide = len(incident.cluster.entities) > 2
        return Incident(
            id=incident.id,
            revision=incident.revision,
            state=incident.state,
            domain=incident.domain,
            tenant=incident.tenant,
            title=title(incident),
            severity=min(_SEVERITY_MAX, incident.severity + (4 if wide and incident.severity < 17 else 0)),
            started_ts_ns=incident.started_ns,
            opened_ts_ns=incident.opened_ns,
            ts_ns=state.now_ns,
            resolved_ts_ns=incident.resolved_ns,
            entities=list(incident.cluster.entities),
            members=[member.public() for member in incident.members.values()],
            alerts_total=incident.alerts_total,
            firing=incident.firing,
            unknown=incident.unknown,
            hints=incident.hints,
            abstained=incident.abstained,
            changes=sorted(incident.changes.values(), key=lambda c: (c.ts_ns, c.id)),
            impact=sorted(incident.impact.values(), key=lambda i: (-i.burn_rate, i.slo)),
            similar=incident.similar,
            ahead=incident.ahead,
            inhibited_by=incident.inhibited_by,
            holds_back=self._book.held_back(incident),
            merged_into=incident.merged_into,
            merged_from=merged_from(incident),
            reason=incident.reason,
            degraded_inputs=state.reorder.stalled(),
            stamp=Stamp(self.shard.topic, self.shard.partition, state.offset, state.seq),
        )

    def _reject(self, record: Record, why: str) -> None:
        reason = Reject.MALFORMED
        self._book.stats.count(Metric.RECORDS_REJECTED, 1, record.topic, reason)
        self._book.stats.count(Metric.DEAD_LETTERS, 1, record.topic, reason)
        headers = (
            *record.headers,
            ("__connect.errors.topic", record.topic.encode()),
            ("__connect.errors.partition", str(record.partition).encode()),
            ("__connect.errors.offset", str(record.offset).encode()),
            ("__connect.errors.stage", b"correlate"),
            ("__connect.errors.exception.message", why[:_HEADER_MAX].encode()),
            ("foreshock.error.code", str(reason).encode()),
        )
        self._put(Topic.DEAD_LETTERS, record.key or b"", record.value, record.ts_ns, headers)

    def _result(self) -> StepResult:
        book = self._book
        told = sum(bool(i.opened_ns) and i.state is not IncidentState.RESOLVED for i in book.state.incidents.values())
        book.stats.gauge(Metric.INCIDENTS_OPEN, told, str(self.shard))
        result = StepResult(self._outputs, book.stats)
        self._outputs, book.stats = [], StepStats()
        return result
