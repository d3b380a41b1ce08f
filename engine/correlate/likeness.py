"""How alike two incidents are: what each shows as a bounded set of weighted features, and the share that they have in common.

    entity:payment                  where something was wrong; a pod counts as its workload
    sign:payment:latency:up         what of it, by family and direction: the names of metrics change, what they speak of does not
    kind:payment:new_template       how
    text:payment:connection refused a log template or the words of an event
    change:deploy:payment           what was changed before

Features are kept as hashes: words are only needed of the incident at hand.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import lru_cache
from hashlib import blake2b
from typing import Final, NamedTuple

from engine.correlate.families import family_of
from engine.correlate.state import LiveIncident, MemberState
from engine.records import AnomalyKind
from engine.workloads import workload_of

FEATURES_MAX: Final = 48
"""Features of one incident; the weightiest are kept, then those first by name."""
LATER_SECONDS: Final = 60.0
_TEXT_MAX: Final = 80
_WEIGHTS: Final = {"entity": 1.0, "sign": 1.5, "kind": 0.5, "text": 1.5, "change": 1.0}
_DIRECTIONS: Final = {1: "up", -1: "down", 0: "off"}

Features = dict[str, float]
"""Hash of a feature → its weight."""


def features_of(incident: LiveIncident) -> dict[str, float]:
    """What an incident shows, in words, with weights. It does not matter in which order its alerts came."""
    found: dict[str, float] = {}
    for member in incident.members.values():
        if not member.suppressed and member.kind is not AnomalyKind.SLO_BURN:
            for feature in _of_member(member):
                found[feature] = _WEIGHTS[feature.partition(":")[0]]
    for change in incident.changes.values():
        feature = f"change:{change.name}:{workload_of(change.entity)}"
        found[feature] = _WEIGHTS["change"]
    kept = sorted(found, key=lambda feature: (-found[feature], feature))[:FEATURES_MAX]
    return {feature: found[feature] for feature in sorted(kept)}


def later_of(incident: LiveIncident) -> dict[str, float]:
    """What of an incident came later than its first: seconds after that, by the words of the sign."""
    return {sign: seconds for sign, seconds in signs_of(incident).items() if seconds >= LATER_SECONDS}


def signs_of(incident: LiveIncident) -> dict[str, float]:
    """When each sign of an incident came, in seconds after its first alert."""
    found: dict[str, float] = {}
    for member in incident.members.values():
        if member.suppressed or member.kind is AnomalyKind.SLO_BURN:
            continue
        seconds = (member.onset_ts_ns - incident.started_ns) / 1_000_000_000
        for sign in _signs(member):
            found[sign] = min(seconds, found.get(sign, seconds))
    return {sign: found[sign] for sign in sorted(found)}


def _signs(member: MemberState) -> list[str]:
    return [_sign_of(member.entity, name, member.direction) for name in (member.together or (member.name,))]


@lru_cache(maxsize=65_536)
def _sign_of(entity: str, name: str, direction: int) -> str:
    return f"sign:{workload_of(entity)}:{_sign(name)}:{_DIRECTIONS[direction]}"


def _of_member(member: MemberState) -> list[str]:
    entity = workload_of(member.entity)
    features = [f"entity:{entity}", f"kind:{entity}:{member.kind}"]
    if member.text and member.kind is not AnomalyKind.JOINT and member.kind is not AnomalyKind.TREND:
        features.append(f"text:{entity}:{member.text[:_TEXT_MAX]}")
    return features + _signs(member)


def _sign(name: str) -> str:
    """What a metric speaks of; itself when its name does not say."""
    family = str(family_of(name))
    return name if family == "other" else family


def entity_of(feature: str) -> str:
    """The entity, or the workload of a pod, that a feature speaks of.

    >>> entity_of("sign:cart:latency:up")
    'cart'
    """
    return feature.split(":", 2)[1]


def hashed(words: Mapping[str, float]) -> Features:
    """The same by hash."""
    return {hash_of(feature): weight for feature, weight in words.items()}


def hash_of(feature: str) -> str:
    """12 hex digits, equal on every machine."""
    return blake2b(feature.encode(errors="replace"), digest_size=6).hexdigest()


class Alike(NamedTuple):
    """Two shares, 0 … 1."""

    likeness: float  # weighted Jaccard: what both have over what either has; the same from both sides
    contained: float  # what both have over what the one has: 1 where everything of it is in the other


def alike(one: Features, other: Features, rarity: Callable[[str], float]) -> Alike:
    """How alike two are. `rarity` weighs a feature by how telling it is."""
    both = either = own = 0.0
    for feature in sorted(one.keys() | other.keys()):
        mine, theirs, weight = one.get(feature, 0.0), other.get(feature, 0.0), rarity(feature)
        both += weight * min(mine, theirs)
        either += weight * max(mine, theirs)
        own += weight * mine
    return Alike(both / either if either > 0.0 else 0.0, both / own if own > 0.0 else 0.0)


def blended(kept: Features, new: Features, times: int) -> Features:
    """The features of a kind of incident that was seen `times` times before, and now again."""
    share = 1.0 / (times + 1)
    mixed = {f: kept.get(f, 0.0) + share * (new.get(f, 0.0) - kept.get(f, 0.0)) for f in sorted(kept.keys() | new.keys())}
    strongest = sorted(mixed, key=lambda f: (-mixed[f], f))[:FEATURES_MAX]
    return {f: mixed[f] for f in sorted(strongest)}


def in_words(feature: str) -> str:
    """A feature for people.

    >>> in_words("sign:cart:latency:up"), in_words("change:deploy:cart"), in_words("text:cart:it's : gone")
    ('latency of cart up', 'deploy of cart', "'it's : gone' on cart")
    """
    kind, _, rest = feature.partition(":")
    if kind == "change":
        name, _, entity = rest.rpartition(":")
        return f"{name} of {entity}"
    entity, _, what = rest.partition(":")
    if kind == "sign":
        family, _, direction = what.rpartition(":")
        return f"{family.replace('_', ' ')} of {entity} {direction}"
    if kind == "text":
        return f"'{what}' on {entity}"
    return f"{what.replace('_', ' ')} on {entity}" if kind == "kind" else entity
