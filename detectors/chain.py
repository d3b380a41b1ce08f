"""All kernels of a tier over a batch of samples, in one call.

A batch is cut into chunks so small that what the kernels tell each other of one stays in the nearest cache, and the rows of its
series in the second, from the first kernel to the last. While one chunk is worked on, the rows of the next are asked for (`ahead`).
"""

from __future__ import annotations

from typing import Any, Final, NamedTuple

import numpy as np
from numba.extending import overload
from numpy.typing import NDArray

from detectors import assembly, calibration, clock, fetch
from detectors.contract import FEED, VERDICT, Detector
from detectors.kernel import OPTIONS, as_state, device, kernel
from detectors.registry import DETECTORS
from detectors.restless import Habits

CHUNK: Final = 128
"""Samples. What kernels tell each other of so many is some 50 kB, and what they touch of two chunks' rows a quarter of a megabyte."""
NEAR_BYTES: Final = 4 * 2**20
"""Models that take no more are near the processor anyway."""
_KERNELS: Final = {type(d.params): d.kernel for d in DETECTORS.values()}


class Models(NamedTuple):
    """The rows of all series, seen by those who need them, and what does not change."""

    memory: NDArray[np.uint8]
    plan: NDArray[np.void]
    far: bool
    clocks: NDArray[np.void]
    ends: NDArray[np.void]
    habits: Habits
    states: tuple[NDArray[np.void], ...]
    params: tuple[Any, ...]
    table: NDArray[np.void]
    calibration: calibration.Params
    zone: NDArray[np.void]


class Scratch(NamedTuple):
    """Room for one chunk: for one thread at a time."""

    feed: NDArray[np.void]
    verdicts: NDArray[np.void]  # (CHUNK, D); those of one detector lie side by side
    seen: NDArray[np.int64]


def models_of(
    rows: NDArray[np.void],
    detectors: tuple[Detector, ...],
    table: NDArray[np.void],
    params: calibration.Params,
    zone: NDArray[np.void],
    *,
    far: bool,
) -> Models:
    """Views of `rows`, which must live as long."""
    state = as_state(rows)
    return Models(
        rows.view(np.uint8),
        as_state(fetch.plan_of(rows.dtype)),
        far,
        state["clock"],
        state[["clock", "calibration"]],
        assembly.habits_of(state),
        tuple(state[d.name] for d in detectors),
        tuple(d.params for d in detectors),
        table,
        params,
        zone,
    )


def scratch_of(detectors: int) -> Scratch:
    return Scratch(as_state(np.zeros(CHUNK, FEED)), as_state(np.zeros((detectors, CHUNK), VERDICT)).T, np.zeros(1, np.int64))


def each(states: Any, feed: Any, params: Any, verdicts: Any, place: int) -> None:
    """Every detector's kernel, in turn."""
    for d in range(len(states)):
        _KERNELS[type(params[d])](states[d], feed, params[d], verdicts[:, place + d])


@overload(each, jit_options=OPTIONS, strict=False)
def _each(states: Any, feed: Any, params: Any, verdicts: Any, place: Any) -> Any:  # noqa: ARG001
    """The same for the compiler: which kernel it is follows from the type of its parameters."""
    if len(states) == 0:
        return lambda states, feed, params, verdicts, place: None  # noqa: ARG005
    first = _KERNELS[params[0].instance_class]

    def one_and_the_rest(states: Any, feed: Any, params: Any, verdicts: Any, place: int) -> None:
        first(states[0], feed, params[0], verdicts[:, place])
        each(states[1:], feed, params[1:], verdicts, place + 1)

    return one_and_the_rest


@device
def announce(feed: NDArray[np.void], rows: NDArray[np.int64], first: int) -> None:
    """Say which rows come a chunk later; the last chunk's own when there are none."""
    for i in range(feed.shape[0]):
        later = first + i + CHUNK
        feed[i].next = rows[later] if later < rows.shape[0] else rows[first + i]


@kernel
def score(
    models: Models,
    scratch: Scratch,
    rows: NDArray[np.int64],
    ts_ns: NDArray[np.int64],
    value: NDArray[np.float64],
    factors: NDArray[np.float64],
    result: NDArray[np.void],
) -> None:
    """Score and learn samples, in order; write their `factors` (n, D) and `result` (n)."""
    width = models.memory.shape[0] // models.clocks.shape[0]
    for first in range(0, rows.shape[0], CHUNK):
        end = min(first + CHUNK, rows.shape[0])
        if first == 0 and models.far:
            fetch.fetch_rows(models.memory, width, models.plan, rows[:end], ts_ns[:end], models.zone, scratch.seen)
        feed = scratch.feed[: end - first]
        verdicts = scratch.verdicts[: end - first]
        announce(feed, rows, first)
        clock.read_clock(models.clocks, rows[first:end], ts_ns[first:end], value[first:end], models.zone, feed)
        each(models.states, feed, models.params, verdicts, 0)
        calibration.calibrate(
            models.ends,
            models.habits,
            feed,
            verdicts,
            models.table,
            models.calibration,
            factors[first:end],
            result[first:end],
        )
