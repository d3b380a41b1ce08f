"""What `peers` computes, in plain Python for one group: written to be obvious, never to be fast.

A fleet is a list of rounds; a round is its time in seconds and a dictionary from member to the mean of its samples.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from detectors.peer_state import Params

NOMINAL_THRESHOLD = -math.log10(0.05)
NOMINAL_EXCESS = 1.0 / math.log(10.0)


class Seen(NamedTuple):
    """Of one member in one round."""

    score: float  # NaN: no opinion
    expected: float
    lower: float
    upper: float
    deviation: float
    shared: bool


@dataclass
class Member:
    """What is remembered of one."""

    round_s: float | None = None
    lived: float = 0.0
    offset: float = 0.0
    usual: float = 0.0
    heat: float = 0.0
    fresh: float = 0.0
    hour: int = 0
    daily: list[float] = field(default_factory=lambda: [0.0] * 24)


def median(values: Sequence[float]) -> float:
    return float(np.median(values))


def share(dt: float, tau: float, lived: float, least: float) -> float:
    return dt / (max(min(tau, lived), least) + dt)


def decades_of(z: float) -> float:
    return 3.0 * math.log10(1.0 + z * z / 6.0)


def distance_of(decades: float) -> float:
    return math.sqrt(6.0 * (10.0 ** (decades / 3.0) - 1.0))


def scatter_of(values: Sequence[float]) -> float:
    middle = median(values)
    return 1.4826 * median([abs(value - middle) for value in values])


class NaiveFleet:
    """One group. No member is ever frozen: that is the caller's business."""

    def __init__(self, params: Params) -> None:
        self.params = params
        self.members: dict[int, Member] = {}
        self.unit = self.scatter = self.spread = self.lived = self.step = 0.0
        self.threshold, self.excess, self.judged = 0.0, 0.0, 0
        self.round_s: float | None = None

    def round(self, now: float, values: Mapping[int, float]) -> dict[int, Seen]:
        """Play one round; what is said of each member that was heard. Empty when there are too few."""
        p = self.params
        dt = 0.0 if self.round_s is None else now - self.round_s
        self.round_s = now
        if dt > 0.0:
            self.step = self.step + 0.1 * (min(dt, 3.0 * self.step) - self.step) if self.step else dt
        dt = min(dt, 3.0 * self.step)
        self._come(now, values)
        if len(values) < p.members_min:
            return {}
        self._learn_unit(values)
        place = {m: math.copysign(math.log(1.0 + abs(x) / self.unit), x) for m, x in values.items()}
        settled = {m for m in values if self.members[m].lived >= p.settle_seconds}
        voters = settled if len(settled) >= p.members_min else set(values)
        centre = median([place[m] - self.members[m].offset for m in voters])
        now_scatter = 1.4826 * median([abs(place[m] - self.members[m].offset - centre) for m in voters])
        speaks = len(settled) >= p.members_min and self.lived >= p.warm_up_seconds
        found, scales, residuals = {}, {}, {}
        for m in values:
            residuals[m] = place[m] - self.members[m].offset - centre
            scales[m] = self._heat_up(m, residuals[m], now_scatter)
            if speaks and m in settled:
                found[m] = self._judge(m, residuals[m], centre, scales[m])
        off = sum(abs(self.members[m].heat) >= 2.0 for m in values)
        shared = off > max(1.0, p.shared * len(values))
        for m in values:
            self._learn(m, residuals[m], scales[m], dt, spoke=m in found)
        self._learn_group(now_scatter, scatter_of(list(place.values())), dt)
        return {m: seen._replace(shared=shared) for m, seen in found.items()}

    def _come(self, now: float, values: Mapping[int, float]) -> None:
        for m in values:
            member = self.members.setdefault(m, Member())
            absent = None if member.round_s is None else now - member.round_s
            if absent is None or absent > max(self.params.gap_seconds, 3.5 * self.step):
                member.lived = member.heat = 0.0
            else:
                cold = member.lived < self.params.settle_seconds
                member.lived += absent
                if cold and member.lived >= self.params.settle_seconds:
                    member.heat = 0.0
            member.round_s = now

    def _learn_unit(self, values: Mapping[int, float]) -> None:
        sizes = [min(abs(x), 40.0 * self.unit) if self.unit else abs(x) for x in values.values()]
        unit, p = 0.1 * sum(sizes) / len(sizes), self.params
        step = share(self.step, p.usual_seconds, self.lived, p.prior_seconds) if self.unit else 1.0
        self.unit = max(self.unit + step * (unit - self.unit), 1e-9)

    def _known(self, member: Member) -> float:
        hour = int((self.round_s or 0.0) // 3600) % 24
        return 1.3 * max(member.daily[hour], member.daily[(hour + 1) % 24])

    def _heat_up(self, m: int, residual: float, now_scatter: float) -> float:
        member, p = self.members[m], self.params
        strange = p.prior_seconds / (p.prior_seconds + member.lived)
        alike = max(now_scatter, 1.25 * member.usual, 0.5 * self.scatter)
        scale = math.sqrt(alike**2 + 9.0 * strange * self.spread**2) + p.floor
        z = min(max(abs(residual) - self._known(member), 0.0) / scale, 6.0)
        member.heat += 0.2 * (math.copysign(z, residual) - member.heat)
        return scale

    def _judge(self, m: int, residual: float, centre: float, scale: float) -> Seen:
        member, y = self.members[m], decades_of(3.0 * abs(self.members[m].heat))
        needed = max(0.7 * math.log10(self.params.budget_seconds / max(self.step, 1.0)), 2.0)
        decades = NOMINAL_THRESHOLD * y / self.threshold
        if y > self.threshold:
            decades = NOMINAL_THRESHOLD + (y - self.threshold) / self.excess / math.log(10.0)
        boundary = self.threshold + (needed - NOMINAL_THRESHOLD) * self.excess * math.log(10.0)
        width = scale * distance_of(boundary) / 3.0 + self._known(member)
        expected, lower, upper = (
            math.copysign(self.unit * (math.exp(abs(y)) - 1.0), y)
            for y in (centre + member.offset, centre + member.offset - width, centre + member.offset + width)
        )
        return Seen(decades / needed, expected, lower, upper, residual / scale, shared=False)

    def _learn(self, m: int, residual: float, scale: float, dt: float, *, spoke: bool) -> None:
        member, p = self.members[m], self.params
        hour = int((self.round_s or 0.0) // 3600) % 24
        if hour != member.hour:
            before = member.daily[member.hour]
            member.daily[member.hour] = before + (0.7 if member.fresh > before else 0.2) * (member.fresh - before)
            member.hour, member.fresh = hour, 0.0
        if abs(residual) > 3.0 * scale:
            member.fresh = max(member.fresh, abs(residual))
        if member.lived < p.settle_seconds and self.lived >= p.warm_up_seconds:
            return
        bounded = min(max(residual, -4.0 * scale), 4.0 * scale)
        member.offset += share(dt, p.offset_seconds, member.lived, p.prior_seconds) * bounded
        member.usual = member.usual or self.scatter / 1.25
        member.usual += share(dt, p.usual_seconds, member.lived, p.prior_seconds) * (abs(bounded) - member.usual)
        if spoke:
            self._learn_tail(decades_of(3.0 * abs(member.heat)))

    def _learn_tail(self, y: float) -> None:
        alpha = max(1.0 / (self.judged + 2000.0), 1e-5)
        above = y > self.threshold
        threshold = self.threshold + alpha * self.excess / 0.05 * (above - 0.05)
        if above:
            self.excess += min(alpha / 0.05, 0.2) * (min(y - self.threshold, 4.0 * self.excess) - self.excess)
            self.excess = min(max(self.excess, NOMINAL_EXCESS), 6.0)
        self.threshold = max(threshold, 0.5)
        self.judged += 1

    def _learn_group(self, now_scatter: float, spread: float, dt: float) -> None:
        p = self.params
        if self.lived == 0.0:
            self.scatter, self.spread = now_scatter, spread
            self.threshold, self.excess = NOMINAL_THRESHOLD, NOMINAL_EXCESS
        step = share(dt, p.usual_seconds, self.lived, p.prior_seconds)
        self.scatter += step * (min(now_scatter, 4.0 * self.scatter + p.floor) - self.scatter)
        self.spread += step * (min(spread, 4.0 * self.spread + p.floor) - self.spread)
        self.lived += dt
