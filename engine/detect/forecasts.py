"""The resources of a shard and what is ahead of them: samples to forecasts, and at ticks what will run out, and what has begun to leak.

What is told of a series has a life of its own beside the alert of its scores, on the series `name{…,forecast="trend"}`: it fires once,
before the fact, is told again as the end comes much nearer, and ends when the trend does.
"""

from __future__ import annotations

from collections.abc import Iterator
from heapq import heapify, heappop, heappush
from math import isnan, nan
from typing import Any, Final

import numpy as np
from msgspec import structs
from numpy.typing import NDArray

from detectors import exhaustion, forecast
from detectors.kernel import as_state
from detectors.portable import tail_decades
from engine.config.tree import Detect
from engine.detect.ahead import Horizons, is_over, score_ends, score_trends, urgency
from engine.detect.alerts import Episodes
from engine.detect.bounds import Resource, Resources, seconds_left
from engine.detect.drafts import Moment
from engine.detect.foresight import Foreseen, Foresight
from engine.detect.lineage import lineage_hash
from engine.detect.series import SeriesTable
from engine.errors import StateError
from engine.metrics import Metric
from engine.ports import Columns, StepStats
from engine.records import Alert, AlertState, Outlook, Series, digest, series_key

LABEL: Final = "forecast"
ROWS: Final = np.dtype(
    [
        ("slot", np.int64),
        ("ts_ns", np.int64),  # of the newest sample
        ("value", np.float64),  # and what it said
        ("farthest", np.float64),  # the level nearest to the end since it was told
        ("confirm", np.int16),  # cells in a row that were worth telling
        ("calm", np.int16),  # cells in a row that were not, since it was told
        ("used", np.bool_),
        ("told", np.bool_),
    ],
    align=True,
)
CONFIRM_END: Final = 3
CONFIRM_TREND: Final = 6
CALM: Final = 6
"""Cells in a row."""
NEAR_HOURS: Final = 3.0
"""With so little to go one cell is enough."""
BACK: Final = 0.5
"""What was told is over at once when so much of what had come together beyond the usual is gone again."""
GAUGES_MAX: Final = 50
_ROWS_FIRST: Final = 64
_HOUR: Final = 3600.0


class Forecasts:
    """Places 0 … series_max - 1 for the series of a shard that are resources."""

    def __init__(self, config: Detect, table: SeriesTable, own: Episodes, ids: tuple[str, str]) -> None:
        """`own` are the episodes of the series' scores; `ids` are those of the kernels and of the configuration."""
        about = config.forecast
        self._table = table
        self._series_max = about.series_max if about.enabled else 0
        self._resources = Resources(config, table.rule_of)
        self._horizons = Horizons(about.fast_horizon / _HOUR, about.slow_horizon / _HOUR, about.learn / _HOUR)
        self._expiry_hours = about.expiry_horizon / _HOUR
        self._params = forecast.Params()
        self.episodes = Foresight(config, *ids, lambda _: 0)
        self._own = own
        self._place = np.full(0, -1, np.int32)  # by slot
        self._resource: list[Resource | None] = []  # by place
        self._free: list[int] = []
        self._rows = np.zeros(0, ROWS)
        self._state = np.zeros(0, forecast.STATE)
        self._closed = np.zeros(0, np.int8)
        self._limits: dict[tuple[str, str], int] = {}  # name of a limit and entity → slot
        self._told: dict[int, tuple[str, str, float]] = {}  # place → entity, name and seconds to go, for the gauge
        self._ended: set[tuple[str, str]] = set()

    # ------------------------------------------------------------------------------------------ places
    def admit(self, slot: int, series: Series, stats: StepStats) -> None:
        """A series was admitted to the table; if it is a resource it gets a place, as long as there are any."""
        if slot >= len(self._place):
            grown = np.full(max(slot + 1, 2 * len(self._place), _ROWS_FIRST), -1, np.int32)
            grown[: len(self._place)] = self._place
            self._place = grown
        if series.name in self._resources.limit_names:
            self._limits[series.name, series.entity] = slot
        resource = self._resources.of(series) if self._series_max else None
        if resource is None:
            return
        if len(self._resource) - len(self._free) >= self._series_max:
            stats.count(Metric.LIMITS_REACHED, 1, "forecast_series_max")
            return
        place = heappop(self._free) if self._free else len(self._resource)
        self._occupy(place, slot, resource)

    def _occupy(self, place: int, slot: int, resource: Resource) -> None:
        if place == len(self._resource):
            self._resource.append(None)
        if place >= len(self._rows):
            self._grow(place + 1)
        self._resource[place] = resource
        self._rows[place] = np.zeros((), ROWS)
        self._rows["slot"][place], self._rows["used"][place] = slot, True
        self._state[place] = np.zeros((), forecast.STATE)
        self._closed[place] = 0
        self._place[slot] = place

    def _grow(self, places: int) -> None:
        size = min(max(places, 2 * len(self._rows), _ROWS_FIRST), max(self._series_max, places))
        for name in ("_rows", "_state", "_closed"):
            before: NDArray[Any] = getattr(self, name)
            grown = np.zeros(size, before.dtype)
            grown[: len(before)] = before
            setattr(self, name, grown)

    def retire(self, slot: int, moment: Moment) -> Alert | None:
        """Ends what was told of a series, before it leaves."""
        place = self._at(slot)
        if place < 0 or not self._rows["told"][place]:
            return None
        self._end(place)
        return self.episodes.retire(_told_as(self._table.at(slot)).key, moment)

    def release(self, slot: int) -> None:
        """The series is forgotten."""
        place = self._at(slot)
        self._limits = {key: at for key, at in self._limits.items() if at != slot} if self._limits else {}
        if place < 0:
            return
        self._end(place)
        self._place[slot] = -1
        self._resource[place] = None
        self._rows[place] = np.zeros((), ROWS)
        self._closed[place] = 0
        heappush(self._free, place)

    def _at(self, slot: int) -> int:
        return int(self._place[slot]) if slot < len(self._place) else -1

    # ------------------------------------------------------------------------------------------ samples
    def feed(self, slot: NDArray[np.int64], ts_ns: NDArray[np.int64], value: NDArray[np.float64]) -> None:
        """Samples of any series, in order; those without a place are left out."""
        if not len(self._rows):
            return
        place = self._place[slot].astype(np.int64)
        mine = place >= 0
        if not mine.any():
            return
        if not mine.all():
            place, ts_ns, value = place[mine], ts_ns[mine], value[mine]
        self._rows["ts_ns"][place] = ts_ns  # of several samples of one series the last one stays
        self._rows["value"][place] = value
        forecast.learn_forecasts(as_state(self._state), place, ts_ns, value, self._params, self._closed)

    # ------------------------------------------------------------------------------------------ ticks
    def tick(self, now_ns: int, moment: Moment, stats: StepStats) -> Iterator[Alert]:
        """Look ahead of every series of which a cell has closed since the last tick; what is to be told."""
        if not len(self._rows):
            return
        self.episodes.sweep(now_ns)
        places = np.flatnonzero(self._closed).astype(np.int64)
        if not len(places):
            return
        self._closed[places] = 0
        bound, toward, left = self._bounds(places)
        seen = np.zeros(len(places), exhaustion.OUTLOOK)
        exhaustion.judge(as_state(self._state), places, bound, toward, self._params, as_state(seen))
        _expire(seen, left)
        ends = np.where(np.isnan(left), score_ends(seen, self._horizons), urgency(left) * (left <= self._expiry_hours))
        trends = np.where(np.isnan(left), score_trends(seen, toward, self._horizons), 0.0)
        score = np.maximum(ends, trends)
        waits = (seen["held"] > 0) & np.isnan(left)
        before = self._rows["confirm"][places]
        self._rows["confirm"][places] = np.where(waits, before, np.where(score >= 1.0, np.minimum(before + 1, 1000), 0))
        for i in np.flatnonzero(((score >= 1.0) | self._rows["told"][places]) & ~waits).tolist():
            alert = self._judge(int(places[i]), seen[i], float(bound[i]), (float(ends[i]), float(trends[i])), moment)
            if alert is not None:
                if alert.revision == 1:
                    stats.count(Metric.ANOMALIES, 1, alert.signal, alert.kind)
                yield alert

    def _bounds(self, places: NDArray[np.int64]) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
        """For each place its bound, the way to it, and hours left of what expires; NaN for none."""
        bound, toward, left = np.full(len(places), nan), np.zeros(len(places)), np.full(len(places), nan)
        for i, place in enumerate(places.tolist()):
            resource = self._resource[place]
            if resource is None:
                continue
            bound[i], toward[i] = resource.bound, resource.toward
            if resource.unit_seconds:
                row = self._rows[place]
                left[i] = seconds_left(float(row["value"]), resource.unit_seconds, int(row["ts_ns"])) / _HOUR
            elif isnan(resource.bound):
                bound[i] = self._sibling(int(self._rows["slot"][place]), resource)
        return bound, toward, left

    def _sibling(self, slot: int, resource: Resource) -> float:
        """The newest value of the series that bounds this one; NaN when there is none, or when it says that there is no limit."""
        slots = [at for at in self._table.lookup(list(resource.siblings)).tolist() if at >= 0]
        if not slots and resource.limit_name:
            slots = [self._limits.get((resource.limit_name, self._table.at(slot).entity), -1)]
        if not slots or slots[0] < 0:
            return nan
        values = self._table.rows["values"][slots[0]]
        return float(values["raw"]) if values["seen"] > 0 and values["raw"] > 0.0 else nan

    def _judge(self, place: int, seen: np.void, bound: float, scores: tuple[float, float], moment: Moment) -> Alert | None:
        row = self._rows[place]
        own = self._table.at(int(row["slot"]))
        series = _told_as(own)
        resource = self._resource[place]
        toward = resource.toward if resource is not None else 0
        if row["told"] and self._is_over(place, seen, bound, toward, max(scores)):
            self._end(place)
            return self.episodes.over(series.key, int(row["ts_ns"]), moment)
        if row["told"]:
            self._told[place] = (own.entity, own.name, float(seen["middle"]) * _HOUR)
            scores = max(scores[0], float(urgency(seen["middle"]))), scores[1]  # what was told once comes nearer until it is over
        ending = scores[0] >= 1.0
        needed = (1 if seen["middle"] <= NEAR_HOURS else CONFIRM_END) if ending else CONFIRM_TREND
        if max(scores) < 1.0 or (not row["told"] and (row["confirm"] < needed or self._is_known(own.key, seen))):
            return None
        if not row["told"]:
            row["told"], row["calm"], row["farthest"] = True, 0, seen["value"]
        outlook = _outlook(seen, nan if isnan(seen["middle"]) else bound)
        seconds = outlook.seconds if outlook.seconds is not None else nan
        self._told[place] = (own.entity, own.name, seconds)
        expires = resource is not None and resource.unit_seconds > 0.0
        foreseen = _foreseen(row, seen, outlook, max(scores), expires=expires)
        return self.episodes.foresee(series, foreseen, self._table.rows["values"]["step"][int(row["slot"])], moment)

    def _is_known(self, key: bytes, seen: np.void) -> bool:
        """A fast trend is no news while the series' own alert fires; a slow one is: when it ends was not said yet."""
        episode = self._own.by_key.get(key)
        return seen["age"] == 0 and episode is not None and episode.state is AlertState.FIRING

    def _is_over(self, place: int, seen: np.void, bound: float, toward: float, score: float) -> bool:
        row = self._rows[place]
        toward = toward or (1 if seen["slope"] > 0.0 else -1)
        if toward * (seen["value"] - row["farthest"]) > 0.0:
            row["farthest"] = seen["value"]
        fallen = toward * (row["farthest"] - seen["value"])
        if fallen > seen["reach"] and fallen > BACK * abs(row["farthest"] - seen["usual"]):
            return True
        over = score < 1.0 and is_over(seen, bound, toward, self._horizons)
        row["calm"] = row["calm"] + 1 if over else 0
        return bool(row["calm"] >= CALM)

    def _end(self, place: int) -> None:
        row = self._rows[place]
        row["told"], row["calm"], row["confirm"] = False, 0, 0
        told = self._told.pop(place, None)
        if told is not None:
            self._ended.add(told[:2])

    def gauge(self, stats: StepStats, shard: str) -> None:
        """Seconds to go of what is told; NaN once for what is told no more."""
        told = dict(sorted(self._told.items())[:GAUGES_MAX])
        stats.gauge(Metric.FORECASTS, len(self._resource) - len(self._free), shard)
        for entity, name in sorted(self._ended):
            stats.gauge(Metric.EXHAUSTION, nan, shard, entity, name)
        self._ended.clear()
        for entity, name, seconds in told.values():
            stats.gauge(Metric.EXHAUSTION, seconds, shard, entity, name)

    # ------------------------------------------------------------------------------------------ snapshots
    def snapshot(self) -> Columns:
        size = len(self._resource)
        return {
            "id": np.array([self._id()], "S32"),
            "rows": _as_bytes(self._rows[:size]),
            "state": _as_bytes(self._state[:size]),
            "closed": self._closed[:size].copy(),
            "episodes": np.frombuffer(self.episodes.snapshot(), np.uint8).copy(),
        }

    def _id(self) -> str:
        return digest(lineage_hash((exhaustion.__name__,)), repr(ROWS.descr), repr(self._params))

    def restore(self, columns: Columns) -> None:
        """Become what was saved, after the table; only when just made. What is no resource any more is left out. Raises StateError."""
        if bytes(columns["id"][0]).decode() != self._id():
            raise StateError("forecasts were made by another version")
        rows, state = columns["rows"].tobytes(), columns["state"].tobytes()
        if len(rows) % ROWS.itemsize or len(state) // forecast.STATE.itemsize != len(rows) // ROWS.itemsize:
            raise StateError("the forecasts' columns are torn")
        self.episodes.restore(columns["episodes"].tobytes())
        saved, states = np.frombuffer(rows, ROWS), np.frombuffer(state, forecast.STATE)
        self._grow(max(len(saved), 1))
        self._resource = [None] * len(saved)
        stats = StepStats()
        known = {int(slot): place for place, slot in enumerate(saved["slot"].tolist()) if saved["used"][place]}
        self._place = np.full(max(self._table.slots_used, _ROWS_FIRST), -1, np.int32)
        self._free = sorted(set(range(len(saved))) - set(known.values()))
        heapify(self._free)
        for slot, series in self._table.all():
            place = known.get(slot)
            if place is None:
                self.admit(slot, series, stats)
                continue
            self._restored(place, slot, series, saved[place], states[place])
            self._closed[place] = columns["closed"][place]

    def _restored(self, place: int, slot: int, series: Series, row: np.void, state: np.void) -> None:
        resource = self._resources.of(series) if self._series_max else None
        if series.name in self._resources.limit_names:
            self._limits[series.name, series.entity] = slot
        if resource is None:
            heappush(self._free, place)
            return
        self._occupy(place, slot, resource)
        self._rows[place], self._state[place] = row, state


def _told_as(own: Series) -> Series:
    """The series under which what is ahead is told."""
    labels = tuple(sorted({**dict(own.labels), LABEL: "trend"}.items()))
    return structs.replace(own, key=series_key(own.name, labels), labels=labels)


def _expire(seen: NDArray[np.void], left: NDArray[np.float64]) -> None:
    """What expires needs no forecast: its hours are counted."""
    expiring = ~np.isnan(left)
    for name in ("value", "usual", "early", "middle", "late"):
        seen[name][expiring] = np.maximum(left[expiring], 0.0)
    for name in ("evident", "reach"):
        seen[name][expiring] = 0.0


def _outlook(seen: np.void, bound: float) -> Outlook:
    early, middle, late = (
        None if isnan(x) or isnan(bound) else x * _HOUR for x in map(float, (seen["early"], seen["middle"], seen["late"]))
    )
    return Outlook(
        slope_per_hour=float(seen["slope"]),
        bound=None if isnan(bound) else bound,
        seconds=middle,
        seconds_early=early,
        seconds_late=late,
    )


def _foreseen(row: np.void, seen: np.void, outlook: Outlook, score: float, *, expires: bool) -> Foreseen:
    usual, reach = float(seen["usual"]), float(seen["reach"])
    evidence = float(max(seen["evident"], seen["news"]))
    return Foreseen(
        ts_ns=int(row["ts_ns"]),
        onset_ts_ns=int(row["ts_ns"]) if expires else int(seen["since_ns"]),
        value=float(row["value"]) if expires else float(seen["value"]),
        band=None if expires else (usual, usual - reach, usual + reach),
        score=score,
        evidence=0.0 if expires else evidence,
        decades=float(tail_decades(min(abs(evidence), 1e6))),
        outlook=outlook,
        expires=expires,
    )


def _as_bytes(rows: NDArray[np.void]) -> NDArray[np.uint8]:
    return np.frombuffer(rows.tobytes(), np.uint8).copy()
