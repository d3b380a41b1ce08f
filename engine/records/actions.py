"""Remediation triggers and the audit trail."""

from __future__ import annotations

import msgspec

from engine.enums import Word
from engine.records.log import Stamp


class ActionState(Word):
    PROPOSED = "proposed"
    AWAITING_APPROVAL = "awaiting_approval"
    ARMED = "armed"
    EXECUTING = "executing"
    VERIFYING = "verifying"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    UNKNOWN = "unknown"
    BLOCKED = "blocked"


class Action(msgspec.Struct, frozen=True, kw_only=True, tag="action"):
    """One remediation trigger with its whole life; each message is the whole state."""

    id: str  # digest(incident id, rule, target)
    revision: int
    state: ActionState
    mode: str  # off | observe | dry_run | approve | auto
    rule: str
    action: str  # what is to be done: `rollback`, `restart`, `scale`, …
    target: str  # an entity id, from the inventory, never from log text
    parameters: dict[str, str]
    incident_id: str
    incident_revision: int
    domain: str
    ts_ns: int
    plan: str  # what would be done, one sentence
    plan_hash: str  # approvals are bound to it
    reason: str  # the deciding gate by name; `allowed` when none objected
    gates: list[str] = []  # every gate that was asked, in order, as `name=verdict`
    stamp: Stamp


class Audit(msgspec.Struct, frozen=True, kw_only=True, tag="audit"):
    """Who or what decided what, when, on which grounds. Append only, chained by hash."""

    ts_ns: int
    actor: str  # `foreshock` or a person
    verb: str  # `proposed`, `blocked`, `approved`, `silenced`, …
    object: str
    reason: str
    details: dict[str, str] = {}
    previous: str = ""  # digest of the record before this one in the same partition
    stamp: Stamp
