"""A log told as a story: which lines were written, and what people were told and when. Times are hours since the beginning."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import groupby
from typing import NamedTuple

import numpy as np
from detect_world import alerts, machine, play, record
from stories import STEPS_AT_ONCE, hour_of

from engine.config.tree import Detect
from engine.metrics import Metric
from engine.records import GOES_ON, Alert

TOGETHER = 30.0
"""Seconds of lines in one record."""


class Line(NamedTuple):
    """One line. `severity` is OpenTelemetry's: 9 information, 13 warning, 17 error."""

    hour: float
    text: str
    severity: int = 9
    service: str = "cart"


def often(text: str, a_minute: float, hours: tuple[float, float], seed: int = 1, **fields: int | str) -> Iterator[Line]:
    """Lines at random times. `{n}`, `{h}` in the text are a number and a hexadecimal one, each time another."""
    rng = np.random.default_rng([seed, len(text)])
    start, end = hours
    for hour in sorted(rng.uniform(start, end, rng.poisson(a_minute * 60.0 * (end - start))).tolist()):
        words = text.format(n=int(rng.integers(100, 10_000)), h=f"{int(rng.integers(2**32)):08x}")
        yield Line(hour, words, **fields)  # type: ignore[arg-type]


def each(text: str, minutes: float, hours: tuple[float, float], **fields: int | str) -> Iterator[Line]:
    """Lines at fixed distances, give or take a second or two."""
    start, end = hours
    for k in range(int((end - start) * 60.0 / minutes)):
        yield Line(start + (k + 0.5) * minutes / 60.0 + (k * 7 % 3) / 3600.0, text.format(n=100 + k * 37 % 900), **fields)  # type: ignore[arg-type]


class LogStory:
    """Played at once, in order of time."""

    def __init__(self, *parts: Iterable[Line], config: Detect | None = None) -> None:
        lines = sorted((line for part in parts for line in part), key=lambda line: line.hour)
        log = []
        for at, some in groupby(lines, lambda line: int(line.hour * 3600.0 / TOGETHER)):
            written = [({"service": line.service}, line.hour * 3600.0, line.severity, line.text) for line in some]
            log.append(record(len(log), (at + 1) * TOGETHER, l=written))
        self.machine = machine(config)
        outputs, self.stats = play(self.machine, log, range(0, len(log), STEPS_AT_ONCE))
        self.all = alerts(outputs)
        self.told = [alert for alert in self.all if alert.reason not in GOES_ON]

    def says(self, since: float = 0.0, until: float = 1e9, **wanted: object) -> list[Alert]:
        """What was told of times within these hours and is as wanted."""
        return [
            alert
            for alert in self.told
            if since <= hour_of(alert) < until and all(getattr(alert, key) == value for key, value in wanted.items())
        ]

    def gated(self, gate: str) -> float:
        """Anomalies that this gate kept from people."""
        return self.stats.counts.get((Metric.GATED, (gate,)), 0)

    def sessions(self, verdict: str) -> float:
        """Sessions that were found to be so."""
        return self.stats.counts.get((Metric.SESSIONS, (verdict,)), 0)

    def summary(self) -> str:
        words = [
            f"{hour_of(a):.2f} h {a.name} {a.state} {a.kind} {a.reason} {a.score:.2f} {a.value} vs {a.expected} '{a.text}' <{a.example}>"
            for a in self.told
        ]
        return "\n".join(words) or "silence"
