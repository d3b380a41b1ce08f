"""The life of incidents as timelines: what is said when, and what people are told."""

from __future__ import annotations

import pytest
from correlate_timeline import Timeline, at, run

from engine.correlate.reorder import Reorder, SourceState
from engine.records import AnomalyKind, IncidentState, Signal, Stamp, Watermark

SHOP = {"topology": [("web", "cart"), ("cart", "cart-db")]}


def states(revisions):
    return [str(i.state) for i in revisions]


def test_two_alerts_open_one_incident_after_open_after_and_not_before():
    told = run(Timeline().fires(1, "cart:latency").fires(1.5, "web:latency").passes(1.9).passes(5), **SHOP)
    assert states(told) == ["open"]
    assert told[0].opened_ts_ns == at(2)
    assert told[0].entities == ["cart", "web"]
    assert told[0].started_ts_ns == at(1)


def test_a_lone_mild_alert_is_never_told():
    assert run(Timeline().fires(1, "cart:batch_size", score=1.5, peak_score=1.5).passes(30), **SHOP) == []


def test_a_lone_alert_well_beyond_its_boundary_is_told_when_it_lasts():
    assert run(Timeline().fires(1, "node-1:disk_used").passes(15), **SHOP) == []
    assert states(run(Timeline().fires(1, "node-1:disk_used").passes(17), **SHOP)) == ["open"]


def test_a_lone_alert_is_told_once_its_anomalies_have_gone_on_for_a_window():
    for seen, told in ((6.0, ["open"]), (5.9, [])):
        story = Timeline().fires(1, "node-1:disk_used", seen_ts_ns=at(1)).fires(6.1, "node-1:disk_used", seen_ts_ns=at(seen))
        assert states(run(story.passes(7), **SHOP)) == told


def test_an_onset_that_is_dated_back_on_an_entity_that_burns_makes_no_incident_older():
    story = (
        Timeline()
        .fires(6, "cart:latency", "web:latency", onset=6)
        .fires(6, "web:errors", onset=1)
        .fires(6, "gate:latency", onset=6)
    )
    told = run(story.passes(9), topology=[("gate", "web"), ("web", "cart")])
    assert {i.id for i in told} == {told[0].id}
    assert set(told[-1].entities) == {"cart", "web", "gate"}


@pytest.mark.parametrize("spread", [("web:latency", "gate:latency"), ("gate:latency", "web:latency")])
def test_what_spreads_to_callers_is_one_trouble_whichever_of_them_says_so_first(spread):
    story = Timeline().fires(1, "cart:latency", "cart:errors", score=3.5, peak_score=3.5).passes(3).fires(4, *spread).passes(9)
    told = run(story, topology=[("web", "gate"), ("gate", "cart")])
    assert {i.id for i in told} == {told[0].id}
    assert set(told[-1].entities) == {"cart", "gate", "web"}


def test_of_few_series_a_lone_mild_alert_is_told_when_it_lasts():
    told = {}
    for active in (0, 1, 9, 50, 100):
        story = Timeline().passes(0.5, "few", "fewer", active=active).fires(1, "cart:batch_size", score=1.5, peak_score=1.5)
        told[active] = states(run(story.passes(17, "metrics", "few", "fewer", active=active), **SHOP))
    assert told == {0: [], 1: ["open"], 9: ["open"], 50: [], 100: []}


def test_what_a_source_watches_later_says_nothing_of_the_time_before():
    room = Reorder(10**12)
    room.sources = {"a": SourceState(), "b": SourceState()}
    for minute, active in ((1, 5), (2, 5), (9, 70)):
        room.promise(Watermark(source="a", ts_ns=at(minute), stamp=Stamp("a", 0, minute, 0), active=active))
    room.promise(Watermark(source="b", ts_ns=at(3), stamp=Stamp("b", 0, 1, 0), active=2))
    assert [room.watched(at(minute)) for minute in (0, 1, 3, 8, 9)] == [0, 5, 7, 7, 72]


def test_three_quantiles_of_one_measure_are_one_piece_of_evidence():
    assert run(Timeline().fires(1, "cart:batch_size.p50", "cart:batch_size.p90", "cart:batch_size.p99").passes(9), **SHOP) == []


def test_a_rise_of_requests_alone_is_no_trouble_and_a_loss_is():
    up = Timeline().fires(1, "cart:requests", "web:requests", score=3.5, peak_score=3.5).passes(9)
    down = Timeline().fires(1, "cart:requests", "web:requests", score=3.5, peak_score=3.5, direction=-1).passes(9)
    assert (states(run(up, **SHOP)), states(run(down, **SHOP))) == ([], ["open"])


def test_alerts_that_nothing_ties_together_are_told_only_when_they_are_a_crowd():
    few = Timeline().fires(1, *(f"lonely-{n}:batch_size" for n in range(5))).passes(9)
    many = Timeline().fires(1, *(f"lonely-{n}:batch_size" for n in range(6))).passes(9)
    assert (states(run(few)), states(run(many))) == ([], ["open"])


def test_one_severe_alert_is_enough():
    assert states(run(Timeline().fires(1, "cart:latency", score=3.5, peak_score=3.5).passes(30), **SHOP)) == ["open"]


def test_one_alert_beside_a_bad_event_on_the_same_entity_is_enough():
    story = Timeline().fires(1, "cart:memory_bytes").event(1, "cart", "k8s.OOMKilling", is_change=False, severity=17)
    told = run(story.passes(5, "metrics", "events"), **SHOP)
    assert states(told) == ["open"]
    assert any(e.kind == "event" for e in told[0].hints[0].evidence)


def test_a_new_error_message_alone_is_told():
    story = Timeline().fires(1, "cart:log_lines", kind=AnomalyKind.NEW_TEMPLATE, signal=Signal.LOG, severity=17, text="boom <*>")
    told = run(story.passes(5), **SHOP)
    assert told[0].title.startswith("cart: new log message 'boom <*>'")


def overdue(**more) -> dict[str, object]:
    """A line that comes each half hour and is missing since the first minute; told when it is overdue."""
    return {
        "kind": AnomalyKind.STOPPED,
        "signal": Signal.LOG,
        "text": "export wrote <*> rows",
        "example": "export wrote 100 rows",
        "reason": "overdue",
        "score": 1.02,
        "peak_score": 1.02,
        "value": 0.0,
        "expected": 1.0,
        "deviation": 0.0,
        "step_seconds": 1800.0,
        **more,
    }


def test_a_line_that_is_overdue_is_told_by_itself_with_how_often_it_came():
    told = run(Timeline().fires(18, "cart:log_lines", onset=1, **overdue()).passes(20), **SHOP)
    assert states(told) == ["open"]
    assert told[0].opened_ts_ns == at(19)
    assert told[0].title == "cart: log message 'export wrote <*> rows' does not come any more (1 alert)"
    assert told[0].hints[0].entity == "cart"
    assert told[0].hints[0].evidence[0].text == (
        "cart: log message 'export wrote <*> rows' does not come any more, usually each 30 min, missing since 01:01:00 UTC; "
        "for example 'export wrote 100 rows'"
    )


def test_a_heartbeat_that_misses_some_minutes_of_a_restart_is_not_told():
    story = Timeline().fires(4, "cart:log_lines", onset=1, **overdue(step_seconds=60.0)).passes(15)
    assert run(story.recovers(15, "cart:log_lines").passes(60), **SHOP) == []
    assert states(run(story.passes(17), **SHOP)) == []


def test_a_count_of_lines_that_fell_to_nothing_is_told_by_its_score_only():
    assert run(Timeline().fires(1, "cart:log_lines", **overdue(reason="confirmed")).passes(60), **SHOP) == []


def test_an_incident_resolves_only_when_every_member_is_healthy():
    story = Timeline().fires(1, "cart:latency", "cart:errors").passes(3).recovers(5, "cart:latency").passes(8)
    assert states(run(story, **SHOP)) == ["open", "open"]
    assert states(run(story.recovers(9, "cart:errors").passes(10), **SHOP)) == ["open", "open", "resolved"]


def test_unknown_does_not_resolve():
    story = Timeline().fires(1, "cart:latency", "cart:errors").passes(3)
    story.alert(5, "cart:latency", "unknown").recovers(6, "cart:errors").passes(20)
    last = run(story, **SHOP)[-1]
    assert (last.state, last.unknown, last.firing) == (IncidentState.OPEN, 1, 0)


def test_a_resolved_incident_closes_after_close_after_and_swallows_nothing_any_more():
    story = Timeline().fires(1, "cart:latency", "web:latency").passes(3).recovers(5, "cart:latency", "web:latency").passes(21)
    assert states(run(story, **SHOP)) == ["open", "resolved", "closed"]
    story.fires(30, "cart:latency", id="again").fires(30, "web:latency", id="too").passes(40)
    told = run(story, **SHOP)
    assert states(told) == ["open", "resolved", "closed", "open"]
    assert told[-1].id != told[0].id


def test_the_same_trouble_inside_close_after_reopens_the_incident():
    story = Timeline().fires(1, "cart:latency", "web:latency").passes(3).recovers(5, "cart:latency", "web:latency").passes(7)
    story.fires(10, "cart:latency", id="again").passes(12)
    told = run(story, **SHOP)
    assert states(told) == ["open", "resolved", "open"]
    assert {i.id for i in told} == {told[0].id}
    assert told[-1].reason.startswith("reopened")


def test_a_silent_entity_is_one_incident_however_many_series_it_has():
    story = Timeline()
    for n in range(20):
        story.fires(1 + n / 60, f"cart:metric_{n}", kind=AnomalyKind.GAP, value=None, expected=None, direction=0)
    told = run(story.passes(10), **SHOP)
    assert len({i.id for i in told}) == 1
    assert told[0].title == "cart: silent, no data any more (20 alerts)"
    assert told[0].hints[0].entity == "cart"


def test_a_series_that_scatters_in_another_way_is_said_to_do_so():
    story = Timeline().fires(1, "cart:latency", kind=AnomalyKind.VARIANCE, value=1.0, expected=1.0, direction=0, score=4.0)
    assert run(story.passes(10), **SHOP)[0].title == "cart: latency scatters unlike before (1 alert)"


def test_troubles_that_are_far_apart_in_time_are_two_incidents():
    story = Timeline().fires(1, "cart:latency", "web:latency").passes(3).fires(90, "users:latency", "users:errors").passes(95)
    assert len({i.id for i in run(story, **SHOP)}) == 2


def test_concurrent_troubles_far_apart_in_the_topology_are_two_incidents():
    config = {"topology": [("a", "b"), ("b", "c"), ("c", "d"), ("d", "e"), ("x", "y")]}
    story = Timeline().fires(1, "a:latency", "b:latency").fires(3, "x:latency", "y:latency").passes(9)
    assert {tuple(i.entities) for i in run(story, **config)} == {("a", "b"), ("x", "y")}


def test_an_alert_between_two_incidents_makes_them_one_and_the_younger_id_redirects():
    config = {"topology": [("a", "c"), ("c", "e")]}
    story = Timeline().fires(1, "a:latency", "a:errors").fires(2.6, "e:latency", "e:errors").passes(5)
    elder, younger = (i.id for i in run(story, **config))
    story.fires(5, "c:latency", onset=1.8, step_seconds=300.0).passes(6)
    told = run(story, **config)
    last = {i.id: i for i in told}
    assert (str(last[younger].state), last[younger].merged_into) == ("merged", elder)
    assert (last[elder].entities, last[elder].alerts_total) == (["a", "e", "c"], 5)
    story.says(7, "acknowledge", younger)
    assert {i.id: str(i.state) for i in run(story, **config)}[elder] == "acknowledged"


def test_slow_trouble_gathers_what_it_spreads_to():
    story = Timeline().fires(1, "cart-db:disk_used", score=4.0, peak_score=4.0).passes(3)
    for minute in range(4, 50, 2):
        story.alert(minute, "cart-db:disk_used", score=4.0, peak_score=4.0).passes(minute)
    told = run(story.fires(50, "cart:latency").passes(51), **SHOP)
    assert told[-1].entities == ["cart-db", "cart"]
    assert told[-1].members[-1].joined_because == "next to cart-db, still firing"


def test_revisions_count_up_by_one():
    story = Timeline().fires(1, "cart:latency", "web:latency").passes(3).recovers(5, "cart:latency", "web:latency").passes(30)
    assert [i.revision for i in run(story, **SHOP)] == [1, 2, 3]


def test_people_acknowledge_and_resolve_with_name_and_reason():
    story = Timeline().fires(1, "cart:latency", "web:latency").passes(3)
    key = run(story, **SHOP)[0].id
    told = run(story.says(4, "acknowledge", key).says(5, "resolve", key), **SHOP)
    assert states(told) == ["open", "acknowledged", "resolved"]
    assert told[1].reason == "acknowledged by alice: known"


def test_a_bad_deploy_is_named_with_its_change():
    story = Timeline().event(0.5, "cart", "service.upgraded").fires(2, "cart:errors", "web:errors")
    told = run(story.passes(9, "metrics", "events"), **SHOP)
    best = told[-1].hints[0]
    assert (best.entity, best.change) == ("cart", "service.upgraded-cart-0.5")
    assert [c.name for c in told[-1].changes] == ["service.upgraded"]
    assert not told[-1].abstained


def test_every_hint_has_evidence_with_a_number_in_it():
    told = run(Timeline().fires(1, "cart:latency", "web:latency", "cart-db:latency").passes(5), **SHOP)
    assert told[0].hints[0].entity == "cart-db"
    for hint in told[0].hints:
        assert any(c.isdigit() for e in hint.evidence for c in e.text)
    assert sum(h.probability for h in told[0].hints) <= 1.0001


def test_an_alert_of_which_nothing_more_is_heard_is_over_after_its_lease():
    story = Timeline().fires(1, "cart:latency", "web:latency").passes(3).passes(90)
    assert states(run(story, **SHOP))[:2] == ["open", "resolved"]


TOGETHER = {
    "kind": AnomalyKind.JOINT,
    "score": 1.3,
    "peak_score": 1.3,
    "text": "3 of 8 metrics are off together, most of all latency up, queue_depth up",
    "factors": {"latency": 3.4, "queue_depth": 2.8, "cpu": 1.5},
}


def test_metrics_that_are_off_together_support_what_is_near_them_and_the_hints_name_one_of_them():
    """The one that is named is not the loudest, when that is explained by what the entity needs."""
    story = Timeline().fires(1, "cart:joint", **TOGETHER).fires(2, "cart-db:latency", score=3.5, peak_score=3.5).passes(9)
    (told,) = run(story, **SHOP)
    assert told.alerts_total == 2
    assert {hint.entity: hint.metric for hint in told.hints} == {"cart-db": "latency", "cart": "queue_depth"}
    assert told.hints[0].entity == "cart-db"


def test_metrics_that_are_off_together_lead_with_what_they_are():
    (told,) = run(Timeline().fires(1, "cart:joint", **TOGETHER | {"score": 3.5, "peak_score": 3.5}).passes(9), **SHOP)
    assert told.title == "cart: 3 of 8 metrics are off together, most of all latency up, queue_depth up (1 alert)"
    assert [hint.metric for hint in told.hints] == [
        "queue_depth"
    ]  # what it suffers by itself, rather than what may be a callee's doing
    assert "latency is off together with others, since " in told.hints[0].evidence[0].text


def test_what_a_metric_itself_says_goes_on_with_the_incident_of_its_entity():
    story = Timeline().fires(1, "cart:joint", **TOGETHER).fires(20, "cart:latency", score=3.5, peak_score=3.5)
    (told, *_) = run(story.recovers(20.1, "cart:joint", kind=AnomalyKind.JOINT).passes(30), **SHOP)
    assert told.alerts_total == 2
    assert told.title.startswith("cart: latency up 4.0x")
