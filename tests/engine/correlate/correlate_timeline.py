"""A timeline of what a detect stage would say, in minutes, and what the correlate stage makes of it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

from engine.config.slo import Slo
from engine.config.tree import Correlate
from engine.correlate.stage import CorrelateMachine
from engine.records import (
    Alert,
    AlertsMessage,
    AlertState,
    AnomalyKind,
    Change,
    Control,
    Edge,
    Incident,
    ModelRef,
    Output,
    Record,
    Shard,
    Signal,
    Stamp,
    Tally,
    Topic,
    Watermark,
    decode_incident,
    encode,
)

SHARD = Shard("foreshock.alerts", 0)
START = 1_772_672_400  # 2026-03-05T01:00:00Z
NS = 1_000_000_000
MODEL = ModelRef(kernel_id="k", config_id="c")


def at(minutes: float) -> int:
    """Nanoseconds of a minute of the timeline."""
    return int((START + 60 * minutes) * NS)


@dataclass
class Timeline:
    """Messages of any number of sources, in the order in which they were said."""

    messages: list[AlertsMessage] = field(default_factory=list)
    _offsets: dict[str, int] = field(default_factory=dict)

    def _stamp(self, source: str) -> Stamp:
        offset = self._offsets[source] = self._offsets.get(source, -1) + 1
        return Stamp(source, 0, offset, 0)

    def alert(self, minute: float, series: str, state: str = "firing", *, source: str = "metrics", **more: Any) -> Timeline:
        """One message of the alert of `series` (`entity:metric`)."""
        entity, _, name = series.partition(":")
        onset = at(more.pop("onset", minute)) if state == "firing" else at(minute)
        about: dict[str, Any] = {
            "id": more.pop("id", f"alert-{series}"),
            "fingerprint": f"print-{series}",
            "series": f'{name}{{service="{entity}"}}',
            "name": name,
            "labels": {"service": entity},
            "entity": entity,
            "domain": "default",
            "tenant": "default",
            "signal": Signal.METRIC,
            "kind": AnomalyKind.LEVEL_UP,
            "direction": 1,
            "score": 2.0,
            "peak_score": more.get("score", 2.0),
            "value": 4.0,
            "expected": 1.0,
            "lower": 0.5,
            "upper": 1.5,
            "deviation": 12.0,
            "step_seconds": 60.0,
            **more,
        }
        stamp = self._stamp(source)
        self.messages.append(
            Alert(
                state=AlertState(state),
                revision=1,
                onset_ts_ns=onset,
                opened_ts_ns=at(minute),
                ts_ns=at(minute),
                model=MODEL,
                stamp=stamp,
                **about,
            )
        )
        return self

    def fires(self, minute: float, *series: str, **more: Any) -> Timeline:
        for one in series:
            self.alert(minute, one, **more)
        return self

    def recovers(self, minute: float, *series: str, **more: Any) -> Timeline:
        for one in series:
            self.alert(minute, one, "resolved", **more)
        return self

    def event(self, minute: float, entity: str, name: str, *, is_change: bool = True, severity: int = 9, **more: str) -> Timeline:
        stamp = self._stamp("events")
        self.messages.append(
            Change(
                id=f"{name}-{entity}-{minute}",
                ts_ns=at(minute),
                name=name,
                entity=entity,
                domain="default",
                tenant="default",
                is_change=is_change,
                severity=severity,
                text=f"{name} of {entity}",
                attributes=more,
                stamp=stamp,
            )
        )
        return self

    def edge(self, minute: float, caller: str, callee: str, kind: str = "calls") -> Timeline:
        self.messages.append(Edge(caller=caller, callee=callee, kind=kind, ts_ns=at(minute), stamp=self._stamp("metrics")))
        return self

    def counts(self, minute: int, slo: str, bad: float, total: float, *, source: str = "metrics", **more: Any) -> Timeline:
        """What one source counted in a minute of the timeline."""
        stamp = self._stamp(source)
        self.messages.append(
            Tally(slo=slo, bucket_ns=at(minute), ts_ns=at(minute + 1), bad=bad, total=total, stamp=stamp, **more)
        )
        return self

    def passes(self, minute: float, *sources: str, final: bool = False, active: int = 0) -> Timeline:
        """Time passes: each of the sources says that it is complete up to here, and how many series it watches."""
        for source in sources or ("metrics",):
            mark = Watermark(source=f"{source}-0", ts_ns=at(minute), stamp=self._stamp(source), active=active, final=final)
            self.messages.append(mark)
        return self

    def says(self, minute: float, verb: str, about: str, *, expires: float | None = None, **details: str) -> Timeline:
        self.messages.append(
            Control(
                ts_ns=at(minute),
                actor="alice",
                verb=verb,
                object=about,
                reason="known",
                expires_ts_ns=at(expires) if expires is not None else 0,
                details=details,
            )
        )
        return self


def records(messages: Iterable[AlertsMessage], first: int = 0) -> list[Record]:
    """Messages as the alerts topic holds them."""
    return [Record(SHARD.topic, 0, first + n, 0, b"default", encode(m)) for n, m in enumerate(messages)]


def machine(slos: Sequence[Slo] = (), **config: Any) -> CorrelateMachine:
    return CorrelateMachine(SHARD, config=Correlate(**config), slos=slos)


def run(timeline: Timeline, *, cuts: Sequence[int] = (), finish: bool = False, **config: Any) -> list[Incident]:
    """All revisions of all incidents, with the log cut into batches at `cuts`."""
    return incidents(outputs(records(timeline.messages), cuts=cuts, finish=finish, **config))


def outputs(log: Sequence[Record], *, cuts: Sequence[int] = (), finish: bool = False, **config: Any) -> list[Output]:
    stage = machine(**config)
    edges = [0, *sorted(cuts), len(log)]
    out = [o for a, b in pairwise(edges) for o in stage.step(log[a:b]).outputs]
    return out + (stage.finish().outputs if finish else [])


def incidents(out: Iterable[Output]) -> list[Incident]:
    return [decode_incident(o.value or b"") for o in out if o.topic is Topic.INCIDENTS]
