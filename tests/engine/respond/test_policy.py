"""Each gate by itself: the one thing that is wrong decides, and its name is the reason."""

from __future__ import annotations

import msgspec
import pytest

from engine.config.tree import ActionRule, Respond
from engine.records import AlertState, AnomalyKind, Change, Evidence, Hint, Incident, IncidentState, Member, Stamp
from engine.respond.policy import GATES, HOUR_NS, NS, Question, Reason, Standing, Target, Usage, decide, standing, targets

NOW = 1_800_000_000 * NS
STAMP = Stamp("foreshock.alerts", 0, 0, 0)


def hint(entity: str = "checkout", metric: str = "errors", probability: float = 0.8, change: str = "") -> Hint:
    return Hint(
        entity=entity, metric=metric, probability=probability, evidence=[Evidence(kind="onset", text="First.")], change=change
    )


def member(entity: str = "checkout", series: str = 'errors{service="checkout"}', kind: AnomalyKind = AnomalyKind.SPIKE) -> Member:
    return Member(id="m", series=series, entity=entity, kind=kind, state=AlertState.FIRING, onset_ts_ns=NOW, score=2.0)


def change(name: str = "deploy", entity: str = "checkout") -> Change:
    return Change(
        id="c1",
        ts_ns=NOW,
        name=name,
        entity=entity,
        domain="default",
        tenant="default",
        is_change=True,
        severity=9,
        text="",
        attributes={},
        stamp=STAMP,
    )


def incident(**changes: object) -> Incident:
    base = Incident(
        id="i",
        revision=1,
        state=IncidentState.OPEN,
        domain="default",
        tenant="default",
        title="t",
        severity=17,
        started_ts_ns=NOW - 600 * NS,
        opened_ts_ns=NOW,
        ts_ns=NOW,
        firing=1,
        hints=[hint()],
        members=[member()],
        stamp=STAMP,
    )
    return msgspec.structs.replace(base, **changes)


def rule(**changes: object) -> ActionRule:
    return ActionRule(**{"name": "r", "action": "restart", "mode": "auto", **changes})


def question(**changes: object) -> Question:
    """A question to which no gate objects, but for what is changed."""
    found = [Target("checkout", "errors", 0.8)]
    asked = Question(
        config=Respond(),
        rule=rule(),
        standing=standing(incident(), [rule()]),
        targets=found,
        target=found[0],
        inventory=frozenset({"checkout", "cart"}),
        usage=Usage(),
        now_ns=NOW,
    )
    return asked._replace(**changes)


def still(**changes: object) -> Standing:
    return msgspec.structs.replace(standing(incident(), [rule()]), **changes)


MANY = [Target("checkout", "errors", 0.5), Target("cart", "errors", 0.5)]

WRONG: dict[Reason, tuple[str, dict[str, object]]] = {
    Reason.KILL_SWITCH: ("kill_switch", {"config": Respond(enabled=False)}),
    Reason.RULE_OFF: ("mode", {"rule": rule(mode="off")}),
    Reason.NO_MATCH: ("match", {"standing": still(matches=[])}),
    Reason.TARGETS_EMPTY: ("target_set", {"targets": []}),
    Reason.NOT_IN_INVENTORY: ("target_set", {"inventory": frozenset()}),
    Reason.TOO_MANY_TARGETS: ("target_set", {"targets": MANY}),
    Reason.STORM: ("storm_brake", {"usage": Usage(open_in_domain=6)}),
    Reason.TARGET_BUSY: ("target_busy", {"usage": Usage(busy=True)}),
    Reason.COOLDOWN: ("cooldown", {"usage": Usage(last_ns=NOW - 1799 * NS)}),
    Reason.ACTION_RATE: ("action_rate", {"usage": Usage(action_nth_ns=NOW - HOUR_NS + 1)}),
    Reason.GLOBAL_RATE: ("global_rate", {"usage": Usage(global_nth_ns=NOW - HOUR_NS + 1)}),
    Reason.ABSTAINED: ("confidence", {"standing": still(abstained=True)}),
    Reason.LOW_CONFIDENCE: ("confidence", {"target": Target("checkout", "errors", 0.49)}),
    Reason.INCIDENT_OVER: ("still_on", {"standing": still(state=IncidentState.RESOLVED)}),
    Reason.NOT_FIRING: ("still_on", {"standing": still(firing=0)}),
    Reason.TOO_YOUNG: ("age", {"standing": still(started_ts_ns=NOW - 119 * NS)}),
}


def test_when_nothing_is_wrong_every_gate_is_asked_and_it_is_allowed():
    verdict = decide(question())
    assert verdict.reason is Reason.ALLOWED
    assert verdict.gates == [f"{name}=pass" for name in GATES]


@pytest.mark.parametrize("reason", list(WRONG))
def test_the_one_thing_that_is_wrong_decides(reason):
    gate, changes = WRONG[reason]
    verdict = decide(question(**changes))
    assert verdict.reason is reason
    assert verdict.gates[-1] == f"{gate}={reason}"
    assert all(asked.endswith("=pass") for asked in verdict.gates[:-1])


def test_every_gate_is_tried_above():
    assert {gate for gate, _ in WRONG.values()} == set(GATES)


def test_of_all_that_is_wrong_the_first_in_order_decides():
    everything = {key: text for _, changes in reversed(WRONG.values()) for key, text in changes.items()}
    assert decide(question(**everything)).reason is Reason.KILL_SWITCH


@pytest.mark.parametrize(
    ("usage", "rules", "allowed"),
    [
        (Usage(open_in_domain=5), {}, True),
        (Usage(last_ns=NOW - 1800 * NS), {}, True),
        (Usage(last_ns=NOW), {"cooldown": 0.0}, True),
        (Usage(action_nth_ns=NOW - HOUR_NS), {}, True),
        (Usage(global_nth_ns=NOW - HOUR_NS), {}, True),
        (Usage(last_ns=NOW), {"cooldown": 1e-9}, False),
    ],
)
def test_the_edges_of_the_limits(usage, rules, allowed):
    assert (decide(question(usage=usage, rule=rule(**rules))).reason is Reason.ALLOWED) == allowed


@pytest.mark.parametrize("probability", [float("nan"), 0.0, -1.0])
def test_a_probability_that_is_none_is_no_confidence(probability):
    assert decide(question(target=Target("checkout", "errors", probability))).reason is Reason.LOW_CONFIDENCE


@pytest.mark.parametrize(
    ("reason", "again_ns"),
    [
        (Reason.COOLDOWN, NOW + NS),
        (Reason.ACTION_RATE, NOW + 1),
        (Reason.GLOBAL_RATE, NOW + 1),
        (Reason.TOO_YOUNG, NOW + NS),
        (Reason.STORM, 0),
        (Reason.NOT_IN_INVENTORY, 0),
    ],
)
def test_a_verdict_that_time_changes_says_when(reason, again_ns):
    assert decide(question(**WRONG[reason][1])).again_ns == again_ns


def names(found: list[Target]) -> list[str]:
    return [t.entity for t in found]


@pytest.mark.parametrize(
    ("wanted", "matches"),
    [
        ({}, True),
        ({"entities": ["check*"]}, True),
        ({"entities": ["cart", "checkout"]}, True),
        ({"entities": ["cart"]}, False),
        ({"entities": []}, False),
        ({"entities": ["[a-z]*"]}, False),
        ({"entities": ["checkou?"]}, False),
        ({"entities": ["Checkout"]}, False),
        ({"metrics": ["err*"]}, True),
        ({"metrics": ["latency"]}, False),
        ({"kinds": ["spike"]}, True),
        ({"kinds": ["flat", "spike"]}, True),
        ({"kinds": ["flat"]}, False),
        ({"needs_change": True}, False),
        ({"needs_event": "k8s.OOMKilling"}, False),
    ],
)
def test_a_rule_matches_when_all_that_it_asks_for_is_there(wanted, matches):
    assert bool(targets(rule(**wanted), incident())) == matches


def test_a_change_held_responsible_satisfies_a_rule_that_needs_one_and_is_named():
    caused = incident(hints=[hint(change="c1")], changes=[change()])
    (found,) = targets(rule(needs_change=True), caused)
    assert found.change == "deploy on checkout"


@pytest.mark.parametrize(
    ("entity", "matches"), [("checkout", True), ("checkout-5f9c-abc", True), ("checkoutpro", False), ("cart", False)]
)
def test_an_event_counts_when_it_is_about_the_target_or_its_pods(entity, matches):
    seen = incident(changes=[change("k8s.OOMKilling", entity)])
    assert bool(targets(rule(needs_event="k8s.OOMKilling"), seen)) == matches


def test_the_kind_must_be_that_of_the_hints_own_metric():
    other = incident(members=[member(series='latency{service="checkout"}'), member(entity="cart")])
    assert not targets(rule(kinds=["spike"]), other)


def test_metrics_that_are_off_together_have_their_kind_whichever_the_hint_names():
    together = incident(members=[member(series='joint{entity="checkout"}', kind=AnomalyKind.JOINT)])
    assert targets(rule(kinds=["joint"]), together)
    assert not targets(rule(kinds=["spike"]), together)


def test_a_rule_does_not_reach_past_a_likelier_cause():
    ranked = incident(hints=[hint("cart", probability=0.5), hint("checkout", probability=0.4)])
    assert targets(rule(entities=["checkout"], probability_min=0.1), ranked) == []


def test_likely_enough_causes_in_a_row_are_all_targets():
    ranked = incident(hints=[hint("cart", probability=0.5), hint("checkout", probability=0.4), hint("mail", probability=0.1)])
    assert names(targets(rule(probability_min=0.3), ranked)) == ["cart", "checkout"]


def test_an_unlikely_first_cause_is_kept_for_the_gate_on_confidence_to_name():
    assert names(targets(rule(probability_min=0.9), incident())) == ["checkout"]


def test_every_name_that_may_decide_is_a_word_a_label_can_carry():
    assert all(str(reason).replace("_", "").isalpha() for reason in Reason)
