"""How surprising each minute of the day usually is: a job that runs every day is no news.

What comes at the same minute each day, a backup or a batch, a profile of values explains badly when it lasts a minute or two, is of another
size each day, or follows another: the values differ, but that they surprise does not. So the surprise itself has a profile.
What is usual of it is subtracted from the sum of the detectors' surprises before anything is made of that.

Three bits a minute: eight levels of `LEVEL` decades each. A level moves by whole steps, each as often as the mean asks for
(stochastic rounding), where a hash of the time stands in for chance: the same log gives the same levels.

Series that are sampled less often than once a minute use one slot for each five or fifteen minutes; of those with `STEP_MAX` seconds
or more between samples nothing is remembered: their days have few samples, which a profile of values knows, and their faults last for days.
"""

from __future__ import annotations

import math
from typing import Final

import numpy as np
from numpy.typing import NDArray

from detectors.kernel import inlined as device

MINUTES: Final = 1440
MINUTE_NS: Final = 60_000_000_000
DAY_NS: Final = 86_400_000_000_000
IN_A_WORD: Final = 10
WORDS: Final = MINUTES // IN_A_WORD
LEVEL: Final = 2.0
LEVELS: Final = 7
STEP_MAX: Final = 3000.0
DAYS: Final = 4.0
"""Days that a slot remembers."""
_ALL: Final = 0xFFFF_FFFF


@device
def width_of(step: float) -> int:
    """The minutes that share a slot."""
    if step < 250.0:
        return 1
    if step < 800.0:
        return 5
    return 15


@device
def near(civil_ns: int) -> tuple[int, int]:
    """When a minute begins and which one of the day it is. Samples that come together mostly share it, and need not ask again."""
    return int(civil_ns // MINUTE_NS) * MINUTE_NS, int((civil_ns % DAY_NS) // MINUTE_NS)


@device
def shared_by(minute: int, step: float) -> int:
    """The first of the minutes that share a slot with this one."""
    width = width_of(step)
    return minute if width == 1 else minute - minute % width  # a division by what is not known before takes its time


@device
def chance(second: int) -> float:
    """0 … 1, evenly: the second's bits, mixed (Wellons' low-bias multiplications)."""
    x = second & 0x7FFF_FFFF
    x = ((x ^ (x >> 16)) * 0x21F0_AAAD) & _ALL
    x = ((x ^ (x >> 15)) * 0x35A2_D9B5) & _ALL
    return (x ^ (x >> 15)) / (_ALL + 1)


@device
def usual_at(words: NDArray[np.uint32], minute: int) -> float:
    """Decades of the sum that are usual at a minute of the day, the first of those that share its slot."""
    word = int(words[minute // IN_A_WORD])
    return LEVEL * ((word >> (3 * (minute % IN_A_WORD))) & LEVELS)


@device
def remember(words: NDArray[np.uint32], minute: int, civil_ns: int, step: float, surprise: float) -> None:
    """Move the level of such a minute towards the surprise that it brought."""
    place = minute // IN_A_WORD
    shift = 3 * (minute % IN_A_WORD)
    word = int(words[place])
    level = (word >> shift) & LEVELS
    seconds = 60.0 * width_of(step)
    spent = min(step, seconds)
    lesson = spent / (DAYS * seconds + spent) * (min(surprise / LEVEL, float(LEVELS)) - level)
    moved = min(max(level + math.floor(lesson + chance(civil_ns // 1_000_000_000)), 0), LEVELS)
    if moved != level:
        words[place] = word + ((moved - level) << shift)
