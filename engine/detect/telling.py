"""An episode as the message that tells of it."""

from __future__ import annotations

from typing import Final

from engine.detect.drafts import Moment
from engine.detect.episode import ERROR, WARN, Episode, Words
from engine.records import Alert, ModelRef, digest

SEVERE: Final = 3.0
"""A score from which an alert is an error, not a warning."""


def message(episode: Episode, words: Words, reason: str, model: ModelRef, moment: Moment) -> Alert:
    """The whole state. It never says a time older than the watermark that was told before it."""
    series = episode.series
    return Alert(
        id=episode.id,
        fingerprint=digest(series.tenant, series.key),
        state=episode.state,
        revision=episode.revision,
        series=series.key.decode(),
        name=series.name,
        labels=dict(series.labels),
        entity=series.entity,
        domain=series.domain,
        tenant=series.tenant,
        signal=series.signal,
        kind=episode.kind,
        direction=episode.direction,
        onset_ts_ns=episode.onset_ts_ns,
        opened_ts_ns=episode.opened_ts_ns,
        ts_ns=max(episode.ts_ns, moment.told_ns),
        seen_ts_ns=episode.last_ns,
        score=episode.score,
        peak_score=episode.peak,
        value=episode.value,
        expected=episode.expected,
        lower=episode.lower,
        upper=episode.upper,
        unit=series.unit,
        deviation=episode.deviation,
        step_seconds=episode.step_seconds,
        factors=episode.factors,
        severity=max(episode.severity, ERROR if episode.peak >= SEVERE else WARN),
        text=words.text,
        example=words.example,
        outlook=episode.outlook,
        reason=reason,
        model=model,
        stamp=moment.stamp(),
    )
