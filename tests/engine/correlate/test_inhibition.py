"""What is only felt of a cause that people know is held back along the topology, with a reason, up to a limit, and not for ever."""

from __future__ import annotations

import orjson
import pytest
from correlate_timeline import Timeline, at, machine, outputs, records, run
from hypothesis import given
from hypothesis import strategies as st

from engine.metrics import Metric
from engine.ports import Snapshot

CONFIG = {
    "topology": [("web", "cart"), ("cart", "cart-api"), ("cart-api", "db"), ("mobile", "cart"), ("web", "other")],
    "inhibit_steps": 3,
}


def burning() -> Timeline:
    """A database that burns, and is told to be the cause."""
    story = Timeline().fires(1, "db:cpu", "db:disk_used", score=4.0, peak_score=4.0).passes(3)
    for minute in range(4, 40, 2):
        story.alert(minute, "db:cpu", id="alert-db:cpu", score=4.0, peak_score=4.0).passes(minute)
    return story


def felt(minute: float = 40.0, *series: str) -> Timeline:
    story = burning()
    for one in series or ("web:latency", "web:errors"):
        story.fires(minute, one, score=3.5)
    return story.passes(minute + 2)


def states(told) -> dict[str, str]:
    return {i.entities[0]: str(i.state) for i in told}


def result_of(story: Timeline, **config):
    return run(story, **{**CONFIG, "window": 60.0, **config})


def test_what_is_felt_on_what_needs_a_known_cause_is_held_back_and_says_by_whom():
    told = run(felt(), **CONFIG, window=60.0)
    held = next(i for i in told if i.entities == ["web"])
    cause = next(i for i in told if i.entities == ["db"])
    assert (str(held.state), held.inhibited_by) == ("suppressed", cause.id)
    assert held.reason == f"inhibited: web needs db (3 steps away), the cause of {cause.id[:8]}, which burns since 01:01:00 UTC"
    told = run(felt().passes(43), **CONFIG, window=60.0)
    assert [i.holds_back for i in told if i.id == cause.id][-1] == [held.id]


@pytest.mark.parametrize(
    ("series", "more"),
    [
        (("web:latency", "web:cpu"), {}),
        (("other:latency", "other:errors"), {}),
        (("web:latency", "web:errors"), {"inhibit_steps": 2}),
        (("web:latency", "web:errors"), {"inhibit_steps": 0}),
    ],
    ids=["something of its own", "what needs it not", "too far", "turned off"],
)
def test_everything_else_is_told(series, more):
    assert states(result_of(felt(40.0, *series), **more))[series[0].partition(":")[0]] == "open"


def test_when_the_cause_is_over_what_still_burns_is_told():
    story = felt().recovers(45, "db:cpu", "db:disk_used").passes(46).passes(47)
    told = [i for i in run(story, **CONFIG, window=60.0) if i.entities == ["web"]]
    assert [str(i.state) for i in told] == ["suppressed", "open"]
    assert told[1].reason.startswith("still firing after inhibited: web needs db")
    assert (told[1].inhibited_by, told[1].opened_ts_ns) == ("", at(45))


def test_what_ended_with_its_cause_is_never_told():
    story = felt().recovers(44, "web:latency", "web:errors").recovers(45, "db:cpu", "db:disk_used").passes(46).passes(90)
    assert [str(i.state) for i in run(story, **CONFIG, window=60.0) if i.entities == ["web"]] == ["suppressed"]


def test_something_of_another_sort_lets_it_be_told():
    story = felt().fires(43, "web:cpu", score=3.5).passes(44)
    assert [str(i.state) for i in run(story, **CONFIG, window=60.0) if i.entities == ["web"]] == ["suppressed", "open"]


def test_one_incident_holds_back_so_many_and_no_more():
    story = (
        burning()
        .fires(40, "web:latency", "web:errors", score=3.5)
        .fires(43, "mobile:latency", "mobile:errors", score=3.5)
        .passes(50)
    )
    stage = machine(**CONFIG, window=60.0, inhibit_max=1)
    result = stage.step(records(story.messages))
    assert result.stats.counts[Metric.LIMITS_REACHED, ("inhibit_max",)] > 0
    assert states(result_of(story, inhibit_max=1)) == {"db": "open", "web": "suppressed", "mobile": "open"}


@given(st.data())
def test_a_snapshot_in_between_changes_nothing(data):
    config = {**CONFIG, "window": 60.0}
    log = records(felt().recovers(45, "db:cpu", "db:disk_used").passes(46).passes(47).messages)
    cut = data.draw(st.integers(0, len(log)))
    first, second = machine(**config), machine(**config)
    head = first.step(log[:cut]).outputs
    second.restore(Snapshot(orjson.loads(orjson.dumps(first.snapshot().meta)), {}))
    assert head + second.step(log[cut:]).outputs == outputs(log, **config)
