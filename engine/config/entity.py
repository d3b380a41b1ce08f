"""How the metrics of one entity speak together: the `entity` block of `detect`."""

from __future__ import annotations

from typing import Annotated

from annotated_types import Ge, Gt, Le

from engine.config.values import Duration, Model


class Entity(Model):
    """All metrics of one service, pod, node or queue, as the labels of the source name it."""

    joint: bool = True
    """Whether a moment is told at which several metrics of an entity are a little off, none of them enough by itself."""
    metrics_min: Annotated[int, Ge(3), Le(5)] = 3
    """So many metrics must be off together; an entity of fewer has no joint score."""
    round: Annotated[Duration, Gt(0)] = 30.0
    """An entity is looked at this often, and never more often than its metrics come."""
