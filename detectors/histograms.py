"""From histograms to what can be scored: the rate of their values, the mean, and quantiles.

A histogram comes as cumulative counts: so many values were at most 0.1, so many at most 0.5, so many in all. What lay between two of its
points is their difference, and of that the quantile is read as Prometheus reads it: the bucket in which it lies, and within it a straight
line. Beyond the last finite bound nothing is known but the bound; below the first one the line begins at zero.

A count that fell says that the program began again. What it counted since is taken when it says when it began, else its next point is the
first. Of few values little is said: no mean and no quantile of less than `VALUES_MIN`, and no quantile beyond which no value is expected.

`gather` takes the classic form, in which each bucket is a series of its own and a point is whole when all that ever came are there (but for
the first point, of which nobody knows), when a newer one begins, or when `flush` says that nothing more will come. `take_point` takes one
that is whole.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from detectors.contract import Row
from detectors.kernel import device, kernel

BUCKETS_MAX: Final = 64
SUM: Final = 64
COUNT: Final = 65
PLACES: Final = 66
"""Where a number of a point goes: its bucket's place, SUM or COUNT."""
STATE: Final = np.dtype(
    [
        ("bounds", np.float64, BUCKETS_MAX),  # upper ones, ascending; the last may be infinite
        ("now", np.float64, PLACES),  # cumulative counts of the point that is being gathered, its sum, its count
        ("before", np.float64, PLACES),  # those of the point before it
        ("has", np.int8, PLACES),
        ("had", np.int8, PLACES),
        ("known", np.int8, PLACES),  # whether a number for the place has ever come
        ("used", np.int32),  # bounds
        ("filled", np.int32),  # numbers of the point that are there
        ("expected", np.int32),  # places that are known
        ("open_ns", np.int64),  # the time of the point that is being gathered; 0 none
        ("before_ns", np.int64),  # the time of the point before it; 0 none
        ("start_ns", np.int64),  # when counting began, as said with the point before it; 0 unknown
    ],
    align=True,
)
QUANTILES: Final = (0.5, 0.9, 0.99)
DERIVED: Final = np.dtype(
    [
        ("number", np.int64),  # of the histogram
        ("ts_ns", np.int64),
        ("rate", np.float64),  # values a second
        ("average", np.float64),  # NaN: of too few values, or of an unknown sum
        ("quantile", np.float64, len(QUANTILES)),  # NaN: of too few values
    ],
    align=True,
)
VALUES_MIN: Final = 10.0
"""Of fewer values nothing but their number is told: one of them would move every quantile."""
BEYOND_MIN: Final = 1.0
"""So many values must be expected beyond a quantile: the ninety-ninth hundredth of fifty values is only the largest of them."""
_P50, _P90, _P99 = QUANTILES
_NEEDED_99: Final = 100.0 * BEYOND_MIN


@device
def _is_reset(row: Row, start_ns: int) -> bool:
    """Whether counting began again after the point before: it says so, or a count fell."""
    if start_ns > row.before_ns:
        return True
    for i in range(PLACES):  # noqa: SIM110 (kernels have no generators)
        if i != SUM and row.has[i] == 1 and row.had[i] == 1 and row.now[i] < row.before[i]:
            return True
    return False


@device
def _move(row: Row, start_ns: int) -> None:
    """The point that was gathered becomes the point before."""
    for i in range(PLACES):
        row.before[i] = row.now[i]
        row.had[i] = row.has[i]
        row.has[i] = 0
    row.before_ns = row.open_ns
    row.start_ns = start_ns
    row.open_ns = 0
    row.filled = 0


@device
def _grown(row: Row, i: int, whole: bool) -> float:
    """By how much the number in a place has grown; negative when that is not known."""
    if row.has[i] == 0 or (not whole and row.had[i] == 0):
        return -1.0
    grown: float = row.now[i] if whole else row.now[i] - row.before[i]
    return grown


@device
def _total(row: Row, whole: bool) -> float:
    """Values between the points, negative when that is not known: the bucket without a bound has them all, else the count."""
    last = row.used - 1
    if last >= 0 and np.isinf(row.bounds[last]):
        found = _grown(row, last, whole)
        if found >= 0.0:
            return found
    return _grown(row, COUNT, whole)


@device
def _quantile(row: Row, whole: bool, total: float, share: float) -> float:
    """The value that this share of the values does not exceed; NaN when no bucket says."""
    rank = share * total
    below, lower = 0.0, 0.0
    bounded = False
    for i in range(row.used):
        upper: float = row.bounds[i]
        reached = _grown(row, i, whole)
        if reached < 0.0 or np.isinf(upper):
            continue
        reached = max(reached, below)  # counts that were not read at one moment may contradict each other by a little
        if reached >= rank:
            if not bounded and upper <= 0.0:
                return upper
            inside = reached - below
            return lower + (upper - lower) * ((rank - below) / inside) if inside > 0.0 else upper
        below, lower = reached, upper
        bounded = True
    return lower if bounded else np.nan


@device
def _say(row: Row, number: int, whole: bool, seconds: float, said: Row) -> None:
    """Write what is known of the values between the points."""
    total = _total(row, whole)
    said.number = number
    said.ts_ns = row.open_ns
    said.rate = total / seconds if total >= 0.0 else np.nan
    said.average = np.nan
    counted = _grown(row, COUNT, whole)
    if counted < 0.0:
        counted = total
    if counted >= VALUES_MIN and row.has[SUM] == 1 and (whole or row.had[SUM] == 1):
        said.average = (row.now[SUM] if whole else row.now[SUM] - row.before[SUM]) / counted
    said.quantile[0] = _quantile(row, whole, total, _P50) if total >= VALUES_MIN else np.nan
    said.quantile[1] = _quantile(row, whole, total, _P90) if total >= VALUES_MIN else np.nan
    said.quantile[2] = _quantile(row, whole, total, _P99) if total >= _NEEDED_99 else np.nan


@device
def _close(row: Row, number: int, start_ns: int, is_delta: bool, said: Row) -> int:
    """The point is whole: write what it says and return 1; 0 when it says nothing. It becomes the point before."""
    began_ns = row.before_ns
    whole = is_delta
    if is_delta or (row.before_ns > 0 and _is_reset(row, start_ns)):
        whole = True
        # Without a start a delta is since the point before it. Of counts that fell it is not known since when they count, unless they say
        # that they began after the point before.
        if start_ns > (0 if is_delta else began_ns):
            began_ns = start_ns
        elif not is_delta:
            began_ns = 0
    told = 0
    if began_ns > 0 and row.open_ns > began_ns:
        _say(row, number, whole, (row.open_ns - began_ns) * 1e-9, said)
        told = 1
    _move(row, start_ns)
    return told


@kernel
def gather(
    state: NDArray[np.void],
    number: NDArray[np.int64],
    place: NDArray[np.int64],
    ts_ns: NDArray[np.int64],
    value: NDArray[np.float64],
    out: NDArray[np.void],
    counted: NDArray[np.int64],
) -> None:
    """Numbers of classic histograms in the order in which they came, each for a place of the histogram `number`.

    `out` has room for two of each; `counted` gets how many were written, and how many numbers came too late or twice.
    """
    told, late = 0, 0
    for i in range(number.shape[0]):
        row = state[number[i]]
        if row.known[place[i]] == 0:
            row.known[place[i]] = 1
            row.expected += 1
        if ts_ns[i] <= row.before_ns or ts_ns[i] < row.open_ns or (ts_ns[i] == row.open_ns and row.has[place[i]] == 1):
            late += 1
            continue
        if row.open_ns > 0 and ts_ns[i] > row.open_ns:
            told += _close(row, number[i], 0, False, out[told])
        row.open_ns = ts_ns[i]
        row.now[place[i]] = value[i]
        row.has[place[i]] = 1
        row.filled += 1
        if row.before_ns > 0 and row.filled == row.expected:
            told += _close(row, number[i], 0, False, out[told])
    counted[0] = told
    counted[1] = late


@kernel
def flush(state: NDArray[np.void], watermark_ns: int, out: NDArray[np.void], counted: NDArray[np.int64]) -> None:
    """Close the points that are not newer than the watermark. `out` has room for one of each row; `counted` gets how many were written."""
    told = 0
    for number in range(state.shape[0]):
        row = state[number]
        if 0 < row.open_ns <= watermark_ns:
            told += _close(row, number, 0, False, out[told])
    counted[0] = told


@kernel
def take_point(
    state: NDArray[np.void],
    number: int,
    about: NDArray[np.int64],
    counts: NDArray[np.float64],
    total: float,
    out: NDArray[np.void],
    counted: NDArray[np.int64],
) -> None:
    """One whole point: n counts in each bucket alone, for the n bounds of the row, and the sum of all values (NaN unknown).

    `about` has its time, the time when counting began (0 unknown) and 1 for a delta. `counted` gets how many were written (0 or 1), and
    1 if it came too late. What is `before` must be laid over the row's bounds already.
    """
    row = state[number]
    counted[0] = 0
    counted[1] = 0
    if about[0] <= row.before_ns:
        counted[1] = 1
        return
    reached = 0.0
    for i in range(row.used):
        reached += counts[i]
        row.now[i] = reached
        row.has[i] = 1
    row.now[COUNT] = reached
    row.has[COUNT] = 1
    if not np.isnan(total):
        row.now[SUM] = total
        row.has[SUM] = 1
    row.filled = row.used + 1
    row.open_ns = about[0]
    counted[0] = _close(row, number, about[1], about[2] == 1, out[0])
