"""What policy remembers, by one writer: incidents, actions and uses. All of it is in the snapshot, so a restart resets no limit.

Two books in one: *real* uses (an action was armed) and *simulated* ones (a rule that only observes proposed it). Each has
the limits to itself, so an observed rule shows what it would have done, and takes no room from those that act.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from heapq import heappop, heappush

import msgspec

from engine.config.tree import ActionRule, Respond
from engine.errors import StateError
from engine.records import ActionState
from engine.respond.policy import HOUR_NS, NS, Reason, Standing, Target, Usage

INCIDENTS_MAX = 10_000
"""Incidents remembered on one partition. When full, the oldest that is over is forgotten; if none is, new ones are refused."""
ACTIONS_PER_INCIDENT_MAX = 64
"""Actions considered for one incident, over all its revisions."""


class Use(msgspec.Struct, frozen=True):
    """One action on one target, armed or (simulated) proposed, at a log time."""

    ts_ns: int
    simulated: bool
    action: str
    target: str


class Entry(msgspec.Struct):
    """One action as the ledger knows it."""

    id: str
    incident_id: str
    rule: str
    action: str
    target: str
    state: ActionState
    reason: Reason
    revision: int
    plan_hash: str
    since_ns: int
    again_ns: int = 0  # when to ask again, or when the approval lapses; 0: never


class Book(msgspec.Struct):
    """The whole state, as it is written."""

    now_ns: int = 0
    seen: dict[str, list[int]] = {}  # source topic-partition → highest (offset, seq) of an incident's stamp
    incidents: dict[str, Standing] = {}
    actions: dict[str, Entry] = {}
    uses: list[Use] = []
    audit: str = ""  # digest of the last audit record


class Ledger:
    """Single writer: the machine of one shard."""

    def __init__(self, config: Respond) -> None:
        self._config = config
        longest = max((int(rule.cooldown * NS) for rule in config.rules), default=0)
        self._horizon_ns = max(HOUR_NS, longest)
        self.book = Book()
        self._index = _Index()

    # ------------------------------------------------------------------------------------------------ time and order
    def advance(self, ts_ns: int) -> int:
        """Log time: never backwards. Forgets uses that no limit can see any more."""
        book = self.book
        book.now_ns = max(book.now_ns, ts_ns)
        oldest_ns = book.now_ns - self._horizon_ns
        fresh = next((i for i, use in enumerate(book.uses) if use.ts_ns > oldest_ns), len(book.uses))
        del book.uses[:fresh]
        return book.now_ns

    def is_repeat(self, source: str, offset: int, seq: int) -> bool:
        """Whether a stamp is not above the highest seen from its source; remembers it if it is."""
        if [offset, seq] <= self.book.seen.get(source, [-1, -1]):
            return True
        self.book.seen[source] = [offset, seq]
        return False

    # ------------------------------------------------------------------------------------------------ incidents
    def remember(self, standing: Standing) -> bool:
        """Keep the latest revision. False: not kept, because nothing can follow from it or because the ledger is full."""
        incidents = self.book.incidents
        if standing.id not in incidents and not (standing.live and self._has_room()):
            return False
        self._index.count(incidents.get(standing.id), -1)
        self._index.count(standing, 1)
        incidents[standing.id] = standing
        return True

    def _has_room(self) -> bool:
        incidents = self.book.incidents
        if len(incidents) < INCIDENTS_MAX:
            return True
        over = [known for known in incidents.values() if not known.live]
        if over:
            self.forget(min(over, key=lambda known: (known.ts_ns, known.id)).id)
        return bool(over)

    def forget(self, incident_id: str) -> None:
        """Drop an incident that can come back no more, and its actions. What was used stays counted."""
        for entry in self.actions_of(incident_id):
            del self.book.actions[entry.id]
        self._index.drop(incident_id)
        self._index.count(self.book.incidents.pop(incident_id, None), -1)

    def revision(self, incident_id: str) -> int:
        """The latest revision known; 0 for an incident that is not."""
        known = self.book.incidents.get(incident_id)
        return known.revision if known else 0

    # ------------------------------------------------------------------------------------------------ actions
    def keep(self, entry: Entry) -> None:
        """Write an action down, after each change to it."""
        self.book.actions[entry.id] = entry
        self._index.add(entry)

    def actions_of(self, incident_id: str) -> list[Entry]:
        """Actions of one incident, by id: the order of a dictionary does not survive every snapshot."""
        found = self._index.of_incident.get(incident_id, {})
        return [found[key] for key in sorted(found)]

    def due(self) -> list[Entry]:
        """Actions whose time has come, earliest first. Each is given once: keep it again to have it again."""
        ripe: dict[str, Entry] = {}
        times = self._index.times
        while times and times[0][0] <= self.book.now_ns:
            again_ns, key = heappop(times)
            entry = self.book.actions.get(key)
            if entry is not None and entry.again_ns == again_ns:
                ripe[key] = entry
        return list(ripe.values())

    def use(self, rule: ActionRule, target: str, *, simulated: bool) -> None:
        """Record that an action was armed or, simulated, proposed."""
        self.book.uses.append(Use(self.book.now_ns, simulated, rule.action, target))

    def usage(self, standing: Standing, rule: ActionRule, target: Target, *, simulated: bool) -> Usage:
        """The past, as far as the gates ask for it."""
        book = self.book
        uses = [use for use in book.uses if use.simulated == simulated]
        of_action = [use for use in uses if use.action == rule.action]
        return Usage(
            open_in_domain=self._index.live[standing.domain],
            busy=not simulated and self._is_busy(target.entity),
            last_ns=next((use.ts_ns for use in reversed(of_action) if use.target == target.entity), 0),
            action_nth_ns=_nth_latest(of_action, self._config.per_action_per_hour),
            global_nth_ns=_nth_latest(uses, self._config.per_hour),
        )

    def _is_busy(self, target: str) -> bool:
        incidents = self.book.incidents
        return any(incidents[entry.incident_id].live for entry in self._index.armed.get(target, {}).values())

    # ------------------------------------------------------------------------------------------------ snapshots
    def saved(self) -> dict[str, object]:
        """The book as plain JSON-able values, sharing nothing with it."""
        plain: dict[str, object] = msgspec.to_builtins(self.book)
        return plain

    def load(self, plain: dict[str, object]) -> None:
        """Become what was saved; nothing at all is an empty book. Raises StateError, and is then unchanged."""
        try:
            book = msgspec.convert(plain, Book)
        except msgspec.ValidationError as error:
            raise StateError(f"not a remediation ledger: {error}") from error
        self.book, self._index = book, _Index()
        for known in book.incidents.values():
            self._index.count(known, 1)
        for entry in book.actions.values():
            self._index.add(entry)


class _Index:
    """What can be told from a book, kept so that no question reads all of it."""

    def __init__(self) -> None:
        self.live: Counter[str] = Counter()  # domain → live incidents
        self.of_incident: dict[str, dict[str, Entry]] = {}
        self.armed: dict[str, dict[str, Entry]] = {}  # target → armed actions on it
        self.times: list[tuple[int, str]] = []  # a heap; what has changed since is passed over when it comes up

    def count(self, known: Standing | None, amount: int) -> None:
        if known is not None and known.live:
            self.live[known.domain] += amount

    def add(self, entry: Entry) -> None:
        self.of_incident.setdefault(entry.incident_id, {})[entry.id] = entry
        if entry.state is ActionState.ARMED:
            self.armed.setdefault(entry.target, {})[entry.id] = entry
        if entry.again_ns:
            heappush(self.times, (entry.again_ns, entry.id))

    def drop(self, incident_id: str) -> None:
        for entry in self.of_incident.pop(incident_id, {}).values():
            armed = self.armed.get(entry.target, {})
            armed.pop(entry.id, None)
            if not armed:
                self.armed.pop(entry.target, None)


def _nth_latest(uses: Sequence[Use], limit: int) -> int:
    """When the use happened that must pass out of the window before there is room for another; 0: there is room."""
    return uses[-limit].ts_ns if len(uses) >= limit else 0
