"""The metrics of each entity together: rounds at ticks, joint scores to alerts.

A moment at which several metrics are a little off, none of them enough by itself, is told on the series `joint{entity="…"}`: its value is
the mean of the loudest metrics' decades, its factors say what each of them gives. While an alert of a metric's own fires nothing
is told twice: it says better what is wrong. What was told once, and lasts, is no news until the entity has been ordinary again.
"""

from __future__ import annotations

from collections.abc import Iterator
from hashlib import blake2b
from math import inf
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from detectors import joint
from detectors.kernel import as_state, bound
from engine.config.tree import Detect
from engine.detect.alerts import Episodes
from engine.detect.drafts import Moment
from engine.detect.gates import Gate, Judged, is_off
from engine.detect.groups import Groups, entity_name, grown, metric_of, portions
from engine.detect.lineage import lineage_hash
from engine.detect.peers import Peers
from engine.detect.scored import Scored
from engine.detect.series import SeriesTable
from engine.errors import StateError
from engine.metrics import Metric
from engine.ports import Columns, StepStats
from engine.records import Alert, AlertState, AnomalyKind, Series, digest, series_key

NAME: Final = "joint"
MEMBERS_MAX: Final = 200
"""Metrics of one entity; those that come later have no say, which is counted."""
FACTOR_MIN: Final = 1.0
"""Decades from which a metric is named among the factors."""
NAMED: Final = 2
"""Metrics that the text of an alert names."""
EXCESS: Final = (0.2, 1.0)
"""What is believed of an entity's own excess. That of metrics that have nothing to do with each other is 0.15; where they share
their load it is 0.5, and 0.8 where that has heavy tails."""
SILENT_ROUNDS: Final = 5
ON_TIME: Final = 0.9
"""The share of its usual step after which an entity is looked at again: samples come a little early, too."""
VOICES: Final = np.dtype([("metric", np.int64), ("number", np.uint8)])
"""By slot: a hash of what is measured, and its number within the entity. Series of one voice measure the same, as quantiles of a latency do, and
count as one metric."""
_SECOND_NS: Final = 1_000_000_000


class Part(NamedTuple):
    """One of the loudest metrics of a round."""

    slot: int
    name: str
    decades: float
    direction: int
    onset_ns: int
    matters: bool  # off by so much, and on such a side, that it may count as one of several


class Round(NamedTuple):
    """One round of some entities."""

    number: NDArray[np.int64]  # g
    begins: NDArray[np.int64]  # g + 1
    slot: NDArray[np.int64]  # m, of all members
    said: NDArray[np.void]  # g, joint.OPINION


class Entities:
    """The entities' state by number, and what is known of their metrics by slot."""

    def __init__(self, config: Detect, table: SeriesTable, episodes: Episodes, peers: Peers) -> None:
        self._table, self._episodes, self._peers = table, episodes, peers
        self._on = config.entity.joint
        self._least = config.entity.metrics_min
        self._round_seconds, self._recover = config.entity.round, config.recover
        self._params = joint.Params(config.false_alarm_every, known_min=self._least, excess_min=EXCESS[0], excess_max=EXCESS[1])
        self._groups = Groups(entity_name, config.series_max, MEMBERS_MAX)
        self._members = np.zeros(0, joint.MEMBER)
        self._states = np.zeros(0, joint.STATE)
        self._rows = np.zeros(0, joint.ENTITY)
        whole, number = np.zeros(0, np.int64), np.zeros(0)
        inputs = whole, whole, number, number, number, whole
        self._gather = bound(joint.gather, as_state(self._members), as_state(self._rows), *inputs)
        self._voices = np.zeros(0, VOICES)
        self._sizes = np.zeros(0, np.int64)  # of an entity: how many different voices there are
        self._judged = 0  # entities of enough members
        self._open: set[int] = set()  # numbers of entities with an episode

    # ------------------------------------------------------------------------------------------ members
    def join(self, slot: int, series: Series, stats: StepStats) -> None:
        """A series was admitted."""
        if not self._on:
            return
        number = self._groups.add(slot, series)
        if number < 0:
            if entity_name(series):
                stats.count(Metric.LIMITS_REACHED, 1, "entity_metrics_max")
            return
        self._members, self._voices = grown(self._members, slot + 1), grown(self._voices, slot + 1)
        self._states, self._rows = grown(self._states, number + 1), grown(self._rows, number + 1)
        self._sizes = grown(self._sizes, number + 1)
        self._seat(slot, series, number)

    def _seat(self, slot: int, series: Series, number: int) -> None:
        self._voices["metric"][slot] = _metric_hash(series)
        before, size = int(self._sizes[number]), self._number_voices(number)
        if before < self._least <= size:
            self._judged += 1
            self._members["entity"][self._groups.members(number)] = number + 1
        elif before >= self._least:
            self._members["entity"][slot] = number + 1

    def _number_voices(self, number: int) -> int:
        """Number the voices of an entity in the order of its members; how many there are."""
        members = np.array(self._groups.members(number), np.int64)
        metrics = self._voices["metric"][members].tolist()
        numbers = {metric: voice for voice, metric in enumerate(dict.fromkeys(metrics))}
        self._voices["number"][members] = [numbers[metric] for metric in metrics]
        self._sizes[number] = len(numbers)
        return len(numbers)

    def retire(self, slot: int, moment: Moment) -> Alert | None:
        """Ends what was told of an entity that may have too few metrics once this one has left."""
        number = self._groups.of(slot)
        if number not in self._open or self._sizes[number] > self._least:
            return None
        self._open.discard(number)
        return self._episodes.retire(self._told_as(number).key, moment)

    def leave(self, slot: int) -> None:
        """The series is forgotten."""
        number = self._groups.of(slot)
        if number < 0:
            return
        self._groups.remove(slot)
        self._members[slot] = np.zeros((), joint.MEMBER)
        before, size = int(self._sizes[number]), self._number_voices(number)
        if size < self._least <= before:
            self._judged -= 1
            self._members["entity"][self._groups.members(number)] = 0
        if not size:
            self._states[number] = np.zeros((), joint.STATE)
            self._rows[number] = np.zeros((), joint.ENTITY)

    def _told_as(self, number: int, text: str = "") -> Series:
        """The series under which an entity is told."""
        first = self._table.at(self._groups.members(number)[0])
        labels = (("entity", first.entity),)
        return Series(
            key=series_key(NAME, labels),
            name=NAME,
            labels=labels,
            entity=first.entity,
            domain=first.domain,
            tenant=first.tenant,
            text=text,
        )

    # ------------------------------------------------------------------------------------------ samples
    def observe(self, slot: NDArray[np.int64], ts_ns: NDArray[np.int64], value: NDArray[np.float64], scored: Scored) -> None:
        """Samples and what the bank says of them, in order."""
        if self._judged:
            members, rows = as_state(self._members), as_state(self._rows)
            said = (scored.among, value, scored.expected, scored.onset_ts_ns)
            self._gather(members, rows, slot, ts_ns, *said)

    # ------------------------------------------------------------------------------------------ ticks
    def tick(self, now_ns: int, moment: Moment, stats: StepStats) -> Iterator[Alert]:
        """Play the rounds that are due by event time; what is to be told of their entities."""
        if not self._judged:
            return
        for number in sorted(self._open):
            yield from filter(None, [self._look_after(number, moment)])
        due = self._due()
        for part in portions(due, self._sizes[due]):
            played = self._play(part)
            for place in np.flatnonzero(self._is_news(played)).tolist():
                yield from filter(None, [self._judge(played, place, moment, stats)])
        for number in sorted(self._open):
            yield from filter(None, [self._not_heard(number, now_ns, moment)])

    def _look_after(self, number: int, moment: Moment) -> Alert | None:
        """Ends what a metric's own alert says better; lets go of what is over."""
        key = self._told_as(number).key
        if not self._episodes.is_open(key):
            self._open.discard(number)
            return None
        if not self._is_superseded(number):
            return None
        self._rows["held"][number] = self._recover
        return self._episodes.end(key, "superseded", moment)

    def _due(self) -> NDArray[np.int64]:
        wait_ns = np.maximum(self._round_seconds, ON_TIME * self._rows["pace"]) * _SECOND_NS
        waited_ns = self._rows["newest_ns"] - self._rows["round_ns"]
        return np.flatnonzero((self._sizes >= self._least) & (waited_ns >= wait_ns)).astype(np.int64)

    def _play(self, due: NDArray[np.int64]) -> Round:
        said = np.zeros(len(due), joint.OPINION)
        begins, slot = self._groups.seats(due.tolist())
        voice: NDArray[np.int64] = self._voices["number"][slot].astype(np.int64)
        steps: NDArray[np.float64] = self._table.rows["values"]["step"][slot]
        loudest, spare = np.empty(MEMBERS_MAX, np.int64), np.empty(MEMBERS_MAX)
        arrays = as_state(self._members), as_state(self._states), as_state(self._rows)
        joint.score_rounds(*arrays, (due, begins, slot, voice, steps), self._params, as_state(said), loudest, spare)
        return Round(due, begins, slot, said)

    def _is_news(self, played: Round) -> NDArray[np.bool_]:
        """Entities that must be looked at. What was adopted, or told better, is none until so many rounds were ordinary as end an alert."""
        loud, ordinary = played.said["score"] >= 1.0, played.said["score"] < 1.0
        held = self._rows["held"][played.number]
        self._rows["held"][played.number] = np.where(held > 0, np.where(loud, self._recover, held - ordinary), 0)
        news: NDArray[np.bool_] = loud & (held == 0)
        return news | np.isin(played.number, np.array(sorted(self._open), np.int64))

    def _is_superseded(self, number: int) -> bool:
        """Whether people are told of one of the metrics itself."""
        return any(
            self._episodes.is_told(self._table.at(slot).key) or self._peers.tells(slot) for slot in self._groups.members(number)
        )

    def _judge(self, played: Round, place: int, moment: Moment, stats: StepStats) -> Alert | None:
        number, said = int(played.number[place]), played.said[place]
        parts = self._parts(played, place)
        judged = self._judged_of(said, parts, number)
        surprising = judged.score >= 1.0
        gate = self._weigh(number, parts) if surprising else Gate.PASSED
        series = self._told_as(number, _in_words(said, parts))
        episode = self._episodes.by_key.get(series.key)
        if surprising and gate is Gate.PASSED and episode is not None:
            episode.text = series.text
        alert = None
        if gate is not Gate.SUPERSEDED:
            gate, alert = self._episodes.observe(series, -1, judged, gate, moment)
        if surprising:
            stats.count(Metric.ANOMALIES, 1, series.signal, judged.kind)
            if gate is not Gate.PASSED:
                stats.count(Metric.GATED, 1, gate)
        if alert is not None and alert.reason == "adopted":
            self._rows["held"][number] = self._recover
        if self._episodes.is_open(series.key):
            self._open.add(number)
        return alert

    def _weigh(self, number: int, parts: list[Part]) -> Gate:
        if sum(part.matters for part in parts) < self._least:
            return Gate.IMMATERIAL
        return Gate.SUPERSEDED if self._is_superseded(number) else Gate.PASSED

    def _parts(self, played: Round, place: int) -> list[Part]:
        """The loudest metrics of a round, loudest first."""
        said, first = played.said[place], int(played.begins[place])
        spoke = said["place"] >= 0
        slots = played.slot[first + said["place"][spoke]].tolist()
        return [self._part(slot, decades) for slot, decades in zip(slots, said["share"][spoke].tolist(), strict=True)]

    def _part(self, slot: int, decades: float) -> Part:
        row, series = self._members[slot], self._table.at(slot)
        value, expected = float(row["value"]), float(row["expected"])
        size_of = float(self._table.rows["values"]["size_of"][slot])
        matters = decades >= joint.OFF and is_off(self._table.policy(slot), value, expected, size_of)
        direction = (value > expected) - (value < expected)
        return Part(slot, series.name, decades, direction, int(row["onset_ns"]), matters)

    def _judged_of(self, said: np.void, parts: list[Part], number: int) -> Judged:
        ts_ns, decades, usual = int(self._rows["round_ns"][number]), float(said["decades"]), float(said["threshold"])
        off = [part for part in parts if part.matters]
        onsets = sorted(part.onset_ns for part in off)
        return Judged(
            ts_ns=ts_ns,
            value=decades,
            score=float(said["score"]),
            expected=usual,
            lower=0.0,
            upper=float(said["boundary"]),
            deviation=(decades - usual) / float(said["excess"]),
            kind=AnomalyKind.JOINT,
            onset_ts_ns=min(onsets[(len(onsets) - 1) // 2], ts_ns) if onsets else ts_ns,
            factors={part.name: part.decades for part in parts if part.decades >= FACTOR_MIN},
            size_of=usual,
            step_seconds=float(self._rows["pace"][number]),
            resumed_seconds=min((self._resumed_seconds(part.slot, ts_ns) for part in off), default=inf),
        )

    def _resumed_seconds(self, slot: int, ts_ns: int) -> float:
        resumed_ns = int(self._table.rows["values"]["resumed_ns"][slot])
        return (ts_ns - resumed_ns) / _SECOND_NS if resumed_ns else inf

    def _not_heard(self, number: int, now_ns: int, moment: Moment) -> Alert | None:
        """An entity of which too little is known for some rounds: nothing can be said of it."""
        step = float(self._rows["pace"][number])
        last_ns = int(self._states["last_ns"][number])
        if now_ns - last_ns < SILENT_ROUNDS * max(step, self._round_seconds) * _SECOND_NS:
            return None
        series = self._told_as(number)
        episode = self._episodes.by_key.get(series.key)
        if episode is None or episode.state is not AlertState.FIRING:
            return None
        return self._episodes.silent(series, -1, 1.0, last_ns, step, moment)

    # ------------------------------------------------------------------------------------------ snapshots
    def snapshot(self) -> Columns:
        groups = {f"groups.{name}": column for name, column in self._groups.snapshot().items()}
        return groups | {
            "id": np.array([self._id()], "S32"),
            "members": _as_bytes(self._members),
            "states": _as_bytes(self._states),
            "rows": _as_bytes(self._rows),
            "open": np.array(sorted(self._open), np.int64),
        }

    def _id(self) -> str:
        return digest(lineage_hash((joint.__name__,)))

    def restore(self, columns: Columns) -> None:
        """Become what was saved, after the table; only when just made. Raises StateError.

        Entities that had no joint score when it was saved begin anew.
        """
        if bytes(columns["id"][0]).decode() != self._id():
            raise StateError("entities were scored by another version")
        if not self._on:
            return
        groups = {name.removeprefix("groups."): column for name, column in columns.items() if name.startswith("groups.")}
        self._groups.restore(groups)
        self._members = _rows_of(columns["members"], joint.MEMBER)
        self._states, self._rows = _rows_of(columns["states"], joint.STATE), _rows_of(columns["rows"], joint.ENTITY)
        self._open = set(columns["open"].tolist())
        self._sizes = np.zeros(len(self._rows), np.int64)
        self._voices = grown(self._voices, len(self._members))
        for slot in self._groups.slots().tolist():
            self._voices["metric"][slot] = _metric_hash(self._table.at(slot))
        for number in range(len(self._groups)):
            if self._number_voices(number) >= self._least:
                self._judged += 1
                self._members["entity"][self._groups.members(number)] = number + 1
        if not len(self._groups):
            for slot, series in self._table.all():
                self.join(slot, series, StepStats())


def _metric_hash(series: Series) -> int:
    return int.from_bytes(blake2b(metric_of(series).encode(), digest_size=8).digest(), "little", signed=True)


def _in_words(said: np.void, parts: list[Part]) -> str:
    """What the alert says: `5 of 8 metrics are off together, most of all latency up, queue down`."""
    sides = {1: " up", -1: " down"}
    most = dict.fromkeys(f"{part.name}{sides.get(part.direction, '')}" for part in parts if part.matters)
    named = f", most of all {', '.join(list(most)[:NAMED])}" if most else ""
    return f"{int(said['off'])} of {int(said['known'])} metrics are off together{named}"


def _rows_of(column: NDArray[Any], dtype: np.dtype[np.void]) -> NDArray[np.void]:
    if len(column) % dtype.itemsize:
        raise StateError("the entities' columns are torn")
    return np.frombuffer(column.tobytes(), dtype).copy()


def _as_bytes(rows: NDArray[np.void]) -> NDArray[np.uint8]:
    return np.frombuffer(rows.tobytes(), np.uint8).copy()
