"""How far a session is from the nearest kind that is usual in its stream, and what makes it so: see `sessions`."""

from __future__ import annotations

import math
from typing import Any, Final

import numpy as np

from detectors.contract import Row
from detectors.kernel import device
from detectors.portable import log10
from detectors.session_model import BINS, EDGES, KINDS, Room

FREE: Final = 1.0
"""Decades: what one session in ten has is no difference."""
CUSTOM: Final = 2
"""Sessions after which a kind may be the nearest: what came once is no custom. (In streams in which all differ, once is enough.)"""
RARITY: Final = 0.5
"""The weight of how rare a kind is beside how far it is."""
UNSEEN: Final = 0.5
"""How often an event counts that never came."""
NEARER: Final = 1e-3
"""Of two kinds equally far by decades, the one with fewer differences is nearer."""
FURTHER: Final = 0.3
"""Decades for each bin that a count lies beyond the one after the highest: a count twice as high is half as likely."""
FAR: Final = 100.0
TOLD: Final = 3
"""Events of which is said how they differ."""
OPINION: Final = np.dtype(
    [
        ("score", np.float64),  # 1.0 = boundary; NaN = no opinion
        ("decades", np.float64),  # how far it is from the nearest usual kind
        ("counts", np.float64),  # the same but for the order of its lines
        ("event", np.int64, TOLD),  # that differ most, the greatest difference first; -1: none
        ("count", np.int64, TOLD),  # how often each came
        ("usual", np.int64, TOLD),  # and how often it comes in the nearest kind (at least so often, beyond eight)
        ("cost", np.float64, TOLD),  # decades
        ("order", np.int64),  # 1: a step from one event to the next was new, and that is rare
        ("before", np.int64),  # odd sessions like it before
    ],
    align=True,
)


@device
def rarity(times: float, of: float) -> Any:
    """Decades beyond the free one of something that came so many times of so many."""
    if times <= 0.0:
        times = UNSEEN
    return max(-log10(min(times / (of + 1.0), 1.0)) - FREE, 0.0)


@device
def _cost_number(model: Row, d: int, b: int, here: int, own: int) -> Any:
    """What it costs that an event came so often, and not as often as in a kind. `own`: of the session itself, not to be counted."""
    if b == 0 or here <= 0:
        return 0.0
    mine = model.counted[d, b] - own
    distinct = -1
    rarer = 0
    highest = b
    for c in range(1, BINS):
        n = model.counted[d, c] - (own if c == b else 0)
        if n > 0:
            distinct += 1
            highest = c
        if n <= mine:
            rarer += n
    if mine > 0:
        return rarity(rarer, here)
    return rarity(max(distinct, 0) + UNSEEN, here) + FURTHER * max(b - highest - 1, 0)


@device
def _weigh_events(model: Row, own: int, room: Room) -> None:
    """Write what differences would cost; `own` as above."""
    taught = model.taught - own
    for d in range(model.events):
        b = room.bins[d]
        here = model.here[d] - (own if b > 0 else 0)
        room.presence[d] = rarity(here if b > 0 else taught - here, taught) + NEARER
        room.number[d] = _cost_number(model, d, b, here, own)


@device
def _square_to(model: Row, k: int, room: Room, least: float) -> Any:
    """The sum of the squares of all differences from a kind; as soon as it is beyond `least` the rest does not matter."""
    total = 0.0
    for d in range(model.events):
        usual = np.int64(model.kind[k, d])
        b = room.bins[d]
        if usual == b:
            continue
        cost = room.number[d]
        if (usual > 0) != (b > 0):
            cost += room.presence[d]
        total += cost * cost
        if total > least:
            break
    return total


@device
def _rarity_of_kind(model: Row, k: int, own: int) -> Any:
    """Half the decades of all kinds that are as rare."""
    tail = model.gone
    for j in range(KINDS):
        if model.weight[j] <= model.weight[k]:
            tail += model.weight[j]
    return RARITY * -log10(min(max(tail - own, 1) / max(model.taught - own, 1), 1.0))


@device
def nearest(model: Row, beside: float, without: int, room: Room) -> Any:
    """(the nearest kind, how far it is). `beside`: a sum of squares that every kind has; `without`: a kind that does not count."""
    own = 0
    if without >= 0:
        own = model.weight[without]
    _weigh_events(model, own, room)
    custom = 1
    for k in range(KINDS):
        if k != without and model.weight[k] >= CUSTOM:
            custom = CUSTOM
            break
    best = -1
    far = FAR
    for k in range(KINDS):
        if k == without or model.weight[k] < custom:
            continue
        total = beside + _square_to(model, k, room, far * far)
        if total >= far * far:
            continue
        decades = math.sqrt(total) + _rarity_of_kind(model, k, own)
        if decades < far:
            far = decades
            best = k
    return best, far


@device
def explain(model: Row, session: Row, k: int, room: Room, out: Row) -> None:
    """Write which events differ most from a kind, after `nearest`. One that was never taught differs as much as anything can."""
    for i in range(TOLD):
        out.event[i] = -1
        out.cost[i] = 0.0
    for i in range(session.used):
        known = False
        for d in range(model.events):
            known |= model.event[d] == session.event[i]
        if not known:
            _rank(out, FAR, session.event[i], session.count[i], 0)
    for d in range(model.events):
        usual = np.int64(model.kind[k, d]) if k >= 0 else 0
        if usual == room.bins[d]:
            continue
        cost = room.number[d]
        if (usual > 0) != (room.bins[d] > 0):
            cost += room.presence[d]
        came = 0
        for i in range(session.used):
            if session.event[i] == model.event[d]:
                came = session.count[i]
        _rank(out, cost, model.event[d], came, EDGES[usual])


@device
def _rank(out: Row, cost: float, event: int, came: int, usual: int) -> None:
    k = TOLD
    while k > 0 and cost > out.cost[k - 1]:
        k -= 1
    for i in range(TOLD - 1, k, -1):
        out.cost[i] = out.cost[i - 1]
        out.event[i] = out.event[i - 1]
        out.count[i] = out.count[i - 1]
        out.usual[i] = out.usual[i - 1]
    if k < TOLD:
        out.cost[k] = cost
        out.event[k] = event
        out.count[k] = came
        out.usual[k] = usual
