"""Logarithms, exponentials and tails made of + - * / sqrt alone: the same bits on every processor and C library.

The C library's `exp` and `log` differ between processors with and without fused multiply-add, and numpy's between those
with and without AVX. State that is replayed elsewhere must not. Taking a float apart (`frexp`) and putting it together
(`ldexp`) is exact everywhere. Largest relative errors, measured against a 50-digit reference: see the tests.
"""

from __future__ import annotations

import math

from detectors.kernel import device

_LN2 = 0.6931471805599453
_LN2_HIGH = 0.6931471803691238  # exact in 32 bits, so that n * _LN2_HIGH is exact for |n| < 2**21
_LN2_LOW = 1.9082149292705877e-10
_LOG10_OF_E = 0.4342944819032518
_SQRT_HALF = 0.7071067811865476
_FREEDOM = 6.0


@device
def ln(x: float) -> float:
    """Natural logarithm of a finite x > 0; relative error below 4e-16 (absolute near 1). x <= 0 gives -745."""
    if not x > 0.0:
        return -745.0
    fraction, exponent = math.frexp(x)
    if fraction < _SQRT_HALF:
        fraction *= 2.0
        exponent -= 1
    t = (fraction - 1.0) / (fraction + 1.0)  # |t| <= 0.172: ln(fraction) = 2 artanh(t), a series in t squared
    s = t * t
    series = 1.0 / 19.0
    series = series * s + 1.0 / 17.0
    series = series * s + 1.0 / 15.0
    series = series * s + 1.0 / 13.0
    series = series * s + 1.0 / 11.0
    series = series * s + 1.0 / 9.0
    series = series * s + 1.0 / 7.0
    series = series * s + 1.0 / 5.0
    series = series * s + 1.0 / 3.0
    return exponent * _LN2_HIGH + (2.0 * t + (2.0 * t * s * series + exponent * _LN2_LOW))


@device
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
    series = 1.0
    for k in range(14, 0, -1):
        series = 1.0 + series * r / k
    return math.ldexp(series, int(n))


@device
def tail_decades(z: float) -> float:
    """How rare a deviation of z >= 0 robust scales is: -log10 P(|Z| > z) for P = (1 + z*z/6) ** -3.

    A Burr tail, falling like Student's t with six degrees of freedom. A Gaussian tail would make 8 scales rarer than
    the age of the universe, and operational metrics reach them weekly; six degrees stay useful before a series has
    taught its own tail. It grows without bound, so that the larger of two huge deviations always scores more.
    """
    z = min(z, 1e150)
    return 0.5 * _FREEDOM * log10(1.0 + z * z / _FREEDOM)


@device
def tail_distance(decades: float) -> float:
    """The inverse of `tail_decades`: how many scales are as rare as so many decades. Held to 100 decades."""
    d = min(max(decades, 0.0), 100.0)
    return math.sqrt(_FREEDOM * (exp(2.0 * d / _FREEDOM / _LOG10_OF_E) - 1.0))
