"""The respond stage as a machine: what comes out for a log of incidents."""

from __future__ import annotations

import msgspec
import pytest

from engine.config.tree import ActionRule, Respond
from engine.errors import StateError
from engine.ports import Snapshot
from engine.records import (
    Action,
    ActionState,
    Control,
    Evidence,
    Hint,
    Incident,
    IncidentState,
    Output,
    Record,
    Shard,
    Stamp,
    Topic,
    decode_action,
    encode,
)
from engine.respond.stage import RespondMachine
from engine.respond.writer import broken_link

NS = 1_000_000_000
START = 1_800_000_000 * NS
SHARD = Shard("foreshock.incidents", 0)


def incident(
    number: int = 1, *, at: int = 300, revision: int = 1, state: IncidentState = IncidentState.OPEN, **changes: object
) -> Incident:
    base = Incident(
        id=f"incident-{number}",
        revision=revision,
        state=state,
        domain="default",
        tenant="default",
        title="Errors on checkout",
        severity=17,
        started_ts_ns=START,
        opened_ts_ns=START + 60 * NS,
        ts_ns=START + at * NS,
        entities=["checkout"],
        firing=1,
        alerts_total=1,
        hints=[
            Hint(entity="checkout", metric="errors", probability=0.8, evidence=[Evidence(kind="onset", text="It began first.")])
        ],
        stamp=Stamp("foreshock.alerts", 0, at, number * 1000 + revision),
    )
    return msgspec.structs.replace(base, **changes)


def log(*messages: Incident | Control) -> list[Record]:
    return [Record(SHARD.topic, 0, offset, m.ts_ns, b"k", encode(m)) for offset, m in enumerate(messages)]


def machine(**rule: object) -> RespondMachine:
    given = {"name": "restart-it", "action": "restart", "mode": "auto", **rule}
    return RespondMachine(SHARD, config=Respond(rules=[ActionRule(**given)]), inventory=frozenset({"checkout", "cart"}))


def actions(outputs: list[Output]) -> list[Action]:
    return [decode_action(o.value) for o in outputs if o.topic is Topic.ACTIONS and o.value]


def told(outputs: list[Output]) -> list[tuple[str, str]]:
    return [(str(a.state), a.reason) for a in actions(outputs)]


def test_an_automatic_rule_arms_once_for_an_incident():
    respond = machine()
    outputs = respond.step(log(incident(at=300), incident(at=310, revision=2), incident(at=320, revision=3))).outputs
    assert told(outputs) == [("armed", "allowed")]


@pytest.mark.parametrize("mode", ["observe", "dry_run"])
def test_a_mode_that_only_watches_never_arms(mode):
    respond = machine(mode=mode)
    assert told(respond.step(log(incident(), incident(at=5000, revision=2))).outputs) == [("proposed", "allowed")]


def test_an_incident_that_is_over_withdraws_its_proposal():
    outputs = machine(mode="observe").step(log(incident(), incident(at=400, revision=2, state=IncidentState.RESOLVED))).outputs
    assert told(outputs) == [("proposed", "allowed"), ("blocked", "incident_over")]


def test_what_was_armed_stays_armed_when_the_incident_ends_and_is_not_armed_again_when_it_returns():
    back = [incident(at=400, revision=2, state=IncidentState.RESOLVED), incident(at=9000, revision=3)]
    assert told(machine(cooldown=1.0).step(log(incident(), *back)).outputs) == [("armed", "allowed")]


def test_a_clock_that_runs_backwards_shortens_no_limit():
    second = incident(2, at=-90_000, stamp=Stamp("foreshock.alerts", 0, 301, 0))
    outputs = machine(age_min=0.0).step(log(incident(), second)).outputs
    assert told(outputs)[1] == ("blocked", "target_busy")
    assert actions(outputs)[1].ts_ns == START + 300 * NS


def test_too_young_an_incident_is_acted_on_when_another_record_moves_the_log_past_its_age():
    other = incident(2, at=200, hints=[])
    outputs = machine().step(log(incident(at=60), other)).outputs
    assert told(outputs) == [("blocked", "too_young"), ("armed", "allowed")]


def test_a_record_that_ends_the_incident_is_applied_before_anything_that_fell_due():
    over = incident(at=500, revision=2, state=IncidentState.RESOLVED)
    assert told(machine().step(log(incident(at=60), over)).outputs) == [("blocked", "too_young")]


def answer(action: Action, verb: str, *, plan: str | None = None, actor: str = "operator", at: int = 320) -> Control:
    details = {"plan_hash": action.plan_hash if plan is None else plan}
    return Control(ts_ns=START + at * NS, actor=actor, verb=verb, object=action.id, details=details)


@pytest.mark.parametrize(
    ("verb", "changes", "last"),
    [
        ("approve", {}, ("armed", "allowed")),
        ("reject", {}, ("blocked", "rejected")),
        ("approve", {"plan": "another"}, ("awaiting_approval", "approval_needed")),
        ("approve", {"actor": ""}, ("awaiting_approval", "approval_needed")),
        ("approve", {"at": 300 + 901}, ("blocked", "approval_expired")),
        ("shrug", {}, ("awaiting_approval", "approval_needed")),
    ],
)
def test_only_an_approval_of_this_very_plan_by_somebody_in_time_arms(verb, changes, last):
    respond = machine(mode="approve")
    first = respond.step(log(incident())).outputs
    (asked,) = actions(first)
    second = respond.step([log(incident(), answer(asked, verb, **changes))[1]]).outputs
    assert (told(first) + told(second))[-1] == last


def test_an_approval_passes_the_gates_again():
    respond = machine(mode="approve")
    (asked,) = actions(respond.step(log(incident())).outputs)
    quiet = incident(at=310, revision=2, firing=0)
    records = log(incident(), quiet, answer(asked, "approve"))[1:]
    assert told(respond.step(records).outputs) == [("blocked", "not_firing")]


def test_an_approval_nobody_gave_lapses():
    later = incident(2, at=300 + 901, hints=[])
    outputs = machine(mode="approve").step(log(incident(), later)).outputs
    assert told(outputs) == [("awaiting_approval", "approval_needed"), ("blocked", "approval_expired")]


def test_a_cause_that_moved_elsewhere_withdraws_the_proposal_about_the_first():
    moved = [Hint(entity="cart", metric="errors", probability=0.9, evidence=[])]
    outputs = machine(mode="observe").step(log(incident(), incident(at=310, revision=2, hints=moved))).outputs
    assert [(a.target, str(a.state), a.reason) for a in actions(outputs)] == [
        ("checkout", "proposed", "allowed"),
        ("checkout", "blocked", "no_match"),
        ("cart", "proposed", "allowed"),
    ]


def test_repeated_records_change_nothing():
    respond = machine()
    records = log(incident())
    respond.step(records)
    again = respond.step(records)
    assert not again.outputs
    assert [k[0].value for k in again.stats.counts] == ["foreshock_duplicates_dropped_total"]


def test_every_message_has_a_utf8_key_and_headers_and_a_stamp_of_its_record():
    outputs = machine().step(log(incident())).outputs
    assert [o.topic for o in outputs] == [Topic.ACTIONS, Topic.AUDIT]
    assert outputs[0].key == b"checkout"
    for output in outputs:
        assert output.key.decode()
        assert all(value.decode() for _, value in output.headers)
    stamps = [msgspec.json.decode(o.value or b"")["stamp"] for o in outputs]
    assert stamps == [["foreshock.incidents", 0, 0, 0], ["foreshock.incidents", 0, 0, 1]]


def test_the_audit_chain_holds_over_steps_and_shows_a_changed_record():
    respond = machine()
    outputs = [o for r in log(incident(), incident(2, at=310), incident(3, at=320)) for o in respond.step([r]).outputs]
    chain = [o.value or b"" for o in outputs if o.topic is Topic.AUDIT]
    assert len(chain) == 3
    assert broken_link(chain) is None
    assert broken_link([chain[0], chain[1].replace(b"foreshock", b"foreshook"), chain[2]]) == 2


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (b"{", b"malformed"),
        (b"\xff", b"malformed"),
        (b'{"type":"incident"}', b"wrong_type"),
        (b'{"type":"alert"}', b"wrong_type"),
    ],
)
def test_what_is_not_an_incident_goes_to_the_dead_letters(value, reason):
    (output,) = machine().step([Record(SHARD.topic, 0, 0, START, None, value)]).outputs
    assert (output.topic, output.value) == (Topic.DEAD_LETTERS, value)
    assert dict(output.headers)["foreshock.error.code"] == reason


def test_a_tombstone_is_no_news():
    assert not machine().step([Record(SHARD.topic, 0, 0, START, b"k", None)]).outputs


def test_a_foreign_snapshot_is_refused_and_changes_nothing():
    respond = machine()
    respond.step(log(incident()))
    before = respond.snapshot()
    with pytest.raises(StateError):
        respond.restore(Snapshot({"incidents": 3}, {}))
    assert respond.snapshot() == before


def test_a_rule_that_is_gone_after_a_restart_blocks_what_it_had_under_way():
    before = machine()
    before.step(log(incident(at=60)))
    after = machine(name="another-rule", entities=["cart"])
    after.restore(before.snapshot())
    outputs = after.step(log(incident(), incident(2, at=300, hints=[]))[1:]).outputs
    assert told(outputs) == [("blocked", "no_match")]


def test_all_states_that_policy_may_write_are_short_of_executing():
    """Executing is the business of whoever takes the trigger."""
    assert ActionState.EXECUTING not in {a.state for a in actions(machine().step(log(incident())).outputs)}
