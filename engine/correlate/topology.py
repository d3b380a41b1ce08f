"""Who needs whom: calls between services, and which node carries what. Small graphs in plain dictionaries."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

import msgspec
import orjson

from engine.correlate.words import when
from engine.errors import UsageError

CALLS = "calls"
RUNS_ON = "runs_on"
OWNS = "owns"
KINDS = (CALLS, RUNS_ON, OWNS)
KEEP_NS = 7 * 86_400 * 1_000_000_000
_TIMES_MOST = 60

Place = tuple[str, str, str]
"""Caller, callee, kind."""

EDGES_MAX = 50_000
WALK_MAX = 2_000
"""Entities that a walk along the edges visits, nearest first; beyond it the graph is not looked at."""
KEPT_MAX = 200_000
"""Entities in the walks that are kept for the next time."""
_CALL = 2
_CARRY = 3
ONE_STEP = 3
"""The longest distance of direct neighbours."""
NEAR = 6
"""Distance up to which entities are neighbours. A call costs 2, a placement 3: two pods of one node are as far as three calls."""


class Observed(msgspec.Struct, frozen=True, array_like=True):
    """One edge that telemetry or a person told us of: first and last seen in event time, and how often it was told."""

    caller: str
    callee: str
    kind: str
    ts_ns: int
    first_ns: int = 0
    times: int = 1


class Sureness(NamedTuple):
    """How sure an edge is, 0 to 1, and what that rests on: each time it is told halves the doubt, and it fades until it is forgotten."""

    share: float
    edge: Observed | None

    def in_words(self) -> str:
        """Nothing for what a person declared."""
        if self.edge is None:
            return ""
        times = "once" if self.edge.times == 1 else f"{self.edge.times} times"
        return f" ({self.edge.kind} seen {times}, last {when(self.edge.ts_ns)})"


_DECLARED = Sureness(1.0, None)
_NO_EDGE = Sureness(0.0, None)


class Topology:
    """Edges from the configuration, which stay, and from telemetry, which are forgotten when they are not seen for `keep_ns`.

    Iteration follows the order in which edges were first added.
    """

    def __init__(
        self, calls: Iterable[tuple[str, str]] = (), runs_on: Iterable[tuple[str, str]] = (), *, keep_ns: int = KEEP_NS
    ) -> None:
        self._declared: dict[Place, None] = dict.fromkeys((*((*c, CALLS) for c in calls), *((*r, RUNS_ON) for r in runs_on)))
        self._observed: dict[Place, Observed] = {}
        self._keep_ns = keep_ns
        self._build()

    def _build(self) -> None:
        self._callees: dict[str, dict[str, None]] = {}
        self._callers: dict[str, dict[str, None]] = {}
        self._host: dict[str, str] = {}
        self._guests: dict[str, dict[str, None]] = {}
        self._near: dict[str, dict[str, int]] = {}
        self._upstream: dict[str, dict[str, int]] = {}
        self._upstream_size = 0
        for place in (*self._declared, *self._observed):
            self._link(*place)

    def observe(self, caller: str, callee: str, kind: str, ts_ns: int) -> bool:
        """Learn an edge (or see it again). False: refused, the table is full."""
        place = (caller, callee, kind)
        known = self._observed.get(place)
        if known is not None:
            if ts_ns > known.ts_ns:
                seen = Observed(*place, ts_ns, known.first_ns, known.times + 1)
                has_moved = kind == RUNS_ON and self._host.get(caller) != callee
                if has_moved:  # it runs there again
                    del self._observed[place]
                    self._link(*place)
                self._observed[place] = seen
            return True
        if not caller or not callee or caller == callee:
            return True
        if len(self._declared) + len(self._observed) >= EDGES_MAX:
            return False
        self._observed[place] = Observed(*place, ts_ns, ts_ns)
        self._link(*place)
        return True

    def forget(self, now_ns: int) -> int:
        """Let go of edges that were not seen for too long; how many these were."""
        gone = [place for place, seen in self._observed.items() if now_ns - seen.ts_ns > self._keep_ns]
        for place in gone:
            del self._observed[place]
        if gone:
            self._build()
        return len(gone)

    def _link(self, caller: str, callee: str, kind: str) -> None:
        self._near.clear()
        self._upstream.clear()
        self._upstream_size = 0
        if kind == RUNS_ON:
            previous = self._host.get(caller)
            if previous is not None:
                self._guests[previous].pop(caller, None)
            self._host[caller] = callee
            self._guests.setdefault(callee, {})[caller] = None
            return
        self._callees.setdefault(caller, {})[callee] = None
        self._callers.setdefault(callee, {})[caller] = None

    def observed(self) -> list[Observed]:
        """What was observed, for a snapshot; give it to `recall` to have it again."""
        return list(self._observed.values())

    def recall(self, observed: Iterable[Observed]) -> None:
        """Have what was observed again, in place of what is."""
        self._observed = {(edge.caller, edge.callee, edge.kind): edge for edge in observed}
        self._build()

    def sureness(self, one: str, other: str, now_ns: int) -> Sureness:
        """How sure an edge between the two is, whichever its direction and kind; the surest of several."""
        places = [(a, b, kind) for a, b in ((one, other), (other, one)) for kind in KINDS]
        if any(place in self._declared for place in places):
            return _DECLARED
        found = [self._observed[place] for place in places if place in self._observed]
        return max((self._sureness(edge, now_ns) for edge in found), key=lambda s: s.share, default=_NO_EDGE)

    def _sureness(self, edge: Observed, now_ns: int) -> Sureness:
        age = min(1.0, max(0, now_ns - edge.ts_ns) / self._keep_ns)
        return Sureness((1.0 - 0.5 ** min(edge.times, _TIMES_MOST)) * (1.0 - age), edge)

    def callees(self, entity: str) -> tuple[str, ...]:
        """Whom `entity` calls."""
        return tuple(self._callees.get(entity, ()))

    def callers(self, entity: str) -> tuple[str, ...]:
        """Who calls `entity`."""
        return tuple(self._callers.get(entity, ()))

    def host(self, entity: str) -> str:
        """The node that carries `entity`, "" when unknown."""
        return self._host.get(entity, "")

    def guests(self, node: str) -> tuple[str, ...]:
        """What runs on `node`."""
        return tuple(self._guests.get(node, ()))

    def knows(self, entity: str) -> bool:
        """Whether any edge names `entity`."""
        return entity in self._callees or entity in self._callers or entity in self._host or entity in self._guests

    def entities(self) -> frozenset[str]:
        """Everything that any edge names."""
        return frozenset(self._callees) | frozenset(self._callers) | frozenset(self._host) | frozenset(self._guests)

    def downstream(self, entity: str) -> dict[str, int]:
        """What `entity` needs, directly or not, with the number of steps: callees and nodes. Itself is 0."""
        return self._walk(entity, lambda e: (*self.callees(e), *((self._host[e],) if e in self._host else ())))

    def upstream(self, entity: str) -> Mapping[str, int]:
        """Who needs `entity`, directly or not, with the number of steps: callers and guests. Itself is 0."""
        known = self._upstream.get(entity)
        if known is None:
            if self._upstream_size > KEPT_MAX:
                self._upstream.clear()
                self._upstream_size = 0
            known = self._upstream[entity] = self._walk(entity, lambda e: (*self._callers.get(e, ()), *self._guests.get(e, ())))
            self._upstream_size += len(known)
        return known

    @staticmethod
    def _walk(start: str, onward: Callable[[str], Iterable[str]]) -> dict[str, int]:
        steps = {start: 0}
        queue = [start]
        for entity in queue:  # grows while it is walked
            if len(queue) >= WALK_MAX:
                break
            for other in onward(entity):
                if other not in steps:
                    steps[other] = steps[entity] + 1
                    queue.append(other)
        return steps

    def near(self, entity: str) -> dict[str, int]:
        """Neighbours within `NEAR`, either direction, with their distance; `entity` itself is 0."""
        known = self._near.get(entity)
        if known is None:
            if len(self._near) >= EDGES_MAX:
                self._near.clear()
            known = self._near[entity] = self._spread(entity)
        return known

    def neighbours(self, entity: str) -> dict[str, None]:
        """Whom it calls, who calls it, what carries it and what it carries: everything up to `ONE_STEP` away, but not itself."""
        return {other: None for other, _ in self._steps(entity) if other != entity}

    def distance(self, one: str, other: str) -> int | None:
        """Half steps between two entities (a call is 2, a placement 3); None: farther than `NEAR` or unknown."""
        return self.near(one).get(other)

    def _spread(self, entity: str) -> dict[str, int]:
        distance = {entity: 0}
        for reach in range(NEAR):
            edge = [e for e, d in distance.items() if d == reach]
            for other, cost in ((o, c) for at in edge for o, c in self._steps(at)):
                distance[other] = min(distance.get(other, reach + cost), reach + cost)
        return {other: far for other, far in distance.items() if far <= NEAR}

    def _steps(self, entity: str) -> Iterator[tuple[str, int]]:
        for other in self._callees.get(entity, ()):
            yield other, _CALL
        for other in self._callers.get(entity, ()):
            yield other, _CALL
        if entity in self._host:
            yield self._host[entity], _CARRY
        for other in self._guests.get(entity, ()):
            yield other, _CARRY


def read_edges(path: Path) -> list[tuple[str, str]]:
    """The calls in a JSON file `{"edges": [[caller, callee], …]}`. Raises UsageError when it is anything else."""
    try:
        document = orjson.loads(path.read_bytes())
        return [(str(caller), str(callee)) for caller, callee in document["edges"]]
    except OSError as error:
        raise UsageError(f"cannot read {path}: {error.strerror}") from error
    except (orjson.JSONDecodeError, KeyError, TypeError, ValueError) as error:
        raise UsageError(f"{path} is not a topology", 'it should be {"edges": [["caller", "callee"], …]}') from error
