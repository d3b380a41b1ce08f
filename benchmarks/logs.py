"""What is told of log lines: precision, recall and F1 of each kind of anomaly, on made-up logs whose troubles are known by construction.

    python -m benchmarks logs [--seeds N] [--first SEED] [--each N]

A seed is a company of six services (`made_up_logs`): two days in which nothing goes wrong, then each kind of trouble so many times, one every 200 minutes. The
lines go through the whole detect stage as shipped. Trouble is found when an alert of its own kind fires on one of its entities from its beginning until 15
minutes after its end; `told` counts those found by any kind. An alert outside of trouble, or of a kind that its trouble does not explain, is false; one
that the trouble brings along (a new error also raises the count of errors) counts for nothing. Precision is found / (found + false alerts of that kind).
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from statistics import median
from typing import Any, Final

import orjson

from benchmarks.made_up_logs import DAY, QUIET, SERVICES, TROUBLE, Company, Wrong
from benchmarks.report import machine
from benchmarks.told import alerts_of
from engine.config.tree import Detect, Format, Mapping, Source
from engine.records import Alert, AnomalyKind, Record, Shard

START: Final = 1_772_409_600
AFTER: Final = 15
"""Minutes after the end of trouble in which it may still be told."""
SHARD: Final = Shard("lines", 0)
SOURCE: Final = Source(
    name="lines",
    topics=["lines"],
    format=Format.JSON,
    mapping=Mapping(time="t", time_unit="s", records="r", message="m", severity="l", labels={"service": "s"}),
)


def run(*, quick: bool, options: list[str]) -> dict[str, object]:
    """A row a kind. `quick` plays one company, each trouble once."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks logs", description=__doc__)
    parser.add_argument("--seeds", type=int, default=1 if quick else 5)
    parser.add_argument("--first", type=int, default=1, help="the first seed")
    parser.add_argument("--each", type=int, default=1 if quick else 2, help="how often each kind of trouble comes in one company")
    about = parser.parse_args(options)
    tally = Tally()
    for seed in range(about.first, about.first + about.seeds):
        company = Company(seed, about.each)
        tally.judge(company, told(company))
    return {**tally.figures(), "machine": machine()}


def records(company: Company) -> Iterator[Record]:
    """A record for the lines of each ten seconds."""
    offset = 0
    for lines in company.lines():
        some: dict[int, list[dict[str, object]]] = {}
        for second, service, level, text in lines:
            line = {"t": START + second, "s": service, "l": level, "m": text}
            some.setdefault(int(second // 10), []).append(line)
        for tens, parts in some.items():
            yield Record(*SHARD, offset, (START + 10 * (tens + 1)) * 10**9, None, orjson.dumps({"r": parts}))
            offset += 1


def told(company: Company) -> list[Alert]:
    """Alerts that fire, each once."""
    return alerts_of(records(company), SHARD, SOURCE, Detect())


def minute_of(alert: Alert) -> float:
    return (alert.ts_ns / 1e9 - START) / 60.0


class Tally:
    """Counts over all companies."""

    def __init__(self) -> None:
        kinds = [*TROUBLE, *(kind for kind in AnomalyKind if kind not in TROUBLE)]
        self.rows = {kind: {"wrong": 0, "found": 0, "told": 0, "false": 0} for kind in kinds}
        self.delays: dict[AnomalyKind, list[float]] = {kind: [] for kind in TROUBLE}
        self.service_days = 0.0
        self.notes: list[str] = []

    def judge(self, company: Company, alerts: Sequence[Alert]) -> None:
        """Hold the alerts of one company against what happened to it."""
        self.service_days += len(SERVICES) * (company.minutes - QUIET) / DAY
        late = [alert for alert in alerts if minute_of(alert) >= QUIET]
        for wrong in company.wrongs:
            row = self.rows[wrong.kind]
            own = [alert for alert in late if _concerns(wrong, alert)]
            found = [alert for alert in own if alert.kind is wrong.kind]
            row["wrong"] += 1
            row["told"] += bool(own)
            row["found"] += bool(found)
            self.delays[wrong.kind] += [minute_of(found[0]) - wrong.start] if found else []
            if not found:
                self.notes.append(
                    f"missed {wrong.kind} of {', '.join(wrong.entities)} at {wrong.start}: {[str(a.kind) for a in own]}"
                )
        for alert in late:
            if not any(_concerns(wrong, alert) and alert.kind in (wrong.kind, *wrong.also) for wrong in company.wrongs):
                self.rows[alert.kind]["false"] += 1
                self.notes.append(f"false {alert.kind} of {alert.entity} at {minute_of(alert):.0f}: {_said(alert)}")

    def figures(self) -> dict[str, Any]:
        """By kind and over all kinds that have trouble of their own."""
        rows = {str(kind): self._row(kind) for kind, row in self.rows.items() if row["wrong"] or row["false"]}
        f1 = [rows[kind]["F1"] for kind in TROUBLE if rows[kind]["F1"] is not None]
        false = sum(row["false"] for row in self.rows.values())
        return {
            "kinds": rows,
            "mean F1": round(sum(f1) / len(f1), 3),
            "false alerts a service and day": round(false / self.service_days, 3),
            "notes": self.notes,
        }

    def _row(self, kind: AnomalyKind) -> dict[str, Any]:
        row = self.rows[kind]
        precision = row["found"] / (row["found"] + row["false"]) if row["found"] + row["false"] else None
        recall = row["found"] / row["wrong"] if row["wrong"] else None
        both = 2 * row["found"] / (row["wrong"] + row["found"] + row["false"]) if row["wrong"] else None
        delays = self.delays.get(kind)
        return {
            **row,
            "precision": _rounded(precision),
            "recall": _rounded(recall),
            "F1": _rounded(both),
            "delay_minutes_median": round(median(delays), 1) if delays else None,
        }


def _concerns(wrong: Wrong, alert: Alert) -> bool:
    return alert.entity in wrong.entities and wrong.start <= minute_of(alert) <= wrong.end + AFTER


def _said(alert: Alert) -> str:
    return f"{alert.name} {alert.value} where {alert.expected} '{alert.text[:80]}' score {alert.score:.2f} {alert.reason}"


def _rounded(figure: float | None) -> float | None:
    return None if figure is None else round(figure, 3)
