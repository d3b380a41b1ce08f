"""Signs that come before others: learned from incidents of any kind, told while the second has not come, bounded."""

from __future__ import annotations

import pytest
from correlate_timeline import Timeline, run

from engine.correlate import leads
from engine.correlate.followers import Leads
from engine.correlate.grouping import Cluster
from engine.correlate.state import LiveIncident, MemberState
from engine.records import AlertState, AnomalyKind, IncidentState, Signal

DAY = 1440
SHOP = {"topology": [("web", "cart"), ("cart", "cart-db"), ("web", "users")]}


def incident(day: int, *signs: tuple[str, float]) -> LiveIncident:
    """Signs (`entity:metric`) and the seconds after which they came."""
    start_ns = day * DAY * 60 * 10**9
    members = {
        series: MemberState(
            id=series,
            fingerprint=series,
            series=series,
            name=series.partition(":")[2],
            entity=series.partition(":")[0],
            kind=AnomalyKind.LEVEL_UP,
            signal=Signal.METRIC,
            state=AlertState.FIRING,
            onset_ts_ns=start_ns + int(seconds * 1e9),
            joined_ns=start_ns,
            score=3.0,
            direction=1,
            deviation=5.0,
            value=2.0,
            expected=1.0,
            step_seconds=60.0,
            severity=13,
            text="",
            joined_because="first",
        )
        for series, seconds in signs
    }
    return LiveIncident(
        f"i{day}", "default", "default", Cluster("default", start_ns, start_ns), start_ns, start_ns, members=members, firing=1
    )


def learned(*stories: tuple[tuple[str, float], ...]) -> Leads:
    known = Leads()
    for day, story in enumerate(stories):
        leads.learn(known, incident(day, *story))
    return known


SLOW_DISK = (("cart-db:disk_io_time", 0.0), ("cart:latency", 480.0))
OTHERS = [((f"other-{n}:cpu_seconds", 0.0), (f"other-{n}:errors", 120.0)) for n in range(8)]


def said(known: Leads, *signs: tuple[str, float], after: float = 60.0) -> list[str]:
    now = incident(99, *signs)
    return leads.ahead(known, now, now.started_ns + int(after * 1e9))


def test_what_has_followed_three_times_is_said_to_be_ahead_with_how_often_and_when() -> None:
    known = learned(*OTHERS, SLOW_DISK, SLOW_DISK, SLOW_DISK)
    (words,) = said(known, ("cart-db:disk_io_time", 0.0))
    assert words.startswith("latency of cart up, 8 min after disk of cart-db up (in 7")
    assert "times as often as in all" in words


@pytest.mark.parametrize(
    "stories",
    [
        [*OTHERS, SLOW_DISK, SLOW_DISK],  # too seldom
        [SLOW_DISK] * 6,  # in all there are: it says nothing
        [*OTHERS, *[SLOW_DISK] * 3, *[SLOW_DISK[:1]] * 5],  # mostly nothing followed
        [*OTHERS, *[(("cart-db:disk_io_time", 0.0), ("cart:latency", 20.0))] * 5],  # together, and not before
    ],
)
def test_what_is_chance_or_no_lead_is_not_said(stories) -> None:
    assert said(learned(*stories), ("cart-db:disk_io_time", 0.0)) == []


def test_what_is_there_or_should_have_come_is_not_ahead() -> None:
    known = learned(*OTHERS, *[SLOW_DISK] * 4)
    assert said(known, ("cart-db:disk_io_time", 0.0), ("cart:latency", 30.0)) == []
    assert said(known, ("cart-db:disk_io_time", 0.0), after=3.5 * 480.0) == []


def test_what_has_changed_is_forgotten() -> None:
    known = learned(*OTHERS, *[SLOW_DISK] * 3, *OTHERS * 40)
    assert said(known, ("cart-db:disk_io_time", 0.0)) == []


def test_tables_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(leads, "SIGNS_MAX", 20)
    known = learned(*[((f"e{n}:cpu", 0.0), *((f"f{n}-{k}:errors", 100.0 + k) for k in range(30))) for n in range(50)])
    assert len(known.signs) <= 20
    assert set(known.follows) <= set(known.signs)
    assert all(len(f) <= leads.FOLLOWERS_MAX for f in known.follows.values())


def test_a_smaller_unit_changes_no_share(monkeypatch: pytest.MonkeyPatch) -> None:
    before = said(learned(*OTHERS, *[SLOW_DISK] * 4), ("cart-db:disk_io_time", 0.0))
    monkeypatch.setattr(leads, "_UNIT_MAX", 1.02)
    assert said(learned(*OTHERS, *[SLOW_DISK] * 4), ("cart-db:disk_io_time", 0.0)) == before


def story(days: int) -> Timeline:
    line = Timeline()
    for day in range(days):
        start, name = day * DAY, "cart-db:disk_io_time" if day % 3 == 0 else f"users-{day}:cpu_seconds"
        line.fires(start, name, id=f"a{day}", score=5.0).passes(start + 2)
        if day % 3 == 0 and day < days - 1:
            line.fires(start + 8, "cart:latency", id=f"b{day}", score=5.0).passes(start + 9)
            line.recovers(start + 20, "cart:latency", id=f"b{day}")
        line.recovers(start + 20, name, id=f"a{day}").passes(start + 40)
    return line


def test_an_open_incident_says_what_may_follow_and_a_closed_one_does_not() -> None:
    told = run(story(13), **SHOP)
    last = [i for i in told if i.id == told[-1].id]
    assert any(words.startswith("latency of cart up") for words in last[0].ahead)
    assert last[-1].state is IncidentState.CLOSED
    assert last[-1].ahead == []


def test_who_comes_first_again_and_again_leads_and_by_chance_nobody_does() -> None:
    story = (("b:disk_io_time", 0.0), ("a:latency", 480.0))
    back = (("a:latency", 0.0), ("b:disk_io_time", 480.0))
    signs = "sign:b:disk:up", "sign:a:latency:up"
    assert leads.led(learned(*[story] * 7), "default", *signs) is None, "seven in a row are 1 in 128"
    found = leads.led(learned(*[story] * 8), "default", *signs)
    assert found is not None
    assert found.in_words() == "disk of b up came 8 min before latency of a up in 8 of 8 incidents, by chance 1 in 256"
    assert leads.led(learned(*[story] * 8), "default", *signs[::-1]) is None, "not the other way round"
    assert leads.led(learned(*[story, back] * 8), "default", *signs) is None, "each as often as the other"
    together = (("b:disk_io_time", 0.0), ("a:latency", 30.0))
    assert leads.led(learned(*[together] * 20), "default", *signs) is None, "less than a minute says nothing"


def lives(times: int) -> Timeline:
    """Days on which a disk is slow a minute and a half before a service is, and one more on which it is one minute."""
    story = Timeline()
    for day in range(times + 1):
        start = day * DAY
        story.fires(start, "b:disk_io_time", id=f"b{day}", score=4.0).passes(start + 1)
        later = start + (1.5 if day < times else 1)
        story.fires(later, "a:latency", id=f"a{day}", score=4.0).passes(later + 2)
        if day < times:
            for one, kind in (("b:disk_io_time", "b"), ("a:latency", "a")):
                story.recovers(start + 20, one, id=f"{kind}{day}")
            story.passes(start + 60)
    return story


@pytest.mark.parametrize(("times", "topology", "is_said"), [(9, [], True), (5, [], False), (9, [("a", "b")], False)])
def test_where_nobody_knows_who_needs_whom_a_lead_is_evidence(times: int, topology: list[tuple[str, str]], is_said: bool) -> None:
    config = {"topology": topology, "window": 600.0}
    last = run(lives(times), **config)[-1]
    said = {e.kind: e.text for h in last.hints for e in h.evidence if h.entity == "b"}
    assert ("lead" in said) is is_said
    assert not is_said or said["lead"].startswith("disk of b up came 90 s before latency of a up in 9 of 9 incidents")
