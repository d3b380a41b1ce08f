"""Histograms of OTLP as buckets with explicit bounds.

An exponential histogram has a bucket for each power of 2^(2^-scale), and its scale and range follow what was measured. Here it
is brought to at most 64 buckets whose bounds lie on one grid (eighths of an octave, or coarser), and whose range begins and ends
at whole octaves: so the bounds of a series rarely change. Halving the scale joins pairs of buckets, which loses nothing but
resolution. Bounds come from a table and exact powers of two: equal bits on every processor.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from itertools import pairwise
from math import inf, isfinite, ldexp
from typing import Any, Final

from connectors.codecs.otlp_common import number_of
from engine.errors import DecodeError, Reject
from engine.octaves import EIGHTHS

BOUNDS_MAX: Final = 512
"""Explicit bounds of one point."""
POWERS_MAX: Final = 20_000
"""Buckets of one side of an exponential histogram; SDKs make at most 160."""
BUCKETS_MAX: Final = 64
SCALE_MAX: Final = 3
SCALE_MIN: Final = -10
SCALES_MAX: Final = 20
"""Scales that SDKs use: at -10 two buckets hold all doubles."""
_ALIGN: Final = 4
"""The range of a side begins and ends at multiples of so many buckets."""

Shape = tuple[tuple[float, ...], tuple[float, ...]]
"""n - 1 upper bounds, ascending and finite, and n counts."""


def explicit(point: Any) -> Shape:
    """The buckets of a histogram point. Raises DecodeError when its bounds and counts do not belong together."""
    bounds = tuple(float(bound) for bound in map(number_of, point.explicit_bounds))
    counts = tuple(float(count) for count in point.bucket_counts)
    if not counts and not bounds:
        counts = (float(point.count),)
    if len(bounds) > BOUNDS_MAX:
        raise DecodeError(Reject.TOO_MANY_FIELDS, f"more than {BOUNDS_MAX} bounds of a histogram")
    if len(counts) != len(bounds) + 1:
        raise DecodeError(Reject.WRONG_TYPE, "a histogram's counts and bounds do not belong together")
    if bounds and bounds[-1] == inf:  # the last bucket has no bound: some senders say so
        bounds, counts = bounds[:-1], (*counts[:-2], counts[-2] + counts[-1])
    if not all(map(isfinite, bounds)) or any(a >= b for a, b in pairwise(bounds)):
        raise DecodeError(Reject.WRONG_TYPE, "a histogram's bounds do not ascend")
    if min(counts) < 0.0:
        raise DecodeError(Reject.WRONG_TYPE, "a histogram with counts below zero")
    return bounds, counts


def exponential(point: Any) -> Shape:
    """The buckets of an exponential point. Raises DecodeError for what the specification does not allow."""
    sides = point.negative, point.positive
    if not SCALE_MIN <= point.scale <= SCALES_MAX or any(len(side.bucket_counts) > POWERS_MAX for side in sides):
        raise DecodeError(Reject.WRONG_TYPE, "an exponential histogram beyond the scales and buckets that there are")
    used = [_used(side.offset, side.bucket_counts) for side in sides]
    room = (BUCKETS_MAX - 4) // max(sum(1 for part in used if part), 1)
    less = max(point.scale - SCALE_MAX, 0)
    while any(_width(part, less) > room for part in used):
        less += 1
    scale = point.scale - less
    negative, positive = (_joined(part, less) for part in used)
    zeros = float(point.zero_count)
    if zeros < 0.0 or any(count < 0.0 for part in (negative, positive) for count in part.values()):
        raise DecodeError(Reject.WRONG_TYPE, "an exponential histogram with counts below zero")
    bounds: list[float] = []
    counts: list[float] = []
    if negative:
        first, end = _range(negative)
        bounds += [-_power(index, scale) for index in range(end, first - 1, -1)]
        counts += [0.0, *(negative.get(index, 0.0) for index in range(end - 1, first - 1, -1))]
    first, end = _range(positive) if positive else (0, 0)
    counts.append(zeros)
    if positive:
        bounds += [_power(index, scale) for index in range(first, end + 1)]
        counts += [positive.get(index, 0.0) for index in range(first, end)]
    else:
        bounds.append(max(number_of(point.zero_threshold), 0.0))
    return _tidied(bounds, [*counts, 0.0])


def _tidied(bounds: list[float], counts: list[float]) -> Shape:
    """Without bounds beyond the doubles, and without equal ones (zeros below the doubles): their buckets are joined."""
    kept: list[float] = []
    joined = [0.0]
    for bound, count in zip(bounds, counts, strict=False):
        joined[-1] += count
        if isfinite(bound) and not (kept and bound <= kept[-1]):
            kept.append(bound)
            joined.append(0.0)
    joined[-1] += counts[-1]
    return tuple(kept), tuple(joined)


def _used(offset: int, counts: Sequence[int]) -> dict[int, int]:
    """Index → count, of the buckets that are not empty."""
    return {offset + at: count for at, count in enumerate(counts) if count}


def _joined(part: dict[int, int], less: int) -> dict[int, float]:
    """At each scale less two buckets are one: bucket i reaches from base^i to base^(i+1)."""
    joined: dict[int, float] = {}
    for index, count in part.items():
        joined[index >> less] = joined.get(index >> less, 0.0) + count
    return joined


def _range(part: Collection[int], less: int = 0) -> tuple[int, int]:
    """The first bucket and the one after the last, put outward to multiples."""
    return (min(part) >> less) // _ALIGN * _ALIGN, ((max(part) >> less) // _ALIGN + 1) * _ALIGN


def _width(part: Collection[int], less: int) -> int:
    if not part:
        return 0
    first, end = _range(part, less)
    return end - first


def _power(index: int, scale: int) -> float:
    """base^index at a scale of at most 3; infinite and zero beyond the doubles."""
    eighths = index << (SCALE_MAX - scale)
    octave = eighths >> SCALE_MAX
    if octave > 1023:
        return inf
    return ldexp(EIGHTHS[eighths & 7], max(octave, -1080))
