"""`foreshock version`."""

from __future__ import annotations

import platform
from importlib.metadata import PackageNotFoundError
from importlib.metadata import version as installed

import typer

from engine.cli.output import Format, Output, echo_json


def version(output: Output = Format.TABLE) -> None:
    """Print the version."""
    if output is Format.JSON:
        echo_json({"version": program_version(), "python": platform.python_version()})
    else:
        typer.echo(f"foreshock {program_version()} (Python {platform.python_version()})")


def program_version() -> str:
    """The version of the installed distribution; a plain word when the checkout is not installed."""
    try:
        return installed("foreshock")
    except PackageNotFoundError:
        return "uninstalled"
