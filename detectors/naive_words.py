"""What all oracles speak of: a sample, a verdict, and the few formulas that they share."""

from __future__ import annotations

import math
from typing import NamedTuple

NAN = float("nan")


class Sample(NamedTuple):
    """One usable sample of the series: `dt` seconds after the one before, `seen` samples before it."""

    ts_ns: int
    civil_ns: int
    value: float
    dt: float
    step: float
    seen: int


class Verdict(NamedTuple):
    """What an oracle says of one sample; a bare one says nothing."""

    decades: float
    expected: float = NAN
    scale: float = NAN
    direction: int = 0


def tail_decades(z: float) -> float:
    return 3.0 * math.log10(1.0 + z * z / 6.0)


def sign(x: float) -> int:
    return (x > 0) - (x < 0)


def clamp(x: float, limit: float) -> float:
    return max(-limit, min(limit, x))
