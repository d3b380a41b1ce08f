"""Episodes of what is ahead: told before the fact, told again as it comes near, over when it will not come to pass."""

from __future__ import annotations

from math import isnan
from typing import Final, NamedTuple

from engine.detect.alerts import WORSE, Episodes
from engine.detect.drafts import Moment
from engine.detect.episode import Episode
from engine.records import Alert, AlertState, AnomalyKind, Outlook, Series

_WARN, _ERROR, _FATAL = 13, 17, 21
URGENT_SECONDS: Final = 86_400.0
LAST_SECONDS: Final = 3600.0


class Foreseen(NamedTuple):
    """What is ahead of one series."""

    ts_ns: int
    onset_ts_ns: int
    value: float
    band: tuple[float, float, float] | None  # what would have been usual: value, lower, upper
    score: float
    evidence: float  # standard errors of the trend, positive toward its end
    decades: float
    outlook: Outlook
    expires: bool


class Foresight(Episodes):
    """Implements the episodes of forecasts; they have no model that could be quarantined."""

    def foresee(self, series: Series, seen: Foreseen, step_seconds: float, moment: Moment) -> Alert | None:
        """Fires at the first call for a series; later ones are told when the end has come much nearer, or nearer than a day or an hour."""
        episode = self.by_key.get(series.key)
        if episode is None or episode.state is AlertState.RESOLVED:
            if episode is not None and episode.leaving:
                return None
            episode = self._open(series, -1, episode)
            episode.onset_ts_ns, episode.step_seconds = seen.onset_ts_ns, float(step_seconds)
            _note(episode, seen)
            return self._fire(episode, "forecast", moment)
        before = episode.severity
        _note(episode, seen)
        if episode.severity > before or seen.score >= WORSE * episode.told_score:
            return self._tell(episode, "worse", moment)
        return None

    def over(self, key: bytes, ts_ns: int, moment: Moment) -> Alert | None:
        """The trend has ended."""
        episode = self.by_key.get(key)
        if episode is None or episode.state is not AlertState.FIRING:
            return None
        episode.ts_ns = ts_ns
        return self._resolve(episode, "recovered", moment)


def _note(episode: Episode, seen: Foreseen) -> None:
    episode.kind = AnomalyKind.TREND
    slope = seen.outlook.slope_per_hour
    episode.direction = -1 if seen.expires else (slope > 0.0) - (slope < 0.0)
    episode.ts_ns = seen.ts_ns
    episode.score, episode.peak = seen.score, max(episode.peak, seen.score)
    episode.value = seen.value
    if seen.band is not None:
        episode.expected, episode.lower, episode.upper = seen.band
    episode.deviation = episode.direction * abs(seen.evidence)
    episode.factors = {"forecast": seen.decades}
    episode.outlook = seen.outlook
    episode.text = text_of(seen)
    episode.severity = max(episode.severity, severity_of(seen.outlook.seconds))


def severity_of(seconds: float | None) -> int:
    """The nearer the end, the more severe: a warning, within a day an error, within an hour fatal."""
    if seconds is None or seconds > URGENT_SECONDS:
        return _WARN
    return _ERROR if seconds > LAST_SECONDS else _FATAL


def text_of(seen: Foreseen) -> str:
    """The prediction in words: how fast, since when, and when it ends."""
    outlook = seen.outlook
    if seen.expires:
        return f"expires in {span(outlook.seconds or 0.0)}"
    verb = "rises" if outlook.slope_per_hour > 0.0 else "falls"
    speed = f"{verb} {figure(abs(outlook.slope_per_hour))} an hour, for {span((seen.ts_ns - seen.onset_ts_ns) * 1e-9)} now"
    if outlook.seconds is None or outlook.bound is None:
        usual = seen.band[0] if seen.band is not None else 0.0
        return f"{speed}: {figure(seen.value)} where {figure(usual)} would be usual"
    late = span(outlook.seconds_late) if outlook.seconds_late is not None else "a week or more"
    early = span(outlook.seconds_early if outlook.seconds_early is not None else outlook.seconds)
    return f"reaches {figure(outlook.bound)} in about {span(outlook.seconds)} ({early} to {late}): {speed}"


def span(seconds: float) -> str:
    """Seconds in words.

    >>> span(5400.0), span(90.0), span(300_000.0)
    ('1.5 h', '2 min', '3.5 days')
    """
    if seconds < 3600.0:
        return f"{max(seconds, 0.0) / 60.0:.0f} min"
    return f"{seconds / 3600.0:.3g} h" if seconds < 172_800.0 else f"{seconds / 86_400.0:.2g} days"


def figure(value: float) -> str:
    """A number for people.

    >>> figure(0.51234), figure(73_400_320.0), figure(100.0)
    ('0.512', '7.34e+07', '100')
    """
    return "unknown" if isnan(value) else f"{value:.3g}"
