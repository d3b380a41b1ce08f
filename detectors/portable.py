"""Logarithms, exponentials and tails made of + - * / sqrt alone: the same bits on every processor and C library.

The C library's `exp` and `log` differ between processors with and without fused multiply-add, and numpy's between those
with and without AVX. State that is replayed elsewhere must not. Taking a float apart and putting it together is exact
everywhere; it is done on the bits, because `frexp` and `ldexp` are calls into the C library that cost a logarithm three
quarters of its time (27 against 7 ns) and keep the compiler from working on several at once. Series are summed as a tree (Estrin 1960), not
as a chain (Horner), because a kernel waits for the chain. Largest relative errors, measured against a 50-digit reference: see the tests.
"""

from __future__ import annotations

import math
from typing import Final

import numpy as np

from detectors.kernel import device, inlined

_LN2 = 0.6931471805599453
_LN2_HIGH = 0.6931471803691238  # exact in 32 bits, so that n * _LN2_HIGH is exact for |n| < 2**21
_LN2_LOW = 1.9082149292705877e-10
_LOG10_OF_E = 0.4342944819032518
FREEDOM: Final = 6.0
"""Degrees of freedom of a tail."""
_NORMAL_MIN: Final = 2.2250738585072014e-308
_FRACTION_BITS: Final = 52
_SQRT_HALF_BITS: Final = 0x3FE6_A09E_667F_3BCD  # of sqrt(1/2)
_BIAS: Final = 1023
_E: Final = tuple(1.0 / math.factorial(k) for k in range(15))


@inlined
def ln(x: float) -> float:
    """Natural logarithm of a finite x > 0; relative error below 4e-16 (absolute near 1). x <= 0 gives -745."""
    if not x > 0.0:
        return -745.0
    shift = 0
    if x < _NORMAL_MIN:
        x *= 18_014_398_509_481_984.0  # 2**54: a denormal has no exponent of its own
        shift = 54
    bits = int(np.float64(x).view(np.int64))
    exponent = (bits - _SQRT_HALF_BITS) >> _FRACTION_BITS  # whole powers of two above sqrt(1/2): no branch for the guess to miss
    fraction = float(np.int64(bits - (exponent << _FRACTION_BITS)).view(np.float64))
    exponent -= shift
    t = (fraction - 1.0) / (fraction + 1.0)  # |t| <= 0.172: ln(fraction) = 2 artanh(t), a series in t squared
    s = t * t
    s2 = s * s
    s4 = s2 * s2
    low = (1.0 / 3.0 + 1.0 / 5.0 * s) + (1.0 / 7.0 + 1.0 / 9.0 * s) * s2
    high = (1.0 / 11.0 + 1.0 / 13.0 * s) + (1.0 / 15.0 + 1.0 / 17.0 * s) * s2
    series = low + (high + 1.0 / 19.0 * s4) * s4
    return exponent * _LN2_HIGH + (2.0 * t + (2.0 * t * s * series + exponent * _LN2_LOW))


@inlined
def log10(x: float) -> float:
    """Decades: ln(x) / ln(10)."""
    return ln(x) * _LOG10_OF_E


@device
def log2(x: float) -> float:
    """Doublings: ln(x) / ln(2)."""
    return ln(x) / _LN2


@device
def exp(x: float) -> float:
    """Euler's number to the power x; relative error below 4e-16. Held to the range of normal floats: |x| beyond 700 counts as 700."""
    x = min(max(x, -700.0), 700.0)
    n = math.floor(x / _LN2 + 0.5)
    r = (x - n * _LN2_HIGH) - n * _LN2_LOW  # |r| <= 0.347
    r2 = r * r
    r4 = r2 * r2
    low = ((1.0 + _E[2] * r) + (_E[3] + _E[4] * r) * r2) + ((_E[5] + _E[6] * r) + (_E[7] + _E[8] * r) * r2) * r4
    high = ((_E[9] + _E[10] * r) + (_E[11] + _E[12] * r) * r2) + (_E[13] + _E[14] * r) * r4
    series = 1.0 + r * (low + high * (r4 * r4))  # r times: what is rounded before is worth a third
    power = float(np.int64((int(n) + _BIAS) << _FRACTION_BITS).view(np.float64))  # 2**n, a normal float
    return series * power


@inlined
def tail_decades(z: float) -> float:
    """How rare a deviation of z >= 0 robust scales is: -log10 P(|Z| > z) for P = (1 + z*z/6) ** -3.

    A Burr tail, falling like Student's t with six degrees of freedom. A Gaussian tail would make 8 scales rarer than
    the age of the universe, and operational metrics reach them weekly; six degrees stay useful before a series has
    taught its own tail. It grows without bound, so that the larger of two huge deviations always scores more.
    """
    z = min(z, 1e150)
    return 0.5 * FREEDOM * log10(1.0 + z * z / FREEDOM)


@device
def tail_distance(decades: float) -> float:
    """The inverse of `tail_decades`: how many scales are as rare as so many decades. Held to 100 decades."""
    d = min(max(decades, 0.0), 100.0)
    return math.sqrt(FREEDOM * (exp(2.0 * d / FREEDOM / _LOG10_OF_E) - 1.0))
