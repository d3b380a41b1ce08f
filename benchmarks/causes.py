"""Root causes: is the true entity first, beside BARO, N-sigma, correlation and random walk in the same run?

    python -m benchmarks causes [--data FOLDER] [--systems N] [--first SEED] [--users] [--traced [--signals metrics,logs,spans]]

FOLDER holds a folder of cases for each system (see `fault_cases`); without it made-up systems are judged. `--users` measures what users feel, too, at a place
that is in no call graph. `--traced` judges larger made-up systems that show little in metrics (see `traced_cases`), with some of their signals or all. AC@k is the share of cases with the true
entity among the first k, Avg@5 the mean of AC@1 to AC@5; `metric` asks besides for a metric of the true kind (only cases whose truth names it).
A case of which we say that we are not sure counts as a miss; `answered right` is the share of the others whose first is the true one. `of_all` are means over
systems, each counting alike.

`abstention`: cases are left unanswered in order of how far the first hint leads, all systems together; precision at 1 over those answered, by the share left
out. `calibration`: by the stated probability, how often the first hint is right.
"""

from __future__ import annotations

import argparse
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import mean, median
from typing import NamedTuple

from benchmarks.fault_cases import Case, make_cases, read_cases, seen_by_users
from benchmarks.report import machine
from benchmarks.rivals.cause_rankings import RIVALS
from benchmarks.traced_cases import SIGNALS, make_traced
from engine.correlate.causes import Ranking, rank
from engine.correlate.families import Family, family_of
from engine.correlate.table import symptoms

DEPTH = 5
HINTS = 10
LEFT_OUT = (0.0, 0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.4, 0.5)
Found = tuple[str, str]
"""An entity and a metric of it."""


class Answer(NamedTuple):
    """What one method said of one case, and what it took."""

    hints: list[Found]
    seconds: float
    probability: float = 0.0
    lead: float = 0.0  # over the second hint's probability
    abstained: bool = False


def run(*, quick: bool, options: list[str]) -> dict[str, object]:
    """Figures by system and method. `quick` takes a few cases of each."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks causes", description=__doc__)
    parser.add_argument("--data", type=Path)
    parser.add_argument("--systems", type=int, default=2 if quick else 8)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--users", action="store_true")
    parser.add_argument("--traced", action="store_true")
    parser.add_argument("--signals", default=",".join(SIGNALS))
    about = parser.parse_args(options)
    most = 4 if quick else None
    seeds = range(about.first, about.first + about.systems)
    if about.data:
        systems = {f.name: read_cases(f, most) for f in sorted(about.data.iterdir()) if f.is_dir()}
    elif about.traced:
        kept = about.signals.split(",")
        systems = {f"traced_{seed}": make_traced(seed, most or 24, signals=kept) for seed in seeds}
    else:
        systems = {f"made_up_{seed}": make_cases(seed, most or 25) for seed in seeds}
    if about.users:
        systems = {name: [seen_by_users(c, k) for k, c in enumerate(cases)] for name, cases in systems.items()}
    methods: dict[str, Callable[[Case], Answer]] = {"foreshock": foreshock} | {n: _rival(m) for n, m in RIVALS.items()}
    answers = {s: {name: [method(c) for c in cases] for name, method in methods.items()} for s, cases in systems.items()}
    by_system = {s: {name: judge(systems[s], told) for name, told in answers[s].items()} for s in systems}
    ours = [
        (right(c, told), told) for s, cases in systems.items() for c, told in zip(cases, answers[s]["foreshock"], strict=True)
    ]
    return {
        "systems": by_system,
        "of_all": {name: _mean([by_system[s][name] for s in systems]) for name in methods},
        "abstention": curve([(is_right, told.lead) for is_right, told in ours]),
        "calibration": calibration([(is_right, told.probability) for is_right, told in ours]),
        "time": speed(quick=quick),
        "machine": machine(),
    }


# ------------------------------------------------------------------------------------------------------ methods
def foreshock(case: Case) -> Answer:
    """As `foreshock rca` does it, with what it has read."""
    began = time.thread_time()
    ranking: Ranking = rank(symptoms(case.table, case.at, case.topology), (), case.topology, hints_max=HINTS)
    took = time.thread_time() - began
    first, second, *_ = [*(h.probability for h in ranking.hints), 0.0, 0.0]
    return Answer([(h.entity, h.metric) for h in ranking.hints], took, first, first - second, ranking.abstained)


def _rival(method: Callable[[Case], list[int]]) -> Callable[[Case], Answer]:
    def answer(case: Case) -> Answer:
        began = time.thread_time()
        columns = method(case)
        took = time.thread_time() - began
        return Answer([(case.table.entities[k], case.table.metrics[k]) for k in columns], took)

    return answer


# ------------------------------------------------------------------------------------------------------ figures
def judge(cases: Sequence[Case], answers: Sequence[Answer]) -> dict[str, float]:
    """AC@1, 3, 5, Avg@5 for entities, and for metrics where the truth has kinds; milliseconds a case."""
    places = [_place(c, a) for c, a in zip(cases, answers, strict=True)]
    answered = [right(c, a) for c, a in zip(cases, answers, strict=True) if not a.abstained]
    figures = _accuracy(places)
    kinds = [_kind_place(c, a) for c, a in zip(cases, answers, strict=True) if c.kind]
    if kinds:
        figures |= {f"metric {name}": value for name, value in _accuracy(kinds).items()}
    return {
        "cases": len(cases),
        **figures,
        "abstained": round(1.0 - len(answered) / len(cases), 3),
        "answered right": round(mean(answered), 3) if answered else 0.0,
        "ms a case": round(1e3 * median(a.seconds for a in answers), 2),
    }


def right(case: Case, answer: Answer) -> bool:
    """Whether the first hint names the true entity."""
    return bool(answer.hints) and answer.hints[0][0] == case.root


def _place(case: Case, answer: Answer) -> int:
    """The place of the true entity among all that are named, 0 for none."""
    names = [] if answer.abstained else dict.fromkeys(e for e, _ in answer.hints)
    return next((k for k, name in enumerate(names, 1) if name == case.root), 0)


def _kind_place(case: Case, answer: Answer) -> int:
    found = () if answer.abstained else ((e, _kind(m)) for e, m in answer.hints)
    return next((k for k, (entity, kind) in enumerate(found, 1) if entity == case.root and kind == case.kind), 0)


def _kind(metric: str) -> Family:
    """What a metric shows; the difference of two latencies is one."""
    family = family_of(metric)
    return Family.LATENCY if family is Family.EDGE else family


def _accuracy(places: Sequence[int]) -> dict[str, float]:
    within = {k: mean(1 <= p <= k for p in places) for k in range(1, DEPTH + 1)}
    return {f"AC@{k}": round(within[k], 3) for k in (1, 3, 5)} | {"Avg@5": round(mean(within.values()), 3)}


def _mean(rows: Sequence[dict[str, float]]) -> dict[str, float]:
    by_name: dict[str, list[float]] = defaultdict(list)
    for row in rows:
        for name, value in row.items():
            by_name[name].append(value)
    return {name: round(mean(values), 3) for name, values in by_name.items() if name != "cases"}


def curve(told: Sequence[tuple[bool, float]]) -> list[dict[str, float]]:
    """Precision at 1 over the cases that are answered, by the share that is not; `below` is the lead that divides them."""
    ordered = sorted(told, key=lambda t: t[1])
    rows = []
    for share in LEFT_OUT:
        rest = ordered[round(share * len(ordered)) :]
        rows.append(
            {"left_out": share, "below": round(rest[0][1], 3), "precision": round(mean(is_right for is_right, _ in rest), 3)}
        )
    return rows


def calibration(told: Sequence[tuple[bool, float]]) -> dict[str, object]:
    """Stated and true shares in five bins of probability, and the mean distance between them."""
    bins: dict[int, list[tuple[bool, float]]] = defaultdict(list)
    for is_right, probability in told:
        bins[min(4, int(5 * probability))].append((is_right, probability))
    rows = [
        {"cases": len(b), "stated": round(mean(p for _, p in b), 3), "true": round(mean(r for r, _ in b), 3)}
        for _, b in sorted(bins.items())
    ]
    apart = sum(row["cases"] * abs(row["stated"] - row["true"]) for row in rows) / max(1, len(told))
    return {"bins": rows, "expected_error": round(apart, 3), "brier": round(mean((r - p) ** 2 for r, p in told), 3)}


def speed(*, quick: bool) -> dict[str, object]:
    """Milliseconds from a table to its hints, by number of series."""
    figures = {}
    for services, extra in ((10, 3), (50, 3), (100, 3)):
        case = make_cases(services, 1, services, extra)[0]
        taken = [foreshock(case).seconds for _ in range(3 if quick else 15)]
        figures[f"{len(case.table.entities)} series"] = round(1e3 * median(taken), 2)
    return {"ms by series": figures}
