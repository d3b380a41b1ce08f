"""The life of an alert: pending → firing → resolved, or unknown while its input is silent.

    pending ──confirmed, strong──▶ firing ──recovered, adopted──▶ resolved
                                    │  ▲                              ▲
                              silent│  │returned                      │ recovered, retired
                                    ▼  │                              │
                                   unknown ────────────────────────────

Missing data resolves nothing but what it began: a series that is given up for good (`idle_after`) ends as `retired`. What an
alert asks of its model (quarantine, discard, adopt) is done at the next tick, for all series at once: so scoring runs over
whole batches, and still gives the same bits however they are cut.
"""

from __future__ import annotations

from collections.abc import Callable
from math import isnan
from typing import Final

import msgspec

from engine.config.tree import Detect
from engine.detect.drafts import Moment
from engine.detect.episode import SIGHTINGS, Ask, Episode, Sighting, Words, excursion_of, is_echo
from engine.detect.gates import Gate, Judged, confirmed, flapping, settling
from engine.detect.memory import Excursion, Memories, Past
from engine.detect.telling import message
from engine.records import LASTING, ONCE, OVERDUE, Alert, AlertState, AnomalyKind, ModelRef, Series, digest

STRONG: Final = 1.7
"""A score from which one sample is enough."""
WORSE: Final = 2.0
"""A firing alert is told again when its score has grown by this factor."""
FLAPS: Final = 3
FLAP_WINDOW_NS: Final = 3_600_000_000_000
SHORT_NS: Final = 3_600_000_000_000
"""What lasts longer is an outage to be kept out of every model, not something that may happen at this hour."""
RETURNS: Final = 2
"""Samples after which silence is over."""
_SECOND_NS: Final = 1_000_000_000
_AT_ONCE: Final = -(2**63)
_NEVER: Final = 2**63 - 1
_TOLD: Final = frozenset({AlertState.FIRING, AlertState.UNKNOWN})


class Episodes:
    """All open episodes of a shard, and those that ended within the flapping window. What they ask waits for the tick."""

    def __init__(
        self,
        config: Detect,
        kernel_id: str,
        config_id: str,
        epoch_of: Callable[[int], int],
        civil_of: Callable[[int], int] = int,
    ) -> None:
        """`civil_of` turns an event time into civil time, both in ns; without it people live by UTC."""
        self._config = config
        self._civil_of = civil_of
        self._mask = (1 << config.confirm_of) - 1
        self._adopt_ns = int(config.adopt_after * _SECOND_NS)
        self._lease_ns = int(config.lease * _SECOND_NS) // 3
        self._kernel_id = kernel_id
        self._epoch_of = epoch_of
        self._config_id = config_id
        self.by_key: dict[bytes, Episode] = {}
        self.memories = Memories()
        self._asks: list[tuple[bytes, int, Ask]] = []
        self.lease_at_ns = 0
        """No alert is told again before this log time; 0 unknown."""
        self._sweep_at_ns = _AT_ONCE  # event time before which a sweep finds nothing
        self.words_of: Callable[[Series], Words] = _own_words
        """What is said of a series whose episode has no words of its own."""

    # ------------------------------------------------------------------------------------------ samples
    def observe(self, series: Series, slot: int, judged: Judged, gate: Gate, moment: Moment) -> tuple[Gate, Alert | None]:
        """Take one scored sample; returns the gate that decided in the end, and the transition if there is one."""
        episode = self.by_key.get(series.key)
        if episode is None or (episode.state is AlertState.RESOLVED and not episode.leaving):
            if judged.score < 1.0 or gate is not Gate.PASSED or isnan(judged.score):
                return gate, None
            if settling(judged):
                return Gate.RESTARTED, None
            episode = self._open(series, slot, episode)
        if episode.leaving:
            return gate, None
        episode.ts_ns = judged.ts_ns
        anomalous = judged.score >= 1.0 and gate is Gate.PASSED and not is_echo(episode, judged)
        if episode.state is AlertState.PENDING:
            return self._pending(episode, judged, anomalous, gate, moment)
        if episode.kind is AnomalyKind.GAP and episode.value is None:
            return gate, self._heard_again(episode, moment)
        if anomalous:
            return gate, self._still(episode, judged, moment)
        if isnan(judged.score):
            return gate, None
        episode.healthy += 1
        if episode.healthy < self._config.recover:
            return gate, None
        return gate, self._resolve(episode, "recovered", moment)

    def passes(self, key: bytes, ts_ns: int, score: float) -> bool:
        """Take an ordinary sample (its score is below 1.0, or NaN) where nothing else of it matters; False: `observe` it."""
        episode = self.by_key.get(key)
        if episode is None:
            return True
        if episode.kind in SIGHTINGS:
            return False
        if episode.leaving or episode.state is AlertState.RESOLVED:
            return True
        if episode.state is AlertState.PENDING:
            episode.ts_ns = ts_ns
            self._ordinary(episode)
            return True
        if episode.kind is AnomalyKind.GAP or (episode.healthy + 1 >= self._config.recover and not isnan(score)):
            return False
        episode.ts_ns = ts_ns
        episode.healthy += not isnan(score)
        return True

    def _ordinary(self, episode: Episode) -> None:
        """One more sample of an alert that is not told yet, which is no anomaly: it is forgotten after enough of them."""
        episode.history = episode.history << 1 & self._mask
        if not episode.history:
            self._forget(episode)

    def _open(self, series: Series, slot: int, former: Episode | None) -> Episode:
        fired_ns = former.fired_ns if former is not None else []
        episode = self.by_key[series.key] = Episode(series, slot, AlertState.PENDING, fired_ns=fired_ns)
        return episode

    def _pending(
        self, episode: Episode, judged: Judged, anomalous: bool, gate: Gate, moment: Moment
    ) -> tuple[Gate, Alert | None]:
        if not anomalous:
            self._ordinary(episode)
            return gate, None
        episode.history = (episode.history << 1 | 1) & self._mask
        key = episode.series.key
        if not episode.onset_ts_ns:
            episode.onset_ts_ns = self.memories.onset(key, judged.onset_ts_ns, judged.ts_ns)
        episode.note(judged)
        known = self._known(episode, judged)
        if known is not Gate.PASSED:
            return known, None
        strong = judged.score >= STRONG
        if not strong and not confirmed(episode.history, self._config.confirm):
            return Gate.UNCONFIRMED, None
        if flapping(episode.fired_ns, judged.ts_ns, FLAP_WINDOW_NS, FLAPS):
            return Gate.FLAPPING, None
        self._ask(episode, Ask.QUARANTINE)
        episode.once = episode.history.bit_count() == 1
        return gate, self._fire(episode, ONCE if episode.once else "confirmed", moment)

    def _known(self, episode: Episode, judged: Judged) -> Gate:
        """Whether the past of the series says that an anomaly is no news: its former level, or a habit. PASSED when it is news."""
        key = episode.series.key
        if judged.kind is not AnomalyKind.FLAT and self.memories.is_back(key, judged.value, judged.ts_ns):
            if confirmed(episode.history, self._config.confirm):
                self._ask(episode, Ask.UNDO)
                episode.state, episode.leaving = AlertState.RESOLVED, True
                self._sweep_at_ns = _AT_ONCE
            return Gate.RETURNED
        if not (self.memories.has_habits(key) and self.memories.recurs(key, excursion_of(episode, self._civil_of))):
            return Gate.PASSED
        if not episode.habit:
            episode.habit = True
            self._ask(episode, Ask.QUARANTINE)
        return Gate.RECURRING

    def began(self, series: Series, first_ns: int, last_ns: int, most: float, step_seconds: float) -> None:
        """What is counted came for the first time, or again, and is over: an excursion, though no model saw it. `most`: in one step."""
        seen = Excursion(self._civil_of(first_ns), self._civil_of(last_ns), 1, most, step_seconds)
        self.memories.learn(series.key, seen, last_ns)

    def _still(self, episode: Episode, judged: Judged, moment: Moment) -> Alert | None:
        """One more anomaly of an alert that was told."""
        episode.healthy = 0
        episode.note(judged)
        if episode.state is AlertState.UNKNOWN:
            episode.state = AlertState.FIRING
            return self._tell(episode, "returned", moment)
        if judged.ts_ns - episode.opened_ts_ns >= self._adopt_ns:
            self._ask(episode, Ask.ADOPT)
            return self._resolve(episode, "adopted", moment)
        if episode.once:
            episode.once = False
            return self._tell(episode, LASTING, moment)
        if judged.score >= WORSE * episode.told_score:
            return self._tell(episode, "worse", moment)
        return None

    def _heard_again(self, episode: Episode, moment: Moment) -> Alert | None:
        episode.healthy += 1
        if episode.healthy < RETURNS:
            return None
        return self._resolve(episode, "returned", moment)

    # ------------------------------------------------------------------------------------------ other beginnings
    def silent(self, series: Series, slot: int, score: float, last_ns: int, step_seconds: float, moment: Moment) -> Alert | None:
        """The series has been overdue for long enough at a tick."""
        episode = self.by_key.get(series.key)
        if episode is not None and episode.leaving:
            return None
        if episode is not None and episode.state in (AlertState.FIRING, AlertState.UNKNOWN):
            if episode.state is AlertState.UNKNOWN or episode.kind is AnomalyKind.GAP:
                return None
            episode.state, episode.ts_ns = AlertState.UNKNOWN, moment.told_ns
            return self._tell(episode, "silent", moment)
        episode = self._open(series, slot, episode)
        episode.kind = AnomalyKind.GAP
        episode.onset_ts_ns = last_ns + int(step_seconds * _SECOND_NS)
        episode.step_seconds = step_seconds
        episode.score = episode.peak = score
        episode.ts_ns = moment.told_ns
        return self._fire(episode, "silent", moment)

    def sighted(self, series: Series, slot: int, seen: Sighting, moment: Moment) -> Alert | None:
        """Something was seen for the first time and matters, or is missing: fires at once."""
        episode = self.by_key.get(series.key)
        if episode is not None and (episode.leaving or episode.state is not AlertState.RESOLVED):
            return None
        episode = self._open(series, slot, episode)
        episode.kind, episode.direction = seen.kind, 1 if seen.value > seen.expected else -1
        episode.expected, episode.step_seconds = seen.expected, seen.step_seconds
        episode.onset_ts_ns = episode.ts_ns = seen.ts_ns
        episode.score = episode.peak = seen.score
        episode.severity, episode.text, episode.example, episode.value = seen.severity, seen.text, seen.example, seen.value
        return self._fire(episode, OVERDUE if seen.kind is AnomalyKind.STOPPED else "first_sighting", moment)

    def counted(self, series: Series, count: int, ts_ns: int, moment: Moment) -> Alert | None:
        """A bucket of what was sighted has closed: it lives while it is seen, and is over after `recover` empty buckets.

        What is missing lives while it is not seen, and is over when it is back.
        """
        episode = self.by_key.get(series.key)
        if episode is None or episode.leaving or episode.state is AlertState.RESOLVED:
            return None
        episode.ts_ns = ts_ns
        if episode.kind is AnomalyKind.STOPPED:
            if count:
                return self._resolve(episode, "returned", moment)
        elif not count:
            episode.healthy += 1
            if episode.healthy < self._config.recover:
                return None
            self.began(series, episode.onset_ts_ns, episode.last_ns, episode.reach, episode.step_seconds)
            return self._resolve(episode, "recovered", moment)
        else:
            episode.reach, episode.last_ns = max(episode.reach, count), ts_ns
        episode.healthy = 0
        if ts_ns - episode.opened_ts_ns >= self._adopt_ns:
            return self._resolve(episode, "adopted", moment)
        return None

    def is_open(self, key: bytes) -> bool:
        """Whether samples of the series must be shown to its episode, ordinary ones too."""
        episode = self.by_key.get(key)
        return episode is not None and (episode.leaving or episode.state is not AlertState.RESOLVED)

    def is_sighting(self, key: bytes) -> bool:
        """Whether the open episode of a series is a first sighting, or an absence that was told by itself."""
        episode = self.by_key.get(key)
        return episode is not None and episode.kind in SIGHTINGS and not episode.first_ns

    # ------------------------------------------------------------------------------------------ ticks
    def leases(self, moment: Moment) -> list[Alert]:
        """Alerts that are due to be told again, in the order of their keys."""
        if moment.log_ns < self.lease_at_ns:
            return []
        told = {key: episode.told_ns for key, episode in self.by_key.items() if episode.state in _TOLD}
        due = [key for key, told_ns in told.items() if moment.log_ns - told_ns >= self._lease_ns]
        again = [self._tell(self.by_key[key], "lease", moment) for key in sorted(due)]
        self.lease_at_ns = min((self.by_key[key].told_ns for key in told), default=moment.log_ns) + self._lease_ns
        return again

    def retire(self, key: bytes, moment: Moment) -> Alert | None:
        """The series is given up: its alert ends, and nothing of it is kept."""
        episode = self.by_key.pop(key, None)
        self.memories.forget(key)
        if episode is None or episode.state not in _TOLD:
            return None
        episode.slot = -1  # its model is about to go: nothing is asked of it
        return self._resolve(episode, "retired", moment)

    def end(self, key: bytes, reason: str, moment: Moment) -> Alert | None:
        """What is open is over for a reason outside the series; what was never told is forgotten."""
        episode = self.by_key.get(key)
        if episode is None or episode.leaving or episode.state is AlertState.RESOLVED:
            return None
        if episode.state is AlertState.PENDING:
            self._forget(episode)
            return None
        return self._resolve(episode, reason, moment)

    def is_told(self, key: bytes) -> bool:
        """Whether an alert of the series fires now, or fired when it fell silent."""
        episode = self.by_key.get(key)
        return episode is not None and episode.state in _TOLD

    def take_asks(self) -> list[tuple[bytes, int, Ask]]:
        """What the models are asked to do, series by series in the order of their keys; what is over is let go."""
        if not self._asks:
            return []
        asks = sorted(self._asks, key=_key)  # stable: the asks of one series keep their order
        self._asks.clear()
        return asks

    def sweep(self, now_ns: int) -> list[Episode]:
        """Let go of what is over; returns the episodes that ended since the last sweep. Flapping is remembered for its window."""
        if now_ns < self._sweep_at_ns:
            return []
        over = [episode for episode in self.by_key.values() if episode.state is AlertState.RESOLVED]
        ended = [episode for episode in over if episode.leaving]
        self._sweep_at_ns = _NEVER
        for episode in over:
            episode.leaving = False
            until_ns = max(episode.fired_ns, default=now_ns - FLAP_WINDOW_NS) + FLAP_WINDOW_NS
            if until_ns <= now_ns:
                del self.by_key[episode.series.key]
            else:
                self._sweep_at_ns = min(self._sweep_at_ns, until_ns)
        return ended

    def firing(self) -> int:
        """Alerts that fire now."""
        return sum(episode.state is AlertState.FIRING for episode in self.by_key.values())

    # ------------------------------------------------------------------------------------------ transitions
    def _ask(self, episode: Episode, ask: Ask) -> None:
        if episode.slot >= 0:
            self._asks.append((episode.series.key, episode.slot, ask))

    def _forget(self, episode: Episode) -> None:
        """A pending episode that came to nothing, or to what was expected."""
        if episode.habit:
            self._ask(episode, self._passed(episode))
        if episode.fired_ns:
            episode.state = AlertState.RESOLVED
            self._sweep_at_ns = _AT_ONCE
        else:
            del self.by_key[episode.series.key]

    def _passed(self, episode: Episode) -> Ask:
        """An excursion is over: it is remembered. If it was short, what goes by the hour learns that it happens at this one."""
        self.memories.learn(episode.series.key, excursion_of(episode, self._civil_of), episode.last_ns)
        return Ask.REMEMBER if episode.last_ns - episode.first_ns <= SHORT_NS else Ask.DISCARD

    def _fire(self, episode: Episode, reason: str, moment: Moment) -> Alert:
        series = episode.series
        episode.id = digest(series.tenant, series.key, moment.topic, moment.partition, moment.offset)
        episode.state = AlertState.FIRING
        episode.epoch = self._epoch_of(episode.slot) if episode.slot >= 0 else 0
        episode.opened_ts_ns = episode.ts_ns
        episode.fired_ns = [*episode.fired_ns, episode.ts_ns][-FLAPS:]
        return self._tell(episode, reason, moment)

    def _resolve(self, episode: Episode, reason: str, moment: Moment) -> Alert:
        if reason == "recovered" and episode.first_ns:
            self._ask(episode, self._passed(episode))
        elif reason != "adopted":
            self._ask(episode, Ask.DISCARD)
        else:
            self.memories.adopt(episode.series.key, episode.value or 0.0, (episode.lower, episode.upper), episode.ts_ns)
        episode.state = AlertState.RESOLVED
        episode.leaving = True
        self._sweep_at_ns = _AT_ONCE
        return self._tell(episode, reason, moment)

    def _tell(self, episode: Episode, reason: str, moment: Moment) -> Alert:
        """The whole state as a message."""
        episode.revision += 1
        episode.told_ns, episode.told_score = moment.log_ns, episode.score
        self.lease_at_ns = min(self.lease_at_ns, moment.log_ns + self._lease_ns)  # log time may have stepped back
        words = Words(episode.text, episode.example) if episode.text else self.words_of(episode.series)
        model = ModelRef(kernel_id=self._kernel_id, config_id=self._config_id, epoch=episode.epoch)
        return message(episode, words, reason, model, moment)

    # ------------------------------------------------------------------------------------------ snapshots
    def snapshot(self) -> bytes:
        return msgspec.json.encode((list(self.by_key.values()), self._asks, self.memories.saved()))

    def restore(self, saved: bytes) -> None:
        """Raises msgspec.DecodeError for what is not a snapshot."""
        parts = tuple[list[Episode], list[tuple[bytes, int, Ask]], list[tuple[bytes, Past]]]
        episodes, self._asks, pasts = msgspec.json.decode(saved, type=parts)
        self.by_key = {episode.series.key: episode for episode in episodes}
        self.memories.restore(pasts)


def _own_words(series: Series) -> Words:
    return Words(series.text)


def _key(ask: tuple[bytes, int, Ask]) -> bytes:
    return ask[0]
