"""Sessions that went unlike the others: how far each is from the nearest kind of session that is usual in its stream.

    5 lines  blk_-3544: allocate, receive, receive, receive, stored   ─▶   0.3   as many others
    4 lines  blk_-2891: allocate, receive, receive, exception         ─▶   1.2   an exception came, which never does

An event that a kind has otherwise costs the decades of its own rarity: for being there, or not, and for coming more or less
often. The first decade is free, for what one session in ten has is no difference. Costs add up in squares, since events come in
groups. How rare the kind itself is adds half its decades. Nearest is the kind for which the sum is smallest. Steps from
one event to the next that were never seen count as one more event, as rare as sessions with such a step are of late.

1.0 stands for one session in 1 / budget, and for a little more while few sessions were seen. Beyond it only the logarithm
of what is left counts, and that of how often such a session came before: what keeps coming is a new way to fail, what came
once may be chance. What is odd teaches nothing but counts, unless it has been common for long: then it is how sessions are now.

What was never seen is as rare as Witten and Bell (1991) have it.
"""

from __future__ import annotations

from typing import Annotated, Any, Final, NamedTuple

import numpy as np
from annotated_types import Ge, Gt
from numpy.typing import NDArray

from detectors.contract import Row
from detectors.kernel import device, kernel
from detectors.portable import log10
from detectors.session_distance import FREE, explain, nearest, rarity
from detectors.session_model import (
    DISTINCT,
    DOUBTS,
    EVENTS,
    FRESH,
    KINDS,
    ORDER_MAX,
    OTHERS,
    Room,
    forget,
    fresh_steps,
    hash_of,
    note_counts,
    note_steps,
    spread,
    step_of,
    teach,
)

CHANCE: Final = 3
"""A kind that came less often in the warm-up, and is far from all others, is taken back at its end."""
ODD: Final = 1.0
"""Decades from which a session teaches nothing but counts."""
LEARNING: Final = 20.0
"""So many sessions make the boundary a third of a decade higher than very many do."""
ADOPT_SHARE: Final = 0.05
ADOPT_TIMES: Final = 10
"""An odd kind becomes usual when it is so large a share of all sessions, and came so often."""
AS_FOUND, VOUCHED, STILL = 0, 1, 2


class Params(NamedTuple):
    """What a session is judged by, and whether it teaches."""

    budget: Annotated[float, Gt(0)] = 1e-3
    """The share of usual sessions that may score 1.0 or more."""
    sessions_min: Annotated[int, Ge(2)] = 100
    """Sessions before there is an opinion; until then all are taken for usual."""
    adopt_ns: int = 21_600_000_000_000
    """For how long an odd kind must have been coming to become usual."""
    teaching: Annotated[int, Ge(0)] = AS_FOUND
    """AS_FOUND: what is not odd teaches; VOUCHED: somebody says that all are usual; STILL: nothing is learned."""


# ------------------------------------------------------------------------------------------------------ lines to sessions
@kernel
def follow_lines(
    sessions: NDArray[np.void],
    places: NDArray[np.int64],
    models: NDArray[np.void],
    key: NDArray[np.uint64],
    model: NDArray[np.int64],
    event: NDArray[np.int64],
    ts_ns: NDArray[np.int64],
    counts: NDArray[np.int64],
    is_in: NDArray[np.bool_],
) -> None:
    """Put lines into their open sessions. `places` is a hash table of rows + 1, twice as long as `sessions` at least, a power of two.

    `counts` is [sessions open, lines refused for want of room, lines so far]; `is_in` is written: whether there was room for each line.
    """
    last = np.uint64(places.shape[0] - 1)
    for r in range(key.shape[0]):
        counts[2] += 1
        is_in[r] = True
        at = key[r] & last
        while places[at] != 0 and sessions[places[at] - 1].key != key[r]:
            at = (at + np.uint64(1)) & last
        if places[at] == 0:
            if counts[0] == sessions.shape[0]:
                counts[1] += 1
                is_in[r] = False
                continue
            _open(sessions[counts[0]], key[r], model[r], ts_ns[r])
            counts[0] += 1
            places[at] = counts[0]
        session = sessions[places[at] - 1]
        session.line = counts[2]
        session.last_ns = max(session.last_ns, ts_ns[r])
        _note(session, models[session.model], event[r])


@device
def _open(session: Row, key: Any, model: int, ts_ns: int) -> None:
    session.key = key
    session.model = model
    session.first_ns = ts_ns
    session.last_ns = ts_ns
    session.lines = 0
    session.used = 0
    session.previous = -1
    session.fresh = 0


@device
def _note(session: Row, model: Row, event: int) -> None:
    session.lines += 1
    i = 0
    while i < session.used and session.event[i] != event:
        i += 1
    if i >= DISTINCT:
        i = DISTINCT
        session.used = DISTINCT
        session.event[i] = OTHERS
    if i == session.used:
        session.used += 1
        session.event[i] = OTHERS if i == DISTINCT else event
        session.count[i] = 0
    session.count[i] += 1
    step = step_of(session.previous, event)
    session.previous = event
    if model.steps[step >> 3] & np.uint8(1 << (step & 7)):
        return
    if session.fresh < FRESH:
        session.step[session.fresh] = step
    session.fresh += 1


@kernel
def place_again(sessions: NDArray[np.void], places: NDArray[np.int64]) -> None:
    """Make `places` anew for all the given sessions."""
    last = np.uint64(places.shape[0] - 1)
    for at in range(places.shape[0]):
        places[at] = 0
    for row in range(sessions.shape[0]):
        at = sessions[row].key & last
        while places[at] != 0:
            at = (at + np.uint64(1)) & last
        places[at] = row + 1


# ------------------------------------------------------------------------------------------------------ sessions to scores
@kernel
def judge_sessions(
    models: NDArray[np.void],
    sessions: NDArray[np.void],
    order: NDArray[np.int64],
    params: Params,
    room: Room,
    out: NDArray[np.void],
) -> None:
    """Score the sessions at these places, which have ended, in this order: each against what came before it. Then learn it."""
    for i in range(order.shape[0]):
        session = sessions[order[i]]
        model = models[session.model]
        _judge(model, session, params, room, out[i])
        if params.teaching != STILL:
            _learn(model, session, params, room, out[i])


@device
def boundary(taught: int, params: Params) -> Any:
    """The decades of a score of 1.0."""
    return max(-log10(params.budget) - FREE, FREE) + log10(1.0 + LEARNING / max(taught, 1))


@device
def _judge(model: Row, session: Row, params: Params, room: Room, out: Row) -> None:
    out.before = 0
    unknown = spread(session, model, room)
    if model.events == EVENTS:
        unknown = 0
    new = rarity(0.0, model.taught)
    session.fresh = fresh_steps(model, session)
    step = rarity(model.stepped + 0.5, model.judged) if session.fresh > 0 else 0.0
    kind, out.counts = nearest(model, unknown * new * new, -1, room)
    out.decades = out.counts
    if step > 0.0:
        kind, out.decades = nearest(model, unknown * new * new + step * step, -1, room)
    if model.taught == 0:
        out.counts = 0.0
        out.decades = 0.0
    out.order = step > 0.0
    explain(model, session, kind, room, out)
    least = boundary(model.taught, params)
    y = out.decades
    if y >= least:
        out.before = _times_doubted(model, hash_of(session))
        y = least + log10(1.0 + y - least) + log10(1.0 + out.before)
    young = model.total < params.sessions_min and params.teaching != STILL
    out.score = np.nan if young or 2 * model.single > model.total else y / least


@device
def _times_doubted(model: Row, kind: Any) -> Any:
    for k in range(DOUBTS):
        if model.doubted[k] > 0 and model.doubt[k] == kind:
            return model.doubted[k]
    return 0


@device
def _learn(model: Row, session: Row, params: Params, room: Room, out: Row) -> None:
    model.total += 1
    model.single += session.lines == 1
    vouched = params.teaching == VOUCHED or model.total <= params.sessions_min
    if vouched or out.counts < ODD:
        _learn_order(model, session)
    if vouched:
        teach(model, session, 1, room)
        if params.teaching == AS_FOUND and model.total == params.sessions_min:
            _trim(model, room)
    elif out.decades < ODD:
        teach(model, session, 1, room)
    else:
        times = _doubt(model, session, params)
        if times > 0:
            teach(model, session, times, room)
        else:
            spread(session, model, room)
            note_counts(model, room)


@device
def _learn_order(model: Row, session: Row) -> None:
    """Of a session whose counts are usual."""
    model.judged += 1
    model.stepped += session.fresh > 0
    if model.judged >= ORDER_MAX:
        model.judged >>= 1
        model.stepped >>= 1
    note_steps(model, session)


@device
def _doubt(model: Row, session: Row, params: Params) -> Any:
    """Remember an odd kind; how often it came when it has become usual, else 0."""
    kind, at = hash_of(session), 0
    for k in range(DOUBTS):
        if model.doubted[k] > 0 and model.doubt[k] == kind:
            at = k
            break
        if model.doubted[k] < model.doubted[at]:
            at = k
    if model.doubted[at] == 0 or model.doubt[at] != kind:
        model.doubt[at] = kind
        model.doubted[at] = 0
        model.doubt_total[at] = model.total
        model.doubt_ns[at] = session.last_ns
    model.doubted[at] += 1
    times = model.doubted[at]
    if times < ADOPT_TIMES or times < ADOPT_SHARE * (model.total - model.doubt_total[at] + 1):
        return 0
    if session.last_ns - model.doubt_ns[at] < params.adopt_ns:
        return 0
    model.doubted[at] = 0
    return times


@device
def _trim(model: Row, room: Room) -> None:
    """The warm-up has ended: take back what came once or twice in it, and is far from everything else."""
    model.trimmed = 1
    far = np.uint64(0), np.uint64(0)
    for k in range(KINDS):
        if 0 < model.weight[k] < CHANCE:
            for d in range(EVENTS):
                room.bins[d] = np.int64(model.kind[k, d])
            decades = nearest(model, 0.0, k, room)[1]
            if decades >= ODD:
                far = _with(far, k)
    for k in range(KINDS):
        if _has(far, k):
            forget(model, k)


@device
def _with(far: Any, k: int) -> Any:
    bit = np.uint64(1) << np.uint64(k & 63)
    if k < 64:
        return far[0] | bit, far[1]
    return far[0], far[1] | bit


@device
def _has(far: Any, k: int) -> Any:
    part = far[0] if k < 64 else far[1]
    return (part >> np.uint64(k & 63)) & np.uint64(1) != np.uint64(0)
