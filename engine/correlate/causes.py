"""Which entity did it? Ranked statistics over symptoms, events and the topology; every point of a score has a sentence.

One pure function, `rank`, for the stage (alerts of an incident) and for `foreshock rca` (every series of a table).

    strength of each family on each entity (log-compressed, capped, the strongest series speaks)
      - what its callees, its guests or its own load explain       a symptom is not a cause
      - what everybody shows                                       no contrast, no information
      + share of the trouble that lies upstream of it, + early onset, + a change or a bad event on it
"""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from engine.correlate.decades import decades, softmax
from engine.correlate.families import RESOURCES, SYMPTOMS, Family, bad_direction, in_words
from engine.correlate.topology import Topology
from engine.correlate.words import clock, span
from engine.records import Evidence, Hint

_NS = 1_000_000_000
_NAME_PARTS = re.compile(r"[^a-z0-9]+")


@dataclass(frozen=True, slots=True)
class Symptom:
    """One series that left its usual range. `strength` counts robust deviations (≥ 0); `text` is the fact in words."""

    entity: str
    metric: str
    family: Family
    strength: float
    direction: int
    onset_ts_ns: int
    uncertainty_seconds: float
    text: str
    silent: bool = False


@dataclass(frozen=True, slots=True)
class Happening:
    """One event that may be evidence: a deploy, a flag, an OOM kill."""

    id: str
    ts_ns: int
    name: str
    entity: str
    is_change: bool
    text: str


@dataclass(frozen=True, slots=True)
class Weights:
    """What each kind of evidence is worth, in decades. Chosen on development cases of three systems, one setting for all."""

    strength_max: float = 3.0
    against_direction: float = 0.4  # a move in the harmless direction
    explained: float = 0.75  # share of a symptom that a callee with as strong a one takes away
    kin: float = 0.5  # how much another symptom (latency for errors) of a callee explains
    heard: float = 0.6  # decades from which lines explain, and are explained: three usual deviations
    way: float = 0.3  # how much a caller that is hard to reach itself explains of the way to a callee
    proxy: float = 0.5  # of the score of what only passes requests on
    unreachable: float = 0.5  # of the score of what the alerting entry does not need
    watched_from: float = 0.3  # of the score of a place outside the topology at which trouble is only felt
    by_load: float = 0.5  # share of a resource's move that the entity's own load takes away
    second: float = 0.25  # of the second-best family
    coverage: float = 0.6
    onset: float = 0.4
    onset_window_seconds: float = 600.0
    change: float = 0.8
    change_window_seconds: float = 1800.0
    event: float = 0.9
    lead: float = 0.5  # it came before what else shows something, in incidents so far, where nobody knows who needs whom
    twin: float = 0.6  # people named it the cause of what was alike
    silent: float = 1.2
    silent_in_part: float = 0.3  # where other series of the entity still come: it was not asked, rather than down
    unfelt: float = 0.7  # of the score of symptoms that no caller shows
    sharpness: float = 3.0  # of the softmax: one decade more is e³ times as likely
    family: Mapping[Family, float] = field(
        default_factory=lambda: {
            Family.LOAD: 0.4,
            Family.OTHER: 0.4,
            Family.EVENT: 0.9,
        }
    )
    telling: Mapping[Family, float] = (
        field(  # of a symptom's weight when one metric is named: what an entity suffers names no cause
            default_factory=lambda: {
                Family.LATENCY: 0.5,
                Family.ERRORS: 0.5,
                Family.AVAILABILITY: 0.5,
                Family.SATURATION: 0.7,
            }
        )
    )


WEIGHTS = Weights()

APART = 0.125
"""By how much the first hypothesis must lead the second, as a share of what the first `FEW` have together, or nobody is named."""
FEW = 5
"""Where many entities show a little noise each, all of them together have much of the probability, and none of them is meant."""


@dataclass(frozen=True, slots=True)
class Ranking:
    """Hints, best first; `abstained` when the best cannot be told from the next, and why."""

    hints: tuple[Hint, ...]
    abstained: bool
    why: str


@dataclass(frozen=True, slots=True)
class Learned:
    """What incidents that are over say of entities: who was named the cause of the like, who came before others again and again; each in a sentence."""

    named: Mapping[str, str] = field(default_factory=dict)
    leads: Mapping[str, Sequence[str]] = field(default_factory=dict)


@dataclass(slots=True)
class _Account:
    """One hypothesis while it is being weighed."""

    entity: str
    score: float = 0.0
    best: Symptom | None = None
    metric: str = ""
    evidence: list[Evidence] = field(default_factory=list)
    against: list[Evidence] = field(default_factory=list)
    change: str = ""

    def scale(self, share: float, text: str) -> None:
        """Keep only a share of the score."""
        lost = self.score * (share - 1.0)
        if lost < 0:
            self.add("place", lost, text)

    def add(self, kind: str, weight: float, text: str) -> None:
        self.score += weight
        (self.evidence if weight >= 0 else self.against).append(Evidence(kind=kind, text=text, weight=round(weight, 3)))


def rank(
    symptoms: Sequence[Symptom],
    happenings: Sequence[Happening],
    topology: Topology,
    *,
    hints_max: int = 5,
    abstain_below: float = 0.0,
    learned: Learned | None = None,
    weights: Weights = WEIGHTS,
) -> Ranking:
    """Hypotheses over all entities that show something, best first. `learned`: what incidents that are over say of these."""
    symptoms = sorted(
        symptoms, key=lambda s: (s.entity, s.metric, s.onset_ts_ns, -s.strength, s.text, s.family, s.direction, s.silent)
    )
    shown = _strengths(symptoms, weights)
    named = [h.entity for h in happenings if h.entity]
    of_entity = _by_entity(symptoms)
    accounts = [_Account(entity) for entity in dict.fromkeys([*shown, *named])]
    if not accounts:
        return Ranking((), abstained=True, why="no series left its usual range")
    onsets = sorted(min(s.onset_ts_ns for s in own) for own in of_entity.values())
    first = onsets[0] if onsets else 0
    for account in accounts:
        _weigh_families(account, shown, topology, weights)
        _weigh_coverage(account, shown, topology, weights)
        if len(of_entity) > 1:
            _weigh_onset(account, of_entity.get(account.entity, ()), onsets, weights)
        _weigh_happenings(account, [h for h in happenings if h.entity == account.entity], shown, first, weights)
        if learned is not None:
            _weigh_learned(account, learned, len(shown) - 1, weights)
    _weigh_place(accounts, shown, topology, weights)
    accounts.sort(key=lambda a: (-a.score, a.entity))
    shares = softmax([a.score * weights.sharpness for a in accounts])
    hints = tuple(_hint(a, p, topology, shown) for a, p in zip(accounts[:hints_max], shares, strict=False))
    return _judge(hints, sum(shares[:FEW]), abstain_below)


def _by_entity(symptoms: Sequence[Symptom]) -> dict[str, list[Symptom]]:
    grouped: dict[str, list[Symptom]] = {}
    for symptom in symptoms:
        grouped.setdefault(symptom.entity, []).append(symptom)
    return grouped


def _judge(hints: tuple[Hint, ...], of_few: float, abstain_below: float) -> Ranking:
    best = hints[0]
    if best.probability < abstain_below:
        return Ranking(
            hints, abstained=True, why=f"the best hypothesis has {best.probability:.0%}, less than {abstain_below:.0%}"
        )
    if len(hints) > 1 and best.probability - hints[1].probability < APART * of_few:
        shares = f"{best.probability:.0%} and {hints[1].probability:.0%}"
        return Ranking(hints, abstained=True, why=f"{best.entity} and {hints[1].entity} cannot be told apart: {shares}")
    return Ranking(hints, abstained=False, why="")


_FELT = (Family.LATENCY, Family.ERRORS, Family.AVAILABILITY, Family.LOG)
"""What a callee's trouble looks like at its callers: they wait, fail, and write that they did."""

Shown = dict[str, dict[Family, tuple[float, Symptom]]]
"""Entity → family → (strength in decades, the series that speaks for it)."""


def _strengths(symptoms: Sequence[Symptom], weights: Weights) -> Shown:
    shown: Shown = {}
    quiet = {s.entity for s in symptoms if s.silent} - {s.entity for s in symptoms if not s.silent}
    for symptom in symptoms:
        strength = min(weights.strength_max, decades(1.0 + max(0.0, symptom.strength)))
        bad = bad_direction(symptom.family, symptom.metric)
        if bad and symptom.direction == -bad:
            strength *= weights.against_direction
        family = Family.LOST if symptom.family is Family.LOG and symptom.direction < 0 else symptom.family
        strength *= weights.family.get(family, 1.0)
        if symptom.silent:
            strength = weights.silent if symptom.entity in quiet else weights.silent_in_part
        families = shown.setdefault(symptom.entity, {})
        if family not in families or strength > families[family][0]:
            families[family] = (strength, symptom)
    return shown


def _weigh_families(account: _Account, shown: Shown, topology: Topology, weights: Weights) -> None:
    own = []
    for family, (strength, symptom) in shown.get(account.entity, {}).items():
        rest, by = _unexplained(account.entity, family, strength, shown, topology, weights)
        own.append((rest, strength, symptom, by))
    own.sort(key=lambda o: (-o[0], o[2].metric))
    account.metric = max(own, key=lambda o: o[0] * weights.telling.get(o[2].family, 1.0))[2].metric if own else ""
    for place, (rest, strength, symptom, by) in enumerate(own[:3]):
        share = (1.0, weights.second, 0.0)[place]
        if place == 0:
            account.best = symptom
        account.add("silent" if symptom.silent else "deviation", strength * share, symptom.text)
        if by and rest < strength:
            account.add("explained_by", (rest - strength) * share, by)


def _unexplained(
    entity: str, family: Family, strength: float, shown: Shown, topology: Topology, weights: Weights
) -> tuple[float, str]:
    """What is left of a symptom when a callee, a guest or the entity's own load explains its part, and who does."""
    others, kin = _who_explains(entity, family, topology)
    share = weights.explained
    best, by = 0.0, ""
    for other in others:
        if other not in shown:
            continue
        sure = topology.sureness(entity, other, shown[entity][family][1].onset_ts_ns)
        for theirs_of in kin:
            theirs = shown[other].get(theirs_of)
            if theirs is None or (theirs_of is Family.LOAD and theirs[1].direction >= 0):
                continue
            if theirs[0] < weights.heard and Family.LOG in (family, theirs_of):
                continue
            weight = _kinship(theirs_of, family, weights) * theirs[0] * sure.share
            if weight > best:
                best, by = weight, f"{in_words(str(family))} of {entity} may come from {theirs[1].text}{sure.in_words()}"
    if family in RESOURCES:
        load = shown.get(entity, {}).get(Family.LOAD)
        if load is not None and load[1].direction > 0 and load[0] * weights.by_load > best * share:
            best, by, share = load[0], f"its own load rose: {load[1].text}", weights.by_load
    return strength * (1.0 - share * min(1.0, best / strength)) if strength > 0 else 0.0, by


def _who_explains(entity: str, family: Family, topology: Topology) -> tuple[tuple[str, ...], tuple[Family, ...]]:
    """Who may have handed a symptom on to an entity, and as what: trouble comes from callees, a lack of requests from callers."""
    if family in _FELT:
        return topology.callees(entity), (*_FELT, Family.EDGE, Family.SELF)
    if family is Family.EDGE:
        return topology.callers(entity), (Family.EDGE,)
    if family is Family.LOST:
        return topology.callers(entity), (Family.LOST, Family.LOAD)
    if family in RESOURCES:
        return topology.guests(entity), (family,)
    return (), ()


def _kinship(theirs: Family, own: Family, weights: Weights) -> float:
    """How much a symptom explains of one of another family: the time that a callee spends by itself is time that its callers wait."""
    if own is Family.EDGE:
        return weights.way
    return 1.0 if theirs in (own, Family.SELF) else weights.kin


def _weigh_coverage(account: _Account, shown: Shown, topology: Topology, weights: Weights) -> None:
    """How much of the trouble could come from here: entities with symptoms that need this one."""
    others = [e for e in shown if e != account.entity]
    if not others or not topology.knows(account.entity):
        return
    upstream = topology.upstream(account.entity)
    covered = [e for e in others if e in upstream]
    if covered:
        names = ", ".join(covered[:4]) + (" and more" if len(covered) > 4 else "")
        text = f"{len(covered)} of {len(others)} other entities with symptoms depend on {account.entity}: {names}"
        account.add("topology", weights.coverage * len(covered) / len(others), text)


def _weigh_learned(account: _Account, learned: Learned, others: int, weights: Weights) -> None:
    """What people said of the like, and what comes after this entity again and again, as a share of all that show something beside it."""
    if account.entity in learned.named:
        account.add("twin", weights.twin, learned.named[account.entity])
    sentences = learned.leads.get(account.entity, ())
    if sentences and others > 0:
        more = f" (and before {len(sentences) - 1} more)" if len(sentences) > 1 else ""
        account.add("lead", weights.lead * min(1.0, len(sentences) / others), sentences[0] + more)


_PASSING_ON = frozenset(
    {"elb", "alb", "nlb", "lb", "loadbalancer", "proxy", "haproxy", "envoy", "ingress", "remote", "client", "sidecar"}
)


def _weigh_place(accounts: list[_Account], shown: Shown, topology: Topology, weights: Weights) -> None:
    """Who only passes requests on, and who is not needed by the entry where the trouble is felt, is less likely the cause."""
    entries = [e for e in shown if topology.callees(e) and not topology.callers(e) and not SYMPTOMS.isdisjoint(shown[e])]
    needed: set[str] = set().union(*(topology.downstream(e) for e in entries))
    has_graph = bool(topology.entities())
    for account in accounts:
        if not _PASSING_ON.isdisjoint(_NAME_PARTS.split(account.entity.lower())):
            account.scale(weights.proxy, f"{account.entity} only passes requests on")
        callers = topology.callers(account.entity)
        if (
            callers
            and account.best is not None
            and account.best.family in SYMPTOMS
            and not any(c in shown and not SYMPTOMS.isdisjoint(shown[c]) for c in callers)
        ):
            account.scale(weights.unfelt, f"no caller of {account.entity} shows symptoms")
        if entries and topology.knows(account.entity) and account.entity not in needed:
            account.scale(weights.unreachable, f"{entries[0]}, where the trouble is felt, does not need {account.entity}")
        elif has_graph and not topology.knows(account.entity) and shown.get(account.entity, {}).keys() <= SYMPTOMS:
            account.scale(weights.watched_from, f"{account.entity} is not in the topology and shows symptoms only")


def _weigh_onset(account: _Account, own: Sequence[Symptom], onsets: Sequence[int], weights: Weights) -> None:
    """How early it moved among all; `onsets` are the first of each entity, in order."""
    if not own:
        return
    earliest = min(own, key=lambda s: (s.onset_ts_ns, s.metric))
    began, doubt = earliest.onset_ts_ns, earliest.uncertainty_seconds
    late = max(0.0, (began - onsets[0]) / _NS - doubt)
    gain = weights.onset * max(0.0, 1.0 - late / weights.onset_window_seconds)
    if gain > 0:
        beside = bisect_right(onsets, began + int(doubt * _NS)) - bisect_left(onsets, began - int(doubt * _NS)) - 1
        others = f", as did {beside} other{'s' if beside > 1 else ''}" if beside else ""
        order = ("among the first" if others else "first of all") if late == 0 else f"{span(late)} after the first"
        account.add(
            "onset", gain, f"{account.entity} moved {order}, at {clock(began)} UTC ± {span(doubt)}{others if late == 0 else ''}"
        )
    else:
        account.against.append(Evidence(kind="onset", text=f"{account.entity} moved {span(late)} after the first", weight=0.0))


def _weigh_happenings(account: _Account, own: Sequence[Happening], shown: Shown, first: int, weights: Weights) -> None:
    began = min((s.onset_ts_ns for _, s in shown.get(account.entity, {}).values()), default=first)
    changes = [h for h in own if h.is_change and -120.0 <= (began - h.ts_ns) / _NS <= weights.change_window_seconds]
    if changes:
        latest = max(changes, key=lambda h: (h.ts_ns, h.id))
        ago = max(0.0, (began - latest.ts_ns) / _NS)
        gain = weights.change / (1.0 + ago / 600.0)
        if account.entity not in shown:
            gain *= 0.5
        account.change = latest.id
        account.add(
            "change", gain, f"{latest.name} of {account.entity} at {clock(latest.ts_ns)} UTC, {span(ago)} before its onset"
        )
    bad = [h for h in own if not h.is_change]
    if bad:
        account.add("event", weights.event, f"{bad[0].name} on {account.entity} at {clock(bad[0].ts_ns)} UTC: {bad[0].text}")


def _hint(account: _Account, probability: float, topology: Topology, shown: Shown) -> Hint:
    order = sorted(account.evidence, key=lambda e: -e.weight)
    missing = [
        f"no telemetry says anything of {callee}, which {account.entity} needs"
        for callee in topology.callees(account.entity)
        if callee in shown and all(s.silent for _, s in shown[callee].values())
    ]
    return Hint(
        entity=account.entity,
        metric=account.metric,
        probability=round(probability, 4),
        evidence=order,
        against=account.against,
        missing=missing,
        change=account.change,
    )
