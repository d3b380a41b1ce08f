"""Who needs whom, as telemetry tells it: edges for the correlate stage, told at ticks.

Edges come from three places: spans that called each other, what codecs read of service graphs, and the labels of series when they
are new. The last costs nothing for each sample, and works for every format:

    traces_service_graph_*{client,server}                    client calls server
    istio_*{source_workload,destination_workload}            source calls destination
    kube_pod_owner{pod,owner_kind,owner_name}                the owner's workload owns the pod
    any series with a pod and a node                         the pod runs on the node
    any series of another entity that has a pod              the entity owns the pod

Each edge is told once, and again every few minutes while it is seen, so that a correlate stage that starts anew learns it too.
"""

from __future__ import annotations

from collections.abc import Container, Sequence
from typing import Final, NamedTuple

import msgspec
import numpy as np

from engine.detect.drafts import Drafts, Moment
from engine.errors import StateError
from engine.metrics import Metric
from engine.ports import Columns, StepStats
from engine.records import Dependency, Edge, Series
from engine.workloads import workload_of

CALLS: Final = "calls"
RUNS_ON: Final = "runs_on"
OWNS: Final = "owns"
KINDS: Final = frozenset({CALLS, RUNS_ON, OWNS})
EDGES_MAX: Final = 10_000
"""Edges of one shard; when full, new ones are refused and counted."""
NAME_MAX: Final = 200
REFRESH_NS: Final = 300_000_000_000
FORGET_NS: Final = 86_400_000_000_000
"""An edge that was not seen for this long gives its place back."""
_GRAPHS: Final = {
    "traces_service_graph_": ("client", "server"),
    "istio_": ("source_workload", "destination_workload"),
}
_PODS: Final = ("k8s.pod.name", "pod", "kubernetes.pod.name")
_NODES: Final = ("k8s.node.name", "node", "kubernetes.node.name")
_NOBODY: Final = frozenset({"", "unknown", "<none>"})
_OWNER: Final = "kube_pod_owner"

Place = tuple[str, str, str]
"""Caller, callee, kind."""


class Seen(msgspec.Struct, array_like=True):
    """When an edge was last seen and told. `key`: of the series that it was read of."""

    seen_ns: int
    told_ns: int = 0
    key: str = ""


class Row(NamedTuple):
    """One edge as it is saved."""

    place: Place
    seen: Seen


class Dependencies:
    """The edges of one shard."""

    def __init__(self, domain: str) -> None:
        self._domain = domain
        self._edges: dict[Place, Seen] = {}

    def __len__(self) -> int:
        return len(self._edges)

    def see(self, place: Place, ts_ns: int, stats: StepStats, key: str = "") -> None:
        """An edge is there at this time. Names that say nothing, and edges to oneself, are passed over."""
        known = self._edges.get(place)
        if known is not None:
            known.seen_ns = max(known.seen_ns, ts_ns)
            return
        caller, callee, kind = place
        if caller in _NOBODY or callee in _NOBODY or caller == callee or kind not in KINDS:
            return
        if len(caller) > NAME_MAX or len(callee) > NAME_MAX or len(self._edges) >= EDGES_MAX:
            stats.count(Metric.LIMITS_REACHED, 1, "edges_max")
            return
        self._edges[place] = Seen(ts_ns, 0, key)

    def take(self, found: Sequence[Dependency], stats: StepStats) -> None:
        """What codecs read."""
        for part in found:
            self.see((part.caller, part.callee, part.kind), part.ts_ns, stats)

    def described(self, series: Series, stats: StepStats) -> None:
        """A series is new: what its labels say of who needs whom."""
        for place in edges_of(series):
            self.see(place, 0, stats, series.key.decode())

    def tick(self, at: Moment, watched: Container[bytes], drafts: Drafts) -> None:
        """Tell the new edges, and again those that are still seen. `watched` holds the keys of series that are there."""
        now_ns = at.told_ns
        gone = []
        for place, edge in self._edges.items():
            if edge.told_ns and edge.told_ns > now_ns - REFRESH_NS:
                continue
            if edge.key and edge.key.encode() in watched:
                edge.seen_ns = now_ns
            if edge.told_ns and edge.seen_ns <= edge.told_ns:
                if edge.seen_ns < now_ns - FORGET_NS:
                    gone.append(place)
                continue
            ts_ns = edge.told_ns = max(edge.seen_ns, now_ns)
            caller, callee, kind = place
            drafts.add(at, Edge(caller=caller, callee=callee, kind=kind, ts_ns=ts_ns, domain=self._domain, stamp=at.stamp()))
        for place in gone:
            del self._edges[place]

    # ------------------------------------------------------------------------------------------ snapshots
    def snapshot(self) -> Columns:
        rows = [Row(*item) for item in self._edges.items()]
        return {"edges": np.frombuffer(msgspec.msgpack.encode(rows), np.uint8).copy()}

    def restore(self, columns: Columns) -> None:
        """Raises StateError."""
        try:
            rows = msgspec.msgpack.decode(columns["edges"].tobytes(), type=list[Row])
        except msgspec.DecodeError as error:
            raise StateError("the edges cannot be read back") from error
        self._edges = dict(rows)


def edges_of(series: Series) -> list[Place]:
    """What the name and labels of a series say of who needs whom."""
    labels = dict(series.labels)
    for head, (caller, callee) in _GRAPHS.items():
        if series.name.startswith(head):
            return [(labels.get(caller, ""), labels.get(callee, ""), CALLS)]
    pod = _first(labels, _PODS)
    if not pod:
        return []
    edges = [(pod, _first(labels, _NODES), RUNS_ON)]
    if series.name == _OWNER:
        edges.append((workload_of(labels.get("owner_name", ""), labels.get("owner_kind", "")), pod, OWNS))
    elif not series.name.startswith("kube_"):  # those belong to whoever exports them
        edges.append((series.entity, pod, OWNS))
    return edges


def _first(labels: dict[str, str], names: Sequence[str]) -> str:
    return next((labels[name] for name in names if labels.get(name)), "")
