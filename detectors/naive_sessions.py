"""What `sessions` computes, in plain Python: written to be obvious, never to be fast. Nothing but tests calls it.

It knows no limits but those of the tests' streams: at most `session_model.EVENTS` events, KINDS kinds, DOUBTS odd kinds, FRESH new
steps a session, and no halving.
"""

from __future__ import annotations

import math
from collections import Counter
from typing import NamedTuple

from detectors import sessions
from detectors.session_distance import CUSTOM, FAR, FREE, FURTHER, NEARER, RARITY, UNSEEN
from detectors.session_model import EDGES, STEPS

Kind = frozenset[tuple[int, int]]
"""(event, bin of its count) of each event that came."""


class Told(NamedTuple):
    """One session: its score (None: no opinion), its decades, and the odd sessions like it before."""

    score: float | None
    decades: float
    before: int


def rarity(times: float, of: float) -> float:
    """Decades beyond the free one; what never came counts as half a time."""
    return max(-math.log10(min((times if times > 0 else UNSEEN) / (of + 1), 1.0)) - FREE, 0.0)


def bin_of(count: int) -> int:
    edges: list[int] = EDGES.tolist()
    return sum(edge <= count for edge in edges) - 1


def step_of(before: int, after: int) -> int:
    """The place of a step, in 64 bits: two steps that share one are the same."""
    h = (before + 2) * 0x9E3779B97F4A7C15 % 2**64 ^ (after + 2)
    return ((h ^ h >> 29) * 0xBF58476D1CE4E5B9 % 2**64 >> 33) % STEPS


class NaiveSessions:
    """One stream. Feed it whole sessions, as lists of events, in the order in which they end."""

    def __init__(self, params: sessions.Params) -> None:
        self.params = params
        self.kinds: dict[Kind, int] = {}
        self.counts: dict[int, Counter[int]] = {}  # of an event: sessions by the bin of its count
        self.taught = self.total = self.single = self.judged = self.stepped = 0
        self.steps: set[int] = set()
        self.doubts: dict[Kind, tuple[int, int, int]] = {}  # times, total and time at the first

    def feed(self, events: list[int], ts_ns: int) -> Told:
        """Score a session, then learn it."""
        steps = [step_of(a, b) for a, b in zip([-1, *events], events, strict=False)]
        fresh = {step for step in steps if step not in self.steps}
        kind: Kind = frozenset((event, bin_of(n)) for event, n in Counter(events).items())
        cost = rarity(self.stepped + 0.5, self.judged) if fresh else 0.0
        decades = self.distance(kind, cost) if self.taught else 0.0
        counts = self.distance(kind, 0.0) if self.taught else 0.0
        least = max(-math.log10(self.params.budget) - FREE, FREE)
        least += math.log10(1.0 + sessions.LEARNING / max(self.taught, 1))
        before, y = 0, decades
        if decades >= least:
            before = self.doubts.get(kind, (0, 0, 0))[0]
            y = least + math.log10(1.0 + decades - least) + math.log10(1.0 + before)
        opinion = self.total >= self.params.sessions_min and 2 * self.single <= self.total
        self._learn(kind, len(events), fresh, (decades, counts), ts_ns)
        return Told(y / least if opinion else None, decades, before)

    def distance(self, kind: Kind, cost_of_order: float, without: Kind | None = None) -> float:
        """From the nearest kind; `without` is left out, with all that it taught."""
        own = self.kinds.get(without, 0) if without is not None else 0
        others = {other: times for other, times in self.kinds.items() if other != without}
        custom = CUSTOM if any(times >= CUSTOM for times in others.values()) else 1
        best = FAR
        for other, times in others.items():
            if times < custom:
                continue
            squares = cost_of_order**2 + sum(
                self._difference(dict(kind), dict(other), event, own) ** 2 for event in self._all(kind)
            )
            tail = sum(n for n in self.kinds.values() if n <= times) - own * (own <= times)
            share = min(max(tail, 1) / max(self.taught - own, 1), 1.0)
            best = min(best, math.sqrt(squares) - RARITY * math.log10(share))
        return best

    def _all(self, kind: Kind) -> set[int]:
        return set(self.counts) | {event for event, _ in kind}

    def _difference(self, mine: dict[int, int], other: dict[int, int], event: int, own: int) -> float:
        here, there = mine.get(event, 0), other.get(event, 0)
        if here == there:
            return 0.0
        taught = self.taught - own
        if event not in self.counts:
            return rarity(0.0, taught)
        counts = Counter(self.counts[event])
        if here:
            counts[here] -= own
        came = sum(counts.values())
        cost = 0.0
        if here and came > 0:
            seen = [b for b, n in counts.items() if n > 0]
            if counts[here] > 0:
                cost = rarity(sum(n for n in counts.values() if n <= counts[here]), came)
            else:
                cost = rarity(len(seen) - 1 + UNSEEN, came) + FURTHER * max(here - max(seen) - 1, 0)
        if bool(here) != bool(there):
            cost += rarity(came if here else taught - came, taught) + NEARER
        return cost

    def _learn(self, kind: Kind, lines: int, fresh: set[int], far: tuple[float, float], ts_ns: int) -> None:
        decades, counts = far
        self.total += 1
        self.single += lines == 1
        young = self.total <= self.params.sessions_min
        if young or counts < sessions.ODD:
            self.judged += 1
            self.stepped += bool(fresh)
            self.steps |= fresh
        if young:
            self._teach(kind, 1)
            if self.total == self.params.sessions_min:
                self._trim()
        elif decades < sessions.ODD:
            self._teach(kind, 1)
        else:
            self._doubt(kind, ts_ns)

    def _doubt(self, kind: Kind, ts_ns: int) -> None:
        times, total, first_ns = self.doubts.get(kind, (0, self.total, ts_ns))
        self.doubts[kind] = times + 1, total, first_ns
        share = (times + 1) / (self.total - total + 1)
        old = ts_ns - first_ns >= self.params.adopt_ns
        if times + 1 >= sessions.ADOPT_TIMES and share >= sessions.ADOPT_SHARE and old:
            del self.doubts[kind]
            self._teach(kind, times + 1)
            return
        for event, b in kind:
            counts = self.counts.get(event, Counter())
            came = sum(counts.values())
            if came and came * 100 >= self.taught and max(counts.values()) * 10 <= came * 9:
                counts[b] += 1

    def _teach(self, kind: Kind, times: int) -> None:
        self.kinds[kind] = self.kinds.get(kind, 0) + times
        self.taught += times
        for event, b in kind:
            self.counts.setdefault(event, Counter())[b] += times

    def _trim(self) -> None:
        rare = [kind for kind, times in self.kinds.items() if times < sessions.CHANCE]
        for kind in [kind for kind in rare if self.distance(kind, 0.0, kind) >= sessions.ODD]:
            times = self.kinds.pop(kind)
            self.taught -= times
            for event, b in kind:
                self.counts[event][b] -= times
