"""Where state is kept: the `state` block."""

from __future__ import annotations

from typing import Annotated

from annotated_types import Ge, Le

from engine.config.values import Duration, Model


class State(Model):
    """Where snapshots are kept."""

    path: str = "state"
    """A folder. In Kubernetes, of a volume that outlives the pod."""
    snapshot_interval: Duration = 15.0
    """Wall time between snapshots of a shard: how much is replayed after a crash."""
    keep: Annotated[int, Ge(1), Le(100)] = 3
    """Snapshots kept of each shard."""
