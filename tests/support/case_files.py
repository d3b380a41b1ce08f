"""Made-up recordings: a small shop whose database breaks, one metric that jumps, and a log that a new error floods."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path

START = 1_772_409_600
"""Seconds: Monday 2 March 2026, 00:00 UTC."""
STEP = 60
QUIET_STEPS = 360
BROKEN_STEPS = 40
BREAKS_AFTER = {"orders-db": 0, "orders": 1, "web": 3}
"""Steps after the fault at which each service shows it; `mail` never does."""
METRICS = {"latency": 0.2, "errors": 2.0}


def fault_case(folder: Path) -> Path:
    """A wide CSV: six quiet hours, then the database slows down and what calls it follows."""
    chance = random.Random(7)
    entities = [*BREAKS_AFTER, "mail"]
    columns = [f"{entity}:{metric}" for entity in entities for metric in METRICS]
    rows = [",".join(["time", *columns])]
    for step in range(QUIET_STEPS + BROKEN_STEPS):
        cells = []
        for entity in entities:
            since = step - QUIET_STEPS - BREAKS_AFTER.get(entity, QUIET_STEPS)
            for usual in METRICS.values():
                factor = 6.0 - BREAKS_AFTER.get(entity, 0) if since >= 0 else 1.0
                cells.append(f"{usual * factor * chance.gauss(1.0, 0.05):.5f}")
        rows.append(",".join([str(START + step * STEP), *cells]))
    return _written(folder / "shop.csv", rows)


def one_metric(folder: Path) -> Path:
    """`timestamp,value` with ISO times and missing cells; it jumps near the end."""
    chance = random.Random(8)
    rows = ["timestamp,value"]
    for step in range(400):
        value = chance.gauss(50.0, 1.0) + (30.0 if step >= 370 else 0.0)
        hour, minute = divmod(step, 60)
        rows.append(f"2026-03-02 {hour:02d}:{minute:02d}:00,{'' if step % 97 == 5 else round(value, 4)}")
    return _written(folder / "queue.csv", rows)


def log_file(folder: Path) -> Path:
    """A log of two hours and a half, a line a second, in which an error that was never seen before comes up and stays."""
    return _written(folder / "server.log", list(_lines()))


def _lines() -> Iterator[str]:
    chance = random.Random(9)
    for second in range(9000):
        if second >= 7800 and chance.random() < 0.5:
            yield f"ERROR worker {chance.randrange(100)} lost its connection to shard {chance.randrange(9)} after {second} s"
        elif chance.random() < 0.3:
            yield f"INFO cache refreshed {chance.randrange(1000)} keys in {chance.randrange(90)} ms"
        else:
            yield f"INFO request {chance.getrandbits(40):x} served in {chance.randrange(300)} ms"


def _written(file: Path, rows: list[str]) -> Path:
    file.write_text("\n".join(rows) + "\n")
    return file
