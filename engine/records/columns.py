"""What a codec makes of a batch: columns where there are thousands a second, structs where it is rare."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import compress
from typing import Final, NamedTuple, TypeVar

import msgspec
import numpy as np
from msgspec import structs
from numpy.typing import NDArray

_Part = TypeVar("_Part")


class Samples(NamedTuple):
    """Metric points of one batch, in log order. All of one length n."""

    row: NDArray[np.int32]  # n, which record of the batch each came from, ascending
    key: Sequence[bytes]  # n, the series' canonical key (interned: compare by value, hash is cached); `Coded` where volume is
    ts_ns: NDArray[np.int64]  # n, event time
    value: NDArray[np.float64]  # n, finite


class Pieces(NamedTuple):
    """Of a source whose lines may come in pieces: where each line of a batch comes from, and what of it came. All of one length n."""

    origin: list[bytes]  # n, equal for pieces that may belong together; b"" where nothing is known
    more: NDArray[np.bool_]  # n, the line goes on with the next of its origin
    raw: list[bytes]  # n, the text as it stood
    whole: Callable[[bytes], tuple[bytes, int, Fields]]  # raw text put together → the line's text, severity and fields
    folds: bool = False  # lines that begin like a continuation belong to the line before them


class Fields(NamedTuple):
    """What a line carries beside its text, where its format has more than text. Bounded by who reads it."""

    session: bytes = b""  # what names the session it belongs to: a trace, a request; b"" where nothing does
    numbers: tuple[tuple[str, float], ...] = ()  # what is measured beside the text, by name; finite


NO_FIELDS: Final = Fields()


class Lines(NamedTuple):
    """Log lines of one batch, in log order. All of one length n."""

    row: NDArray[np.int32]  # n, which record of the batch each came from, ascending
    key: list[bytes]  # n, the key of the stream the line belongs to (a `Series` named `log`)
    ts_ns: NDArray[np.int64]  # n, event time
    severity: NDArray[np.int8]  # n, OpenTelemetry severity number 1-24, 0 unknown
    text: list[bytes]  # n, UTF-8, at most the source's `line_bytes_max`
    pieces: Pieces | None = None
    fields: list[Fields] | None = None  # n; None where no line has any

    def kept(self, mask: NDArray[np.bool_]) -> Lines:
        """Those where the mask is true, without their pieces."""
        streams, texts = list(compress(self.key, mask)), list(compress(self.text, mask))
        fields = None if self.fields is None else list(compress(self.fields, mask))
        return Lines(self.row[mask], streams, self.ts_ns[mask], self.severity[mask], texts, None, fields)

    def at(self, places: NDArray[np.intp]) -> Lines:
        """The lines at these places, in their order, without their pieces."""
        streams, texts = _at(self.key, places), _at(self.text, places)
        fields = None if self.fields is None else _at(self.fields, places)
        return Lines(self.row[places], streams, self.ts_ns[places], self.severity[places], texts, None, fields)

    def between(self, start: int, end: int) -> Lines:
        """The lines start … end - 1, without their pieces."""
        at = slice(start, end)
        fields = None if self.fields is None else self.fields[at]
        return Lines(self.row[at], self.key[at], self.ts_ns[at], self.severity[at], self.text[at], None, fields)


def _at(parts: Sequence[_Part], places: NDArray[np.intp]) -> list[_Part]:
    return [parts[place] for place in places.tolist()]


class Event(msgspec.Struct, frozen=True, kw_only=True):
    """One discrete event: a Kubernetes event, a deploy, a flag change, a ticket. Rare, hence not columns."""

    row: int  # which record of the batch it came from
    ts_ns: int
    name: str  # stable and low in cardinality: `k8s.OOMKilling`, `deploy`, `flag`
    entity: str  # what it happened to
    key: bytes  # the key of its series (a `Series` named `event`)
    is_change: bool = False  # somebody or something changed the system on purpose
    severity: int = 9  # OpenTelemetry severity number
    text: str = ""  # for people, at most 500 characters
    attributes: dict[str, str] = {}  # version, previous version, actor, link, node, …: at most 16
    id: str = ""  # what repeats of one and the same happening share, where its producer says so


class Distribution(msgspec.Struct, frozen=True, kw_only=True):
    """One histogram point of n buckets: how many values lay in each. Scored as its rate, mean and quantiles."""

    row: int  # which record of the batch it came from
    ts_ns: int
    key: bytes  # the key of the series `name` itself, labels and all; what is derived is called `name.rate`, `name.p99`, …
    start_ns: int = 0  # when counting began; 0 unknown
    is_delta: bool = False  # counted since the point before it, not since the beginning
    bounds: tuple[float, ...]  # n - 1 upper bounds, ascending and finite; the last bucket has none
    counts: tuple[float, ...]  # n, in each bucket alone
    total: float = float("nan")  # the sum of all values; NaN unknown


class Span(msgspec.Struct, frozen=True, kw_only=True):
    """One finished span of a trace."""

    row: int  # which record of the batch it came from
    ts_ns: int  # when it ended
    stream: bytes  # the key of the stream of its service, as `Catalog.stream` gives it
    service: str
    operation: str
    kind: str  # server | client | producer | consumer | internal
    seconds: float
    is_error: bool
    trace_id: bytes = b""
    span_id: bytes = b""
    parent_id: bytes = b""
    peer: str = ""  # the service or system it calls, as the span itself names it


class Dependency(msgspec.Struct, frozen=True, kw_only=True):
    """`caller` needs `callee`, as telemetry says of itself: a service graph, an owner, a placement."""

    row: int
    ts_ns: int
    caller: str
    callee: str
    kind: str = "calls"  # as in `Edge`


class Rejected(NamedTuple):
    """One record, or a part of it, that could not be used. `row` is its place in the batch."""

    row: int
    reason: str  # an `errors.Reject`
    detail: str


class Decoded(NamedTuple):
    """What a codec made of one batch of records."""

    samples: Samples
    lines: Lines
    events: list[Event]
    rejected: list[Rejected]
    distributions: Sequence[Distribution] = ()
    spans: Sequence[Span] = ()
    dependencies: Sequence[Dependency] = ()


def at_rows(decoded: Decoded, row: NDArray[np.int32]) -> Decoded:
    """The same, its record n being record row[n] of a larger batch. `row` ascends."""
    return Decoded(
        decoded.samples._replace(row=row[decoded.samples.row]),
        decoded.lines._replace(row=row[decoded.lines.row]),
        [structs.replace(event, row=int(row[event.row])) for event in decoded.events],
        [part._replace(row=int(row[part.row])) for part in decoded.rejected],
        [structs.replace(part, row=int(row[part.row])) for part in decoded.distributions],
        [structs.replace(part, row=int(row[part.row])) for part in decoded.spans],
        [structs.replace(part, row=int(row[part.row])) for part in decoded.dependencies],
    )


def joined(parts: Sequence[Decoded]) -> Decoded:
    """One of several, at least one, whose rows follow each other."""
    samples, lines = [part.samples for part in parts], [part.lines for part in parts]
    return Decoded(
        Samples(
            np.concatenate([part.row for part in samples]),
            [key for part in samples for key in part.key],
            np.concatenate([part.ts_ns for part in samples]),
            np.concatenate([part.value for part in samples]),
        ),
        Lines(
            np.concatenate([part.row for part in lines]),
            [key for part in lines for key in part.key],
            np.concatenate([part.ts_ns for part in lines]),
            np.concatenate([part.severity for part in lines]),
            [text for part in lines for text in part.text],
            _joined_pieces([part.pieces for part in lines if part.pieces is not None]),
            _joined_fields(lines),
        ),
        [event for part in parts for event in part.events],
        [rejected for part in parts for rejected in part.rejected],
        [found for part in parts for found in part.distributions],
        [found for part in parts for found in part.spans],
        [found for part in parts for found in part.dependencies],
    )


def _joined_pieces(parts: Sequence[Pieces]) -> Pieces | None:
    if not parts:
        return None
    return parts[0]._replace(
        origin=[origin for part in parts for origin in part.origin],
        more=np.concatenate([part.more for part in parts]),
        raw=[raw for part in parts for raw in part.raw],
    )


def _joined_fields(parts: Sequence[Lines]) -> list[Fields] | None:
    if all(part.fields is None for part in parts):
        return None
    return [fields for part in parts for fields in part.fields or [NO_FIELDS] * len(part.key)]
