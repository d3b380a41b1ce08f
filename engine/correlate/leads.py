"""Signs that come before others: learned from all incidents that are over, whatever their kinds, and told while the second has not come.

A sign is what of an entity was off and in which direction (`latency of cart up`). Where one has followed another in most incidents that had the first, and
clearly oftener than in others, the first leads to it. What is older counts less; both tables are bounded.
"""

from __future__ import annotations

from collections.abc import Container, Mapping
from math import comb
from typing import Final, NamedTuple

from engine.correlate.followers import Follows, Leads
from engine.correlate.likeness import LATER_SECONDS, entity_of, in_words, signs_of
from engine.correlate.state import LiveIncident
from engine.correlate.words import span

SIGNS_MAX: Final = 4_000
"""Signs that are remembered; of those beyond, the one seen longest ago goes."""
FOLLOWERS_MAX: Final = 16
"""Followers of a sign, the most frequent."""
OF_ONE_MAX: Final = 12
"""Signs of one incident that are learned from, the earliest."""
SHOWN_MAX: Final = 3
CHANCE_MAX: Final = 0.005
"""One sign leads another if so seldom by chance as often as it did: seven in a row are not enough, eight are."""
_FADE: Final = 0.99
_UNIT_MAX: Final = 1e9
_TIMES_MIN: Final = 2.5
"""About three times must it have followed,"""
_SHARE_MIN: Final = 0.5
"""in so many of the incidents that had the first,"""
_LIFT_MIN: Final = 2.0
"""and so many times as often as in all."""
_LATE: Final = 3.0
"""What has not come after so many times as long as it usually takes does not come."""
_NS: Final = 1_000_000_000


class Ahead(NamedTuple):
    """What may follow: the sign, the one it follows, and how sure that is."""

    sign: str
    after: str
    seconds: float  # from the one to the other
    share: float  # of the incidents that had the first; one more than there were, so that few say little
    lift: float


def learn(leads: Leads, incident: LiveIncident) -> None:
    """An incident is over."""
    signs = _earliest(signs_of(incident))
    leads.unit /= _FADE
    leads.total += leads.unit
    for sign, seconds in signs.items():
        place = _place(incident.domain, sign)
        leads.signs[place] = leads.signs.pop(place, 0.0) + leads.unit
        later = {other: after - seconds for other, after in signs.items() if after - seconds >= LATER_SECONDS}
        if later:
            _follow(leads, place, later)
    while len(leads.signs) > SIGNS_MAX:
        oldest = next(iter(leads.signs))
        del leads.signs[oldest]
        leads.follows.pop(oldest, None)
    if leads.unit > _UNIT_MAX:
        _shrink(leads)


def _follow(leads: Leads, place: str, later: Mapping[str, float]) -> None:
    followers = leads.follows.setdefault(place, {})
    for sign, seconds in later.items():
        known = followers.get(sign, Follows(0.0, 0.0))
        followers[sign] = Follows(known.weight + leads.unit, known.seconds + leads.unit * seconds)
    if len(followers) > FOLLOWERS_MAX:
        kept = sorted(followers, key=lambda sign: (-followers[sign].weight, sign))[:FOLLOWERS_MAX]
        leads.follows[place] = {sign: followers[sign] for sign in sorted(kept)}


def _shrink(leads: Leads) -> None:
    """All weights in a smaller unit: the same shares."""
    by, leads.unit = leads.unit, 1.0
    leads.total /= by
    leads.signs = {sign: weight / by for sign, weight in leads.signs.items()}
    leads.follows = {
        place: {sign: Follows(f.weight / by, f.seconds / by) for sign, f in followers.items()}
        for place, followers in leads.follows.items()
    }


def ahead(leads: Leads, incident: LiveIncident, now_ns: int) -> list[str]:
    """What may follow in an incident, in words, the soonest first."""
    signs = signs_of(incident)
    elapsed = (now_ns - incident.started_ns) / _NS
    best: dict[str, Ahead] = {}
    for after, since in signs.items():
        for sign, follows in leads.follows.get(_place(incident.domain, after), {}).items():
            if sign in signs:
                continue
            found = _weighed(leads, incident.domain, (sign, after), follows)
            due = found is not None and elapsed - since <= _LATE * found.seconds
            if (
                found is not None
                and due
                and (sign not in best or (found.share, found.lift) > (best[sign].share, best[sign].lift))
            ):
                best[sign] = found
    soonest = sorted(best.values(), key=lambda a: (signs[a.after] + a.seconds, a.sign))
    return [_told(one) for one in soonest[:SHOWN_MAX]]


def _weighed(leads: Leads, domain: str, pair: tuple[str, str], follows: Follows) -> Ahead | None:
    sign, after = pair
    first, second = leads.signs.get(_place(domain, after), 0.0), leads.signs.get(_place(domain, sign), 0.0)
    if follows.weight < _TIMES_MIN * leads.unit or not first or not second:
        return None
    share = follows.weight / (first + leads.unit)
    lift = share * leads.total / second
    if share < _SHARE_MIN or lift < _LIFT_MIN:
        return None
    return Ahead(sign, after, follows.seconds / follows.weight, share, lift)


class Led(NamedTuple):
    """One sign came before another again and again: how often, of how often the two were apart, and how likely that is by chance."""

    sign: str
    after: str
    times: int
    of: int
    seconds: float
    chance: float

    def in_words(self) -> str:
        """A sentence of a hint."""
        return (
            f"{in_words(self.sign)} came {span(self.seconds)} before {in_words(self.after)} in {self.times} of {self.of} incidents, "
            f"by chance 1 in {1.0 / self.chance:,.0f}"
        )


def led(leads: Leads, domain: str, first: str, second: str) -> Led | None:
    """Whether one sign is known to come before another. None: not often enough for it to be no chance.

    A sign test: were neither first by rule, each would be first as often. Incidents in which the two are less than a minute apart say nothing.
    """
    there = leads.follows.get(_place(domain, first), {}).get(second)
    back = leads.follows.get(_place(domain, second), {}).get(first)
    if there is None:
        return None
    times, against = int(there.weight / leads.unit + 0.5), int((back.weight if back else 0.0) / leads.unit + 0.5)
    chance = by_chance(times, times + against)
    if chance > CHANCE_MAX:
        return None
    return Led(first, second, times, times + against, there.seconds / there.weight, chance)


def by_chance(times: int, of: int) -> float:
    """How likely at least so many heads are among so many tosses of a fair coin.

    >>> by_chance(8, 8), round(by_chance(7, 8), 4), by_chance(0, 0)
    (0.00390625, 0.0352, 1.0)
    """
    return float(sum(comb(of, k) for k in range(times, of + 1)) / 2**of)


def _told(one: Ahead) -> str:
    often = f"in {one.share:.0%} of such incidents, {one.lift:.0f} times as often as in all"
    return f"{in_words(one.sign)}, {span(one.seconds)} after {in_words(one.after)} ({often})"


def leaders(leads: Leads, incident: LiveIncident, workloads: Container[str]) -> dict[str, list[Led]]:
    """Of these workloads of an incident, each that is known to come before others of them, with one lead for each, the surest."""
    signs = _earliest({sign: since for sign, since in signs_of(incident).items() if entity_of(sign) in workloads})
    found: dict[str, dict[str, Led]] = {}
    for first in signs:
        for second in signs:
            one, other = entity_of(first), entity_of(second)
            learned = led(leads, incident.domain, first, second) if one != other else None
            best = found.get(one, {}).get(other)
            if learned is not None and (best is None or learned.chance < best.chance):
                found.setdefault(one, {})[other] = learned
    return {one: list(others.values()) for one, others in found.items()}


def _earliest(signs: Mapping[str, float]) -> dict[str, float]:
    first = sorted(signs, key=lambda sign: (signs[sign], sign))[:OF_ONE_MAX]
    return {sign: signs[sign] for sign in sorted(first)}


def _place(domain: str, sign: str) -> str:
    return f"{domain}\n{sign}"
