"""Metric detection on labelled series, by scorers that are not ours: --data FOLDER --scorer PROGRAM [--nab] [--tier TIER].

The folder holds CSV files (and their labels, for the scorer); `foreshock score` writes one row for each of theirs with the
configuration as shipped but for its tier, and the scorer is run as `PROGRAM --data FOLDER --scores OUT --output json`.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import orjson

from benchmarks.report import machine
from engine.config.tree import Detect


def run(*, quick: bool, options: list[str]) -> dict[str, object]:
    """The scorer's own figures, and rows a second. `quick` takes the first three files only (no scorer then)."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks quality", description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--scorer", type=Path)
    parser.add_argument("--nab", action="store_true", help="the folder has NAB's layout")
    parser.add_argument("--tier", choices=("light", "standard"), default=Detect().tier, help="how much state a series is worth")
    about = parser.parse_args(options)
    files = sorted(p for p in about.data.rglob("*") if p.name.endswith((".csv", ".csv.gz")))[: 3 if quick else None]
    if not files:
        raise SystemExit(f"no CSV files under {about.data}")
    with TemporaryDirectory() as folder:
        out = Path(folder)
        seconds = _score(files, about.tier, out)
        rows = sum(p.read_bytes().count(b"\n") - 1 for p in out.glob("*.csv"))
        judged = _judge(about.scorer, about.data, out, nab=about.nab) if about.scorer and not quick else None
    return {
        "tier": about.tier,
        "files": len(files),
        "rows": rows,
        "seconds": round(seconds, 2),
        "rows_per_second": round(rows / seconds),
        "judged": judged,
        "machine": machine(),
    }


def _score(files: Sequence[Path], tier: str, out: Path) -> float:
    """Score files into the folder `out`, which also gets the configuration; the seconds that it took."""
    config = out / "tier.yaml"
    config.write_text(f"detect: {{tier: {tier}}}\n")
    began = time.perf_counter()
    command = [sys.executable, "-m", "engine", "score", *map(str, files), "--config", str(config), "--out", str(out)]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - began


def _judge(scorer: Path, data: Path, scores: Path, *, nab: bool) -> object:
    command = [sys.executable, str(scorer), "--nab" if nab else "--data", str(data), "--scores", str(scores), "--output", "json"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return orjson.loads(done.stdout)
