"""`foreshock templates`: what kinds of lines a log file holds."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import IO, Annotated

import numpy as np
import typer
from numpy.typing import NDArray

from detectors.templates import TemplateMiner
from detectors.tokens import LINE_BYTES_MAX
from engine.config.tree import Detect
from engine.detect.line_bodies import opened
from engine.detect.line_heads import Heads
from engine.errors import UsageError

LINES_EACH = 4_096  # lines given to the miner at once; the result does not depend on it


def templates(
    file: Annotated[Path, typer.Argument(help="a log file, one line each")],
    out: Annotated[
        Path, typer.Option(help="CSV to write: line,template_id,template; a second one, -final.csv, stands beside it")
    ],
) -> None:
    """Find the templates of a log file in one pass.

    Headers of lines (time, level, process) are left out; of a line of JSON or logfmt its message is mined.

    `template_id` is the id as it was assigned while the line streamed by; `template` is the text as it stands at the end, when
    the miner has seen the most.
    """
    if not file.is_file():
        raise UsageError(f"no such file: {file}", "give a text file with one log line each")
    limits = Detect()
    miner = TemplateMiner(limits.templates_max, limits.templates_per_service_max)
    with file.open("rb") as lines:
        assigned = _mine(miner, _lines(lines))
    ids, texts = _names(miner, assigned)
    out.parent.mkdir(parents=True, exist_ok=True)
    final = out.with_name(f"{out.stem}-final{out.suffix}")
    with out.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(("line", "template_id", "template"))
        writer.writerows((number, ids[i], texts[i]) for number, i in enumerate(assigned.tolist(), 1))
    with final.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(("template_id", "template"))
        writer.writerows((ids[i], texts[i]) for i in sorted(ids))
    standing = np.unique(miner.resolve(assigned)).size
    typer.echo(f"{assigned.size:,} lines, {standing:,} templates, {miner.overflowed:,} lines without one: {out}, {final}")


def _lines(stream: IO[bytes]) -> Iterator[bytes]:
    """The lines of a file without their ends; of a very long one its beginning, never held in memory as a whole."""
    while line := stream.readline(LINE_BYTES_MAX):
        rest = line
        while rest and not rest.endswith(b"\n"):
            rest = stream.readline(LINE_BYTES_MAX)
        yield line.removesuffix(b"\n").removesuffix(b"\r")


def _mine(miner: TemplateMiner, lines: Iterator[bytes]) -> NDArray[np.int32]:
    """The template of each line, as assigned when it came."""
    parts, heads = [np.empty(0, np.int32)], Heads()
    while batch := list(islice(lines, LINES_EACH)):
        one = np.zeros(len(batch), np.int64)
        parts.append(miner.mine([opened(message)[0] for message in heads.strip(batch, one)], one))
    return np.concatenate(parts)


def _names(miner: TemplateMiner, assigned: NDArray[np.int32]) -> tuple[dict[int, str], dict[int, str]]:
    """For every template that was assigned to a line: the id it was born with, and the text that stands for it now."""
    ids, texts = {}, {}
    for i in np.unique(assigned).tolist():
        template = miner.describe(i) if i >= 0 else None
        ids[i] = template.born_id if template else ""
        texts[i] = template.text if template else ""
    return ids, texts
