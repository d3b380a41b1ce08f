"""How the demo judges itself: every incident stands for one fault or is false; nothing is counted twice."""

from __future__ import annotations

from connectors.simulator.scenario import Scenario, plan
from engine.cli.demo_truth import judge
from engine.records import Hint, Incident, IncidentState, Stamp

SECOND = 1_000_000_000


def incident(
    identity: str, entities: list[str], began: int, *, causes: tuple[str, ...] = (), state: IncidentState = IncidentState.RESOLVED
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
        alerts_total=4,
        hints=[Hint(entity=c, metric="m", probability=0.5, evidence=[]) for c in causes],
        stamp=Stamp("alerts", 0, 1, 0),
    )


def story() -> Scenario:
    return plan("shop", 4)


def test_an_incident_in_the_time_and_place_of_a_fault_stands_for_it() -> None:
    fault = story().faults[0]
    verdict = judge(story(), [incident("a", [fault.entity], fault.start + 60, causes=("other", fault.entity))])
    assert (verdict.found, verdict.missed, len(verdict.false)) == (1, 4, 0)
    assert verdict.findings[0].rank == 2
    assert verdict.findings[0].delay_seconds == 180
    assert verdict.hint_first == 0


def test_an_incident_elsewhere_in_time_is_false() -> None:
    fault = story().faults[0]
    verdict = judge(story(), [incident("a", [fault.entity], fault.start - 7200)])
    assert (verdict.found, len(verdict.false)) == (0, 1)


def test_an_incident_in_another_place_is_false() -> None:
    fault = story().faults[0]
    verdict = judge(story(), [incident("a", ["nowhere"], fault.start + 60)])
    assert (verdict.found, len(verdict.false)) == (0, 1)


def test_two_incidents_of_one_fault_count_once_as_found_and_never_as_false() -> None:
    fault = story().faults[1]
    both = [incident(name, [fault.entity], fault.start + 60 * n, causes=(fault.entity,)) for n, name in enumerate("ab")]
    verdict = judge(story(), both)
    assert (verdict.found, verdict.hint_first, len(verdict.false), verdict.incidents) == (1, 1, 0, 2)
    assert verdict.findings[1].others == 1


def test_what_people_were_never_told_counts_for_nothing() -> None:
    fault = story().faults[0]
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
