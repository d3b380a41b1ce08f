"""Counts of the last ten buckets together: what is too little in any one minute, and goes on.

Lines that come three times as often as usual, or a fifth as often, are within the chance of one minute when only a few are expected. Over ten minutes they are
not. For each series the last buckets are kept with what was expected of each; their sums are compared by the signed root of a Poisson deviance (McCullagh and
Nelder 1989, 2.4), which is close to normal also where little is expected. Counts of programs scatter by more than chance and expectations lag: by how much more is
learned from the same statistic in quiet times. A rise must be one without its largest bucket too, for a burst is judged by those who look at one bucket; a fall
without its two lowest, for a restart takes one or two minutes.

A share of lines is pooled as the lines that it stands for: its value times its weight.
"""

from __future__ import annotations

import math
from typing import Final

import numpy as np
from numpy.typing import NDArray

from detectors.contract import Row
from detectors.kernel import device, kernel
from detectors.portable import ln, log10

POOL: Final = 10
"""Buckets that are looked at together."""
BUCKETS_MIN: Final = 3
"""Fewer say nothing about what lasts."""
DUE_MIN: Final = 0.3
"""Events expected of a pool, at least: what never came yet is not impossible."""
SHARED_DECADES: Final = 1.2
"""The templates of one stream share the false alarms that one series may give: as if there were sixteen of them."""
MEMORY_BUCKETS: Final = 2880.0
"""Two days of minutes: for so long the scatter is remembered."""
PRIOR_BUCKETS: Final = 30.0
CLIP: Final = 9.0
"""One pool teaches at most so many times the usual square: a fault must not teach that it was usual."""
STILL: Final = 1.0
"""How far off the newest buckets must be, in usual deviations, for a pool to be told."""
STATE: Final = np.dtype(
    [
        ("came", np.float32, POOL),  # by bucket modulo POOL
        ("due", np.float32, POOL),
        ("weight", np.float32, POOL),  # 0 in buckets without an opinion
        ("bucket", np.int64),  # the newest
        ("awaited", np.float64),  # events that were expected since the last bucket with any
        ("excess", np.float64),  # the mean square of the statistic, less the one that chance gives
        ("judged", np.float64),  # pools that taught it
        ("seen", np.int64),  # 1 once there was a bucket; no narrower, for bytes without a name differ from copy to copy
    ],
    align=True,
)
VERDICT: Final = np.dtype(
    [
        ("value", np.float64),  # events a unit of weight, since it began
        ("expected", np.float64),
        ("lower", np.float64),  # between which values it would not have been told
        ("upper", np.float64),
        ("weight", np.float64),  # of them all: buckets of counts, lines of shares
        ("deviation", np.float64),  # in usual deviations, signed
        ("decades", np.float64),
        ("awaited", np.float64),  # events expected since the last bucket with any
        ("began", np.int64),  # the bucket in which it seems to have begun
        ("own", np.float64),  # the score before
        ("told", np.int8),  # beyond the boundary
    ],
    align=True,
)


@device
def signed_root(came: float, due: float) -> float:
    """How far a count is from what was due (> 0), in units that are about normal."""
    ratio = came / due
    deviance = 2.0 * (came * ln(ratio) - (came - due)) if came > 0.0 else 2.0 * due
    size = math.sqrt(max(deviance, 0.0))
    return size if came > due else -size


@device
def normal_decades(z: float) -> float:
    """-log10 of the upper tail of a normal distribution at z >= 0, within a tenth: Mills' ratio (Gordon 1941), mended near 0."""
    return 0.21714724095162590 * z * z + log10(2.0 + 2.5066282746310002 * z) - 0.301029995663981195 / (1.0 + z)


@device
def normal_distance(decades: float) -> float:
    """About the inverse of `normal_decades`; for what is shown only."""
    z = math.sqrt(max(decades, 0.0) / 0.21714724095162590)
    for _ in range(4):
        z = math.sqrt(max(decades - normal_decades(z) + 0.21714724095162590 * z * z, 0.0) / 0.21714724095162590)
    return z


@device
def take(row: Row, bucket: int, came: float, due: float, weight: float) -> None:
    """The newest bucket takes the place of the oldest; buckets without a sample are empty."""
    passed = bucket - row.bucket if row.seen == 1 else POOL
    for k in range(min(passed, POOL)):
        at = (bucket - k) % POOL
        row.came[at] = 0.0
        row.due[at] = 0.0
        row.weight[at] = 0.0
    at = bucket % POOL
    row.came[at] = came
    row.due[at] = due
    row.weight[at] = weight
    row.bucket = bucket
    row.seen = 1
    row.awaited = 0.0 if came > 0.0 else row.awaited + due


@device
def sums(row: Row) -> tuple[float, float, int]:
    """(came, due, buckets with an opinion)."""
    came, due, buckets = 0.0, 0.0, 0
    for at in range(POOL):
        came += row.came[at]
        due += row.due[at]
        buckets += row.weight[at] > 0.0
    return came, due, buckets


@device
def farthest(row: Row, side: float, but: int) -> int:
    """The bucket that is farthest off on one side; another one than `but`."""
    top, most = -1, 0.0
    for at in range(POOL):
        off = side * (row.came[at] - row.due[at])
        if at != but and (top < 0 or off > most):
            top = at
            most = off
    return top


@device
def lasting(row: Row) -> float:
    """The statistic of the pool without what one bucket, or of falls two, say: signed; 0 when it says nothing."""
    came, due, buckets = sums(row)
    if buckets < BUCKETS_MIN or not due > 0.0:
        return 0.0
    side = 1.0 if came > due else -1.0
    first = farthest(row, side, -1)
    came -= row.came[first]
    due -= row.due[first]
    if side < 0.0:
        second = farthest(row, side, first)
        came -= row.came[second]
        due -= row.due[second]
    z = signed_root(max(came, 0.0), max(due, DUE_MIN))
    return z if z * side > 0.0 else 0.0


@device
def goes_on(row: Row, side: float) -> bool:
    """Whether the newest three buckets are on this side too: a pool remembers what is over."""
    came, due = 0.0, 0.0
    for k in range(BUCKETS_MIN):
        at = (row.bucket - k) % POOL
        came += row.came[at]
        due += row.due[at]
    return side * signed_root(came, max(due, DUE_MIN)) >= STILL


@device
def describe(row: Row, z: float, spread: float, needed: float, out: Row) -> None:
    """What people are shown of a pool that is told: the newest buckets that are farthest off together, and from when on."""
    side = 1.0 if z > 0.0 else -1.0
    came, due, weight, most = 0.0, 0.0, 0.0, -1.0
    for k in range(POOL):
        at = (row.bucket - k) % POOL
        came += row.came[at]
        due += row.due[at]
        weight += row.weight[at]
        off = side * signed_root(came, max(due, DUE_MIN))
        if row.weight[at] > 0.0 and off > most:
            most = off
            room = normal_distance(needed) * spread * math.sqrt(max(due, DUE_MIN))
            out.value = came / weight
            out.expected = due / weight
            out.lower = max(due - room, 0.0) / weight
            out.upper = (due + room) / weight
            out.weight = weight
            out.began = row.bucket - k
    out.deviation = z / spread


@kernel
def pool(
    state: NDArray[np.void],
    place: NDArray[np.int64],
    bucket: int,
    samples: tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]],
    needed: float,
    learns: NDArray[np.bool_],
    score: NDArray[np.float64],
    verdict: NDArray[np.void],
) -> None:
    """Samples of one bucket, each of another series: (value, expected, weight), NaN expected where there is no opinion.

    `score` is raised where the pool is beyond the boundary and more surprising than its newest sample, by the logarithm of its decades: normal tails leave
    all others behind. NaN stays. `needed` are the decades that 1.0 stands for. Rows that are not to learn (an alert is open) only remember.
    """
    value, expected, weight = samples
    for i in range(place.shape[0]):
        row = state[place[i]]
        out = verdict[i]
        out.told = 0
        out.decades = 0.0
        out.own = score[i]
        known = expected[i] == expected[i] and value[i] >= 0.0
        due = max(expected[i], 0.0) * weight[i] if known else 0.0
        take(row, bucket, value[i] * weight[i] if known else 0.0, due, weight[i] if known else 0.0)
        out.awaited = row.awaited
        if not known or score[i] != score[i]:
            continue
        z = lasting(row)
        spread = math.sqrt(1.0 + max(row.excess, 0.0))
        out.decades = normal_decades(abs(z) / spread)
        if learns[i]:
            usual = 1.0 + row.excess
            pace = max(1.0 / MEMORY_BUCKETS, 1.0 / (row.judged + PRIOR_BUCKETS))
            row.excess += pace * (min(z * z, CLIP * max(usual, 1.0)) - usual)
            row.judged += 1.0
        if out.decades >= needed + SHARED_DECADES and goes_on(row, 1.0 if z > 0.0 else -1.0):
            out.told = 1
            describe(row, z, spread, needed + SHARED_DECADES, out)
            score[i] = max(score[i], 1.0 + log10(out.decades / (needed + SHARED_DECADES)))
