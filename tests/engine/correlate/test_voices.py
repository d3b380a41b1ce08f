"""What one measure says alone: what is felt or worked hard for needs little, what is counted by the way needs much."""

from __future__ import annotations

import pytest
from correlate_timeline import Timeline, run

from engine.correlate.voices import Voice, voice_of
from engine.records import LASTING, ONCE

SHOP = {"topology": [("web", "cart"), ("cart", "cart-db")]}


def told(story: Timeline, **more) -> list[str]:
    return [str(i.state) for i in run(story, **SHOP, **more)]


@pytest.mark.parametrize(
    ("voice", "metrics"),
    [
        (Voice.TELLING, ("request_duration_seconds.p99", "http_5xx", "success_rate", "cpu_percent", "process_cpu_time", "mem")),
        (Voice.PLAIN, ("orders", "queue_depth", "fs_usage_bytes", "requests_total")),
        (
            Voice.ASIDE,
            ("threads", "open_fds", "node_context_switches_total", "tcp_retransmits", "disk_read_latency", "page_faults"),
        ),
    ],
)
def test_measures_speak_by_what_their_names_are_about(voice, metrics):
    assert {metric: voice_of(metric) for metric in metrics} == dict.fromkeys(metrics, voice)


@pytest.mark.parametrize("metric", ["cpu_seconds", "latency", "errors"])
def test_a_multiple_of_what_is_usual_is_told_on_its_second_sample(metric):
    spike = Timeline().fires(1, f"cart:{metric}", reason=ONCE)
    assert told(spike.recovers(6, f"cart:{metric}").passes(30)) == []
    story = Timeline().fires(1, f"cart:{metric}", reason=ONCE).fires(2, f"cart:{metric}", reason=LASTING)
    assert told(story.passes(2.1)) == ["open"]


def test_less_than_a_multiple_must_go_on_for_a_window_as_anything_must():
    story = Timeline().fires(1, "cart:latency", value=2.9, seen_ts_ns=0)
    assert (told(story.passes(9)), told(story.passes(17))) == ([], ["open"])


def test_a_multiple_with_a_lesser_score_is_told_when_it_goes_on():
    def story(until: float, score: float) -> Timeline:
        begun = Timeline().fires(1, "cart:errors", score=score)
        began_ns = begun.messages[0].ts_ns
        return begun.fires(6, "cart:errors", score=score, seen_ts_ns=began_ns + int(until * 60e9)).passes(7)

    assert [told(story(*about)) for about in ((3.0, 1.2), (2.9, 1.2), (3.0, 1.1))] == [["open"], [], []]


def test_a_service_that_fails_three_times_as_often_is_told_though_its_success_falls_little():
    for value, states in ((0.996, ["open"]), (0.998, [])):
        story = Timeline().fires(1, "cart:success_rate", direction=-1, value=value, expected=0.999)
        assert told(story.passes(9)) == states


def test_a_processor_of_which_more_is_asked_is_not_telling():
    story = Timeline().fires(1, "cart:cpu_seconds").fires(1, "cart:requests_total", score=1.2)
    assert told(story.passes(9)) == []


def test_what_is_counted_by_the_way_is_told_alone_only_when_it_is_severe_and_lasts():
    def lone(score: float, seen: float) -> list[str]:
        begun = Timeline().fires(1, "cart:threads", score=score)
        begun.fires(6.1, "cart:threads", score=score, seen_ts_ns=begun.messages[0].ts_ns + int(seen * 60e9))
        return told(begun.recovers(9, "cart:threads").passes(30))

    assert lone(2.9, 5.0) == []
    assert lone(3.0, 4.9) == []
    assert lone(3.0, 5.0)[:1] == ["open"]
    assert lone(4.0, 1.0)[:1] == ["open"]


def test_of_few_series_less_is_asked_of_what_is_counted_by_the_way_too():
    told_of = {}
    for active in (5, 50, 500):
        story = Timeline().passes(0.5, "metrics", active=active).fires(1, "cart:threads", score=1.6)
        told_of[active] = told(story.passes(17, "metrics", active=active))
    assert told_of == {5: ["open"], 50: [], 500: []}


def test_what_is_felt_next_to_each_other_and_goes_on_supports_each_other():
    def story(metric: str, later: float, other: str = "web") -> Timeline:
        begun = Timeline().fires(1, f"cart:{metric}", score=1.4, value=2.0)
        return begun.passes(later - 0.1).fires(later, f"{other}:{metric}", score=1.4, value=2.0).passes(later + 0.5)

    (told_of,) = run(story("latency", 5), **SHOP)
    assert (str(told_of.state), told_of.entities) == ("open", ["cart", "web"])
    assert told(story("batch_size", 5)) == []
    assert told(story("latency", 5, "other")) == []
    assert (len(told(story("latency", 16))), told(story("latency", 16.1))) == (1, [])


def test_what_is_over_supports_nothing():
    story = Timeline().fires(1, "cart:latency", score=1.4, value=2.0).recovers(4, "cart:latency")
    assert told(story.fires(5, "web:latency", score=1.4, value=2.0).passes(9)) == []
