"""Fuzzes every codec for its share of the time, then reads back what was found with compiled kernels and a clock.

    python -m tests.fuzz [--seconds 1800] [NAME ...]

Exit code 3 when a codec raised, left a record unaccounted for, hung, or took more memory than it may; the input is then kept.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

from tests.fuzz.subjects import ROOT, Subject, corpus, names, seeds

BYTES_MAX = 65_536
MEMORY_MB = 2_048
HANG_SECONDS = 30
WORKERS = os.cpu_count() or 1


class Found(NamedTuple):
    """What became of one codec."""

    name: str
    runs: int
    inputs: int
    is_bad: bool
    said: str


def fuzz(name: str, seconds: int) -> Found:
    """Run libFuzzer over one codec."""
    folder = corpus(name)
    folder.mkdir(parents=True, exist_ok=True)
    for number, value in enumerate(seeds(name)):
        (folder / f"seed-{number}").write_bytes(value[:BYTES_MAX])
    options = [f"-max_total_time={seconds}", f"-max_len={BYTES_MAX}", f"-rss_limit_mb={MEMORY_MB}", f"-timeout={HANG_SECONDS}"]
    command = [sys.executable, "-m", "tests.fuzz.codec", name, *options, f"-artifact_prefix={folder}.", "-print_final_stats=1"]
    done = subprocess.run(
        [*command, str(folder)],
        cwd=ROOT,
        env={**os.environ, "NUMBA_DISABLE_JIT": "1", "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        errors="replace",
        check=False,
    )
    runs = [line.split()[-1] for line in done.stderr.splitlines() if "number_of_executed_units" in line]
    return Found(name, int(runs[0]) if runs else 0, len(list(folder.iterdir())), bool(done.returncode), done.stderr[-3_000:])


def timed(name: str) -> list[float]:
    """Milliseconds for each input that was found, grown to BYTES_MAX by repeating it: the least of three."""
    subject = Subject(name)
    found = []
    for path in sorted(corpus(name).iterdir()):
        value = path.read_bytes() or b"\0"
        value = (value * (BYTES_MAX // len(value) + 1))[:BYTES_MAX]
        least = min(_milliseconds(subject, value) for _ in range(3))
        found.append(least)
    return sorted(found)


def _milliseconds(subject: Subject, value: bytes) -> float:
    before = time.perf_counter()
    subject.read(value)
    return (time.perf_counter() - before) * 1e3


def main() -> int:
    """Fuzz, time, and say what was found."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("--seconds", type=int, default=1_800, help="for all codecs together")
    parser.add_argument("names", nargs="*", help="blocks of configs/formats.yaml; all of them when none is named")
    options = parser.parse_args()
    chosen = options.names or names()
    each = max(options.seconds * WORKERS // len(chosen), 1)
    with ThreadPoolExecutor(WORKERS) as pool:
        results = list(pool.map(lambda name: fuzz(name, each), chosen))
    print(f"{'codec':28} {'runs':>9} {'inputs':>7} {'p50 ms':>8} {'p99 ms':>8} {'most ms':>8}  (64 kB)")
    for result in results:
        if result.is_bad:
            print(f"{result.name:28} {result.runs:9,} FAILED\n{result.said}")
            continue
        ms = timed(result.name)
        middle, most = ms[len(ms) // 2], ms[int(0.99 * (len(ms) - 1))]
        print(f"{result.name:28} {result.runs:9,} {result.inputs:7,} {middle:8.2f} {most:8.2f} {ms[-1]:8.2f}")
    bad = [result.name for result in results if result.is_bad]
    print(
        f"{sum(result.runs for result in results):,} runs over {len(results)} codecs, {len(bad)} failed: {', '.join(bad) or 'none'}"
    )
    return 3 if bad else 0


if __name__ == "__main__":
    raise SystemExit(main())
