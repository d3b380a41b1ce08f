"""One score for an entity of several metrics.

The joint surprise of a moment is the mean of its most surprising metrics' scores, each clipped softly: an incident
moves several metrics a little or one a lot, and one broken sensor among forty must not speak for all of them for ever. What
the mean exceeds once in twenty rows is learned, as for the detectors' sum.

`score_jointly` takes the moments of one entity from a table, `score_rounds` one moment of many entities whose metrics come one by
one. Both score a moment by the same function, so equal scores at equal times give equal bits.
"""

from __future__ import annotations

from typing import Annotated, Final, NamedTuple

import numpy as np
from annotated_types import Ge, Gt
from numpy.typing import NDArray

from detectors import tails
from detectors.contract import Row
from detectors.kernel import device, kernel
from detectors.medians import median
from detectors.portable import log10

TOP: Final = 5
"""How many metrics speak for their entity."""
STATE: Final = np.dtype(
    [
        ("threshold", np.float64),  # exceeded once in twenty rows
        ("upper", np.float64),  # exceeded once in five rows of late
        ("excess", np.float64),  # the mean of what goes beyond that
        ("last_ns", np.int64),
        ("step", np.float64),  # usual seconds between rows
        ("seen", np.float64),
    ],
    align=True,
)
OPINION: Final = np.dtype(
    [
        ("score", np.float64),  # 1.0 = boundary; NaN = no opinion
        ("decades", np.float64),  # the mean of the loudest
        ("threshold", np.float64),  # what that exceeds once in twenty rows
        ("excess", np.float64),  # and the mean of what goes beyond
        ("boundary", np.float64),  # where the score would be 1.0
        ("known", np.int64),  # metrics that have a score
        ("off", np.int64),  # of these, with OFF decades or more
        ("place", np.int64, TOP),  # of the loudest among the metrics, loudest first; -1: none
        ("share", np.float64, TOP),  # their clipped decades; they add up to the mean times their number
    ],
    align=True,
)
MEMBER: Final = np.dtype(
    [
        ("entity", np.int64),  # its number + 1; 0: none, or one of too few metrics
        ("ts_ns", np.int64),  # of the newest sample
        ("score", np.float64),  # of that sample
        ("value", np.float64),
        ("expected", np.float64),
        ("onset_ns", np.int64),
    ],
    align=True,
)
ENTITY: Final = np.dtype(
    [
        ("newest_ns", np.int64),  # of the samples of all members
        ("round_ns", np.int64),  # that time when its last round was played
        ("pace", np.float64),  # the middle of its members' usual steps, in seconds
        ("held", np.int64),  # ordinary rounds that must come before it is told of again
    ],
    align=True,
)
CLIP: Final = 12.0
"""A metric's surprise counts in full up to here, in decades."""
DECADES: Final = 4.0
"""About how many decades a score of 1.0 stands for."""
OFF: Final = 1.3
"""Decades from which a metric is called off: one of twenty samples is by itself, and three metrics at once hardly ever are."""
EXCEEDED: Final = 0.05
EXCEEDED_DECADES: Final = 1.3010299956639813
PRIOR_THRESHOLD: Final = 2.0
EXCESS: Final = 0.5
"""The mean of what goes beyond the threshold: that of most entities, whose metrics share their load."""
UPPER: Final = 0.2
"""The share of rows that teach an entity its own excess: so many that it is known in days, and that a fault hardly counts."""
TEACHING: Final = 0.005
"""How much one of them does, …"""
TAUGHT_MAX: Final = 3.0
"""… and how many usual ones it may count for: an hour's fault must not make itself usual."""
UPPER_PACE: Final = 0.02
HEAVIER: Final = 1.5
"""How much larger it is further out, and in runs of rounds: measured where metrics share a load that comes and goes."""
NEEDED_SHARE: Final = 0.7
NEEDED_MIN: Final = 2.0
STALE_STEPS: Final = 2.5
"""A metric of which two samples are missing says nothing of the present moment."""


class Params(NamedTuple):
    """Times in seconds."""

    budget_seconds: Annotated[float, Gt(0)] = 2_592_000.0
    tail_seconds: Annotated[float, Gt(0)] = 2_592_000.0
    known_min: Annotated[int, Ge(1)] = 1
    """Metrics that must have a score for the entity to have one."""
    excess_min: Annotated[float, Gt(0)] = EXCESS
    excess_max: Annotated[float, Gt(0)] = EXCESS
    """Within these the entity's own excess is believed. It stretches a score, and changes no threshold."""


# ------------------------------------------------------------------------------------------------------ one moment
@device
def find_loudest(scores: NDArray[np.float64], out: Row) -> None:
    """Write which metrics speak, what each says, how many have a score, and how many are off."""
    out.known = 0
    out.off = 0
    for k in range(TOP):
        out.place[k] = -1
        out.share[k] = 0.0
    for j in range(scores.shape[0]):
        if not scores[j] >= 0.0:
            continue
        s = tails.soft_clip(DECADES * scores[j], CLIP)
        out.known += 1
        out.off += s >= OFF
        k = TOP
        while k > 0 and s > out.share[k - 1]:
            k -= 1
        for i in range(TOP - 1, k, -1):
            out.share[i] = out.share[i - 1]
            out.place[i] = out.place[i - 1]
        if k < TOP:
            out.share[k] = s
            out.place[k] = j


@device
def learn(row: Row, y: float, dt: float, params: Params) -> None:
    if row.seen == 0.0:
        row.threshold = PRIOR_THRESHOLD
        row.upper = y
        row.excess = EXCESS / HEAVIER
    alpha = tails.tail_alpha(dt, params.tail_seconds, row.seen)
    row.threshold = tails.learned_quantile(row.threshold, y, EXCEEDED, alpha * EXCESS)
    if y > row.upper:
        row.excess += TEACHING * (min(y - row.upper, TAUGHT_MAX * row.excess) - row.excess)
    row.upper = tails.learned_quantile(row.upper, y, UPPER, UPPER_PACE * row.excess)
    row.seen += 1.0


@device
def score_moment(row: Row, ts_ns: int, scores: NDArray[np.float64], params: Params, out: Row) -> None:
    """Score one moment of one entity, then learn it. NaN in `scores`: that metric has no opinion. The first moment has no score."""
    out.score = np.nan
    out.decades = np.nan
    out.threshold = np.nan
    out.excess = np.nan
    out.boundary = np.nan
    find_loudest(scores, out)
    if out.known < params.known_min:
        return
    y = out.share[0]
    for k in range(1, TOP):
        y += out.share[k]
    y = y / min(out.known, TOP)
    dt = 0.0
    if row.seen > 0.0:
        dt = (ts_ns - row.last_ns) * 1e-9
        row.step = row.step + 0.1 * (min(dt, 3.0 * row.step) - row.step) if row.step > 0.0 else dt
        needed = max(NEEDED_SHARE * log10(params.budget_seconds / max(row.step, 1e-3)), NEEDED_MIN)
        out.excess = min(max(HEAVIER * row.excess, params.excess_min), params.excess_max)
        out.score = tails.quantile_surprise(row.threshold, EXCEEDED_DECADES, out.excess, y) / needed
        out.boundary = tails.quantile_boundary(row.threshold, EXCEEDED_DECADES, out.excess, needed)
        out.threshold = row.threshold
    out.decades = y
    row.last_ns = ts_ns
    learn(row, y, dt, params)


# ------------------------------------------------------------------------------------------------------ a table
@kernel
def score_jointly(
    state: NDArray[np.void], ts_ns: NDArray[np.int64], scores: NDArray[np.float64], params: Params, out: NDArray[np.void]
) -> None:
    """Write what is said of each row of `scores` (n, m) to `out` (n, OPINION). `state` has one row: the entity.

    The score is NaN where no metric has one, and in the first row where any has. Those rows are in order of time.
    """
    for i in range(ts_ns.shape[0]):
        score_moment(state[0], ts_ns[i], scores[i], params, out[i])


# ------------------------------------------------------------------------------------------------------ a stream
@kernel
def gather(
    members: NDArray[np.void],
    entities: NDArray[np.void],
    slot: NDArray[np.int64],
    ts_ns: NDArray[np.int64],
    among: NDArray[np.float64],
    value: NDArray[np.float64],
    expected: NDArray[np.float64],
    onset_ns: NDArray[np.int64],
) -> None:
    """Keep what was said of the newest sample of each member. `members` is by slot; slots beyond it are no members.

    `among` are their scores as an entity takes them (`calibration`): a metric that is restless at this minute every day is no news; several of
    an entity at once are.
    """
    for i in range(slot.shape[0]):
        if slot[i] >= members.shape[0]:
            continue
        row = members[slot[i]]
        if row.entity > 0:
            row.ts_ns = ts_ns[i]
            row.score = among[i]
            row.value = value[i]
            row.expected = expected[i]
            row.onset_ns = onset_ns[i]
            entity = entities[row.entity - 1]
            entity.newest_ns = max(entity.newest_ns, ts_ns[i])


@device
def play_round(
    members: NDArray[np.void],
    state: Row,
    entity: Row,
    slots: NDArray[np.int64],
    voices: NDArray[np.int64],
    steps: NDArray[np.float64],
    params: Params,
    out: Row,
    loudest: NDArray[np.int64],
    spare: NDArray[np.float64],
) -> None:
    """One entity, one round."""
    now_ns = entity.newest_ns
    known = 0
    for k in range(slots.shape[0]):
        spare[k] = np.nan
        loudest[k] = -1
    for k in range(slots.shape[0]):
        row = members[slots[k]]
        voice = voices[k]
        known = max(known, voice + 1)
        fresh = row.ts_ns > 0 and (now_ns - row.ts_ns) * 1e-9 <= STALE_STEPS * steps[k]
        if fresh and row.score >= 0.0 and not spare[voice] >= row.score:
            spare[voice] = row.score
            loudest[voice] = k
    score_moment(state, now_ns, spare[:known], params, out)
    for k in range(TOP):
        if out.place[k] >= 0:
            out.place[k] = loudest[out.place[k]]
    n = 0
    for k in range(slots.shape[0]):
        if steps[k] > 0.0:
            spare[n] = steps[k]
            n += 1
    if n > 0:
        entity.pace = median(spare[:n])
    entity.round_ns = now_ns


@kernel
def score_rounds(
    members: NDArray[np.void],
    states: NDArray[np.void],
    entities: NDArray[np.void],
    rounds: tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64], NDArray[np.int64], NDArray[np.float64]],
    params: Params,
    out: NDArray[np.void],
    loudest: NDArray[np.int64],
    spare: NDArray[np.float64],
) -> None:
    """Play a round of some entities at the time of the newest sample of each: score it, then learn.

    `rounds` is (entity (g), where its members begin (g + 1), slots of the members (m), their voices (m), their usual steps in seconds (m)).
    Members of one voice (0, 1, … in each entity) speak as one: the loudest is heard. `out` has g rows, whose places count from where
    the entity's members begin; `loudest` and `spare` as many as the largest entity has members.
    """
    which, begins, slots, voices, steps = rounds
    for g in range(which.shape[0]):
        part = slice(begins[g], begins[g + 1])
        entity = which[g]
        place = states[entity], entities[entity]
        play_round(members, *place, slots[part], voices[part], steps[part], params, out[g], loudest, spare)
