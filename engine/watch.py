"""What whoever runs a stage is given to be seen by: counts, log lines, a clock. No machine ever has one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple, NotRequired, Protocol, TypedDict

from engine.ports import Clock, StepStats
from engine.records import Shard


class Log(Protocol):
    """Tells what happened: an event in the past tense and its fields (structlog's bound loggers fit)."""

    def info(self, event: str, /, **fields: Any) -> Any: ...

    def warning(self, event: str, /, **fields: Any) -> Any: ...

    def error(self, event: str, /, **fields: Any) -> Any: ...


def _keep(_shard: Shard) -> None:
    """Nothing is to be taken back."""


class Watch(NamedTuple):
    """`observe` publishes what was counted; `forget` takes back the gauges of a shard that has left."""

    observe: Callable[[StepStats], None]
    log: Log
    clock: Clock
    forget: Callable[[Shard], None] = _keep


class Watching(TypedDict):
    """The same as keyword arguments."""

    observe: Callable[[StepStats], None]
    log: Log
    clock: Clock
    forget: NotRequired[Callable[[Shard], None]]
