"""Surprise at a value that does not move, and at one that moves though it never did.

A stuck sensor repeats one value. How long repeats usually last is learned as the longest run of late; a run several times
as long is a surprise that grows with it. A series that has hardly ever changed is never blamed for being constant; its
first departure is the surprise instead, by Laplace's rule of succession: after n samples with k changes the next change had
probability (k + 1) / (n + 2), whatever its size. So one event on a counter that was zero for a month is noticed, and the
tenth is not.

A run that lasted until it was adopted is over as news: the same run is no surprise any more, however long it goes on, and it
teaches nothing - neither that runs are long here nor that repeats are usual. The next run is judged like the first.
"""

from __future__ import annotations

from typing import Annotated, Final, NamedTuple

import numpy as np
from annotated_types import Gt
from numpy.typing import NDArray

from detectors.ahead import ask_for
from detectors.contract import Row
from detectors.kernel import inlined, kernel
from detectors.portable import log10

STATE: Final = np.dtype(
    [
        ("value", np.float64),  # the previous value
        ("run", np.float64),  # seconds for which it has not changed; TOLD and below: adopted, it counts no more
        ("longest", np.float64),  # seconds, the longest run of late
        ("changes", np.float64),  # how often it changed among the last samples
    ],
    align=True,
)
CHANGES_MIN: Final = 30.0
"""A series must have changed so often before standing still can be held against it."""
STEPS_FREE: Final = 4.0
"""Repeats that never count."""
TOLD: Final = -1e18
"""A run that was adopted begins so far below zero that it never ends there."""


class Params(NamedTuple):
    """Times in seconds."""

    longest_seconds: Annotated[float, Gt(0)] = 604_800.0
    """How long a long run is remembered."""
    samples: Annotated[float, Gt(0)] = 100_000.0
    """Samples over which the share of changes is taken."""
    slope: Annotated[float, Gt(0)] = 5.0
    """Decades of surprise for each decade that a run is longer than the longest."""


@inlined
def stuck_decades(row: Row, step: float, seen: float, params: Params) -> float:
    """Surprise at the present run. Counts in full where a repeat is a thing of one in a thousand, less where they are usual."""
    if row.changes < CHANGES_MIN:
        return 0.0
    usual = row.longest + STEPS_FREE * max(step, 1e-9)
    if row.run <= usual:
        return 0.0
    samples = min(seen, params.samples)
    this_run = row.run / max(step, 1e-9)
    repeats = (max(samples - row.changes - this_run, 0.0) + 1.0) / (samples + 2.0)
    trust = min(-log10(repeats) / 3.0, 1.0)
    return params.slope * trust * log10(row.run / usual)


@inlined
def departure_decades(row: Row, seen: float, params: Params) -> float:
    """Surprise at a change of value."""
    samples = min(seen, params.samples)
    probability = (min(row.changes, samples) + 1.0) / (samples + 2.0)
    if 20.0 * probability >= 1.0:
        return 0.0  # what happens once in twenty samples is usual
    return -log10(20.0 * probability)


@inlined
def pass_by(row: Row, samples: float) -> None:
    """A sample that teaches nothing is counted among the samples all the same: the share of changes stays as it was."""
    row.changes += row.changes / max(samples, 1.0)


@inlined
def learn(row: Row, sample: Row, params: Params) -> None:
    if sample.seen == 0.0:
        return
    row.longest -= min(sample.dt / params.longest_seconds, 0.5) * row.longest
    if sample.seen > params.samples:
        row.changes -= row.changes / params.samples
    if sample.value == row.value:
        if row.run < 0.0:
            pass_by(row, min(sample.seen, params.samples))
        return
    row.longest = max(row.longest, row.run)
    if row.longest < 1e-30:
        row.longest = 0.0
    row.changes += 1.0


@inlined
def observe(row: Row, sample: Row) -> None:
    if sample.value == row.value and sample.seen > 0.0:
        row.run += sample.dt
        return
    row.value = sample.value
    row.run = 0.0


@kernel
def score_flat(state: NDArray[np.void], feed: NDArray[np.void], params: Params, verdict: NDArray[np.void]) -> None:
    """See contract.py. `direction` is 0 for a stuck value, the sign of the change for a departure."""
    for i in range(feed.shape[0]):
        sample = feed[i]
        if sample.read < 0:
            continue
        ask_for(state[sample.next])
        row = state[sample.read]
        out = verdict[i]
        out.expected = np.nan
        out.scale = np.nan
        out.decades = 0.0
        out.direction = 0
        out.since = 0.0
        change = sample.value - row.value
        if sample.seen > 0.0 and change != 0.0:
            out.direction = 1 if change > 0.0 else -1
            out.decades = departure_decades(row, sample.seen, params)
        if sample.write == sample.read:
            learn(row, sample, params)
        elif sample.seen < params.samples:
            pass_by(row, sample.seen)
        observe(row, sample)
        if sample.seen > 0.0 and change == 0.0:
            out.decades = stuck_decades(row, sample.step, sample.seen, params)
            out.since = max(row.run, 0.0)
        if sample.write >= 0 and sample.write != sample.read:
            learn(state[sample.write], sample, params)
            observe(state[sample.write], sample)


def adopted(row: np.void, before: np.void, value: float) -> None:  # noqa: ARG001  # a run has no level
    """The run that is going on was told. What the shadow learned of it is put back."""
    row["longest"] = before["longest"]
    row["changes"] = before["changes"]
    row["run"] = TOLD
