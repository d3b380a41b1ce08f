"""Log templates: accuracy, speed and memory beside Drain3, in one run.

    python -m benchmarks templates --data SETS --scorer PROGRAM [--stream FOLDER …] [--rival-lines N]

SETS holds a folder for each labelled set: content.log, a message a line, and truth.csv. A stream folder holds stream.log and truth.npy, the number of
each line's true template. Ours and Drain3's (`make rivals`; left out, and named, where it is missing) read the same files and are judged by the same scorer;
ids are those given while the lines streamed by. Drain3 reads at most N lines of a stream: it takes minutes.
"""

from __future__ import annotations

import argparse
import csv
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

import numpy as np
import orjson
from numpy.typing import NDArray

from benchmarks.report import machine
from detectors.templates import TemplateMiner
from engine.config.tree import Detect

ROOT = Path(__file__).resolve().parent.parent
MINERS_PYTHON = ROOT / ".venv-miners" / "bin" / "python"
DRAIN3 = ROOT / "benchmarks" / "rivals" / "drain3_miner.py"
SCORES = ROOT / "benchmarks" / "rivals" / "template_scores.py"
LINES_EACH = 4096
"""Lines a call."""
MEASURED_EACH = 100_000
ATTACK_LINES = 200_000
SERVICES = 20
"""That one attack is spread over, so that it fills the whole shard."""
Lines = Sequence[bytes]


def run(*, quick: bool, options: list[str]) -> dict[str, object]:
    """Figures for every set and stream, their means, speeds under attack. `quick` takes two sets, short streams and attacks."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks templates", description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--scorer", type=Path)
    parser.add_argument("--stream", type=Path, action="append", default=[])
    parser.add_argument("--rival-lines", type=int, default=1_100_000)
    about = parser.parse_args(options)
    rivals = MINERS_PYTHON.exists()
    mine_all(new_miner(), [b"compile 1 first"])
    sets = sorted(p.parent for p in about.data.glob("*/content.log"))[: 2 if quick else None]
    streams: list[Path] = about.stream
    with TemporaryDirectory() as folder:
        bench = Bench(Path(folder), about.scorer if rivals else None, rivals=rivals)
        by_set = {one.name: bench.compare(one / "content.log", one / "truth.csv") for one in sets}
        limits = (20_000, 5_000) if quick else (None, about.rival_lines)
        by_stream = {one.name: bench.compare(one / "stream.log", one / "truth.npy", *limits) for one in streams}
    return {
        "sets": by_set,
        "mean_of_sets": _means(by_set),
        "streams": by_stream,
        "sustained": {one.name: sustained(read(one / "stream.log", limits[0])) for one in streams},
        "attacks": attacks(ATTACK_LINES // (10 if quick else 1)),
        "left_out": [] if rivals else ["drain3: make rivals"],
        "machine": machine(),
    }


# ------------------------------------------------------------------------------------------------------ ours
def new_miner() -> TemplateMiner:
    """One as the daemon's, as shipped."""
    limits = Detect()
    return TemplateMiner(limits.templates_max, limits.templates_per_service_max)


def mine_all(miner: TemplateMiner, lines: Lines) -> NDArray[np.int32]:
    """The template of each line, some thousand lines a call."""
    parts = [np.empty(0, np.int32)]
    for first in range(0, len(lines), LINES_EACH):
        batch = lines[first : first + LINES_EACH]
        parts.append(miner.mine(batch, np.zeros(len(batch), np.int64)))
    return np.concatenate(parts)


def read(path: Path, most: int | None = None) -> list[bytes]:
    """The lines of a file."""
    lines = path.read_bytes().split(b"\n")
    if lines and not lines[-1]:
        lines.pop()
    return lines[:most]


def foreshock(lines: Lines, target: Path, rounds: int) -> dict[str, float]:
    """Mine the lines, several times over with an empty miner for their speed, and write what was said of each."""
    seconds = []
    for _ in range(rounds):
        miner = new_miner()
        began = time.thread_time()
        assigned = mine_all(miner, lines)
        seconds.append(time.thread_time() - began)
    names = {i: miner.describe(i) for i in np.unique(assigned).tolist() if i >= 0}
    with target.open("w", newline="", encoding="utf-8") as out:
        writer = csv.writer(out, lineterminator="\n")
        writer.writerow(("template_id", "template"))
        writer.writerows((i, names[i].text if i >= 0 else "") for i in assigned.tolist())
    standing = np.unique(miner.resolve(assigned)).size
    return {"lines_per_second": round(len(lines) / median(seconds)), "templates": standing}


def sustained(lines: Lines) -> dict[str, object]:
    """Memory of one miner's state as the lines go by, and what its snapshot takes."""
    miner, by_lines = new_miner(), {}
    for first in range(0, len(lines), MEASURED_EACH):
        mine_all(miner, lines[first : first + MEASURED_EACH])
        saved = sum(column.nbytes for column in miner.snapshot().values())
        by_lines[f"{first + MEASURED_EACH:,}"] = {"templates_born": len(miner), "snapshot_mb": round(saved / 2**20, 2)}
    began = time.thread_time()
    miner.snapshot()
    return {"snapshot_ms": round(1e3 * (time.thread_time() - began), 2), "room_mb": room_mb(miner), "by_lines": by_lines}


def room_mb(miner: TemplateMiner) -> float:
    """What the miner may hold at most, beside the texts of its templates."""
    return round(miner.room_bytes / 2**20, 1)


def attacks(count: int) -> dict[str, dict[str, float]]:
    """Lines of which every one is new, and lines that are none: how fast, how long one takes at worst, what a full miner holds."""
    rng = np.random.default_rng(1)
    words = rng.integers(97, 123, (count, 8, 7), dtype=np.uint8)
    words[:, :, 6] = 32
    few = rng.integers(97, 101, (count, 8, 3), dtype=np.uint8)
    few[:, :, 2] = 32
    garbage = rng.integers(0, 256, (count, 100), dtype=np.uint8)
    garbage[garbage == 10] = 0
    digits = rng.integers(48, 58, (count, 60), dtype=np.uint8)
    digits[:, ::7] = 32
    kinds: dict[str, list[bytes]] = {
        "every word new": [row.tobytes() for row in words],
        "few letters": [row.tobytes() for row in few],
        "random bytes": [row.tobytes() for row in garbage],
        "digits only": [row.tobytes() for row in digits],
    }
    return {name: _attack(lines) for name, lines in kinds.items()}


def _attack(lines: Lines) -> dict[str, float]:
    """In batches of some thousand lines over twenty services, and then line by line."""
    miner, seconds = new_miner(), []
    for first in range(0, len(lines), LINES_EACH):
        batch = lines[first : first + LINES_EACH]
        service = np.arange(len(batch)) % SERVICES
        began = time.thread_time()
        miner.mine(batch, service)
        seconds.append((time.thread_time() - began) / len(batch))
    began = time.thread_time()
    saved = sum(column.nbytes for column in miner.snapshot().values())
    snapshot = time.thread_time() - began
    alone, young = [], new_miner()
    for line in lines[:LINES_EACH]:
        began = time.thread_time()
        young.mine([line], np.zeros(1, np.int64))
        alone.append(time.thread_time() - began)
    return {
        "lines_per_second": _speed(lines),
        "us_a_line_in_batches_p99": round(1e6 * float(np.quantile(seconds, 0.99)), 2),
        "us_a_line_alone_p99": round(1e6 * float(np.quantile(alone, 0.99)), 2),
        "templates": miner.held,
        "room_mb": room_mb(miner),
        "texts_mb": round(miner.text_bytes / 2**20, 1),
        "snapshot_mb": round(saved / 2**20, 1),
        "first_snapshot_ms": round(1e3 * snapshot, 1),
    }


def _speed(lines: Lines) -> int:
    miner = new_miner()
    began = time.thread_time()
    mine_all(miner, lines)
    return round(len(lines) / (time.thread_time() - began))


# ------------------------------------------------------------------------------------------------------ beside Drain3
class Bench:
    """Files of predictions in a folder of their own, and the scorer over them."""

    def __init__(self, folder: Path, scorer: Path | None, *, rivals: bool) -> None:
        self._folder, self._scorer, self._rivals = folder, scorer, rivals

    def compare(
        self, path: Path, truth: Path, most: int | None = None, rival_most: int | None = None
    ) -> dict[str, dict[str, float]]:
        """Ours and Drain3's, plain and masked, over one file."""
        said = {"foreshock": self._folder / "ours.csv"}
        lines = read(path, most)
        figures = {"foreshock": foreshock(lines, said["foreshock"], rounds=3 if len(lines) > MEASURED_EACH else 9)}
        if self._rivals:
            source = self._folder / "lines.log"
            source.write_bytes(b"\n".join(lines[:rival_most]) + b"\n")
            for masks in ("plain", "masked"):
                said[f"drain3 {masks}"] = self._folder / f"{masks}.csv"
                figures[f"drain3 {masks}"] = _drain3(masks, source, said[f"drain3 {masks}"])
        if self._scorer is not None:
            command = [MINERS_PYTHON, SCORES, self._scorer, *(part for one in said.values() for part in (truth, one))]
            judged = orjson.loads(_output([str(part) for part in command]))
            for name, answer in zip(said, judged, strict=True):
                figures[name] |= answer
        for masks in ("plain", "masked") if self._rivals else ():
            ratio = figures["foreshock"]["lines_per_second"] / figures[f"drain3 {masks}"]["lines_per_second"]
            figures["foreshock"][f"times drain3 {masks}"] = round(ratio, 1)
        return figures


def _drain3(masks: str, source: Path, target: Path) -> dict[str, float]:
    said = orjson.loads(_output([str(MINERS_PYTHON), str(DRAIN3), masks, str(source), str(target)]))
    rate = round(said["lines"] / said["seconds"])
    return {"lines": said["lines"], "lines_per_second": rate, "templates": said["clusters"], "peak_mb": said["peak_mb"]}


def _output(command: list[str]) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.stderr.write(done.stderr)
        raise SystemExit(f"{' '.join(command[:3])} failed")
    return done.stdout


def _means(by_set: dict[str, dict[str, dict[str, float]]]) -> dict[str, dict[str, float]]:
    """Of accuracies their mean, of ratios of speed their median."""
    means: dict[str, dict[str, float]] = {}
    for name in next(iter(by_set.values()), {}):
        figures = [one[name] for one in by_set.values()]
        kept = [key for key in figures[0] if key in ("GA", "FGA", "PA", "FTA") or key.startswith("times")]
        middle: Callable[[list[float]], float]
        means[name] = {}
        for key in kept:
            middle = median if key.startswith("times") else lambda of: sum(of) / len(of)
            means[name][key] = round(middle([one[key] for one in figures]), 3)
    return means
