"""A small log format and a shard that reads it: what the laws of the detect stage are played on.

The value of a record is JSON: {"s": [[name, labels, seconds, value], …], "l": [[labels, seconds, severity, text, fields], …],
"e": [[name, entity, seconds, severity, is_change], …], "d": [[name, labels, seconds, bounds, counts, sum], …],
"p": [[service, operation, kind, seconds, duration, is_error, trace, id, parent, peer], …], "x": [[caller, callee, kind, seconds], …]}.
`stale` says that a series has ended; anything else is malformed.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import pairwise

import msgspec
import numpy as np

from engine.config.tree import Detect, Format, Source
from engine.detect.catalog import SourceCatalog
from engine.detect.stage import DetectMachine
from engine.errors import Reject
from engine.ports import StepStats
from engine.records import (
    NO_FIELDS,
    Alert,
    AlertsMessage,
    Change,
    Decoded,
    Dependency,
    Distribution,
    Edge,
    Event,
    Fields,
    Lines,
    Output,
    Record,
    Rejected,
    Samples,
    Shard,
    Span,
    Tally,
    Topic,
    Watermark,
)

SECOND = 1_000_000_000
START = 1_772_409_600
"""Seconds: where the time of every test begins."""
SHARD = Shard("in", 0)
SOURCE = Source(name="shop", topics=["in"], format=Format.JSON, record_bytes_max=100_000)
_MESSAGE = msgspec.json.Decoder(AlertsMessage)


class LinePart(msgspec.Struct, array_like=True):
    labels: dict[str, str]
    at: float
    severity: int
    text: str
    fields: Fields = NO_FIELDS


class Parts(msgspec.Struct):
    s: list[tuple[str, dict[str, str], float, float]] = []
    l: list[LinePart] = []  # noqa: E741
    e: list[tuple[str, str, float, int, bool]] = []
    d: list[tuple[str, dict[str, str], float, list[float], list[float], float]] = []
    p: list[tuple[str, str, str, float, float, bool, str, str, str, str]] = []
    x: list[tuple[str, str, str, float]] = []


class PartsCodec:
    """Reads `Parts`. Times are seconds since START."""

    def decode(self, records: Sequence[Record], catalog: SourceCatalog) -> Decoded:
        samples, lines, events, rejected, whole = [], [], [], [], []
        spans, dependencies = [], []
        for row, record in enumerate(records):
            if record.value == b"stale":
                rejected.append(Rejected(row, Reject.STALE, "the series has ended"))
                continue
            try:
                parts = msgspec.json.decode(record.value or b"", type=Parts)
            except msgspec.DecodeError:
                rejected.append(Rejected(row, Reject.MALFORMED, "not parts"))
                continue
            for name, labels, at, value in parts.s:
                samples.append((row, catalog.metric(name, labels), ns(at), value))
            for line in parts.l:
                stream = catalog.stream(line.labels)
                lines.append((row, stream, ns(line.at), line.severity, line.text.encode(), line.fields))
            for name, entity, at, severity, is_change in parts.e:
                key, _ = catalog.event(name, {"service": entity})
                events.append(
                    Event(row=row, ts_ns=ns(at), name=name, entity=entity, key=key, severity=severity, is_change=is_change)
                )
            for name, labels, at, bounds, counts, total in parts.d:
                key = catalog.metric(name, labels)
                whole.append(
                    Distribution(row=row, ts_ns=ns(at), key=key, bounds=tuple(bounds), counts=tuple(counts), total=total)
                )
            spans += [_span(row, catalog, part) for part in parts.p]
            dependencies += [
                Dependency(row=row, ts_ns=ns(at), caller=caller, callee=callee, kind=kind) for caller, callee, kind, at in parts.x
            ]
        row_s, keys, times, values = _columns(samples, 4)
        row_l, streams, when, severities, texts, fields = _columns(lines, 6)
        line_columns = np.array(row_l, np.int32), streams, np.array(when, np.int64), np.array(severities, np.int8), texts
        return Decoded(
            Samples(np.array(row_s, np.int32), keys, np.array(times, np.int64), np.array(values, np.float64)),
            Lines(*line_columns, None, fields if any(part != NO_FIELDS for part in fields) else None),
            events,
            rejected,
            whole,
            spans,
            dependencies,
        )


def _span(row, catalog, part):
    service, operation, kind, at, seconds, is_error, trace, own, parent, peer = part
    return Span(
        row=row,
        ts_ns=ns(at),
        stream=catalog.stream({"service": service}),
        service=service,
        operation=operation,
        kind=kind,
        seconds=seconds,
        is_error=is_error,
        trace_id=trace.encode(),
        span_id=own.encode(),
        parent_id=parent.encode(),
        peer=peer,
    )


def _columns(rows, width):
    return [list(column) for column in zip(*rows, strict=True)] if rows else [[] for _ in range(width)]


def ns(seconds: float) -> int:
    return round((START + seconds) * SECOND)


def record(offset: int, at: float, **parts) -> Record:
    return Record(*SHARD, offset, ns(at), b"key", msgspec.json.encode(Parts(**parts)))


def metric(offset: int, at: float, value: float, name: str = "latency", service: str = "cart") -> Record:
    return record(offset, at, s=[(name, {"service": service}, at, value)])


def machine(config: Detect | None = None, source: Source = SOURCE, slos=(), ratios=()) -> DetectMachine:
    catalog = SourceCatalog(source)
    return DetectMachine(
        SHARD, codec=PartsCodec(), catalog=catalog, source=source, config=config or Detect(), counted=(slos, ratios)
    )


def play(shard: DetectMachine, records: Sequence[Record], cuts: Iterable[int] = ()) -> tuple[list[Output], StepStats]:
    """All outputs for the records, stepped in pieces, and the counts of all steps together."""
    outputs, total = [], StepStats()
    edges = [0, *sorted(min(cut, len(records)) for cut in cuts), len(records)]
    for a, b in pairwise(edges):
        result = shard.step(records[a:b])
        outputs += result.outputs
        for place, amount in result.stats.counts.items():
            total.count(place[0], amount, *place[1])
    return outputs, total


def messages(outputs: Iterable[Output]) -> list[Alert | Change | Edge | Watermark]:
    return [_MESSAGE.decode(output.value) for output in outputs if output.topic is Topic.ALERTS]


def alerts(outputs: Iterable[Output]) -> list[Alert]:
    return [message for message in messages(outputs) if isinstance(message, Alert)]


def dead_letters(outputs: Iterable[Output]) -> list[Output]:
    return [output for output in outputs if output.topic is Topic.DEAD_LETTERS]


def tallies(outputs: Iterable[Output]) -> list[Tally]:
    return [message for message in messages(outputs) if isinstance(message, Tally)]


def edges(outputs: Iterable[Output]) -> list[Edge]:
    return [message for message in messages(outputs) if isinstance(message, Edge)]
