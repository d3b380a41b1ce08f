"""What is known of a kind of incident: made of the first, added to by each that follows, and told with the next."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import islice
from typing import Final

from engine.correlate.kinds import NO_PROBLEM, Kind, Later
from engine.correlate.likeness import Features, blended, hash_of, in_words, later_of
from engine.correlate.rhythm import rhythm
from engine.correlate.state import LiveIncident
from engine.correlate.words import span
from engine.records import Similar

BEGAN_MAX: Final = 8
"""The latest beginnings of a kind that are kept."""
LATER_MAX: Final = 8
"""Signs that came later in it, the most frequent."""
SHARED_MAX: Final = 5
_NEVER: Final = Later(0, 0.0)


def kind_of(incident: LiveIncident, features: Features, now_ns: int) -> Kind:
    """The kind that one incident is by itself."""
    return Kind(
        incident.id,
        incident.domain,
        features,
        now_ns,
        fixed_by=incident.fixed_by,
        cause=incident.named_cause,
        verdict=incident.verdict,
        began_ns=[incident.started_ns],
        longest_ns=max(0, incident.resolved_ns - incident.started_ns),
        later={words: Later(1, seconds) for words, seconds in islice(later_of(incident).items(), LATER_MAX)},
    )


def again(kind: Kind, new: Kind) -> Kind:
    """A kind that was seen once more, by the id of the latest. What people said stays, until they say something else."""
    new.features = blended(kind.features, new.features, kind.times)
    new.times = kind.times + 1
    new.fixed_by, new.cause, new.verdict = new.fixed_by or kind.fixed_by, new.cause or kind.cause, new.verdict or kind.verdict
    new.began_ns = sorted({*kind.began_ns, *new.began_ns})[-BEGAN_MAX:]
    new.longest_ns = max(new.longest_ns, kind.longest_ns)
    new.later = _together(kind.later, new.later)
    return new


def seen_again(kind: Kind, began_ns: int, now_ns: int) -> None:
    """It came and was told to nobody."""
    kind.last_ns, kind.times = now_ns, kind.times + 1
    kind.began_ns = sorted({*kind.began_ns, began_ns})[-BEGAN_MAX:]


def _together(one: Mapping[str, Later], other: Mapping[str, Later]) -> dict[str, Later]:
    both = {}
    for words in one.keys() | other.keys():
        mine, theirs = one.get(words, _NEVER), other.get(words, _NEVER)
        both[words] = Later(mine.times + theirs.times, mine.seconds + theirs.seconds)
    oftenest = sorted(both, key=lambda words: (-both[words].times, words))[:LATER_MAX]
    return {words: both[words] for words in sorted(oftenest)}


def usual_time(kind: Kind, began_ns: int) -> str:
    """When it comes, if it comes at its time and what began now is at that time."""
    return rhythm([former for former in kind.began_ns if former != began_ns], began_ns)


def told(kind: Kind, likeness: float, words: Mapping[str, float], began_ns: int) -> Similar:
    """A kind as people see it beside an incident that shows `words`."""
    shared = [feature for feature in words if hash_of(feature) in kind.features]
    strongest = sorted(shared, key=lambda feature: (-words[feature], feature))[:SHARED_MAX]
    return Similar(
        incident_id=kind.id,
        similarity=round(likeness, 4),
        times_seen=kind.times,
        last_seen_ts_ns=kind.last_ns,
        fixed_by=kind.fixed_by,
        cause=kind.cause,
        is_harmless=kind.verdict == NO_PROBLEM,
        recurs=usual_time(kind, began_ns),
        shared=[in_words(feature) for feature in strongest],
        next=_next(kind, words),
    )


def _next(kind: Kind, words: Mapping[str, float]) -> list[str]:
    """What has come later in most incidents of a kind and is not there yet, the soonest first."""
    mostly = {name: later for name, later in kind.later.items() if 2 * later.times > kind.times > 1 and name not in words}
    soonest = sorted(mostly, key=lambda name: (mostly[name].seconds / mostly[name].times, name))
    return [f"{in_words(name)}, {_after(mostly[name], kind.times)}" for name in soonest]


def _after(later: Later, times: int) -> str:
    return f"{span(later.seconds / later.times)} after the first ({later.times} of {times})"
