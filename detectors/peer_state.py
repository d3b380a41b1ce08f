"""What is kept of a fleet: a row for each member and one for each group, what is said of them, and the parameters."""

from __future__ import annotations

from typing import Annotated, Final, NamedTuple

import numpy as np
from annotated_types import Ge, Gt

HOURS: Final = 24
MEMBER: Final = np.dtype(
    [
        ("total", np.float64),  # of the samples since the last round
        ("last_ns", np.int64),  # event time of the newest of them
        ("round_ns", np.int64),  # the last round that it took part in; 0 none
        ("since_ns", np.int64),  # where the present excursion began; 0: there is none
        ("lived", np.float64),  # seconds since it came, or came back
        ("offset", np.float64),  # usual distance from the peers, in logarithms
        ("usual", np.float64),  # mean absolute residual, in logarithms
        ("residual", np.float64),  # the newest
        ("count", np.int32),  # samples since the last round
        ("group", np.int32),  # number of its group + 1; 0: belongs to none
        ("frozen", np.int32),  # 1 while an alert says that it is off: it teaches nothing
        ("hour", np.int32),  # of the day, of the last round
        ("heat", np.float32),  # scales off, averaged over some rounds
        ("fresh", np.float32),  # the largest excursion of this hour
        ("daily", np.float32, HOURS),  # and of each hour of the days before
    ],
    align=True,
)
GROUP: Final = np.dtype(
    [
        ("unit", np.float64),  # values well above it are compared by ratio, below by difference
        ("scatter", np.float64),  # usual scatter of the residuals, as a standard deviation
        ("spread", np.float64),  # of the members' distances themselves
        ("threshold", np.float64),  # the tail, see tails.py
        ("excess", np.float64),
        ("round_ns", np.int64),  # the last round; 0 none
        ("lived", np.float64),  # seconds of rounds
        ("judged", np.float64),  # residuals that the tail has learned from
        ("step", np.float64),  # usual seconds between rounds
    ],
    align=True,
)
OPINION: Final = np.dtype(
    [
        ("score", np.float64),  # 1.0 = boundary; NaN = no opinion
        ("decades", np.float64),
        ("value", np.float64),  # mean of the round's samples; NaN: took no part
        ("expected", np.float64),  # NaN, like the band, for scores below EXPLAINED
        ("lower", np.float64),  # about where the score would reach 1.0
        ("upper", np.float64),
        ("deviation", np.float64),  # residual / scale
        ("place", np.float64),  # the value in logarithms
        ("scale", np.float64),
        ("nominal", np.float64),  # decades before the tail
        ("shared", np.int64),  # 1: so many members are off that the group itself has changed
    ],
    align=True,
)


class Params(NamedTuple):
    """Times in seconds."""

    budget_seconds: Annotated[float, Gt(0)] = 2_592_000.0
    members_min: Annotated[int, Ge(3)] = 5
    """Members that must be heard in a round, and be settled, before anything is said."""
    warm_up_seconds: float = 3600.0
    """For so long a new group only learns."""
    settle_seconds: float = 600.0
    """For so long a member that came, or came back, is not compared."""
    gap_seconds: float = 120.0
    """Silent for longer, and for more than three rounds: it came back."""
    offset_seconds: Annotated[float, Gt(0)] = 86_400.0
    usual_seconds: Annotated[float, Gt(0)] = 259_200.0
    prior_seconds: Annotated[float, Gt(0)] = 3600.0
    """What is known of a member after so long weighs as much as what is known of its kind."""
    floor: Annotated[float, Gt(0)] = 0.02
    """The least scale, as a share of the value."""
    shared: Annotated[float, Gt(0)] = 0.2
    """When more than this share of the members is off, it is the group that has changed."""
