"""What follows from the columns of a table: the difference of both ends of a call, and of lines that always come together."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from engine.correlate.families import MINUS, Family, counts_lines, family_of

Floats = NDArray[np.float64]
_TOGETHER = 0.5
"""Of the square root of how often lines come, by which lines that come together may differ on average."""
_OFTEN = 1.0
_AHEAD = 8


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
    return _with_differences(table, pairs)


def _sides(table: Table, words: frozenset[str]) -> dict[tuple[str, str], int]:
    """Latencies whose names have one of these words: (entity, name without it) → column."""
    rests = (_without(metric, words) for metric in table.metrics)
    return {(entity, rest): k for k, (entity, rest) in enumerate(zip(table.entities, rests, strict=True)) if rest}


@lru_cache(maxsize=65_536)
def _without(metric: str, words: frozenset[str]) -> str:
    """The name of a latency without the first of these words; "" if it has none of them."""
    side = next((word for word in _WORD.findall(metric) if word.lower() in words), "")
    return metric.replace(side, "", 1) if side and family_of(metric) is Family.LATENCY else ""


def of_lines(table: Table) -> NDArray[np.bool_]:
    """Which columns count the lines of a template, or how two counts differ: whole numbers."""
    logs: NDArray[np.bool_] = np.array([counts_lines(metric) for metric in table.metrics], np.bool_)
    values = np.nan_to_num(table.values)
    return np.asarray(logs & (values == np.floor(values)).all(axis=0))


def with_no_lines(table: Table) -> Table:
    """The table with a zero where no lines of a template were counted, though lines of others were."""
    lines = of_lines(table)
    if not lines.any():
        return table
    values = table.values.copy()
    counts = values[:, lines]
    known = np.isfinite(counts)
    values[:, lines] = np.where(~known & known.any(axis=1, keepdims=True), 0.0, counts)
    return replace(table, values=values)


def with_pairs(table: Table, at: float) -> Table:
    """The table with a column more for each two templates of an entity whose lines had always come together before `at`: their difference.

    What a request writes as it comes and as it ends is as much or as little as there are requests; what is missing of the second failed on the way.
    """
    lines = np.flatnonzero(of_lines(table))
    by_entity: dict[str, list[int]] = {}
    for k in lines:
        by_entity.setdefault(table.entities[k], []).append(int(k))
    before = table.values[table.times < at]
    pairs = [pair for columns in by_entity.values() for pair in _pairs(before, columns)]
    return _with_differences(table, pairs)


def _pairs(before: Floats, columns: list[int]) -> Iterator[tuple[int, int]]:
    """Of each column that comes often enough the one that is most like it, if it is as good as the same; each two once.

    What comes together comes as often: only the next few in order of how often are held against each other.
    """
    counts = np.nan_to_num(before[:, columns])
    usual = counts.mean(axis=0) if len(counts) else np.zeros(len(columns))
    order = np.argsort(usual, kind="stable")
    order = order[usual[order] >= _OFTEN]
    counts, usual = counts[:, order], usual[order]
    apart, nearest = np.full(len(order), np.inf), np.zeros(len(order), np.intp)
    for ahead in range(1, min(_AHEAD, len(order) - 1) + 1):
        between = np.abs(counts[:, ahead:] - counts[:, :-ahead]).mean(axis=0)
        for here, there in ((np.arange(len(between)), ahead), (np.arange(len(between)) + ahead, -ahead)):
            nearer = between < apart[here]
            apart[here[nearer]], nearest[here[nearer]] = between[nearer], here[nearer] + there
    same = np.flatnonzero(apart <= _TOGETHER * np.sqrt(usual))
    pairs = dict.fromkeys((min(int(k), int(nearest[k])), max(int(k), int(nearest[k]))) for k in same)
    for one, other in pairs:
        yield columns[order[one]], columns[order[other]]


def _with_differences(table: Table, pairs: Sequence[tuple[int, int]]) -> Table:
    """The table with a column more for each pair of columns: the one less the other, of the entity of the one."""
    if not pairs:
        return table
    here, there = (list(side) for side in zip(*pairs, strict=True))
    return Table(
        table.times,
        (*table.entities, *(table.entities[k] for k in here)),
        (*table.metrics, *(f"{table.metrics[k]}{MINUS}{table.metrics[j]}" for k, j in pairs)),
        np.hstack((table.values, table.values[:, here] - table.values[:, there])),
    )
