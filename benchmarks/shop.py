"""The shop of `foreshock demo`, offline and over many seeds: faults found, true cause first, incidents about nothing.

    python -m benchmarks shop [--first SEED] [--seeds N] [--scenario NAME]

The simulator's messages go through all stages of the daemon in this process, with the demo's configuration, and are judged as the demo judges itself: an
incident stands for a fault if its time and places fit it, `first` counts faults whose first hint names the true entity, `false` are incidents that stand for
none. Each seed draws places, times and sizes anew.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from statistics import median
from zlib import crc32

from benchmarks.report import machine
from connectors.simulator.messages import TOPICS, Counters, messages, ticks_of
from connectors.simulator.scenario import Scenario, plan
from engine.cli.demo import configuration_of
from engine.cli.demo_truth import Verdict, judge
from engine.offline import Pipeline, turns
from engine.records import Incident, Record, Topic, decode_incident
from engine.wiring.machines import machine_factories

_SPAN_TICKS = 60


def run(*, quick: bool, options: list[str]) -> dict[str, object]:
    """Figures by seed and of all. `quick` takes one seed and one fault."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks shop", description=__doc__)
    parser.add_argument("--first", type=int, default=10)
    parser.add_argument("--seeds", type=int, default=1 if quick else 20)
    parser.add_argument("--scenario", default="bad-deploy" if quick else "shop")
    about = parser.parse_args(options)
    verdicts = {}
    for seed in range(about.first, about.first + about.seeds):
        story = plan(about.scenario, seed)
        verdicts[seed] = judge(story, watch(story))
    return {
        "of_all": summary(list(verdicts.values())),
        "seeds": {str(seed): row(verdict) for seed, verdict in verdicts.items()},
        "machine": machine(),
    }


def watch(story: Scenario) -> list[Incident]:
    """The latest state of every incident while the story runs through all stages."""
    config = configuration_of("localhost:9092", story, "")
    latest: dict[str, Incident] = {}

    def tap(topic: Topic, record: Record) -> None:
        if topic is Topic.INCIDENTS and record.value is not None:
            incident = decode_incident(record.value)
            latest[incident.id] = incident

    pipeline = Pipeline(machine_factories(config), tap=tap, observe=lambda _: None, topic_prefix=config.kafka.topic_prefix)
    for batch in turns(_records(story)):
        pipeline.feed(batch)
    pipeline.finish()
    return list(latest.values())


def _records(story: Scenario) -> Iterator[Record]:
    """What the simulator would put on Kafka, in order of time; partitions by key."""
    counters, ends = Counters(), {(topic, p): 0 for topic, count in TOPICS.items() for p in range(count)}
    for tick in range(0, ticks_of(story), _SPAN_TICKS):
        for m in messages(story, tick, min(_SPAN_TICKS, ticks_of(story) - tick), counters):
            place = (m.topic, crc32(m.key) % TOPICS[m.topic])
            yield Record(*place, ends[place], m.ts_ms * 1_000_000, m.key, m.value, m.headers)
            ends[place] += 1


def row(verdict: Verdict) -> dict[str, object]:
    """One seed."""
    return {
        "found": verdict.found,
        "faults": len(verdict.findings),
        "first": verdict.hint_first,
        "false": len(verdict.false),
        "others": sum(f.others for f in verdict.findings),
        "not first": {str(f.fault.what): f.rank for f in verdict.findings if f.rank != 1},
        "about nothing": [i.title for i in verdict.false],
        "delay seconds": verdict.delay_seconds_median,
    }


def summary(verdicts: list[Verdict]) -> dict[str, object]:
    """All seeds: shares, and how many of them reach four of five."""
    faults = [len(v.findings) for v in verdicts]
    delays = [v.delay_seconds_median for v in verdicts if v.delay_seconds_median is not None]
    return {
        "faults": sum(faults),
        "found": sum(v.found for v in verdicts),
        "first": sum(v.hint_first for v in verdicts),
        "false": sum(len(v.false) for v in verdicts),
        "seeds with four of five first": sum(5 * v.hint_first >= 4 * n for v, n in zip(verdicts, faults, strict=True)),
        "seeds without a false one": sum(not v.false for v in verdicts),
        "delay seconds": median(delays) if delays else None,
    }
