"""The respond stage: incidents in, remediation intents and audit out. It triggers nothing itself: `armed` is the trigger.

Event time only. Each record is applied before anything that fell due in the meantime, so no action is armed for an incident
that the same log already says is over. Limits hold on each partition of the incidents topic: with more than one, each
has the limits to itself.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from engine.config.tree import ActionRule, Respond
from engine.errors import Reject
from engine.metrics import Metric
from engine.ports import Snapshot, StepResult
from engine.records import Action, ActionState, Control, Incident, IncidentState, Record, Shard, Stamp, digest
from engine.respond.ledger import ACTIONS_PER_INCIDENT_MAX, Entry, Ledger
from engine.respond.policy import NS, Question, Reason, Standing, Target, Verdict, decide, standing
from engine.respond.writer import ENGINE, Writer

APPROVAL_SECONDS = 900
"""An approval that nobody gave for so long of log time is not wanted any more."""

_MESSAGE = msgspec.json.Decoder(Incident | Control)
_UNSTAMPED = Stamp("", 0, 0, 0)
_SIMULATED = frozenset({"observe", "dry_run"})
_DONE = frozenset({ActionState.ARMED, ActionState.PROPOSED, ActionState.AWAITING_APPROVAL})
"""States in which a new revision of the incident asks nothing again."""
_GONE = frozenset({IncidentState.CLOSED, IncidentState.MERGED})
"""States from which an incident does not come back."""
_ANSWERS = {"approve": "approved", "reject": "rejected"}


class RespondMachine:
    """One partition of the incidents topic. Approvals are `Control` records in that same log, so that their order is part of it."""

    def __init__(self, shard: Shard, *, config: Respond, inventory: frozenset[str]) -> None:
        self.shard = shard
        self._config = config
        self._inventory = inventory
        self._rules = {rule.name: rule for rule in config.rules}
        self._ledger = Ledger(config)
        self._writer = Writer(shard, "")

    # ------------------------------------------------------------------------------------------------ the machine
    def step(self, records: Sequence[Record]) -> StepResult:
        """Take incident revisions and approvals, in the log's order."""
        self._writer = Writer(self.shard, self._ledger.book.audit)
        for record in records:
            self._writer.turn_to(record)
            self._take(record)
        self._ledger.book.audit = self._writer.audit
        return self._writer.result()

    def finish(self) -> StepResult:
        """Nothing is held back: what has not fallen due by the end of the log is not decided."""
        return Writer(self.shard, self._ledger.book.audit).result()

    def snapshot(self) -> Snapshot:
        """Everything is in `meta`: a ledger is small."""
        return Snapshot(self._ledger.saved(), {})

    def restore(self, snapshot: Snapshot) -> None:
        """Raises StateError when `meta` is not a ledger's."""
        self._ledger.load(snapshot.meta)

    # ------------------------------------------------------------------------------------------------ one record
    def _take(self, record: Record) -> None:
        if not record.value:
            return  # a tombstone: compaction may forget an incident, policy does so by itself
        try:
            message = _MESSAGE.decode(record.value)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            wrong_type = isinstance(error, msgspec.ValidationError)
            self._writer.dead_letter(record, Reject.WRONG_TYPE if wrong_type else Reject.MALFORMED, str(error))
            return
        if isinstance(message, Incident):
            self._take_incident(message)
        else:
            self._take_control(message)
        for entry in self._ledger.due():
            self._fall_due(entry)

    def _take_incident(self, incident: Incident) -> None:
        stamp = incident.stamp
        repeat = self._ledger.is_repeat(f"{stamp.topic}-{stamp.partition}", stamp.offset, stamp.seq)
        if repeat or incident.revision <= self._ledger.revision(incident.id):
            self._writer.stats.count(Metric.DUPLICATES_DROPPED, 1, "respond")
            return
        self._ledger.advance(incident.ts_ns)
        now = standing(incident, self._config.rules)
        if not self._ledger.remember(now):
            if now.live:
                self._writer.stats.count(Metric.LIMITS_REACHED, 1, "respond_incidents")
            return
        if now.live:
            self._consider(now)
        else:
            self._withdraw(now, Reason.INCIDENT_OVER)
        if now.state in _GONE:
            self._ledger.forget(now.id)

    def _take_control(self, control: Control) -> None:
        """An answer to an action that waits for one. It never moves log time: whoever answers does not set the clock."""
        entry = self._ledger.book.actions.get(control.object)
        word = _ANSWERS.get(control.verb)
        if word is None or entry is None or entry.state is not ActionState.AWAITING_APPROVAL:
            return
        details = {"plan": control.details.get("plan_hash", ""), "expected": entry.plan_hash}
        if not control.actor or details["plan"] != entry.plan_hash:
            self._writer.note(control.ts_ns, control.actor or "nobody", "answer_refused", entry.id, "plan_differs", details)
        elif control.ts_ns >= entry.again_ns:
            self._move(entry, ActionState.BLOCKED, Verdict(Reason.APPROVAL_EXPIRED, []), ENGINE)
        elif control.verb == "reject":
            self._writer.note(control.ts_ns, control.actor, word, entry.id, control.reason, details)
            self._move(entry, ActionState.BLOCKED, Verdict(Reason.REJECTED, []), control.actor)
        else:
            self._writer.note(control.ts_ns, control.actor, word, entry.id, control.reason, details)
            self._ask(entry, approved_by=control.actor)

    # ------------------------------------------------------------------------------------------------ deciding
    def _consider(self, now: Standing) -> None:
        """Withdraw what is no longer indicated, then ask about everything that is."""
        wanted = {self._action_id(now, match.rule, target): (match, target) for match in now.matches for target in match.targets}
        known = self._ledger.actions_of(now.id)
        self._withdraw(now, Reason.NO_MATCH, keep=frozenset(wanted))
        for action_id, (match, target) in wanted.items():
            entry = next((e for e in known if e.id == action_id), None)
            if entry is None and len(known) >= ACTIONS_PER_INCIDENT_MAX:
                self._writer.stats.count(Metric.LIMITS_REACHED, 1, "respond_actions")
                continue
            entry = entry or self._new_entry(action_id, now, self._rules[match.rule], target)
            if entry.state not in _DONE and entry.reason is not Reason.REJECTED:
                self._ask(entry)

    def _new_entry(self, action_id: str, now: Standing, rule: ActionRule, target: Target) -> Entry:
        return Entry(
            id=action_id,
            incident_id=now.id,
            rule=rule.name,
            action=rule.action,
            target=target.entity,
            state=ActionState.BLOCKED,
            reason=Reason.NO_MATCH,
            revision=0,
            plan_hash="",
            since_ns=self._ledger.book.now_ns,
        )

    def _ask(self, entry: Entry, *, approved_by: str = "") -> None:
        """Put one action before the gates and write down what they say, if that is news."""
        now = self._ledger.book.incidents[entry.incident_id]
        rule = self._rules.get(entry.rule)
        match = next((m for m in now.matches if m.rule == entry.rule), None)
        target = next((t for t in match.targets if t.entity == entry.target), None) if match else None
        if rule is None or match is None or target is None:  # the configuration has changed since, or the cause has
            self._move(entry, ActionState.BLOCKED, Verdict(Reason.NO_MATCH, []), ENGINE)
            return
        simulated = rule.mode in _SIMULATED
        usage = self._ledger.usage(now, rule, target, simulated=simulated)
        verdict = decide(
            Question(self._config, rule, now, match.targets, target, self._inventory, usage, self._ledger.book.now_ns)
        )
        state = ActionState.BLOCKED
        if verdict.reason is Reason.ALLOWED:
            state, verdict = self._allowed(rule, verdict, approved=bool(approved_by))
        if state in (ActionState.ARMED, ActionState.PROPOSED):
            self._ledger.use(rule, entry.target, simulated=simulated)
        self._move(entry, state, verdict, approved_by or ENGINE)

    def _allowed(self, rule: ActionRule, verdict: Verdict, *, approved: bool) -> tuple[ActionState, Verdict]:
        """What a rule's mode makes of an action to which no gate objects. Only `auto`, or a person's approval, arms it."""
        if rule.mode == "auto" or (rule.mode == "approve" and approved):
            return ActionState.ARMED, verdict
        if rule.mode != "approve":
            return ActionState.PROPOSED, verdict
        lapses_ns = self._ledger.book.now_ns + APPROVAL_SECONDS * NS
        asked = [*verdict.gates, f"approval={Reason.APPROVAL_NEEDED}"]
        return ActionState.AWAITING_APPROVAL, Verdict(Reason.APPROVAL_NEEDED, asked, lapses_ns)

    def _fall_due(self, entry: Entry) -> None:
        if entry.state is ActionState.AWAITING_APPROVAL:
            self._move(entry, ActionState.BLOCKED, Verdict(Reason.APPROVAL_EXPIRED, []), ENGINE)
        elif self._ledger.book.incidents[entry.incident_id].live:
            self._ask(entry)
        else:
            entry.again_ns = 0

    def _withdraw(self, now: Standing, reason: Reason, keep: frozenset[str] = frozenset()) -> None:
        """Take back what was only proposed; what was armed stays on the books."""
        for entry in self._ledger.actions_of(now.id):
            if entry.id in keep or entry.state is ActionState.ARMED:
                continue
            entry.again_ns = 0
            if entry.state is not ActionState.BLOCKED:
                self._move(entry, ActionState.BLOCKED, Verdict(reason, []), ENGINE)

    # ------------------------------------------------------------------------------------------------ writing
    def _move(self, entry: Entry, state: ActionState, verdict: Verdict, actor: str) -> None:
        """Change an action's place and publish it; the same place for the same reason is no news."""
        entry.again_ns = verdict.again_ns
        if entry.revision and (entry.state, entry.reason) == (state, verdict.reason):
            self._ledger.keep(entry)
            return
        now = self._ledger.book.incidents[entry.incident_id]
        entry.state, entry.reason, entry.revision = state, verdict.reason, entry.revision + 1
        entry.since_ns = self._ledger.book.now_ns
        action = self._describe(entry, now, verdict)
        entry.plan_hash = action.plan_hash
        self._ledger.keep(entry)
        self._writer.action(action)
        details = {
            "rule": entry.rule,
            "action": entry.action,
            "target": entry.target,
            "incident": now.id,
            "plan": action.plan_hash,
        }
        self._writer.note(action.ts_ns, actor, str(state), entry.id, verdict.reason, {**details, "mode": action.mode})

    def _describe(self, entry: Entry, now: Standing, verdict: Verdict) -> Action:
        rule = self._rules.get(entry.rule)
        found = [t for m in now.matches if m.rule == entry.rule for t in m.targets if t.entity == entry.target]
        parameters = dict(rule.parameters) if rule else {}
        return Action(
            id=entry.id,
            revision=entry.revision,
            state=entry.state,
            mode=rule.mode if rule else "off",
            rule=entry.rule,
            action=entry.action,
            target=entry.target,
            parameters=parameters,
            incident_id=now.id,
            incident_revision=now.revision,
            domain=now.domain,
            ts_ns=self._ledger.book.now_ns,
            plan=_plan(entry, parameters, found[0] if found else None),
            plan_hash=digest(
                entry.rule, entry.action, entry.target, now.id, *(f"{k}={v}" for k, v in sorted(parameters.items()))
            ),
            reason=verdict.reason,
            gates=verdict.gates,
            stamp=_UNSTAMPED,
        )

    @staticmethod
    def _action_id(now: Standing, rule: str, target: Target) -> str:
        return digest(now.id, rule, target.entity)


def _plan(entry: Entry, parameters: dict[str, str], target: Target | None) -> str:
    """What would be done and why, one sentence."""
    what = f"{entry.action} {entry.target}"
    if parameters:
        what += " with " + ", ".join(f"{name}={text}" for name, text in sorted(parameters.items()))
    if target is None:
        return f"{what}."
    because = target.change or target.metric or "its behaviour"
    return f"{what}, because {because} is the likeliest cause ({target.probability:.0%})."
