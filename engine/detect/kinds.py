"""What an anomaly is called on its series, where the words of the detectors are not what people call it."""

from __future__ import annotations

from typing import Final

from engine.records import AnomalyKind, Series, Signal, ValueKind

SILENT_LINES: Final = 20.0
"""So many lines must have been due since the last one before they are said to have stopped: a tenth of them would hardly all stay away."""
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


def word_for(series: Series, kind: AnomalyKind, value: float, awaited: float = SILENT_LINES) -> AnomalyKind:
    """What a kind of anomaly is called on this series; `awaited`: what was expected since it last counted anything."""
    if series.signal is Signal.LOG and kind is not AnomalyKind.FLAT and series.name in _NAMED:
        return _NAMED[series.name]
    if series.kind is not ValueKind.COUNT:
        return kind
    if series.signal is Signal.LOG and value == 0.0 and kind in _FALLS and awaited >= SILENT_LINES:
        return AnomalyKind.STOPPED
    return _RATES.get(kind, kind)
