"""Metric detection on labelled series, by scorers that are not ours: --data FOLDER --scorer PROGRAM [--nab].

The folder holds CSV files (and their labels, for the scorer); `foreshock score` writes one row for each of theirs with the
configuration as shipped, and the scorer is run as `PROGRAM --data FOLDER --scores OUT --output json`.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory

import orjson

from benchmarks.report import machine


def run(*, quick: bool, options: list[str]) -> dict[str, object]:
    """The scorer's own figures, and rows a second. `quick` takes the first three files only (no scorer then)."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks quality", description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--scorer", type=Path)
    parser.add_argument("--nab", action="store_true", help="the folder has NAB's layout")
    about = parser.parse_args(options)
    files = sorted(p for p in about.data.rglob("*") if p.name.endswith((".csv", ".csv.gz")))[: 3 if quick else None]
    if not files:
        raise SystemExit(f"no CSV files under {about.data}")
    with TemporaryDirectory() as out:
        began = time.perf_counter()
        subprocess.run(
            [sys.executable, "-m", "engine", "score", *map(str, files), "--out", out], check=True, stdout=subprocess.DEVNULL
        )
        seconds = time.perf_counter() - began
        rows = sum(sum(1 for _ in p.open()) - 1 for p in Path(out).glob("*.csv"))
        judged = _judge(about.scorer, about.data, Path(out), nab=about.nab) if about.scorer and not quick else None
    return {
        "files": len(files),
        "rows": rows,
        "seconds": round(seconds, 2),
        "rows_per_second": round(rows / seconds),
        "judged": judged,
        "machine": machine(),
    }


def _judge(scorer: Path, data: Path, scores: Path, *, nab: bool) -> object:
    command = [sys.executable, str(scorer), "--nab" if nab else "--data", str(data), "--scores", str(scores), "--output", "json"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return orjson.loads(done.stdout)
