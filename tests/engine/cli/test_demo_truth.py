"""How the demo judges itself: every incident stands for one fault or is false; nothing is counted twice."""

from __future__ import annotations

import pytest

from connectors.simulator.scenario import IN_LOGS, Happening, Scenario, What, plan
from engine.cli.demo_truth import Finding, Verdict, judge
from engine.records import AlertState, AnomalyKind, Hint, Incident, IncidentState, Member, Stamp

SECOND = 1_000_000_000


def incident(
    identity: str,
    entities: list[str],
    began: int,
    *,
    causes: tuple[str, ...] = (),
    kinds: tuple[AnomalyKind, ...] = (),
    state: IncidentState = IncidentState.RESOLVED,
) -> Incident:
    return Incident(
        id=identity,
        revision=3,
        state=state,
        domain="default",
        tenant="default",
        title="something",
        severity=17,
        started_ts_ns=began * SECOND,
        opened_ts_ns=(began + 120) * SECOND,
        ts_ns=(began + 600) * SECOND,
        entities=entities,
        members=[
            Member(id=k, series="s", entity=entities[0], kind=k, state=AlertState.FIRING, onset_ts_ns=0, score=1.0) for k in kinds
        ],
        alerts_total=4,
        hints=[Hint(entity=c, metric="m", probability=0.5, evidence=[]) for c in causes],
        stamp=Stamp("alerts", 0, 1, 0),
    )


def story() -> Scenario:
    return plan("shop", 4)


def some_fault() -> Happening:
    """One that may show in any way."""
    return next(fault for fault in story().faults if fault.what not in IN_LOGS)


def of(verdict: Verdict, fault: Happening) -> Finding:
    return next(finding for finding in verdict.findings if finding.fault == fault)


@pytest.mark.parametrize(
    ("what", "kind"),
    [
        (What.NEW_ERROR, AnomalyKind.NEW_TEMPLATE),
        (What.JOB_STOPPED, AnomalyKind.STOPPED),
        (What.SLOW_PARTNER, AnomalyKind.LINE_VALUE),
    ],
)
def test_a_fault_in_logs_is_found_by_an_alert_of_its_own_kind_only(what: What, kind: AnomalyKind) -> None:
    fault = next(fault for fault in story().faults if fault.what is what)
    seen = incident("a", [fault.entity], fault.start + 60, kinds=(AnomalyKind.SPIKE, kind))
    beside = incident("b", [fault.entity], fault.start + 60, kinds=(AnomalyKind.SPIKE,))
    assert (judge(story(), [seen]).found, len(judge(story(), [seen]).false)) == (1, 0)
    assert (judge(story(), [beside]).found, len(judge(story(), [beside]).false)) == (0, 1)


def test_an_incident_in_the_time_and_place_of_a_fault_stands_for_it() -> None:
    fault = some_fault()
    verdict = judge(story(), [incident("a", [fault.entity], fault.start + 60, causes=("other", fault.entity))])
    assert (verdict.found, verdict.missed, len(verdict.false)) == (1, 7, 0)
    assert of(verdict, fault).rank == 2
    assert of(verdict, fault).delay_seconds == 180
    assert verdict.hint_first == 0


def test_an_incident_elsewhere_in_time_is_false() -> None:
    fault = some_fault()
    verdict = judge(story(), [incident("a", [fault.entity], fault.start - 7200)])
    assert (verdict.found, len(verdict.false)) == (0, 1)


def test_an_incident_in_another_place_is_false() -> None:
    fault = some_fault()
    verdict = judge(story(), [incident("a", ["nowhere"], fault.start + 60)])
    assert (verdict.found, len(verdict.false)) == (0, 1)


def test_two_incidents_of_one_fault_count_once_as_found_and_never_as_false() -> None:
    fault = some_fault()
    both = [incident(name, [fault.entity], fault.start + 60 * n, causes=(fault.entity,)) for n, name in enumerate("ab")]
    verdict = judge(story(), both)
    assert (verdict.found, verdict.hint_first, len(verdict.false), verdict.incidents) == (1, 1, 0, 2)
    assert of(verdict, fault).others == 1


def test_what_people_were_never_told_counts_for_nothing() -> None:
    fault = some_fault()
    hidden = [
        incident(state, [fault.entity], fault.start + 60, state=state)
        for state in (IncidentState.SUPPRESSED, IncidentState.MERGED, IncidentState.CANDIDATE)
    ]
    verdict = judge(story(), hidden)
    assert (verdict.found, verdict.incidents, len(verdict.false)) == (0, 0, 0)


def test_a_harmless_surprise_that_opens_an_incident_is_false() -> None:
    surprise = next(h for h in story().happenings if h.harmless and h.entity)
    verdict = judge(story(), [incident("a", [surprise.entity], surprise.start)])
    assert len(verdict.false) == 1
