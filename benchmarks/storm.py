"""The correlate stage under load: many open alerts, a storm of new ones, hints over many series.

    python -m benchmarks storm

* `steady`: 10,000 alerts are open, 1,000 a second come and go, on 500 services of 20 teams. Records are stepped ten at a time, as they come in a
  hundredth of a second. A detect stage says its watermark once a second or every 1,000 records of its topic, whichever comes first: shown are ten a second,
  as a topic with so many alerts has at least, and one; with it what waited is released, so the longest steps are those.
* `storm`: 100,000 alerts begin within a minute. All must be counted, and what is kept of them must stay within its limits.
* `hints`: from an incident's symptoms to its ranked hints, by number of series that show something.
"""

from __future__ import annotations

import argparse
import resource
import time
from collections.abc import Iterator, Sequence
from itertools import islice
from statistics import median

import numpy as np

from benchmarks.report import machine
from engine.config.tree import Correlate
from engine.correlate.causes import Symptom, rank
from engine.correlate.families import Family
from engine.correlate.stage import CorrelateMachine
from engine.correlate.topology import Topology
from engine.process import spare_collector
from engine.records import (
    Alert,
    AlertState,
    AnomalyKind,
    ModelRef,
    Output,
    Record,
    Shard,
    Signal,
    Stamp,
    Topic,
    Watermark,
    decode_incident,
    encode,
)

SERVICES = 500
TEAMS = 20
OPEN = 10_000
A_SECOND = 1_000
STORM = 100_000
EACH = 10
"""Records a step."""
_SHARD = Shard("foreshock.alerts", 0)
_MODEL = ModelRef(kernel_id="k", config_id="c")
_START_NS = 1_772_672_400 * 1_000_000_000
_NS = 1_000_000_000
_METRICS = ("latency_p95", "errors_total", "cpu_seconds", "memory_bytes", "queue_length")


def run(*, quick: bool, options: list[str]) -> dict[str, object]:
    """Times of steps, what a storm leaves behind, times of hints. `quick` is a tenth of it."""
    argparse.ArgumentParser(prog="python -m benchmarks storm", description=__doc__).parse_args(options)
    share = 10 if quick else 1
    if not quick:
        spare_collector()  # as the daemon does
    return {
        "steady": {f"{marks} watermarks a second": steady(OPEN // share, 3 if quick else 60, marks) for marks in (10, 1)},
        "storm": storm(STORM // share),
        "hints_ms": {f"{count} series": hints(count) for count in (100, 500, 1_000)},
        "machine": machine(),
    }


# ------------------------------------------------------------------------------------------------------ load
class Source:
    """Says what a detect stage would say, as records of the alerts topic."""

    def __init__(self) -> None:
        self._offset = -1

    def _record(self, message: Alert | Watermark) -> Record:
        return Record(_SHARD.topic, 0, self._offset, 0, b"", encode(message))

    def _stamp(self) -> Stamp:
        self._offset += 1
        return Stamp("metrics", 0, self._offset, 0)

    def alert(self, number: int, seconds: float, *, resolved: bool = False) -> Record:
        """A message of alert `number`: its service and metric follow from the number."""
        place, name = number * 7 % SERVICES, _METRICS[number % len(_METRICS)]
        service, team = f"service-{place}", f"team-{place % TEAMS}"
        ts_ns = _START_NS + int(seconds * _NS)
        return self._record(
            Alert(
                id=f"alert-{number}",
                fingerprint=f"print-{number}",
                state=AlertState.RESOLVED if resolved else AlertState.FIRING,
                revision=1 + resolved,
                series=f'{name}{{service="{service}",pod="{number}"}}',
                name=name,
                labels={"service": service, "pod": str(number)},
                entity=service,
                domain=team,
                tenant="default",
                signal=Signal.METRIC,
                kind=AnomalyKind.LEVEL_UP,
                direction=1,
                onset_ts_ns=ts_ns,
                opened_ts_ns=ts_ns,
                ts_ns=ts_ns,
                score=1.5,
                peak_score=1.5,
                value=4.0,
                expected=1.0,
                lower=0.5,
                upper=1.5,
                deviation=5.0 + number % 40,
                step_seconds=15.0,
                model=_MODEL,
                stamp=self._stamp(),
            )
        )

    def passes(self, seconds: float) -> Record:
        """Nothing older than this comes any more."""
        return self._record(Watermark(source="metrics-0", ts_ns=_START_NS + int(seconds * _NS), stamp=self._stamp()))


def new_machine() -> CorrelateMachine:
    """One as shipped. Every service but a team's first is called by an earlier one of the team."""
    rng = np.random.default_rng(5)
    callers = [TEAMS * int(rng.integers(k // TEAMS)) + k % TEAMS for k in range(TEAMS, SERVICES)]
    calls = [(f"service-{caller}", f"service-{k}") for k, caller in enumerate(callers, TEAMS)]
    return CorrelateMachine(_SHARD, config=Correlate(topology=calls))


def _records(source: Source, live: int, seconds: int, marks: int) -> Iterator[Record]:
    """What comes in some seconds: half new alerts, half ends of the oldest; and watermarks."""
    each = A_SECOND // marks
    for k in range(seconds * A_SECOND // 2):
        at = 600.0 + 2 * k / A_SECOND
        yield source.alert(live + k, at)
        yield source.alert(k, at, resolved=True)
        if 2 * (k + 1) % each == 0:
            yield source.passes(at)


def steady(live: int, seconds: int, marks: int) -> dict[str, object]:
    """Milliseconds of a step while `live` alerts are open."""
    source, stage = Source(), new_machine()
    began = time.thread_time()
    stage.step([source.alert(n, 590.0 * n / live) for n in range(live)] + [source.passes(595.0)])
    filled = time.thread_time() - began
    taken, told = [], 0
    coming = _records(source, live, seconds, marks)
    while records := list(islice(coming, EACH)):
        began = time.thread_time()
        outputs = stage.step(records).outputs
        taken.append(1e3 * (time.thread_time() - began))
        told += len(outputs)
    low, high, most = np.percentile(taken, (50, 99, 100)).round(3).tolist()
    return {
        "open_alerts": live,
        "us_an_alert_to_fill": round(1e6 * filled / live, 1),
        "step_ms": {"median": low, "p99": high, "longest": most},
        "of_a_second_busy": round(sum(taken) / 1e3 / seconds, 3),
        "incidents_told_a_second": round(told / seconds, 1),
    }


def storm(count: int) -> dict[str, object]:
    """A minute in which `count` alerts begin."""
    source, stage = Source(), new_machine()
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    outputs: list[Output] = []
    began = time.thread_time()
    for second in range(60):
        first, last = second * count // 60, (second + 1) * count // 60
        outputs += stage.step([source.alert(n, second + (n - first) / (last - first)) for n in range(first, last)]).outputs
        outputs += stage.step([source.passes(float(second))]).outputs
    for second in range(60, 300, 10):
        outputs += stage.step([source.passes(float(second))]).outputs
    took = time.thread_time() - began
    last_told = {i.id: i for i in (decode_incident(o.value or b"") for o in outputs if o.topic is Topic.INCIDENTS)}
    live = [i for i in last_told.values() if not i.merged_into]
    return {
        "alerts": count,
        "counted": sum(i.alerts_total for i in live),
        "incidents": len(live),
        "members_kept": sum(len(i.members) for i in live),
        "messages": len(outputs),
        "seconds": round(took, 2),
        "us_an_alert": round(1e6 * took / count, 1),
        "more_memory_mb": round((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024, 1),
    }


def hints(count: int) -> float:
    """Milliseconds to rank the causes of an incident in which `count` series of a hundred services show something."""
    rng = np.random.default_rng(count)
    names = [f"service-{k}" for k in range(100)]
    topology = Topology([(names[int(rng.integers(max(0, k - 6), k))], names[k]) for k in range(1, len(names))])
    shown = [_symptom(rng, names, k) for k in range(count)]
    taken = []
    for _ in range(7):
        began = time.thread_time()
        rank(shown, (), topology)
        taken.append(1e3 * (time.thread_time() - began))
    return round(median(taken), 2)


def _symptom(rng: np.random.Generator, names: Sequence[str], number: int) -> Symptom:
    family = (Family.LATENCY, Family.ERRORS, Family.CPU, Family.MEMORY, Family.LOAD)[number % 5]
    onset_ns = _START_NS + int(rng.integers(600)) * _NS
    strength = float(rng.lognormal(2.0, 1.0))
    return Symptom(names[number % len(names)], f"{family}_{number}", family, strength, 1, onset_ns, 15.0, f"series {number} rose")
