"""`foreshock correlate`: recorded alerts into incidents, by the grouping that the daemon runs."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import orjson
import typer

from engine.correlate.grouping import Grouper, Onset
from engine.correlate.topology import Topology, read_edges
from engine.errors import UsageError
from engine.records import digest

_NS = 1_000_000_000
_WINDOW_SECONDS = 300.0


def correlate(
    alerts: Annotated[
        Path,
        typer.Argument(help='JSON lines in time order: {"id","ts","system","entity","series","kind","score","step_seconds"}'),
    ],
    out: Annotated[Path, typer.Option(help='JSON lines: {"id","incident_id"} for each alert')],
    topology: Annotated[Path | None, typer.Option(help='JSON: {"edges": [[caller, callee], …]}')] = None,
) -> None:
    """Group recorded alerts into incidents."""
    ids, onsets = _read(alerts)
    grouper = Grouper(Topology(read_edges(topology) if topology else ()), _WINDOW_SECONDS)
    groups = [grouper.place(onset, digest(onset.domain, key)) for key, onset in zip(ids, onsets, strict=True)]
    lines = [orjson.dumps({"id": key, "incident_id": grouper.survivor(group)}) for key, group in zip(ids, groups, strict=True)]
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_bytes(b"".join(line + b"\n" for line in lines))
    typer.echo(f"{len(ids):,} alerts, {len({grouper.survivor(g) for g in groups}):,} incidents: {out}", err=True)


def _read(path: Path) -> tuple[list[str], list[Onset]]:
    try:
        lines = path.read_bytes().splitlines()
    except OSError as error:
        raise UsageError(f"cannot read {path}: {error.strerror}") from error
    ids, onsets = [], []
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            alert = orjson.loads(line)
            ids.append(str(alert["id"]))
            onsets.append(
                Onset(
                    entity=str(alert["entity"]),
                    ts_ns=int(float(alert["ts"]) * _NS),
                    step_seconds=float(alert.get("step_seconds", 0.0)),
                    domain=str(alert.get("system", "default")),
                    series=str(alert.get("series", "")),
                    score=float(alert.get("score", 1.0)),
                )
            )
        except (orjson.JSONDecodeError, KeyError, TypeError, ValueError, AttributeError) as error:
            raise UsageError(f"{path}, line {number} is not an alert: {error!r}") from error
    return ids, onsets


if __name__ == "__main__":
    from engine.cli.app import main

    sys.exit(main(["correlate", *sys.argv[1:]]))
