"""How the detectors of a tier are put together: the row of a series, and the table that combines what they say."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from detectors import calibration, clock, usual
from detectors.contract import Detector
from detectors.kernel import as_state
from detectors.restless import HOURS, Habits

LINE_BYTES: Final = 64
WHOLE_FROM: Final = 1024
"""Bytes of a row from which on it takes whole lines: a hundred thousand series in random order took 211 ns a sample in place of 240."""


def row_type(chosen: Sequence[Detector]) -> np.dtype[Any]:
    """All that is kept of one series: its clock, its calibration, and a field for each detector by its name.

    The largest come last: those have parts that are looked at by the time of day, and what every sample needs lies together before them.
    A long row takes whole cache lines, so that no part of it lies across one line more in some rows than in others.
    """
    by_size = sorted(chosen, key=lambda d: d.state.itemsize)
    fields: list[Any] = [("clock", clock.STATE), ("calibration", calibration.STATE), *((d.name, d.state) for d in by_size)]
    row = np.dtype(fields, align=True)
    spare = -row.itemsize % LINE_BYTES
    if row.itemsize < WHOLE_FROM or spare == 0:
        return row
    return np.dtype([*fields, ("spare", np.uint8, spare)], align=True)


def habits_of(rows: NDArray[np.void]) -> Habits:
    """Views of what is usual by the time of day, parts of the season's state; of no rows in a tier that has no season."""
    if "season" not in (rows.dtype.names or ()):
        return Habits(np.zeros((0, usual.WORDS), np.uint32), np.zeros((0, HOURS), np.int16), np.zeros(0))
    return Habits(*(rows["season"][field].view(np.ndarray) for field in ("usual", "hours", "unrest")))


def table(chosen: Sequence[Detector], words: Sequence[str]) -> NDArray[np.void]:
    """The detectors' shares and kinds for `calibration.calibrate`; a kind is its place in `words`. Raises ValueError for one that is not there."""
    places = {word: place for place, word in enumerate(words)}
    rows = []
    for d in chosen:
        unknown = {*d.kinds, *d.lasting} - places.keys()
        if unknown:
            raise ValueError(f"{d.name} gives kinds that have no word: {', '.join(sorted(unknown))}")
        (down, still, up), (low, lasting, high) = ([places[word] for word in kinds] for kinds in (d.kinds, d.lasting))
        rows.append((d.weight, d.weight if d.voice is None else d.voice, d.alone, (down, still, up), (low, lasting, high)))
    return as_state(calibration.table_of(rows))


def words_of(chosen: Sequence[Detector]) -> list[str]:
    """Every kind that these detectors give, "none" first: words enough for a table of their own."""
    return ["none", *dict.fromkeys(word for d in chosen for word in (*d.kinds, *d.lasting))]
