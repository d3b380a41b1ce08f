"""What happens to the shop, and when: eight faults and three harmless surprises, all places, times and sizes from one seed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from connectors.simulator.shop import JOBS, NODES, SERVICES, Layer, callers_of
from engine.errors import UsageError

STEP_SECONDS = 60
DAY_SECONDS = 86_400
START_SECONDS = 1_772_409_600
"""The first tick: Monday 2 March 2026, 00:00 UTC."""
QUIET_DAYS = 3
"""Days before anything happens: what a detector may learn from."""
TAIL_SECONDS = 5_400
"""Quiet time behind the last fault, so that everything can resolve."""


class What(StrEnum):
    BAD_DEPLOY = "bad-deploy"
    SLOW_DATABASE = "slow-database"
    MEMORY_LEAK = "memory-leak"
    DISK_FILLING = "disk-filling"
    SILENT_EXPORTER = "silent-exporter"
    NEW_ERROR = "new-error"  # a deploy after which a new error is in the log, and nowhere else
    JOB_STOPPED = "job-stopped"  # the line of a scheduled job does not come any more
    SLOW_PARTNER = "slow-partner"  # a number within a line is larger, and no metric shows it
    TRAFFIC_PEAK = "traffic-peak"
    PLANNED_RESTART = "planned-restart"
    GOOD_DEPLOY = "good-deploy"  # brings a new line, and no trouble


FAULTS = (
    What.BAD_DEPLOY,
    What.SLOW_DATABASE,
    What.MEMORY_LEAK,
    What.DISK_FILLING,
    What.SILENT_EXPORTER,
    What.NEW_ERROR,
    What.JOB_STOPPED,
    What.SLOW_PARTNER,
)
SURPRISES = (What.TRAFFIC_PEAK, What.PLANNED_RESTART, What.GOOD_DEPLOY)
IN_LOGS = (What.NEW_ERROR, What.JOB_STOPPED, What.SLOW_PARTNER)
"""Faults of which no metric says anything."""
SCENARIOS: dict[str, tuple[What, ...]] = {
    "shop": (*FAULTS, *SURPRISES),
    "quiet": SURPRISES,
    **{str(fault): (fault,) for fault in FAULTS},
}


@dataclass(frozen=True, slots=True)
class Happening:
    """One fault or surprise. Times are Unix seconds; `size` in 0..1 scales how bad it gets; `affected` may show symptoms."""

    what: What
    entity: str
    start: int
    end: int
    size: float
    affected: tuple[str, ...]

    @property
    def harmless(self) -> bool:
        return self.what in SURPRISES


@dataclass(frozen=True, slots=True)
class Scenario:
    """The whole plan. `end` is the last tick; `window` the maintenance window (entity, start, end) or None."""

    name: str
    seed: int
    end: int
    happenings: tuple[Happening, ...]

    @property
    def faults(self) -> tuple[Happening, ...]:
        return tuple(h for h in self.happenings if not h.harmless)

    @property
    def window(self) -> tuple[str, int, int] | None:
        for happening in self.happenings:
            if happening.what is What.PLANNED_RESTART:
                return happening.entity, happening.start - 600, happening.end + 1800
        return None


_SLOT = int(2.9 * 3600)
_SLOTS = (*(3600 + n * _SLOT for n in range(6)), *(81_000 + n * _SLOT for n in range(3)))
"""Seconds after the quiet days: 01:00 to 18:24, and from 22:30 on; the evening belongs to the traffic peak."""
_GOOD_DEPLOY_BEFORE = 8 * 3600
"""So long before the end of the quiet days."""
_LONGEST: dict[What, tuple[int, int]] = {
    What.BAD_DEPLOY: (2400, 4200),
    What.SLOW_DATABASE: (2400, 4200),
    What.MEMORY_LEAK: (6600, 9000),
    What.DISK_FILLING: (6600, 9000),
    What.SILENT_EXPORTER: (3000, 4800),
    What.NEW_ERROR: (2400, 4200),
    What.JOB_STOPPED: (6000, 7800),
    What.SLOW_PARTNER: (2400, 4200),
    What.TRAFFIC_PEAK: (7200, 7200),
    What.PLANNED_RESTART: (300, 420),
}


def plan(name: str, seed: int) -> Scenario:
    """The scenario of that name for that seed. Raises UsageError for a name that is not in SCENARIOS."""
    if name not in SCENARIOS:
        raise UsageError(f"there is no scenario {name!r}", f"one of: {', '.join(SCENARIOS)}")
    rng = np.random.default_rng([seed, 1])
    first = START_SECONDS + QUIET_DAYS * DAY_SECONDS
    chosen = SCENARIOS[name]
    slots = [first + slot for slot in _SLOTS]
    rng.shuffle(slots)
    places = _places(rng)
    happenings = []
    for what, slot in zip((*FAULTS, What.PLANNED_RESTART), slots, strict=True):
        low, high = _LONGEST[what]
        length = int(rng.integers(low, high + 1))
        start = slot + int(rng.integers(0, _SLOT - high - 600)) if high + 600 < _SLOT else slot
        happenings.append(_happening(what, places[what], start, start + length, float(rng.uniform(0.25, 1.0))))
    peak = first + int(19.5 * 3600)
    happenings.append(_happening(What.TRAFFIC_PEAK, "", peak, peak + 7200, float(rng.uniform(0.3, 1.0))))
    deploy = first - _GOOD_DEPLOY_BEFORE
    happenings.append(_happening(What.GOOD_DEPLOY, places[What.GOOD_DEPLOY], deploy, deploy + 3600, 0.5))
    kept = sorted((h for h in happenings if h.what in chosen), key=lambda h: h.start)
    return Scenario(name, seed, max(h.end for h in kept) + TAIL_SECONDS, tuple(kept))


def _places(rng: np.random.Generator) -> dict[What, str]:
    """A different entity for each, so that no two happenings meet in one place."""
    job = str(rng.choice(sorted(JOBS)))
    core = [s.name for s in SERVICES if s.layer is Layer.CORE and s.name not in ("email", job)]
    rng.shuffle(core)
    databases = [s.name for s in SERVICES if s.name.endswith("-db")]
    return {
        What.BAD_DEPLOY: core[0],
        What.SLOW_DATABASE: str(rng.choice(databases)),
        What.MEMORY_LEAK: core[1],
        What.DISK_FILLING: str(rng.choice(NODES)),
        What.SILENT_EXPORTER: core[2],
        What.PLANNED_RESTART: core[3],
        What.NEW_ERROR: core[4],
        What.SLOW_PARTNER: core[5],
        What.GOOD_DEPLOY: core[6],
        What.JOB_STOPPED: job,
    }


def _happening(what: What, entity: str, start: int, end: int, size: float) -> Happening:
    start -= start % STEP_SECONDS
    end -= end % STEP_SECONDS
    return Happening(what, entity, start, end, size, _affected(what, entity))


def _affected(what: What, entity: str) -> tuple[str, ...]:
    if what is What.TRAFFIC_PEAK:
        return tuple(s.name for s in SERVICES)
    if what in IN_LOGS:
        return (entity,)
    if what is What.DISK_FILLING:
        return (entity, *(s.name for s in SERVICES if s.node == entity))
    seen: list[str] = [entity]
    for name in seen:  # grows while it is walked: callers of callers too
        seen.extend(c for c in callers_of(name) if c not in seen)
    return tuple(seen)


def active(happenings: Sequence[Happening], what: What) -> Happening | None:
    """The happening of that kind, if the scenario has it."""
    return next((h for h in happenings if h.what is what), None)
