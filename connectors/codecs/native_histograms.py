"""Prometheus' native histograms → distributions: few buckets with bounds of their own, empty ones between them filled in.

Buckets that lie far apart would be many when all between them stand too, so the scale is made coarser until few are left: that joins
pairs of neighbours exactly, and no bound is new.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import accumulate
from math import inf, isfinite
from typing import Final, NamedTuple

from connectors.codecs.exponential import bound
from connectors.codecs.proto.prometheus_write_pb2 import Histogram, Span
from engine.errors import DecodeError, Reject

SIDE_BUCKETS_MAX: Final = 30
"""Of the values above zero, and of those below it; with the zero bucket and two open ends they are 64 together."""
BUCKETS_READ_MAX: Final = 10_000
CUSTOM_BOUNDS: Final = -53
_SCHEMAS: Final = range(-4, 9)


class Buckets(NamedTuple):
    """n - 1 upper bounds, ascending and finite, and n counts."""

    bounds: tuple[float, ...]
    counts: tuple[float, ...]


def buckets_of(histogram: Histogram) -> Buckets:
    """The buckets of an integer or a float histogram. Raises DecodeError for what contradicts itself."""
    positive = _counted(histogram.positive_spans, histogram.positive_deltas, histogram.positive_counts)
    negative = _counted(histogram.negative_spans, histogram.negative_deltas, histogram.negative_counts)
    zero = float(histogram.zero_count_float or histogram.zero_count_int)
    if not 0.0 <= zero < inf:
        raise DecodeError(Reject.NOT_FINITE, "a count that is no number")
    if histogram.schema == CUSTOM_BOUNDS:
        return _custom(histogram.custom_values, positive)
    if histogram.schema not in _SCHEMAS:
        raise DecodeError(Reject.UNSUPPORTED, "a schema of histograms that is not known")
    threshold = histogram.zero_threshold
    if not 0.0 <= threshold < inf:
        raise DecodeError(Reject.NOT_FINITE, "a zero threshold that is no number")
    scale = _coarsened((positive, negative), histogram.schema)
    below = list(_filled(negative, histogram.schema, scale))[::-1]
    above = list(_filled(positive, histogram.schema, scale))
    uppers = [(-upper, 0.0) for _, upper, _ in below[:1]] + [(-lower, count) for lower, _, count in below]
    if zero:
        uppers += [(-threshold, 0.0), (threshold, zero)] if threshold else [(0.0, zero)]
    uppers += [(lower, 0.0) for lower, _, _ in above[:1]] + [(upper, count) for _, upper, count in above]
    return _ascending(uppers)


def _counted(spans: Sequence[Span], deltas: Sequence[int], counts: Sequence[float]) -> dict[int, float]:
    """Index → count of the buckets that are not empty."""
    values: list[float] = list(counts) if counts else [float(total) for total in accumulate(deltas)]
    if sum(span.length for span in spans) != len(values) or len(values) > BUCKETS_READ_MAX:
        raise DecodeError(Reject.MALFORMED, "spans and counts of a histogram do not fit")
    if not all(0.0 <= value < inf for value in values):
        raise DecodeError(Reject.NOT_FINITE, "a count that is no number")
    found: dict[int, float] = {}
    index = place = 0
    for span in spans:
        index += span.offset
        for _ in range(span.length):
            if values[place]:
                found[index] = found.get(index, 0.0) + values[place]
            index += 1
            place += 1
    return found


def _coarsened(sides: tuple[dict[int, float], ...], schema: int) -> int:
    """The finest scale at which no side has more buckets, empty ones between others counted, than it may have."""
    scale = schema
    for side in sides:
        if side:
            while _at(max(side), schema - scale) - _at(min(side), schema - scale) >= SIDE_BUCKETS_MAX:
                scale -= 1
    return scale


def _at(index: int, halvings: int) -> int:
    """The index of the bucket that holds a bucket after so many joins of pairs; bucket i ends at the i-th bound."""
    return -(-index >> halvings)


def _filled(side: dict[int, float], schema: int, scale: int) -> Iterator[tuple[float, float, float]]:
    """Lower bound, upper bound and count of each bucket from the first to the last that is not empty."""
    joined: dict[int, float] = {}
    for index, count in side.items():
        place = _at(index, schema - scale)
        joined[place] = joined.get(place, 0.0) + count
    for index in range(min(joined), max(joined) + 1) if joined else ():
        yield bound(index - 1, scale), bound(index, scale), joined.get(index, 0.0)


def _custom(bounds: Sequence[float], counted: dict[int, float]) -> Buckets:
    if len(bounds) > BUCKETS_READ_MAX or any(not 0 <= index <= len(bounds) for index in counted):
        raise DecodeError(Reject.MALFORMED, "spans and bounds of a histogram do not fit")
    return _ascending([(upper, counted.get(index, 0.0)) for index, upper in enumerate([*bounds, inf])])


def _ascending(uppers: list[tuple[float, float]]) -> Buckets:
    """Buckets by their upper bounds in order: what lies at or below the one before it, or is infinite, is joined with its neighbour."""
    bounds: list[float] = []
    counts: list[float] = [0.0]
    for upper, count in uppers:
        counts[-1] += count
        if isfinite(upper) and (not bounds or upper > bounds[-1]):
            bounds.append(upper)
            counts.append(0.0)
    return Buckets(tuple(bounds), tuple(counts))


__all__ = ["Buckets", "buckets_of"]
