"""`foreshock dashboards`: the files that let Grafana and Prometheus watch Foreshock."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Final

import typer

from engine.config.shipped import shipped

FILES: Final = ("grafana/foreshock.json", "prometheus/rules.yaml", "prometheus/scrape.yaml")


def dashboards(out: Annotated[Path, typer.Option(help="folder to write into")] = Path()) -> None:
    """Write the Grafana dashboard, and rules and a scrape job for Prometheus."""
    out.mkdir(parents=True, exist_ok=True)
    for name in FILES:
        target = out / Path(name).name
        target.write_bytes(shipped(name).read_bytes())
        typer.echo(str(target))
