"""One topic, from its sample to what is said of it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import msgspec

from engine.config.tree import Detect, Source
from engine.config.values import Compression
from engine.doctor import findings as said
from engine.doctor.findings import Concern, Finding
from engine.doctor.framing import framings, ways_to_open
from engine.doctor.identity import Churn, MetricFacts, churn, entity_label, metric_facts, with_entity
from engine.doctor.sample import Sample
from engine.doctor.trial import Candidates, Trial, Trials, try_all
from engine.errors import DecodeError
from engine.ports import Codec
from engine.records import Record

METRICS_MAX: Final = 50
COUNTERS_MAX: Final = 50
TEXT_FORMATS: Final = frozenset({"text", "syslog", "logfmt", "json"})


@dataclass(frozen=True, slots=True)
class Tools:
    """What the connectors' side gives."""

    build: Callable[[Source], Codec]
    candidates: Callable[[str, Source | None], Candidates]
    """For a topic, all blocks that may read it; one that is configured is among them, by the name `configured`."""
    unpack: Callable[[Record, Compression, int], Record]
    """Raises DecodeError."""


class Given(msgspec.Struct, frozen=True, kw_only=True):
    """What a topic's records become."""

    samples: int
    lines: int
    events: int
    distributions: int
    spans: int
    series: int
    series_estimate: int


class Kind(msgspec.Struct, frozen=True, kw_only=True):
    """One kind of message on a topic, and the share of the records that are of it."""

    like: str  # a block of configs/formats.yaml, `inferred` or `configured`
    format: str
    share: float


class Metric(msgspec.Struct, frozen=True, kw_only=True):
    """One metric: `kind` as it would be scored."""

    name: str
    kind: str
    unit: str
    series: int


class Diagnosis(msgspec.Struct, frozen=True, kw_only=True):
    """All that is said of one topic."""

    topic: str
    records: int
    bytes: int
    partitions: int
    kinds: list[Kind]
    others: list[tuple[str, float]]  # blocks that would read it too, and how much of it
    given: Given | None
    metrics: list[Metric]
    findings: list[Finding]

    def is_well(self) -> bool:
        """Whether nothing is left for a person to decide."""
        return not any(finding.is_warning for finding in self.findings)

    def is_damaged(self) -> bool:
        """Whether there is something that cannot be read."""
        return any(finding.concern is Concern.DAMAGED for finding in self.findings)


def diagnose(
    sample: Sample, tools: Tools, detect: Detect, now_ns: int, configured: Source | None
) -> tuple[Diagnosis, Source | None]:
    """What is to be said of a topic, and the source block that would read it; None when nothing would."""
    notes = list(said.of_records(sample, configured))
    size_max = said.limit_for([len(record.value or b"") for record in sample.records] or [0])
    records = [record for record in sample.records if record.value and len(record.value) <= size_max]
    way, opened, trials = _tried(records, tools.candidates(sample.topic, configured), tools, size_max)
    notes += said.of_trials(trials, len(opened))
    notes += said.of_configured(trials, configured)
    if not trials.chosen:
        notes += [said.of_unknown(records, framings(records))] if records else []
        return _diagnosis(sample, len(opened), trials, None, [], notes), None
    trial = trials.chosen[0]
    if way is not Compression.NONE:
        notes.append(_compressed(way, len(records) - len(opened)))
    notes += _not_text(trial)
    labels = churn(trial.ledger.metrics, len(trial.decoded.samples.row), trial.candidate.source)
    entries = [*trial.ledger.metrics, *trial.ledger.streams]
    named = with_entity(entries, trial.ledger)
    entity = entity_label(entries) if 2 * named < len(entries) else ""
    metrics = metric_facts(trial.decoded.samples, trial.ledger.metrics, trial.ledger)
    notes += said.of_partitions(sample, trial.decoded, trial.records)
    notes += said.of_times(trial.decoded, trial.records, detect, now_ns) if sample.is_timed else []
    notes += said.of_series(trial, detect, labels, entity, named)
    notes += said.of_metrics(metrics)
    source = _proposed(sample, trial, labels, entity, metrics).model_copy(update={"compression": way})
    return _diagnosis(sample, len(opened), trials, trial, metrics, notes), source


# ------------------------------------------------------------------------------------------------ trying
def _tried(
    records: Sequence[Record], candidates: Candidates, tools: Tools, size_max: int
) -> tuple[Compression, list[Record], Trials]:
    """Bodies as they are, and if nothing reads them, unpacked in one way after another."""
    first: tuple[Compression, list[Record], Trials] | None = None
    for way in ways_to_open(records):
        opened = list(records) if way is Compression.NONE else _opened(records, way, tools, size_max)
        if not opened:
            continue
        trials = try_all(opened, candidates, tools.build)
        if trials.chosen and not _is_plain(trials):
            return way, opened, trials
        if first is None or (trials.chosen and not first[2].chosen):
            first = (way if trials.chosen else Compression.NONE, opened, trials)
    return first or (Compression.NONE, [], Trials([], [], []))


def _is_plain(trials: Trials) -> bool:
    """Whether they are read as text only, as a short body is whose packing left most of it as it was."""
    return trials.chosen[0].candidate.source.format == "text"


def _opened(records: Sequence[Record], way: Compression, tools: Tools, size_max: int) -> list[Record]:
    """Those that can be unpacked."""
    opened = []
    for record in records:
        try:
            opened.append(tools.unpack(record, way, size_max))
        except DecodeError:
            continue
    return opened


def _compressed(way: Compression, torn: int) -> Finding:
    torn_too = f"; {torn} cannot be unpacked" if torn else ""
    return Finding(
        concern=Concern.COMPRESSED,
        message=f"bodies were compressed by their producer{torn_too}",
        advice=f"The proposal says compression: {way}. What Kafka compresses itself costs less.",
        is_warning=bool(torn),
    )


def _not_text(trial: Trial) -> list[Finding]:
    if trial.candidate.source.format not in TEXT_FORMATS:
        return []
    odd = sum(not _is_utf8(record.value or b"") for record in trial.records)
    if not odd:
        return []
    return [
        Finding(
            concern=Concern.NOT_UTF8,
            message=f"{said.percent(odd, len(trial.records))} of the records are not UTF-8",
            advice="What cannot be read becomes the replacement character: let the producer write UTF-8.",
        )
    ]


def _is_utf8(value: bytes) -> bool:
    try:
        value.decode()
    except UnicodeDecodeError:
        return False
    return True


# ------------------------------------------------------------------------------------------------ saying
def _proposed(sample: Sample, trial: Trial, labels: Sequence[Churn], entity: str, metrics: Sequence[MetricFacts]) -> Source:
    """The block that was found, with what this topic needs beside it."""
    source = trial.candidate.source
    sizes = [len(record.value or b"") for record in sample.records]
    dropped = [label.label for label in labels if label.is_dropped]
    growing = [fact.name for fact in metrics if fact.grows][:COUNTERS_MAX]
    more: dict[str, object] = {}
    if dropped:
        more["drop_labels"] = [*source.drop_labels, *dropped]
    if entity:
        there = {label for entry in (*trial.ledger.metrics, *trial.ledger.streams) for label in entry.labels}
        more["entity_labels"] = [*(label for label in source.entity_labels if label in there), entity]
    if growing:
        more["counters"] = [*source.counters, *growing]
    if max(sizes) > source.record_bytes_max:
        more["record_bytes_max"] = said.limit_for(sizes)
    return source.model_copy(update=more)


def _diagnosis(
    sample: Sample, opened: int, trials: Trials, trial: Trial | None, metrics: Sequence[MetricFacts], notes: list[Finding]
) -> Diagnosis:
    kinds = [
        Kind(like=t.candidate.name, format=str(t.candidate.source.format), share=round(int(t.read.sum()) / max(1, opened), 4))
        for t in trials.chosen
    ]
    whole = {trial.ledger.describe(part.key).name for part in trial.decoded.distributions} if trial else set()
    shown = [
        Metric(
            name=m.name, kind="histogram" if m.name in whole else "counter" if m.grows else m.kind, unit=m.unit, series=m.series
        )
        for m in metrics[:METRICS_MAX]
    ]
    return Diagnosis(
        topic=sample.topic,
        records=len(sample.records),
        bytes=sample.bytes(),
        partitions=len(sample.partitions),
        kinds=kinds,
        others=[(name, round(share, 4)) for name, share in trials.others],
        given=_given(trial) if trial else None,
        metrics=shown,
        findings=sorted(notes, key=lambda finding: not finding.is_warning),
    )


def _given(trial: Trial) -> Given:
    decoded = trial.decoded
    seen = said.series_seen(decoded)
    return Given(
        samples=len(decoded.samples.row),
        lines=len(decoded.lines.row),
        events=len(decoded.events),
        distributions=len(decoded.distributions),
        spans=len(decoded.spans),
        series=len(seen),
        series_estimate=round(said.series_estimate(seen)),
    )
