"""Other people's ways to rank causes, written from their papers: each gives the columns of a table, likeliest cause first.

| name | source |
|---|---|
| baro | the robust scorer of BARO (Pham et al., FSE 2024): greatest deviation after the fault, over the median and the quartiles before |
| nsigma | the same over mean and standard deviation, in either direction, as CIRCA's and others' papers use for comparison |
| correlation | absolute correlation with the signal that is violated |
| walk | random walk from the violated entity along calls, drawn to correlation (MonitorRank, Kim et al., SIGMETRICS 2013) |

The violated entity itself is not among what the last two name: it correlates best, and is what they start from.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from benchmarks.fault_cases import Case
from engine.correlate.families import SYMPTOMS, family_of
from engine.correlate.table import Floats

Ranking = list[int]
Allowed = NDArray[np.bool_]
_STAY = 0.85
_BACK = 0.3
_ROUNDS = 60


def baro(case: Case) -> Ranking:
    """Robust scaling by the time before the fault; the highest scaled value after it."""
    before, after = _halves(case)
    low, middle, high = np.percentile(before, (25, 50, 75), axis=0)
    width = np.where(high > low, high - low, 1.0)
    return _best_first(((after - middle) / width).max(axis=0), _varies(case))


def nsigma(case: Case) -> Ranking:
    """How many standard deviations the farthest value after the fault is from the mean before."""
    before, after = _halves(case)
    spread = before.std(axis=0)
    return _best_first((np.abs(after - before.mean(axis=0)) / np.where(spread > 0, spread, 1.0)).max(axis=0), _varies(case))


def correlation(case: Case) -> Ranking:
    """Absolute correlation of each series with the violated signal, over the whole table."""
    return _best_first(_with_violated(case), _varies(case) & _not_violated(case))


def walk(case: Case) -> Ranking:
    """Where a walker is who goes from caller to callee, seldom back, the rather the more an entity correlates with the trouble."""
    drawn = _with_violated(case)
    best = {
        e: max(drawn[k] for k in range(len(drawn)) if case.table.entities[k] == e) for e in dict.fromkeys(case.table.entities)
    }
    names = list(best)
    place = {name: k for k, name in enumerate(names)}
    moves = np.zeros((len(names), len(names)))
    for name in names:
        moves[place[name], place[name]] = 0.1 * best[name]
        for others, share in ((case.topology.callees(name), 1.0), (case.topology.callers(name), _BACK)):
            for other in others:
                if other in place:
                    moves[place[name], place[other]] += share * best[other]
    total = moves.sum(axis=1, keepdims=True)
    moves = np.divide(moves, total, out=np.full_like(moves, 1.0 / len(names)), where=total > 0)
    start = np.array([best[name] for name in names]) + 1e-9
    start /= start.sum()
    there = start
    for _ in range(_ROUNDS):
        there = _STAY * there @ moves + (1.0 - _STAY) * start
    scores = np.array([there[place[e]] + 1e-6 * drawn[k] for k, e in enumerate(case.table.entities)])
    return _best_first(scores, _not_violated(case))


RIVALS: dict[str, Callable[[Case], Ranking]] = {"baro": baro, "nsigma": nsigma, "correlation": correlation, "walk": walk}


def _filled(values: Floats) -> Floats:
    """Gaps closed with the value before them, then with zero, as the authors' loaders do."""
    there = np.isfinite(values)
    rows = np.where(there, np.arange(len(values))[:, None], 0)
    np.maximum.accumulate(rows, axis=0, out=rows)
    return np.nan_to_num(np.take_along_axis(values, rows, axis=0))


def _halves(case: Case) -> tuple[Floats, Floats]:
    values = _filled(case.table.values)
    is_before = case.table.times < case.at
    return values[is_before], values[~is_before]


def _varies(case: Case) -> Allowed:
    return np.asarray(_filled(case.table.values).std(axis=0) > 0)


def _not_violated(case: Case) -> Allowed:
    violated = case.table.entities[case.entry] if case.entry >= 0 and case.root != case.table.entities[case.entry] else ""
    return np.array([entity != violated for entity in case.table.entities])


def _with_violated(case: Case) -> Floats:
    """Where the case does not say what is violated, the mean of all latencies and errors stands for it."""
    values = _filled(case.table.values)
    spread = values.std(axis=0)
    scaled = (values - values.mean(axis=0)) / np.where(spread > 0, spread, 1.0)
    if case.entry >= 0:
        violated = scaled[:, case.entry]
    else:
        felt = [k for k, metric in enumerate(case.table.metrics) if family_of(metric) in SYMPTOMS]
        violated = scaled[:, felt].mean(axis=1) if felt else scaled.mean(axis=1)
    norm = np.sqrt((violated**2).mean()) or 1.0
    return np.asarray(np.abs(scaled.T @ violated) / len(values) / norm)


def _best_first(scores: Floats, allowed: Allowed) -> Ranking:
    order = np.argsort(-np.nan_to_num(scores), kind="stable")
    return [int(k) for k in order if allowed[k]]
