"""Faults on a continuous stream, and nobody says when: are they found, is the true entity first, how many incidents are about nothing?

    python -m benchmarks end_to_end [--data FOLDER | --quiet] [--days N] [--seed N]

FOLDER holds the fault cases of one system (see `fault_cases`) whose tables follow one another without a gap: they are put together again to the stream
that they were cut from. With `--quiet` 616 made-up KPIs are watched in which nothing happens: whatever is told is about nothing. Without either a made-up system of some six hundred series is watched for N days (see `fault_stream`). Every row is a record; all
stages of the daemon run over them in this process, as `foreshock replay` runs them, with the configuration as shipped, the call graph, and the kind of
the values (gauges).

An incident that opens between a fault's beginning and `GRACE_SECONDS` after its end is matched to it, any other is unmatched. `first` is the share of the
faults found whose true entity is first in the incident's last message, abstained or not; `first when told` in its first. Delays are in seconds from the
fault's true beginning to the opening. `learning` are faults within the warm-up, which are left out of `of_all`.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import mean, median
from typing import NamedTuple

import orjson

from benchmarks.fault_stream import Fault, Stream, make_quiet, make_stream, read_stream
from benchmarks.report import machine
from connectors.sources.files import wide_source
from engine.config import Config
from engine.offline import Pipeline
from engine.offline import run as run_pipeline
from engine.records import Incident, IncidentState, Record, Topic, decode_incident
from engine.wiring.machines import machine_factories

GRACE_SECONDS = 120.0
_DAY = 86_400.0
_NS = 1_000_000_000
_TOPIC = "stream"


def run(*, quick: bool, options: list[str]) -> dict[str, object]:
    """Figures by kind of fault and of all. `quick` takes the first six hours."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks end_to_end", description=__doc__)
    parser.add_argument("--data", type=Path)
    parser.add_argument("--quiet", action="store_true")
    parser.add_argument("--days", type=float, default=2.0)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--cases", action="store_true", help="say what became of each fault, and what is unmatched")
    about = parser.parse_args(options)
    stream = _stream(about)
    if quick:
        stream = stream.until(stream.times[0] + _DAY / 4)
    config = config_for(stream)
    told = watch(stream, config)
    verdicts = [judge(fault, told) for fault in stream.faults]
    return {
        "series": len(stream.columns),
        "days": round(stream.days, 2),
        **figures(stream, verdicts, told, config.detect.warm_up),
        **(
            {"faults": [v.row() for v in verdicts], "unmatched": [s.row() for s in unmatched(verdicts, told)]}
            if about.cases
            else {}
        ),
        "machine": machine(),
    }


def _stream(about: argparse.Namespace) -> Stream:
    if about.data:
        return read_stream(about.data)
    return make_quiet(about.seed, int(about.days)) if about.quiet else make_stream(about.seed, about.days)


# ------------------------------------------------------------------------------------------------------ the engine
@dataclass(slots=True)
class Told:
    """What people were told of one incident: its first message and its last."""

    first: Incident
    last: Incident
    absorbed: list[str] = field(default_factory=list)

    def row(self) -> dict[str, object]:
        best = self.last.hints[0] if self.last.hints else None
        return {
            "opened": self.first.opened_ts_ns // _NS,
            "title": self.last.title,
            "entities": self.last.entities[:6],
            "alerts": self.last.alerts_total,
            "first": best.entity if best else "",
            "metric": best.metric if best else "",
            "abstained": self.last.abstained,
            "members": [f"{m.kind} {m.series} {m.score:.2f}" for m in self.last.members[:6]],
        }


def config_for(stream: Stream) -> Config:
    """The configuration as shipped, with the system's call graph."""
    source = wide_source("stream", _TOPIC)
    source = source.model_copy(update={"mapping": source.mapping.model_copy(update={"kind": "=gauge"})})
    shipped = Config()
    return shipped.model_copy(
        update={"sources": [source], "correlate": shipped.correlate.model_copy(update={"topology": stream.edges})}
    )


def watch(stream: Stream, config: Config) -> list[Told]:
    """Every incident that is told while the stream runs through all stages, in the order of their openings."""
    told: dict[str, Told] = {}

    def tap(topic: Topic, record: Record) -> None:
        if topic is not Topic.INCIDENTS or record.value is None:
            return
        incident = decode_incident(record.value)
        if incident.state is IncidentState.SUPPRESSED:
            return
        if incident.id in told:
            told[incident.id].last = incident
        else:
            told[incident.id] = Told(incident, incident)

    factories = machine_factories(config)
    pipeline = Pipeline(factories, tap=tap, observe=lambda _: None, topic_prefix=config.kafka.topic_prefix)
    run_pipeline(pipeline, [records(stream)])
    return sorted(told.values(), key=lambda t: (t.first.opened_ts_ns, t.first.id))


def records(stream: Stream) -> Iterable[Record]:
    """A record for each row, as `foreshock replay` makes them of a CSV file."""
    for offset, (seconds, row) in enumerate(zip(stream.times, stream.values, strict=True)):
        ts_ns = int(seconds) * _NS
        values = {name: float(value) for name, value in zip(stream.columns, row, strict=True) if value == value}  # noqa: PLR0124 (NaN)
        yield Record(_TOPIC, 0, offset, ts_ns, b"stream", orjson.dumps({"time": ts_ns, "values": values}))


# ------------------------------------------------------------------------------------------------------ figures
class Verdict(NamedTuple):
    """What became of one fault."""

    fault: Fault
    incidents: list[Told]

    @property
    def is_found(self) -> bool:
        return bool(self.incidents)

    @property
    def delay(self) -> float:
        return self.incidents[0].first.opened_ts_ns / _NS - self.fault.at

    def is_first(self, *, when_told: bool = False) -> bool:
        """Whether the first hint of any of its incidents names the true entity; abstained or not."""
        said = [t.first if when_told else t.last for t in self.incidents]
        return any(i.hints and i.hints[0].entity == self.fault.root for i in said)

    def row(self) -> dict[str, object]:
        return {
            "at": int(self.fault.at),
            "root": self.fault.root,
            "kind": self.fault.kind,
            "delay": round(self.delay) if self.is_found else None,
            "first": self.is_first(),
            "incidents": [t.row() for t in self.incidents],
        }


def judge(fault: Fault, told: Sequence[Told]) -> Verdict:
    """The incidents that are about a fault, by when they opened."""
    until = fault.until + GRACE_SECONDS
    return Verdict(fault, [t for t in told if fault.at <= t.first.opened_ts_ns / _NS <= until])


def unmatched(verdicts: Sequence[Verdict], told: Sequence[Told]) -> list[Told]:
    """Incidents that are about no fault."""
    matched = {t.first.id for v in verdicts for t in v.incidents}
    return [t for t in told if t.first.id not in matched and not t.last.merged_into]


def figures(stream: Stream, verdicts: Sequence[Verdict], told: Sequence[Told], warm_up: float) -> dict[str, object]:
    """By kind of fault; incidents about nothing a day."""
    known = [v for v in verdicts if v.fault.at >= stream.times[0] + warm_up]
    kinds = sorted({v.fault.kind for v in known})
    return {
        "learning": len(verdicts) - len(known),
        "of_all": summary(known),
        **{str(kind): summary([v for v in known if v.fault.kind == kind]) for kind in kinds},
        "incidents": len(told),
        "unmatched": len(unmatched(verdicts, told)),
        "unmatched a day": round(len(unmatched(verdicts, told)) / stream.days, 2),
    }


def summary(verdicts: Sequence[Verdict]) -> dict[str, object]:
    """Of these faults: found, true entity first, how many incidents one of them made, how long it took."""
    found = [v for v in verdicts if v.is_found]
    if not found:
        return {"faults": len(verdicts), "found": 0}
    return {
        "faults": len(verdicts),
        "found": len(found),
        "first": round(mean(v.is_first() for v in found), 3),
        "first when told": round(mean(v.is_first(when_told=True) for v in found), 3),
        "found and first, of all": round(sum(v.is_first() for v in found) / len(verdicts), 3),
        "abstained": round(mean(v.incidents[0].last.abstained for v in found), 3),
        "incidents each": round(mean(len(v.incidents) for v in found), 2),
        "delay seconds": {"median": median(v.delay for v in found), "longest": max(v.delay for v in found)},
    }
