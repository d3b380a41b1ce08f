"""Counters that belong together, summed by the minute: for service level objectives, and for shares that are series of their own.

    http_requests_total{service="cart",code="500"} ─┐                 ┌─▶ Tally of an objective, to the correlate stage, where those of
    http_requests_total{service="cart",code="200"} ─┴─▶ sums of groups┤   all shards meet
                                                                      └─▶ ratio of two sums, a sample of a series of its own

An objective has one group; a ratio has one for each entity (and each value of the labels in `by`). A minute closes at the first tick at which the
watermark has passed its end. What comes later is counted in the oldest minute that is open: nothing is lost, and nothing counted twice.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from heapq import heapify, heappop, heappush
from math import nan
from typing import Any, Final, NamedTuple

import msgspec
import numpy as np
from msgspec import structs
from numpy.typing import NDArray

from detectors import tallies
from detectors.kernel import as_state, bound
from detectors.tallies import OPEN, ROLE, ROLES_MAX, STATE, SUM
from engine.config.selectors import Selector, parse
from engine.config.slo import Ratio, Slo
from engine.detect.drafts import Drafts, Moment
from engine.detect.groups import grown
from engine.detect.lineage import lineage_hash
from engine.detect.series import CodedSlots
from engine.detect.titles import REFUSED
from engine.errors import StateError
from engine.metrics import Metric
from engine.ports import Columns, StepStats
from engine.records import Coded, Series, Tally, ValueKind, digest, series_key
from engine.words import Words

BUCKET_NS: Final = 60_000_000_000
SERIES_MAX: Final = 50_000
"""Series of one shard that are counted; beyond it no more are, which is counted too."""
GROUPS_MAX: Final = 10_000
KNOWN_MAX: Final = 500_000
"""Series of which it is remembered that nobody means them."""
YOUNG_NS: Final = 600_000_000_000
"""A counter that appears so long after its group began then."""
IDLE_NS: Final = 86_400_000_000_000
"""A series silent for this long is forgotten."""
NOBODYS: Final = -2
Ints = NDArray[np.int64]


class Rule(NamedTuple):
    """One objective or ratio. `roles` are selectors with the number of the role that they give."""

    id: str
    name: str
    roles: list[tuple[Selector, int]]
    ratio: Ratio | None = None


class Group(msgspec.Struct, array_like=True):
    """The sums of one objective, or of one entity's ratio (then `series` is that of the ratio)."""

    rule: str
    since_ns: int
    series: Series | None = None
    members: int = 0


class Saved(msgspec.Struct, array_like=True):
    """What is saved beside the arrays."""

    series: list[tuple[int, Series]]
    groups: list[tuple[int, Group]]


class Shares(NamedTuple):
    """Samples of ratios, all of one length, by time."""

    keys: list[bytes]
    ts_ns: Ints
    value: NDArray[np.float64]
    about: Mapping[bytes, Series]


class Tallies:
    """The counted series of one shard."""

    def __init__(
        self, slos: Sequence[Slo] = (), ratios: Sequence[Ratio] = (), *, domain: str = "default", tenant: str = "default"
    ) -> None:
        self._domain, self._tenant = domain, tenant
        told: list[tuple[float, float, float, int]] = []
        rules = [*(_rule_of_slo(slo, told) for slo in slos), *(_rule_of_ratio(ratio, told) for ratio in ratios)]
        self._rules = {rule.id: rule for rule in rules}
        self._roles = as_state(np.array(told, ROLE))
        self._places: dict[bytes, int] = {}  # NOBODYS for a series that nobody means
        self._coded = CodedSlots()
        self._series: list[Series | None] = []
        self._free: list[int] = []
        self._rows: NDArray[np.void] = as_state(np.zeros(0, STATE))
        self._numbers: dict[tuple[str, bytes], int] = {}
        self._groups: list[Group | None] = []
        self._free_groups: list[int] = []
        self._sums: NDArray[np.void] = as_state(np.zeros((0, OPEN), SUM))
        self._first = np.zeros(1, np.int64)
        self._take = tallies.take
        if rules:  # compiled before the first sample comes, or not at all
            one, number = np.zeros(1, np.int64), np.zeros(1)
            rows, sums = as_state(np.zeros(1, STATE)), as_state(np.zeros((1, OPEN), SUM))
            self._take = bound(tallies.take, rows, self._roles, one, one, number, BUCKET_NS, one, sums)

    @property
    def active(self) -> bool:
        """Whether anything is to be counted at all."""
        return bool(self._rules)

    # ------------------------------------------------------------------------------------------ samples
    def take(
        self, keys: Sequence[bytes], ts_ns: Ints, raw: NDArray[np.float64], describe: Callable[[bytes], Series], stats: StepStats
    ) -> None:
        """Samples as they came, in order; those of series that nobody means are left out."""
        if not self._rules:
            return
        place = self._coded.slots(keys, self._places_among) if isinstance(keys, Coded) else self._places_of(keys)
        for i in np.flatnonzero(place == REFUSED).tolist():
            place[i] = self._place_of(keys[i], int(ts_ns[i]), describe, stats)
        chosen = np.flatnonzero((place >= 0) & np.isfinite(raw))
        if len(chosen):
            some = place[chosen], ts_ns[chosen], raw[chosen]
            self._take(self._rows, self._roles, *some, BUCKET_NS, self._first, self._sums)

    def _places_among(self, words: Words, codes: Ints) -> Ints:
        return self._places_of(words.words(codes))

    def _places_of(self, keys: Sequence[bytes]) -> Ints:
        return np.array([self._places.get(key, REFUSED) for key in keys], np.int64)

    def _place_of(self, key: bytes, ts_ns: int, describe: Callable[[bytes], Series], stats: StepStats) -> int:
        known = self._places.get(key)
        if known is not None:
            return known
        place = self._admit(describe(key), ts_ns, stats)
        if len(self._places) >= KNOWN_MAX:
            self._places = {name: number for name, number in self._places.items() if number >= 0}
            self._coded = CodedSlots()
        self._places[key] = place
        self._coded.note(key, place)
        return place

    def _admit(self, series: Series, ts_ns: int, stats: StepStats) -> int:
        roles = self._roles_of(series, ts_ns, stats)
        if not roles:
            return NOBODYS
        if len(self._series) - len(self._free) >= SERIES_MAX:
            stats.count(Metric.LIMITS_REACHED, 1, "tally_series_max")
            return NOBODYS
        place = heappop(self._free) if self._free else len(self._series)
        if place == len(self._series):
            self._series.append(None)
        self._rows = as_state(grown(self._rows, place + 1))
        self._rows[place] = np.zeros(1, STATE)[0]
        self._occupy(place, series, roles)
        oldest_ns = min(self._group(number).since_ns for number, _ in roles)
        self._rows["is_young"][place] = ts_ns - oldest_ns >= YOUNG_NS
        return place

    def _occupy(self, place: int, series: Series, roles: list[tuple[int, int]]) -> None:
        self._series[place] = series
        self._rows["is_counter"][place] = series.kind is ValueKind.COUNTER
        self._rows["roles"][place] = len(roles)
        for k, (group, role) in enumerate(roles):
            self._rows["group"][place, k], self._rows["role"][place, k] = group, role
            self._group(group).members += 1

    def _roles_of(self, series: Series, ts_ns: int, stats: StepStats) -> list[tuple[int, int]]:
        """The group and the number of each role that a series has."""
        labels = dict(series.labels)
        meant = [
            (rule, role)
            for rule in self._rules.values()
            for selector, role in rule.roles
            if selector.matches(series.name, labels)
        ]
        if len(meant) > ROLES_MAX:
            stats.count(Metric.LIMITS_REACHED, 1, "tally_roles_max")
        found = [(self._group_of(rule, series, ts_ns, stats), role) for rule, role in meant[:ROLES_MAX]]
        return [(group, role) for group, role in found if group >= 0]

    def _group_of(self, rule: Rule, series: Series, ts_ns: int, stats: StepStats) -> int:
        share = _share_of(rule, series)
        name = (rule.id, share.key if share is not None else b"")
        number = self._numbers.get(name)
        if number is not None:
            return number
        if len(self._numbers) >= GROUPS_MAX:
            stats.count(Metric.LIMITS_REACHED, 1, "tally_groups_max")
            return -1
        number = heappop(self._free_groups) if self._free_groups else len(self._groups)
        if number == len(self._groups):
            self._groups.append(None)
        if number >= len(self._sums):
            longer = np.zeros((max(2 * len(self._sums), 8), OPEN), SUM)
            longer[: len(self._sums)] = self._sums
            self._sums = as_state(longer)
        self._sums[number] = np.zeros(OPEN, SUM)
        self._groups[number] = Group(rule.id, ts_ns, share)
        self._numbers[name] = number
        return number

    def _group(self, number: int) -> Group:
        group = self._groups[number]
        if group is None:
            raise ValueError(f"group {number} is gone")
        return group

    # ------------------------------------------------------------------------------------------ ticks
    def tick(self, watermark_ns: int, at: Moment, drafts: Drafts) -> Shares:
        """Close the minutes that are complete: objectives are told, ratios are given back to be scored."""
        now, first = watermark_ns // BUCKET_NS, int(self._first[0])
        shares: list[tuple[Series, int, float]] = []
        if first and now > first:
            for bucket in range(first, min(now, first + OPEN)):
                self._close(bucket, at, drafts, shares)
            self._first[0] = now
            self._forget(watermark_ns - IDLE_NS)
        times = np.array([ts_ns for _, ts_ns, _ in shares], np.int64)
        about = {series.key: series for series, _, _ in shares}
        return Shares(
            [series.key for series, _, _ in shares], times, np.array([value for _, _, value in shares], np.float64), about
        )

    def _close(self, bucket: int, at: Moment, drafts: Drafts, shares: list[tuple[Series, int, float]]) -> None:
        place = bucket % OPEN
        for number in np.flatnonzero(self._sums["filled"][:, place]).tolist():
            group = self._groups[number]
            bad, total = float(self._sums["bad"][number, place]), float(self._sums["total"][number, place])
            if group is None:
                continue
            rule = self._rules[group.rule]
            if group.series is None:
                drafts.add(at, self._told(rule.name, bucket, (bad, total), at))
            elif rule.ratio is not None and total >= rule.ratio.whole_min:
                shares.append((group.series, (bucket + 1) * BUCKET_NS, max(bad, 0.0) / total))
        self._sums[:, place] = np.zeros(1, SUM)[0]

    def _told(self, name: str, bucket: int, counted: tuple[float, float], at: Moment) -> Tally:
        bad, total = counted
        return Tally(
            slo=name,
            bucket_ns=bucket * BUCKET_NS,
            ts_ns=max(at.told_ns, (bucket + 1) * BUCKET_NS),
            bad=bad,
            total=total,
            domain=self._domain,
            tenant=self._tenant,
            stamp=at.stamp(),
        )

    def _forget(self, before_ns: int) -> None:
        """Let go of series that have been silent for too long, and of ratios that have none left."""
        idle = np.flatnonzero((self._rows["roles"] > 0) & (self._rows["last_ns"] < before_ns))
        for place in idle.tolist():
            series, row = self._series[place], self._rows[place]
            if series is None:
                continue
            for number in row["group"][: int(row["roles"])].tolist():
                self._leave(number)
            self._rows[place] = np.zeros(1, STATE)[0]
            self._series[place] = None
            del self._places[series.key]
            self._coded.note(series.key, REFUSED)
            heappush(self._free, place)

    def _leave(self, number: int) -> None:
        group = self._group(number)
        group.members -= 1
        if group.members or group.series is None:
            return
        del self._numbers[group.rule, group.series.key]
        self._groups[number] = None
        heappush(self._free_groups, number)

    # ------------------------------------------------------------------------------------------ snapshots
    def snapshot(self) -> Columns:
        series = [(place, one) for place, one in enumerate(self._series) if one is not None]
        groups = [(number, group) for number, group in enumerate(self._groups) if group is not None]
        return {
            "id": np.array([_state_id()], "S32"),
            "rows": np.frombuffer(self._rows[: len(self._series)].tobytes(), np.uint8).copy(),
            "sums": np.frombuffer(self._sums[: len(self._groups)].tobytes(), np.uint8).copy(),
            "first": self._first.copy(),
            "saved": np.frombuffer(msgspec.msgpack.encode(Saved(series, groups)), np.uint8).copy(),
        }

    def restore(self, columns: Columns) -> None:
        """Become what was saved, as far as today's objectives and ratios still mean it; only when just made. Raises StateError."""
        if not columns or not self._rules:
            return
        if bytes(columns["id"][0]).decode() != _state_id():
            raise StateError("what was counted was counted by another version")
        try:
            saved = msgspec.msgpack.decode(columns["saved"].tobytes(), type=Saved)
            rows = np.frombuffer(columns["rows"].tobytes(), STATE)
            sums = np.frombuffer(columns["sums"].tobytes(), SUM).reshape(-1, OPEN)
        except (msgspec.DecodeError, ValueError) as error:
            raise StateError("what was counted is torn") from error
        if not all(0 <= place < len(rows) for place, _ in saved.series) or not all(
            0 <= number < len(sums) for number, _ in saved.groups
        ):
            raise StateError("what was counted is torn")
        self._first = columns["first"].astype(np.int64)
        self._restore_groups(saved.groups, sums)
        self._restore_series(saved.series, rows)

    def _restore_groups(self, saved: list[tuple[int, Group]], sums: NDArray[np.void]) -> None:
        self._groups = [None] * len(sums)
        self._sums = as_state(np.zeros(sums.shape, SUM))
        for number, group in saved:
            if group.rule in self._rules:
                self._groups[number] = structs.replace(group, members=0)
                self._numbers[group.rule, group.series.key if group.series is not None else b""] = number
                self._sums[number] = sums[number]
        self._free_groups = [number for number, group in enumerate(self._groups) if group is None]
        heapify(self._free_groups)

    def _restore_series(self, saved: list[tuple[int, Series]], rows: NDArray[np.void]) -> None:
        self._series = [None] * len(rows)
        self._rows = as_state(np.zeros(len(rows), STATE))
        for place, series in saved:
            roles = self._roles_of(series, int(rows["last_ns"][place]), StepStats())
            if roles:
                self._rows[place] = rows[place]
                self._occupy(place, series, roles)
                self._places[series.key] = place
        self._free = [place for place, series in enumerate(self._series) if series is None]
        heapify(self._free)


def _rule_of_slo(slo: Slo, told: list[tuple[float, float, float, int]]) -> Rule:
    """The rule of an objective; `told` gets its roles."""
    if slo.series:
        about: list[tuple[str, tuple[float, float, float, int]]] = [(slo.series, (0.0, 0.0, slo.at_most or 0.0, 1))]
    elif slo.errors:
        about = [(slo.total, (0.0, 1.0, nan, 0)), (slo.errors, (1.0, 0.0, nan, 0))]
    else:
        about = [(slo.total, (1.0, 1.0, nan, 0)), (slo.good, (-1.0, 0.0, nan, 0))]
    return _rule("slo", slo.name, about, told)


def _rule_of_ratio(ratio: Ratio, told: list[tuple[float, float, float, int]]) -> Rule:
    about = [(ratio.whole, (0.0, 1.0, nan, 0)), (ratio.part, (1.0, 0.0, nan, 0))]
    return _rule("ratio", ratio.name, about, told)._replace(ratio=ratio)


def _rule(kind: str, name: str, about: list[tuple[str, tuple[float, float, float, int]]], told: list[Any]) -> Rule:
    """Equal meaning, equal id: what was counted goes on when an objective is only stated anew."""
    parts = [part for text, role in about for part in (text, repr(role))]
    roles = [(parse(text), len(told) + k) for k, (text, _) in enumerate(about)]
    told += [role for _, role in about]
    return Rule(digest(kind, name, *parts), name, roles)


def _share_of(rule: Rule, series: Series) -> Series | None:
    """The series of the ratio that a series is part of; None for an objective."""
    if rule.ratio is None:
        return None
    named = next((label for label, value in series.labels if value == series.entity), "")
    labels = tuple(pair for pair in series.labels if pair[0] == named or pair[0] in rule.ratio.by)
    key = series_key(rule.name, labels)
    return structs.replace(series, key=key, name=rule.name, labels=labels, kind=ValueKind.DERIVED, unit="")


def _state_id() -> str:
    return digest(lineage_hash((tallies.__name__,)), repr(STATE.descr), repr(SUM.descr))
