"""One objective that burns too fast: what the windows say, since when, how severe that is, in words, and as an alert."""

from __future__ import annotations

from math import isfinite
from typing import Final, NamedTuple

import numpy as np

from detectors.burn import PAIRS, RINGS, Burning
from engine.config.slo import Slo
from engine.correlate.promises import Episode, Promise
from engine.correlate.words import number, span
from engine.records import Alert, AlertState, AnomalyKind, ModelRef, Signal, Stamp, digest, series_key

MINUTE_NS: Final = 60_000_000_000
MINUTES_DAY: Final = 1440
SERIES: Final = "slo_errors_burn"
"""What the series of an objective is called: a symptom, as errors are, that travels to callers."""
KERNEL_ID: Final = digest("burn", *(repr(pair) for pair in PAIRS))[:16]
LAST_SECONDS: Final = 3600.0
CALM_MIN: Final = 5
_WARN, _ERROR, _FATAL = 13, 17, 21
_BACK_MAX: Final = 60
_PAUSE: Final = 3


class Verdict(NamedTuple):
    """The pair of windows that burns fastest against its limit, and whether that is too fast."""

    pair: int
    score: float  # 1.0: both windows at the limit
    is_hot: bool
    is_urgent: bool
    is_supported: bool


def verdict_of(judged: list[Burning], row: int, errors_min: int) -> Verdict:
    """The pair with the best claim to be told: too fast and supported before too fast, urgent before not, then by its score."""
    verdicts = []
    for place, found in enumerate(judged):
        score = min(float(found.longer[row]), float(found.shorter[row])) / float(found.limit[row])
        score = score if isfinite(score) else 0.0
        supported = bool(found.bad[row] >= errors_min)
        verdicts.append(Verdict(place, score, score >= 1.0, PAIRS[place].is_urgent, supported))
    return max(verdicts, key=lambda v: (v.is_hot and v.is_supported, v.is_hot, v.is_hot and v.is_urgent, v.score, -v.pair))


def onset_of(row: np.void, share: float, now: int) -> int:
    """Where it began: back through the minutes of the last hour of which at least half the present `share` was bad, over short pauses."""
    marks, size = row["minutes"], RINGS[0][2]
    began, pause = now - 1, 0
    for minute in range(now - 1, now - 1 - _BACK_MAX, -1):
        after, before = marks[(minute + 1) % size], marks[minute % size]
        bad, total = float(after["bad"] - before["bad"]), float(after["total"] - before["total"])
        if total > 0.0 and bad >= 0.5 * share * total:
            began, pause = minute, 0
        else:
            pause += 1
        if pause >= _PAUSE:
            break
    return began * MINUTE_NS


def note(episode: Episode, slo: Slo, found: Burning, verdict: Verdict, at: tuple[int, float]) -> None:
    """Take over what the windows say; `at` has the objective's row and what is left of its budget."""
    row, left = at
    episode.score, episode.peak = verdict.score, max(episode.peak, verdict.score)
    episode.burn_rate, episode.burn_rate_now = float(found.longer[row]), float(found.shorter[row])
    episode.pair = verdict.pair
    episode.window_seconds = 60.0 * PAIRS[verdict.pair].longer
    episode.limit = float(found.limit[row])
    episode.budget_left = left
    episode.seconds_left = max(left, 0.0) * slo.window / episode.burn_rate_now
    episode.severity = max(episode.severity, severity_of(verdict, episode.seconds_left))


def calm_needed(episode: Episode) -> int:
    """Minutes in a row without too many bad events after which it is over: half of the shorter window by which it was told."""
    return max(CALM_MIN, PAIRS[episode.pair].shorter // 2)


def severity_of(verdict: Verdict, seconds_left: float) -> int:
    """A warning where days are left to look at it; an error where it is urgent; fatal when it is urgent and nothing is left within an hour."""
    if not verdict.is_urgent:
        return _WARN
    return _FATAL if seconds_left <= LAST_SECONDS else _ERROR


def text_of(slo: Slo, episode: Episode) -> str:
    """It in words: how fast, and what is left."""
    rest = f"{episode.budget_left:.0%} of its budget left" if episode.budget_left > 0.0 else "nothing left of its budget"
    end = f", gone in {span(episode.seconds_left)}" if episode.budget_left > 0.0 else ""
    return f"SLO {slo.name} burns {number(episode.burn_rate)}x in {span(episode.window_seconds)}, {rest}{end}"


def alert_of(promise: Promise, slo: Slo, reason: str, ts_ns: int, stamp: Stamp) -> Alert:
    """The alert of an objective that has an episode, as it stands."""
    episode = promise.episode or Episode("", 0, 0)
    labels = (("slo", slo.name),)
    key = series_key(SERIES, labels)
    return Alert(
        id=episode.id,
        fingerprint=digest(promise.tenant, promise.domain, key),
        state=AlertState(episode.state),
        revision=episode.revision,
        series=key.decode(),
        name=SERIES,
        labels=dict(labels),
        entity=slo.entity,
        domain=promise.domain,
        tenant=promise.tenant,
        signal=Signal.METRIC,
        kind=AnomalyKind.SLO_BURN,
        direction=1,
        onset_ts_ns=episode.onset_ns,
        opened_ts_ns=episode.opened_ns,
        ts_ns=ts_ns,
        score=episode.score,
        peak_score=episode.peak,
        value=episode.burn_rate,
        expected=1.0,
        lower=0.0,
        upper=episode.limit,
        step_seconds=60.0,
        severity=episode.severity,
        text=text_of(slo, episode),
        example=f"{number(episode.burn_rate_now)}x in the shorter window, where {number(episode.limit)}x is too fast",
        reason=reason,
        model=ModelRef(kernel_id=KERNEL_ID, config_id=promise.meaning),
        stamp=stamp,
    )
