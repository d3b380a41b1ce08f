"""Laws over any log: limits hold, restarts and cuts change nothing, watching never acts, the chain never breaks."""

from __future__ import annotations

from itertools import pairwise

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.config.tree import ActionRule, Respond
from engine.ports import Snapshot
from engine.records import (
    Action,
    ActionState,
    Hint,
    Incident,
    IncidentState,
    Output,
    Record,
    Shard,
    Stamp,
    Topic,
    decode_action,
    decode_incident,
    encode,
)
from engine.respond.policy import HOUR_NS, NS
from engine.respond.stage import RespondMachine
from engine.respond.writer import broken_link

START = 1_800_000_000 * NS
SHARD = Shard("foreshock.incidents", 0)
SERVICES = ("checkout", "cart", "mail", "search")

NEWS = st.tuples(
    st.integers(0, 7),  # incident
    st.sampled_from([*IncidentState, *[IncidentState.OPEN] * 8]),
    st.sampled_from(SERVICES),  # likeliest cause
    st.sampled_from([0.9, 0.9, 0.9, 0.2]),
    st.sampled_from([0, 0, 1, 60, 130, 700, 1500, -400]),  # seconds since the record before
    st.integers(0, 3),  # alerts firing
)
LOGS = st.lists(NEWS, min_size=1, max_size=70)


def log_of(script: list[tuple[int, IncidentState, str, float, int, int]]) -> list[Record]:
    """What correlation may write: an incident that was closed or merged does not come back."""
    now, records, gone = START, [], set()
    began: dict[int, int] = {}
    for number, state, service, probability, gap, firing in script:
        now += gap * NS
        if number in gone:
            continue
        if state in (IncidentState.CLOSED, IncidentState.MERGED):
            gone.add(number)
        offset = len(records)
        message = Incident(
            id=f"incident-{number}",
            revision=offset + 1,
            state=state,
            domain="default",
            tenant="default",
            title="t",
            severity=17,
            started_ts_ns=began.setdefault(number, now),
            opened_ts_ns=START,
            ts_ns=now,
            firing=firing,
            hints=[Hint(entity=service, metric="errors", probability=probability, evidence=[])],
            stamp=Stamp("foreshock.alerts", 0, offset, 0),
        )
        records.append(Record(SHARD.topic, 0, offset, now, b"k", encode(message)))
    return records


def machine(mode: str = "auto", *, storm: int = 100) -> RespondMachine:
    rules = [
        ActionRule(name="restart-it", action="restart", mode=mode, cooldown=1800.0),
        ActionRule(name="page-it", action="page", mode=mode, cooldown=60.0, age_min=600.0),
        ActionRule(name="scale-it", action="scale", mode=mode, cooldown=0.0, entities=["c*"]),
    ]
    config = Respond(rules=rules, per_action_per_hour=2, per_hour=3, storm_incidents=storm)
    return RespondMachine(SHARD, config=config, inventory=frozenset(SERVICES))


def actions(outputs: list[Output], state: ActionState) -> list[Action]:
    decoded = [decode_action(o.value) for o in outputs if o.topic is Topic.ACTIONS and o.value]
    return [a for a in decoded if a.state is state]


@given(LOGS)
@settings(deadline=None)
def test_whatever_happens_the_limits_hold_and_nothing_is_armed_for_an_incident_that_is_over(script):
    armed = actions(machine().step(log_of(script)).outputs, ActionState.ARMED)
    assert len({a.id for a in armed}) == len(armed)
    for action in armed:
        window = [a for a in armed if action.ts_ns - HOUR_NS < a.ts_ns <= action.ts_ns]
        assert len(window) <= 3
        assert len([a for a in window if a.action == action.action]) <= 2
    assert [a.ts_ns for a in armed] == sorted(a.ts_ns for a in armed)
    for target in SERVICES:
        times = [a.ts_ns for a in armed if (a.action, a.target) == ("restart", target)]
        assert all(later - earlier >= 1800 * NS for earlier, later in pairwise(times))
    known = {i.revision: i.state for i in (decode_incident(r.value) for r in log_of(script) if r.value)}
    live = {IncidentState.OPEN, IncidentState.ACKNOWLEDGED, IncidentState.MITIGATING}
    assert all(known[a.incident_revision] in live for a in armed)


@given(LOGS, st.sampled_from(["off", "observe", "dry_run", "approve"]))
@settings(deadline=None, max_examples=50)
def test_without_an_automatic_mode_or_an_approval_nothing_is_ever_armed(script, mode):
    assert not actions(machine(mode).step(log_of(script)).outputs, ActionState.ARMED)


@given(LOGS, st.data())
@settings(deadline=None, max_examples=60)
def test_cuts_and_restarts_anywhere_change_no_byte(script, data):
    """A restart goes through JSON with sorted keys: the order of a dictionary must not matter."""
    records = log_of(script)
    mode = data.draw(st.sampled_from(["auto", "observe", "approve"]))
    whole = machine(mode).step(records).outputs
    cuts = sorted(data.draw(st.sets(st.integers(0, len(records)), max_size=6)))
    current, outputs = machine(mode), []
    for start, end in pairwise([0, *cuts, len(records)]):
        outputs += current.step(records[start:end]).outputs
        saved = msgspec.json.decode(msgspec.json.encode(current.snapshot().meta, order="sorted"))
        current = machine(mode)
        current.restore(Snapshot(saved, {}))
    assert outputs == whole


@given(LOGS)
@settings(deadline=None, max_examples=50)
def test_a_log_read_twice_decides_nothing_twice(script):
    respond = machine()
    respond.step(log_of(script))
    assert not respond.step(log_of(script)).outputs


@given(LOGS)
@settings(deadline=None, max_examples=50)
def test_every_action_has_its_audit_record_and_the_chain_holds(script):
    outputs = machine("observe").step(log_of(script)).outputs
    audit = [o.value or b"" for o in outputs if o.topic is Topic.AUDIT]
    assert broken_link(audit) is None
    assert len(audit) == sum(o.topic is Topic.ACTIONS for o in outputs)


@given(LOGS)
@settings(deadline=None, max_examples=50)
def test_each_action_is_told_as_one_life_with_rising_revisions_and_no_repeats(script):
    outputs = machine("observe").step(log_of(script)).outputs
    lives: dict[str, list[Action]] = {}
    for output in outputs:
        if output.topic is Topic.ACTIONS and output.value:
            action = decode_action(output.value)
            lives.setdefault(action.id, []).append(action)
    for life in lives.values():
        assert [a.revision for a in life] == list(range(1, len(life) + 1))
        assert all((a.state, a.reason) != (b.state, b.reason) for a, b in pairwise(life))


def test_a_thousand_incidents_at_once_trip_the_brake_and_arm_nothing_after_it():
    script = [(n, IncidentState.OPEN, SERVICES[n % 4], 0.9, 200 if n == 0 else 0, 1) for n in range(1000)]
    armed = actions(machine(storm=5).step(log_of(script)).outputs, ActionState.ARMED)
    assert len(armed) <= 3
    assert all(int(a.incident_id.removeprefix("incident-")) <= 5 for a in armed)
