"""Whether an incident is worth a person's time: what a single measure says by itself, what it needs to last, what supports what."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from math import inf, log10
from typing import NamedTuple

from engine.config.tree import Correlate
from engine.correlate.evidence import BAD_SEVERITY
from engine.correlate.families import RESOURCES, SYMPTOMS, Family, family_of, is_spare, is_traffic
from engine.correlate.state import LiveIncident, MemberState
from engine.correlate.topology import Topology
from engine.correlate.voices import Voice, voice_of
from engine.records import Alert, AlertState, AnomalyKind, Signal

CROWD = 6
"""So many alerts at once are no coincidence, even where nothing is known of how they hang together."""
_ERROR = 17
_NEWS = frozenset({AnomalyKind.NEW_TEMPLATE, AnomalyKind.RARE_TEMPLATE, AnomalyKind.RARE_EVENT, AnomalyKind.ERROR_BURST})
_LASTING = 2.0 / 3.0
"""Of a score that is severe by itself: enough for what lasts,"""
_LASTING_OF_FEW = 1.0 / 3.0
"""and where few series are watched. A score of 1.0 is false once a month and series: of ten that is something to be told, of thousands it is noise."""
FEW, MANY = 10, 100
LASTING_WINDOWS = 3
"""For so many windows a lone alert must burn, or what is overdue be so, to be told."""
_TIMES = 3.0
"""So many times what is usual, of what is felt or used, is told for less:"""
_OF_TELLING = 0.6
"""for this share of the score that a lone alert must have,"""
_TELLING_WINDOWS = 0.6
"""after so many windows; at once when it has all of that score on more than one sample."""
_OF_ASIDE = 4.0 / 3.0
"""What is seldom anybody's trouble is told at once for this multiple of the score that is severe, for that score when it lasts."""
_HARMLESS = 0.5
_MODEST = 1.5
SUPPORT = 5.0 / 6.0
"""How much the scores that meet in one place must come to, as a multiple of the score that is severe by itself."""
_QUANTILE = re.compile(r"[._]p\d+$")
_ALIKE = 0.25
"""What each further measure of a family on an entity adds to the strongest, as a share of its score."""
_ALIKE_MOST = 4
_IN_TIME = 1.25
"""Of the time after which a candidate may open, how long a series' step may be for a second sample to have come by then."""
_NS = 1_000_000_000


def is_loud(member: MemberState) -> bool:
    """Whether one alert is a fact by itself: an error that was never seen before, a kill, a promise that is being broken."""
    return member.kind is AnomalyKind.SLO_BURN or (member.severity >= _ERROR and member.kind in _NEWS)


class Setting(NamedTuple):
    """What the members of an incident are judged against. `busy` entities serve more requests than usual; `watched` is the number of series, 0 unknown."""

    config: Correlate
    topology: Topology
    busy: AbstractSet[str]
    now_ns: int
    watched: int = 0

    def is_busy(self, entity: str) -> bool:
        """Whether more requests than usual reach this entity, one next to it, or half the place."""
        if len(self.busy) >= CROWD or entity in self.busy:
            return True
        return bool(self.busy) and any(other in self.busy for other in self.topology.neighbours(entity))


def brings_load(about: Alert | MemberState) -> bool:
    """Whether an alert says: more requests than usual."""
    return family_of(about.name) is Family.LOAD and about.direction >= 0


def is_relief(member: MemberState) -> bool:
    """Whether an alert says that less of a resource is used, or more is left of it."""
    less = member.direction > 0 if is_spare(member.name) else member.direction < 0
    return less and family_of(member.name) in RESOURCES


def moves_more(member: MemberState) -> bool:
    """Whether an alert says that more is read, written, sent or received: work that is done, and no trouble by itself."""
    return member.direction >= 0 and is_traffic(member.name)


def gravity(member: MemberState, setting: Setting) -> float:
    """What a member's score says of trouble. Little: more requests, what comes along with them, a log of the same pace each minute, a resource that is used less,
    more bytes on their way.
    """
    steady = member.kind is AnomalyKind.FLAT and family_of(member.name) is Family.LOG
    modest = member.value is not None and member.expected is not None and member.value < _MODEST * member.expected
    if (
        steady
        or is_relief(member)
        or brings_load(member)
        or moves_more(member)
        or (modest and member.direction > 0 and setting.is_busy(member.entity))
    ):
        return _HARMLESS * member.score
    return member.score


def is_enough(incident: LiveIncident, setting: Setting) -> bool:
    """Whether an incident is worth a person's time: severe, loud, overdue, lasting or supported by what is near it."""
    weighed = weigh(incident, setting)
    if not weighed:
        return False
    live = [m for m, _ in weighed]
    severe = setting.config.severe_score
    aside = max(1.0, _OF_ASIDE * lasting_share(setting.watched) / _LASTING)
    if any(w >= severe * (aside if is_aside(m) else 1.0) or is_loud(m) for m, w in weighed):
        return True
    since = setting.now_ns - int(LASTING_WINDOWS * setting.config.window * _NS)
    full = [(m, w) for m, w in weighed if w >= m.score]
    if any(m.overdue and m.state is AlertState.FIRING and m.onset_ts_ns <= since for m in live):
        return True
    if any(m.state is AlertState.FIRING and lasts(m, w, setting) for m, w in full):
        return True
    bad = {c.entity for c in incident.changes.values() if not c.is_change and c.severity >= BAD_SEVERITY}
    if any(m.entity in bad for m in live):
        return True
    told = incident.alerts_total - incident.suppressed
    if told < setting.config.alerts_min:
        return False
    lasting = [(m, w) for m, w in full if not is_over(m, setting)]
    return len(lasting) >= CROWD or is_supported(lasting, setting)


def is_known(incident: LiveIncident) -> bool:
    """Whether people were told of an incident before it was silenced, and something of it goes on that nobody silenced."""
    live = (m for m in incident.members.values() if m.state is not AlertState.RESOLVED)
    return incident.opened_ns > 0 and any(not m.suppressed for m in live)


def weigh(incident: LiveIncident, setting: Setting) -> list[tuple[MemberState, float]]:
    """The members that are not over, each with what its score says of trouble."""
    live = (m for m in incident.members.values() if m.state is not AlertState.RESOLVED and not m.suppressed)
    return [(m, gravity(m, setting)) for m in live]


def felt(incident: LiveIncident, setting: Setting) -> list[tuple[MemberState, float]]:
    """Of these, what users feel of it, on more than one sample."""
    return [(m, w) for m, w in weigh(incident, setting) if w >= m.score and is_felt(m) and not is_over(m, setting)]


def is_felt(member: MemberState) -> bool:
    """Whether an alert is on something that callers feel too."""
    return family_of(member.name) in SYMPTOMS and voice_of(member.name) is Voice.TELLING


def is_supported(weighed: Sequence[tuple[MemberState, float]], setting: Setting) -> bool:
    """Whether enough evidence meets in one place."""
    return support(weighed, setting.topology) >= SUPPORT * setting.config.severe_score


def lasts(member: MemberState, weight: float, setting: Setting) -> bool:
    """Whether an alert goes on for long enough to be told alone: its anomalies for a window after the one it fired on, or itself for three.

    What tells more needs less: by the score, and if that is enough by itself, by the time.
    """
    windows = _long_enough(member, weight / setting.config.severe_score, setting)
    window_ns = int(setting.config.window * _NS)
    if member.seen_ns - member.joined_ns >= windows * window_ns or windows == 0.0:
        return True
    return windows <= 1.0 and setting.now_ns - member.joined_ns >= LASTING_WINDOWS * window_ns


def _long_enough(member: MemberState, share: float, setting: Setting) -> float:
    """For how many windows an alert of this share of the severe score must go on to be told alone."""
    least = lasting_share(setting.watched)
    if is_aside(member):
        return 1.0 if share >= least / _LASTING else inf
    if is_telling(member, setting):
        if share >= least and not member.once:
            return 0.0
        return _TELLING_WINDOWS if share >= _OF_TELLING * least else inf
    return 1.0 if share >= least else inf


def is_aside(member: MemberState) -> bool:
    """Whether an alert is on something that is seldom anybody's trouble."""
    return member.signal is Signal.METRIC and voice_of(member.name) is Voice.ASIDE


def is_telling(member: MemberState, setting: Setting) -> bool:
    """Whether an alert says that what is felt, or how hard something works, is a multiple of what is usual; and not because more is asked of it."""
    if voice_of(member.name) is not Voice.TELLING or member.value is None or member.expected is None:
        return False
    family = family_of(member.name)
    if family in RESOURCES and setting.is_busy(member.entity):
        return False
    if family is Family.AVAILABILITY:
        top = next((top for top in (1.0, 100.0) if member.expected <= top), member.expected)
        return member.direction < 0 and top - member.value >= _TIMES * (top - member.expected)
    return member.direction > 0 and member.value >= _TIMES * member.expected


def lasting_share(watched: int) -> float:
    """The share of the severe score from which one alert of so many series is told when it lasts; 0 series: nobody knows how many."""
    if watched <= 0:
        return _LASTING
    crowded = log10(min(max(watched, FEW), MANY) / FEW) / log10(MANY / FEW)
    return _LASTING_OF_FEW + crowded * (_LASTING - _LASTING_OF_FEW)


def is_over(member: MemberState, setting: Setting) -> bool:
    """Whether an alert stands on one sample though there was time for another: a spike that has passed."""
    return member.once and member.step_seconds <= _IN_TIME * setting.config.open_after


def support(weighed: Sequence[tuple[MemberState, float]], topology: Topology) -> float:
    """How much evidence meets in one place: the greatest sum of weights over an entity and its direct neighbours; 0 for a single piece.

    Quantiles of one measure are one piece: the strongest counts. Of several measures of one family on an entity the others count in part.
    """
    pieces: dict[tuple[str, str], dict[str, float]] = {}
    for member, weight in weighed:
        measures = pieces.setdefault((member.entity, family_of(member.name)), {})
        measure = _QUANTILE.sub("", member.name)
        measures[measure] = max(measures.get(measure, 0.0), weight)
    by_entity: dict[str, tuple[float, int]] = {}
    for (entity, _), measures in pieces.items():
        best, *others = sorted(measures.values(), reverse=True)
        total, count = by_entity.get(entity, (0.0, 0))
        by_entity[entity] = total + best + _ALIKE * sum(others[:_ALIKE_MOST]), count + len(measures)
    return max((_around(entity, by_entity, topology) for entity in by_entity), default=0.0)


def _around(entity: str, by_entity: Mapping[str, tuple[float, int]], topology: Topology) -> float:
    near = [by_entity[other] for other in (entity, *topology.neighbours(entity)) if other in by_entity]
    return sum(total for total, _ in near) if sum(count for _, count in near) > 1 else 0.0
