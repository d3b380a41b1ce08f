"""Prometheus' remote write, versions 1 and 2, as bridges put its bodies on Kafka: snappy blocks of protobuf.

Which version a body is, its first field says: the two have none in common, so that headers need not be carried over. Series are called as
Prometheus calls them. Native histograms become distributions; classic ones stay the `_bucket`, `_sum` and `_count` series that they are.
A NaN says that a series has ended or has no value: it is counted as stale and goes nowhere.

What kind a metric is comes with each series in version 2. In version 1 it comes in requests of its own, once a minute: it is remembered
for series that are new later, by the name of the family, and until then names decide.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Final

import numpy as np
from google.protobuf.message import DecodeError as NotProtobuf

from connectors.codecs.columns import ColumnsBuilder
from connectors.codecs.native_histograms import buckets_of
from connectors.codecs.packed import RUN_BYTES, unsnap
from connectors.codecs.proto import prometheus_write_pb2 as wire
from connectors.codecs.remote_samples import STALE, SampleReader
from engine.config.tree import Source
from engine.errors import DecodeError, Reject
from engine.ports import Catalog
from engine.records import Decoded, Distribution, Record
from engine.times import EARLIEST_NS, LATEST_NS

BODY_BYTES_MAX: Final = 8_388_608
"""Of one record, unpacked. Prometheus sends 2,000 samples in a request, some hundred kilobytes."""
SAMPLES_MAX: Final = 50_000
"""Of one record, histograms counted too."""
SERIES_KEPT_MAX: Final = 200_000
"""Keys remembered by labels; when full, all are forgotten."""
FAMILIES_KEPT_MAX: Final = 50_000
_MILLISECOND_NS: Final = 1_000_000
_FIRST_1, _FIRST_2 = frozenset({0x0A, 0x1A}), frozenset({0x22, 0x2A})
"""Tags that a body of each version can begin with."""
_SUFFIXES: Final = ("_total", "_bucket", "_count", "_sum")
_Texts = tuple[str, ...]  # names and values of labels by turns
_Declared = tuple[int, str] | None  # type and unit
KeyOf = Callable[[_Texts, _Declared], bytes]


class RemoteWriteCodec:
    """Stateless but for caches: series by their labels, and what version 1 said of families.

    `short` says whether samples of known series are read where they lie.
    """

    def __init__(self, source: Source, *, short: bool = True) -> None:
        self._line_bytes_max = source.line_bytes_max
        self._short = short
        self._samples = SampleReader(SAMPLES_MAX)
        self._keys: dict[_Texts, bytes] = {}
        self._families: dict[str, tuple[int, str]] = {}
        self._catalog: Catalog | None = None

    def decode(self, records: Sequence[Record], catalog: Catalog) -> Decoded:
        """As `ports.Codec`."""
        if catalog is not self._catalog:
            self._keys.clear()
            self._families.clear()
            self._samples = SampleReader(SAMPLES_MAX)
            self._catalog = catalog
        out = ColumnsBuilder(self._line_bytes_max, beyond=Reject.UNLIMITED)
        for rows, bodies in _portions(records, out):
            everything = [(place, False) for place in range(len(rows))]
            left = self._samples.take(np.array(rows, np.int32), bodies, out) if self._short else everything
            for place, is_plain in left:
                self._decode_one(rows[place], bodies[place], out, is_plain=is_plain)
        return out.build()

    def _decode_one(self, row: int, body: bytes, out: ColumnsBuilder, *, is_plain: bool) -> None:
        """Put one request as the library reads it, and learn from it if it is plain."""
        before = len(out.rejected)
        marks = out.marks()
        try:
            request = self._parsed(body)
            reader = Request(row, out, self._key_of)
            reader.read(request)
        except DecodeError as error:
            out.reject(row, error.reason, error.detail)
        else:
            if is_plain and all(part.reason is Reject.STALE for part in out.rejected[before:]):
                self._samples.learn(body, reader.keys, len(request.symbols) if isinstance(request, wire.Write2) else 0)
        if out.marks() == marks:
            out.reject(row, Reject.METADATA, "no sample in it")

    def _parsed(self, body: bytes) -> wire.Write1 | wire.Write2:
        if not body:
            raise DecodeError(Reject.EMPTY, "an empty request")
        request: wire.Write1 | wire.Write2
        try:
            if body[0] in _FIRST_2:
                return wire.Write2.FromString(body)
            if body[0] not in _FIRST_1:
                raise DecodeError(Reject.MALFORMED, "no request of remote write")
            request = wire.Write1.FromString(body)
        except NotProtobuf as error:
            raise DecodeError(Reject.MALFORMED, "no request of remote write") from error
        self._learn(request)
        return request

    def _learn(self, request: wire.Write1) -> None:
        for family in request.metadata:
            if len(self._families) >= FAMILIES_KEPT_MAX:
                self._families.clear()
            self._families[family.metric_family_name] = family.type, family.unit

    def _key_of(self, labels: _Texts, declared: _Declared) -> bytes:
        """The series' key; b"" for one that only says when another began. Raises DecodeError(BAD_LABELS)."""
        key = self._keys.get(labels)
        if key is None:
            key = self._new_key(labels, declared)
            if len(self._keys) >= SERIES_KEPT_MAX:
                self._keys.clear()
            self._keys[labels] = key
        return key

    def _new_key(self, labels: _Texts, declared: _Declared) -> bytes:
        if self._catalog is None:
            raise ValueError("asked outside of decode")
        named = dict(zip(labels[::2], labels[1::2], strict=True))
        name = named.pop("__name__", "")
        kind, unit = declared or self._families.get(name) or self._family_of(name)
        if name.endswith("_created") and kind != wire.COUNTER:
            return b""
        return self._catalog.metric(name, named, kind=_kind(name, kind), unit=unit)

    def _family_of(self, name: str) -> tuple[int, str]:
        base = next((name.removesuffix(suffix) for suffix in _SUFFIXES if name.endswith(suffix)), "")
        return self._families.get(base, (wire.UNKNOWN, ""))


class Request:
    """One body on its way into the columns."""

    __slots__ = ("_key_of", "_left", "_out", "_row", "keys")

    def __init__(self, row: int, out: ColumnsBuilder, key_of: KeyOf) -> None:
        self._row = row
        self._out = out
        self._key_of = key_of
        self._left = SAMPLES_MAX
        self.keys: list[bytes] = []
        """Of all series that have one, in order; b"" for one that is dropped."""

    def read(self, request: wire.Write1 | wire.Write2) -> None:
        """Put all that is in it. Raises DecodeError when it holds too much; what was read by then stays."""
        if isinstance(request, wire.Write1):
            for one in request.timeseries:
                labels = tuple([text for label in one.labels for text in (label.name, label.value)])
                self._series(labels, None, one, 0)
            return
        symbols = tuple(request.symbols)
        for two in request.timeseries:
            self._series_2(symbols, two)

    def _series_2(self, symbols: _Texts, series: wire.Series2) -> None:
        references = series.labels_refs
        about = series.metadata
        try:
            labels = tuple([symbols[at] for at in references])
            unit = symbols[about.unit_ref] if about.unit_ref else ""
        except IndexError:
            self._out.reject(self._row, Reject.MALFORMED, "a reference beyond the table of symbols")
            return
        declared = (about.type, unit) if about.type or unit else None
        self._series(labels, declared, series, series.created_timestamp)

    def _series(self, labels: _Texts, declared: _Declared, series: wire.Series1 | wire.Series2, created_ms: int) -> None:
        if len(labels) % 2:
            self._out.reject(self._row, Reject.MALFORMED, "a label without a value")
            return
        try:
            key = self._key_of(labels, declared)
        except DecodeError as error:
            self._out.reject(self._row, error.reason, error.detail)
            return
        self.keys.append(key)
        if not key:
            return
        self._left -= len(series.samples) + len(series.histograms)
        if self._left < 0:
            raise DecodeError(Reject.TOO_MANY_FIELDS, f"more than {SAMPLES_MAX} samples")
        for sample in series.samples:
            self._sample(key, sample.timestamp, sample.value)
        for histogram in series.histograms:
            self._histogram(key, histogram, created_ms)

    def _sample(self, key: bytes, time_ms: int, value: float) -> None:
        if value != value:  # noqa: PLR0124 (Prometheus' stale marker, quieted or not, and the NaN of a quantile of nothing)
            self._out.reject(self._row, Reject.STALE, STALE)
        elif (ts_ns := _nanoseconds(time_ms)) is None:
            self._out.reject(self._row, Reject.BAD_TIME, "beyond 64 bits of nanoseconds")
        else:
            self._out.sample(self._row, key, ts_ns, value)

    def _histogram(self, key: bytes, histogram: wire.Histogram, created_ms: int) -> None:
        total = histogram.sum
        if total != total and not (histogram.positive_spans or histogram.negative_spans):  # noqa: PLR0124 (as above)
            self._out.reject(self._row, Reject.STALE, STALE)
            return
        ts_ns, start_ns = _nanoseconds(histogram.timestamp), _nanoseconds(histogram.start_timestamp or created_ms)
        if ts_ns is None or start_ns is None:
            self._out.reject(self._row, Reject.BAD_TIME, "beyond 64 bits of nanoseconds")
            return
        try:
            bounds, counts = buckets_of(histogram)
        except DecodeError as error:
            self._out.reject(self._row, error.reason, error.detail)
            return
        is_delta = histogram.reset_hint == wire.Histogram.RESET_GAUGE
        part = Distribution(
            row=self._row,
            ts_ns=ts_ns,
            key=key,
            start_ns=start_ns,
            is_delta=is_delta,
            bounds=bounds,
            counts=counts,
            total=total,
        )
        self._out.distributions.append(part)


def _portions(records: Sequence[Record], out: ColumnsBuilder) -> Iterator[tuple[list[int], list[bytes]]]:
    """The records' bodies with their rows, unpacked some at a time; what is no body is rejected."""
    rows: list[int] = []
    bodies: list[bytes] = []
    size = 0
    for row, record in enumerate(records):
        if not record.value:
            out.reject(row, Reject.EMPTY, "no payload")
            continue
        try:
            body = unsnap(record.value, BODY_BYTES_MAX)
        except DecodeError as error:
            out.reject(row, error.reason, error.detail)
            continue
        rows.append(row)
        bodies.append(body)
        size += len(body)
        if size >= RUN_BYTES:
            yield rows, bodies
            rows, bodies, size = [], [], 0
    if rows:
        yield rows, bodies


def _nanoseconds(time_ms: int) -> int | None:
    ts_ns = time_ms * _MILLISECOND_NS
    return ts_ns if EARLIEST_NS <= ts_ns <= LATEST_NS else None


def _kind(name: str, kind: int) -> str:
    """As ValueKind; "" lets the name decide."""
    if kind == wire.UNKNOWN:
        return ""
    if kind in (wire.COUNTER, wire.HISTOGRAM):
        return "counter"
    return "counter" if kind == wire.SUMMARY and name.endswith(("_sum", "_count")) else "gauge"
