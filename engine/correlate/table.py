"""From a wide table of series to symptoms: how far did each series move, for how long, and since when?

Robust statistics against the time before: the median of the window so far (a move must be sustained), over a scale that
is floored by the series' own resolution, by its level and by the scale that the same metric has on other entities.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engine.correlate.causes import Symptom
from engine.correlate.derived import Table, of_lines, with_edges, with_no_lines, with_pairs
from engine.correlate.edges import at_both_ends
from engine.correlate.families import MINUS, Family, family_of, in_words
from engine.correlate.topology import Topology
from engine.correlate.words import clock, deviations, moved, number

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
    lines = of_lines(table)
    before = values[table.times < at]
    window = values[table.times >= at]
    enough = np.isfinite(before).sum(axis=0) >= _BEFORE_MIN
    center = np.where(enough, _median(before), np.nan)
    scale = _scale(before, center, table.metrics, tops)
    scale[lines] = np.fmax(scale[lines], _by_chance(before[:, lines]))
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


def _by_chance(before: Floats) -> Floats:
    """How far counts of lines stray by chance alone; of what never came half a line may have come."""
    usual = np.nan_to_num(np.abs(before)).mean(axis=0) if len(before) else np.zeros(before.shape[1])
    return np.asarray(np.sqrt(np.maximum(usual, 0.5 / max(1, len(before)))))


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


def symptoms(table: Table, at: float, topology: Topology | None = None, least: float = 1.0) -> list[Symptom]:
    """The series that moved by at least `least` usual deviations, or went silent."""
    table = with_pairs(with_no_lines(with_edges(table)), at)
    found = moves(table, at)
    moved_far = np.flatnonzero(found.silent | (np.abs(np.nan_to_num(found.deviation)) >= least))
    return at_both_ends([_symptom(table, found, int(k)) for k in moved_far], table, topology or Topology())


def _symptom(table: Table, found: Moves, k: int) -> Symptom:
    entity, metric = table.entities[k], table.metrics[k]
    family, silent = family_of(metric), bool(found.silent[k])
    deviation = 0.0 if silent else float(found.deviation[k])
    direction = 0 if silent else (1 if deviation > 0 else -1)
    center, after = float(found.center[k]), float(found.after[k])
    if family is Family.AVAILABILITY:
        top = _top(table.values[:, k])
        direction, center, after = -direction, top - center, top - after
    onset = int(found.onset[k] * _NS)
    since = f"since {clock(onset)} UTC"
    if silent:
        text = f"{entity}: {in_words(metric)} silent, no data {since}"
    elif family is Family.LOG and MINUS in metric:
        direction, (one, other) = 1, metric.split(MINUS)
        text = f"{entity}: {in_words(one)} and {in_words(other)} came as often as each other, and differ by {number(abs(after))} {since}"
    else:
        text = (
            f"{entity}: {in_words(metric)} {moved(direction, after, center)}, {number(after)} where {number(center)} is usual, "
            f"{deviations(deviation, 1)}, {since}"
        )
    return Symptom(entity, metric, family, abs(deviation), direction, onset, table.step_seconds, text, silent)


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
