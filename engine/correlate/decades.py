"""Logarithm and softmax from plain arithmetic, so that probabilities are the same bits on every machine.

>>> round(decades(1000.0), 9)
3.0
>>> [round(share, 6) for share in softmax([0.0, 0.0])]
[0.5, 0.5]
"""

from __future__ import annotations

import math
from collections.abc import Sequence

_LN2 = 0.6931471805599453
_LN10 = 2.302585092994046
_SQRT_HALF = 0.7071067811865476
_EXP_MAX = 700.0


def ln(value: float) -> float:
    """Natural logarithm of a positive number: exact split into mantissa and exponent, then the series of artanh."""
    mantissa, exponent = math.frexp(value)
    if mantissa < _SQRT_HALF:
        mantissa, exponent = mantissa * 2.0, exponent - 1
    ratio = (mantissa - 1.0) / (mantissa + 1.0)
    square = ratio * ratio
    total = 0.0
    for k in range(21, 0, -2):
        total = total * square + 1.0 / k
    return 2.0 * ratio * total + exponent * _LN2


def decades(value: float) -> float:
    """Logarithm to base 10 of a positive number."""
    return ln(value) / _LN10


def exp(value: float) -> float:
    """The exponential; beyond ±700 the ends of the range."""
    value = min(max(value, -_EXP_MAX), _EXP_MAX)
    twos = int(value / _LN2 + (0.5 if value >= 0 else -0.5))
    rest = value - twos * _LN2
    total = 1.0
    for k in range(17, 0, -1):
        total = 1.0 + rest * total / k
    return math.ldexp(total, twos)


def softmax(scores: Sequence[float]) -> list[float]:
    """Shares that sum to 1, each in proportion to exp(score)."""
    top = max(scores, default=0.0)
    powers = [exp(score - top) for score in scores]
    total = sum(powers)
    return [power / total for power in powers]
