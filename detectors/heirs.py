"""What a new series takes over from an elder one of its kind: how wide, how regular, how restless such series are. Never where it is.

Scales, profiles and memories are the donor's; what stands for a level is moved to the heir's own, and what describes the present
moment (the last values, a run's length) stays its own. Detectors without a rule of their own give the donor's row as it is.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import numpy as np

GROWTH_MAX: Final = 3.0
SEEN: Final = 100
"""The samples that an heir's model is worth at least: so many more and its own life outweighs what it took over."""


def _copy(row: np.void, donor: np.void) -> None:
    for field in row.dtype.names or ():
        row[field] = donor[field]


def _level(row: np.void, donor: np.void, level: float, moved: float) -> None:
    before = level - moved
    growth = min(max(abs(level) / max(abs(before), 1e-12), 1.0), GROWTH_MAX)
    row["scale"] = donor["scale"] * growth
    row["quantum"] = donor["quantum"] * growth
    row["tilt"] = donor["tilt"]
    row["level"][1:] = level


def _rate(row: np.void, donor: np.void, level: float, moved: float) -> None:  # noqa: ARG001  # one signature for all
    row["scale"] = donor["scale"]
    row["fast"] = row["slow"] = level
    row["run"] = 0.0


def _flat(row: np.void, donor: np.void, level: float, moved: float) -> None:  # noqa: ARG001  # one signature for all
    row["longest"] = donor["longest"]
    row["changes"] = donor["changes"]


def _absence(row: np.void, donor: np.void, level: float, moved: float) -> None:  # noqa: ARG001  # one signature for all
    row["longest"] = max(float(row["longest"]), float(donor["longest"]))


def _season(row: np.void, donor: np.void, level: float, moved: float) -> None:
    _copy(row, donor)
    row["offset"] += moved
    row["plain"] = level


def _cycle(row: np.void, donor: np.void, level: float, moved: float) -> None:
    """A period and its phase are each series' own: two timers that began apart stay apart."""


def _reach(row: np.void, donor: np.void, level: float, moved: float) -> None:  # noqa: ARG001  # one signature for all
    lowest, highest = float(row["lowest"]), float(row["highest"])
    _copy(row, donor)
    row["lowest"] = min(lowest, float(donor["lowest"]) + moved)
    row["highest"] = max(highest, float(donor["highest"]) + moved)


def _projection(row: np.void, donor: np.void, level: float, moved: float) -> None:  # noqa: ARG001  # one signature for all
    recent = row["recent"].copy()
    _copy(row, donor)
    row["recent"] = recent
    row["centre"] += moved


_RULES: Final[dict[str, Callable[[np.void, np.void, float, float], None]]] = {
    "level": _level,
    "rate": _rate,
    "flat": _flat,
    "absence": _absence,
    "season": _season,
    "cycle": _cycle,
    "reach": _reach,
    "projection": _projection,
}


def inherit(name: str, row: np.void, donor: np.void, level: float, moved: float) -> None:
    """Let `row` of the detector `name` take over what `donor` knows. `level` is the heir's own, `moved` its distance from the donor's."""
    rule = _RULES.get(name)
    if rule is None:
        _copy(row, donor)
    else:
        rule(row, donor, level, moved)
