"""Laws of the metrics of an entity together: attribution, bounds, who has a say, what is told and what is not."""

from __future__ import annotations

import numpy as np
import pytest
from detect_world import SHARD, START, alerts, machine, play, record
from numpy.typing import NDArray

from detectors import calibration, joint
from detectors.kernel import as_state
from engine.config.entity import Entity
from engine.config.tree import Detect, Rule
from engine.detect.alerts import Episodes
from engine.detect.bank import Bank
from engine.detect.drafts import Moment, Phase
from engine.detect.entities import EXCESS, MEMBERS_MAX, Entities
from engine.detect.gates import Gate, Judged, Policies
from engine.detect.groups import Groups, fleets
from engine.detect.peers import Peers
from engine.detect.scored import Scored
from engine.detect.series import SeriesTable
from engine.metrics import Metric
from engine.ports import StepStats
from engine.records import GOES_ON, Alert, AlertState, AnomalyKind, Series, series_key

Floats = NDArray[np.float64]
NAMES = ("latency", "load", "cpu", "memory", "queue", "threads")
QUIET = 400
"""Rounds after which an entity is known a little."""


def series(name: str, entity: str = "cart", **labels: str) -> Series:
    pairs = tuple(sorted({**labels, "service": entity}.items()))
    return Series(key=series_key(name, pairs), name=name, labels=pairs, entity=entity)


class World:
    """Entities without models: each minute says what the bank would say of each series."""

    def __init__(self, *members: Series, config: Detect | None = None) -> None:
        config = config or Detect()
        self.table = SeriesTable(config.series_max, Policies(config))
        self.episodes = Episodes(config, "k", "c", lambda _: 0)
        self.peers = Peers(config, Groups(fleets(config.fleet.labels)), self.table, self.episodes)
        self.entities = Entities(config, self.table, self.episodes, self.peers)
        self.stats, self.minute, self.told = StepStats(), 0, list[Alert]()
        for member in members:
            self.admit(member)

    def admit(self, member: Series) -> int:
        slot = self.table.admit(member)
        self.entities.join(slot, member, self.stats)
        self.table.rows["values"]["step"][slot] = 60.0
        return slot

    def moment(self) -> Moment:
        ns = (START + 60 * self.minute) * 10**9
        return Moment(0, Phase.TICK, SHARD.topic, SHARD.partition, self.minute, ns, ns - 30 * 10**9)

    def plays(self, scores: Floats, *, value: float = 130.0) -> list[Alert]:
        """One minute a row; NaN: not heard. What is expected is 100, the value 100 and more the louder it is, at a score of 1 `value`.

        What is told meanwhile, but for what only goes on.
        """
        before = len(self.told)
        for row in np.atleast_2d(scores):
            slot = np.flatnonzero(~np.isnan(row)).astype(np.int64)
            self.minute += 1
            ts_ns, score = np.full(len(slot), self.moment().log_ns), row[slot]
            values, flat = 100.0 + (value - 100.0) * np.minimum(score, 1.0), np.full(len(slot), 100.0)
            result = np.zeros(len(slot), calibration.RESULT)
            result["score"] = result["among"] = score
            result["expected"] = result["scale"] = result["edge"] = flat
            result["onset_ns"] = ts_ns
            self.entities.observe(slot, ts_ns, values, Scored(result, np.zeros((len(slot), 0))))
            self.ticks()
        return [alert for alert in self.told[before:] if alert.reason not in GOES_ON]

    def ticks(self) -> None:
        moment = self.moment()
        self.episodes.take_asks()
        self.episodes.sweep(moment.log_ns)
        self.told += self.entities.tick(moment.told_ns, moment, self.stats)

    def fires(self, slot: int, score: float = 2.0) -> None:
        """An alert of a metric's own."""
        ts_ns = self.moment().log_ns
        judged = Judged(ts_ns, 9.0, score, 1.0, 0.0, 2.0, 8.0, AnomalyKind.SPIKE, ts_ns, {}, 1.0, 60.0)
        self.episodes.observe(self.table.at(slot), -1, judged, Gate.PASSED, self.moment())

    def gated(self, gate: Gate) -> float:
        return self.stats.counts.get((Metric.GATED, (gate,)), 0.0)


def quiet(rounds: int = QUIET, metrics: int = len(NAMES), seed: int = 1) -> Floats:
    return np.random.default_rng(seed).exponential(0.15, (rounds, metrics))


def off(rounds: int, *which: int, score: float = 1.3, metrics: int = len(NAMES)) -> Floats:
    rows = np.full((rounds, metrics), 0.05)
    rows[:, which] = score
    return rows


def cart(config: Detect | None = None) -> World:
    world = World(*map(series, NAMES), config=config)
    world.plays(quiet())
    assert world.told == []
    return world


def test_several_metrics_that_are_a_little_off_are_told_with_what_each_gives():
    world = cart()
    scores = off(4, 0, 1, 2, 3)
    scores[:, 3] = 1.2
    fired, *rest = world.plays(scores)
    assert rest == []
    assert (fired.state, fired.kind, fired.series, fired.entity) == ("firing", "joint", 'joint{entity="cart"}', "cart")
    assert fired.factors == pytest.approx({"latency": 5.2, "load": 5.2, "cpu": 5.2, "memory": 4.8})
    assert fired.value == pytest.approx((3 * 5.2 + 4.8 + 0.2) / 5)
    assert fired.lower == 0.0 < fired.expected < fired.upper < fired.value
    assert fired.text == "4 of 6 metrics are off together, most of all latency up, load up"
    assert fired.score > 1.0


def test_it_ends_when_the_metrics_are_as_usual():
    world = cart()
    world.plays(off(4, 0, 1, 2, 3))
    assert [(a.state, a.reason) for a in world.plays(quiet(6))] == [("resolved", "recovered")]


@pytest.mark.parametrize(
    ("scores", "value"),
    [(off(9, 0, 1, score=3.0), 130.0), (off(9, 0, 1, 2, 3), 104.0)],
    ids=["two of six, however loud", "all by less than matters"],
)
def test_what_is_not_several_metrics_off_by_something_is_not_told(scores, value):
    world = cart()
    assert world.plays(scores, value=value) == []
    assert world.gated(Gate.IMMATERIAL) >= 5


def test_a_metric_on_the_side_that_does_not_matter_is_none_of_several():
    rules = [Rule(match=name, direction="down") for name in ("latency", "load")]
    assert cart(Detect(rules=rules)).plays(off(9, 0, 1, 2, 3)) == []


def test_one_alone_is_too_few_and_quantiles_are_one():
    quantiles = [series(f"latency.p{q}") for q in (50, 90, 95, 99)]
    world = World(*quantiles, series("load"), series("cpu"))
    world.plays(quiet())
    assert world.plays(off(9, 0, 1, 2, 3)) == []
    assert cart(Detect(entity=Entity(joint=False))).plays(off(9, 0, 1, 2, 3)) == []


def test_of_fewer_than_three_metrics_nothing_is_kept():
    world = World(series("latency"), series("load"))
    world.plays(quiet(20, 2))
    saved = world.entities.snapshot()
    assert not np.frombuffer(saved["states"].tobytes(), joint.STATE)["seen"].any()
    assert not np.frombuffer(saved["members"].tobytes(), joint.MEMBER)["ts_ns"].any()


def test_members_beyond_the_maximum_are_left_out_and_counted():
    world = World(*(series(f"m{n}") for n in range(MEMBERS_MAX + 3)))
    assert world.stats.counts[Metric.LIMITS_REACHED, ("entity_metrics_max",)] == 3
    world.plays(quiet(5, MEMBERS_MAX + 3))


def test_a_silent_metric_has_no_say():
    """Two of four that are off fall silent: what they said last is not told for ever, and two are too few."""
    world = cart()
    world.plays(off(4, 0, 1, 2, 3))
    scores = off(12, 0, 1, 2, 3)
    scores[:, 2:4] = np.nan
    assert [(a.state, a.reason) for a in world.plays(scores)] == [("resolved", "recovered")]


def test_an_entity_of_which_nothing_is_heard_is_unknown():
    world = cart()
    world.plays(off(4, 0, 1, 2, 3))
    assert [(a.state, a.reason) for a in world.plays(np.full((9, len(NAMES)), np.nan))] == [("unknown", "silent")]


def test_the_alert_of_a_metric_itself_says_it_better():
    world = cart()
    world.fires(5)
    assert world.plays(off(9, 0, 1, 2, 3)) == []
    assert world.gated(Gate.SUPERSEDED) == 9


def test_it_ends_when_a_metric_is_told_by_itself_and_does_not_come_back_with_the_same():
    world = cart()
    world.plays(off(4, 0, 1, 2, 3))
    world.fires(1)
    told = world.plays(off(3, 0, 1, 2, 3))
    assert [(a.state, a.reason) for a in told] == [("resolved", "superseded")]
    world.episodes.end(world.table.at(1).key, "recovered", world.moment())
    assert world.plays(off(20, 0, 1, 2, 3)) == []
    world.plays(quiet(30))
    assert [a.state for a in world.plays(off(4, 0, 1, 2, 3, score=2.5))] == ["firing"]


def test_what_lasts_is_told_once():
    config = Detect(adopt_after=600.0)
    told = cart(config).plays(off(60, 0, 1, 2, 3, 4))
    assert [(a.state, a.reason) for a in told] == [("firing", "confirmed"), ("resolved", "adopted")]


def test_when_too_few_metrics_are_left_it_ends():
    world = World(*map(series, NAMES[:3]))
    world.plays(quiet(metrics=3))
    world.plays(off(4, 0, 1, 2, metrics=3))
    assert [a.state for a in world.told] == ["firing"]
    ended = world.entities.retire(2, world.moment())
    assert ended is not None
    assert (ended.state, ended.reason) == (AlertState.RESOLVED, "retired")
    for slot in (2, 1, 0):
        world.entities.leave(slot)
        world.table.release(slot)
    assert not any(world.entities.snapshot()["states"])


def test_a_restored_entity_goes_on_to_the_bit():
    config = Detect()
    world, other = cart(), World(*map(series, NAMES), config=config)
    world.plays(off(4, 0, 1, 2, 3))
    other.table.rows[:] = world.table.rows
    other.entities = Entities(config, other.table, other.episodes, other.peers)
    other.entities.restore(world.entities.snapshot())
    other.episodes.restore(world.episodes.snapshot())
    other.minute = world.minute
    rest = np.vstack([off(3, 0, 1, 2, 3, score=1.5), quiet(20, seed=2)])
    assert other.plays(rest) == world.plays(rest) != []
    one, two = world.entities.snapshot(), other.entities.snapshot()
    assert one.keys() == two.keys()
    assert all(one[name].tobytes() == two[name].tobytes() for name in one)


# ------------------------------------------------------------------------------------------------------ as offline
ROWS = 900
FAULT = 800


def measured(noise: float = 0.015, shift: float = 0.085) -> Floats:
    """(ROWS, metrics): each a level with a little noise; from FAULT on five of them are off by what matters to none alone."""
    rng = np.random.default_rng(5)
    value = 100.0 * (1.0 + rng.normal(0.0, noise, (ROWS, len(NAMES))))
    value[FAULT : FAULT + 30, :5] *= 1.0 + shift * np.array([1.0, -1.0, 1.0, 1.0, 1.0])
    return value


def log_of(value: Floats) -> list:
    return [
        record(n, 60.0 * n, s=[(name, {"service": "cart"}, 60.0 * n, x) for name, x in zip(NAMES, row, strict=True)])
        for n, row in enumerate(value.tolist())
    ]


def test_the_stage_says_what_the_table_says():
    """The same samples, one by one in the daemon and as a table offline: the same state and the same scores, to the bit."""
    value, config = measured(), Detect()
    n, m = value.shape
    ts_ns = (START + 60 * np.arange(n)) * 10**9
    bank = Bank(config, "UTC")
    for slot, name in enumerate(NAMES):
        bank.admit(slot, series(name))
    scored = bank.score(np.tile(np.arange(m), n), np.repeat(ts_ns, m), value.reshape(-1))
    state, said = np.zeros(1, joint.STATE), np.zeros(n, joint.OPINION)
    params = joint.Params(config.false_alarm_every, known_min=3, excess_min=EXCESS[0], excess_max=EXCESS[1])
    joint.score_jointly(as_state(state), ts_ns, scored.among.reshape(n, m), params, as_state(said))
    shard = machine(config)
    outputs, _ = play(shard, log_of(value), (17, 400))
    saved = shard.snapshot().columns["entities.states"].tobytes()
    assert np.frombuffer(saved, joint.STATE)[0] == state[0]
    told = [a for a in alerts(outputs) if a.kind is AnomalyKind.JOINT and a.reason == "confirmed"]
    assert told
    for alert in told:
        row = said[int(np.searchsorted(ts_ns, alert.ts_ns))]
        assert (alert.score, alert.value) == (row["score"], row["decades"])


@pytest.mark.parametrize("cuts", [tuple(range(0, ROWS, 7)), (FAULT + 1, FAULT + 2, FAULT + 3)])
def test_the_same_is_told_however_the_log_is_cut_and_after_a_restore(cuts):
    log = log_of(measured())
    whole, _ = play(machine(), log)
    parts, _ = play(machine(), log, cuts)
    assert whole == parts
    first, second = machine(), machine()
    before, _ = play(first, log[: FAULT + 4])
    second.restore(first.snapshot())
    after, _ = play(second, log[FAULT + 4 :])
    assert before + after == whole
    assert any(a.kind is AnomalyKind.JOINT for a in alerts(whole))
