"""Surprise at a member of a fleet that behaves unlike the others at the same time: one slow pod of forty.

The same metric of many like members is compared round by round. In place of a value x stands sign(x) ln(1 + |x| / unit), so that
members of different weight stay equally far apart when the traffic of all of them doubles. What is expected of a member is the
median of its peers plus its own usual distance from them; how far it may be off is the largest of the scatter of all members
right now, its own of late and half of the group's. So a wave that all share is nothing, and neither is a moment at which all of them differ.

A member is compared, and learned, from `settle_seconds` after it came, or came back: cold caches are no fault and no habit. Until its own distance is known
the usual distances of the others are allowed to it as well. What it did at this hour of the day before is allowed to it too, so that
a nightly job on one host is told on its first nights only. A deviation is averaged over some rounds (Roberts 1959) before it is
judged, and each round counts at most six scales: what one round says alone, such as members that were read a moment
earlier than others, is not enough. The group's own tail turns it into decades (tails.py).
"""

from __future__ import annotations

import math
from typing import Final

import numpy as np
from numpy.typing import NDArray

from detectors import tails
from detectors.contract import Row
from detectors.kernel import device, kernel
from detectors.medians import median
from detectors.peer_state import HOURS, Params
from detectors.portable import exp, ln, log10, tail_decades, tail_distance

HOUR_NS: Final = 3_600_000_000_000
HEATING: Final = 0.2
"""How much one round moves the average."""
GAIN: Final = 3.0
"""The average of independent rounds scatters by sqrt(0.2 / 1.8): a third of one."""
SCALES_MAX: Final = 6.0
"""What one round may say, in scales."""
SCATTER_OF_MEDIAN: Final = 1.4826
"""From the median of absolute residuals to a standard deviation, and 1.25 from their mean."""
KNOWN_MARGIN: Final = 1.3
LOGARITHM_MAX: Final = 80.0
ROUND_STEPS: Final = 0.9
"""Of the members' usual step, from one round to the next: not quite one, so that no sample is waited for twice."""
IN_STEP: Final = 0.5
"""Groups whose members come at least twice in the shortest round have their rounds together, at whole multiples of it."""
EXPLAINED: Final = 0.5
"""Scores from which it is said what was expected: exponentials cost more than all the rest."""


# ------------------------------------------------------------------------------------------------------ samples
@kernel
def gather(members: NDArray[np.void], slot: NDArray[np.int64], ts_ns: NDArray[np.int64], value: NDArray[np.float64]) -> None:
    """Take samples, in order, for the next round. `members` is by slot; slots beyond it are no members."""
    for i in range(slot.shape[0]):
        if slot[i] >= members.shape[0]:
            continue
        row = members[slot[i]]
        if row.group > 0:
            row.total += value[i]
            row.count += 1
            row.last_ns = ts_ns[i]


# ------------------------------------------------------------------------------------------------------ arithmetic
@device
def logarithm(x: float, unit: float) -> float:
    """Linear below the unit, logarithmic above it."""
    y: float = ln(1.0 + abs(x) / unit)
    return y if x >= 0.0 else -y


@device
def value_of(y: float, unit: float) -> float:
    """The inverse of `logarithm`."""
    x: float = unit * (exp(min(abs(y), LOGARITHM_MAX)) - 1.0)
    return x if y >= 0.0 else -x


@device
def learning(dt: float, tau: float, lived: float, least: float) -> float:
    """How much one round counts: an average over all that was lived at first, a decay over `tau` later."""
    return dt / (max(min(tau, lived), least) + dt)


@device
def known_of(row: Row, hour: int) -> float:
    """The excursion that this hour of the day, or the next, has brought before."""
    return KNOWN_MARGIN * float(max(row.daily[hour], row.daily[(hour + 1) % HOURS]))


@device
def is_settled(row: Row, params: Params) -> bool:
    return bool(row.lived >= params.settle_seconds)


# ------------------------------------------------------------------------------------------------------ one round
@device
def begin(members: NDArray[np.void], group: Row, slots: NDArray[np.int64], out: NDArray[np.void], params: Params) -> int:
    """Close the samples of each member; returns how many were heard. `group.round_ns` is already this round's."""
    live = 0
    absolute = 0.0
    for k in range(slots.shape[0]):
        row = members[slots[k]]
        out[k].score = np.nan
        out[k].decades = 0.0
        out[k].value = np.nan
        out[k].expected = np.nan
        out[k].lower = np.nan
        out[k].upper = np.nan
        out[k].shared = 0
        if row.count == 0:
            continue
        out[k].value = row.total / row.count
        row.total = 0.0
        row.count = 0
        absent = (group.round_ns - row.round_ns) * 1e-9
        if row.round_ns == 0 or absent > max(params.gap_seconds, 3.5 * group.step):
            row.lived = 0.0
            row.heat = np.float32(0.0)
        else:
            cold = not is_settled(row, params)
            row.lived += absent
            if cold and is_settled(row, params):
                row.heat = np.float32(0.0)
        row.round_ns = group.round_ns
        size = abs(out[k].value)
        absolute += min(size, 40.0 * group.unit) if group.unit > 0.0 else size
        live += 1
    if live >= params.members_min:
        unit = 0.1 * absolute / live
        if group.unit > 0.0:
            dt = group.step
            group.unit += learning(dt, params.usual_seconds, group.lived, params.prior_seconds) * (unit - group.unit)
        else:
            group.unit = unit
        group.unit = max(group.unit, 1e-9)
    return live


@device
def compare(
    members: NDArray[np.void], slots: NDArray[np.int64], out: NDArray[np.void], spare: NDArray[np.float64], params: Params
) -> tuple[float, float, int]:
    """The peers' median, the scatter of the residuals right now, and how many members vote.

    Those vote that are settled and not off; while they are too few, all that were heard.
    """
    voters = 0
    for k in range(slots.shape[0]):
        row = members[slots[k]]
        voters += out[k].value == out[k].value and is_settled(row, params) and row.frozen == 0
    everyone = voters < params.members_min
    n = 0
    for k in range(slots.shape[0]):
        row = members[slots[k]]
        if out[k].value == out[k].value and (everyone or (is_settled(row, params) and row.frozen == 0)):
            spare[n] = out[k].place - row.offset
            n += 1
    centre = median(spare[:n])
    for j in range(n):
        spare[j] = abs(spare[j] - centre)
    return centre, SCATTER_OF_MEDIAN * median(spare[:n]), voters


@device
def spread_of(slots: NDArray[np.int64], out: NDArray[np.void], spare: NDArray[np.float64]) -> float:
    """How far the members are apart by themselves."""
    n = 0
    for k in range(slots.shape[0]):
        if out[k].value == out[k].value:
            spare[n] = out[k].place
            n += 1
    middle = median(spare[:n])
    for j in range(n):
        spare[j] = abs(spare[j] - middle)
    return SCATTER_OF_MEDIAN * median(spare[:n])


@device
def heat_up(row: Row, group: Row, out: Row, centre: float, now: float, hour: int, params: Params) -> None:
    """The member's residual, in scales, and the average of it. It is the present, not the model. `hour` is that of the day.

    What is not known of a newcomer does not average out over rounds, as noise does: hence times the gain.
    """
    strange = params.prior_seconds / (params.prior_seconds + row.lived)
    own = 1.25 * row.usual
    scale = max(now, own, 0.5 * group.scatter)
    out.scale = math.sqrt(scale * scale + GAIN * GAIN * strange * group.spread * group.spread) + params.floor
    row.residual = out.place - row.offset - centre
    beyond = max(abs(row.residual) - known_of(row, hour), 0.0)
    z = min(beyond / out.scale, SCALES_MAX)
    if row.residual < 0.0:
        z = -z
    row.heat = np.float32(float(row.heat) + HEATING * (z - float(row.heat)))
    out.deviation = row.residual / out.scale
    if z * z < 1.0 and row.heat * row.heat < 1.0:
        row.since_ns = 0
    elif row.since_ns == 0:
        row.since_ns = row.last_ns
    out.nominal = tail_decades(GAIN * abs(float(row.heat)))


@device
def needed_decades(step: float, params: Params) -> float:
    """Decades that make a score of 1.0: an alert takes several rounds, so one needs fewer than the budget says."""
    return max(0.7 * log10(params.budget_seconds / max(step, 1.0)), 2.0)


@device
def explain(row: Row, group: Row, out: Row, centre: float, needed: float, hour: int) -> None:
    """Write what was expected, and where the score would reach 1.0."""
    boundary = tails.tail_boundary(group.threshold, group.excess, needed)
    width = out.scale * tail_distance(boundary) / GAIN + known_of(row, hour)
    expected = centre + row.offset
    out.expected = value_of(expected, group.unit)
    out.lower = value_of(expected - width, group.unit)
    out.upper = value_of(expected + width, group.unit)


# ------------------------------------------------------------------------------------------------------ learning
@device
def learn_hour(row: Row, scale: float, hour: int) -> None:
    """The largest excursion of an hour becomes what is known of it when the hour is over: never what helps itself."""
    if hour != row.hour:
        before = row.daily[row.hour]
        step = np.float32(0.7) if row.fresh > before else np.float32(0.2)
        row.daily[row.hour] = before + step * (row.fresh - before)
        row.hour = hour
        row.fresh = np.float32(0.0)
    size = abs(row.residual)
    if size > 3.0 * scale:
        row.fresh = max(row.fresh, np.float32(size))


@device
def learn(row: Row, group: Row, out: Row, dt: float, hour: int, params: Params) -> None:
    learn_hour(row, out.scale, hour)
    if row.frozen > 0 or (not is_settled(row, params) and group.lived >= params.warm_up_seconds):
        return
    limit = 4.0 * out.scale
    bounded = min(max(row.residual, -limit), limit)
    row.offset += learning(dt, params.offset_seconds, row.lived, params.prior_seconds) * bounded
    if row.usual == 0.0:
        row.usual = group.scatter / 1.25
    row.usual += learning(dt, params.usual_seconds, row.lived, params.prior_seconds) * (abs(bounded) - row.usual)
    if row.usual < 1e-30:
        row.usual = 0.0
    if out.score >= 0.0:
        y = out.nominal
        alpha = max(1.0 / (group.judged + tails.PRIOR_SAMPLES), 1e-5)
        threshold = tails.learned_threshold(group.threshold, group.excess, y, alpha)
        group.excess = max(tails.learned_excess(group.threshold, group.excess, y, alpha), tails.EXCESS_FIRST)
        group.threshold = max(threshold, 0.5)
        group.judged = min(group.judged + 1.0, 1e9)


@device
def learn_group(group: Row, now: float, spread: float, dt: float, params: Params) -> None:
    if group.lived == 0.0:
        group.scatter = now
        group.spread = spread
        group.threshold = tails.THRESHOLD_FIRST
        group.excess = tails.EXCESS_FIRST
    share = learning(dt, params.usual_seconds, group.lived, params.prior_seconds)
    group.scatter += share * (min(now, 4.0 * group.scatter + params.floor) - group.scatter)
    group.spread += share * (min(spread, 4.0 * group.spread + params.floor) - group.spread)
    group.lived += dt


@device
def play_round(
    members: NDArray[np.void],
    group: Row,
    slots: NDArray[np.int64],
    now_ns: int,
    params: Params,
    out: NDArray[np.void],
    spare: NDArray[np.float64],
) -> None:
    """One group, one round."""
    dt = (now_ns - group.round_ns) * 1e-9 if group.round_ns > 0 else 0.0
    group.round_ns = now_ns
    if dt > 0.0:
        group.step = group.step + 0.1 * (min(dt, 3.0 * group.step) - group.step) if group.step > 0.0 else dt
    dt = min(dt, 3.0 * group.step)
    if begin(members, group, slots, out, params) < params.members_min:
        return
    for k in range(slots.shape[0]):
        out[k].place = logarithm(out[k].value, group.unit) if out[k].value == out[k].value else 0.0
    centre, now, voters = compare(members, slots, out, spare, params)
    speaks = voters >= params.members_min and group.lived >= params.warm_up_seconds
    needed = needed_decades(group.step, params)
    hour = (now_ns // HOUR_NS) % HOURS
    off = 0
    live = 0
    for k in range(slots.shape[0]):
        if out[k].value == out[k].value:
            row = members[slots[k]]
            heat_up(row, group, out[k], centre, now, hour, params)
            if speaks and is_settled(row, params):
                out[k].decades = tails.tail_surprise(group.threshold, group.excess, out[k].nominal)
                out[k].score = out[k].decades / needed
                if out[k].score >= EXPLAINED:
                    explain(row, group, out[k], centre, needed, hour)
            live += 1
            off += abs(float(row.heat)) >= 2.0
    shared = off > max(1.0, params.shared * live)
    for k in range(slots.shape[0]):
        if out[k].value == out[k].value:
            out[k].shared = 1 if shared else 0
            learn(members[slots[k]], group, out[k], dt, hour, params)
    learn_group(group, now, spread_of(slots, out, spare), dt, params)


@kernel
def score_rounds(
    members: NDArray[np.void],
    groups: NDArray[np.void],
    rounds: tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]],
    clocks: tuple[NDArray[np.float64], float, NDArray[np.int64]],
    now_ns: int,
    params: Params,
    out: NDArray[np.void],
    spare: NDArray[np.float64],
) -> int:
    """Play a round at `now_ns` of some groups: score each member that was heard, then learn. Returns how many score 1.0 or more.

    `rounds` is (group (g), where its members begin (g + 1), slots of the members (m)); `clocks` are (usual step by slot, seconds; the
    shortest round, seconds; when the next round of each group is, ns), of which the last is written. `out` has m rows, `spare` as many as
    the largest group. Members of one group in the same order give the same bits, whatever other groups there are.
    """
    which, begins, slots = rounds
    step, shortest, next_ns = clocks
    loud = 0
    for g in range(which.shape[0]):
        part = slice(begins[g], begins[g + 1])
        play_round(members, groups[which[g]], slots[part], now_ns, params, out[part], spare)
        total = 0.0
        for slot in slots[part]:
            total += step[slot]
        usual = total / (begins[g + 1] - begins[g])
        if usual <= IN_STEP * shortest:
            whole = int(shortest * 1e9)
            next_ns[which[g]] = now_ns - now_ns % whole + whole
        else:
            next_ns[which[g]] = now_ns + int(max(shortest, ROUND_STEPS * usual) * 1e9)
        for k in range(begins[g], begins[g + 1]):
            loud += out[k].score >= 1.0
    return loud


@kernel
def find_due(groups: NDArray[np.int64], next_ns: NDArray[np.int64], now_ns: int, due: NDArray[np.int64]) -> int:
    """Write which of these groups have their round by `now_ns`, in order; tell how many. `next_ns` is by group, `due` has room for all."""
    found = 0
    for group in groups:
        if next_ns[group] <= now_ns:
            due[found] = group
            found += 1
    return found


def adopted(row: np.void) -> None:
    """What the member is now is how it usually is."""
    row["offset"] += row["residual"]
    row["residual"] = 0.0
    row["heat"] = 0.0
