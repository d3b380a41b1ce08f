"""Incidents that are over, as kinds that come again: "seen 3 times, fixed by …".

When an incident closes it is remembered, or adds to the kind that it is like. To one that is told of, the kinds that are like it are attached, with
what they have in common and what ended them, as people said it. Whom people named as the cause is evidence for the same cause the next time.
"""

from __future__ import annotations

from math import sqrt
from typing import Final, NamedTuple

from engine.config.tree import Correlate
from engine.correlate.kinds import NO_PROBLEM, Kind, Past
from engine.correlate.likeness import Alike, Features, alike, features_of, hashed
from engine.correlate.lore import again, kind_of, seen_again, told, usual_time
from engine.correlate.state import LiveIncident
from engine.records import AnomalyKind

SAME: Final = 0.8
"""So alike, an incident is the same kind come again; less alike, it is a kind of its own."""
BEGINS: Final = 0.9
"""So much of an incident must be in a kind for it to begin like it."""
SHOWN_MAX: Final = 3
COMMON: Final = 100
"""A feature of more kinds than this leads to none of them."""
NEAR_MAX: Final = 8
"""Kinds that share the most, which are held against an incident."""
LEAST: Final = 3
"""Features that an incident must have before it is likened to anything."""
PHASE_LEAST_NS: Final = 600_000_000_000
"""A phase may last longer than the longest so far by half, or by this."""
_NS: Final = 1_000_000_000


class Twin(NamedTuple):
    """A kind that is like an incident."""

    alike: Alike
    kind: Kind

    def begins_it(self) -> bool:
        """Whether all of the incident is what this kind showed, which was seen more than once, and more came later: more of it may come."""
        return self.kind.times > 1 and self.alike.contained >= BEGINS and bool(self.kind.later)


class Phase(NamedTuple):
    """What is known to be no problem when it comes at its time: why, and until when."""

    reason: str
    until_ns: int


class Twins:
    """The kinds of one shard. Moves `past` and `LiveIncident.similar`, nothing else."""

    def __init__(self, past: Past, config: Correlate) -> None:
        self._past = past
        self._kinds_max = config.kinds_max
        self._keep_ns = int(config.kinds_keep * _NS)
        self._similar_min = config.similar_min
        self._where: dict[str, dict[str, None]] = {}  # feature → kinds that have it
        for name, kind in past.kinds.items():
            self._index(name, kind)

    def _index(self, name: str, kind: Kind) -> None:
        for feature in kind.features:
            self._where.setdefault(feature, {})[name] = None

    def _drop(self, name: str) -> Kind:
        kind = self._past.kinds.pop(name)
        for feature in kind.features:
            there = self._where[feature]
            del there[name]
            if not there:
                del self._where[feature]
        return kind

    # ------------------------------------------------------------------------------------------ an incident that is told
    def compare(self, incident: LiveIncident, now_ns: int) -> None:
        """Renew what an incident is like; nothing is done when nothing has joined it since."""
        looked = (incident.alerts_total, len(incident.changes))
        if incident.compared == looked:
            return
        incident.compared = looked
        words = features_of(incident)
        twins = self._like(hashed(words), incident.domain, now_ns) if len(words) >= LEAST else []
        near = [twin for twin in twins if twin.alike.likeness >= self._similar_min or twin.begins_it()]
        incident.similar = [told(twin.kind, twin.alike.likeness, words, incident.started_ns) for twin in near[:SHOWN_MAX]]

    def causes(self, incident: LiveIncident) -> dict[str, str]:
        """Entities that people named as the cause of what this incident is like → a sentence that says so."""
        named: dict[str, str] = {}
        for similar in incident.similar:
            if similar.cause and similar.cause not in named and similar.similarity >= self._similar_min:
                times = f"{similar.times_seen} times" if similar.times_seen > 1 else "once"
                named[similar.cause] = (
                    f"{similar.cause} was named the cause of what was seen {times} before and is {similar.similarity:.0%} alike"
                )
        return named

    def _like(self, features: Features, domain: str, now_ns: int) -> list[Twin]:
        """Kinds of a domain by likeness, the likest first; of equals the one seen last."""
        overlap: dict[str, float] = {}
        for feature, weight in features.items():
            there = self._where.get(feature, {})
            if len(there) <= COMMON:
                telling = self._rarity(feature)
                for name in there:
                    overlap[name] = overlap.get(name, 0.0) + telling * min(weight, self._past.kinds[name].features[feature])
        fresh = [name for name in overlap if self._is_fresh(self._past.kinds[name], domain, now_ns)]
        near = sorted(fresh, key=lambda name: (-overlap[name], name))[:NEAR_MAX]
        twins = [Twin(alike(features, kind.features, self._rarity), kind) for kind in map(self._past.kinds.__getitem__, near)]
        return sorted(twins, key=lambda twin: (-twin.alike.likeness, -twin.kind.last_ns, twin.kind.id))

    def _is_fresh(self, kind: Kind, domain: str, now_ns: int) -> bool:
        return kind.domain == domain and now_ns - kind.last_ns <= self._keep_ns

    def _rarity(self, feature: str) -> float:
        """1 for what every kind has; the root of how many times fewer have it."""
        return sqrt((1.0 + len(self._past.kinds)) / (1.0 + len(self._where.get(feature, ()))))

    # ------------------------------------------------------------------------------------------ an incident that is to be told
    def phase(self, incident: LiveIncident, now_ns: int) -> Phase | None:
        """Why nobody needs to be told: people called it no problem before, it comes at its time, and lasts hardly longer than ever.

        None: there is no such reason. A promise that is broken is never a phase.
        """
        features = hashed(features_of(incident))
        if len(features) < LEAST or any(m.kind is AnomalyKind.SLO_BURN for m in incident.members.values()):
            return None
        best = next(iter(self._like(features, incident.domain, now_ns)), None)
        if best is None or best.alike.likeness < SAME or best.kind.verdict != NO_PROBLEM:
            return None
        kind = best.kind
        when = usual_time(kind, incident.started_ns)
        until_ns = incident.started_ns + max(kind.longest_ns * 3 // 2, kind.longest_ns + PHASE_LEAST_NS)
        if not when or now_ns >= until_ns:
            return None
        if not incident.is_expected:
            incident.is_expected = True
            self._past.kinds[kind.id] = self._past.kinds.pop(kind.id)
            seen_again(kind, incident.started_ns, now_ns)
        return Phase(f"known phase: {when}, called no problem, seen {kind.times} times", until_ns)

    # ------------------------------------------------------------------------------------------ an incident that is over
    def remember(self, incident: LiveIncident, now_ns: int) -> bool:
        """A told incident has closed. False: the least recently seen kind had to make way for it."""
        features = hashed(features_of(incident))
        if len(features) < LEAST:
            return True
        twins = self._like(features, incident.domain, now_ns)
        kind = kind_of(incident, features, now_ns)
        if twins and twins[0].alike.likeness >= SAME:
            kind = again(self._drop(twins[0].kind.id), kind)
        self._forget(now_ns - self._keep_ns)
        had_room = len(self._past.kinds) < self._kinds_max
        if not had_room:
            self._drop(next(iter(self._past.kinds)))
        self._past.kinds[kind.id] = kind
        self._index(kind.id, kind)
        return had_room

    def _forget(self, before_ns: int) -> None:
        while self._past.kinds:
            oldest = next(iter(self._past.kinds))
            if self._past.kinds[oldest].last_ns >= before_ns:
                return
            self._drop(oldest)

    def said(self, incident_id: str, fixed_by: str, cause: str, verdict: str) -> None:
        """What people say of an incident that has closed already, while it is the latest of its kind."""
        kind = self._past.kinds.get(incident_id)
        if kind is None:
            return
        kind.fixed_by, kind.cause, kind.verdict = fixed_by or kind.fixed_by, cause or kind.cause, verdict or kind.verdict
