"""From a wide table of series to symptoms: how far did each series move, for how long, and since when?

Robust statistics against the time before: the median of the window so far (a move must be sustained), over a scale that
is floored by the series' own resolution, by its level and by the scale that the same metric has on other entities.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from engine.correlate.causes import Symptom
from engine.correlate.families import MINUS, Family, family_of, in_words
from engine.correlate.words import clock, moved, number

Floats = NDArray[np.float64]
_NS = 1_000_000_000
_MAD = 1.4826
_BEFORE_MIN = 4
_ROWS_MIN = 8
_STRONG = 0.7
_NOISE = 2.0
_LEVEL_FLOOR = 0.03
_PEERS_FLOOR = 0.5
_PEERS_LEAST = 3
_ZERO = 1e-12
_USUAL_MOST = 3.0
_LATELY_ROWS = 8
_SHARE_FLOOR = 0.0004


@dataclass(frozen=True, slots=True)
class Table:
    """Series of one system. `values` has shape (times, columns), NaN where nothing was measured; times are seconds, ascending."""

    times: Floats
    entities: tuple[str, ...]
    metrics: tuple[str, ...]
    values: Floats

    @property
    def step_seconds(self) -> float:
        """The usual distance between rows."""
        return float(np.median(np.diff(self.times))) if len(self.times) > 1 else 0.0


_CLIENT = frozenset({"client", "source", "src", "sou", "caller", "outbound"})
_SERVER = frozenset({"server", "destination", "dest", "dst", "des", "callee", "inbound"})
_WORD = re.compile(r"[a-z]+", re.IGNORECASE)


def with_edges(table: Table) -> Table:
    """The table with a column more for each latency that both sides of a call measure: what the caller waits longer than the callee works.

    Two columns of an entity are such a pair if their names are the same but for one word, `client` in one and `server` in the other
    (or `source` and `destination`, …). The difference grows when the way between them is slow, and not when the callee is.
    """
    servers = _sides(table, _SERVER)
    pairs = [(k, servers[place]) for place, k in _sides(table, _CLIENT).items() if place in servers]
    if not pairs:
        return table
    here, there = (list(side) for side in zip(*pairs, strict=True))
    return Table(
        table.times,
        (*table.entities, *(table.entities[k] for k in here)),
        (*table.metrics, *(f"{table.metrics[k]}{MINUS}{table.metrics[j]}" for k, j in pairs)),
        np.hstack((table.values, table.values[:, here] - table.values[:, there])),
    )


def _sides(table: Table, words: frozenset[str]) -> dict[tuple[str, str], int]:
    """Latencies whose names have one of these words: (entity, name without it) → column."""
    rests = (_without(metric, words) for metric in table.metrics)
    return {(entity, rest): k for k, (entity, rest) in enumerate(zip(table.entities, rests, strict=True)) if rest}


@lru_cache(maxsize=65_536)
def _without(metric: str, words: frozenset[str]) -> str:
    """The name of a latency without the first of these words; "" if it has none of them."""
    side = next((word for word in _WORD.findall(metric) if word.lower() in words), "")
    return metric.replace(side, "", 1) if side and family_of(metric) is Family.LATENCY else ""


@dataclass(frozen=True, slots=True)
class Moves:
    """What each column did after `at`. Arrays have one element for each column; NaN: too little is known of it."""

    center: Floats
    scale: Floats
    after: Floats
    deviation: Floats
    onset: Floats  # seconds
    silent: NDArray[np.bool_]


def moves(table: Table, at: float) -> Moves:
    """How each series moved at `at`, against all the time before."""
    values, tops = _as_failures(table)
    before = values[table.times < at]
    window = values[table.times >= at]
    enough = np.isfinite(before).sum(axis=0) >= _BEFORE_MIN
    center = np.where(enough, _median(before), np.nan)
    scale = _scale(before, center, table.metrics, tops)
    after = _median(window)
    deviation = np.where(enough, (after - center) / scale, np.nan) * _trust(before, center, scale, len(window))
    lately = _median(before[-_LATELY_ROWS:][: -_LATELY_ROWS // 4])
    deviation = deviation * np.where(np.isfinite(lately), _news(center, lately, after), 1.0)
    recent = before[-max(3, min(len(before), 3 * len(window))) :]
    silent = enough & (np.isfinite(window).sum(axis=0) == 0) & (np.isfinite(recent).sum(axis=0) > 0.8 * len(recent))
    return Moves(center, scale, after, deviation, _onsets(table, values, at, (center, scale, deviation)), silent)


def _as_failures(table: Table) -> tuple[Floats, Floats]:
    """The table with every availability as its distance from the top, so that 100 to 98 is seen for what it is; and the tops (0: none)."""
    values = table.values.copy()
    tops = np.zeros(values.shape[1])
    for k, metric in enumerate(table.metrics):
        if family_of(metric) is Family.AVAILABILITY:
            tops[k] = _top(values[:, k])
            values[:, k] = tops[k] - values[:, k]
    return values, tops


def _top(column: Floats) -> float:
    """The greatest value a share can have, 1 or 100; for what is no share the greatest seen."""
    there = column[np.isfinite(column)]
    most = float(there.max()) if len(there) else 1.0
    return next((top for top in (1.0, 100.0) if most <= top), most)


def _median(values: Floats) -> Floats:
    """Median of each column over what is there; NaN where nothing is."""
    if len(values) == 0:
        return np.full(values.shape[1], np.nan)
    ordered = np.sort(values, axis=0)  # NaN sort last
    count = np.isfinite(values).sum(axis=0)
    columns = np.arange(values.shape[1])
    low = ordered[np.maximum(count - 1, 0) // 2, columns]
    high = ordered[np.minimum(count // 2, len(values) - 1), columns]
    return np.asarray(np.where(count > 0, (low + high) / 2, np.nan))


def _scale(before: Floats, center: Floats, metrics: tuple[str, ...], tops: Floats) -> Floats:
    """Usual deviation of each column, never less than what its resolution, its level and its peers allow."""
    spread = _MAD * _median(np.abs(before - center))
    if len(before) < 2:
        return np.full(before.shape[1], _ZERO)
    step = np.abs(np.diff(before, axis=0))
    wobble = _MAD * _median(step) / np.sqrt(2.0)
    own = np.fmax(spread, wobble)
    level = np.abs(center)
    relative = own / np.maximum(level, _ZERO)
    floor = _LEVEL_FLOOR * level
    for peers in _peers(metrics):
        usual = relative[peers][np.isfinite(relative[peers]) & (level[peers] > _ZERO)]
        if len(usual) >= _PEERS_LEAST:
            floor[peers] = np.fmax(floor[peers], _PEERS_FLOOR * np.median(usual) * level[peers])
            floor[peers] = np.fmax(floor[peers], 0.1 * _median(own[peers, None])[0])
    moved_step = np.where(step > 0, step, np.inf)
    smallest = moved_step.min(axis=0) if len(step) else np.full(before.shape[1], np.inf)
    resolution = np.where(np.isfinite(smallest), smallest, 0.0) / 2
    floor = np.fmax(floor, _SHARE_FLOOR * tops)
    return np.asarray(np.fmax(np.fmax(np.fmax(own, floor), resolution), _ZERO))


def _peers(metrics: tuple[str, ...]) -> Iterator[NDArray[np.intp]]:
    """The columns of each metric that enough entities have."""
    columns: dict[str, list[int]] = {}
    for k, metric in enumerate(metrics):
        columns.setdefault(metric, []).append(k)
    return (np.array(peers) for peers in columns.values() if len(peers) >= _PEERS_LEAST)


def _trust(before: Floats, center: Floats, scale: Floats, rows: int) -> Floats:
    """How far a deviation of each column may be believed, 0..1: less for one that had moved as far before, or was seldom there."""
    if len(before) == 0:
        return np.ones(before.shape[1])
    there = np.isfinite(before).mean(axis=0)
    rows = max(1, min(rows, len(before) // 4))
    kept = len(before) // rows * rows
    blocks = before[len(before) - kept :].reshape(-1, rows, before.shape[1])
    sustained = np.stack([_median(block) for block in blocks]) if len(blocks) else before[:0]
    apart = np.sort(np.nan_to_num(np.abs(sustained - center) / scale), axis=0)
    usual_most = apart[int(0.975 * (len(apart) - 1))] if len(apart) else np.zeros(before.shape[1])
    return np.asarray(there / np.maximum(1.0, usual_most / _USUAL_MOST))


def _news(center: Floats, lately: Floats, after: Floats) -> Floats:
    """How much of a move is new, 0.3..1: a series that had moved as far shortly before `at` has trouble of its own, older one."""
    whole = after - center
    share = np.divide(after - lately, whole, out=np.ones_like(whole), where=np.abs(whole) > _ZERO)
    return np.clip(share, 0.3, 1.0)


def _onsets(table: Table, values: Floats, at: float, usual: tuple[Floats, Floats, Floats]) -> Floats:
    """When each series left its range: the first row from a little before `at` on that goes the way of the whole move."""
    center, scale, deviation = usual
    first = int(np.searchsorted(table.times, at - table.step_seconds))
    window = (values[first:] - center) / scale
    beyond = window * np.sign(deviation) > np.maximum(3.0, np.abs(deviation) / 4)
    times = table.times[first:]
    if len(times) == 0:
        return np.full(len(center), at)
    there = beyond.any(axis=0)
    return np.where(there, times[beyond.argmax(axis=0)], at)


def symptoms(table: Table, at: float, least: float = 1.0) -> list[Symptom]:
    """The series that moved by at least `least` usual deviations, or went silent."""
    table = with_edges(table)
    found = moves(table, at)
    out = []
    for k, (entity, metric) in enumerate(zip(table.entities, table.metrics, strict=True)):
        deviation = float(found.deviation[k])
        silent = bool(found.silent[k])
        if not silent and not abs(deviation) >= least:
            continue
        direction = 0 if silent else (1 if deviation > 0 else -1)
        center, after = float(found.center[k]), float(found.after[k])
        if family_of(metric) is Family.AVAILABILITY:
            top = _top(table.values[:, k])
            direction, center, after = -direction, top - center, top - after
        onset = int(found.onset[k] * _NS)
        if silent:
            text = f"{entity}: {in_words(metric)} silent, no data since {clock(onset)} UTC"
        else:
            text = (
                f"{entity}: {in_words(metric)} {moved(direction, after, center)}, {number(after)} where {number(center)} is usual, "
                f"{abs(deviation):.1f} usual deviations, since {clock(onset)} UTC"
            )
        out.append(
            Symptom(
                entity,
                metric,
                family_of(metric),
                abs(deviation) if not silent else 0.0,
                direction,
                onset,
                table.step_seconds,
                text,
                silent,
            )
        )
    return out


def find_onset(table: Table) -> float:
    """When it began, if nobody said: the latest time at which about as many series jump together as ever do.

    Compares the rows from each time on with those just before it, so that slow changes of the day do not count. The latest of
    the strong jumps is taken, as people ask about what they have just seen. Raises ValueError for a table of under 8 rows.
    """
    rows = len(table.times)
    if rows < _ROWS_MIN:
        raise ValueError(f"fewer than {_ROWS_MIN} rows")
    values, tops = _as_failures(table)
    scale = _scale(values, _median(values), table.metrics, tops)
    jumps = np.zeros(rows)
    for k in range(4, rows - 2):
        apart = np.abs(_median(values[k : k + 3]) - _median(values[max(0, k - 8) : k])) / scale
        jumps[k] = np.log1p(np.clip(np.nan_to_num(apart) - _NOISE, 0.0, 100.0)).sum()
    strong = np.flatnonzero(jumps >= _STRONG * jumps.max())
    last = int(strong[-1])
    first = last
    while first - 1 in strong:
        first -= 1
    return float(table.times[first + int(jumps[first : last + 1].argmax())])
