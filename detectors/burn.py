"""How fast what was promised is used up: events and bad events in windows of minutes to months, for many objectives at once.

A budget is the share of events that may be bad in the window of an objective. Its burn rate is the share that is bad over the share that may
be: at 1 the budget lasts exactly as long as the window, at 14.4 a month's lasts two days. A pair of windows is judged together: the longer
says that it matters, the shorter that it goes on.

What was counted is kept as running sums, marked at minutes, five minutes, hours and quarters of a day: 9 kB an objective. A window begins at
the mark at or before its beginning, so it is longer than its name by less than one of those.

Source: Google's Site Reliability Workbook (2018), chapter 5, section 6 (multiwindow, multi-burn-rate alerts) and table 5-8.
"""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

RINGS: Final = (("minutes", 1, 62), ("fives", 5, 74), ("hours", 60, 74), ("quarters", 360, 362))
"""Name, distance of marks in minutes, how many are kept: for windows up to an hour, six hours, three days, ninety days."""
MARK: Final = np.dtype([("bad", np.float64), ("total", np.float64)])
STATE: Final = np.dtype(
    [
        ("bad", np.float64),  # running sums
        ("total", np.float64),
        ("first", np.int64),  # the minute in which the first event was counted; 0 none
        *((name, MARK, size) for name, _, size in RINGS),
    ],
    align=True,
)
Floats = NDArray[np.float64]


class Pair(NamedTuple):
    """Two windows in minutes, and the share of the whole budget that is used up in the longer one when it is time to say so."""

    longer: int
    shorter: int
    share: float
    is_urgent: bool


PAIRS: Final = (
    Pair(60, 5, 0.02, is_urgent=True),
    Pair(360, 30, 0.05, is_urgent=True),
    Pair(1440, 120, 0.1, is_urgent=False),
    Pair(4320, 360, 0.1, is_urgent=False),
)


class Burning(NamedTuple):
    """How it stands with n objectives and one pair of windows: burn rates, how many events were bad, and what is too fast."""

    longer: Floats
    shorter: Floats
    bad: Floats  # in the longer window
    counted: Floats  # in the shorter window, all events
    limit: Floats  # burn rate; NaN where the pair says nothing of so short an objective


def mark(state: NDArray[np.void], before: int, now: int) -> None:
    """Minute `now` has come; the minute of the marks before was `before` (0: there were none). What was counted since is of the last minute."""
    if before:
        for name, distance, size in RINGS:
            old = state["minutes"][:, before % RINGS[0][2]].copy()
            first, last = before // distance + 1, (now - 1) // distance
            for number in range(max(first, last - size + 1), last + 1):
                state[name][:, number % size] = old
    for name, distance, size in RINGS:
        if now % distance == 0:
            state[name]["bad"][:, now // distance % size] = state["bad"]
            state[name]["total"][:, now // distance % size] = state["total"]


def count(state: NDArray[np.void], minutes: int, now: int) -> tuple[Floats, Floats]:
    """Bad events and all events of the last so many minutes before `now`, for which marks were made."""
    name, distance, size = next(ring for ring in RINGS if ring[1] * (ring[2] - 2) >= minutes)
    began = state[name][:, (now - minutes) // distance % size]
    return np.maximum(state["bad"] - began["bad"], 0.0), np.maximum(state["total"] - began["total"], 0.0)


def burn(counted: tuple[Floats, Floats], budget: Floats, minutes: int, known: Floats) -> Floats:
    """The burn rate in a window, from what was counted in it; 0 without events. `budget` is the share that may be bad.

    Of a window longer than anything is known, only the part that is known can have used anything up: half an hour of failure in the first half
    hour of an objective is half an hour of the day's window.
    """
    bad, total = counted
    share = np.divide(bad, total, out=np.zeros_like(bad), where=total > 0.0)
    return np.asarray(share / budget * np.minimum(known / minutes, 1.0))


def known(state: NDArray[np.void], now: int) -> Floats:
    """Minutes since the first event."""
    return np.where(state["first"] > 0, now - state["first"], 0).astype(np.float64)


def judge(state: NDArray[np.void], budget: Floats, window: Floats, pair: Pair, now: int, fresh: Floats) -> Burning:
    """Objectives against one pair. `window` is theirs in minutes; a burn rate below 1 is never too fast.

    `fresh` is how many bad events there are that nobody was told of yet: what the longer window holds beyond them counts no more.
    """
    seen = known(state, now)
    bad, total = count(state, pair.longer, now)
    shorter = count(state, pair.shorter, now)
    bad = np.minimum(bad, fresh)
    limit = np.maximum(pair.share * window / pair.longer, 1.0)
    return Burning(
        burn((bad, total), budget, pair.longer, seen),
        burn(shorter, budget, pair.shorter, seen),
        bad,
        shorter[1],
        np.where(2 * pair.longer <= window, limit, np.nan),
    )


def left(state: NDArray[np.void], budget: Floats, window: Floats, now: int) -> Floats:
    """The share of each budget that is left, below 0 when more was used. What is not known yet of a window is taken to be as busy as the rest."""
    found = np.ones(len(state))
    seen = known(state, now)
    for minutes in np.unique(window).tolist():
        some = window == minutes
        used = burn(count(state, int(minutes), now), budget, int(minutes), seen)
        found[some] = 1.0 - used[some]
    return found
