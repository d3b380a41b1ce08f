"""The command line: a table of commands, each imported only when it is the one that was asked for.

`foreshock version` must not pay for numba, nor `foreshock check` for Kafka. To add a command, write a function with typer
annotations in a module of its own and add its line to COMMANDS.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from importlib import import_module
from typing import Any, NamedTuple

import typer

from engine.config.tree import Log
from engine.errors import ConfigError, ForeshockError
from engine.logs import configure_logging


class Command(NamedTuple):
    """Where a command is, and the line that `foreshock --help` shows."""

    target: str  # module:function
    help: str


COMMANDS: dict[str, Command] = {
    "demo": Command("engine.cli.demo:demo", "Run the engine over a simulated shop with eight faults, and judge what it finds."),
    "run": Command("engine.cli.run:run", "Run all stages, or one, as a daemon on Kafka."),
    "check": Command("engine.cli.check:check", "Report everything that is wrong in a configuration file, with line numbers."),
    "doctor": Command("engine.cli.doctor:doctor", "Look at topics, or captured messages, and propose how to read them."),
    "replay": Command("engine.cli.replay:replay", "Run recorded telemetry through the same stages as the daemon."),
    "score": Command("engine.cli.score:score", "Score metric files: one row out for each row in."),
    "templates": Command("engine.cli.templates:templates", "Mine the templates of a log file."),
    "rca": Command("engine.cli.rca:rca", "Rank the likely causes of an incident in a wide metric file."),
    "correlate": Command("engine.cli.correlate:correlate", "Group recorded alerts into incidents."),
    "topics": Command("engine.cli.topics:topics", "Check the topics on the broker, and make our own."),
    "schema": Command("engine.cli.schema:schema", "Print the JSON Schema of the configuration."),
    "dashboards": Command(
        "engine.cli.dashboards:dashboards", "Write the Grafana dashboard, and rules and a scrape job for Prometheus."
    ),
    "version": Command("engine.cli.version:version", "Print the version."),
}


def build_app(wanted: Sequence[str]) -> typer.Typer:
    """The application with the commands in `wanted` imported; the others are there by name and help line only."""
    app = typer.Typer(
        name="foreshock",
        help="Streaming anomaly detection on Kafka: explained incidents, root-cause hints, remediation triggers.",
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
        epilog="Exit codes: 0 ok, 1 failed, 2 bad usage or configuration, 3 findings, 4 a dependency cannot be reached.",
    )
    app.callback()(_root)
    for name, command in COMMANDS.items():
        function = _import(command.target) if name in wanted else _named_only
        app.command(name, help=None if name in wanted else command.help)(function)
    return app


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit code. Errors that a person can act on are told on stderr, without a traceback."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    command = next((word for word in words if not word.startswith("-")), "")
    configure_logging(Log(level="warning"))  # the daemon asks for more
    try:
        build_app([command])(args=words, prog_name="foreshock")
    except SystemExit as stop:
        return stop.code if isinstance(stop.code, int) else int(stop.code is not None)
    except ForeshockError as error:
        _tell(error)
        return error.exit_code
    except KeyboardInterrupt:
        return 130
    return 0


def _root() -> None:
    """Several commands under one name."""


def _named_only() -> None:
    """Stands for a command that was not asked for."""


def _import(target: str) -> Callable[..., Any]:
    module, _, function = target.partition(":")
    found: Callable[..., Any] = getattr(import_module(module), function)
    return found


def _tell(error: ForeshockError) -> None:
    if isinstance(error, ConfigError):
        where = f"{error.file}: " if error.file else ""
        count = len(error.complaints)
        typer.echo(f"{where}{count} {'complaint' if count == 1 else 'complaints'}", err=True)
        for complaint in error.complaints:
            typer.echo(f"  {complaint}", err=True)
        return
    typer.echo(f"foreshock: {error}", err=True)
    if error.hint:
        typer.echo(f"  hint: {error.hint}", err=True)
