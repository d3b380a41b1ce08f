"""Where the buckets of exponential histograms end, to the same bits on every machine: no power function, only roots and products.

A bound is 2 ^ (index / 2 ^ scale). It is put together from the binary digits of its exponent, so that the bounds of a coarser scale are
bounds of every finer one, bit by bit: a histogram that changes its scale can still be compared with itself.
"""

from __future__ import annotations

from math import inf, ldexp, sqrt
from typing import Final

SCALE_MIN: Final = -10
SCALE_MAX: Final = 20


def _roots() -> tuple[float, ...]:
    roots = [2.0]
    for _ in range(SCALE_MAX):
        roots.append(sqrt(roots[-1]))
    return tuple(roots)


_ROOTS: Final = _roots()
"""2 ^ (1 / 2 ^ n)."""


def bound(index: int, scale: int) -> float:
    """2 ^ (index / 2 ^ scale): infinite or 0 beyond what a float can hold. Scales from SCALE_MIN to SCALE_MAX.

    >>> bound(3, 0), bound(1, 1) == 2**0.5, bound(-4, 2)
    (8.0, True, 0.5)
    """
    if scale <= 0:
        return _power(index << -scale, 1.0)
    found, rest, place = 1.0, index & ((1 << scale) - 1), scale
    while rest:
        if rest & 1:
            found *= _ROOTS[place]
        rest >>= 1
        place -= 1
    return _power(index >> scale, found)


def _power(exponent: int, factor: float) -> float:
    if exponent > 1023:
        return inf
    return ldexp(factor, exponent) if exponent > -1070 else 0.0
