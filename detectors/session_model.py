"""What a stream's sessions usually are: kinds of sessions, how often each event comes within one, and which follow each other.

A *session* is all lines that carry one key (a block, a request, a trace), reduced to how often each event (template) came. A *kind* is
such a reduced session that was seen before. Everything here is a whole number in one row of fixed size, so that it is exact, and
the same on every machine.

After the count vectors of Lou et al. (USENIX ATC 2010) and the nearest neighbour among them that later studies found hard to beat.
"""

from __future__ import annotations

from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from detectors.contract import Row
from detectors.kernel import device

EVENTS: Final = 64
"""Different events of one stream's sessions; what comes later shares the last place."""
KINDS: Final = 128
"""Kinds of sessions of one stream; a new one takes the place of the rarest."""
DOUBTS: Final = 64
"""Kinds that were odd when they came, and are remembered to tell one that keeps coming from one that came once."""
DISTINCT: Final = 32
"""Different events of one session; what is beyond counts as one more event, OTHERS."""
BINS: Final = 17
EDGES: Final = np.array((0, 1, 2, 3, 4, 5, 6, 7, 8, 12, 16, 24, 32, 64, 128, 256, 1024), np.int64)
"""Counts are told apart one by one up to eight, and by about half of them beyond."""
OTHERS: Final = 2**30
STEPS: Final = 8192
"""Places in the table of steps from one event to the next; two steps may share one."""
FRESH: Final = 8
"""New steps of one session that are remembered until it has ended."""
TAUGHT_MAX: Final = 1 << 16
"""Sessions after which all counts are halved: what has not come for long counts less and less."""
ORDER_MAX: Final = 1 << 11

MODEL: Final = np.dtype(
    [
        ("total", np.int64),  # sessions that have ended
        ("taught", np.int64),  # of these, those that the counts below are of
        ("single", np.int64),  # sessions of one line
        ("trimmed", np.int64),  # 1: the warm-up has ended
        ("events", np.int64),  # how many places of `event` are in use
        ("gone", np.int64),  # sessions of kinds that had to give their place away
        ("judged", np.int64),  # sessions of late whose counts were usual, …
        ("stepped", np.int64),  # … and of these, those that had a step never seen before
        ("event", np.int64, EVENTS),
        ("here", np.int64, EVENTS),  # sessions in which the event came
        ("counted", np.int64, (EVENTS, BINS)),  # and how often it came in them, by bin
        ("weight", np.int64, KINDS),  # sessions of each kind; 0: a free place
        ("kind", np.uint8, (KINDS, EVENTS)),  # bin of each event
        ("doubt", np.uint64, DOUBTS),  # hash of a kind that was odd
        ("doubted", np.int64, DOUBTS),  # how often it came; 0: a free place
        ("doubt_total", np.int64, DOUBTS),  # `total` when it came first
        ("doubt_ns", np.int64, DOUBTS),  # and the time
        ("steps", np.uint8, STEPS // 8),
    ],
    align=True,
)
SESSION: Final = np.dtype(
    [
        ("key", np.uint64),
        ("model", np.int64),
        ("first_ns", np.int64),
        ("last_ns", np.int64),
        ("lines", np.int64),
        ("line", np.int64),  # number of its latest line, for an example
        ("used", np.int64),
        ("previous", np.int64),  # event of its latest line; -1 before the first
        ("fresh", np.int64),  # steps never seen before
        ("event", np.int64, DISTINCT + 1),
        ("count", np.int64, DISTINCT + 1),
        ("step", np.int64, FRESH),
    ],
    align=True,
)


class Room(NamedTuple):
    """Scratch for one session at a time. Each EVENTS long."""

    bins: NDArray[np.int64]
    presence: NDArray[np.float64]  # decades for its being there, or not, where a kind has it otherwise
    number: NDArray[np.float64]  # decades for its count, where a kind has another


def session_room() -> Room:
    """Empty scratch."""
    return Room(np.zeros(EVENTS, np.int64), np.zeros(EVENTS), np.zeros(EVENTS))


@device
def bin_of(count: int) -> Any:
    """The bin of a count."""
    k = BINS - 1
    while EDGES[k] > count:
        k -= 1
    return k


@device
def place_of_event(model: Row, event: int) -> Any:
    """The place of an event; -1 when it was never taught."""
    for d in range(model.events):
        if model.event[d] == event:
            return d
    return EVENTS - 1 if model.events == EVENTS else -1


@device
def step_of(before: int, after: int) -> Any:
    """The place of a step in the table of steps."""
    h = (np.uint64(before + 2) * np.uint64(0x9E3779B97F4A7C15)) ^ np.uint64(after + 2)
    h = (h ^ (h >> np.uint64(29))) * np.uint64(0xBF58476D1CE4E5B9)
    return np.int64((h >> np.uint64(33)) % np.uint64(STEPS))


@device
def hash_of(session: Row) -> Any:
    """A hash of what a session is reduced to, in whatever order its events came. Never 0."""
    h = np.uint64(0)
    for i in range(session.used):
        part = np.uint64(session.event[i] + 2) * np.uint64(0x9E3779B97F4A7C15)
        part = (part ^ np.uint64(bin_of(session.count[i]))) * np.uint64(0xBF58476D1CE4E5B9)
        h += part ^ (part >> np.uint64(31))
    return h | np.uint64(1)


@device
def spread(session: Row, model: Row, room: Room) -> Any:
    """Write the bin of each event the model knows; the number of those it does not know. Events that share a place add up."""
    for d in range(EVENTS):
        room.bins[d] = 0
    unknown = 0
    for i in range(session.used):
        d = place_of_event(model, session.event[i])
        if d < 0:
            unknown += 1
        else:
            room.bins[d] += session.count[i]
    for d in range(model.events):
        room.bins[d] = bin_of(room.bins[d])
    return unknown


@device
def _teach_place(model: Row, event: int) -> Any:
    d = place_of_event(model, event)
    if d < 0:
        d = model.events
        model.events += 1
        model.event[d] = event
    return d


@device
def teach(model: Row, session: Row, weight: int, room: Room) -> None:
    """Count a session, as if it had come `weight` times."""
    for i in range(session.used):
        _teach_place(model, session.event[i])
    spread(session, model, room)
    model.taught += weight
    for d in range(model.events):
        if room.bins[d] > 0:
            model.here[d] += weight
            model.counted[d, room.bins[d]] += weight
    model.weight[_place_of_kind(model, room)] += weight
    if model.taught >= TAUGHT_MAX:
        _halve(model)


@device
def _place_of_kind(model: Row, room: Room) -> Any:
    """The place of the kind that the room holds: where it is, a free one, or that of the rarest."""
    free = 0
    for k in range(KINDS):
        if model.weight[k] > 0:
            same = True
            for d in range(model.events):
                same &= model.kind[k, d] == room.bins[d]
            if same:
                return k
        if model.weight[k] < model.weight[free]:
            free = k
    model.gone += model.weight[free]
    model.weight[free] = 0
    for d in range(EVENTS):
        model.kind[free, d] = room.bins[d]
    return free


@device
def _halve(model: Row) -> None:
    model.taught >>= 1
    model.gone >>= 1
    for d in range(EVENTS):
        model.here[d] = 0
        for b in range(BINS):
            model.counted[d, b] >>= 1
            model.here[d] += model.counted[d, b]
    for k in range(KINDS):
        model.weight[k] >>= 1


@device
def forget(model: Row, k: int) -> None:
    """Take a kind back, with all that it taught but for its steps."""
    weight = model.weight[k]
    model.taught -= weight
    for d in range(model.events):
        b = model.kind[k, d]
        if b > 0:
            model.here[d] -= weight
            model.counted[d, b] -= weight
    model.weight[k] = 0


@device
def note_counts(model: Row, room: Room) -> None:
    """Of a session that is not taught: how often those events came whose number varies anyway."""
    for d in range(model.events):
        if room.bins[d] > 0 and _varies(model, d):
            model.here[d] += 1
            model.counted[d, room.bins[d]] += 1


@device
def _varies(model: Row, d: int) -> Any:
    """Whether an event comes in one session of a hundred, and in one of ten of these not as often as mostly."""
    mostly = 0
    for b in range(BINS):
        mostly = max(mostly, model.counted[d, b])
    return model.here[d] * 100 >= model.taught and mostly * 10 <= model.here[d] * 9


@device
def fresh_steps(model: Row, session: Row) -> Any:
    """How many of the steps that were new when they came still are: sessions beside it have ended since."""
    fresh = 0
    for k in range(min(session.fresh, FRESH)):
        if not model.steps[session.step[k] >> 3] & np.uint8(1 << (session.step[k] & 7)):
            session.step[fresh] = session.step[k]
            fresh += 1
    return fresh


@device
def note_steps(model: Row, session: Row) -> None:
    """The steps of a session are usual from now on."""
    for k in range(min(session.fresh, FRESH)):
        model.steps[session.step[k] >> 3] |= np.uint8(1 << (session.step[k] & 7))
