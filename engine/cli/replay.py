"""`foreshock replay`: whole files through every stage, on no broker or on a real one, with the same alerts to the byte."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Annotated

import orjson
import typer

from engine.config import Config
from engine.config.load import load_config
from engine.errors import UsageError
from engine.replay import Logs, Results
from engine.wiring.files import file_logs, for_short_logs, through_kafka, through_memory


def replay(
    files: Annotated[list[str], typer.Argument(help="files, or TOPIC=FILE to say which source of the configuration reads it")],
    out: Annotated[Path, typer.Option(help="folder for alerts, incidents, actions, dead letters and statistics")],
    config: Annotated[
        Path | None,
        typer.Option(
            help="configuration; without one, files are read by their ending, and short ones warm up in a third of their length"
        ),
    ] = None,
    kafka: Annotated[str, typer.Option(help="HOST:PORT, or `embedded`: send the files through that broker first")] = "",
) -> None:
    """Run recorded telemetry through the same stages as the daemon."""
    missing = [f for f in files if not Path(f.rpartition("=")[2]).is_file()]
    if missing:
        raise UsageError(f"no such file: {', '.join(missing)}")
    began = time.monotonic()
    settings = load_config(config, os.environ) if config else Config()
    settings, logs = file_logs(settings, files)
    if config is None:
        settings = for_short_logs(settings, logs)
    results = through_kafka(settings, logs, kafka) if kafka else through_memory(settings, logs)
    _write(out, results, logs, time.monotonic() - began)


def _write(out: Path, results: Results, logs: Logs, seconds: float) -> None:
    """Alerts in the order of what caused them; of every incident and action its latest state."""
    out.mkdir(parents=True, exist_ok=True)
    for name, lines in results.files().items():
        (out / name).write_bytes(b"".join(line + b"\n" for line in lines))
    stats = {**results.statistics(), "records": results.records, "files": len(logs), "seconds": round(seconds, 2)}
    (out / "stats.json").write_bytes(orjson.dumps(stats, option=orjson.OPT_INDENT_2 | orjson.OPT_SORT_KEYS) + b"\n")
    typer.echo(
        f"{results.records:,} records, {results.count('alerts.jsonl'):,} alert messages, {results.count('incidents.jsonl'):,} incidents, "
        f"{results.count('actions.jsonl'):,} actions, {results.count('dead-letters.jsonl'):,} dead letters in {seconds:.1f} s: {out}"
    )
