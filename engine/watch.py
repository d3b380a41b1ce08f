"""What whoever runs a stage is given to be seen by: counts, log lines, a clock. No machine ever has one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple, Protocol

from engine.ports import Clock, StepStats


class Log(Protocol):
    """Tells what happened: an event in the past tense and its fields (structlog's bound loggers fit)."""

    def info(self, event: str, /, **fields: Any) -> Any: ...

    def warning(self, event: str, /, **fields: Any) -> Any: ...

    def error(self, event: str, /, **fields: Any) -> Any: ...


class Watch(NamedTuple):
    """A histogram metric takes one observation for each StepStats that counts it: its amount."""

    observe: Callable[[StepStats], None]
    log: Log
    clock: Clock
