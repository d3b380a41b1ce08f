"""What would go wrong with a topic, each with what to do about it. Warnings are for a person to decide; notes are dealt with by the proposal."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from enum import StrEnum
from typing import Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from engine.config.tree import Detect, Source
from engine.doctor.identity import Churn, MetricFacts
from engine.doctor.sample import Sample
from engine.doctor.trial import Trial, Trials
from engine.records import Decoded, Distribution, Event, Record, Span

EXAMPLES_MAX: Final = 3
EXAMPLE_CHARS: Final = 120
CONFIGURED: Final = "configured"
"""What the block is called that a configuration has for a topic."""
KEYS_MIN: Final = 50
TIER_BYTES: Final = {"light": 256, "standard": 2048, "full": 8192}
POD_BYTES: Final = 2**30
COVERAGE_MIN: Final = 0.2
_HOUR_NS: Final = 3_600_000_000_000
_MINUTE_NS: Final = 60_000_000_000
_SECOND_NS: Final = 1_000_000_000


class Concern(StrEnum):
    """What is the matter. A closed set: programs may go by it."""

    EMPTY_TOPIC = "empty_topic"
    DAMAGED = "damaged"
    UNKNOWN_FORMAT = "unknown_format"
    FRAMED = "framed"
    UNREAD = "unread"
    MIXED_FORMATS = "mixed_formats"
    OTHERWISE = "configured_otherwise"
    NOT_UTF8 = "not_utf8"
    COMPRESSED = "compressed"
    TOO_LARGE = "too_large"
    TOMBSTONES = "tombstones"
    SPLIT_SERIES = "split_series"
    EMPTY_KEYS = "empty_keys"
    FUTURE_TIMES = "future_times"
    PAST_TIMES = "past_times"
    SHIFTED_TIMES = "shifted_times"
    TOO_MANY_SERIES = "too_many_series"
    CHURN = "churn"
    NO_ENTITY = "no_entity"
    COUNTERS = "counters"
    FALLING_COUNTERS = "falling_counters"


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """One thing to know before the topic is read."""

    concern: Concern
    message: str
    advice: str = ""
    examples: list[str] = []
    is_warning: bool = True  # False: the proposal deals with it


def cut(text: str) -> str:
    """Short enough for a line."""
    return text if len(text) <= EXAMPLE_CHARS else f"{text[: EXAMPLE_CHARS - 1]}…"


def percent(part: float, whole: float) -> str:
    """A share as people read it; a little is never none, and nearly all never all."""
    share = 100 * part / whole if whole else 0.0
    if 0 < share < 1:
        return "under 1 %"
    return "over 99 %" if 99 < share < 100 else f"{share:.0f} %"


# ------------------------------------------------------------------------------------------------ bytes and formats
def of_records(sample: Sample, source: Source | None) -> Iterator[Finding]:
    """What shows before anything is decoded."""
    count = len(sample.records)
    yield from (
        Finding(concern=Concern.DAMAGED, message=cut(words), advice="Foreshock steps over such a batch and counts it.")
        for words in sample.damaged
    )
    if not count:
        yield Finding(
            concern=Concern.EMPTY_TOPIC, message="nothing to look at", advice="Try again when its producer has written something."
        )
        return
    empty = sum(not record.value for record in sample.records)
    if empty:
        yield Finding(
            concern=Concern.TOMBSTONES,
            message=f"{percent(empty, count)} of the records have no value",
            advice="They go to the dead letters; a compacted topic is no stream of telemetry.",
        )
    limit = source.record_bytes_max if source else 2**20
    large = [len(record.value) for record in sample.records if record.value and len(record.value) > limit]
    if large:
        yield Finding(
            concern=Concern.TOO_LARGE,
            message=f"{len(large)} of {count} records are larger than record_bytes_max ({limit:,} bytes); the largest has {max(large):,}",
            advice="The proposal raises the limit; make batches smaller if you can.",
            is_warning=max(large) > limit_for(large),
        )


def limit_for(sizes: Sequence[int]) -> int:
    """A `record_bytes_max` that lets these through, up to 16 MiB."""
    return next((size for size in (2**20, 2 * 2**20, 4 * 2**20, 8 * 2**20) if max(sizes) <= size), 16 * 2**20)


def of_trials(trials: Trials, count: int) -> Iterator[Finding]:
    """Which formats there are, and what is not read."""
    if len(trials.chosen) > 1:
        shares = [f"{trial.candidate.name}: {percent(int(trial.gave.sum()), count)}" for trial in trials.chosen]
        yield Finding(
            concern=Concern.MIXED_FORMATS,
            message=f"messages of {len(trials.chosen)} formats: {', '.join(shares)}",
            advice="One topic has one format: give each producer a topic of its own. The proposal reads the first.",
        )
    if trials.chosen:
        yield from _unread(trials.chosen[0])


def of_configured(trials: Trials, configured: Source | None) -> Iterator[Finding]:
    """Whether the block that reads a topic today is the one that fits."""
    if configured is None or not trials.chosen or trials.chosen[0].candidate.name == CONFIGURED:
        return
    today = dict(trials.others).get(CONFIGURED, 0.0)
    yield Finding(
        concern=Concern.OTHERWISE,
        message=f"source {configured.name} reads {percent(today, 1)} of the records; {trials.chosen[0].candidate.name} fits them better",
        advice="Compare the proposal with what is configured.",
    )


def _unread(trial: Trial) -> Iterator[Finding]:
    refused = int((trial.refused & trial.gave).sum())
    lost = int((trial.refused & ~trial.gave).sum())
    if not refused and not lost:
        return
    total = len(trial.records)
    parts = [f"{percent(n, total)} {words}" for n, words in ((lost, "not at all"), (refused, "only in part")) if n]
    yield Finding(
        concern=Concern.UNREAD,
        message=f"records are read {' and '.join(parts)} by {trial.candidate.name}",
        advice="They go to the dead letters, each with its reason.",
        examples=[
            cut(
                f"{refusal.reason} ({refusal.times} times, such as partition {refusal.partition} offset {refusal.offset}): {refusal.detail}"
            )
            for refusal in trial.refusals()[:EXAMPLES_MAX]
        ],
    )


def of_unknown(records: Sequence[Record], framings: Counter[str]) -> Finding:
    """No block reads them."""
    for name, seen in framings.most_common(1):
        if 2 * seen > len(records):
            return Finding(
                concern=Concern.FRAMED,
                message=f"{percent(seen, len(records))} of the records look like {name}",
                advice="Say which registry holds them: foreshock doctor --registry URL.",
            )
    head = records[0].value or b""
    return Finding(
        concern=Concern.UNKNOWN_FORMAT,
        message="no format reads these records",
        advice="For JSON write a mapping (docs/formats.md); other formats need a codec (CONTRIBUTING.md).",
        examples=[cut(repr(head[:40]))],
    )


# ------------------------------------------------------------------------------------------------ partitions and keys
def of_partitions(sample: Sample, decoded: Decoded, records: Sequence[Record]) -> Iterator[Finding]:
    """Series that live on several partitions, and keys that make it so."""
    places: dict[bytes, set[int]] = defaultdict(set)
    for keys, rows in ((decoded.samples.key, decoded.samples.row), (decoded.lines.key, decoded.lines.row)):
        for key, row in zip(keys, rows.tolist(), strict=True):
            places[key].add(records[row].partition)
    for part in decoded.distributions:
        places[part.key].add(records[part.row].partition)
    split = [key for key, partitions in places.items() if len(partitions) > 1]
    if split:
        yield Finding(
            concern=Concern.SPLIT_SERIES,
            message=f"{len(split)} of {len(places)} series live on more than one partition: each partition sees holes",
            advice=f"{_keying(records)} Let the producer key by what the series belongs to, or let Foreshock do it: rekey (docs/formats.md).",
            examples=[cut(key.decode("utf-8", "replace")) for key in split[:EXAMPLES_MAX]],
        )
    elif places and len(sample.partitions) > 1 and (unkeyed := sum(not record.key for record in records)):
        yield Finding(
            concern=Concern.EMPTY_KEYS,
            message=f"{percent(unkeyed, len(records))} of the records have no key, on {len(sample.partitions)} partitions",
            advice="Without a key records go to any partition: let the producer key by what the series belongs to, or say rekey (docs/formats.md).",
        )


def _keying(records: Sequence[Record]) -> str:
    keys = {record.key for record in records if record.key}
    if not keys:
        return "Its records have no key."
    if len(records) >= KEYS_MIN and len(keys) > 0.9 * len(records):
        return "Its keys are different with each record."
    return "Its keys do not follow the series."


# ------------------------------------------------------------------------------------------------ times
def of_times(decoded: Decoded, records: Sequence[Record], detect: Detect, now_ns: int) -> Iterator[Finding]:
    """Event times against those of the log, and those of the log against the clock."""
    log_ns = np.array([record.ts_ns for record in records], np.int64)
    ahead = int((log_ns > now_ns + int(detect.future_max * _SECOND_NS)).sum())
    if ahead:
        yield Finding(
            concern=Concern.FUTURE_TIMES,
            message=f"{percent(ahead, len(records))} of the records are stamped later than now",
            advice="A producer's clock is ahead; message.timestamp.type=LogAppendTime on the topic does not depend on it.",
        )
    late = _lateness(decoded, log_ns)
    if not late.size:
        return
    future = int((late > int(detect.future_max * _SECOND_NS)).sum())
    past = int((late < -int(detect.past_max * _SECOND_NS)).sum())
    shift = _shift_hours(late)
    if shift:
        yield Finding(
            concern=Concern.SHIFTED_TIMES,
            message=f"event times are {abs(shift):g} h {'ahead of' if shift > 0 else 'behind'} the log, evenly",
            advice="That is a local time written without its zone: let the producer write UTC; for syslog say `timezone`.",
        )
    for concern, number, words in (
        (Concern.FUTURE_TIMES, future, f"more than {detect.future_max:g} s ahead of the log"),
        (Concern.PAST_TIMES, past, f"more than {detect.past_max:g} s behind the log"),
    ):
        if number:
            advice = "They would be refused: see detect.future_max and detect.past_max, and the producer's clock."
            yield Finding(concern=concern, message=f"{percent(number, late.size)} of the times are {words}", advice=advice)


def _lateness(decoded: Decoded, log_ns: NDArray[np.int64]) -> NDArray[np.int64]:
    """How far each event time is ahead of its record's, in nanoseconds; only where the record has one."""
    rare: list[Event | Distribution | Span] = [*decoded.events, *decoded.distributions, *decoded.spans]
    rows = np.concatenate([decoded.samples.row, decoded.lines.row, np.array([part.row for part in rare], np.int32)])
    times = np.concatenate([decoded.samples.ts_ns, decoded.lines.ts_ns, np.array([part.ts_ns for part in rare], np.int64)])
    ahead = np.clip(times, -(2**61), 2**61) - np.clip(log_ns[rows], 0, 2**61)
    return np.asarray(ahead[log_ns[rows] > 0], np.int64)


def _shift_hours(late: NDArray[np.int64]) -> float:
    """A shift of all times by quarters of an hour, as zones make it; 0 when there is none."""
    low, middle, high = np.quantile(late.astype(np.float64), (0.1, 0.5, 0.9))
    quarters = round(middle / (_HOUR_NS / 4))
    even = abs(middle - quarters * _HOUR_NS / 4) < 2 * _MINUTE_NS and high - low < 5 * _MINUTE_NS
    return quarters / 4 if even and 1 <= abs(quarters) <= 56 else 0.0


# ------------------------------------------------------------------------------------------------ series
def of_series(trial: Trial, detect: Detect, churned: Sequence[Churn], entity: str, named: int) -> Iterator[Finding]:
    """How many there are, what makes them so many, and whom they belong to."""
    for label in churned:
        yield Finding(
            concern=Concern.CHURN,
            message=f"the label {label.label} has {label.values} values that look generated, and {label.why}",
            advice="The proposal drops it."
            if label.is_dropped
            else "Put it under drop_labels if its members need not be told apart.",
            examples=[cut(label.example)],
            is_warning=not label.is_dropped,
        )
    yield from _too_many(series_seen(trial.decoded), {record.partition for record in trial.records}, detect)
    entries = [*trial.ledger.metrics, *trial.ledger.streams]
    if entries and 2 * named < len(entries):
        advice = (
            f"The proposal takes the label {entity}."
            if entity
            else "Add a label that says what it belongs to, and name it in entity_labels."
        )
        yield Finding(
            concern=Concern.NO_ENTITY,
            message=f"{percent(len(entries) - named, len(entries))} of the series name no entity: incidents group and rank by it",
            advice=advice,
            is_warning=not entity,
        )


def _too_many(samples: Counter[bytes], partitions: set[int], detect: Detect) -> Iterator[Finding]:
    total = series_estimate(samples)
    on_each = total / max(1, len(partitions))
    needed = total * TIER_BYTES[detect.tier]
    if on_each > detect.series_max:
        yield Finding(
            concern=Concern.TOO_MANY_SERIES,
            message=f"about {on_each:,.0f} series on a partition, more than detect.series_max ({detect.series_max:,})",
            advice="New ones would be refused: raise it, use more partitions, or drop labels.",
        )
    elif needed > POD_BYTES:
        yield Finding(
            concern=Concern.TOO_MANY_SERIES,
            message=f"about {total:,.0f} series of the tier {detect.tier} need {needed / 2**30:.1f} GiB",
            advice="Use a lower tier (detect.tier, or a rule for some of them), or several pods.",
        )


def series_seen(decoded: Decoded) -> Counter[bytes]:
    """Each series of numbers or of lines, and how often it was seen."""
    return Counter([*decoded.samples.key, *decoded.lines.key, *(part.key for part in decoded.distributions)])


def series_estimate(samples: Counter[bytes]) -> float:
    """How many series there are in all, after Good and Turing: the share of samples of a series seen once is what the sample has not seen.

    What was seen itself, where the sample says too little.
    """
    count = samples.total()
    once = sum(seen == 1 for seen in samples.values())
    coverage = 1 - once / count if count else 1.0
    return len(samples) / coverage if coverage >= COVERAGE_MIN else float(len(samples))


def of_metrics(metrics: Sequence[MetricFacts]) -> Iterator[Finding]:
    """Kinds that a name does not tell."""
    growing = [fact.name for fact in metrics if fact.grows]
    falling = [fact.name for fact in metrics if fact.falls]
    if growing:
        yield Finding(
            concern=Concern.COUNTERS,
            message=f"{len(growing)} metrics without the name of a counter only grow",
            advice="The proposal lists them under counters, so that their rate is scored.",
            examples=growing[:EXAMPLES_MAX],
            is_warning=False,
        )
    if falling:
        yield Finding(
            concern=Concern.FALLING_COUNTERS,
            message=f"{len(falling)} metrics called counters fall as often as they rise",
            advice='They hold rates already, or are gauges: say `mapping: {kind: "=gauge"}`.',
            examples=falling[:EXAMPLES_MAX],
        )
