"""`foreshock check`: everything that is wrong in a configuration file, at once."""

from __future__ import annotations

import os
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from engine.cli.output import Format, Output, echo_json
from engine.config.load import config_id, load_config
from engine.errors import ConfigError


def check(
    file: Annotated[Path, typer.Argument(help="configuration file")],
    output: Output = Format.TABLE,
) -> None:
    """Report everything that is wrong in a configuration file, with line numbers."""
    try:
        config = load_config(file, os.environ)
    except ConfigError as error:
        if output is Format.TABLE:
            raise
        echo_json({"file": str(file), "ok": False, "complaints": [asdict(c) for c in error.complaints]})
        raise typer.Exit(error.exit_code) from error
    if output is Format.JSON:
        echo_json({"file": str(file), "ok": True, "complaints": [], "config_id": config_id(config)})
        return
    counts = f"{len(config.sources)} sources, {len(config.detect.rules)} detection rules, {len(config.deliver.sinks)} sinks"
    typer.echo(f"{file}: ok ({counts}), id {config_id(config)}")
