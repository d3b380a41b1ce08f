"""`foreshock rca`: which entity most likely caused what a wide table of metrics shows?"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import msgspec
import typer

from engine.cli.output import Format, Output, echo_json
from engine.correlate.causes import Ranking, rank
from engine.correlate.table import find_onset, symptoms
from engine.correlate.tablefile import parse_seconds, read_changes, read_table
from engine.correlate.topology import Topology, read_edges
from engine.errors import UsageError

_HINTS = 10


def rca(
    metrics: Annotated[Path, typer.Argument(help="CSV or .csv.gz: time,<entity>:<metric>,…")],
    at: Annotated[str, typer.Option(help="when it began: ISO time or epoch; found by itself when not given")] = "",
    topology: Annotated[Path | None, typer.Option(help='JSON: {"edges": [[caller, callee], …]}')] = None,
    changes: Annotated[Path | None, typer.Option(help="JSON lines: time, entity, name, text")] = None,
    abstain_below: Annotated[float, typer.Option(help="name nobody when the best hint has less probability", min=0, max=1)] = 0.0,
    output: Output = Format.TABLE,
) -> None:
    """Rank the likely causes of an incident in a wide metric file."""
    table = read_table(metrics)
    try:
        began = parse_seconds(at) if at else find_onset(table)
    except ValueError as error:
        raise UsageError(f"{metrics}: {error}", "say when it began with --at") from error
    graph = Topology(read_edges(topology) if topology else ())
    ranking = rank(
        symptoms(table, began, graph),
        read_changes(changes) if changes else [],
        graph,
        hints_max=_HINTS,
        abstain_below=abstain_below,
    )
    if output is Format.JSON:
        echo_json(as_document(ranking))
        return
    _print(ranking)


def as_document(ranking: Ranking) -> object:
    """The contract: a list, best first, or an object that says why nobody is named."""
    hints = msgspec.to_builtins(ranking.hints)
    return {"abstained": True, "hints": hints, "why": ranking.why} if ranking.abstained else hints


def _print(ranking: Ranking) -> None:
    if ranking.abstained:
        typer.echo(f"not sure: {ranking.why}")
    for place, hint in enumerate(ranking.hints, 1):
        typer.echo(f"{place}. {hint.entity}  {hint.metric}  {hint.probability:.0%}")
        for evidence in hint.evidence:
            typer.echo(f"     + {evidence.text}")
        for evidence in hint.against:
            typer.echo(f"     - {evidence.text}")


if __name__ == "__main__":
    from engine.cli.app import main

    sys.exit(main(["rca", *sys.argv[1:]]))
