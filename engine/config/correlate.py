"""From alerts to incidents: the block `correlate`."""

from __future__ import annotations

from typing import Annotated

from annotated_types import Ge, Gt, Le, MinLen

from engine.config.values import Duration, Model

Share = Annotated[float, Ge(0), Le(1)]
Positive = Annotated[int, Gt(0)]


class Window(Model):
    """A maintenance window: alerts on these entities with onset inside it are suppressed, then looked at again."""

    name: str
    """What people call it."""
    entities: Annotated[list[str], MinLen(1)]
    """Entities it covers; * matches any run of characters."""
    start: str
    """RFC 3339."""
    end: str
    """RFC 3339; after the start."""


class Correlate(Model):
    """From alerts to incidents."""

    window: Duration = 300.0
    """Onsets closer than this may belong together."""
    open_after: Duration = 60.0
    """A candidate must be this old, in event time, before it opens."""
    alerts_min: Positive = 2
    """Alerts a candidate needs to open, unless one of them is severe by itself."""
    severe_score: float = 3.0
    """A score from which one alert is enough."""
    close_after: Duration = 900.0
    """A resolved incident closes after this long and swallows nothing any more."""
    source_timeout: Duration = 300.0
    """A source whose watermark stands still for this long of the others' time is left out, and named."""
    changes_window: Duration = 1800.0
    """Changes before an onset that may have caused it."""
    incidents_max: Positive = 10_000
    """Incidents that are not closed; beyond it new candidates are refused and counted."""
    members_max: Positive = 200
    """Alerts of one incident; beyond it they are counted only."""
    hints_max: Annotated[int, Ge(1), Le(20)] = 5
    """Hints of one incident."""
    abstain_below: Share = 0.0
    """A best hint of less probability is not named."""
    kinds_max: Positive = 500
    """Kinds of incidents that are remembered after they have closed; when full, the one seen longest ago makes way."""
    kinds_keep: Duration = 31_536_000.0
    """How long a kind is remembered that is not seen again."""
    similar_min: Share = 0.5
    """So alike must a former incident be to be named."""
    inhibit_steps: Annotated[int, Ge(0), Le(5)] = 3
    """What is only felt, on what needs the cause of an open incident over at most so many calls and placements, is held back; 0: never."""
    inhibit_max: Positive = 20
    """So many incidents one may hold back; what comes beyond is told."""
    edges_keep: Annotated[Duration, Ge(3_600.0)] = 604_800.0
    """An edge of the topology that telemetry told of is forgotten when it was not seen for this long."""
    topology: list[tuple[str, str]] = []
    """Known dependencies: [caller, callee]."""
    topology_file: str = ""
    """A JSON file {"edges": [[caller, callee], …]}, added to `topology`."""
    runs_on: list[tuple[str, str]] = []
    """Known placement: [service or pod, node]."""
    maintenance: list[Window] = []
    """Times in which alerts on some entities are expected."""
