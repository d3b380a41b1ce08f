"""`--output table|json`, which every command that prints a result takes."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import orjson
import typer


class Format(StrEnum):
    """How a result is printed."""

    TABLE = "table"
    JSON = "json"


Output = Annotated[Format, typer.Option("--output", "-o", help="table for people, json for programs")]


def echo_json(value: object) -> None:
    """One JSON document on one line."""
    typer.echo(orjson.dumps(value, option=orjson.OPT_NON_STR_KEYS).decode())
