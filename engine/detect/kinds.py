"""What a kind of anomaly is called on a series that is not a measurement: counts and shares of lines have words of their own."""

from __future__ import annotations

from typing import Final

from engine.records import AnomalyKind, Series, Signal, ValueKind

_RATES: Final = {
    AnomalyKind.SPIKE: AnomalyKind.RATE_UP,
    AnomalyKind.LEVEL_UP: AnomalyKind.RATE_UP,
    AnomalyKind.DIP: AnomalyKind.RATE_DOWN,
    AnomalyKind.LEVEL_DOWN: AnomalyKind.RATE_DOWN,
}
_FALLS: Final = (AnomalyKind.DIP, AnomalyKind.LEVEL_DOWN, AnomalyKind.SHAPE, AnomalyKind.TREND, AnomalyKind.SEASONAL_MISS)
"""What detectors may call a count of lines that has fallen to nothing: people are told that it stopped."""
_NAMED: Final = {
    "log_odd_sessions": AnomalyKind.BROKEN_SEQUENCE,
    "log_severe_ratio": AnomalyKind.SEVERITY_MIX,
    "log_value": AnomalyKind.LINE_VALUE,
}
"""Series of which any anomaly has a word of its own."""


def word_for(series: Series, kind: AnomalyKind, value: float) -> AnomalyKind:
    """What a kind of anomaly is called on this series."""
    if series.signal is Signal.LOG and kind is not AnomalyKind.FLAT and series.name in _NAMED:
        return _NAMED[series.name]
    if series.kind is not ValueKind.COUNT:
        return kind
    if series.signal is Signal.LOG and value == 0.0 and kind in _FALLS:
        return AnomalyKind.STOPPED
    return _RATES.get(kind, kind)
