"""`foreshock run`: the daemon."""

from __future__ import annotations

import os
import signal
import threading
from enum import StrEnum
from pathlib import Path
from types import FrameType
from typing import Annotated

import typer

from engine.config.load import load_config
from engine.errors import UsageError
from engine.logs import configure_logging, get_logger
from engine.wiring.daemon import STAGES, build_admin, build_process, build_telemetry


class Stage(StrEnum):
    """What `--stage` may say."""

    ALL = "all"
    REKEY = "rekey"
    DETECT = "detect"
    CORRELATE = "correlate"
    RESPOND = "respond"
    DELIVER = "deliver"


def run(
    config: Annotated[Path, typer.Option("--config", "-c", help="configuration file")],
    stage: Annotated[Stage, typer.Option(help="one stage, each of which scales by itself; or all in this process")] = Stage.ALL,
) -> None:
    """Run all stages, or one, on Kafka until told to stop (SIGTERM drains; a second signal ends at once)."""
    settings = load_config(config, os.environ)
    if stage in (Stage.ALL, Stage.REKEY, Stage.DETECT) and not settings.sources:
        raise UsageError(f"{config} names no source to read", "Add one under `sources`.")
    configure_logging(settings.log)
    stages = STAGES if stage is Stage.ALL else (str(stage),)
    telemetry = build_telemetry(settings)
    process = build_process(settings, stages, telemetry)
    admin = build_admin(settings, telemetry, process)
    admin.start()
    stop = _stop_on_signals()
    process.start()
    get_logger("process").info("process_started", stages=list(stages), admin_port=admin.port)
    try:
        code = process.wait(stop)
    finally:
        admin.stop()
    raise typer.Exit(code)


def _stop_on_signals() -> threading.Event:
    """The first SIGTERM or SIGINT asks for an orderly end, the second takes it."""
    stop = threading.Event()

    def handle(number: int, _frame: FrameType | None) -> None:
        if stop.is_set():
            os._exit(128 + number)
        stop.set()

    signal.signal(signal.SIGTERM, handle)
    signal.signal(signal.SIGINT, handle)
    return stop
