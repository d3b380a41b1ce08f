"""Members of a fleet against each other: rounds at ticks, opinions to alerts.

A member that is unlike its peers gets an alert of its own, on the series `name{…,against="peers"}`: what was expected there is the
median of the group plus the member's own usual distance from it. While the series' own alert fires nothing is told twice; its alert then
carries the factor `peers`. A member that is told teaches nothing until its alert ends.
"""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np
from msgspec import structs
from numpy.typing import NDArray

from detectors import peer_state, peers
from detectors.kernel import as_state, bound
from detectors.portable import tail_decades, tail_distance
from engine.config.tree import Detect
from engine.detect.alerts import Episodes
from engine.detect.drafts import Moment
from engine.detect.gates import Gate, Judged, weigh
from engine.detect.groups import Groups, fleet_key, grown, portions
from engine.detect.lineage import lineage_hash
from engine.detect.series import SeriesTable
from engine.errors import StateError
from engine.metrics import Metric
from engine.ports import Columns, StepStats
from engine.records import Alert, AlertState, AnomalyKind, Series, digest, series_key

AGAINST: Final = "against"
FACTOR: Final = "peers"
FACTOR_MIN: Final = 1.5
"""Decades from which being unlike the peers is named among the factors of the series' own alert."""
_HEAT_MIN: Final = float(tail_distance(FACTOR_MIN))
SILENT_ROUNDS: Final = 5
_SECOND_NS: Final = 1_000_000_000
_COMPANIES_MAX: Final = 16


class Seats(NamedTuple):
    """The members of some groups, as they sit in arrays."""

    begins: NDArray[np.int64]  # g + 1
    slot: NDArray[np.int64]  # m


class Round(NamedTuple):
    """One round of some groups. Arrays `m` have a row for each member of these groups."""

    slot: NDArray[np.int64]  # m
    opinion: NDArray[np.void]  # m, peer_state.OPINION
    loud: int  # of these, how many score 1.0 or more


class Peers:
    """The groups' state, by slot and by number of the group."""

    def __init__(self, config: Detect, groups: Groups, table: SeriesTable, episodes: Episodes) -> None:
        fleet = config.fleet
        self._groups, self._table, self._episodes = groups, table, episodes
        self._on = fleet.compare
        self._round_seconds = fleet.round
        self._params = peer_state.Params(
            budget_seconds=config.false_alarm_every,
            members_min=fleet.members_min,
            warm_up_seconds=config.warm_up,
            settle_seconds=fleet.settle,
        )
        self._labels = frozenset(fleet.labels)
        self._members = np.zeros(0, peer_state.MEMBER)
        self._gather = bound(peers.gather, as_state(self._members), np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros(0))
        self._rows = np.zeros(0, peer_state.GROUP)
        self._next_ns = np.zeros(0, np.int64)  # of each group
        self._sizes = np.zeros(0, np.int64)
        self._able: NDArray[np.int64] | None = None  # groups of enough members
        self._seats: dict[bytes, Seats] = {}  # of groups that have their rounds together
        self._opinion, self._spare = (
            np.zeros(0, peer_state.OPINION),
            np.zeros(0),
        )  # of the round that is played; as long as the largest yet
        rows, opinion, spare, some = as_state(self._rows), as_state(self._opinion), self._spare, np.zeros(0, np.int64)
        rounds, clocks = (some, some, some), (spare, self._round_seconds, some)
        self._score = bound(peers.score_rounds, as_state(self._members), rows, rounds, clocks, 0, self._params, opinion, spare)
        self._find_due = bound(peers.find_due, some, some, 0, some)
        self._series: dict[int, Series] = {}  # what is told of a slot
        self._open: set[int] = set()  # slots with an episode of ours

    # ------------------------------------------------------------------------------------------ members
    def join(self, slot: int, number: int) -> None:
        """A series was admitted; `number` is its group, -1 when it has none."""
        if not self._on or number < 0:
            return
        self._members = grown(self._members, slot + 1)
        self._rows = grown(self._rows, number + 1)
        self._next_ns, self._sizes = grown(self._next_ns, number + 1), grown(self._sizes, number + 1)
        self._members["group"][slot] = number + 1
        self._sizes[number] += 1
        self._regrouped()

    def _regrouped(self) -> None:
        """Nothing that was worked out from the members of groups holds any more."""
        self._able = None
        self._seats.clear()

    def retire(self, slot: int, moment: Moment) -> Alert | None:
        """Ends what was told of a member, before it leaves."""
        if slot not in self._open:
            return None
        self._open.discard(slot)
        self._members["frozen"][slot] = 0
        return self._episodes.retire(self.told_as(slot).key, moment)

    def leave(self, slot: int) -> None:
        """The series is forgotten."""
        if not self._on or slot >= len(self._members):
            return
        number = int(self._members["group"][slot]) - 1
        self._open.discard(slot)
        self._series.pop(slot, None)
        self._members[slot] = np.zeros((), peer_state.MEMBER)
        if number >= 0:
            self._sizes[number] -= 1
            self._regrouped()
            if not self._sizes[number]:
                self._rows[number] = np.zeros((), peer_state.GROUP)
                self._next_ns[number] = 0

    def told_as(self, slot: int) -> Series:
        """The series under which a member is told to be unlike its peers."""
        known = self._series.get(slot)
        if known is None:
            own = self._table.at(slot)
            labels = tuple(sorted({**dict(own.labels), AGAINST: FACTOR}.items()))
            text = f"unlike the others of {fleet_key(own, self._labels)}"
            known = structs.replace(own, key=series_key(own.name, labels), labels=labels, text=text)
            self._series[slot] = known
        return known

    # ------------------------------------------------------------------------------------------ samples
    def observe(self, slot: NDArray[np.int64], ts_ns: NDArray[np.int64], value: NDArray[np.float64]) -> None:
        """Samples of the next round, in order."""
        if len(self._rows):
            self._gather(as_state(self._members), slot, ts_ns, value)

    def tells(self, slot: int) -> bool:
        """Whether people have been told that a series is unlike its peers, and it still is."""
        return slot in self._open and self._episodes.is_told(self.told_as(slot).key)

    def factors(self, slot: int) -> dict[str, float]:
        """Decades by which a series is unlike its peers, for the alert of its own; empty when it hardly is."""
        if slot >= len(self._members) or not self._members["group"][slot]:
            return {}
        heat = peers.GAIN * abs(self._members["heat"].item(slot))
        if heat < _HEAT_MIN or self._members["lived"][slot] < self._params.settle_seconds:
            return {}
        return {FACTOR: float(tail_decades(heat))}

    # ------------------------------------------------------------------------------------------ ticks
    def tick(self, now_ns: int, moment: Moment, stats: StepStats) -> list[Alert]:
        """Play the rounds that are due by event time; what is to be told of their members."""
        told: list[Alert] = []
        if not self._on:
            return told
        due = self._due(now_ns)
        if self._open:
            for slot in sorted(self._open):
                if self._sizes[int(self._members["group"][slot]) - 1] < self._params.members_min:
                    told += filter(None, [self.retire(slot, moment)])  # too few are left to say anything
        if not len(due):
            return told
        seats = self._seats.get(due.tobytes())
        if seats is not None:
            self._round(due, seats, now_ns, told, moment, stats)
        else:
            for part in portions(due, self._sizes[due]):
                self._round(part, self._seats_of(part), now_ns, told, moment, stats)
        return told

    def _round(
        self, due: NDArray[np.int64], seats: Seats, now_ns: int, told: list[Alert], moment: Moment, stats: StepStats
    ) -> None:
        """Play the rounds of some groups; adds what is to be told of their members."""
        played = self._play(due, seats, now_ns)
        if not (played.loud or self._open):
            return
        opinion = played.opinion
        hot = opinion["score"] >= 1.0
        if self._open:
            hot |= np.isin(played.slot, np.array(sorted(self._open), np.int64))
        for place in np.flatnonzero(hot).tolist():
            told += filter(None, [self._judge(int(played.slot[place]), opinion[place], now_ns, moment, stats)])

    def _due(self, now_ns: int) -> NDArray[np.int64]:
        """The groups of enough members whose round it is."""
        able = self._able
        if able is None:
            able = self._able = np.flatnonzero(self._sizes >= self._params.members_min).astype(np.int64)
        due = np.empty(len(able), np.int64)
        return due[: self._find_due(able, self._next_ns, now_ns, due)]

    def _play(self, due: NDArray[np.int64], seats: Seats, now_ns: int) -> Round:
        begins, slot = seats
        if len(self._opinion) < len(slot):
            self._opinion, self._spare = np.zeros(len(slot), peer_state.OPINION), np.empty(len(slot))
        opinion = self._opinion[: len(slot)]
        members, rows, pace = as_state(self._members), as_state(self._rows), self._table.values["step"]
        rounds, clocks = (due, begins, slot), (pace, self._round_seconds, self._next_ns)
        loud = self._score(members, rows, rounds, clocks, now_ns, self._params, as_state(opinion), self._spare)
        return Round(slot, opinion, loud)

    def _seats_of(self, due: NDArray[np.int64]) -> Seats:
        """Of some groups. Groups that came together have their rounds together: of a few such companies it is kept."""
        which = due.tobytes()
        seats = self._seats.get(which)
        if seats is None:
            if len(self._seats) >= _COMPANIES_MAX:
                self._seats.clear()
            seats = self._seats[which] = Seats(*self._groups.seats(due.tolist()))
        return seats

    def _judge(self, slot: int, said: np.void, now_ns: int, moment: Moment, stats: StepStats) -> Alert | None:
        series = self.told_as(slot)
        if np.isnan(said["value"]):
            return self._not_heard(slot, series, now_ns, moment)
        if slot not in self._open and self._episodes.is_told(self._table.at(slot).key):
            return None
        judged = self._judged(slot, said)
        gate = Gate.PASSED
        surprising = judged.score >= 1.0
        if surprising:
            gate = Gate.SHARED if said["shared"] else weigh(self._table.policy(slot), judged)
        gate, alert = self._episodes.observe(series, -1, judged, gate, moment)
        if surprising:
            stats.count(Metric.ANOMALIES, 1, series.signal, judged.kind)
            if gate is not Gate.PASSED:
                stats.count(Metric.GATED, 1, gate)
        self._after(slot, series, adopted=alert is not None and alert.reason == "adopted")
        return alert

    def _judged(self, slot: int, said: np.void) -> Judged:
        row = self._members[slot]
        number = int(row["group"]) - 1
        since_ns, last_ns = int(row["since_ns"]), int(row["last_ns"])
        return Judged(
            ts_ns=last_ns,
            value=float(said["value"]),
            score=float(said["score"]),
            expected=float(said["expected"]),
            lower=float(said["lower"]),
            upper=float(said["upper"]),
            deviation=float(said["deviation"]),
            kind=AnomalyKind.OUTLIER,
            onset_ts_ns=min(since_ns, last_ns) if since_ns else last_ns,
            factors={FACTOR: float(said["decades"])},
            size_of=float(self._table.rows["values"]["size_of"][slot]),
            step_seconds=float(self._rows["step"][number]),
        )

    def _after(self, slot: int, series: Series, *, adopted: bool) -> None:
        """What the episode means for the model of the member."""
        self._members["frozen"][slot] = self._episodes.is_told(series.key)
        if self._episodes.is_open(series.key):
            self._open.add(slot)
        else:
            self._open.discard(slot)
        if adopted:
            peers.adopted(self._members[slot])

    def _not_heard(self, slot: int, series: Series, now_ns: int, moment: Moment) -> Alert | None:
        """A member that took no part in the round: after some of them nothing is known of it."""
        row = self._members[slot]
        step = float(self._rows["step"][int(row["group"]) - 1])
        last_ns = int(row["last_ns"])
        episode = self._episodes.by_key.get(series.key)
        if episode is None or episode.state is not AlertState.FIRING:
            return None
        if now_ns - last_ns < SILENT_ROUNDS * max(step, self._round_seconds) * _SECOND_NS:
            return None
        return self._episodes.silent(series, -1, 1.0, last_ns, step, moment)

    # ------------------------------------------------------------------------------------------ snapshots
    def snapshot(self) -> Columns:
        return {
            "id": np.array([self._id()], "S32"),
            "members": _as_bytes(self._members),
            "groups": _as_bytes(self._rows),
            "next_ns": self._next_ns.copy(),
            "open": np.array(sorted(self._open), np.int64),
        }

    def _id(self) -> str:
        return digest(lineage_hash((peers.__name__,)))

    def restore(self, columns: Columns) -> None:
        """Become what was saved, after the groups and the table; only when just made. Raises StateError.

        Members that were not compared when it was saved begin anew.
        """
        if bytes(columns["id"][0]).decode() != self._id():
            raise StateError("peers were compared by another version")
        members, rows = columns["members"].tobytes(), columns["groups"].tobytes()
        if len(members) % peer_state.MEMBER.itemsize or len(rows) % peer_state.GROUP.itemsize:
            raise StateError("the peers' columns are torn")
        if not self._on:
            return
        self._members = np.frombuffer(members, peer_state.MEMBER).copy()
        self._rows = np.frombuffer(rows, peer_state.GROUP).copy()
        self._next_ns = columns["next_ns"].astype(np.int64)
        self._open = set(columns["open"].tolist())
        self._sizes = np.bincount(self._members["group"], minlength=len(self._rows) + 1)[1:].astype(np.int64)
        if not len(self._members):
            for slot in range(self._table.slots_used):
                self.join(slot, self._groups.of(slot))


def _as_bytes(rows: NDArray[np.void]) -> NDArray[np.uint8]:
    return np.frombuffer(rows.tobytes(), np.uint8).copy()
