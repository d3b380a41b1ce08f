"""What is told before it happens: the `forecast` block of `detect`."""

from __future__ import annotations

from typing import Annotated

from annotated_types import Gt

from engine.config.values import Duration, Model


class Forecast(Model):
    """Forecasts of slow quantities: disks, memory, connections, queues, quotas, certificates."""

    enabled: bool = True
    """Whether resources get a forecast at all; a rule's `forecast` says it for its series."""
    series_max: Annotated[int, Gt(0)] = 20_000
    """Series of one shard that get a forecast (128 bytes each); beyond it no more do, which is counted."""
    fast_horizon: Duration = 86_400.0
    """A resource that a trend of a few hours uses up within this long, at the earliest, is told."""
    slow_horizon: Duration = 345_600.0
    """The same for a trend that has held for a day or longer."""
    expiry_horizon: Duration = 604_800.0
    """What expires (certificates, licences) is told this long before."""
    learn: Duration = 259_200.0
    """Event time for which a series is known before a trend without a bound is told."""
