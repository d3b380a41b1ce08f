"""The only place that turns what was counted into Prometheus metrics, once a batch.

Metrics come from the table in `engine.metrics`, into a registry of our own: nothing else that runs in the process can add to
it, and tests can have as many as they like. Time series are remembered by their label values, so that a publish is a few
dictionary look-ups; each metric has a maximum of them.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeAlias

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector, disable_created_metrics

from engine.metrics import METRICS, About, Kind, Metric
from engine.ports import StepStats
from engine.records import Shard

CHILDREN_MAX = 10_000
"""Label combinations of one metric; what comes beyond is not counted, and that is counted."""

_Family: TypeAlias = Counter | Gauge | Histogram
_Put = Callable[[float], None]


class Telemetry:
    """All metrics of one process. `publish` may be called from any thread."""

    def __init__(self, *, version: str = "", kernel_id: str = "", process: bool = True) -> None:
        """`process` adds the process_* metrics (CPU, memory, open files) of this process."""
        disable_created_metrics()  # type: ignore[no-untyped-call]  # they would double the number of series and say nothing that resets do not
        self.registry = CollectorRegistry(auto_describe=True)
        self._families = {metric: _family(metric, about, self.registry) for metric, about in METRICS.items()}
        self._children: dict[Metric, dict[tuple[str, ...], _Put]] = {metric: {} for metric in METRICS}
        if process:
            ProcessCollector(registry=self.registry)
        for metric, about in METRICS.items():
            if not about.labels:
                self._child(metric, ())  # so that a rate can see the first increment
        if version:
            self._put(Metric.BUILD_INFO, (version, kernel_id), 1)

    def publish(self, stats: StepStats) -> None:
        """Add counters, set gauges and observe into histograms what one batch counted.

        A count of a histogram metric is one observation, so that a plain `count` suffices where there is one a batch.
        """
        for (metric, labels), amount in stats.counts.items():
            self._put(metric, labels, amount)
        for (metric, labels), value in stats.gauges.items():
            self._put(metric, labels, value)
        for metric, labels, value in stats.observations:
            self._put(metric, labels, value)

    def configuration_taken(self, *, ok: bool) -> None:
        """Say that a configuration was loaded (or refused, the old one staying in force)."""
        self._put(Metric.CONFIG_RELOAD_OK, (), 1.0 if ok else 0.0)
        if ok:
            self._put(Metric.CONFIG_RELOAD_TIME, (), time.time())

    def forget(self, shard: Shard) -> None:
        """Take back the gauges of a shard that left: the process that has it now reports them."""
        for metric, about in METRICS.items():
            if about.kind is not Kind.GAUGE or not {"shard", "partition"} & set(about.labels):
                continue
            for labels in [seen for seen in self._children[metric] if _of_shard(about, seen, shard)]:
                del self._children[metric][labels]
                self._families[metric].remove(*labels)

    def _put(self, metric: Metric, labels: tuple[str, ...], value: float) -> None:
        put = self._children[metric].get(labels) or self._child(metric, labels)
        if put is not None:
            put(value)

    def _child(self, metric: Metric, labels: tuple[str, ...]) -> _Put | None:
        children = self._children[metric]
        if len(children) >= CHILDREN_MAX:
            if metric is not Metric.LIMITS_REACHED:
                self._put(Metric.LIMITS_REACHED, ("metric_children",), 1)
            return None
        child = self._families[metric].labels(*labels) if labels else self._families[metric]
        put: _Put
        if isinstance(child, Counter):
            put = child.inc
        elif isinstance(child, Gauge):
            put = child.set
        else:
            put = child.observe
        children[labels] = put
        return put


def _family(metric: Metric, about: About, registry: CollectorRegistry) -> _Family:
    """One metric of the table. An info is a gauge that is always 1, as Prometheus' conventions have it."""
    if about.kind is Kind.COUNTER:
        return Counter(metric, about.help, about.labels, registry=registry)
    if about.kind is Kind.HISTOGRAM:
        return Histogram(metric, about.help, about.labels, registry=registry, buckets=about.buckets)
    return Gauge(metric, about.help, about.labels, registry=registry)


def _of_shard(about: About, values: tuple[str, ...], shard: Shard) -> bool:
    named = dict(zip(about.labels, values, strict=True))
    if "shard" in named:
        return named["shard"] == str(shard)
    return named.get("topic") == shard.topic and named.get("partition") == str(shard.partition)
