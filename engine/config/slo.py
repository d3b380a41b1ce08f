"""What was promised of services, and shares of two counters as series of their own: the blocks `slos` and `ratios`."""

from __future__ import annotations

from typing import Annotated

from annotated_types import Ge, Gt, Le, Lt, MinLen

from engine.config.values import Duration, Model, Name


class Slo(Model):
    """A service level objective: what share of the events of a service must be good. Its speed of failing is a detector."""

    name: Name
    """A name of your own; alerts and metrics carry it."""
    entity: Annotated[str, MinLen(1)]
    """Whose promise it is: a service as the labels of its series name it."""
    objective: Annotated[float, Gt(0), Lt(1)]
    """The share that must be good, such as 0.999."""
    window: Annotated[Duration, Ge(86_400.0), Le(7_776_000.0)] = 2_592_000.0
    """The time over which it is promised, 1d to 90d."""
    total: str = ""
    """Counters of all events, as a selector: http_requests_total{service="cart"}."""
    errors: str = ""
    """Counters of the bad ones among them: http_requests_total{service="cart",code=~"5.."}."""
    good: str = ""
    """Or counters of the good ones, such as the bucket of a histogram with le="0.3"."""
    series: str = ""
    """Instead of counters: a series whose samples are good while they are at most `at_most`, such as a latency."""
    at_most: float | None = None
    """The greatest good value of `series`, in its unit."""
    errors_min: Annotated[int, Gt(0)] = 5
    """So many bad events there must be in the longer window before anybody is told: a few requests prove nothing."""


class Ratio(Model):
    """The share that some counters have in others, as a series of each entity that is scored like any other."""

    name: Name
    """What the series is called, such as http_error_ratio."""
    part: Annotated[str, MinLen(1)]
    """Counters of the part, as a selector: http_requests_total{code=~"5.."}."""
    whole: Annotated[str, MinLen(1)]
    """Counters of the whole, those of the part among them: http_requests_total."""
    by: list[str] = []
    """Labels that tell the shares of one entity apart."""
    whole_min: Annotated[int, Gt(0)] = 20
    """Of fewer events in a minute no share is told."""
