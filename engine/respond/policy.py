"""May this rule act on this target, now? A pure list of gates: the first that objects decides, and its name is the reason.

Deny by default. The order is part of the contract (RELIABILITY.md §3): switches, what the rule asks for, who the targets
are, how much has been done lately, how sure the cause is, whether it still matters. Approval comes after all of them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from enum import StrEnum
from fnmatch import fnmatchcase
from typing import NamedTuple

import msgspec

from engine.config.tree import ActionRule, Respond
from engine.records import AnomalyKind, Hint, Incident, IncidentState

NS = 1_000_000_000
HOUR_NS = 3600 * NS
ENTITY_CHARACTERS_MAX = 253

LIVE = frozenset({IncidentState.OPEN, IncidentState.ACKNOWLEDGED, IncidentState.MITIGATING})
"""States of an incident about which something may be done."""


class Reason(StrEnum):
    """Why an action is where it is. A closed set: `Action.reason`, the metric's label and the audit's word."""

    ALLOWED = "allowed"
    KILL_SWITCH = "kill_switch"
    RULE_OFF = "rule_off"
    NO_MATCH = "no_match"
    TARGETS_EMPTY = "targets_empty"
    NOT_IN_INVENTORY = "not_in_inventory"
    TOO_MANY_TARGETS = "too_many_targets"
    STORM = "storm"
    TARGET_BUSY = "target_busy"
    COOLDOWN = "cooldown"
    ACTION_RATE = "action_rate"
    GLOBAL_RATE = "global_rate"
    ABSTAINED = "abstained"
    LOW_CONFIDENCE = "low_confidence"
    INCIDENT_OVER = "incident_over"
    NOT_FIRING = "not_firing"
    TOO_YOUNG = "too_young"
    APPROVAL_NEEDED = "approval_needed"
    APPROVAL_EXPIRED = "approval_expired"
    REJECTED = "rejected"


class Target(msgspec.Struct, frozen=True):
    """One entity that a rule would act on, and why that one."""

    entity: str
    metric: str
    probability: float
    change: str = ""  # what changed, for people; "" when no change is held responsible


class Match(msgspec.Struct, frozen=True):
    """What a rule makes of an incident: the targets, likeliest first. None: the rule does not match."""

    rule: str
    targets: list[Target]


class Standing(msgspec.Struct, frozen=True):
    """What policy remembers of an incident: its latest revision, without its members."""

    id: str
    revision: int
    state: IncidentState
    domain: str
    started_ts_ns: int
    ts_ns: int
    firing: int
    abstained: bool
    matches: list[Match]

    @property
    def live(self) -> bool:
        """Whether anything may be done about it at all."""
        return self.state in LIVE


class Usage(NamedTuple):
    """What the ledger says about the past, for one question. Times are log time; 0 means never."""

    open_in_domain: int = 0
    busy: bool = False  # another armed action on this target belongs to an incident that is not over
    last_ns: int = 0  # when this action was last used on this target
    action_nth_ns: int = 0  # when the use happened that must age an hour before this action may be used again; 0: room is left
    global_nth_ns: int = 0  # the same over all actions


class Question(NamedTuple):
    """Everything a gate may look at."""

    config: Respond
    rule: ActionRule
    standing: Standing
    targets: Sequence[Target]
    target: Target
    inventory: frozenset[str]
    usage: Usage
    now_ns: int


class Verdict(NamedTuple):
    """The deciding reason, every gate that was asked as `name=verdict`, and when asking again could change the answer (0: only news can)."""

    reason: Reason
    gates: list[str]
    again_ns: int = 0


class Objection(NamedTuple):
    """A gate's no: why, and when asking again could change it (0: only news can)."""

    reason: Reason
    again_ns: int = 0


Gate = Callable[[Question], Objection | None]


def standing(incident: Incident, rules: Sequence[ActionRule]) -> Standing:
    """An incident as policy remembers it, matched against every rule."""
    found = ((rule.name, targets(rule, incident)) for rule in rules)
    return Standing(
        id=incident.id,
        revision=incident.revision,
        state=incident.state,
        domain=incident.domain,
        started_ts_ns=incident.started_ts_ns,
        ts_ns=incident.ts_ns,
        firing=incident.firing,
        abstained=incident.abstained,
        matches=[Match(name, listed) for name, listed in found if listed],
    )


def targets(rule: ActionRule, incident: Incident) -> list[Target]:
    """The entities of the likeliest hints that all meet the rule: a cause that it does not fit ends the list.

    So a rule never reaches past a likelier cause to one that suits it. Hints below `probability_min` do not join, but the
    first hint is kept whatever its probability: the gate on confidence is then the one that objects.
    """
    found: dict[str, Target] = {}
    for rank, hint in enumerate(incident.hints):
        if not _fits(rule, hint, incident) or (rank and hint.probability < rule.probability_min):
            break
        found.setdefault(hint.entity, Target(hint.entity, hint.metric, hint.probability, _change_text(hint, incident)))
    return list(found.values())


def _fits(rule: ActionRule, hint: Hint, incident: Incident) -> bool:
    return (
        _any_matches(rule.entities, hint.entity)
        and (not rule.metrics or _any_matches(rule.metrics, hint.metric))
        and (not rule.kinds or not _kinds(hint, incident).isdisjoint(rule.kinds))
        and (not rule.needs_change or bool(hint.change))
        and (not rule.needs_event or _has_event(rule.needs_event, hint, incident))
    )


def _any_matches(patterns: Sequence[str], text: str) -> bool:
    # Only * is special: [ and ? are ordinary characters in the names of metrics and entities.
    return any(fnmatchcase(text, p.replace("[", "[[]").replace("?", "[?]")) for p in patterns)


def _kinds(hint: Hint, incident: Incident) -> set[str]:
    return {
        str(member.kind)
        for member in incident.members
        if member.entity == hint.entity
        and (member.kind is AnomalyKind.JOINT or hint.metric in ("", member.series.partition("{")[0]))
    }


def _has_event(name: str, hint: Hint, incident: Incident) -> bool:
    # A pod is named after its owner: an event of `cart-5f9c` speaks about `cart`.
    return any(
        change.name == name and (change.entity == hint.entity or change.entity.startswith(f"{hint.entity}-"))
        for change in incident.changes
    )


def _change_text(hint: Hint, incident: Incident) -> str:
    if not hint.change:
        return ""
    return next((f"{c.name} on {c.entity}" for c in incident.changes if c.id == hint.change), hint.change)


def _kill_switch(q: Question) -> Objection | None:
    return None if q.config.enabled else Objection(Reason.KILL_SWITCH)


def _mode(q: Question) -> Objection | None:
    return Objection(Reason.RULE_OFF) if q.rule.mode == "off" else None


def _match(q: Question) -> Objection | None:
    return None if any(m.rule == q.rule.name for m in q.standing.matches) else Objection(Reason.NO_MATCH)


def _target_set(q: Question) -> Objection | None:
    names = [t.entity for t in q.targets]
    if not names or not all(names):
        return Objection(Reason.TARGETS_EMPTY)
    if any(name not in q.inventory or len(name) > ENTITY_CHARACTERS_MAX for name in names):
        return Objection(Reason.NOT_IN_INVENTORY)
    return Objection(Reason.TOO_MANY_TARGETS) if len(names) > q.config.targets_max else None


def _storm(q: Question) -> Objection | None:
    return Objection(Reason.STORM) if q.usage.open_in_domain > q.config.storm_incidents else None


def _busy(q: Question) -> Objection | None:
    return Objection(Reason.TARGET_BUSY) if q.usage.busy else None


def _cooldown(q: Question) -> Objection | None:
    until = q.usage.last_ns + int(q.rule.cooldown * NS)
    return Objection(Reason.COOLDOWN, until) if q.usage.last_ns and q.now_ns < until else None


def _action_rate(q: Question) -> Objection | None:
    return _rate(q.usage.action_nth_ns, q.now_ns, Reason.ACTION_RATE)


def _global_rate(q: Question) -> Objection | None:
    return _rate(q.usage.global_nth_ns, q.now_ns, Reason.GLOBAL_RATE)


def _rate(nth_ns: int, now_ns: int, reason: Reason) -> Objection | None:
    return Objection(reason, nth_ns + HOUR_NS) if nth_ns and now_ns < nth_ns + HOUR_NS else None


def _confidence(q: Question) -> Objection | None:
    if q.standing.abstained:
        return Objection(Reason.ABSTAINED)
    sure = q.target.probability >= q.rule.probability_min  # False for NaN
    return None if sure else Objection(Reason.LOW_CONFIDENCE)


def _still_on(q: Question) -> Objection | None:
    if not q.standing.live:
        return Objection(Reason.INCIDENT_OVER)
    return None if q.standing.firing > 0 else Objection(Reason.NOT_FIRING)


def _age(q: Question) -> Objection | None:
    ripe_ns = q.standing.started_ts_ns + int(q.rule.age_min * NS)
    return Objection(Reason.TOO_YOUNG, ripe_ns) if q.now_ns < ripe_ns else None


GATES: Mapping[str, Gate] = {
    "kill_switch": _kill_switch,
    "mode": _mode,
    "match": _match,
    "target_set": _target_set,
    "storm_brake": _storm,
    "target_busy": _busy,
    "cooldown": _cooldown,
    "action_rate": _action_rate,
    "global_rate": _global_rate,
    "confidence": _confidence,
    "still_on": _still_on,
    "age": _age,
}


def decide(question: Question) -> Verdict:
    """Ask the gates in order until one objects."""
    asked: list[str] = []
    for name, gate in GATES.items():
        objection = gate(question)
        if objection is not None:
            asked.append(f"{name}={objection.reason}")
            return Verdict(objection.reason, asked, objection.again_ns)
        asked.append(f"{name}=pass")
    return Verdict(Reason.ALLOWED, asked)
