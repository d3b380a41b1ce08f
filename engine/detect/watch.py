"""Samples in, anomalies out, alerts where the gates let them: the series of a shard, their models and their episodes together."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from detectors import choice, falls, values
from detectors.kernel import as_state, bound
from engine.config.tree import Detect
from engine.detect.alerts import Episodes
from engine.detect.bank import Bank
from engine.detect.dependencies import Dependencies
from engine.detect.distributions import Distributions
from engine.detect.doorkeeper import Doorkeeper, Refusal
from engine.detect.entities import Entities
from engine.detect.episode import Sighting
from engine.detect.forecasts import Forecasts
from engine.detect.gates import Gate, Judged, Policies, weigh
from engine.detect.groups import Groups, fleets
from engine.detect.peers import Peers
from engine.detect.points import Floats, Ints, Points, Step, room_of
from engine.detect.pools import Pools, together
from engine.detect.priors import Priors
from engine.detect.river_parts import RiverParts
from engine.detect.scored import Scored
from engine.detect.series import ASIDE, IGNORED, ROWS, SeriesTable
from engine.detect.tallies import Tallies
from engine.detect.titles import REFUSED
from engine.metrics import Metric
from engine.ports import StepStats
from engine.records import Alert, AlertState, AnomalyKind, Coded, Series, Signal

_LIMITS: Final = {Refusal.FULL: "series_max", Refusal.NAME_FULL: "series_per_name_max"}
_SAMPLED: Final = Metric.SAMPLES, (Signal.METRIC,)
SILENT_TICKS: Final = 2
"""Ticks in a row for which a series must be overdue before its silence is told."""
_SECOND_NS: Final = 1_000_000_000


class Watch:
    """The watched series of one shard."""

    def __init__(
        self, config: Detect, config_id: str, timezone: str = "", domain: str = "default", tallies: Tallies | None = None
    ) -> None:
        self._warm_up_ns = int(config.warm_up * _SECOND_NS)
        self._idle_ns = int(config.idle_after * _SECOND_NS)
        self._series_max = config.series_max
        one, number, rows = np.zeros(1, np.int64), np.zeros(1), as_state(np.zeros(1, ROWS))
        self._room = room_of(1)  # for what was read last, and what was said of it: there are often as many samples again
        self._scored: Scored | None = None
        self._read = bound(values.read_values, rows["values"], rows["kind"], one, one, number, self._room)
        self._marked = np.zeros(1, np.bool_)
        self._choose = bound(choice.choose, rows["live"], one, number, self._marked, one)
        self.bank = Bank(config, timezone)
        self.pools = Pools(config.count_bucket)
        self.table = SeriesTable(config.series_max, Policies(config), Doorkeeper(config.series_max, config.series_per_name_max))
        self.episodes = Episodes(config, self.bank.kernel_id, config_id, self.bank.epoch, self.bank.civil_ns)
        self.dependencies = Dependencies(domain)
        self.tallies = tallies or Tallies()
        self.groups = Groups(fleets(config.fleet.labels))
        self.distributions = Distributions(config, self.table)
        self.peers = Peers(config, self.groups, self.table, self.episodes)
        self.entities = Entities(config, self.table, self.episodes, self.peers)
        self.priors = Priors(config, self.bank, self.groups)
        self.river = RiverParts(config.river, self.bank)
        self.forecasts = Forecasts(config, self.table, self.episodes, (self.bank.kernel_id, config_id))

    # ------------------------------------------------------------------------------------------ samples
    def samples(
        self,
        row: NDArray[np.int32],
        keys: Sequence[bytes],
        ts_ns: Ints,
        raw: Floats,
        describe: Callable[[bytes], Series],
        step: Step,
    ) -> None:
        """Score the samples of a run of records, in order, then learn them; let their episodes live."""
        slot, seated = self._slots(keys, describe, step.stats)
        self.distributions.take(slot, ts_ns, raw, step.stats)
        self.tallies.take(keys, ts_ns, raw, describe, step.stats)
        if not seated:
            known = slot >= 0
            row, slot, ts_ns, raw = row[known], slot[known], ts_ns[known], raw[known]
        if not len(slot):
            return
        self.table.heard(slot)
        points = self._points(row, slot, ts_ns, raw, step.stats)
        counts = step.stats.counts
        counts[_SAMPLED] = counts.get(_SAMPLED, 0) + len(points.slot)
        if len(points.slot):
            self.forecasts.feed(points.slot, points.ts_ns, points.value)
            self._score(points, step)

    def _points(self, row: NDArray[np.int32], slot: Ints, ts_ns: Ints, raw: Floats, stats: StepStats) -> Points:
        """What there is to score of at least one sample."""
        table = self.table
        if len(self._room[0]) != len(slot):
            self._room = room_of(len(slot))
        unusable = self._read(table.values, table.kinds, slot, ts_ns, raw, self._room)
        value, pace, size_of, resumed, verdict = self._room
        points = Points(row, slot, ts_ns, value, pace, size_of, resumed)
        if not unusable:
            return points
        for name, code in (("late", values.LATE), ("repeated", values.REPEATED)):
            dropped = np.count_nonzero(verdict == code)
            if dropped:
                stats.count(Metric.SAMPLES_DROPPED, int(dropped), name)
        return points.only(np.isfinite(value))

    def _slots(self, keys: Sequence[bytes], describe: Callable[[bytes], Series], stats: StepStats) -> tuple[Ints, bool]:
        """The slot of each key, and whether all of them have one."""
        slots = self.table.lookup(keys)
        if self.table.all_seated or slots.min(initial=0) >= 0:
            return slots, True
        new, fresh = np.flatnonzero(slots == REFUSED), dict[bytes, int]()
        unknown = keys.words.words(keys.codes[new]) if isinstance(keys, Coded) else [keys[i] for i in new.tolist()]
        for i, key in zip(new.tolist(), unknown, strict=True):
            slot = fresh.get(key, REFUSED)  # admitted by an earlier sample of the same run
            if slot == REFUSED:
                self.distributions.reading(i)
                slot = self._new_slot(key, describe, stats)
                if slot >= 0 or slot <= ASIDE:
                    fresh[key] = slot
            slots[i] = slot
        if self.distributions.has_shifted():
            slots = self.table.lookup(keys)
        return slots, bool(slots.min(initial=0) >= 0)

    def _new_slot(self, key: bytes, describe: Callable[[bytes], Series], stats: StepStats) -> int:
        if self.table.is_ignored(key):
            slot = IGNORED
        elif self.table.refuses(key):
            slot = self._refused(Refusal.NAME_FULL, stats)
        else:
            series = describe(key)
            slot = self.distributions.aside(series, stats) or self.admit(series, stats)
        if ASIDE < slot < 0:
            stats.count(Metric.SAMPLES_DROPPED, 1, "ignored" if slot == IGNORED else "refused")
        return slot

    def admit(self, series: Series, stats: StepStats) -> int:
        """A slot and an empty model for a new series; negative when it gets none."""
        slot = self.table.admit(series)
        if isinstance(slot, Refusal):
            return self._refused(slot, stats)
        self.dependencies.described(series, stats)
        if slot >= 0:
            self.bank.admit(slot, series)
            number = self.groups.add(slot, series)
            self.peers.join(slot, number)
            self.entities.join(slot, series, stats)
            self.priors.join(slot, number)
            self.river.join(slot, series, stats)
            self.forecasts.admit(slot, series, stats)
            self.distributions.join(slot, series, stats)
        return slot

    def _refused(self, why: Refusal, stats: StepStats) -> int:
        stats.count(Metric.SERIES_REFUSED, 1, why)
        if why in _LIMITS:
            stats.count(Metric.LIMITS_REACHED, 1, _LIMITS[why])
        return REFUSED

    def score(self, points: Points, step: Step) -> None:
        """Points that were counted here, of logs, events and spans: as samples are."""
        if self.tallies.active:
            series = [self.table.at(slot) for slot in points.slot.tolist()]
            about = {one.key: one for one in series}
            self.tallies.take([one.key for one in series], points.ts_ns, points.value, about.__getitem__, step.stats)
        self._score(points, step)

    def _score(self, points: Points, step: Step) -> None:
        """Score, learn, and show to the episodes every sample of a series that is, or becomes, of interest."""
        scored = self._scored = self.bank.score(points.slot, points.ts_ns, points.value, self._scored)
        if points.counts:
            falls.stretch_falls(points.value, scored.expected, scored.scale, scored.score)
        pooled = None
        if points.weight is not None:
            needed, learns = self.bank.needed_decades(points.step.item(0)), ~self.table.live[points.slot]
            samples = points.value, scored.expected, points.weight
            pooled = self.pools.take(points.slot, points.ts_ns.item(0), samples, needed, (learns, scored.score))
        self.entities.observe(points.slot, points.ts_ns, points.value, scored)
        self.river.add_to(scored.score, points.slot)
        self.peers.observe(points.slot, points.ts_ns, points.value)
        shown = self._shown(points.slot, scored.score)
        if shown is not None:
            self._show(points, scored, shown, pooled, step)

    def _shown(self, slot: Ints, score: Floats) -> Ints | None:
        """Which samples the episodes see: all of a series with an open episode, or with an anomaly among these; None for none."""
        live, chosen = self.table.live, np.empty(len(slot), np.int64)
        if len(self._marked) < len(live):
            self._marked = np.zeros(len(live), np.bool_)
        count = self._choose(live, slot, score, self._marked, chosen)
        return chosen[:count] if count else None

    def _show(self, points: Points, scored: Scored, shown: Ints, pooled: Any, step: Step) -> None:
        """Show samples to the episodes of their series, in order."""
        band: list[list[float]] = []
        table, episodes = self.table, self.episodes
        for place, i in enumerate(shown.tolist()):
            slot, score = points.slot.item(i), scored.score.item(i)
            series = table.at(slot)
            if not score >= 1.0 and episodes.passes(series.key, points.ts_ns.item(i), score):
                table.live[slot] = episodes.is_open(series.key)
            elif not episodes.is_sighting(series.key):
                band = band or scored.band(shown).tolist()
                self._judge(series, points, scored, i, (band[place], pooled), step)

    def _judge(self, series: Series, points: Points, scored: Scored, i: int, beside: tuple[list[float], Any], step: Step) -> None:
        slot = points.slot.item(i)
        judged = self._judged(series, points, scored, i, beside)
        surprising = judged.score >= 1.0
        gate = weigh(self.table.policy(slot), judged) if surprising else Gate.PASSED
        if gate is Gate.PASSED and judged.pool > 1.0:
            is_covered = points.covered is not None and bool(points.covered[i]) and not self.episodes.is_told(series.key)
            gate = self.pools.gate(slot, judged, is_covered=is_covered)
        gate, alert = self.episodes.observe(series, slot, judged, gate, step.moment(int(points.row[i])))
        if surprising:
            step.stats.count(Metric.ANOMALIES, 1, series.signal, judged.kind)
            if gate is not Gate.PASSED:
                step.stats.count(Metric.GATED, 1, gate)
        self.table.live[slot] = self.episodes.is_open(series.key)
        self.tell(alert, step, int(points.row[i]))

    def _judged(self, series: Series, points: Points, scored: Scored, i: int, beside: tuple[list[float], Any]) -> Judged:
        (lower, upper), pooled = beside
        slot, step, score = points.slot.item(i), points.step.item(i), scored.score.item(i)
        judged = Judged(
            ts_ns=points.ts_ns.item(i),
            value=points.value.item(i),
            score=score,
            expected=scored.expected.item(i),
            lower=lower,
            upper=upper,
            deviation=scored.deviation.item(i),
            kind=Bank.KINDS[scored.kind[i]],
            onset_ts_ns=scored.onset_ts_ns.item(i),
            factors=self._factors(slot, scored, i, step) if score >= 1.0 else {},  # nobody is told of others
            size_of=points.size_of.item(i),
            step_seconds=step,
            resumed_seconds=points.resumed.item(i),
        )
        return together(series, judged, None if pooled is None else pooled[i], self.pools.bucket_ns)

    def _factors(self, slot: int, scored: Scored, i: int, step_seconds: float) -> dict[str, float]:
        """What made up a score, in decades."""
        own = zip(self.bank.detectors, scored.factors[i].tolist(), strict=True)
        loud = {name: decades for name, decades in own if decades > 0.0}
        usual = self.bank.usual_factor(scored.usual.item(i), step_seconds)
        return loud | usual | self.peers.factors(slot) | self.river.factors(slot)

    def sighted(self, series: Series, seen: Sighting, row: int, step: Step) -> None:
        """Tell a first sighting."""
        slot = self.table.slot_of(series.key)
        self.tell(self.episodes.sighted(series, slot, seen, step.moment(row)), step, row)
        step.stats.count(Metric.ANOMALIES, 1, series.signal, seen.kind)

    def tell(self, alert: Alert | None, step: Step, row: int) -> None:
        if alert is not None:
            step.drafts.add(step.moment(row), alert)
            step.stats.count(Metric.ALERTS, 1, alert.state)

    # ------------------------------------------------------------------------------------------ ticks
    def settle(self, now_ns: int) -> None:
        """Do what episodes asked of the models, and let go of those that are over."""
        for _, slot, ask in self.episodes.take_asks():
            self.bank.obey(slot, ask)
            self.pools.obey(slot, ask)
        for episode in self.episodes.sweep(now_ns):
            if episode.slot >= 0:
                self.table.rows["live"][episode.slot] = False

    def silence(self, watermark_ns: int, row: int, step: Step) -> None:
        """Tell of series that have been overdue for two ticks; those of one entity are told together."""
        rows = self.table.rows
        slots, scores = self.bank.overdue(watermark_ns)
        if not len(slots):
            return
        watched = slots < self.table.slots_used
        slots, scores = slots[watched], scores[watched]
        metric = rows["metric"][slots] & rows["used"][slots] & ~rows["fitful"][slots]
        slots, scores = slots[metric], scores[metric]
        if not len(slots):
            return
        ticks = self.table.unheard(slots)
        if not (ticks == SILENT_TICKS).any():
            return
        entities = {self.table.at(slot).entity for slot in slots[ticks == SILENT_TICKS].tolist()} - {""}
        heard = self._families_heard(watermark_ns)
        for slot, score, tick in zip(slots.tolist(), scores.tolist(), ticks.tolist(), strict=True):
            if tick == SILENT_TICKS or (tick < SILENT_TICKS and self.table.at(slot).entity in entities):
                self._silent(slot, score, heard, row, step)

    def _families_heard(self, now_ns: int) -> frozenset[int]:
        """Families of which a member has been heard within two of its steps."""
        part = self.table.rows[: self.table.slots_used]
        fresh = part["values"]["last_ns"] + (2.0 * _SECOND_NS * part["values"]["step"]).astype(np.int64) >= now_ns
        return frozenset(part["family"][fresh & part["used"] & part["metric"]].tolist()) - {0}

    def _silent(self, slot: int, score: float, heard: frozenset[int], row: int, step: Step) -> None:
        series, state = self.table.at(slot), self.table.rows[slot]
        time = state["values"]
        last_ns = int(time["last_ns"])
        episode = self.episodes.by_key.get(series.key)
        told = episode is not None and episode.state is AlertState.FIRING
        if not told:
            step.stats.count(Metric.ANOMALIES, 1, series.signal, AnomalyKind.GAP)
            young = last_ns - int(time["first_ns"]) < self._warm_up_ns
            if young or int(state["family"]) in heard:
                step.stats.count(Metric.GATED, 1, Gate.WARMING_UP if young else Gate.REPLACED)
                return
        alert = self.episodes.silent(series, slot, score, last_ns, float(time["step"]), step.moment(row))
        self.table.rows["live"][slot] = True
        self.tell(alert, step, row)

    def derive(self, watermark_ns: int, row: int, step: Step) -> None:
        """Score what histograms have said since the last tick."""
        for said in self.distributions.tick(watermark_ns, step.stats):
            self.samples(np.full(len(said.keys), row, np.int32), said.keys, said.ts_ns, said.value, said.describe, step)

    def tally(self, watermark_ns: int, row: int, step: Step) -> None:
        """Tell what was counted for objectives; score the ratios of the minutes that have passed."""
        if not self.tallies.active:
            return
        shares = self.tallies.tick(watermark_ns, step.moment(row), step.drafts)
        if shares.keys:
            self.samples(
                np.full(len(shares.keys), row, np.int32), shares.keys, shares.ts_ns, shares.value, shares.about.__getitem__, step
            )

    def compare(self, watermark_ns: int, row: int, step: Step) -> None:
        """Let new members of fleets inherit; tell of members that are unlike their peers, and of entities."""
        self.priors.tick(watermark_ns, step.stats)
        self.river.tick(watermark_ns, self.bank.needed_decades, step.stats)
        for alert in self.peers.tick(watermark_ns, step.moment(row), step.stats):
            self.tell(alert, step, row)
        for alert in self.entities.tick(watermark_ns, step.moment(row), step.stats):
            self.tell(alert, step, row)

    def foresee(self, watermark_ns: int, row: int, step: Step) -> None:
        """Tell what will run out."""
        for alert in self.forecasts.tick(watermark_ns, step.moment(row), step.stats):
            self.tell(alert, step, row)

    def leases(self, row: int, step: Step) -> None:
        """Tell again what is still true."""
        moment = step.moment(row)
        for episodes in (self.episodes, self.forecasts.episodes):
            if moment.log_ns >= episodes.lease_at_ns:
                for alert in episodes.leases(moment):
                    self.tell(alert, step, row)
        if self.episodes.memories.dropped:
            step.stats.count(Metric.LIMITS_REACHED, self.episodes.memories.take_dropped(), "pasts_max")

    def evict(self, watermark_ns: int, row: int, step: Step) -> None:
        """Forget some of the series that have been silent for too long."""
        for slot in self.table.idle(watermark_ns - self._idle_ns):
            self.tell(self.episodes.retire(self.table.at(slot).key, step.moment(row)), step, row)
            self.tell(self.peers.retire(slot, step.moment(row)), step, row)
            self.tell(self.entities.retire(slot, step.moment(row)), step, row)
            self.tell(self.forecasts.retire(slot, step.moment(row)), step, row)
            self.release(slot)
            step.stats.count(Metric.SERIES_EVICTED)

    def release(self, slot: int) -> None:
        """Forget a series. Nothing may be asked of its model any more: only directly after `settle`."""
        self.bank.release(slot)
        self.pools.release(slot)
        self.peers.leave(slot)
        self.entities.leave(slot)
        self.priors.leave(slot)
        self.river.leave(slot)
        self.groups.remove(slot)
        self.forecasts.release(slot)
        self.distributions.leave(slot)
        self.table.release(slot)
