"""Eighths of an octave: bounds of buckets whose quantiles are within 9 %, to the same bits on every machine."""

from __future__ import annotations

from typing import Final

EIGHTHS: Final = (
    1.0,
    1.0905077326652577,
    1.189207115002721,
    1.2968395546510096,
    1.4142135623730951,
    1.5422108254079407,
    1.681792830507429,
    1.8340080864093424,
)
"""2^(k/8), rounded correctly."""
