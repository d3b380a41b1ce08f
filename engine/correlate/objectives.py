"""Service level objectives as a detector: what all shards counted is summed here, where all of it is in one log, and judged by the minute.

tally ──▶ running sums ──half a minute after each minute──▶ burn rates in four pairs of windows ──▶ alerts, impact, gauges

The alerts are this stage's own: silences, maintenance windows and grouping treat them as those of any detector, and they are told as members of
incidents. Each transition goes to the alerts topic too, where this stage passes over it. A minute is judged with what had come by then; what comes later counts in the next.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from heapq import heappush
from math import isfinite
from typing import Final

import numpy as np
from numpy.typing import NDArray

from detectors import burn
from detectors.burn import PAIRS, STATE, Burning
from engine.config.slo import Slo
from engine.correlate.burns import MINUTE_NS, MINUTES_DAY, alert_of, calm_needed, note, onset_of, verdict_of
from engine.correlate.impact import why
from engine.correlate.incidents import Book
from engine.correlate.places import TOLD
from engine.correlate.promises import Episode, Promise, Promises
from engine.correlate.state import LiveIncident
from engine.errors import StateError
from engine.metrics import Metric
from engine.ports import Columns
from engine.records import Alert, AlertState, Impact, Shard, Stamp, Tally, digest

TIMER: Final = "objectives"
PROMISES_MAX: Final = 1000
"""Objectives times domains in which anything was counted."""
WORSE: Final = 2.0
QUIET: Final = 6
"""Minutes without any event after which nothing is judged until there is one: the shortest window is empty then."""
_COUNT_MAX: Final = 1e15
_HALF_NS: Final = MINUTE_NS // 2
_COLUMN: Final = "objectives"


class Objectives:
    """The objectives of one shard of the correlate stage."""

    def __init__(self, shard: Shard, slos: Sequence[Slo], book: Book, columns: Columns, say: Callable[[Alert], None]) -> None:
        """`columns` are those of the snapshot that the book's state came from, if it did; `say` publishes an alert. Raises StateError."""
        self._shard = shard
        self._slos: Mapping[str, Slo] = {slo.name: slo for slo in slos}
        self._book = book
        self._say = say
        self._state: Promises = book.state.promises
        self._rows = self._restored(columns)
        book.timers[TIMER] = self._judge

    # ------------------------------------------------------------------------------------------ counts
    def take(self, tally: Tally) -> None:
        """What one shard counted in one minute. Of objectives that are not configured nothing is kept."""
        slo = self._slos.get(tally.slo)
        if slo is None or not (_is_count(tally.bad) and _is_count(tally.total)):
            return
        promise = self._promise(slo, tally)
        if promise is None:
            return
        minute = min(tally.bucket_ns, tally.ts_ns) // MINUTE_NS
        self._rows["bad"][promise.number] += tally.bad
        self._rows["total"][promise.number] += tally.total
        if not self._rows["first"][promise.number]:
            self._rows["first"][promise.number] = max(minute, 1)
        self._state.tallied = max(self._state.tallied, minute)
        if not self._state.due:
            self._due(max(minute + 1, self._state.marked + 1))

    def _promise(self, slo: Slo, tally: Tally) -> Promise | None:
        name = f"{tally.domain}/{slo.name}"
        promise = self._state.by_name.get(name)
        if promise is None:
            number = len(self._state.by_name)
            if number >= PROMISES_MAX:
                self._book.stats.count(Metric.LIMITS_REACHED, 1, "objectives_max")
                return None
            if number >= len(self._rows):
                longer = np.zeros(max(2 * len(self._rows), 4), STATE)
                longer[: len(self._rows)] = self._rows
                self._rows = longer
            promise = self._state.by_name[name] = Promise(slo.name, tally.domain, tally.tenant, number, _meaning(slo))
        return promise

    def _due(self, minute: int) -> None:
        self._state.due = minute
        heappush(self._book.state.due, (minute * MINUTE_NS + _HALF_NS, TIMER))

    # ------------------------------------------------------------------------------------------ judging
    def _judge(self, at_ns: int) -> None:
        """A minute is over for all objectives."""
        state, now = self._state, at_ns // MINUTE_NS
        state.due = 0
        rows = self._rows[: len(state.by_name)]
        burn.mark(self._rows, state.marked, now)
        state.marked = now
        promises = list(state.by_name.values())
        budget = np.array([1.0 - self._slos[promise.slo].objective for promise in promises])
        window = np.array([self._slos[promise.slo].window / 60.0 for promise in promises])
        fresh = rows["bad"] - np.array([promise.told_bad for promise in promises])
        judged = [burn.judge(rows, budget, window, pair, now, fresh) for pair in PAIRS]
        left = burn.left(rows, budget, window, now)
        for promise in promises:
            self._live(promise, judged, float(left[promise.number]), now)
        if any(promise.episode is not None for promise in promises) or now - state.tallied <= QUIET:
            self._due(now + 1)

    def _live(self, promise: Promise, judged: list[Burning], left: float, now: int) -> None:
        """Let one objective's alert begin, go on, or end."""
        slo, number = self._slos[promise.slo], promise.number
        verdict = verdict_of(judged, number, slo.errors_min)
        self._gauge(promise, judged, left)
        if verdict.is_hot and not verdict.is_supported:
            self._book.stats.count(Metric.GATED, 1, "low_support")
        hot = verdict.is_hot and verdict.is_supported and bool(judged[0].shorter[number] >= 1.0)
        episode = promise.episode
        if episode is None:
            if hot:
                self._begin(promise, judged, left, now)
            return
        before, was = episode.severity, episode.state
        if hot:
            note(episode, slo, judged[verdict.pair], verdict, (number, left))
        reason = self._next(episode, hot=hot, is_heard=bool(judged[0].counted[number] > 0.0), now=now)
        faster = episode.severity > before or episode.score >= WORSE * episode.told_score
        if faster and episode.state is was:
            reason = "worse"
        self._tell(promise, episode, reason, now, is_news=faster or episode.state is not was)
        if faster:
            episode.told_score = episode.score
            self._news(promise, f"slo {promise.slo} burns faster")

    def _begin(self, promise: Promise, judged: list[Burning], left: float, now: int) -> None:
        slo, number = self._slos[promise.slo], promise.number
        verdict = verdict_of(judged, number, slo.errors_min)
        share = float(judged[verdict.pair].shorter[number]) * (1.0 - slo.objective)
        key = digest(promise.tenant, promise.domain, slo.name, now)
        episode = promise.episode = Episode(key, now * MINUTE_NS, onset_of(self._rows[number], share, now), heard=now)
        note(episode, slo, judged[verdict.pair], verdict, (number, left))
        episode.told_score = episode.score
        self._tell(promise, episode, "burning", now, is_news=True)
        self._news(promise, f"slo {promise.slo} burns")

    def _next(self, episode: Episode, *, hot: bool, is_heard: bool, now: int) -> str:
        """Move the state of an episode; the reason. Without any event nothing is over, only unknown, for a day."""
        if is_heard:
            episode.heard = now
            was = episode.state
            episode.state = AlertState.FIRING
            episode.calm = 0 if hot else episode.calm + 1
            if episode.calm >= calm_needed(episode):
                episode.state = AlertState.RESOLVED
                return "recovered"
            return "returned" if was is AlertState.UNKNOWN else "burning"
        if now - episode.heard >= MINUTES_DAY:
            episode.state = AlertState.RESOLVED
            return "retired"
        episode.state = AlertState.UNKNOWN
        return "silent"

    def _tell(self, promise: Promise, episode: Episode, reason: str, now: int, *, is_news: bool) -> None:
        """The alert as it stands, to this stage's own book each minute, so that it never runs out of its lease; to others when it is news."""
        state = self._book.state
        episode.revision += 1
        stamp = Stamp(self._shard.topic, self._shard.partition, state.offset, state.seq)
        ts_ns = max(state.now_ns, now * MINUTE_NS)
        alert = alert_of(promise, self._slos[promise.slo], reason, ts_ns, stamp)
        if is_news:
            self._say(alert)
        self._book.alert(alert)
        if episode.state is AlertState.RESOLVED:
            promise.episode, promise.told_bad = None, float(self._rows["bad"][promise.number])

    # ------------------------------------------------------------------------------------------ impact
    def _news(self, promise: Promise, reason: str) -> None:
        """Incidents that hurt an objective are told anew when it begins to burn, or burns faster."""
        for incident in list(self._book.state.incidents.values()):
            if incident.state in TOLD and self._why(incident, promise):
                self._book.tell(incident, reason)

    def _why(self, incident: LiveIncident, promise: Promise) -> str:
        episode = promise.episode
        if episode is None or promise.domain != incident.domain:
            return ""
        return why(incident, self._slos[promise.slo], episode, self._book)

    def hurt(self, incident: LiveIncident) -> None:
        """Renew what an incident does to objectives; it is at least as severe as that."""
        if incident.state not in TOLD:
            return
        for promise in self._state.by_name.values():
            episode, because = promise.episode, self._why(incident, promise)
            if episode is None or not because:
                continue
            incident.severity = max(incident.severity, episode.severity)
            incident.impact[promise.slo] = Impact(
                slo=promise.slo,
                entity=self._slos[promise.slo].entity,
                burn_rate=episode.burn_rate,
                burn_rate_now=episode.burn_rate_now,
                window_seconds=episode.window_seconds,
                budget_left=episode.budget_left,
                seconds_left=episode.seconds_left,
                because=because,
            )

    # ------------------------------------------------------------------------------------------ gauges
    def _gauge(self, promise: Promise, judged: list[Burning], left: float) -> None:
        stats, slo = self._book.stats, self._slos[promise.slo]
        for pair, found in zip(PAIRS, judged, strict=True):
            for minutes, rate in ((pair.longer, found.longer), (pair.shorter, found.shorter)):
                stats.gauge(Metric.SLO_BURN, float(rate[promise.number]), promise.domain, slo.name, _window_name(minutes))
        stats.gauge(Metric.SLO_BUDGET, left, promise.domain, slo.name)
        speed = float(judged[0].longer[promise.number])
        seconds = max(left, 0.0) * slo.window / speed if speed > 0.0 else float("nan")
        stats.gauge(Metric.SLO_SECONDS, seconds, promise.domain, slo.name)

    # ------------------------------------------------------------------------------------------ snapshots
    def snapshot(self) -> dict[str, NDArray[np.generic]]:
        """The counts; everything else is in the stage's state."""
        rows = self._rows[: len(self._state.by_name)]
        return {_COLUMN: np.frombuffer(rows.tobytes(), np.uint8).copy()} if len(rows) else {}

    def _restored(self, columns: Columns) -> NDArray[np.void]:
        """The rows that were saved, of the objectives that are configured still, and mean the same."""
        raw = columns[_COLUMN].tobytes() if _COLUMN in columns else b""
        if len(raw) != len(self._state.by_name) * STATE.itemsize:
            raise StateError("the counts of the objectives are torn")
        saved = np.frombuffer(raw, STATE)
        kept = {name: promise for name, promise in self._state.by_name.items() if promise.slo in self._slos}
        rows = np.zeros(len(kept), STATE)
        for number, promise in enumerate(kept.values()):
            if not 0 <= promise.number < len(saved):
                raise StateError("the counts of the objectives are torn")
            meaning = _meaning(self._slos[promise.slo])
            if promise.meaning == meaning:
                rows[number] = saved[promise.number]
            else:
                promise.told_bad = 0.0
            promise.number, promise.meaning = number, meaning
        self._state.by_name = kept
        return rows


def _window_name(minutes: int) -> str:
    return f"{minutes}m" if minutes < 60 else f"{minutes // 60}h" if minutes < MINUTES_DAY else f"{minutes // MINUTES_DAY}d"


def _is_count(value: float) -> bool:
    return isfinite(value) and abs(value) < _COUNT_MAX


def _meaning(slo: Slo) -> str:
    """Equal for objectives that count the same."""
    return digest(slo.entity, slo.total, slo.errors, slo.good, slo.series, repr(slo.at_most))[:16]
