"""`foreshock schema`: the JSON Schema of the configuration, for editors and pipelines."""

from __future__ import annotations

import orjson
import typer

from engine.config.tree import Config


def schema() -> None:
    """Print the JSON Schema of the configuration."""
    typer.echo(orjson.dumps(config_schema(), option=orjson.OPT_INDENT_2).decode())


def config_schema() -> dict[str, object]:
    """JSON Schema draft 2020-12, with the docstring of each key as its description."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **Config.model_json_schema(mode="validation"),
        "title": "Foreshock configuration",
    }
