"""What is kept of what members show is what they show."""

from __future__ import annotations

from correlate_timeline import Timeline, machine, records

from engine.correlate.facts import Facts

SHOP = {"topology": [("web", "cart")]}


def test_facts_that_are_kept_are_those_that_would_be_worked_out_anew():
    story = Timeline().fires(1, "cart:cpu_seconds", "web:latency", score=3.5, peak_score=3.5).passes(3)
    story.fires(4, "cart:memory_bytes", onset=0.5).passes(5)
    story.fires(6, "cart:cpu_seconds", score=4.0, peak_score=4.0, value=9.0, deviation=40.0).passes(7)
    story.fires(8, "web:latency", text="slower still").passes(9)
    stage = machine(**SHOP)
    told = 0
    for record in records(story.messages):
        told += len(stage.step([record]).outputs)
        book = stage._book
        for incident in book.state.incidents.values():
            members = list(incident.members.values())
            assert book.facts.of(incident, members) == Facts().of(incident, members)
    assert told >= 2


def test_of_what_is_gone_nothing_is_kept():
    story = Timeline().fires(1, "cart:cpu_seconds", score=3.5, peak_score=3.5).passes(3).recovers(4, "cart:cpu_seconds").passes(5)
    stage = machine(**SHOP)
    stage.step(records(story.messages))
    book = stage._book
    (incident,) = book.state.incidents.values()
    assert len(book.facts._known) == 1
    assert len(book.facts.of(incident, incident.members.values())) == 1
    stage.step(records(Timeline().passes(60).messages, first=100))
    book.advance(incident.resolved_ns + 10**13)
    assert book.facts._known == {}
